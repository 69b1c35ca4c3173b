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

// losses = log(sum of exp(shifted)) - shifted[target] in nats, where shifted = logits - largest
// logit. The logits are then replaced by their gradients: factor * (probabilities - onehot) *
// scale. With a scale of 0 the logits stay, but for their padding.
inline void cross_entropy(Index M, const std::int32_t* targets_M, const Shape& shape, Index V,
                          double scale, float* logits_MV, double* losses_M) {
    const bool wants_gradient = scale != 0.0;
    // Padding gets no probability; all of it lies in the last vector.
    Vec padding{};
    for (Index v = shape.vocab_size; v < V; ++v) padding[v - (V - lanes)] = -HUGE_VALF;
    // As many rows at a time as a vector has lanes: one vector takes the logarithms of all.
    for (Index first = 0; first < M; first += lanes) {
        const int rows = M - first < lanes ? static_cast<int>(M - first) : lanes;
        Vec totals = splat(1.0f), shifted{};
        for (int m = 0; m < rows; ++m) {
            float* logits = logits_MV + (first + m) * V;
            store(logits + V - lanes, load(logits + V - lanes) + padding);
            Vec largest_V = load(logits);
            for (Index v = lanes; v < V; v += lanes)
                largest_V = maximum(load(logits + v), largest_V);
            const float top = maximum_lane(largest_V);
            shifted[m] = logits[targets_M[first + m]] - top;
            Vec total_V{};
            for (Index v = 0; v < V; v += lanes) {
                const Vec e = exp(load(logits + v) - top);
                if (wants_gradient) store(logits + v, e);
                total_V += e;
            }
            totals[m] = sum(total_V);
        }
        const Doubles losses = log(totals) - __builtin_convertvector(shifted, Doubles);
        for (int m = 0; m < rows; ++m) losses_M[first + m] = losses[m];
        if (!wants_gradient) continue;
        for (int m = 0; m < rows; ++m) {
            float* logits = logits_MV + (first + m) * V;
            const double factor = gradient_factor(shape.objective, losses_M[first + m]) * scale;
            const float each = static_cast<float>(factor / static_cast<double>(totals[m]));
            for (Index v = 0; v < V; v += lanes) store(logits + v, load(logits + v) * each);
            logits[targets_M[first + m]] -= static_cast<float>(factor);
        }
    }
}

}  // namespace microgpt::MICROGPT_BUILD
