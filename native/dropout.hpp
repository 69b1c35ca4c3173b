// Dropout, as defined in src/microgpt/model/dropout.py: a hash of a number's place in model and
// batch decides whether it is dropped, so that threads, pieces and builds agree.
#pragma once

#include "vectors.hpp"

namespace microgpt::MICROGPT_BUILD {

// The hash function of dropout.py, for one number or for a vector of them.
inline std::uint32_t mix(std::uint32_t x) {
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

inline Words mix(Words x) {
    x = (x ^ x >> 16) * 0x7feb352du;
    x = (x ^ x >> 15) * 0x846ca68bu;
    return x ^ x >> 16;
}

class Dropout {
  public:
    Dropout(double probability, std::uint32_t seed, Index update)
        : probability_(probability), key_(mix(mix(seed) ^ static_cast<std::uint32_t>(update))),
          threshold_(static_cast<std::int32_t>(std::nearbyint(probability * 2147483648.0))) {}

    // How many positions of the batch come before the current piece.
    Index first = 0;

    float scale() const { return static_cast<float>(1.0 / (1.0 - probability_)); }
    float root_scale() const { return static_cast<float>(std::sqrt(1.0 / (1.0 - probability_))); }

    // Drop or scale the numbers of M rows, from row n of the piece on: `wide` channels each,
    // `width` of them without padding. `place` says where in the model, as in dropout.py.
    void apply(Index place, Index n, Index M, Index wide, Index width, float scale,
               float* x) const {
        Words channels;
        for (int i = 0; i < lanes; ++i) channels[i] = static_cast<std::uint32_t>(i);
        const std::uint32_t key = mix(key_ ^ static_cast<std::uint32_t>(place));
        for (Index m = 0; m < M; ++m, x += wide) {
            const auto row = key + static_cast<std::uint32_t>((first + n + m) * width);
            for (Index i = 0; i < wide; i += lanes) {
                const Words hash = mix(channels + (row + static_cast<std::uint32_t>(i))) >> 1;
                const Ints is_kept = reinterpret_cast<Ints>(hash) >= threshold_;
                store(x + i, is_kept ? load(x + i) * scale : Vec{});
            }
        }
    }

  private:
    const double probability_;
    const std::uint32_t key_;
    const std::int32_t threshold_;
};

}  // namespace microgpt::MICROGPT_BUILD
