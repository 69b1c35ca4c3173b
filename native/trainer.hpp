// Steps of training: documents are shared out over threads, and so are the parameters.
#pragma once

#include <chrono>

#include "engine.hpp"
#include "model.hpp"
#include "muon.hpp"

namespace microgpt::MICROGPT_BUILD {

// Runs of documents that are worth a thread's while, found anew for every batch.
class Shares {
  public:
    // Make room for any batch of so many documents; throws std::bad_alloc.
    void reserve(Index documents) { ends_.reserve(documents + 1); }
    // Cut a batch into runs of about so many positions.
    void cut(const Documents& batch, Index positions) {
        count_ = 0;
        ends_[0] = 0;
        Index from = batch.offsets[0];
        for (Index d = 0; d < batch.count; ++d) {
            const bool is_last = d + 1 == batch.count;
            if (!is_last && batch.offsets[d + 1] + batch.length(d + 1) / 2 - from < positions)
                continue;
            ends_[++count_] = d + 1;
            from = batch.offsets[d + 1];
        }
    }
    Index count() const { return count_; }
    Index first(Index i) const { return ends_[i]; }
    Index last(Index i) const { return ends_[i + 1]; }

  private:
    Numbers<Index> ends_;
    Index count_ = 0;
};

// The forward pass's copies of the weights, one for every thread: what another processor has
// updated is read once a step, in order, and a copy's lines stay with their reader.
class Turned {
  public:
    Turned(const Layout& layout, const Buffers& buffers) : layout_(layout), buffers_(buffers) {}
    void reserve(Index threads) {
        copies_.reserve((threads - 1) * layout_.size());
        seen_.reserve(threads);
    }
    // The parameters have changed, and the first copy with them or not.
    void changed(bool with_first) {
        ++changes_;
        if (with_first) seen_[0] = changes_;
    }
    const float* of(Index thread) {
        float* copy = thread ? copies_.data() + (thread - 1) * layout_.size() : buffers_.turned;
        if (seen_[thread] != changes_) turn(layout_, buffers_.parameters, copy);
        seen_[thread] = changes_;
        return copy;
    }

  private:
    const Layout& layout_;
    const Buffers& buffers_;
    Buffer copies_;
    Numbers<Index> seen_;
    Index changes_ = 1;
};

// Whether several threads are quicker than one: where other programs want the processors too, they
// may not be. Now and then a few steps are made with each. Results are the same bits either way.
class Pace {
  public:
    // A step of so much work begins: with several threads, or one?
    bool several(Index work) {
        const Index phase = turn_++ % 256;
        if (phase == 0) least_[0] = least_[1] = HUGE_VAL;
        several_ = phase < 2 * trials ? phase < trials : least_[1] < least_[0];
        work_ = work;
        began_ = Clock::now();
        return several_;
    }
    // It has ended. The least counts: it takes a step or two until threads that
    // slept are awake, and their caches filled.
    void end() {
        if (work_ == 0) return;
        const std::chrono::duration<double> took = Clock::now() - began_;
        least_[several_] = std::fmin(least_[several_], took.count() / static_cast<double>(work_));
        work_ = 0;
    }

    // It is too long to be timed.
    void drop() { work_ = 0; }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr Index trials = 4;
    double least_[2] = {HUGE_VAL, HUGE_VAL};
    Index turn_ = 0, work_ = 0;
    Clock::time_point began_;
    bool several_ = false;
};

template <int Fixed>
class Trainer {
  public:
    Trainer(const Layout& layout, const Attention& attention, const Heads& heads, Workspace& work,
            const Buffers& buffers, Pool& pool)
        : layout_(layout), buffers_(buffers), work_(work), pool_(pool),
          model_(layout, attention, heads, work, buffers), turned_(layout, buffers) {}

    // Make room for any batch of this extent; throws std::bad_alloc. Nothing is allocated later: no
    // part of a step can fail.
    void reserve(const Extent& extent) {
        work_.reserve(extent, pool_.threads());
        turned_.reserve(pool_.threads());
        shares_.reserve(extent.documents);
    }
    // Somebody else has changed the parameters.
    void changed() { turned_.changed(false); }
    // Bring the first copy up to date, for other readers.
    void settle() {
        turned_.reserve(pool_.threads());
        turned_.of(0);
    }

    // Losses alone, left in the workspace.
    void losses(const Documents& batch) {
        predict(batch, [&](Index first, Index last) { model_.losses(batch, first, last, 0.0); });
    }

