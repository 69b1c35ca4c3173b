// What a batch leaves behind on its way through the model, for the way back: rows of positions.
#pragma once

#include "attention.hpp"
#include "heads.hpp"
#include "numbers.hpp"

namespace microgpt::MICROGPT_BUILD {

// How much room a batch needs.
struct Extent {
    Index positions = 0, weights = 0, documents = 0, longest = 0;

    // The room that takes either.
    void cover(const Extent& other) {
        if (other.positions > positions) positions = other.positions;
        if (other.weights > weights) weights = other.weights;
        if (other.documents > documents) documents = other.documents;
        if (other.longest > longest) longest = other.longest;
    }
};

class Workspace {
  public:
    // Every thread has scratch for attention, and for at least so many numbers.
    Workspace(const Layout& layout, const Attention& attention, const Heads& heads, Index scratch)
        : layout_(layout), attention_(attention), heads_(heads), least_scratch_(scratch) {}
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    Extent extent(const Documents& documents) const {
        Extent e{documents.positions(), 0, documents.count, 0};
        for (Index d = 0; d < documents.count; ++d) {
            const Index T = documents.length(d);
            e.weights += attention_.weights(T);
            if (T > e.longest) e.longest = T;
        }
        return e;
    }

    // Make room for any batch of this extent; throws std::bad_alloc, and then has what it had.
    void reserve(const Extent& e, Index threads) {
        Extent grown = room_;
        const auto grow = [](Index& has, Index needs) {
            if (needs > has) has = needs + needs / 4;
        };
        grow(grown.positions, e.positions);
        grow(grown.weights, e.weights);
        grow(grown.documents, e.documents);
        if (e.longest > grown.longest) grown.longest = e.longest;

        const Index D = layout_.D, F = layout_.F, L = layout_.shape.n_layer, N = grown.positions;
        per_position_ = 6 * D + (layout_.shape.squared_relu ? 2 : 1) * F + 2 + heads_.scales();
        Index scratch = attention_.scratch(grown.longest);
        scratch = round_up(scratch > least_scratch_ ? scratch : least_scratch_, 64);
        layers_.reserve(L * (N * per_position_ + grown.weights));
        shared_.reserve(N * (10 * D + F + layout_.V + 2));
        scratch_.reserve(threads * scratch);
        weights_at_.reserve(grown.documents);
        losses_.reserve(N);
        room_ = grown;
        scratch_each_ = scratch;
    }

    // Say where each document's attention weights lie.
    void lay_out(const Documents& documents) {
        Index at = 0;
        for (Index d = 0; d < documents.count; ++d) {
            weights_at_[d] = at;
            at += attention_.weights(documents.length(d));
        }
    }

    struct LayerRows {
        float *h1, *qkv, *mixed, *h2, *hidden, *squares, *scales1, *scales2, *weights,
            *head_scales;
    };

    LayerRows layer(Index l) {
        const Index D = layout_.D, F = layout_.F, N = room_.positions;
        float* p = layers_.data() + l * (N * per_position_ + room_.weights);
        const auto take = [&p](Index n) { return p += n, p - n; };
        LayerRows rows{};
        rows.h1 = take(N * D);
        rows.qkv = take(N * 3 * D);
        rows.mixed = take(N * D);
        rows.h2 = take(N * D);
        rows.hidden = take(N * F);
        rows.squares = layout_.shape.squared_relu ? take(N * F) : nullptr;
        rows.weights = take(room_.weights);
        rows.head_scales = take(N * heads_.scales());
        rows.scales1 = take(N);
        rows.scales2 = take(N);
        return rows;
    }

    // Rows that all layers share; x_in begins the first layer, x is what the blocks add to.
    float* x_in() { return shared_.data(); }
    float* x() { return shared_.data() + room_.positions * layout_.D; }
    float* d_h() { return shared_.data() + 2 * room_.positions * layout_.D; }
    float* d_middle() { return shared_.data() + 3 * room_.positions * layout_.D; }
    // The slopes of what leaves a layer and of what enters it take turns.
    float* d_x(Index layer) {
        return shared_.data() + (4 + (layer & 1)) * room_.positions * layout_.D;
    }
    float* d_qkv() { return shared_.data() + 6 * room_.positions * layout_.D; }
    float* d_hidden() { return shared_.data() + 9 * room_.positions * layout_.D; }
    float* logits() { return d_hidden() + room_.positions * layout_.F; }
    float* scales() { return logits() + room_.positions * layout_.V; }
    float* final_scales() { return scales() + room_.positions; }
    float* scratch(Index thread) { return scratch_.data() + thread * scratch_each_; }
    double* losses() { return losses_.data(); }
    Index weights_at(Index d) const { return weights_at_[d]; }

  private:
    const Layout& layout_;
    const Attention& attention_;
    const Heads& heads_;
    const Index least_scratch_;
    Buffer layers_, shared_, scratch_;
    Extent room_;
    Index per_position_ = 0, scratch_each_ = 0;
    Numbers<Index> weights_at_;
    Numbers<double> losses_;
};

}  // namespace microgpt::MICROGPT_BUILD
