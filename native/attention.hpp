// Causal attention, forward and backward, one document at a time. Queries, keys and values lie side
// by side in rows of 3 D. Short documents with narrow heads are computed position by position for
// all heads at once: a head's score is repeated in all lanes of the head. Others are computed head
// by head, through matrix products: see attention_heads.hpp.
#pragma once

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

    // How many floats the attention probabilities of a document take, from position `start` on.
    Index probabilities(Index T, Index start) const {
        return is_short(T) ? (T * (T + 1) - start * (start + 1)) / 2 * D
                           : H * (T - start) * round_up(T, lanes);
    }

    // How many floats of scratch a thread needs.
    Index scratch(Index T) const {
        const Index S = round_up(T, lanes);
        return S * (D + K) + T * S + T * round_up(K, lanes);
    }

    // Attention of the positions from `start` to T: only they have probabilities and outputs.
    void causal_attention(Index T, Index start, const float* qkv, float* probabilities,
                          float* scratch, float* out) const;
    void causal_attention_backward(Index T, const float* qkv, const float* probabilities,
                                   const float* d_out, float* scratch, float* d_qkv) const;

    // Attention of one query to S keys and values, which are `row` floats apart.
    void one(Index S, const float* q, const float* keys, const float* values, Index row,
             float* probabilities, float* out) const;

  private:
    template <int K_>
    void one_short(Index S, const float* q, const float* keys, const float* values, Index row,
                   float* probabilities, float* out) const;
    template <int K_>
    void forward_short(Index T, Index start, const float* qkv, float* probabilities,
                       float* out) const;
    template <int K_>
    void backward_short(Index T, const float* qkv, const float* probabilities, const float* d_out,
                        float* scratch, float* d_qkv) const;
    void forward_head(Index h, Index T, Index start, const float* qkv, float* probabilities,
                      float* scratch, float* out) const;
    void backward_head(Index h, Index T, const float* qkv, const float* probabilities,
                       const float* d_out, float* scratch, float* d_qkv) const;
    void one_head(Index S, const float* q, const float* keys, const float* values, Index row,
                  float* probabilities, float* out) const;
    void gather(Index T, const float* rows, float* columns) const;
    void product(Index h, Index M, Index S, const float* a, Index a_row, Index a_step,
                 const float* b, Index b_row, float* scratch, float* c, Index c_row) const;
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
    const Index step = (T - start) * round_up(T, lanes);
    for (Index h = 0; h < H; ++h)
        forward_head(h, T, start, qkv + h * K, probabilities + h * step, scratch, out + h * K);
}

inline void Attention::causal_attention_backward(Index T, const float* qkv,
                                                 const float* probabilities, const float* d_out,
                                                 float* scratch, float* d_qkv) const {
    if (is_short(T)) {
        with_head_width(K, [&](auto k) {
            backward_short<k>(T, qkv, probabilities, d_out, scratch, d_qkv);
        });
        return;
    }
    const Index step = T * round_up(T, lanes);
    for (Index h = 0; h < H; ++h)
        backward_head(h, T, qkv + h * K, probabilities + h * step, d_out + h * K, scratch,
                      d_qkv + h * K);
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

// probabilities (S x D): each head's probability is repeated in all lanes of the head.
template <int K_>
inline void Attention::one_short(Index S, const float* q, const float* keys, const float* values,
                                 Index row, float* probabilities, float* out) const {
    for (Index i = 0; i < D; i += lanes) {
        const Vec query = load(q + i) * scale;
        Vec top = splat(-HUGE_VALF), total{}, attended{};
        for (Index s = 0; s < S; ++s) {
            const Vec score = group_sum<K_>(query * load(keys + s * row + i));
            store(probabilities + s * D + i, score);
            top = maximum(score, top);
        }
        for (Index s = 0; s < S; ++s) {
            const Vec e = exp(load(probabilities + s * D + i) - top);
            store(probabilities + s * D + i, e);
            total += e;
        }
        const Vec inverse_total = 1.0f / total;
        for (Index s = 0; s < S; ++s) {
            const Vec probability = load(probabilities + s * D + i) * inverse_total;
            store(probabilities + s * D + i, probability);
            attended += probability * load(values + s * row + i);
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
        probabilities += (t + 1) * D;
    }
}

template <int K_>
inline void Attention::backward_short(Index T, const float* qkv, const float* probabilities,
                                      const float* d_out, float* scratch, float* d_qkv) const {
    const Index row = 3 * D;
    for (Index i = 0; i < D; i += lanes) {
        const float *q = qkv + i, *k = q + D, *v = k + D, *p = probabilities + i;
        float *d_q = d_qkv + i, *d_k = d_q + D, *d_v = d_k + D;
        for (Index t = 0; t < T; p += (t + 1) * D, ++t) {
            const Vec query = load(q + t * row) * scale, d_attended = load(d_out + t * D + i);
            Vec mean{}, d_query{};
            for (Index s = 0; s <= t; ++s) {
                const Vec probability = load(p + s * D);
                const Vec d_probability = group_sum<K_>(d_attended * load(v + s * row));
                store(scratch + s * lanes, d_probability);
                mean += probability * d_probability;
                const Vec before = s < t ? load(d_v + s * row) : Vec{};
                store(d_v + s * row, before + probability * d_attended);
            }
            for (Index s = 0; s <= t; ++s) {
                const Vec d_score = load(p + s * D) * (load(scratch + s * lanes) - mean);
                d_query += d_score * load(k + s * row);
                const Vec before = s < t ? load(d_k + s * row) : Vec{};
                store(d_k + s * row, before + d_score * query);
            }
            store(d_q + t * row, d_query * scale);
        }
    }
}

}  // namespace microgpt::MICROGPT_BUILD

#include "attention_heads.hpp"
