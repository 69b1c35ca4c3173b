// Attention of documents that are not short, head by head through matrix products: in tiles of
// queries by keys. Included by attention.hpp.
#pragma once

#include "attention_columns.hpp"

namespace microgpt::MICROGPT_BUILD {

class TiledAttention {
  public:
    TiledAttention(Index D, Index H, Index K, float scale, Index T)
        : D(D), H(H), K(K), T(T), row_(3 * D), scale_(scale),
          columns_(D, H, K, K, panel_vectors, T) {}

    static Index scratch(Index D, Index H, Index K, Index T) {
        const Index S = round_up(T, panel);
        return 2 * H * K * S + (T + 1) * D + H * S + 2 * side * side + side * round_up(K, lanes);
    }

    void forward(Index start, const float* qkv, float* kept, float* scratch, float* out) const {
        const Index rows = T - start;
        float *keys = scratch, *tile = keys + columns_.size(), *rest = tile + side * side;
        columns_.pack(T, qkv + D, row_, 1.0f, keys);
        for (Index h = 0; h < H; ++h) {
            float* minus_tops = kept + 2 * h * rows;
            for (Index first = start; first < T; first += side) {
                const Index at = first - start;
                forward_tile(h, first, first + side < T ? first + side : T, qkv + h * K,
                             keys + h * columns_.head(), tile, rest, minus_tops + at,
                             minus_tops + rows + at, out + at * D + h * K);
            }
        }
    }

    void backward(const float* qkv, const float* kept, const float* attended, float undropped,
                  const float* d_out, float* scratch, float* d_qkv) const {
        float *keys = scratch, *values = keys + columns_.size();
        float *d_outs = values + columns_.size(), *means = d_outs + (T + 1) * D;
        float* tiles = means + H * T;
        columns_.pack(T, qkv + D, row_, 1.0f, keys);
        columns_.pack(T, qkv + 2 * D, row_, 1.0f, values);
        weigh(kept, attended, undropped, d_out, d_outs, means);
        for (Index h = 0; h < H; ++h)
            for (Index first = 0; first < T; first += side)
                for (Index s = 0; s <= first; s += side)
                    backward_tile(h, first, s, qkv + h * K, keys + h * columns_.head(),
                                  values + h * columns_.head(), kept + 2 * h * T, means + h * T,
                                  d_outs + h * K, tiles, d_qkv + h * K);
    }

  private:
    // Queries and keys of a tile. Tiles of keys begin at fixed positions, whatever the queries are.
    static constexpr Index side = 128;

    // Call f(first, M) for the rows from `first` to `end`, `most` at a time.
    template <class F>
    static void groups(Index first, Index end, Index most, F f) {
        for (; first < end; first += most) f(first, end - first < most ? end - first : most);
    }

    // C (M x columns) = A (M x K) B of a tile, with B in panels.
    void tile_product(Index M, Index columns, const float* a, Index a_row, const float* b,
                      float* c) const {
        Index first = 0;
        for (; first + panel <= columns; first += panel)
            strip<panel_vectors>(M, a, a_row, 1, b + first * K, panel, K, c + first, side, false);
        if (first < columns)
            strip<1>(M, a, a_row, 1, b + first * K, panel, K, c + first, side, false);
    }

    // C (M x K) = A (M x S) B (S x K) of head h, or C + A B. Where a head is no whole number of
    // vectors, the product goes to scratch first, because the columns beside a head's belong to its
    // neighbour. For the last heads, vectors begin in the neighbour before: another thread may be
    // writing beyond the row.
    void product(Index h, Index M, Index S, const float* a, Index a_row, Index a_step,
                 const float* b, Index b_row, float* scratch, float* c, Index c_row,
                 bool add) const {
        const Index wide = round_up(K, lanes);
        if (wide == K) {
            multiply_rows(M, S, K, a, a_row, a_step, b, b_row, c, c_row, add);
            return;
        }
        const Index beyond = h * K + wide > D ? h * K + wide - D : 0;
        multiply_rows(M, S, wide, a, a_row, a_step, b - beyond, b_row, scratch, wide);
        for (Index m = 0; m < M; ++m)
            for (Index k = 0; k < K; ++k) {
                const float sum = scratch[m * wide + beyond + k];
                c[m * c_row + k] = add ? c[m * c_row + k] + sum : sum;
            }
    }

    // The outputs of the queries from `first` to `end`.
    [[gnu::noinline]]
    void forward_tile(Index h, Index first, Index end, const float* qkv, const float* keys,
                      float* tile, float* rest, float* minus_tops, float* inverses,
                      float* out) const {
        for (Index t = first; t < end; ++t) minus_tops[t - first] = HUGE_VALF;
        for (Index t = first; t < end; ++t) inverses[t - first] = 0.0f;  // totals, at first
        for (Index s = 0; s < end; s += side)
            groups(first, end, s + side > first ? tile_rows : side, [&](Index r, Index M) {
                const Index last = r + M < s + side ? r + M : s + side;
                if (last <= s) return;
                const Index wide = round_up(last - s, lanes);
                tile_product(M, wide, qkv + r * row_, row_, keys + s * K, tile);
                for (Index m = 0; m < M; ++m) {
                    const Index t = r - first + m;
                    soften(r + m - s, wide, tile + m * side, minus_tops[t], inverses[t],
                           out + t * D, s > 0);
                }
                product(h, M, last - s, tile, side, 1, qkv + 2 * D + s * row_, row_, rest,
                        out + (r - first) * D, D, s > 0);
            });
        for (Index t = 0; t < end - first; ++t) {
            inverses[t] = 1.0f / inverses[t];
            multiply_row(inverses[t], out + t * D);
        }
    }

