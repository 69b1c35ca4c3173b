// lm_head and the loss of a large vocabulary. A position's logits are too many for the near caches:
// they are computed in blocks of rows of lm_head, made exponentials at once, relative to a running
// maximum, and multiplied by the same rows for the gradients of x. Positions lie side by side in
// lanes, so that no sum goes across lanes and no position depends on its neighbours.
//
// Threads share out slices of the vocabulary. A slice has its own maximum (`tops`) and sum
// (`totals`), and sums of gradients, which are joined in the order of the slices: results are the
// same bits for any number of threads. Of powers of 2, not e: logits are multiplied by log2 e.
#pragma once

#include <algorithm>

#include "loss.hpp"

namespace microgpt::MICROGPT_BUILD {

// Positions as columns, N of them, padded to whole vectors; matrices of theirs are in panels. For S
// slices of the vocabulary, V rows in all.
struct PositionColumns {
    Index N;
    float *x_DN, *tops_SN, *totals_SN;
    float *powers_VN = nullptr, *d_x_SDN = nullptr;  // null: only losses are computed
};

// Of a vector of columns: the sum of the powers relative to the top, and ln of the sum of e^logit.
struct HeadTotals {
    Vec total;
    Doubles log_total;
};

class LargeHead {
  public:
    static constexpr Index block = 128;  // rows: a panel of their logits fits in the first cache
    static constexpr float log2_e = 1.44269504f;
    static constexpr double ln_2 = 0.6931471805599453;

    explicit LargeHead(const Layout& layout)
        : layout_(layout), D_(layout.D), V_(layout.V),
          rows_(std::max(Index{512}, round_up((V_ + most_slices - 1) / most_slices, block))) {}

    Index slices() const { return (V_ + rows_ - 1) / rows_; }
    Index first_row(Index slice) const { return slice * rows_; }
    Index last_row(Index slice) const { return std::min(V_, (slice + 1) * rows_); }
    Index slice_of(Index row) const { return row / rows_; }

    // How many floats the columns of N positions take, without those of gradients.
    Index floats(Index N) const { return (D_ + 2 * slices()) * N; }
    // Columns of N positions in memory of that size.
    PositionColumns columns(Index N, float* memory) const {
        float *tops = memory + D_ * N, *totals = tops + slices() * N;
        return {N, memory, tops, totals};
    }

    // Write `scale` times x, transposed, into the columns from n on, as many as a vector has lanes;
    // zeros beyond the M rows.
    void fill(const PositionColumns& to, Index n, Index M, const float* x_MD, float scale) const {
        const Index width = panel_width(n, to.N);
        for (Index i = 0; i < D_; i += lanes) {
            float* x = to.x_DN + in_panels(i, n, D_, to.N);
            float square[lanes * lanes];
            for (Index m = 0; m < lanes; ++m)
                store(square + m * lanes,
                      n + m < M ? load(x_MD + (n + m) * D_ + i) * scale : Vec{});
            transpose_square(square, lanes, x, width);
        }
    }

    // From x to one slice's tops and totals, and powers and gradients if there is room for them.
    void forward(Index slice, const PositionColumns& of, const float* parameters) const {
        for (Index v = first_row(slice); v < last_row(slice); v += block)
            for (Index n = 0; n < of.N; n += panel)
                if (of.N - n >= panel)
                    forward_block<panel_vectors>(slice, v, n, of, parameters);
                else
                    forward_block<1>(slice, v, n, of, parameters);
    }

    // Join the slices for the columns from n on, a vector of them: tops becomes the factors of each
    // slice's powers, relative to a common top.
    HeadTotals join(const PositionColumns& of, Index n) const {
        Vec top = load(of.tops_SN + n), total{};
        for (Index s = 1; s < slices(); ++s) top = maximum(load(of.tops_SN + s * of.N + n), top);
        for (Index s = 0; s < slices(); ++s) {
            const Vec factor = exp2(load(of.tops_SN + s * of.N + n) - top);
            store(of.tops_SN + s * of.N + n, factor);
            total += load(of.totals_SN + s * of.N + n) * factor;
        }
        return {total, log(total) + __builtin_convertvector(top, Doubles) * ln_2};
    }

