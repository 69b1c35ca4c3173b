// The loss and its gradient, as in src/microgpt/loss, for rows of logits.
#pragma once

#include "layout.hpp"

namespace microgpt::MICROGPT_BUILD {

// The factor by which an objective's gradient differs from cross-entropy's: see
// src/microgpt/loss/objectives.py.
inline double gradient_factor(Objective objective, double nats) {
    if (objective == Objective::cross_entropy) return 1.0;
    const double p = std::exp(-nats);
    return objective == Objective::linear ? p : -2.0 * p * std::expm1(-nats);
}

// What is added to the last vector of a row, in which all of its padding lies: padding gets no
// probability.
inline Vec no_probability(const Shape& shape, Index V) {
    Vec padding{};
    for (Index v = shape.vocab_size; v < V; ++v) padding[v - (V - lanes)] = -HUGE_VALF;
    return padding;
}

// The largest of a row of logits, to whose last vector the padding is added.
inline float largest(Vec padding, Index V, float* logits_V) {
    store(logits_V + V - lanes, load(logits_V + V - lanes) + padding);
    Vec largest_V = load(logits_V);
    for (Index v = lanes; v < V; v += lanes) largest_V = maximum(load(logits_V + v), largest_V);
    return maximum_lane(largest_V);
}

// losses = log(sum of exp(shifted)) - shifted[target] in nats, where shifted = logits - largest
// logit. The logits are then replaced by their gradients: factor * (probabilities - onehot) *
// scale.
inline void cross_entropy(Index M, const std::int32_t* targets_M, const Shape& shape, Index V,
                          double scale, float* logits_MV, double* losses_M) {
    const Vec padding = no_probability(shape, V);
    // As many rows at a time as a vector has lanes: one vector takes the logarithms of all.
    for (Index first = 0; first < M; first += lanes) {
        const int rows = M - first < lanes ? static_cast<int>(M - first) : lanes;
        Vec totals = splat(1.0f), shifted{};
        for (int m = 0; m < rows; ++m) {
            float* logits = logits_MV + (first + m) * V;
            const float top = largest(padding, V, logits);
            shifted[m] = logits[targets_M[first + m]] - top;
            Vec total_V{};
            for (Index v = 0; v < V; v += lanes) {
                const Vec e = exp(load(logits + v) - top);
                store(logits + v, e);
                total_V += e;
            }
            totals[m] = sum(total_V);
        }
        const Doubles losses = log(totals) - __builtin_convertvector(shifted, Doubles);
        for (int m = 0; m < rows; ++m) losses_M[first + m] = losses[m];
        for (int m = 0; m < rows; ++m) {
            float* logits = logits_MV + (first + m) * V;
            const double factor = gradient_factor(shape.objective, losses_M[first + m]) * scale;
            const float each = static_cast<float>(factor / static_cast<double>(totals[m]));
            for (Index v = 0; v < V; v += lanes) store(logits + v, load(logits + v) * each);
            logits[targets_M[first + m]] -= static_cast<float>(factor);
        }
    }
}

// The two parts of which any target's loss is the difference, to the bit what cross_entropy gives:
// log_totals = log(sum of exp(shifted)), and the logits replaced by shifted.
inline void log_totals(Index M, const Shape& shape, Index V, float* logits_MV,
                       double* log_totals_M) {
    const Vec padding = no_probability(shape, V);
    for (Index first = 0; first < M; first += lanes) {
        const int rows = M - first < lanes ? static_cast<int>(M - first) : lanes;
        Vec totals = splat(1.0f);
        for (int m = 0; m < rows; ++m) {
            float* logits = logits_MV + (first + m) * V;
            const float top = largest(padding, V, logits);
            Vec total_V{};
            for (Index v = 0; v < V; v += lanes) {
                const Vec shifted = load(logits + v) - top;
                store(logits + v, shifted);
                total_V += exp(shifted);
            }
            totals[m] = sum(total_V);
        }
        const Doubles logs = log(totals);
        for (int m = 0; m < rows; ++m) log_totals_M[first + m] = logs[m];
    }
}

}  // namespace microgpt::MICROGPT_BUILD