    void multiply_row(float factor, float* out) const {
        if (K % lanes == 0)
            for (Index k = 0; k < K; k += lanes) store(out + k, load(out + k) * factor);
        else
            for (Index k = 0; k < K; ++k) out[k] *= factor;
    }

    // Scores of one query and a tile's keys -> their probabilities, times the total.
    void soften(Index last, Index wide, float* scores, float& minus_top, float& total, float* out,
                bool has_out) const {
        // Causality: no probability for keys after the query.
        for (Index s = last < 0 ? 0 : last + 1; s < wide; ++s) scores[s] = -HUGE_VALF;
        Vec highest = load(scores), totals{};
        for (Index s = lanes; s < wide; s += lanes) highest = maximum(load(scores + s), highest);
        const float units = scale_ * log2_e, top = maximum_lane(highest) * units;
        if (top + minus_top > slack) {
            if (has_out) {
                const float factor = exp2(splat(-minus_top - top))[0];
                total *= factor;
                multiply_row(factor, out);
            }
            minus_top = -top;
        }
        for (Index s = 0; s < wide; s += lanes) {
            const Vec p = exp2(load(scores + s) * units + minus_top);
            store(scores + s, p);
            totals += p;
        }
        total += sum(totals);
    }

    // d_outs = d_out / total, and each query's and head's mean gradient of its probabilities, times
    // that.
    void weigh(const float* kept, const float* attended, float undropped, const float* d_out,
               float* d_outs, float* means) const {
        const Index whole = K / lanes * lanes;
        for (Index h = 0; h < H; ++h)
            for (Index t = 0; t < T; ++t) {
                const float inverse = kept[(2 * h + 1) * T + t];
                const Index at = t * D + h * K;
                Vec means_K{};
                for (Index k = 0; k < whole; k += lanes) {
                    const Vec d = load(d_out + at + k) * inverse;
                    store(d_outs + at + k, d);
                    means_K += d * load(attended + at + k);
                }
                float mean = sum(means_K);
                for (Index k = whole; k < K; ++k) {
                    d_outs[at + k] = d_out[at + k] * inverse;
                    mean += d_outs[at + k] * attended[at + k];
                }
                means[h * T + t] = mean * undropped;
            }
    }

    // What the queries from `first` on and the keys from `s` on add to the gradients of both.
    [[gnu::noinline]]
    void backward_tile(Index h, Index first, Index s, const float* qkv, const float* keys,
                       const float* values, const float* kept, const float* means,
                       const float* d_outs, float* tiles, float* d_qkv) const {
        float *p = tiles, *d = p + side * side, *rest = d + side * side;
        const bool is_diagonal = s == first;
        const Index end = first + side < T ? first + side : T;
        const Index most = is_diagonal ? static_cast<Index>(tile_rows) : side;
        groups(first, end, most, [&](Index r, Index M) {
            const Index count = is_diagonal ? r + M - s : side, wide = round_up(count, lanes);
            float *p_r = p + (r - first) * side, *d_r = d + (r - first) * side;
            tile_product(M, wide, qkv + r * row_, row_, keys + s * K, p_r);
            tile_product(M, wide, d_outs + r * D, D, values + s * K, d_r);
            for (Index m = 0; m < M; ++m) {
                const Index t = r + m;
                float *p_m = p_r + m * side, *d_m = d_r + m * side;
                for (Index i = is_diagonal ? t + 1 - s : wide; i < wide; ++i) p_m[i] = -HUGE_VALF;
                for (Index i = 0; i < wide; i += lanes) {
                    const Vec e = exp2(load(p_m + i) * (scale_ * log2_e) + kept[t]);
                    store(p_m + i, e);
                    store(d_m + i, (load(d_m + i) - means[t]) * e * scale_);
                }
            }
            product(h, M, count, d_r, side, 1, qkv + D + s * row_, row_, rest, d_qkv + r * row_,
                    row_, s > 0);
        });
        groups(s, is_diagonal ? end : s + side, most, [&](Index r, Index M) {
            // The queries from here on read these keys and values.
            const Index from = is_diagonal ? r : first, at = (from - first) * side + r - s;
            product(h, M, end - from, d + at, 1, side, qkv + from * row_, row_, rest,
                    d_qkv + D + r * row_, row_, !is_diagonal);
            product(h, M, end - from, p + at, 1, side, d_outs + from * D, D, rest,
                    d_qkv + 2 * D + r * row_, row_, !is_diagonal);
        });
    }

    const Index D, H, K, T, row_;
    const float scale_;
    const HeadColumns columns_;
};

}  // namespace microgpt::MICROGPT_BUILD
