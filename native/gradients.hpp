// Gradients of the parameters. One thread sums each of them over all positions in order, so that
// the result does not depend on the number of threads. Where the sum covers the whole batch, Adam
// uses it at once, while it is in the first cache.
#pragma once

#include "operations.hpp"

namespace microgpt::MICROGPT_BUILD {

// Four buffers in the same layout: see layout.hpp.
struct Buffers {
    float *parameters, *transposed, *m, *v;
};

// Adam's coefficients at one update, computed as in src/microgpt/optim.py.
struct AdamUpdate {
    float beta1, beta2, rate, correction, eps, one_minus_beta1, one_minus_beta2, decay;

    AdamUpdate(const Optimizer& adam, double lr, Index update, double weight_decay = 0.0)
        : beta1(static_cast<float>(adam.beta1)), beta2(static_cast<float>(adam.beta2)),
          rate(static_cast<float>(lr / (1.0 - std::pow(adam.beta1, update)))),
          correction(static_cast<float>(1.0 / (1.0 - std::pow(adam.beta2, update)))),
          eps(static_cast<float>(adam.eps)), one_minus_beta1(static_cast<float>(1.0 - adam.beta1)),
          one_minus_beta2(static_cast<float>(1.0 - adam.beta2)),
          decay(static_cast<float>(1.0 - lr * weight_decay)) {}

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

// Gradients of rows [first, last) of an embedding; row_of(n) is the row that position n has read.
template <class RowOf>
inline void embedding_rows(Index at, Index first, Index last, Index D, Index N, const float* dx_ND,
                           RowOf row_of, const GradientUse& use, const Buffers& buffers,
                           float* d_parameters) {
    float* d_rows = d_parameters + at;
    if (use.is_first)
        for (Index i = first * D; i < last * D; i += lanes) store(d_rows + i, Vec{});
    for (Index n = 0; n < N; ++n) {
        const Index row = row_of(n);
        if (row < first || row >= last) continue;
        for (Index i = 0; i < D; i += lanes)
            store(d_rows + row * D + i, load(d_rows + row * D + i) + load(dx_ND + n * D + i));
    }
    if (use.updates())
        (*use.update)((last - first) * D, d_rows + first * D, buffers, at + first * D);
}

}  // namespace microgpt::MICROGPT_BUILD
