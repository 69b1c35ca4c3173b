// Sums over predictions by their log-odds, for a reliability diagram.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

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

}  // namespace microgpt::MICROGPT_BUILD