    // The loss of a target, from its position's x and the logarithm of the position's total.
    double loss(const float* x_D, Index target, const float* parameters, double log_total) const {
        const float* w = parameters + layout_.lm_head.at;
        float logit = 0.0f;  // to the bits that it has in a block
        for (Index i = 0; i < D_; ++i) logit += x_D[i] * log2_e * w[in_panels(target, i, V_, D_)];
        return log_total - ln_2 * static_cast<double>(logit);
    }

    // Compute the logarithms of M positions' totals. `memory` is that of a panel of columns.
    void log_totals(Index M, const float* x_MD, const float* parameters, float* memory,
                    double* log_totals_M) const {
        for (Index n = 0; n < M; n += panel) {
            const Index N = std::min<Index>(panel, round_up(M - n, lanes));
            const PositionColumns of = columns(N, memory);
            for (Index i = 0; i < of.N; i += lanes) fill(of, i, M - n, x_MD + n * D_, log2_e);
            for (Index s = 0; s < slices(); ++s) forward(s, of, parameters);
            for (Index i = 0; i < of.N; i += lanes) {
                const HeadTotals all = join(of, i);
                for (int m = 0; m < lanes && n + i + m < M; ++m)
                    log_totals_M[n + i + m] = all.log_total[m];
            }
        }
    }

    // Compute logits of M positions, without padding.
    void logits(Index M, const float* x_MD, const float* parameters, float* memory,
                double* logits_MV) const {
        const Index V = layout_.shape.vocab_size;
        float logits[block * panel];
        for (Index n = 0; n < M; n += panel) {
            const Index N = std::min<Index>(panel, round_up(M - n, lanes));
            const PositionColumns of = columns(N, memory);
            for (Index i = 0; i < of.N; i += lanes) fill(of, i, M - n, x_MD + n * D_, 1.0f);
            for (Index v = 0; v < V; v += block) {
                const Index rows = std::min(block, V - v);
                if (of.N == panel)
                    product<panel_vectors>(v, rows, 0, of, parameters, logits);
                else
                    product<1>(v, rows, 0, of, parameters, logits);
                for (Index m = 0; m < of.N && n + m < M; ++m)
                    for (Index r = 0; r < rows; ++r)
                        logits_MV[(n + m) * V + v + r] = static_cast<double>(logits[r * of.N + m]);
            }
        }
    }

    // A row of lm_head, a vector from column i on.
    Vec weights(Index row, Index i, const float* parameters) const {
        return load(parameters + layout_.lm_head.at + in_panels(row, i, V_, D_));
    }

  private:
    static constexpr Index most_slices = 64;
    // How far a logit may be above the top that its power is relative to, before that is raised.
    static constexpr float slack = 40.0f;

    // Logits of `rows` rows from v on, for the panel of columns from n on.
    template <int Vectors>
    void product(Index v, Index rows, Index n, const PositionColumns& of, const float* parameters,
                 float* to) const {
        constexpr Index width = Vectors * lanes;
        for (Index i = 0; i < D_; i += panel) {
            const float* w = parameters + layout_.lm_head.at + in_panels(v, i, V_, D_);
            const float* x = of.x_DN + n * D_ + i * width;
            // The lengths of the sums are constants: see products.hpp.
            if (panel_width(i, D_) == panel)
                strip<Vectors>(rows, w, panel, 1, x, width, panel, to, width, i > 0);
            else
                strip<Vectors>(rows, w, lanes, 1, x, width, lanes, to, width, i > 0);
        }
    }

