// Attention head by head, for long documents and any width of a head. Included by attention.hpp.
#pragma once

#include "attention.hpp"

namespace microgpt::MICROGPT_BUILD {

// Call f(first, M) for the rows below T, as many at a time as fill a tile.
template <class F>
inline void row_tiles(Index T, F f) {
    for (Index first = 0; first < T; first += tile_rows)
        f(first, T - first < tile_rows ? T - first : tile_rows);
}

// columns (K x S) = the transpose of one head's rows, S = T rounded up, zero where there is none.
inline void Attention::gather(Index T, const float* rows, float* columns) const {
    const Index S = round_up(T, lanes);
    for (Index k = 0; k < K; ++k) {
        float* column = columns + k * S;
        for (Index t = 0; t < T; ++t) column[t] = rows[t * 3 * D + k];
        for (Index t = T; t < S; ++t) column[t] = 0.0f;
    }
}

// C (M x K) = A (M x S) B (S x K) of head h, by way of scratch where a head is no whole number of
// vectors: what lies beside it belongs to its neighbour. The last heads take in a neighbour before
// them: beyond the row another thread may be writing.
inline void Attention::product(Index h, Index M, Index S, const float* a, Index a_row,
                               Index a_step, const float* b, Index b_row, float* scratch,
                               float* c, Index c_row) const {
    const Index wide = round_up(K, lanes);
    if (wide == K) {
        multiply_rows(M, S, K, a, a_row, a_step, b, b_row, c, c_row);
        return;
    }
    const Index beyond = h * K + wide > D ? h * K + wide - D : 0;
    multiply_rows(M, S, wide, a, a_row, a_step, b - beyond, b_row, scratch, wide);
    for (Index m = 0; m < M; ++m)
        for (Index k = 0; k < K; ++k) c[m * c_row + k] = scratch[m * wide + beyond + k];
}

[[gnu::noinline]]
inline void Attention::forward_head(Index h, Index T, const float* qkv, float* weights,
                                    float* scratch, float* out) const {
    const Index S = round_up(T, lanes), row = 3 * D;
    float* keys_KS = scratch;
    float* rest = scratch + K * S;
    gather(T, qkv + D, keys_KS);
    row_tiles(T, [&](Index first, Index M) {
        const Index seen = first + M, wide = round_up(seen, lanes);
        float* tile_MS = weights + first * S;
        multiply_rows(M, K, wide, qkv + first * row, row, 1, keys_KS, S, tile_MS, S);
        for (Index t = first; t < seen; ++t) {
            float* w = weights + t * S;
            // Nothing of what comes after t.
            for (Index s = t + 1; s < wide; ++s) w[s] = -HUGE_VALF;
            Vec tops = splat(-HUGE_VALF), totals{};
            for (Index s = 0; s < wide; s += lanes) tops = larger(load(w + s), tops);
            const float top = largest(tops);
            for (Index s = 0; s < wide; s += lanes) {
                const Vec e = exp((load(w + s) - top) * scale);
                store(w + s, e);
                totals += e;
            }
            const float share = 1.0f / sum(totals);
            for (Index s = 0; s < wide; s += lanes) store(w + s, load(w + s) * share);
        }
        product(h, M, seen, tile_MS, S, 1, qkv + 2 * D, row, rest, out + first * D, D);
    });
}

[[gnu::noinline]]
inline void Attention::backward_head(Index h, Index T, const float* qkv,
                                     const float* weights, const float* d_out, float* scratch,
                                     float* d_qkv) const {
    const Index S = round_up(T, lanes), row = 3 * D;
    float* values_KS = scratch;
    float* d_scores = values_KS + K * S;
    float* rest = d_scores + T * S;
    gather(T, qkv + 2 * D, values_KS);
    row_tiles(T, [&](Index first, Index M) {
        const Index seen = first + M, wide = round_up(seen, lanes);
        float* tile_MS = d_scores + first * S;
        multiply_rows(M, K, wide, d_out + first * D, D, 1, values_KS, S, tile_MS, S);
        for (Index t = first; t < seen; ++t) {
            const float* w = weights + t * S;
            float* d = d_scores + t * S;
            Vec products{};
            for (Index s = 0; s < wide; s += lanes) products += load(w + s) * load(d + s);
            const float mean = sum(products);
            for (Index s = 0; s < wide; s += lanes)
                store(d + s, load(w + s) * (load(d + s) - mean) * scale);
        }
        product(h, M, seen, tile_MS, S, 1, qkv + D, row, rest, d_qkv + first * row, row);
    });
    row_tiles(T, [&](Index first, Index M) {
        // Positions from `first` on have seen these.
        const Index from = first * S + first;
        product(h, M, T - first, d_scores + from, 1, S, qkv + first * row, row, rest,
                d_qkv + D + first * row, row);
        product(h, M, T - first, weights + from, 1, S, d_out + first * D, D, rest,
                d_qkv + 2 * D + first * row, row);
    });
}

inline void Attention::one_head(Index S, const float* q, const float* keys, const float* values,
                                Index row, float* weights, float* out) const {
    const Index whole = K / lanes * lanes;
    float top = -HUGE_VALF, total = 0.0f;
    for (Index s = 0; s < S; ++s) {
        const float* key = keys + s * row;
        Vec products{};
        for (Index k = 0; k < whole; k += lanes) products += load(q + k) * load(key + k);
        float score = sum(products);
        for (Index k = whole; k < K; ++k) score += q[k] * key[k];
        weights[s] = score;
        top = score > top ? score : top;
    }
    for (Index s = 0; s < S; s += lanes) store(weights + s, exp((load(weights + s) - top) * scale));
    for (Index s = 0; s < S; ++s) total += weights[s];
    for (Index k = 0; k < K; ++k) out[k] = 0.0f;
    for (Index s = 0; s < S; ++s) {
        const float weight = weights[s] / total;
        for (Index k = 0; k < K; ++k) out[k] += weight * values[s * row + k];
    }
}

}  // namespace microgpt::MICROGPT_BUILD
