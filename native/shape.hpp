// A model's shape, an optimizer's constants and a batch, as plain numbers: no Python here, no
// vectors. Shape suffixes are those of src/microgpt/model.
#pragma once

#include <cstdint>

namespace microgpt {

using Index = std::int64_t;

// The loss that training minimises. Its gradient of the logits is cross-entropy's times a factor.
enum class Objective { cross_entropy, linear, quadratic };

struct Shape {
    Index vocab_size, block_size, n_layer, n_head, n_embd;
    bool squared_relu;
    Objective objective;
    double rotary_base = 0.0;  // 0: positions are learned
    bool qk_norm = false, final_norm = false;
    float rmsnorm_epsilon = 0.0f;
};

// The constants of src/microgpt/optim.py.
struct Optimizer {
    double beta1, beta2, eps;
    double muon = 0.0, momentum = 0.0, weight_decay = 0.0, dropout = 0.0;
    std::uint32_t seed = 0;
    double polynomial[3] = {};
    Index iterations = 0;
    double smallest_norm = 0.0;
};

// Documents end to end: document d has the positions offsets[d] to offsets[d + 1].
struct Documents {
    const std::int32_t* tokens_N;
    const std::int32_t* targets_N;  // null: only logits are computed
    const Index* offsets;
    Index count;
    // Null, or how many tokens of each document stand before these: they are those of the document
    // before it (see prefixes.hpp).
    const Index* firsts = nullptr;

    Index length(Index d) const { return offsets[d + 1] - offsets[d]; }
    Index first(Index d) const { return firsts ? firsts[d] : 0; }
    // Whether document d needs none before it, or is the end of the batch.
    bool is_cut(Index d) const { return d == count || first(d) == 0; }
    Index positions() const { return offsets[count] - offsets[0]; }
    Documents part(Index first, Index last) const {
        return {tokens_N, targets_N, offsets + first, last - first,
                firsts ? firsts + first : nullptr};
    }
};

constexpr Index round_up(Index n, Index multiple) {
    return (n + multiple - 1) / multiple * multiple;
}

}  // namespace microgpt
