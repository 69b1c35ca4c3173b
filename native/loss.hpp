// The loss and its slope: src/microgpt/loss, for rows of logits.
#pragma once

#include "layout.hpp"

namespace microgpt::MICROGPT_BUILD {

// The objective's slope is so many times cross-entropy's: see src/microgpt/loss/objectives.py.
inline double weight(Objective objective, double nats) {
    if (objective == Objective::cross_entropy) return 1.0;
    const double p = std::exp(-nats);
    return objective == Objective::linear ? p : -2.0 * p * std::expm1(-nats);
}

// losses = log_total - shifted[target] in nats, the largest logit taken off first; the logits
// become their slopes times `share`: weight * (probabilities - onehot) * share. A share of 0: the
// slopes are not wanted.
inline void cross_entropy(Index M, const std::int32_t* targets_M, const Shape& shape, Index V,
                          double share, float* logits_MV, double* losses_M) {
    const bool has_slopes = share != 0.0;
    // What is padded has no probability: all of it lies in the last vector.
    Vec padding{};
    for (Index v = shape.vocab_size; v < V; ++v) padding[v - (V - lanes)] = -HUGE_VALF;
    // As many rows at a time as one vector holds the logarithms of.
    for (Index first = 0; first < M; first += lanes) {
        const int rows = M - first < lanes ? static_cast<int>(M - first) : lanes;
        Vec totals = splat(1.0f), shifted{};
        for (int m = 0; m < rows; ++m) {
            float* logits = logits_MV + (first + m) * V;
            store(logits + V - lanes, load(logits + V - lanes) + padding);
            Vec largest_V = load(logits);
            for (Index v = lanes; v < V; v += lanes)
                largest_V = larger(load(logits + v), largest_V);
            const float top = largest(largest_V);
            shifted[m] = logits[targets_M[first + m]] - top;
            Vec total_V{};
            for (Index v = 0; v < V; v += lanes) {
                const Vec e = exp(load(logits + v) - top);
                if (has_slopes) store(logits + v, e);
                total_V += e;
            }
            totals[m] = sum(total_V);
        }
        const Doubles losses = log(totals) - __builtin_convertvector(shifted, Doubles);
        for (int m = 0; m < rows; ++m) losses_M[first + m] = losses[m];
        if (!has_slopes) continue;
        for (int m = 0; m < rows; ++m) {
            float* logits = logits_MV + (first + m) * V;
            const double slope = weight(shape.objective, losses_M[first + m]) * share;
            const float each = static_cast<float>(slope / static_cast<double>(totals[m]));
            for (Index v = 0; v < V; v += lanes) store(logits + v, load(logits + v) * each);
            logits[targets_M[first + m]] -= static_cast<float>(slope);
        }
    }
}

}  // namespace microgpt::MICROGPT_BUILD
