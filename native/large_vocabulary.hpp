// A step's work on lm_head and the token embedding of a large vocabulary, shared out over threads.
#pragma once

#include "head_step.hpp"
#include "pool.hpp"
#include "token_updates.hpp"
#include "workspace.hpp"

namespace microgpt::MICROGPT_BUILD {

class LargeVocabulary {
  public:
    LargeVocabulary(const Layout& layout, Workspace& work, const Buffers& buffers, Pool& pool)
        : layout_(layout), work_(work), buffers_(buffers), pool_(pool), head_(layout),
          step_(layout, head_), tokens_(layout, buffers) {}

    // Null: the vocabulary is none of the large ones, and nothing is called here.
    const LargeHead* head() const { return layout_.has_large_head() ? &head_ : nullptr; }
    TokenUpdates& tokens() { return tokens_; }

    // Make room for some steps, of at most so many positions; throws std::bad_alloc.
    void reserve(Index steps, Index positions) {
        if (!head()) return;
        step_.reserve(positions, pool_.threads());
        tokens_.reserve(steps);
    }
    // Begin a step, whose batch may be in several pieces; without updates all gradients are needed.
    void begin_step(const Documents& batch, bool updates, float* d_parameters) {
        if (!head()) return;
        if (updates)
            tokens_.begin(batch, d_parameters);
        else
            tokens_.clear(d_parameters);
    }
    // Complete the parameters and moments after some steps.
    void end_steps() {
        if (!head()) return;
        auto part = [&](Index i, Index) { tokens_.finish(i); };
        pool_.each(tokens_.parts(), pool_.threads(), part);
        tokens_.forget();
    }

    // From a piece's x to losses and gradients of x; and those of lm_head, for all parts of the
    // positions but the last.
    void forward(const Documents& piece, double scale, GradientUse use, Index threads,
                 float* d_parameters) {
        const Index N = piece.positions(), D = layout_.D, parts = step_.parts(N);
        const std::int32_t* targets = piece.targets_N + piece.offsets[0];
        float* d_x = work_.d_x(layout_.shape.n_layer);
        const float* parameters = buffers_.parameters;
        use.is_last = false;
        for (Index part = 0; part < parts; ++part) {
            const Index n = step_.first(part, N), M = step_.first(part + 1, N) - n;
            step_.begin(M, targets + n, work_.x() + n * D);
            auto fill = [&](Index i, Index) { step_.fill(i); };
            auto slice = [&](Index s, Index) { step_.forward(s, parameters); };
            auto finish = [&](Index i, Index) {
                step_.finish(i, parameters, scale, work_.losses() + n, d_x + n * D);
            };
            pool_.each(step_.vectors(), threads, fill);
            pool_.each(head_.slices(), threads, slice);
            pool_.each(step_.vectors(), threads, finish);
            if (part + 1 < parts) gradients(use, threads, d_parameters);
            use.is_first = false;
        }
    }

    // Gradients of lm_head for the last part of a piece.
    void gradients(const Documents& piece, GradientUse use, Index threads, float* d_parameters) {
        use.is_first = use.is_first && step_.parts(piece.positions()) == 1;
        gradients(use, threads, d_parameters);
    }

  private:
    void gradients(const GradientUse& use, Index threads, float* d_parameters) {
        // From the last slice, whose powers are still in the near caches, to the first, whose rows
        // the next step reads first.
        auto slice = [&](Index i, Index thread) {
            step_.gradients(head_.slices() - 1 - i, thread, use, buffers_, d_parameters);
        };
        pool_.each(head_.slices(), threads, slice);
    }

    const Layout& layout_;
    Workspace& work_;
    const Buffers& buffers_;
    Pool& pool_;
    const LargeHead head_;
    HeadStep step_;
    TokenUpdates tokens_;
};

}  // namespace microgpt::MICROGPT_BUILD
