// What is found in the losses of many texts, as src/microgpt/scoring does where this is missing.
// Compiled once for all builds.
#pragma once

#include "shape.hpp"

namespace microgpt {

// The most surprising span of each text d, which has the positions texts[d] to texts[d + 1]: the
// run of positions whose (losses - usual) have the largest sum, see src/microgpt/scoring/spans.py.
// Losses are rounded to 1 / units, and more than `most` from the usual count as `most`.
void spans(const double* losses_N, const Index* texts, Index count, double usual, double units,
           double most, Index* starts_D, Index* stops_D) noexcept;

// The index of the first of K ascending keys that is not below each value.
void places(const double* keys, Index K, const double* values_D, Index count,
            Index* places_D) noexcept;

}  // namespace microgpt
