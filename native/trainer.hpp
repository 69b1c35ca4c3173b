// One step of training, and forward passes alone, on all threads: they share out the documents,
// then the parameters. README.md in this folder lists the phases.
#pragma once

#include "engine.hpp"
#include "large_vocabulary.hpp"
#include "model.hpp"
#include "muon.hpp"
#include "ranges.hpp"
#include "thread_choice.hpp"
#include "transposed_copies.hpp"

namespace microgpt::MICROGPT_BUILD {

template <int Fixed>
class Trainer {
  public:
    Trainer(const Layout& layout, const Attention& attention, const QueryKey& query_key,
            Workspace& work, const Buffers& buffers, Pool& pool)
        : layout_(layout), buffers_(buffers), work_(work), pool_(pool),
          vocabulary_(layout, work, buffers, pool),
          model_(layout, attention, query_key, vocabulary_.head(), work, buffers),
          transposed_(layout, buffers) {}

    // Make room for any batch of this extent; throws std::bad_alloc. Nothing is allocated later, so
    // that a step never fails halfway.
    void reserve(const Extent& extent) {
        work_.reserve(extent, pool_.threads());
        transposed_.reserve(pool_.threads());
        ranges_.reserve(extent.documents);
        if (pool_.threads() > 1) sums_.reserve(std::min(pool_.threads(), Chunks::most) * layout_.size());
    }
    // What has buffers of its own, which are to be reserved before steps.
    LargeVocabulary& vocabulary() { return vocabulary_; }
    // Note that the parameters were changed from outside.
    void parameters_changed() { transposed_.parameters_changed(false); }
    // Renew the buffers' transposed copy, for decoders.
    void renew_transposed() {
        transposed_.renew();
    }

    // Compute the losses of a piece of sorted documents, in the order of the caller's.
    void losses(const Sorted& sorted, const Documents& piece, const Documents& documents,
                double* losses_N) {
        predict(piece, [&](Index first, Index last, Index thread) {
            model_.losses(sorted, piece, first, last, documents, thread, losses_N);
        });
    }

    // Compute logits alone, and copy them without padding.
    void logits(const Documents& batch, double* logits_NV) {
        predict(batch, [&](Index first, Index last, Index thread) {
            model_.copy_logits(batch, first, last, thread, logits_NV);
        });
    }

    // First half of a step: the forward pass, and backward as far as it goes without the other
    // threads: through the head and the last layer; where threads have chunks of their own, through
    // all layers, and to the sums of the chunks' gradients.
    void forward(const Documents& batch, double scale, GradientUse use, const Dropout* dropout,
                 float* d_parameters) {
        begin(batch, step_choice_);
        const bool is_large = layout_.has_large_head();
        if (!is_large) work_.token_order().sort(batch);
        chunks_.cut(batch, layout_.D);
        groups_ = groups(batch.positions());
        if (is_large) {
            auto range = [&](Index i, Index thread) {
                model_.forward(batch, ranges_.first(i), ranges_.last(i), transposed_.of(thread),
                               dropout, thread);
            };
            pool_.each(ranges_.count(), wanted_, range);
            vocabulary_.forward(batch, scale, use, head_threads_, d_parameters);
        }
        const auto range = [&](Index first, Index last, Index thread) {
            if (!is_large) {
                model_.forward(batch, first, last, transposed_.of(thread), dropout, thread);
                model_.losses(batch, first, last, scale);
            }
            model_.head_backward(batch, first, last);
            model_.layer_backward(batch, first, last, layout_.shape.n_layer - 1, dropout, thread);
        };
        if (groups_ == 1) {
            auto f = [&](Index i, Index thread) { range(ranges_.first(i), ranges_.last(i), thread); };
            return pool_.each(ranges_.count(), wanted_, f);
        }
        auto group = [&](Index g, Index thread) {
            const Index chunks = chunks_.count() / groups_, chunk = g * chunks;
            const auto ranges = [&](auto f) {
                DocumentRanges::each(batch, chunks_.document(chunk), chunks_.document(chunk + chunks),
                                     range_positions_, f);
            };
            ranges([&](Index first, Index last) { range(first, last, thread); });
            float* sums = sums_.data() + g * layout_.size();
            for (Index l = layout_.shape.n_layer - 1; l >= 0; --l) {
                for (Index i = 0; i < model_.weight_parts(l); ++i)
                    model_.weight_part(l, i, [&](const WeightRows& rows, bool) {
                        rows.some(chunks_, chunk, chunks, sums);
                    });
                if (l == 0) break;
                ranges([&](Index first, Index last) {
                    model_.layer_backward(batch, first, last, l - 1, dropout, thread);
                });
            }
        };
        pool_.each(groups_, groups_, group);
    }

