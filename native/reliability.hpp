// Predictions compared with targets, and their sums by log-odds, for a reliability diagram.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "engine.hpp"
#include "vectors.hpp"

namespace microgpt::MICROGPT_BUILD {

// ln(p / (1 - p)), clipped to -far and far. Within 1e-18 of 0 or 1 the odds are beyond e^40.
inline Register log_odds(Register p, double far) {
    const Register none{}, q = 1.0 - p;
    const Register x = log_ratio(p > 1e-18 ? p : none + 1e-18, q > 1e-18 ? q : none + 1e-18);
    const Register above = x > -far ? x : none - far;  // -far for NaN, too
    return above < far ? above : none + far;
}

// Sum up predictions p_N in bins of their log-odds, equally wide from -far to far: number, sum of
// p and sum of p^2; the sums of each bin are added in the order of the predictions. `sums_3F` is
// overwritten.
inline void log_odds_sums(Index N, const double* p_N, double far, Index bins, double* sums_3F) {
    // A bin's three sums lie together: one vector adds to all of them.
    typedef double Four __attribute__((vector_size(32)));
    std::vector<Four> sums_F(static_cast<std::size_t>(bins), Four{});
    constexpr Index at_once = 16 * lanes;
    double scaled[at_once], squares[at_once], given[at_once];
    const double scale = static_cast<double>(bins - 1) / (2.0 * far);
    for (Index first = 0; first < N; first += at_once) {
        const Index n = std::min(at_once, N - first);
        std::copy_n(p_N + first, n, given);
        std::fill(given + n, given + at_once, 0.5);
        for (Index i = 0; i < at_once; i += lanes / 2) {
            Register p;
            std::memcpy(&p, given + i, sizeof p);
            const Register x = (log_odds(p, far) + far) * scale, square = p * p;
            std::memcpy(scaled + i, &x, sizeof x);
            std::memcpy(squares + i, &square, sizeof square);
        }
        for (Index i = 0; i < n; ++i)
            sums_F[static_cast<std::size_t>(scaled[i])] += Four{1.0, given[i], squares[i], 0.0};
    }
    for (Index f = 0; f < bins; ++f)
        for (int k = 0; k < 3; ++k)
            sums_3F[k * bins + f] = sums_F[static_cast<std::size_t>(f)][k];
}

// See `Comparison`. One row at a time, which stays in the first cache.
inline void compare(const Comparison& in, const Outcomes& out) {
    constexpr Index wide = lanes / 2;
    typedef double Four __attribute__((vector_size(32)));
    const Index V = in.vocab_size, padded = (V + wide - 1) / wide * wide;
    const double scale = static_cast<double>(in.bins - 1) / (2.0 * in.far);
    std::vector<Four> sums_F(static_cast<std::size_t>(in.bins), Four{});
    // Padding has a probability of 0.
    std::vector<double> row(static_cast<std::size_t>(padded), -HUGE_VAL), scaled(row), squares(row);
    const auto at = [](std::vector<double>& x, Index v) { return x.data() + v; };
    const auto get = [&](std::vector<double>& x, Index v) {
        Register found;
        std::memcpy(&found, at(x, v), sizeof found);
        return found;
    };
    const auto put = [&](std::vector<double>& x, Index v, Register y) {
        std::memcpy(at(x, v), &y, sizeof y);
    };
    for (Index b = 0; b < in.count; ++b) {
        const Index n = in.rows_B[b];
        const std::int32_t target = in.targets_N[n];
        const double* logits = in.logits_NV + n * V;
        std::copy_n(logits, V, row.data());
        Register largest = get(row, 0);
        for (Index v = wide; v < padded; v += wide) {
            const Register x = get(row, v);
            largest = x > largest ? x : largest;
        }
        double top = largest[0];
        for (Index i = 1; i < wide; ++i) top = std::max(top, largest[i]);
        Index likely = 0;
        while (likely < V - 1 && logits[likely] != top) ++likely;
        out.likely_B[b] = likely;
        out.losses_B[b] = out.p_likely_B[b] = out.p_target_B[b] = out.squares_B[b] = 0.0;
        if (target < 0) continue;

        Register total_V{};
        for (Index v = 0; v < padded; v += wide) {
            const Register e = exp(get(row, v) - top);
            put(row, v, e);
            total_V += e;
        }
        double total = 0.0;
        for (Index i = 0; i < wide; ++i) total += total_V[i];
        Register square_V{};
        for (Index v = 0; v < padded; v += wide) {
            const Register p = get(row, v) / total, square = p * p;
            put(row, v, p);
            put(squares, v, square);
            put(scaled, v, (log_odds(p, in.far) + in.far) * scale);
            square_V += square;
        }
        for (Index v = 0; v < V; ++v) {
            const auto i = static_cast<std::size_t>(v);
            sums_F[static_cast<std::size_t>(scaled[i])] += Four{1.0, 0.0, row[i], squares[i]};
        }
        const auto t = static_cast<std::size_t>(target);
        sums_F[static_cast<std::size_t>(scaled[t])][1] += 1.0;
        double squared = 0.0;
        for (Index i = 0; i < wide; ++i) squared += square_V[i];
        out.losses_B[b] = std::log(total) - (logits[target] - top);
        out.p_likely_B[b] = 1.0 / total;
        out.p_target_B[b] = row[t];
        out.squares_B[b] = squared;
        std::fill(row.begin() + V, row.end(), -HUGE_VAL);
    }
    for (Index f = 0; f < in.bins; ++f)
        for (int k = 0; k < 4; ++k)
            out.sums_4F[k * in.bins + f] = sums_F[static_cast<std::size_t>(f)][k];
}

}  // namespace microgpt::MICROGPT_BUILD
