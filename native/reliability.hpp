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

// See `Comparison`. One row at a time, which stays in the first cache, and one group of rows after the
// other, whose table stays in the second.
inline void compare(const Comparison& in, const Outcomes& out) {
    constexpr Index wide = lanes / 2;
    // A bin's four sums lie together: one vector adds to all of them.
    typedef double Four __attribute__((vector_size(32), aligned(8), may_alias));
    const Index V = in.vocab_size, padded = (V + wide - 1) / wide * wide;
    const double scale = static_cast<double>(in.bins - 1) / (2.0 * in.far);
    std::vector<double> row(static_cast<std::size_t>(padded)), scaled(row), squares(row);
    const auto get = [&](Index v) {
        Register found;
        std::memcpy(&found, row.data() + v, sizeof found);
        return found;
    };
    const auto put = [](std::vector<double>& x, Index v, Register y) {
        std::memcpy(x.data() + v, &y, sizeof y);
    };
    const auto bin = [&](Register p) { return (log_odds(p, in.far) + in.far) * scale; };
    const auto sum_lanes = [](Register x) {
        double total = 0.0;
        for (Index i = 0; i < wide; ++i) total += x[i];
        return total;
    };
    for (const Index n : in.order) {
        const std::int32_t target = in.targets_N[n];
        const double* logits = in.logits_NV + n * V;
        std::copy_n(logits, V, row.data());
        // Padding has a probability of 0.
        std::fill(row.begin() + V, row.end(), -HUGE_VAL);
        Register largest = get(0);
        for (Index v = wide; v < padded; v += wide) largest = get(v) > largest ? get(v) : largest;
        double top = largest[0];
        for (Index i = 1; i < wide; ++i) top = std::max(top, largest[i]);
        Index likely = 0;
        while (likely < V - 1 && logits[likely] != top) ++likely;
        out.likely_N[n] = likely;
        out.losses_N[n] = out.p_target_N[n] = out.squares_N[n] = 0.0;
        if (target < 0) continue;

        Register total_V{}, square_V{};
        for (Index v = 0; v < padded; v += wide) {
            const Register e = exp(get(v) - top);
            put(row, v, e);
            total_V += e;
        }
        const double total = sum_lanes(total_V);
        for (Index v = 0; v < padded; v += wide) {
            const Register p = get(v) / total, square = p * p;
            put(row, v, p);
            put(squares, v, square);
            put(scaled, v, bin(p));
            square_V += square;
        }
        const Index first_bin = in.group_N[n] * in.bins;
        Four* sums_F = reinterpret_cast<Four*>(out.every_GF4) + first_bin;
        for (Index v = 0; v < V; ++v) {
            const auto i = static_cast<std::size_t>(v);
            sums_F[static_cast<std::size_t>(scaled[i])] += Four{1.0, 0.0, row[i], squares[i]};
        }
        const auto t = static_cast<std::size_t>(target);
        sums_F[static_cast<std::size_t>(scaled[t])] += Four{0.0, 1.0, 0.0, 0.0};
        const double p = 1.0 / total, hit = likely == target ? 1.0 : 0.0;
        Four* top_F = reinterpret_cast<Four*>(out.likeliest_GF4) + first_bin;
        top_F[static_cast<std::size_t>(bin(Register{} + p)[0])] += Four{1.0, hit, p, p * p};
        out.losses_N[n] = std::log(total) - (logits[target] - top);
        out.p_target_N[n] = row[t];
        out.squares_N[n] = sum_lanes(square_V);
    }
}

}  // namespace microgpt::MICROGPT_BUILD
