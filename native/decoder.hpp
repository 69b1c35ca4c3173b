// The decoder: sequences side by side, one token at a time. Each product takes all rows at once;
// each row attends to its own earlier keys and values.
#pragma once

#include <atomic>

#include "engine.hpp"
#include "model.hpp"

namespace microgpt::MICROGPT_BUILD {

// Parameters and their transposed copy. Decoders go on reading them after training has moved on to
// a copy.
struct Parameters {
    explicit Parameters(Index size) : values(size), transposed(size) {}
    Buffer values, transposed;
    std::atomic<int> handles{0};
};

// A counted reference to parameters: the last one deletes them, in whatever thread it ends.
class ParametersHandle {
  public:
    explicit ParametersHandle(Parameters* parameters) : parameters_(parameters) {
        ++parameters_->handles;
    }
    ParametersHandle(const ParametersHandle& other) : ParametersHandle(other.parameters_) {}
    ParametersHandle& operator=(const ParametersHandle&) = delete;
    ~ParametersHandle() {
        if (--parameters_->handles == 0) delete parameters_;
    }

    void swap(ParametersHandle& other) {
        Parameters* const before = parameters_;
        parameters_ = other.parameters_;
        other.parameters_ = before;
    }
    bool is_shared() const { return parameters_->handles.load() > 1; }
    Parameters* operator->() const { return parameters_; }

  private:
    Parameters* parameters_;
};

class BatchDecoder final : public Decoder {
  public:
    BatchDecoder(const Layout& layout, const Attention& attention, const QueryKey& query_key,
                 Pool& pool, const ParametersHandle& parameters, Index rows)
        : layout_(layout), attention_(attention), query_key_(query_key), pool_(pool),
          parameters_(parameters), rows_(rows) {
        const Index D = layout.D, L = layout.shape.n_layer, T = layout.shape.block_size;
        past_.reserve(rows * L * T * 2 * D);
        work_.reserve(rows * row_floats());
        scratch_.reserve(pool.threads() * scratch_floats());
        lengths_.reserve(rows);
    }

    void push(const std::int32_t* tokens_B, double* logits_BV) override {
        const FlushDenormals flush;
        constexpr Index rows_a_part = 64;
        const Index parts = (rows_ + rows_a_part - 1) / rows_a_part;
        auto part = [&](Index i, Index thread) {
            const Index first = i * rows_a_part;
            const Index count = rows_ - first < rows_a_part ? rows_ - first : rows_a_part;
            advance(first, count, tokens_B, logits_BV, thread);
        };
        pool_.each(parts, parts < pool_.threads() ? parts : pool_.threads(), part);
    }

    Index rows() const override { return rows_; }
    Index length(Index row) const override { return lengths_[row]; }

  private:
    // How many floats of workspace a row needs, and how many a thread needs for attention.
    Index row_floats() const { return 6 * layout_.D + layout_.F + layout_.V + 1; }
    Index scratch_floats() const {
        return layout_.shape.block_size * layout_.D +
               round_up(layout_.shape.block_size, lanes) + query_key_.scales();
    }

    void advance(Index first, Index count, const std::int32_t* tokens_B, double* logits_BV,
                 Index thread) {
        const Index D = layout_.D, F = layout_.F, V = layout_.V, T = layout_.shape.block_size;
        const Index L = layout_.shape.n_layer, width = layout_.shape.n_embd;
        const float epsilon = layout_.shape.rmsnorm_epsilon;
        const float* parameters = parameters_->values.data();
        const float* transposed = parameters_->transposed.data();
        float* x = work_.data() + first * row_floats();
        float *h = x + count * D, *qkv = h + count * D, *attended = qkv + count * 3 * D;
        float *hidden = attended + count * D, *logits = hidden + count * F;
        float* scales = logits + count * V;
        float* qk_scales = scratch_.data() + thread * scratch_floats();
        float* probabilities = qk_scales + query_key_.scales();

        for (Index b = 0; b < count; ++b) {
            // A skipped row is computed like the others; its logits are not read.
            const std::int32_t token = tokens_B[first + b] < 0 ? 0 : tokens_B[first + b];
            const Index at = lengths_[first + b] < T ? lengths_[first + b] : T - 1;
            embed(1, &token, parameters, layout_.wpe_rows ? parameters + layout_.wpe : nullptr, at,
                  D, h + b * D);
        }
        rmsnorm(count, width, epsilon, h, D, x, scales);
        for (Index l = 0; l < L; ++l) {
            const Layer w = layout_.layer(l);
            rmsnorm(count, width, epsilon, x, D, h, scales);
            linear(count, h, w.qkv, transposed, qkv);
            for (Index b = 0; b < count; ++b) {
                if (tokens_B[first + b] < 0) continue;
                float* past = past_.data() + ((first + b) * L + l) * T * 2 * D;
                const Index S = lengths_[first + b];
                float* row = qkv + b * 3 * D;
                if (query_key_.is_needed()) query_key_.forward(1, S, row, qk_scales);
                for (Index i = 0; i < 2 * D; i += lanes)
                    store(past + S * 2 * D + i, load(row + D + i));
                attention_.one(S + 1, row, past, past + D, 2 * D, probabilities, attended + b * D);
            }
            linear(count, attended, w.wo, transposed, x, true);
            rmsnorm(count, width, epsilon, x, D, h, scales);
            linear(count, h, w.fc1, transposed, hidden);
            relu(count * F, hidden, layout_.shape.squared_relu ? hidden : nullptr);
            linear(count, hidden, w.fc2, transposed, x, true);
        }
        if (layout_.shape.final_norm) rmsnorm(count, width, epsilon, x, D, x, scales);
        linear(count, x, layout_.lm_head, transposed, logits);
        for (Index b = 0; b < count; ++b) {
            const bool skips = tokens_B[first + b] < 0;
            double* to = logits_BV + (first + b) * layout_.shape.vocab_size;
            for (Index v = 0; v < layout_.shape.vocab_size; ++v)
                to[v] = skips ? 0.0 : static_cast<double>(logits[b * V + v]);
            lengths_[first + b] += !skips;
        }
    }

    const Layout& layout_;
    const Attention& attention_;
    const QueryKey& query_key_;
    Pool& pool_;
    const ParametersHandle parameters_;
    const Index rows_;
    Buffer past_, work_, scratch_;
    Array<Index> lengths_;
};

}  // namespace microgpt::MICROGPT_BUILD
