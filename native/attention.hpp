// Causal attention, forward and backward, one document at a time. Queries, keys and values lie side
// by side in rows of 3 D. Short documents with narrow heads are computed position by position for
// all heads at once: a head's K lanes have its scores of K positions. Others are computed head by
// head, in tiles of queries by keys: attention_narrow.hpp and attention_tiles.hpp. Of their
// probabilities only a number and the total of each query are kept; the backward pass computes
// them again (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et
// al., "FlashAttention", 2022).
#pragma once

#include "attention_narrow.hpp"
#include "attention_tiles.hpp"
#include "operations.hpp"

namespace microgpt::MICROGPT_BUILD {

class Attention {
  public:
    explicit Attention(const Layout& layout)
        : D(layout.D), H(layout.shape.n_head), K(layout.shape.n_embd / layout.shape.n_head),
          scale(1.0f / std::sqrt(static_cast<float>(K))) {}

    const Index D, H, K;
    const float scale;

    // Whether a document is computed position by position: that is quicker up to some 24 positions.
    bool is_short(Index T) const { return T <= longest_short(); }
    Index longest_short() const { return heads_fill_lanes() ? 24 : 0; }
    bool heads_fill_lanes() const { return K <= 8 && K <= lanes && (K & (K - 1)) == 0; }

    // How many floats the forward pass keeps of a document, from position `start` on: of a short
    // one its probabilities; of another, for each query and head, the score that its exponentials
    // are relative to, and 1 / their total.
    Index probabilities(Index T, Index start) const {
        if (is_short(T)) return (groups_before(T) - groups_before(start)) * D;
        return 2 * H * (round_up(T, lanes) - start / lanes * lanes);
    }
    // As many or more, for each position.
    Index probabilities_a_position(Index T) const {
        const Index most = T < longest_short() ? T : longest_short();
        return ((most / K + 2) / 2 + 1) * D + 2 * H;
    }

    // How many floats of scratch a thread needs.
    Index scratch(Index T) const {
        if (K <= 4) return NarrowAttention<4>::scratch(H, T);
        if (K <= 8) return NarrowAttention<8>::scratch(H, T);
        return TiledAttention::scratch(D, H, K, T);
    }

    // Attention of the positions from `start` to T: only they have probabilities and outputs.
    void causal_attention(Index T, Index start, const float* qkv, float* probabilities,
                          float* scratch, float* out) const;
    // `attended` is what the forward pass wrote, after dropout; `undropped` is 1 / dropout's scale.
    void causal_attention_backward(Index T, const float* qkv, const float* probabilities,
                                   const float* attended, float undropped, const float* d_out,
                                   float* scratch, float* d_qkv) const;

    // Attention of one query to S keys and values, which are `row` floats apart.
    void one(Index S, const float* q, const float* keys, const float* values, Index row,
             float* probabilities, float* out) const;

  private:
    // How many groups of K positions all queries before t attend to, each to those up to itself.
    Index groups_before(Index t) const {
        const Index whole = t / K;
        return K * whole * (whole + 1) / 2 + t % K * (whole + 1);
    }

    template <int K_>
    void one_short(Index S, const float* q, const float* keys, const float* values, Index row,
                   float* probabilities, float* out) const;
    template <int K_>
    void forward_short(Index T, Index start, const float* qkv, float* probabilities,
                       float* out) const;
    template <int K_>
    void backward_short(Index T, const float* qkv, const float* probabilities, const float* d_out,
                        float* scratch, float* d_qkv) const;
    template <class F>
    void long_attention(Index T, F f) const {
        if (K <= 4)
            f(NarrowAttention<4>(D, H, K, scale, T));
        else if (K <= 8)
            f(NarrowAttention<8>(D, H, K, scale, T));
        else
            f(TiledAttention(D, H, K, scale, T));
    }
    void one_head(Index S, const float* q, const float* keys, const float* values, Index row,
                  float* probabilities, float* out) const;
};

// Call f with the width of a head as a compile-time constant.
template <class F>
inline void with_head_width(Index K, F f) {
    if (K == 1) f(std::integral_constant<int, 1>{});
    if (K == 2) f(std::integral_constant<int, 2>{});
    if (K == 4) f(std::integral_constant<int, 4>{});
    if constexpr (lanes >= 8)
        if (K == 8) f(std::integral_constant<int, 8>{});
}

inline void Attention::causal_attention(Index T, Index start, const float* qkv,
                                        float* probabilities, float* scratch, float* out) const {
    if (is_short(T)) {
        with_head_width(K, [&](auto k) { forward_short<k>(T, start, qkv, probabilities, out); });
        return;
    }
    long_attention(T, [&](const auto& attention) {
        attention.forward(start, qkv, probabilities, scratch, out);
    });
}

inline void Attention::causal_attention_backward(Index T, const float* qkv,
                                                 const float* probabilities, const float* attended,
                                                 float undropped, const float* d_out,
                                                 float* scratch, float* d_qkv) const {
    if (is_short(T)) {
        with_head_width(K, [&](auto k) {
            backward_short<k>(T, qkv, probabilities, d_out, scratch, d_qkv);
        });
        return;
    }
    long_attention(T, [&](const auto& attention) {
        attention.backward(qkv, probabilities, attended, undropped, d_out, scratch, d_qkv);
    });
}

inline void Attention::one(Index S, const float* q, const float* keys, const float* values,
                           Index row, float* probabilities, float* out) const {
    if (heads_fill_lanes()) {
        with_head_width(K, [&](auto k) {
            one_short<k>(S, q, keys, values, row, probabilities, out);
        });
        return;
    }
    for (Index h = 0; h < H; ++h)
        one_head(S, q + h * K, keys + h * K, values + h * K, row, probabilities, out + h * K);
}

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
