// Attention of documents that are not short, for heads of up to 8: a vector has the scores of one
// query and `lanes` keys, and these never reach memory. Included by attention.hpp.
#pragma once

#include "attention_columns.hpp"

namespace microgpt::MICROGPT_BUILD {

// Heads of K_ columns; those of narrower heads are zero.
template <int K_>
class NarrowAttention {
  public:
    NarrowAttention(Index D, Index H, Index K, float scale, Index T)
        : D(D), T(T), columns_(D, H, K, K_, 1, T), scale_(scale) {}

    static Index scratch(Index H, Index T) {
        const Index S = round_up(T, lanes);
        return 7 * H * K_ * S + H * S + queries * K_ * lanes;
    }

    void forward(Index start, const float* qkv, float* kept, float* scratch, float* out) const {
        const Index first = start / lanes * lanes, step = columns_.S - first;
        float *keys = scratch, *values = keys + columns_.size(), *outs = values + columns_.size();
        columns_.pack(T, qkv + D, 3 * D, scale_ * log2_e, keys);
        columns_.pack(T, qkv + 2 * D, 3 * D, 1.0f, values);
        for (Index h = 0; h < columns_.H; ++h)
            for (Index block = first; block < columns_.S; block += lanes) {
                const Index head = h * columns_.head();
                float* minus_tops = kept + 2 * h * step + block - first;
                forward_block(block, block > start ? block : start, qkv + h * columns_.K,
                              keys + head, values + head, minus_tops, minus_tops + step,
                              outs + head + block * K_);
            }
        columns_.unpack(start, T, outs, 1.0f, out, D);
    }

    void backward(const float* qkv, const float* kept, const float* attended, float undropped,
                  const float* d_out, float* scratch, float* d_qkv) const {
        const Index S = columns_.S, size = columns_.size(), row = 3 * D;
        float *keys = scratch, *values = keys + size, *d_outs = values + size;
        float *d_queries = d_outs + size, *d_keys = d_queries + size, *d_values = d_keys + size;
        float *minus_means = d_values + size, *partial = minus_means + columns_.H * S;
        columns_.pack(T, qkv + D, row, scale_ * log2_e, keys);
        columns_.pack(T, qkv + 2 * D, row, 1.0f, values);
        columns_.pack(T, d_out, D, 1.0f, d_outs);
        columns_.pack(T, attended, D, undropped, d_queries);
        for (Index h = 0; h < columns_.H; ++h) {
            const Index head = h * columns_.head();
            const float* minus_tops = kept + 2 * h * S;
            weigh(minus_tops + S, d_queries + head, d_outs + head, minus_means + h * S);
            for (Index first = 0; first < T; first += queries)
                backward_tile(first, first + queries < T ? first + queries : T,
                              qkv + h * columns_.K, keys + head, values + head, d_outs + head,
                              minus_tops, minus_means + h * S, partial, d_queries + head,
                              d_keys + head, d_values + head);
        }
        columns_.unpack(0, T, d_queries, ln_2, d_qkv, row);
        columns_.unpack(0, T, d_keys, scale_, d_qkv + D, row);
        columns_.unpack(0, T, d_values, 1.0f, d_qkv + 2 * D, row);
    }

  private:
    // Queries of a tile: their partial sums fill half of the first cache.
    static constexpr Index queries = round_up(256 / K_, lanes);

    // The sums over the keys of one query, lane by lane.
    struct Sums {
        float top = -HUGE_VALF;
        Vec attended[K_]{}, total{};
    };

    // Add J blocks of keys; if they are the last, the lanes after `last` are masked.
    template <int J, bool IsLast>
    [[gnu::always_inline]]
    static void add_keys(const float* q, const float* keys, const float* values, Index last,
                         Sums& sums) {
        Vec scores[J]{};
        for (int j = 0; j < J; ++j)
            for (int k = 0; k < K_; ++k) scores[j] += q[k] * load(keys + (j * K_ + k) * lanes);
        if constexpr (IsLast) scores[J - 1] = up_to(last, scores[J - 1], splat(-HUGE_VALF));
        Vec highest = scores[0];
        for (int j = 1; j < J; ++j) highest = maximum(scores[j], highest);
        const float top = maximum_lane(highest);
        if (top > sums.top + slack) {
            const Vec factor = exp2(splat(sums.top - top));
            sums.top = top;
            sums.total *= factor;
            for (int k = 0; k < K_; ++k) sums.attended[k] *= factor;
        }
        for (int j = 0; j < J; ++j) {
            const Vec p = exp2(scores[j] - sums.top);
            sums.total += p;
            for (int k = 0; k < K_; ++k)
                sums.attended[k] += p * load(values + (j * K_ + k) * lanes);
        }
    }

