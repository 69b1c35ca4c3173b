// Attention of models with short blocks whose heads are whole vectors. The scores of all pairs of a
// head lie in memory, transposed: a row has one key's, and a vector those of `lanes` queries. So a
// query's largest score and its total are in one lane. Included by attention.hpp.
#pragma once

#include "attention_columns.hpp"

namespace microgpt::MICROGPT_BUILD {

class PairAttention {
  public:
    PairAttention(Index D, Index H, Index K, float scale, Index T)
        : D(D), H(H), K(K), T(T), row_(3 * D), scale_(scale) {}

    // How many floats the forward pass keeps: probabilities (H x T x Q) of Q queries.
    static Index probabilities(Index H, Index T, Index start) {
        return H * T * round_up(T - start, lanes);
    }
    static Index scratch(Index K, Index T) { return K * lanes + T * round_up(T, lanes); }

    void forward(Index start, const float* qkv, float* probabilities, float* scratch,
                 float* out) const {
        const Index Q = round_up(T - start, lanes);
        for (Index h = 0; h < H; ++h, qkv += K, out += K, probabilities += T * Q)
            for (Index first = start; first < T; first += lanes) {
                const Index end = first + lanes < T ? first + lanes : T;
                float* p = probabilities + first - start;
                transpose(end - first, qkv + first * row_, row_, scratch);
                strip<1>(end, qkv + D, row_, 1, scratch, lanes, K, p, Q, false);
                soften(first, end, p, Q);
                rows(first, end, [&](Index r, Index M) {
                    multiply_rows(M, r + M, K, p + r - first, 1, Q, qkv + 2 * D, row_,
                                  out + (r - start) * D, D);
                });
            }
    }

    void backward(const float* qkv, const float* probabilities, const float* d_out,
                  float* scratch, float* d_qkv) const {
        const Index Q = round_up(T, lanes);
        float *columns = scratch, *d_scores = columns + K * lanes;
        for (Index h = 0; h < H; ++h, qkv += K, d_out += K, d_qkv += K, probabilities += T * Q) {
            for (Index first = 0; first < T; first += lanes) {
                const Index end = first + lanes < T ? first + lanes : T;
                float* d = d_scores + first;
                transpose(end - first, d_out + first * D, D, columns);
                strip<1>(end, qkv + 2 * D, row_, 1, columns, lanes, K, d, Q, false);
                soften_backward(end, probabilities + first, d, Q);
                rows(first, end, [&](Index r, Index M) {
                    multiply_rows(M, r + M, K, d + r - first, 1, Q, qkv + D, row_,
                                  d_qkv + r * row_, row_);
                });
            }
            rows(0, T, [&](Index r, Index M) {
                // These keys and values were read by the queries from r on.
                const Index at = r * Q + r;
                multiply_rows(M, T - r, K, d_scores + at, Q, 1, qkv + r * row_, row_,
                              d_qkv + D + r * row_, row_);
                multiply_rows(M, T - r, K, probabilities + at, Q, 1, d_out + r * D, D,
                              d_qkv + 2 * D + r * row_, row_);
            });
        }
    }

  private:
    // Call f(first, M) for the rows from `first` to `end`, a tile's or a vector's at a time.
    template <class F>
    static void rows(Index first, Index end, F f) {
        constexpr Index most = tile_rows < lanes ? tile_rows : lanes;
        for (; first < end; first += most) f(first, end - first < most ? end - first : most);
    }

    // columns (K x lanes) = M rows, `row` floats apart, transposed; zero in the lanes from M on.
    void transpose(Index M, const float* from, Index row, float* columns) const {
        for (Index k = 0; k < K; k += lanes, from += lanes, columns += lanes * lanes) {
            Vec square[lanes];
            for (int m = 0; m < lanes; ++m) square[m] = m < M ? load(from + m * row) : Vec{};
            exchange_rows(square);
            for (int i = 0; i < lanes; ++i) store(columns + i * lanes, square[i]);
        }
    }

    // Scores of `end` keys and the queries from `first` on -> probabilities.
    void soften(Index first, Index end, float* p, Index Q) const {
        const Vec none = splat(-HUGE_VALF), units = splat(scale_ * log2_e);
        Vec top = load(p);
        for (Index s = 1; s <= first; ++s) top = maximum(load(p + s * Q), top);
        // Causality: no probability for keys after the query.
        for (Index s = first + 1; s < end; ++s) {
            const Vec score = up_to(s - first - 1, none, load(p + s * Q));
            store(p + s * Q, score);
            top = maximum(score, top);
        }
        top *= units;
        Vec total{};
        for (Index s = 0; s < end; ++s) {
            const Vec e = exp2(load(p + s * Q) * units - top);
            store(p + s * Q, e);
            total += e;
        }
        const Vec inverse = 1.0f / total;
        for (Index s = 0; s < end; ++s) store(p + s * Q, load(p + s * Q) * inverse);
    }

    // Gradients of probabilities -> of scores.
    void soften_backward(Index end, const float* p, float* d, Index Q) const {
        Vec mean{};
        for (Index s = 0; s < end; ++s) mean += load(p + s * Q) * load(d + s * Q);
        for (Index s = 0; s < end; ++s)
            store(d + s * Q, load(p + s * Q) * (load(d + s * Q) - mean) * scale_);
    }

    const Index D, H, K, T, row_;
    const float scale_;
};

}  // namespace microgpt::MICROGPT_BUILD
