// Attention head by head, for long documents and heads of any width. Included by attention.hpp.
#pragma once

#include "attention.hpp"

namespace microgpt::MICROGPT_BUILD {

// Call f(first, M) for the rows from `start` to T, as many at a time as a tile has.
template <class F>
inline void row_tiles(Index start, Index T, F f) {
    for (Index first = start; first < T; first += tile_rows)
        f(first, T - first < tile_rows ? T - first : tile_rows);
}

// columns (K x S) = one head's rows transposed, padded with zeros to S = T rounded up.
inline void Attention::gather(Index T, const float* rows, float* columns) const {
    const Index S = round_up(T, lanes);
    if (K % lanes == 0) {
        for (Index t = 0; t < S; t += lanes)
            for (Index k = 0; k < K; k += lanes) {
                Vec square[lanes];
                for (Index i = 0; i < lanes; ++i)
                    square[i] = t + i < T ? load(rows + (t + i) * 3 * D + k) : Vec{};
                exchange_rows(square);
                for (Index i = 0; i < lanes; ++i) store(columns + (k + i) * S + t, square[i]);
            }
        return;
    }
    for (Index k = 0; k < K; ++k) {
        float* column = columns + k * S;
        for (Index t = 0; t < T; ++t) column[t] = rows[t * 3 * D + k];
        for (Index t = T; t < S; ++t) column[t] = 0.0f;
    }
}

// C (M x K) = A (M x S) B (S x K) of head h. Where a head is no whole number of vectors, the
// product goes to scratch first, because the columns beside a head's belong to its neighbour. For
// the last heads, vectors begin in the neighbour before: another thread may be writing beyond the
// row.
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
inline void Attention::forward_head(Index h, Index T, Index start, const float* qkv,
                                    float* probabilities, float* scratch, float* out) const {
    const Index S = round_up(T, lanes), row = 3 * D;
    float* keys_KS = scratch;
    float* rest = scratch + K * S;
    gather(T, qkv + D, keys_KS);
    row_tiles(start, T, [&](Index first, Index M) {
        const Index end = first + M, wide = round_up(end, lanes);
        float* tile_MS = probabilities + (first - start) * S;
        multiply_rows(M, K, wide, qkv + first * row, row, 1, keys_KS, S, tile_MS, S);
        for (Index t = first; t < end; ++t) {
            float* p = tile_MS + (t - first) * S;
            // Causality: no probability for positions after t.
            for (Index s = t + 1; s < wide; ++s) p[s] = -HUGE_VALF;
            Vec tops = splat(-HUGE_VALF), totals{};
            for (Index s = 0; s < wide; s += lanes) tops = maximum(load(p + s), tops);
            const float top = maximum_lane(tops);
            for (Index s = 0; s < wide; s += lanes) {
                const Vec e = exp((load(p + s) - top) * scale);
                store(p + s, e);
                totals += e;
            }
            const float inverse_total = 1.0f / sum(totals);
            for (Index s = 0; s < wide; s += lanes) store(p + s, load(p + s) * inverse_total);
        }
        product(h, M, end, tile_MS, S, 1, qkv + 2 * D, row, rest,
                out + (first - start) * D, D);
    });
}

[[gnu::noinline]]
inline void Attention::backward_head(Index h, Index T, const float* qkv,
                                     const float* probabilities, const float* d_out, float* scratch,
                                     float* d_qkv) const {
    const Index S = round_up(T, lanes), row = 3 * D;
    float* values_KS = scratch;
    float* d_scores = values_KS + K * S;
    float* rest = d_scores + T * S;
    gather(T, qkv + 2 * D, values_KS);
    row_tiles(0, T, [&](Index first, Index M) {
        const Index end = first + M, wide = round_up(end, lanes);
        float* tile_MS = d_scores + first * S;
        multiply_rows(M, K, wide, d_out + first * D, D, 1, values_KS, S, tile_MS, S);
        for (Index t = first; t < end; ++t) {
            const float* p = probabilities + t * S;
            float* d = d_scores + t * S;
            Vec products{};
            for (Index s = 0; s < wide; s += lanes) products += load(p + s) * load(d + s);
            const float mean = sum(products);
            for (Index s = 0; s < wide; s += lanes)
                store(d + s, load(p + s) * (load(d + s) - mean) * scale);
        }
        product(h, M, end, tile_MS, S, 1, qkv + D, row, rest, d_qkv + first * row, row);
    });
    row_tiles(0, T, [&](Index first, Index M) {
        // These keys and values were read by the queries from position `first` on.
        const Index from = first * S + first;
        product(h, M, T - first, d_scores + from, 1, S, qkv + first * row, row, rest,
                d_qkv + D + first * row, row);
        product(h, M, T - first, probabilities + from, 1, S, d_out + first * D, D, rest,
                d_qkv + 2 * D + first * row, row);
    });
}

inline void Attention::one_head(Index S, const float* q, const float* keys, const float* values,
                                Index row, float* probabilities, float* out) const {
    const Index whole = K / lanes * lanes;
    float top = -HUGE_VALF, total = 0.0f;
    for (Index s = 0; s < S; ++s) {
        const float* key = keys + s * row;
        Vec products{};
        for (Index k = 0; k < whole; k += lanes) products += load(q + k) * load(key + k);
        float score = sum(products);
        for (Index k = whole; k < K; ++k) score += q[k] * key[k];
        probabilities[s] = score;
        top = score > top ? score : top;
    }
    for (Index s = 0; s < S; s += lanes)
        store(probabilities + s, exp((load(probabilities + s) - top) * scale));
    for (Index s = 0; s < S; ++s) total += probabilities[s];
    for (Index k = 0; k < K; ++k) out[k] = 0.0f;
    for (Index s = 0; s < S; ++s) {
        const float probability = probabilities[s] / total;
        for (Index k = 0; k < K; ++k) out[k] += probability * values[s * row + k];
    }
}

}  // namespace microgpt::MICROGPT_BUILD