    [[gnu::noinline]]
    void forward_block(Index block, Index start, const float* qkv, const float* keys,
                       const float* values, float* minus_tops, float* inverses,
                       float* out) const {
        Vec attended[K_][lanes], totals[lanes];
        const Index end = block + lanes < T ? block + lanes : T;
        for (Index t = block; t < block + lanes; ++t) {
            Sums sums;
            if (t < start || t >= end) {
                sums.top = 0.0f, sums.total = splat(1.0f);
            } else {
                const float *q = qkv + t * 3 * D, *key = keys, *value = values;
                Index left = t / lanes + 1;
                constexpr Index step = 4 * K_ * lanes;
                for (; left > 4; left -= 4, key += step, value += step)
                    add_keys<4, false>(q, key, value, 0, sums);
                if (left == 4) add_keys<4, true>(q, key, value, t - block, sums);
                if (left == 3) add_keys<3, true>(q, key, value, t - block, sums);
                if (left == 2) add_keys<2, true>(q, key, value, t - block, sums);
                if (left == 1) add_keys<1, true>(q, key, value, t - block, sums);
            }
            minus_tops[t - block] = -sums.top;
            totals[t - block] = sums.total;
            for (int k = 0; k < K_; ++k) attended[k][t - block] = sums.attended[k];
        }
        const Vec inverse = 1.0f / sums_of(totals);
        store(inverses, inverse);
        for (int k = 0; k < K_; ++k) store(out + k * lanes, sums_of(attended[k]) * inverse);
    }

    // d_outs times 1 / total, and minus the mean gradient of each query's probabilities times that.
    void weigh(const float* inverses, const float* attended, float* d_outs,
               float* minus_means) const {
        for (Index block = 0; block < columns_.S; block += lanes) {
            Vec mean{};
            for (Index i = block * K_; i < (block + lanes) * K_; i += lanes) {
                const Vec d = load(d_outs + i) * load(inverses + block);
                store(d_outs + i, d);
                mean -= d * load(attended + i);
            }
            store(minus_means + block, mean);
        }
    }

    // One query and one block of keys.
    template <bool IsMasked>
    [[gnu::always_inline]]
    static void add_query(Index last, const float* q, const float* d_out, float minus_top,
                          float minus_mean, const Vec (&keys)[K_], const Vec (&values)[K_],
                          float* d_query, Vec (&d_keys)[K_], Vec (&d_values)[K_]) {
        Vec score = splat(minus_top), d_score = splat(minus_mean);
        for (int k = 0; k < K_; ++k) score += q[k] * keys[k];
        for (int k = 0; k < K_; ++k) d_score += d_out[k * lanes] * values[k];
        Vec p = exp2(score);
        if constexpr (IsMasked) p = up_to(last, p, Vec{});
        d_score *= p;
        for (int k = 0; k < K_; ++k) {
            float* partial = d_query + k * lanes;
            store(partial, load(partial) + d_score * keys[k]);
            d_keys[k] += q[k] * d_score;
            d_values[k] += d_out[k * lanes] * p;
        }
    }

    [[gnu::noinline]]
    void backward_tile(Index first, Index end, const float* qkv, const float* keys,
                       const float* values, const float* d_outs, const float* minus_tops,
                       const float* minus_means, float* partial, float* d_queries, float* d_keys,
                       float* d_values) const {
        constexpr Index block_size = K_ * lanes;
        for (Index i = 0; i < queries * block_size; i += lanes) store(partial + i, Vec{});
        for (Index block = 0; block < end; block += lanes) {
            Vec key[K_], value[K_], d_key[K_], d_value[K_];
            for (int k = 0; k < K_; ++k) {
                const Index at = block * K_ + k * lanes;
                key[k] = load(keys + at), value[k] = load(values + at);
                d_key[k] = block < first ? load(d_keys + at) : Vec{};
                d_value[k] = block < first ? load(d_values + at) : Vec{};
            }
            const auto query = [&](Index t, auto is_masked) {
                add_query<is_masked>(t - block, qkv + t * 3 * D,
                                     d_outs + t / lanes * block_size + t % lanes, minus_tops[t],
                                     minus_means[t], key, value, partial + (t - first) * block_size,
                                     d_key, d_value);
            };
            Index t = block < first ? first : block;
            if (block >= first)
                for (; t < block + lanes && t < end; ++t) query(t, std::true_type{});
            for (; t < end; ++t) query(t, std::false_type{});
            for (int k = 0; k < K_; ++k) {
                store(d_keys + block * K_ + k * lanes, d_key[k]);
                store(d_values + block * K_ + k * lanes, d_value[k]);
            }
        }
        for (Index block = first; block < end; block += lanes)
            for (int k = 0; k < K_; ++k) {
                Vec sums[lanes];
                for (int m = 0; m < lanes; ++m)
                    sums[m] = load(partial + (block - first + m) * block_size + k * lanes);
                store(d_queries + block * K_ + k * lanes, sums_of(sums));
            }
    }

    const Index D, T;
    const HeadColumns columns_;
    const float scale_;
};

}  // namespace microgpt::MICROGPT_BUILD
