// Gradients of the parameters: sums over positions in an order that does not depend on the number of
// threads. Where a sum covers the whole batch, Adam uses it at once, while it is in the first cache.
#pragma once

#include <span>

#include "chunks.hpp"
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

    // Make several updates of a vector whose gradients are zero, to the bits of one after the other.
    // Moments that are zero stay so, and then the parameters stay what they are.
    static void without_gradients(const AdamUpdate* updates, Index count, const Buffers& b,
                                  Index at) noexcept {
        Vec m = load(b.m + at), v = load(b.v + at), parameters = load(b.parameters + at);
        if (is_zero(m) && is_zero(v)) return;
        const Vec g{};
        for (const AdamUpdate& u : std::span(updates, static_cast<std::size_t>(count))) {
            m = m * u.beta1 + g * u.one_minus_beta1;
            v = v * u.beta2 + g * u.one_minus_beta2 * g;
            parameters = parameters * u.decay -
                         m * u.rate / (square_root(v * u.correction) + u.eps);
        }
        store(b.m + at, m);
        store(b.v + at, v);
        store(b.parameters + at, parameters);
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
    // Whether other threads have written what is read here: it is prefetched then.
    bool is_shared = false;

    bool updates() const { return is_last && update; }
};

// Use gradients of parameters from offset `at` on, or add them to those of earlier pieces.
[[gnu::always_inline]]
inline void use_gradients(const float* gradients, Index count, Index at, const GradientUse& use,
                          const Buffers& buffers, float* d_parameters) {
    if (use.is_first && use.updates()) return (*use.update)(count, gradients, buffers, at);
    for (Index i = 0; i < count; i += lanes) {
        float* d = d_parameters + at + i;
        store(d, use.is_first ? load(gradients + i) : load(d) + load(gradients + i));
    }
    if (use.updates()) (*use.update)(count, d_parameters + at, buffers, at);
}

// `lanes` rows of a weight, whose gradients are sums over positions: d_weight[o, i] = sum over n of
// dy[n, o] x[n, i].
struct WeightRows {
    const Weight& weight;
    Index row;
    const float *dy_NO, *x_NI;

    // Call f(column, width, offset of these rows in the buffers) for each panel.
    template <class F>
    void each_panel(F f) const {
        for (Index column = 0; column < weight.columns; column += panel)
            f(column, panel_width(column, weight.columns),
              weight.at + in_panels(row, column, weight.rows, weight.columns));
    }

    // The sums of a panel over N positions from n on, or what is there and these. `is_far`: they are
    // in no near cache. Prefetching costs more than it brings where a tile has only four rows.
    [[gnu::always_inline]]
    void sums(Index n, Index N, Index column, Index width, bool is_far, float* to,
              bool adds = false) const {
        const float* dy = dy_NO + n * weight.rows + row;
        const float* x = x_NI + n * weight.columns + column;
        if (width < panel)
            strip<1>(lanes, dy, 1, weight.rows, x, weight.columns, N, to, width, adds);
        else if (is_far && tile_rows > 4)
            strip<panel_vectors, true>(lanes, dy, 1, weight.rows, x, weight.columns, N, to, width,
                                       adds);
        else
            strip<panel_vectors>(lanes, dy, 1, weight.rows, x, weight.columns, N, to, width, adds);
    }

    // The sums of a panel over some of the chunks, a power of two, from `first` on.
    [[gnu::noinline]]
    void sums(const Chunks& chunks, Index first, Index parts, Index column, Index width,
              bool is_far, float* to) const {
        float spare[Chunks::halvings * lanes * panel];
        // Those that a near cache cannot hold are far, too.
        is_far |= chunks.position(first + parts) - chunks.position(first) >= 4 * long_sum;
        in_pairs(first, parts, lanes * width, to, spare, [&](Index chunk, float* d, bool adds) {
            sums(chunks.position(chunk), chunks.length(chunk), column, width, is_far, d, adds);
        });
    }

    // Sum over all chunks, and use the gradients.
    [[gnu::noinline]]
    void all(const Chunks& chunks, const GradientUse& use, const Buffers& buffers,
             float* d_parameters) const {
        // A gradient that is used at once never reaches the gradient buffer.
        float d_panel[lanes * panel];
        const Index N = chunks.position(chunks.count());
        // A sum over many positions drives parameters and moments out of the near caches.
        const bool is_far = use.is_shared || N >= 4 * long_sum;
        for (Index column = 0; column < weight.columns; column += panel) {
            const Index width = panel_width(column, weight.columns);
            const Index at = weight.at + in_panels(row, column, weight.rows, weight.columns);
            if (is_far && use.updates()) use.update->prefetch_all(lanes * width, buffers, at);
            if (chunks.count() == 1)
                sums(0, N, column, width, is_far, d_panel);
            else
                sums(chunks, 0, chunks.count(), column, width, use.is_shared, d_panel);
            use_gradients(d_panel, lanes * width, at, use, buffers, d_parameters);
        }
        renew_transposed(use, buffers);
    }

    // Sum over some chunks, into a buffer of the size of the model.
    [[gnu::noinline]]
    void some(const Chunks& chunks, Index first, Index parts, float* d_parameters) const {
        each_panel([&](Index column, Index width, Index at) {
            sums(chunks, first, parts, column, width, false, d_parameters + at);
        });
    }

    // Sum up such buffers, which lie one after the other, and use the gradients.
    [[gnu::noinline]]
    void added(const float* buffers_of_sums, Index size, Index parts, const GradientUse& use,
               const Buffers& buffers, float* d_parameters) const {
        each_panel([&](Index, Index width, Index at) {
            float d_panel[lanes * panel], spare[Chunks::halvings * lanes * panel];
            if (use.updates()) use.update->prefetch_all(lanes * width, buffers, at);
            in_pairs(0, parts, lanes * width, d_panel, spare, [&](Index i, float* to, bool adds) {
                const float* from = buffers_of_sums + i * size + at;
                for (Index k = 0; k < lanes * width; k += lanes)
                    store(to + k, adds ? load(to + k) + load(from + k) : load(from + k));
            });
            use_gradients(d_panel, lanes * width, at, use, buffers, d_parameters);
        });
        renew_transposed(use, buffers);
    }

  private:
    void renew_transposed(const GradientUse& use, const Buffers& buffers) const {
        if (use.updates() && use.writes_transposed)
            write_transposed(weight, row, buffers.parameters, buffers.transposed);
    }
};

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
