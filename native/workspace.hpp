// What a batch leaves behind on its way through the model, for the way back: rows of positions.
#pragma once

#include "attention.hpp"
#include "buffer.hpp"

namespace microgpt::MICROGPT_BUILD {

// How much room a batch needs.
struct Extent {
    Index positions = 0, weights = 0, documents = 0;
};

class Workspace {
  public:
    explicit Workspace(const Layout& layout, const Attention& attention)
        : layout_(layout), attention_(attention) {}
    ~Workspace() {
        delete[] weights_at_;
        delete[] losses_;
    }
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    Extent extent(const Documents& documents) const {
        Extent e{documents.positions(), 0, documents.count};
        for (Index d = 0; d < documents.count; ++d)
            e.weights += attention_.weights(documents.length(d));
        return e;
    }

    // Make room for any batch of this extent; throws std::bad_alloc.
    void reserve(const Extent& e, Index threads) {
        const Index D = layout_.D, F = layout_.F, L = layout_.shape.n_layer, N = e.positions;
        if (N > positions_ || e.weights > weights_ || e.documents > documents_) {
            if (N > positions_) positions_ = N + N / 4;
            if (e.weights > weights_) weights_ = e.weights + e.weights / 4;
            if (e.documents > documents_) documents_ = e.documents + e.documents / 4;
            per_position_ = 6 * D + (layout_.shape.squared_relu ? 2 : 1) * F + 2;
            layers_.reserve(L * (positions_ * per_position_ + weights_));
            shared_.reserve(positions_ * (10 * D + F + layout_.V + 1));
            delete[] weights_at_;
            weights_at_ = nullptr;
            weights_at_ = new Index[static_cast<std::size_t>(documents_) + 1];
            delete[] losses_;
            losses_ = nullptr;
            losses_ = new double[static_cast<std::size_t>(positions_)];
        }
        scratch_each_ = round_up(attention_.scratch(layout_.shape.block_size), 64);
        scratch_.reserve(threads * scratch_each_);
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
        float *h1, *qkv, *mixed, *h2, *hidden, *squares, *scales1, *scales2, *weights;
    };

    LayerRows layer(Index l) {
        const Index D = layout_.D, F = layout_.F, N = positions_;
        float* p = layers_.data() + l * (N * per_position_ + weights_);
        const auto take = [&p](Index n) { return p += n, p - n; };
        LayerRows rows{};
        rows.h1 = take(N * D);
        rows.qkv = take(N * 3 * D);
        rows.mixed = take(N * D);
        rows.h2 = take(N * D);
        rows.hidden = take(N * F);
        rows.squares = layout_.shape.squared_relu ? take(N * F) : nullptr;
        rows.weights = take(weights_);
        rows.scales1 = take(N);
        rows.scales2 = take(N);
        return rows;
    }

    // Rows that all layers share; x_in begins the first layer, x is what the blocks add to.
    float* x_in() { return shared_.data(); }
    float* x() { return shared_.data() + positions_ * layout_.D; }
    float* d_h() { return shared_.data() + 2 * positions_ * layout_.D; }
    float* d_middle() { return shared_.data() + 3 * positions_ * layout_.D; }
    // The slopes of what leaves a layer and of what enters it take turns.
    float* d_x(Index layer) {
        return shared_.data() + (4 + (layer & 1)) * positions_ * layout_.D;
    }
    float* d_qkv() { return shared_.data() + 6 * positions_ * layout_.D; }
    float* d_hidden() { return shared_.data() + 9 * positions_ * layout_.D; }
    float* logits() { return d_hidden() + positions_ * layout_.F; }
    float* scales() { return logits() + positions_ * layout_.V; }
    float* scratch(Index thread) { return scratch_.data() + thread * scratch_each_; }
    double* losses() { return losses_; }
    Index weights_at(Index d) const { return weights_at_[d]; }

  private:
    const Layout& layout_;
    const Attention& attention_;
    Buffer layers_, shared_, scratch_;
    Index positions_ = 0, weights_ = 0, documents_ = 0, per_position_ = 0, scratch_each_ = 0;
    Index* weights_at_ = nullptr;
    double* losses_ = nullptr;
};

}  // namespace microgpt::MICROGPT_BUILD