    // Second half: from the last layer to the first, the gradients of its parameters, then backward
    // through the layer below. With `updates`, the last piece of a batch updates the parameters.
    void backward(const Documents& batch, GradientUse use, const Dropout* dropout,
                  const StepUpdates* updates, float* d_parameters) {
        const bool is_whole = use.is_first && use.is_last && updates;
        use.writes_transposed = wanted_ == 1;
        use.is_shared = wanted_ > 1;
        GradientUse hidden = use;
        if (is_whole) use.update = &updates->rest;
        if (is_whole && !updates->uses_muon) hidden.update = &updates->hidden;
        const bool is_large = layout_.has_large_head();
        if (is_large) {
            GradientUse head = use;
            if (updates) head.update = &updates->rest;
            vocabulary_.gradients(batch, head, head_threads_, d_parameters);
        }
        for (Index l = layout_.shape.n_layer - 1; l >= 0; --l) {
            auto gradient = [&](Index i, Index) {
                const auto rows = [&](const WeightRows& rows, bool is_layers) {
                    const GradientUse& to = is_layers ? hidden : use;
                    if (groups_ == 1) return rows.all(chunks_, to, buffers_, d_parameters);
                    rows.added(sums_.data(), layout_.size(), groups_, to, buffers_, d_parameters);
                };
                const Index left = model_.weight_part(l, i, rows);
                if (left >= 0) model_.embedding_part(batch, left, use, d_parameters);
            };
            pool_.each(model_.gradient_parts(l), wanted_, gradient);
            if (l == 0) break;
            if (groups_ > 1) continue;
            auto range = [&](Index i, Index thread) {
                model_.layer_backward(batch, ranges_.first(i), ranges_.last(i), l - 1, dropout,
                                      thread);
            };
            pool_.each(ranges_.count(), wanted_, range);
        }
        if (is_large) vocabulary_.tokens().add(batch, work_.d_x(0), d_parameters);
        if (use.is_last && updates) {
            const Index rest = layout_.lm_head.end(), wpe = layout_.wpe;
            if (is_large) vocabulary_.tokens().update(updates->rest, d_parameters);
            if (!is_whole && is_large)
                updates->rest(layout_.lm_head.at - wpe, d_parameters + wpe, buffers_, wpe);
            else if (!is_whole)
                updates->rest(rest, d_parameters, buffers_, 0);
            if (updates->uses_muon)
                muon(updates->muon, d_parameters);
            else if (!is_whole)
                updates->hidden(layout_.size() - rest, d_parameters + rest, buffers_, rest);
            transposed_.parameters_changed(is_whole && !updates->uses_muon &&
                                           use.writes_transposed);
        }
        step_choice_.end();
    }

  private:
    // Make a forward pass, then call finish(first, last, thread) for each range.
    template <class Finish>
    void predict(const Documents& batch, Finish finish) {
        begin(batch, forward_choice_);
        auto range = [&](Index i, Index thread) {
            const Index first = ranges_.first(i), last = ranges_.last(i);
            model_.forward(batch, first, last, transposed_.of(thread), nullptr, thread);
            finish(first, last, thread);
        };
        pool_.each(ranges_.count(), wanted_, range);
        forward_choice_.end();
    }

    // How many threads have chunks of their own; 1: all share out the documents. Chunks may be too
    // few for all threads: then either some have no work in the forward pass and backward, or each
    // reads all activations that the others have written. Nanoseconds a weight: a position is 6
    // operations, 80 a nanosecond; a number that another thread has written is 0.75. The activations
    // are 7 D numbers a position where there are 12 D^2 weights.
    Index groups(Index N) const {
        Index count = 1;
        while (2 * count <= wanted_ && 2 * count <= chunks_.count()) count *= 2;
        if (2 * count > wanted_) return count;
        const double positions = static_cast<double>(N), D = static_cast<double>(layout_.D);
        const double idle = positions * 6 / 80 * (1.0 / static_cast<double>(count) -
                                                  1.0 / static_cast<double>(wanted_));
        const double read = 0.75 * (positions * 7 / (12 * D) - 1.0);
        return idle > read ? 1 : count;
    }

    // Muon needs a matrix's whole gradient: threads share out the matrices when all are complete.
    void muon(const Muon& muon, const float* d_parameters) {
        auto matrix = [&](Index i, Index thread) {
            muon(layout_.matrix(i), d_parameters, buffers_, work_.scratch(thread));
        };
        pool_.each(layout_.matrices(), wanted_, matrix);
    }

    // Lay out the workspace, and decide on threads and ranges.
    void begin(const Documents& batch, ThreadChoice& choice) {
        const Index N = batch.positions();
        work_.lay_out(batch);
        // A thread must have some 20 microseconds of work and a document of its own: one thread
        // reads slowly what another has just updated.
        const Index work = N * (12 * layout_.D * layout_.shape.n_layer + layout_.V) * layout_.D;
        wanted_ = 1 + work / 150'000;
        if (wanted_ > pool_.threads()) wanted_ = pool_.threads();
        head_threads_ = wanted_;
        if (wanted_ > batch.count) wanted_ = batch.count;
        // Long steps are not timed: other programs slow them little.
        choice.skip();
        if (head_threads_ > 1 && work < 100'000'000 && !choice.several(work))
            wanted_ = head_threads_ = 1;
        // The rows of a range should fit in the second cache, and be enough to fill tiles.
        const Index most = 20480 / layout_.D + 16;
        Index ranges = (N + most - 1) / most;
        ranges = (ranges + wanted_ - 1) / wanted_ * wanted_;
        range_positions_ = (N + ranges - 1) / ranges;
        ranges_.cut(batch, range_positions_);
    }

    const Layout& layout_;
    const Buffers& buffers_;
    Workspace& work_;
    Pool& pool_;
    LargeVocabulary vocabulary_;
    Model<Fixed> model_;
    TransposedCopies transposed_;
    DocumentRanges ranges_;
    Chunks chunks_;
    Buffer sums_;  // of gradients, of the chunks of each group, in the parameters' layout
    ThreadChoice step_choice_, forward_choice_;
    Index wanted_ = 1, range_positions_ = 0;  // threads of this step
    Index head_threads_ = 1;  // which share out a large head: its rows, not documents
    Index groups_ = 1;  // how many threads have chunks of their own; 1: none
};

}  // namespace microgpt::MICROGPT_BUILD
