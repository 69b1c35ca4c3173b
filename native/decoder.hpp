// Sequences that advance together, a token at a time: all rows through the products at once, each
// row's attention over its own past.
#pragma once

#include <atomic>

#include "engine.hpp"
#include "model.hpp"

namespace microgpt::MICROGPT_BUILD {

// Parameters that decoders go on reading after training has moved on to a copy.
struct Weights {
    explicit Weights(Index size) : parameters(size), turned(size) {}
    Buffer parameters, turned;
    std::atomic<int> holders{0};
};

// A hold on weights: whoever lets go last deletes them, in whatever thread.
class Held {
  public:
    explicit Held(Weights* weights) : weights_(weights) { ++weights_->holders; }
    Held(const Held& other) : Held(other.weights_) {}
    Held& operator=(const Held&) = delete;
    ~Held() {
        if (--weights_->holders == 0) delete weights_;
    }

    void swap(Held& other) {
        Weights* const mine = weights_;
        weights_ = other.weights_;
        other.weights_ = mine;
    }
    bool by_others() const { return weights_->holders.load() > 1; }
    Weights* operator->() const { return weights_; }

  private:
    Weights* weights_;
};

class Rows final : public Decoder {
  public:
    Rows(const Layout& layout, const Attention& attention, const Heads& heads, Pool& pool,
         const Held& weights, Index rows)
        : layout_(layout), attention_(attention), heads_(heads), pool_(pool), weights_(weights),
          rows_(rows) {
        const Index D = layout.D, L = layout.shape.n_layer, T = layout.shape.block_size;
        past_.reserve(rows * L * T * 2 * D);
        work_.reserve(rows * each());
        scratch_.reserve(pool.threads() * scratch_each());
        lengths_.reserve(rows);
    }

    void push(const std::int32_t* tokens_B, double* logits_BV) override {
        const TinyIsZero tiny;
        constexpr Index together = 64;
        const Index parts = (rows_ + together - 1) / together;
        auto part = [&](Index i, Index thread) {
            const Index first = i * together;
            const Index count = rows_ - first < together ? rows_ - first : together;
            advance(first, count, tokens_B, logits_BV, thread);
        };
        pool_.each(parts, parts < pool_.threads() ? parts : pool_.threads(), part);
    }

    Index rows() const override { return rows_; }
    Index length(Index row) const override { return lengths_[row]; }

  private:
    // Numbers of working room a row takes, and a thread for attention.
    Index each() const { return 6 * layout_.D + layout_.F + layout_.V + 1; }
    Index scratch_each() const {
        return layout_.shape.block_size * layout_.D +
               round_up(layout_.shape.block_size, lanes) + heads_.scales();
    }

    void advance(Index first, Index count, const std::int32_t* tokens_B, double* logits_BV,
                 Index thread) {
        const Index D = layout_.D, F = layout_.F, V = layout_.V, T = layout_.shape.block_size;
        const Index L = layout_.shape.n_layer, width = layout_.shape.n_embd;
        const float epsilon = layout_.shape.rmsnorm_epsilon;
        const float *parameters = weights_->parameters.data(), *turned = weights_->turned.data();
        float* x = work_.data() + first * each();
        float *h = x + count * D, *qkv = h + count * D, *mixed = qkv + count * 3 * D;
        float *hidden = mixed + count * D, *logits = hidden + count * F;
        float* scales = logits + count * V;
        float* head_scales = scratch_.data() + thread * scratch_each();
        float* attended = head_scales + heads_.scales();

        for (Index b = 0; b < count; ++b) {
            // A row that rests is computed on, and not looked at.
            const std::int32_t token = tokens_B[first + b] < 0 ? 0 : tokens_B[first + b];
            const Index at = lengths_[first + b] < T ? lengths_[first + b] : T - 1;
            embed(1, &token, parameters, layout_.places ? parameters + layout_.wpe : nullptr, at,
                  D, h + b * D);
        }
        rmsnorm(count, width, epsilon, h, D, x, scales);
        for (Index l = 0; l < L; ++l) {
            const Layer w = layout_.layer(l);
            rmsnorm(count, width, epsilon, x, D, h, scales);
            linear(count, h, w.qkv, turned, qkv);
            for (Index b = 0; b < count; ++b) {
                if (tokens_B[first + b] < 0) continue;
                float* past = past_.data() + ((first + b) * L + l) * T * 2 * D;
                const Index S = lengths_[first + b];
                float* row = qkv + b * 3 * D;
                if (heads_.any()) heads_.forward(1, S, row, head_scales);
                for (Index i = 0; i < 2 * D; i += lanes)
                    store(past + S * 2 * D + i, load(row + D + i));
                attention_.one(S + 1, row, past, past + D, 2 * D, attended, mixed + b * D);
            }
            linear(count, mixed, w.wo, turned, x, true);
            rmsnorm(count, width, epsilon, x, D, h, scales);
            linear(count, h, w.fc1, turned, hidden);
            relu(count * F, hidden, layout_.shape.squared_relu ? hidden : nullptr);
            linear(count, hidden, w.fc2, turned, x, true);
        }
        if (layout_.shape.final_norm) rmsnorm(count, width, epsilon, x, D, x, scales);
        linear(count, x, layout_.lm_head, turned, logits);
        for (Index b = 0; b < count; ++b) {
            const bool rests = tokens_B[first + b] < 0;
            double* to = logits_BV + (first + b) * layout_.shape.vocab_size;
            for (Index v = 0; v < layout_.shape.vocab_size; ++v)
                to[v] = rests ? 0.0 : static_cast<double>(logits[b * V + v]);
            lengths_[first + b] += !rests;
        }
    }

    const Layout& layout_;
    const Attention& attention_;
    const Heads& heads_;
    Pool& pool_;
    const Held weights_;
    const Index rows_;
    Buffer past_, work_, scratch_;
    Numbers<Index> lengths_;
};

}  // namespace microgpt::MICROGPT_BUILD
