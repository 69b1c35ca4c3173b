// Causal attention, forward and backward, one document at a time. Queries, keys and values lie side
// by side in rows of 3 D. There are three ways:
// - Heads that are whole vectors, of models with short blocks: the scores of all pairs of a head
//   are in memory. attention_pairs.hpp.
// - Short documents with other narrow heads: position by position for all heads at once; a head's K
//   lanes have its scores of K positions. attention_short.hpp.
// - Others: head by head, in tiles of queries by keys. attention_narrow.hpp, attention_tiles.hpp. Of
//   their probabilities only a number and the total of each query are kept; the backward pass
//   computes them again (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018;
//   Dao et al., "FlashAttention", 2022).
#pragma once

#include "attention_narrow.hpp"
#include "attention_pairs.hpp"
#include "attention_tiles.hpp"
#include "operations.hpp"

namespace microgpt::MICROGPT_BUILD {

class Attention {
  public:
    explicit Attention(const Layout& layout)
        : D(layout.D), H(layout.shape.n_head), K(layout.shape.n_embd / layout.shape.n_head),
          scale(1.0f / std::sqrt(static_cast<float>(K))),
          keeps_pairs(K % lanes == 0 && layout.shape.block_size <= 64) {}

    const Index D, H, K;
    const float scale;
    // Whether probabilities of all pairs are kept. The model decides, not a document's length, so
    // that no number depends on what follows. Longer blocks are no slower in tiles.
    const bool keeps_pairs;

    // Whether a document is computed position by position: that is quicker up to some 24 positions.
    bool is_short(Index T) const { return T <= longest_short(); }
    Index longest_short() const { return heads_fill_lanes() && !keeps_pairs ? 24 : 0; }
    bool heads_fill_lanes() const { return K <= 8 && K <= lanes && (K & (K - 1)) == 0; }

    // How many floats the forward pass keeps of a document, from position `start` on: all
    // probabilities, or those of a short one; else, for each query and head, the score that its
    // exponentials are relative to, and 1 / their total.
    Index probabilities(Index T, Index start) const {
        if (keeps_pairs) return PairAttention::probabilities(H, T, start);
        if (is_short(T)) return (groups_before(T) - groups_before(start)) * D;
        return 2 * H * (round_up(T, lanes) - start / lanes * lanes);
    }
    // As many or more, for each position of a whole document.
    Index probabilities_a_position(Index T) const {
        if (keeps_pairs) return H * round_up(T, lanes);
        const Index most = T < longest_short() ? T : longest_short();
        return ((most / K + 2) / 2 + 1) * D + 2 * H;
    }

    // How many floats of scratch a thread needs.
    Index scratch(Index T) const {
        if (keeps_pairs) return PairAttention::scratch(K, T);
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
    if (keeps_pairs)
        return PairAttention(D, H, K, scale, T).forward(start, qkv, probabilities, scratch, out);
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
    if (keeps_pairs)
        return PairAttention(D, H, K, scale, T)
            .backward(qkv, probabilities, d_out, scratch, d_qkv);
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

#include "attention_short.hpp"
