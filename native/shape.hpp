// What a model is, as plain numbers, and what a batch of documents is: no Python here, no vectors.
// Shape suffixes are those of src/microgpt/model.py.
#pragma once

#include <cstdint>

namespace microgpt {

using Index = std::int64_t;

// What is pushed down; the slope on the logits is a weight times cross-entropy's.
enum class Objective { cross_entropy, linear, quadratic };

struct Shape {
    Index vocab_size, block_size, n_layer, n_head, n_embd;
    bool squared_relu;
    Objective objective;
};

struct Adam {
    double beta1, beta2, eps;
};

// Documents end to end: document d has the positions offsets[d] to offsets[d + 1].
struct Documents {
    const std::int32_t* tokens_N;
    const std::int32_t* targets_N;
    const Index* offsets;
    Index count;

    Index length(Index d) const { return offsets[d + 1] - offsets[d]; }
    Index positions() const { return offsets[count] - offsets[0]; }
    Documents part(Index first, Index last) const {
        return {tokens_N, targets_N, offsets + first, last - first};
    }
};

constexpr Index round_up(Index n, Index multiple) {
    return (n + multiple - 1) / multiple * multiple;
}

}  // namespace microgpt
