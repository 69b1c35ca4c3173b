// A large head's part of a step: losses, gradients of x, and those of lm_head with its update. Some
// positions are worked on at a time, so that the powers of all their logits fit in the last cache.
#pragma once

#include "array.hpp"
#include "gradients.hpp"
#include "large_head.hpp"

namespace microgpt::MICROGPT_BUILD {

class HeadStep {
  public:
    HeadStep(const Layout& layout, const LargeHead& head)
        : layout_(layout), head_(head), D_(layout.D),
          most_(most_positions(layout.V, layout.D)) {}

    // Make room for steps of at most this many positions; throws std::bad_alloc.
    void reserve(Index positions, Index threads) {
        const Index N = round_up(std::min(positions, most_), lanes);
        if (N <= capacity_ && threads <= threads_) return;
        memory_.reserve(head_.floats(N) + N * (layout_.V + head_.slices() * D_ + 2));
        scaled_.reserve(threads * N * D_);
        targets_.reserve(N);
        order_.reserve(N);
        starts_.reserve(head_.slices() + 1);
        capacity_ = N;
        threads_ = threads;
    }

    // How many parts of about the same size N positions are worked on in.
    Index parts(Index N) const { return (N + most_ - 1) / most_; }
    // The first position of a part, or the end of the last.
    Index first(Index part, Index N) const {
        const Index each = round_up((N + parts(N) - 1) / parts(N), panel);
        return std::min(N, part * each);
    }

    // Begin with a part: M positions, with these rows.
    void begin(Index M, const std::int32_t* targets_M, const float* x_MD) {
        M_ = M;
        x_ = x_MD;
        columns_ = head_.columns(round_up(M, lanes), memory_.data());
        const Index N = columns_.N;
        columns_.d_x_SDN = memory_.data() + head_.floats(N);
        shares_ = columns_.d_x_SDN + head_.slices() * D_ * N;
        factors_ = shares_ + N;
        columns_.powers_VN = factors_ + N;
        std::copy_n(targets_M, M, targets_.data());
        sort_targets();
    }

    // The columns are filled and finished a vector of them at a time.
    Index vectors() const { return columns_.N / lanes; }
    void fill(Index i) const { head_.fill(columns_, i * lanes, M_, x_, LargeHead::log2_e); }
    void forward(Index slice, const float* parameters) const {
        head_.forward(slice, columns_, parameters);
    }

    // From the slices' sums to losses, and to the gradients of x.
    void finish(Index i, const float* parameters, double scale, double* losses_M, float* d_x_MD) {
        const Index n = i * lanes;
        const int rows = M_ - n < lanes ? static_cast<int>(M_ - n) : lanes;
        const HeadTotals all = head_.join(columns_, n);
        Vec shares{};
        for (int m = 0; m < rows; ++m) {
            const double loss =
                head_.loss(x_ + (n + m) * D_, targets_[n + m], parameters, all.log_total[m]);
            losses_M[n + m] = loss;
            const double factor = gradient_factor(layout_.shape.objective, loss) * scale;
            factors_[n + m] = static_cast<float>(factor);
            shares[m] = static_cast<float>(factor / static_cast<double>(all.total[m]));
        }
        store(shares_ + n, shares);
        input_gradients(n, rows, shares, parameters, d_x_MD);
    }