    template <int Vectors>
    void forward_block(Index slice, Index v, Index n, const PositionColumns& of,
                       const float* parameters) const {
        constexpr Index width = Vectors * lanes;
        float spare[block * width];
        const bool is_first = v == first_row(slice);
        const Index rows = std::min(block, last_row(slice) - v);
        const Index real = std::min(rows, layout_.shape.vocab_size - v);
        float* powers = of.powers_VN ? of.powers_VN + n * V_ + v * width : spare;
        float* d_x = of.d_x_SDN ? of.d_x_SDN + slice * D_ * of.N + n * D_ : nullptr;
        float *tops = of.tops_SN + slice * of.N + n, *totals = of.totals_SN + slice * of.N + n;

        product<Vectors>(v, rows, n, of, parameters, powers);
        if (is_first)
            for (int j = 0; j < Vectors; ++j) {
                store(tops + j * lanes, largest(real, powers + j * lanes, width));
                store(totals + j * lanes, Vec{});
            }
        if (!add_powers<Vectors>(real, powers, tops, totals)) {
            // Rare: a logit is far above those before it.
            product<Vectors>(v, rows, n, of, parameters, powers);
            for (int j = 0; j < Vectors; ++j) {
                const Vec before = load(tops + j * lanes);
                const Vec most = largest(real, powers + j * lanes, width);
                const Vec top = most > before + slack ? most : before;
                const Vec factor = top > before ? exp2(before - top) : splat(1.0f);
                const auto scale = [&](float* first, Index count) {
                    for (Index i = 0; i < count; ++i)
                        store(first + i * width, load(first + i * width) * factor);
                };
                store(tops + j * lanes, top);
                scale(totals + j * lanes, 1);
                if (of.powers_VN)
                    scale(powers + j * lanes - (v - first_row(slice)) * width,
                          v - first_row(slice));
                if (d_x && !is_first) scale(d_x + j * lanes, D_);
            }
            add_powers<Vectors>(real, powers, tops, totals);
        }
        // Padding has no probability.
        std::fill(powers + real * width, powers + rows * width, 0.0f);
        if (!d_x) return;
        for (Index i = 0; i < D_; i += panel) {
            const Index w_width = panel_width(i, D_);
            const float* w = parameters + layout_.lm_head.at + in_panels(v, i, V_, D_);
            strip<Vectors>(w_width, w, 1, w_width, powers, width, rows, d_x + i * width, width,
                           !is_first);
        }
    }

    // The largest of each column.
    static Vec largest(Index rows, const float* logits, Index width) {
        Vec most = load(logits);
        for (Index r = 1; r < rows; ++r) most = maximum(load(logits + r * width), most);
        return most;
    }

    // Replace logits by powers of 2 relative to the tops, and add them up. False if a logit is too
    // far above its top: the totals are then as before.
    template <int Vectors>
    static bool add_powers(Index rows, float* logits, const float* tops, float* totals) {
        Vec top[Vectors], most[Vectors], total[Vectors];
        for (int j = 0; j < Vectors; ++j) {
            most[j] = top[j] = load(tops + j * lanes);
            total[j] = Vec{};
        }
        for (Index r = 0; r < rows; ++r)
#pragma GCC unroll 2
            for (int j = 0; j < Vectors; ++j) {
                float* at = logits + r * Vectors * lanes + j * lanes;
                const Vec logit = load(at), power = exp2(logit - top[j]);
                most[j] = maximum(logit, most[j]);
                store(at, power);
                total[j] += power;
            }
        Vec above{};
        for (int j = 0; j < Vectors; ++j) above = maximum(most[j] - top[j], above);
        if (maximum_lane(above) > slack) return false;
        for (int j = 0; j < Vectors; ++j)
            store(totals + j * lanes, load(totals + j * lanes) + total[j]);
        return true;
    }

    const Layout& layout_;
    const Index D_, V_, rows_;  // of a slice
};

}  // namespace microgpt::MICROGPT_BUILD
