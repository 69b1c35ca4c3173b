// Gradients of the parameters. One thread sums each of them over all positions in order, so that
// the result does not depend on the number of threads. Where the sum covers the whole batch, Adam
// uses it at once, while it is in the first cache.
#pragma once

#include "operations.hpp"
#include "token_order.hpp"

namespace microgpt::MICROGPT_BUILD {

// Four buffers in the same layout: see layout.hpp.
struct Buffers {
    float *parameters, *transposed, *m, *v;
};

// Adam's coefficients at one update, computed as in src/microgpt/optim.py.
struct AdamUpdate {
    float beta1, beta2, rate, correction, eps, one_minus_beta1, one_minus_beta2, decay = 1.0f;

    AdamUpdate(const Optimizer& adam, double lr, Index update)
        : beta1(static_cast<float>(adam.beta1)), beta2(static_cast<float>(adam.beta2)),
          rate(static_cast<float>(lr / (1.0 - std::pow(adam.beta1, update)))),
          correction(static_cast<float>(1.0 / (1.0 - std::pow(adam.beta2, update)))),
          eps(static_cast<float>(adam.eps)), one_minus_beta1(static_cast<float>(1.0 - adam.beta1)),
          one_minus_beta2(static_cast<float>(1.0 - adam.beta2)) {}

    // The same, and weight decay: this share of each parameter is taken away.
    AdamUpdate with_decay(double share) const {
        AdamUpdate update = *this;
        update.decay = static_cast<float>(1.0 - share);
        return update;
    }

    // Prefetch what the update of `count` parameters reads and writes.
    void prefetch_all(Index count, const Buffers& b, Index at) const {
        for (Index i = at; i < at + count; i += lanes) {
            prefetch_for_write(b.parameters + i);
            prefetch_for_write(b.m + i);
            prefetch_for_write(b.v + i);
        }
    }

    // Update `count` parameters and their moments, from offset `at` on. The coefficients are vectors
    // of their own: those in memory would be read again for each vector, as the moments are written.
    void operator()(Index count, const float* gradients, const Buffers& b, Index at) const {
        const Vec keep1 = splat(beta1), keep2 = splat(beta2), new1 = splat(one_minus_beta1),
                  new2 = splat(one_minus_beta2), step = splat(rate), kept = splat(decay),
                  corrected = splat(correction), least = splat(eps);
        float *parameters = b.parameters + at, *ms = b.m + at, *vs = b.v + at;
        for (Index i = 0; i < count; i += lanes) {
            const Vec g = load(gradients + i);
            const Vec m = load(ms + i) * keep1 + g * new1;
            const Vec v = load(vs + i) * keep2 + g * new2 * g;
            store(ms + i, m);
            store(vs + i, v);
            store(parameters + i, load(parameters + i) * kept -
                                      m * step / (square_root(v * corrected) + least));
        }
    }
};

// What to do with the gradients of a piece of a batch. They are added to those of earlier pieces,
// unless the piece is the first. After the last piece they are used for an update, if there is one;
// without it they stay in the gradient buffer.
struct GradientUse {
    bool is_first = true, is_last = true;
    const AdamUpdate* update = nullptr;
    bool writes_transposed = true;  // whether the update also renews the transposed copy

    bool updates() const { return is_last && update; }
};

// Gradients of `lanes` rows of a weight: d_weight[o, i] = sum over n of dy[n, o] x[n, i].
inline void weight_rows(const Weight& w, Index row, Index N, const float* dy_NO, const float* x_NI,
                        const GradientUse& use, const Buffers& buffers, float* d_parameters) {
    // A gradient that is used at once never reaches the gradient buffer.
    float d_panel[lanes * panel];
    // A sum over so many positions has driven parameters and moments out of the near caches.
    const bool is_cold = N >= 4 * long_sum;
    for (Index column = 0; column < w.columns; column += panel) {
        const Index width = panel_width(column, w.columns);
        const Index at = w.at + in_panels(row, column, w.rows, w.columns);
        float* d_weight = use.is_first && use.updates() ? d_panel : d_parameters + at;
        const bool add = !use.is_first;
        if (is_cold && use.updates()) use.update->prefetch_all(lanes * width, buffers, at);
        if (width == panel && is_cold)
            strip<panel_vectors, true>(lanes, dy_NO + row, 1, w.rows, x_NI + column, w.columns, N,
                                       d_weight, width, add);
        else if (width == panel)
            strip<panel_vectors>(lanes, dy_NO + row, 1, w.rows, x_NI + column, w.columns, N,
                                 d_weight, width, add);
        else
            strip<1>(lanes, dy_NO + row, 1, w.rows, x_NI + column, w.columns, N, d_weight, width,
                     add);
        if (use.updates()) (*use.update)(lanes * width, d_weight, buffers, at);
    }
    if (use.updates() && use.writes_transposed)
        write_transposed(w, row, buffers.parameters, buffers.transposed);
}

// Gradients of rows [first, last) of the token embedding: of each row over its positions, in order.
inline void token_rows(const TokenOrder& order, Index first, Index last, Index D,
                       const float* dx_ND, const GradientUse& use, const Buffers& buffers,
                       float* d_parameters) {
    for (Index row = first; row < last; ++row)
        for (Index i = 0; i < D; i += lanes) {
            float* d_row = d_parameters + row * D + i;
            Vec total = use.is_first ? Vec{} : load(d_row);
            for (const Index* n = order.begin(row); n < order.end(row); ++n)
                total += load(dx_ND + *n * D + i);
            store(d_row, total);
        }
    if (use.updates())
        (*use.update)((last - first) * D, d_parameters + first * D, buffers, first * D);
}

// Gradients of the position embedding, at offset `at`: row t is read by position t of each document.
inline void position_rows(const Documents& batch, Index at, Index rows, Index D,
                          const float* dx_ND, const GradientUse& use, const Buffers& buffers,
                          float* d_parameters) {
    float* d_rows = d_parameters + at;
    if (use.is_first)
        for (Index i = 0; i < rows * D; i += lanes) store(d_rows + i, Vec{});
    for (Index d = 0; d < batch.count; ++d) {
        const float* dx = dx_ND + (batch.offsets[d] - batch.offsets[0]) * D;
        for (Index i = 0; i < batch.length(d) * D; i += lanes)
            store(d_rows + i, load(d_rows + i) + load(dx + i));
    }
    if (use.updates()) (*use.update)(rows * D, d_rows, buffers, at);
}

}  // namespace microgpt::MICROGPT_BUILD
