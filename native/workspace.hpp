// The activations of a batch that the backward pass reads, and its gradients: rows of positions.
// README.md in this folder lists the buffers.
#pragma once

#include "attention.hpp"
#include "query_key.hpp"
#include "token_order.hpp"

namespace microgpt::MICROGPT_BUILD {

// The sizes of a batch on which the size of the workspace depends.
struct Extent {
    Index positions = 0, probabilities = 0, documents = 0, longest = 0;

    // Become large enough for either.
    void cover(const Extent& other) {
        if (other.positions > positions) positions = other.positions;
        if (other.probabilities > probabilities) probabilities = other.probabilities;
        if (other.documents > documents) documents = other.documents;
        if (other.longest > longest) longest = other.longest;
    }
};

class Workspace {
  public:
    // Every thread gets scratch for attention, of at least `scratch` floats.
    Workspace(const Layout& layout, const Attention& attention, const QueryKey& query_key,
              Index scratch)
        : layout_(layout), attention_(attention), query_key_(query_key), least_scratch_(scratch),
          token_order_(layout.shape.vocab_size) {}
    Workspace(const Workspace&) = delete;
    Workspace& operator=(const Workspace&) = delete;

    Extent extent(const Documents& documents) const {
        Extent e{documents.positions(), 0, documents.count, 0};
        for (Index d = 0; d < documents.count; ++d) {
            const Index T = documents.first(d) + documents.length(d);
            e.probabilities += attention_.probabilities(T, documents.first(d));
            if (T > e.longest) e.longest = T;
        }
        return e;
    }

    // Make room for any batch of this extent; throws std::bad_alloc, and then changes nothing.
    void reserve(const Extent& e, Index threads) {
        Extent grown = capacity_;
        // A quarter more than is needed, so that slightly larger batches do not reallocate.
        const auto grow = [](Index& has, Index needs) {
            if (needs > has) has = needs + needs / 4;
        };
        grow(grown.positions, e.positions);
        grow(grown.probabilities, e.probabilities);
        grow(grown.documents, e.documents);
        if (e.longest > grown.longest) grown.longest = e.longest;

        const Index D = layout_.D, F = layout_.F, L = layout_.shape.n_layer, N = grown.positions;
        per_position_ = 6 * D + (layout_.shape.squared_relu ? 2 : 1) * F + 2 + query_key_.scales();
        const Index attention = round_up(attention_.scratch(grown.longest), lanes);
        Index scratch = attention + grown.longest * 3 * D;
        scratch = round_up(scratch > least_scratch_ ? scratch : least_scratch_, 64);
        layers_.reserve(L * (N * per_position_ + grown.probabilities));
        shared_.reserve(N * (10 * D + F + layout_.logits() + 2));
        scratch_.reserve(threads * scratch);
        probabilities_at_.reserve(grown.documents);
        losses_.reserve(N);
        token_order_.reserve(N);
        capacity_ = grown;
        scratch_each_ = scratch;
        whole_at_ = attention;
    }

    // Set where each document's attention probabilities lie.
    void lay_out(const Documents& documents) {
        Index at = 0;
        for (Index d = 0; d < documents.count; ++d) {
            probabilities_at_[d] = at;
            const Index start = documents.first(d);
            at += attention_.probabilities(start + documents.length(d), start);
        }
    }

    struct LayerRows {
        float *h1, *qkv, *attended, *h2, *hidden, *squared, *scales1, *scales2, *probabilities,
            *qk_scales;
    };

    LayerRows layer(Index l) {
        const Index D = layout_.D, F = layout_.F, N = capacity_.positions;
        float* p = layers_.data() + l * (N * per_position_ + capacity_.probabilities);
        const auto take = [&p](Index n) { return p += n, p - n; };
        LayerRows rows{};
        rows.h1 = take(N * D);
        rows.qkv = take(N * 3 * D);
        rows.attended = take(N * D);
        rows.h2 = take(N * D);
        rows.hidden = take(N * F);
        rows.squared = layout_.shape.squared_relu ? take(N * F) : nullptr;
        rows.probabilities = take(capacity_.probabilities);
        rows.qk_scales = take(N * query_key_.scales());
        rows.scales1 = take(N);
        rows.scales2 = take(N);
        return rows;
    }

    // Rows that all layers share. x is the residual stream; x_in is x as it enters the first layer.
    float* x_in() { return shared_.data(); }
    float* x() { return shared_.data() + capacity_.positions * layout_.D; }
    float* d_h() { return shared_.data() + 2 * capacity_.positions * layout_.D; }
    float* d_middle() { return shared_.data() + 3 * capacity_.positions * layout_.D; }
    // The gradient of the residual stream as it enters a layer. There are two buffers: even layers
    // have one, odd layers the other, so that a layer reads one and writes the other.
    float* d_x(Index layer) {
        return shared_.data() + (4 + (layer & 1)) * capacity_.positions * layout_.D;
    }
    float* d_qkv() { return shared_.data() + 6 * capacity_.positions * layout_.D; }
    float* d_hidden() { return shared_.data() + 9 * capacity_.positions * layout_.D; }
    float* logits() { return d_hidden() + capacity_.positions * layout_.F; }
    float* scales() { return logits() + capacity_.positions * layout_.logits(); }
    float* final_scales() { return scales() + capacity_.positions; }
    float* scratch(Index thread) { return scratch_.data() + thread * scratch_each_; }
    // A layer's `qkv` of one whole document.
    float* whole(Index thread) { return scratch(thread) + whole_at_; }
    double* losses() { return losses_.data(); }
    TokenOrder& token_order() { return token_order_; }
    Index probabilities_at(Index d) const { return probabilities_at_[d]; }

  private:
    const Layout& layout_;
    const Attention& attention_;
    const QueryKey& query_key_;
    const Index least_scratch_;
    Buffer layers_, shared_, scratch_;
    Extent capacity_;
    Index per_position_ = 0, scratch_each_ = 0, whole_at_ = 0;
    Array<Index> probabilities_at_;
    Array<double> losses_;
    TokenOrder token_order_;
};

}  // namespace microgpt::MICROGPT_BUILD
