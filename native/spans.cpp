#include "spans.hpp"

#include <cmath>
#include <limits>

namespace microgpt {

void spans(const double* losses_N, const Index* texts, Index count, double usual, double units,
           double most, Index* starts_D, Index* stops_D) noexcept {
    for (Index d = 0; d < count; ++d) {
        Index sum = 0, lowest = 0, first = texts[d];
        Index best = std::numeric_limits<Index>::min();
        for (Index n = texts[d]; n < texts[d + 1]; ++n) {
            // A span that ends here best begins at the lowest sum so far; of equal ones, at the
            // last.
            if (sum <= lowest) lowest = sum, first = n;
            double over = losses_N[n] - usual;
            over = over > -most ? over : -most;
            over = over < most ? over : most;
            sum += std::llrint(over * units);
            if (sum - lowest <= best) continue;
            best = sum - lowest;
            starts_D[d] = first, stops_D[d] = n + 1;
        }
    }
}

void places(const double* keys, Index K, const double* values_D, Index count,
            Index* places_D) noexcept {
    for (Index d = 0; d < count; ++d) {
        const double value = values_D[d];
        const double* key = keys;
        // No branch depends on a value: the processor would guess half of them wrongly.
        for (Index rest = K; rest > 1;) {
            const Index half = rest / 2;
            key += half & -static_cast<Index>(key[half - 1] < value);
            rest -= half;
        }
        places_D[d] = key - keys + (K > 0 && *key < value);
    }
}

}  // namespace microgpt