    // The gradients of a slice's rows of lm_head, which are used at once.
    void gradients(Index slice, Index thread, const GradientUse& use, const Buffers& buffers,
                   float* d_parameters) const {
        const Index N = columns_.N, V = layout_.V;
        // Powers are relative to the slice's tops; x is scaled, which has fewer numbers.
        float* scaled = scaled_.data() + thread * capacity_ * D_;
        for (Index n = 0; n < M_; ++n) {
            const float share = shares_[n] * columns_.tops_SN[slice * N + n];
            for (Index i = 0; i < D_; i += lanes)
                store(scaled + n * D_ + i, load(x_ + n * D_ + i) * share);
        }
        float d_rows[LargeHead::block * panel];
        const Weight& w = layout_.lm_head;
        for (Index v = head_.first_row(slice); v < head_.last_row(slice); v += LargeHead::block) {
            const Index rows = std::min(LargeHead::block, head_.last_row(slice) - v);
            for (Index column = 0; column < D_; column += panel) {
                const Index width = panel_width(column, D_);
                const Index at = w.at + in_panels(v, column, V, D_);
                if (use.updates()) use.update->prefetch_all(rows * width, buffers, at);
                if (width == panel)
                    sums<panel_vectors>(v, rows, scaled + column, d_rows);
                else
                    sums<1>(v, rows, scaled + column, d_rows);
                for (Index j = starts_[slice]; j < starts_[slice + 1]; ++j) {
                    const Index n = order_[j], row = targets_[n] - v;
                    if (row < 0 || row >= rows) continue;
                    for (Index i = 0; i < width; i += lanes) {
                        float* d = d_rows + row * width + i;
                        store(d, load(d) - load(x_ + n * D_ + column + i) * factors_[n]);
                    }
                }
                use_gradients(d_rows, rows * width, at, use, buffers, d_parameters);
            }
        }
    }

  private:
    static constexpr Index line = 16;  // floats of a cache line
    // Positions at a time. With few of them their powers stay in the last cache between the passes,
    // which other programs may share; but each time lm_head and its gradients pass through, too,
    // which have D numbers a row. Some 4 MB of powers are always kept, and 24 MB at most.
    static Index most_positions(Index V, Index D) {
        const Index wanted = std::max((Index{1} << 20) / V, 3 * D);
        const Index most = std::clamp((Index{6} << 20) / V, Index{panel}, Index{512});
        return round_up(std::min(wanted, most) - panel + 1, panel);
    }

    // The part's positions, sorted by the slice of their targets.
    void sort_targets() {
        std::fill_n(starts_.data(), head_.slices() + 1, 0);
        for (Index n = 0; n < M_; ++n) ++starts_[head_.slice_of(targets_[n])];
        Index before = 0;
        for (Index s = 0; s <= head_.slices(); ++s) starts_[s] = before += starts_[s];
        for (Index n = M_ - 1; n >= 0; --n) order_[--starts_[head_.slice_of(targets_[n])]] = n;
    }

    // Add up the slices' sums for some columns, and write them as rows. What the targets' logits add
    // comes last.
    void input_gradients(Index n, Index rows, Vec shares, const float* parameters,
                         float* d_x_MD) const {
        const Index N = columns_.N, width = panel_width(n, N);
        for (Index i = 0; i < D_; i += lanes) {
            Vec sums[lanes] = {};
            for (Index s = 0; s < head_.slices(); ++s) {
                const float* from = columns_.d_x_SDN + s * D_ * N + in_panels(i, n, D_, N);
                const Vec factor = load(columns_.tops_SN + s * N + n);
                for (Index k = 0; k < lanes; ++k) sums[k] += load(from + k * width) * factor;
            }
            for (Vec& sum : sums) sum *= shares;
            exchange_rows(sums);
            for (Index m = 0; m < rows; ++m)
                store(d_x_MD + (n + m) * D_ + i,
                      sums[m] - head_.weights(targets_[n + m], i, parameters) * factors_[n + m]);
        }
    }

    // Sums over positions of powers times scaled x, for a panel of columns.
    template <int Vectors>
    void sums(Index v, Index rows, const float* scaled, float* to) const {
        for (Index n = 0; n < M_; n += panel) {
            const Index width = panel_width(n, columns_.N);
            const float* powers = columns_.powers_VN + n * layout_.V + v * width;
            for (Index i = 0; i < rows * width; i += line)
                prefetch_far(powers + LargeHead::block * width + i);
            strip<Vectors>(rows, powers, width, 1, scaled + n * D_, D_, std::min(width, M_ - n), to,
                           Vectors * lanes, n > 0);
        }
    }

    const Layout& layout_;
    const LargeHead& head_;
    const Index D_, most_;
    Index capacity_ = 0, threads_ = 0, M_ = 0;
    PositionColumns columns_{};
    const float* x_ = nullptr;
    float *shares_ = nullptr, *factors_ = nullptr;
    Buffer memory_;
    mutable Buffer scaled_;
    Array<std::int32_t> targets_;
    Array<Index> order_, starts_;
};

}  // namespace microgpt::MICROGPT_BUILD
