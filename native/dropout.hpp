// What a step of training leaves out, as src/microgpt/model/dropout.py says: a hash of where a number
// stands, so that threads, pieces and builds agree.
#pragma once

#include "vectors.hpp"

namespace microgpt::MICROGPT_BUILD {

// The hash of that page, for one number or for a vector of them.
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

class Dropping {
  public:
    Dropping(double share, std::uint32_t seed, Index update)
        : share_(share), key_(mix(mix(seed) ^ static_cast<std::uint32_t>(update))),
          least_(static_cast<std::int32_t>(std::nearbyint(share * 2147483648.0))) {}

    // How many positions of the step come before those worked on now.
    Index first = 0;

    float scale() const { return static_cast<float>(1.0 / (1.0 - share_)); }
    float root_scale() const { return static_cast<float>(std::sqrt(1.0 / (1.0 - share_))); }

    // Scale what is kept of M rows, from row n on, of `wide` channels, `width` without padding.
    void operator()(Index place, Index n, Index M, Index wide, Index width, float scale,
                    float* x) const {
        Words counting;
        for (int i = 0; i < lanes; ++i) counting[i] = static_cast<std::uint32_t>(i);
        const std::uint32_t key = mix(key_ ^ static_cast<std::uint32_t>(place));
        for (Index m = 0; m < M; ++m, x += wide) {
            const auto row = key + static_cast<std::uint32_t>((first + n + m) * width);
            for (Index i = 0; i < wide; i += lanes) {
                const Words hash = mix(counting + (row + static_cast<std::uint32_t>(i))) >> 1;
                const Ints keeps = reinterpret_cast<Ints>(hash) >= least_;
                store(x + i, keeps ? load(x + i) * scale : Vec{});
            }
        }
    }

  private:
    const double share_;
    const std::uint32_t key_;
    const std::int32_t least_;
};

}  // namespace microgpt::MICROGPT_BUILD
