// Attention of short documents with narrow heads: position by position, all heads of a vector at
// once. Included by attention.hpp.
#pragma once

#include "attention.hpp"

namespace microgpt::MICROGPT_BUILD {

// Call f(j) for the first `count` positions of a group of K, with j as a compile-time constant.
template <int K, class F>
[[gnu::always_inline]]
inline void each_of_group(Index count, F f) {
    [&]<int... J>(std::integer_sequence<int, J...>) {
        ((J < count ? f(std::integral_constant<int, J>{}) : void()), ...);
    }(std::make_integer_sequence<int, K>{});
}

// For each head the sums over its lanes of x times the rows of a group of positions, in the group's
// lanes; 0 for positions that the group does not have.
template <int K>
inline Vec head_products(Vec x, const float* rows, Index row, Index count) {
    Vec products[K] = {};
    each_of_group<K>(count, [&](auto j) { products[j] = x * load(rows + j * row); });
    return group_sums<K>(products);
}

// probabilities (groups of positions x D), the last group's end filled with zeros.
template <int K_>
inline void Attention::one_short(Index S, const float* q, const float* keys, const float* values,
                                 Index row, float* probabilities, float* out) const {
    Ints in_group{};
    for (int lane = 0; lane < lanes; ++lane) in_group[lane] = lane % K_;
    const Vec none = splat(-HUGE_VALF);
    for (Index i = 0; i < D; i += lanes) {
        const Vec query = load(q + i) * scale;
        Vec top = none, total{}, attended{};
        float* p = probabilities + i;
        for (Index s = 0; s < S; s += K_, p += D) {
            Vec score = head_products<K_>(query, keys + s * row + i, row, S - s);
            if (S - s < K_) score = in_group < static_cast<std::int32_t>(S - s) ? score : none;
            store(p, score);
            top = maximum(score, top);
        }
        top = group_maximum<K_>(top);
        p = probabilities + i;
        for (Index s = 0; s < S; s += K_, p += D) {
            const Vec e = exp(load(p) - top);
            store(p, e);
            total += e;
        }
        const Vec inverse_total = 1.0f / group_sum<K_>(total);
        p = probabilities + i;
        for (Index s = 0; s < S; s += K_, p += D) {
            const Vec probability = load(p) * inverse_total;
            store(p, probability);
            each_of_group<K_>(S - s, [&](auto j) {
                attended += repeat<K_, j>(probability) * load(values + (s + j) * row + i);
            });
        }
        store(out + i, attended);
    }
}

template <int K_>
inline void Attention::forward_short(Index T, Index start, const float* qkv, float* probabilities,
                                     float* out) const {
    for (Index t = start; t < T; ++t) {
        one_short<K_>(t + 1, qkv + t * 3 * D, qkv + D, qkv + 2 * D, 3 * D, probabilities,
                      out + (t - start) * D);
        probabilities += (t / K_ + 1) * D;
    }
}

template <int K_>
inline void Attention::backward_short(Index T, const float* qkv, const float* probabilities,
                                      const float* d_out, float* scratch, float* d_qkv) const {
    const Index row = 3 * D;
    for (Index i = 0; i < D; i += lanes) {
        const float *q = qkv + i, *k = q + D, *v = k + D, *p = probabilities + i;
        float *d_q = d_qkv + i, *d_k = d_q + D, *d_v = d_k + D;
        // Add to the row of position s; query t is the first that reads row t.
        const auto add = [row](float* rows, Index s, Index t, Vec x) {
            store(rows + s * row, s < t ? load(rows + s * row) + x : x);
        };
        for (Index t = 0; t < T; p += (t / K_ + 1) * D, ++t) {
            const Vec query = load(q + t * row) * scale, d_attended = load(d_out + t * D + i);
            Vec mean{}, d_query{};
            for (Index s = 0, g = 0; s <= t; s += K_, ++g) {
                const Vec probability = load(p + g * D);
                const Vec d_probability = head_products<K_>(d_attended, v + s * row, row, t + 1 - s);
                store(scratch + g * lanes, d_probability);
                mean += probability * d_probability;
                each_of_group<K_>(t + 1 - s, [&](auto j) {
                    add(d_v, s + j, t, repeat<K_, j>(probability) * d_attended);
                });
            }
            mean = group_sum<K_>(mean);
            for (Index s = 0, g = 0; s <= t; s += K_, ++g) {
                const Vec d_score = load(p + g * D) * (load(scratch + g * lanes) - mean);
                each_of_group<K_>(t + 1 - s, [&](auto j) {
                    const Vec d = repeat<K_, j>(d_score);
                    d_query += d * load(k + (s + j) * row);
                    add(d_k, s + j, t, d * query);
                });
            }
            store(d_q + t * row, d_query * scale);
        }
    }
}

}  // namespace microgpt::MICROGPT_BUILD
