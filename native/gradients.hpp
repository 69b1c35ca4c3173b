// The slopes of the parameters, each summed over all positions in order and, where that is all of
// the batch, used at once: Adam's update while it is in the first cache.
#pragma once

#include "operations.hpp"

namespace microgpt::MICROGPT_BUILD {

struct Buffers {
    float *parameters, *turned, *m, *v;
};

// Adam's numbers at one update, as src/microgpt/optim.py has them; `weight_decay` where there is.
struct Update {
    float beta1, beta2, rate, correction, eps, keep1, keep2, shrinks;

    Update(const Optimizer& adam, double lr, Index update, double weight_decay = 0.0)
        : beta1(static_cast<float>(adam.beta1)), beta2(static_cast<float>(adam.beta2)),
          rate(static_cast<float>(lr / (1.0 - std::pow(adam.beta1, update)))),
          correction(static_cast<float>(1.0 / (1.0 - std::pow(adam.beta2, update)))),
          eps(static_cast<float>(adam.eps)), keep1(static_cast<float>(1.0 - adam.beta1)),
          keep2(static_cast<float>(1.0 - adam.beta2)),
          shrinks(static_cast<float>(1.0 - lr * weight_decay)) {}

    // Bring all that an update of these reads into the first cache.
    void fetch_all(Index count, const Buffers& b, Index at) const {
        for (Index i = at; i < at + count; i += lanes) {
            fetch_to_write(b.parameters + i);
            fetch_to_write(b.m + i);
            fetch_to_write(b.v + i);
        }
    }

    void operator()(Index count, const float* slopes, const Buffers& b, Index at) const {
        float *parameters = b.parameters + at, *ms = b.m + at, *vs = b.v + at;
        for (Index i = 0; i < count; i += lanes) {
            const Vec g = load(slopes + i);
            const Vec m = load(ms + i) * beta1 + g * keep1;
            const Vec v = load(vs + i) * beta2 + g * keep2 * g;
            store(ms + i, m);
            store(vs + i, v);
            store(parameters + i,
                  load(parameters + i) * shrinks - m * rate / (root(v * correction) + eps));
        }
    }
};

// What becomes of slopes: added to those of earlier positions or not, and then used or kept.
struct Use {
    bool first = true, last = true;
    const Update* update = nullptr;  // none: keep them
    bool turns = true;               // keep up the forward pass's copy
};

// The slopes of `lanes` rows of a weight: d_weight[o, i] = sum over n of dy[n, o] x[n, i].
inline void weight_rows(const Weight& w, Index row, Index N, const float* dy_NO, const float* x_NI,
                        const Use& use, const Buffers& buffers, float* kept) {
    float passing[lanes * panel];
    // So many positions that rows and moments are in no near cache any more.
    const bool is_far = N >= 4 * long_sum;
    for (Index column = 0; column < w.columns; column += panel) {
        const Index width = panel_width(column, w.columns);
        const Index at = w.at + in_panels(row, column, w.rows, w.columns);
        float* slopes = use.first && use.last && use.update ? passing : kept + at;
        const bool add = !use.first;
        if (is_far && use.last && use.update)
            use.update->fetch_all(lanes * width, buffers, at);
        if (width == panel && is_far)
            strip<panel_vectors, true>(lanes, dy_NO + row, 1, w.rows, x_NI + column, w.columns, N,
                                       slopes, width, add);
        else if (width == panel)
            strip<panel_vectors>(lanes, dy_NO + row, 1, w.rows, x_NI + column, w.columns, N,
                                 slopes, width, add);
        else
            strip<1>(lanes, dy_NO + row, 1, w.rows, x_NI + column, w.columns, N, slopes, width,
                     add);
        if (use.last && use.update) (*use.update)(lanes * width, slopes, buffers, at);
    }
    if (use.last && use.update && use.turns) turn(w, row, buffers.parameters, buffers.turned);
}

// The slopes of rows [first, last) of an embedding: row_of(n) says which row position n has read.
template <class RowOf>
inline void embedding_rows(Index at, Index first, Index last, Index D, Index N, const float* dx_ND,
                           RowOf row_of, const Use& use, const Buffers& buffers, float* kept) {
    float* slopes = kept + at;
    if (use.first)
        for (Index i = first * D; i < last * D; i += lanes) store(slopes + i, Vec{});
    for (Index n = 0; n < N; ++n) {
        const Index row = row_of(n);
        if (row < first || row >= last) continue;
        for (Index i = 0; i < D; i += lanes)
            store(slopes + row * D + i, load(slopes + row * D + i) + load(dx_ND + n * D + i));
    }
    if (use.last && use.update)
        (*use.update)((last - first) * D, slopes + first * D, buffers, at + first * D);
}

}  // namespace microgpt::MICROGPT_BUILD