    // Logits alone, copied without padding.
    void logits(const Documents& batch, double* logits_NV) {
        predict(batch, [&](Index first, Index last) {
            model_.copy_logits(batch, first, last, logits_NV);
        });
    }

    // Through the model to the slopes of the last layer's output; the losses are in the workspace.
    void there(const Documents& batch, double share, const Dropping* dropping) {
        begin(batch, pace_);
        auto part = [&](Index i, Index thread) {
            const Index first = shares_.first(i), last = shares_.last(i);
            model_.forward(batch, first, last, turned_.of(thread), dropping, thread);
            model_.losses(batch, first, last, share);
            model_.head_backward(batch, first, last);
            model_.layer_backward(batch, first, last, layout_.shape.n_layer - 1, dropping, thread);
        };
        pool_.each(shares_.count(), wanted_, part);
    }

    // And back: slopes of all parameters, kept, or used if there are updates and this is the batch.
    void back(const Documents& batch, Use use, const Dropping* dropping, const Updates* updates,
              float* kept) {
        const bool is_whole = use.first && use.last && updates;
        use.turns = wanted_ == 1;
        Use hidden = use;
        if (is_whole) use.update = &updates->rest;
        if (is_whole && !updates->by_muon) hidden.update = &updates->hidden;
        for (Index l = layout_.shape.n_layer - 1; l >= 0; --l) {
            auto gradient = [&](Index i, Index) {
                model_.gradient_part(batch, l, i, use, hidden, kept);
            };
            pool_.each(model_.gradient_parts(l), wanted_, gradient);
            if (l == 0) break;
            auto layer = [&](Index i, Index thread) {
                model_.layer_backward(batch, shares_.first(i), shares_.last(i), l - 1, dropping,
                                      thread);
            };
            pool_.each(shares_.count(), wanted_, layer);
        }
        if (use.last && updates) {
            const Index rest = layout_.lm_head.end();
            if (!is_whole) updates->rest(rest, kept, buffers_, 0);
            if (updates->by_muon)
                turn_matrices(updates->muon, kept);
            else if (!is_whole)
                updates->hidden(layout_.size() - rest, kept + rest, buffers_, rest);
            turned_.changed(is_whole && !updates->by_muon && use.turns);
        }
        pace_.end();
    }

  private:
    // A forward pass with nothing after it but finish(first, last), for each range of documents.
    template <class Finish>
    void predict(const Documents& batch, Finish finish) {
        begin(batch, passing_pace_);
        auto part = [&](Index i, Index thread) {
            const Index first = shares_.first(i), last = shares_.last(i);
            model_.forward(batch, first, last, turned_.of(thread), nullptr, thread);
            finish(first, last);
        };
        pool_.each(shares_.count(), wanted_, part);
        passing_pace_.end();
    }

    void turn_matrices(const Muon& muon, const float* kept) {
        auto matrix = [&](Index i, Index thread) {
            muon(layout_.matrix(i), kept, buffers_, work_.scratch(thread));
        };
        pool_.each(layout_.matrices(), wanted_, matrix);
    }

    void begin(const Documents& batch, Pace& pace) {
        const Index N = batch.positions();
        work_.lay_out(batch);
        // A thread is called for no less than some 20 microseconds of work, and for a document of
        // its own: what one alone has updated another reads slowly.
        const Index work = N * (12 * layout_.D * layout_.shape.n_layer + layout_.V) * layout_.D;
        wanted_ = 1 + work / 150'000;
        if (wanted_ > pool_.threads()) wanted_ = pool_.threads();
        if (wanted_ > batch.count) wanted_ = batch.count;
        // Long steps hardly notice who else is there.
        pace.drop();
        if (wanted_ > 1 && work < 100'000'000 && !pace.several(work)) wanted_ = 1;
        // A share's rows should fit in the second cache, and be many enough to fill tiles.
        const Index most = 20480 / layout_.D + 16;
        Index shares = (N + most - 1) / most;
        shares = (shares + wanted_ - 1) / wanted_ * wanted_;
        shares_.cut(batch, (N + shares - 1) / shares);
    }

    const Layout& layout_;
    const Buffers& buffers_;
    Workspace& work_;
    Pool& pool_;
    Model<Fixed> model_;
    Turned turned_;
    Shares shares_;
    Pace pace_, passing_pace_;  // of steps, of losses alone
    Index wanted_ = 1;
};

}  // namespace microgpt::MICROGPT_BUILD
