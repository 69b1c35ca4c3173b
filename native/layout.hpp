// Where the parameters lie: the table of src/microgpt/model in one buffer, each matrix padded with
// zeros to whole vectors and stored in panels. Padding stays zero because its gradients are zero.
#pragma once

#include "products.hpp"

namespace microgpt::MICROGPT_BUILD {

// The matrix of a linear layer, (out, in) = (rows, columns), both padded, at an offset in the
// buffer. Its panels are in the order in which the backward pass reads them; the forward pass reads
// a transposed copy, at the same offset in another buffer.
struct Weight {
    Index rows, columns, at;

    Index size() const { return rows * columns; }
    Index end() const { return at + size(); }
};

// One matrix of the table: some rows of a weight, because queries, keys and values share one
// weight. `out` and `in` are without padding.
struct TableMatrix {
    Weight weight;
    Index first, rows, out, in;
};

struct Layer {
    Weight qkv, wo, fc1, fc2;
};

class Layout {
  public:
    explicit Layout(const Shape& shape)
        : shape(shape), D(round_up(shape.n_embd, lanes)), F(round_up(4 * shape.n_embd, lanes)),
          V(round_up(shape.vocab_size, lanes)),
          wpe_rows(shape.rotary_base > 0 ? 0 : shape.block_size), wpe(shape.vocab_size * D),
          lm_head{V, D, wpe + wpe_rows * D} {}

    // Padded sizes; the rows of the position embedding, none with rotary positions, and its offset.
    // The token embedding is at offset 0.
    const Shape shape;
    const Index D, F, V, wpe_rows, wpe;
    const Weight lm_head;

    // Whether the head works in blocks of the vocabulary: see large_head.hpp. Of fewer rows all logits
    // of a position fit in the first cache.
    bool has_large_head() const { return V > 1024; }
    // How many logits of a position are kept.
    Index logits() const { return has_large_head() ? 0 : V; }

    Layer layer(Index i) const {
        const Index per_layer = 4 * D * D + 2 * F * D;
        const Weight qkv{3 * D, D, lm_head.end() + i * per_layer};
        const Weight wo{D, D, qkv.end()};
        const Weight fc1{F, D, wo.end()};
        return {qkv, wo, fc1, {D, F, fc1.end()}};
    }

    // How many matrices the layers have, and the i-th of them, the longest of all layers first.
    Index matrices() const { return 6 * shape.n_layer; }
    TableMatrix matrix(Index i) const {
        const Index width = shape.n_embd, rest = i - 2 * shape.n_layer;
        if (rest < 0) {
            const Layer w = layer(i / 2);
            if (i % 2 == 0) return {w.fc1, 0, F, 4 * width, width};
            return {w.fc2, 0, D, width, 4 * width};
        }
        const Layer w = layer(rest / 4);
        if (rest % 4 == 3) return {w.wo, 0, D, width, width};
        return {w.qkv, rest % 4 * D, D, width, width};
    }

    Index size() const { return layer(shape.n_layer).qkv.at; }

    // How many parameters the table has, without padding.
    Index table_size() const {
        const Index width = shape.n_embd;
        return (2 * shape.vocab_size + wpe_rows + 12 * shape.n_layer * width) * width;
    }

    // Call visit(index in the table, offset in the buffer) for every parameter, in the table's
    // order.
    template <class Visit>
    void each(Visit visit) const {
        const Index width = shape.n_embd;
        Index at = 0;
        for (Index row = 0; row < shape.vocab_size + wpe_rows; ++row)
            for (Index i = 0; i < width; ++i) visit(at++, row * D + i);
        const auto matrix = [&](const Weight& w, Index first_row, Index rows, Index columns) {
            for (Index o = 0; o < rows; ++o)
                for (Index i = 0; i < columns; ++i)
                    visit(at++, w.at + in_panels(first_row + o, i, w.rows, w.columns));
        };
        matrix(lm_head, 0, shape.vocab_size, width);
        for (Index l = 0; l < shape.n_layer; ++l) {
            const Layer w = layer(l);
            for (Index i = 0; i < 3; ++i) matrix(w.qkv, i * D, width, width);
            matrix(w.wo, 0, width, width);
            matrix(w.fc1, 0, 4 * width, width);
            matrix(w.fc2, 0, width, 4 * width);
        }
    }
};

// Write `lanes` rows of a weight, from `row` on, into the transposed copy.
inline void write_transposed(const Weight& w, Index row, const float* parameters,
                             float* transposed) {
    const Index to_row = panel_width(row, w.rows);
    for (Index column = 0; column < w.columns; column += lanes)
        transpose_square(parameters + w.at + in_panels(row, column, w.rows, w.columns),
                         panel_width(column, w.columns),
                         transposed + w.at + in_panels(column, row, w.columns, w.rows), to_row);
}

// Write the transposed copy of all weights, or of all but lm_head.
inline void write_transposed(const Layout& layout, const float* parameters, float* transposed,
                             bool with_head) {
    const auto all = [&](const Weight& w) {
        for (Index row = 0; row < w.rows; row += lanes)
            write_transposed(w, row, parameters, transposed);
    };
    if (with_head) all(layout.lm_head);
    for (Index l = 0; l < layout.shape.n_layer; ++l) {
        const Layer w = layout.layer(l);
        all(w.qkv), all(w.wo), all(w.fc1), all(w.fc2);
    }
}

}  // namespace microgpt::MICROGPT_BUILD
