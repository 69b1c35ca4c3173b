// An engine and documents for the programs that race it, fork it and let it run out of memory.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <vector>

#include "shared.hpp"

namespace microgpt {

using Doubles = std::vector<double>;
using Floats = std::vector<float>;

inline void expect(bool holds, const char* what) {
    if (holds) return;
    std::printf("NO %s\n", what);
    std::exit(1);
}

// Documents of one to block_size positions, and steps of eight of them.
struct Texts {
    explicit Texts(Index count) {
        for (Index d = 0; d < count; ++d) {
            for (Index t = 0; t <= d * 7 % 12; ++t)
                tokens.push_back(static_cast<std::int32_t>((d + t * t) % 11));
            offsets.push_back(static_cast<Index>(tokens.size()));
            if ((d + 1) % 8 == 0) steps.push_back(d + 1);
        }
    }
    Index positions() const { return static_cast<Index>(tokens.size()); }
    Index n_steps() const { return static_cast<Index>(steps.size()) - 1; }
    Documents all() const {
        return {tokens.data(), tokens.data(), offsets.data(),
                static_cast<Index>(offsets.size()) - 1};
    }

    std::vector<std::int32_t> tokens;
    std::vector<Index> offsets{0}, steps{0};
};

// Heads that fill no vectors, so that what lies beside them is near.
inline const Shape shape{11,    12,   2,    2,     20, true, Objective::cross_entropy,
                         100.0, true, true, 1e-5f};
inline const Optimizer optimizer{0.85, 0.99, 1e-8, 2.0,    0.95, 0.1, 0.1,
                                 1,    {3.4445, -4.775, 2.0315}, 5, 1e-7};

// An engine on numbers that are none of them 0.
struct Example {
    explicit Example(Index threads) : engine("portable", shape, optimizer, threads) { load(); }

    void load() {
        const auto size = static_cast<std::size_t>(engine.size());
        Floats numbers(size);
        const Floats zeros(size);
        for (std::size_t i = 0; i < size; ++i)
            numbers[i] = 0.3f * (static_cast<float>(i * 7919 % 1000) / 500.0f - 1.0f);
        engine.load(numbers.data(), zeros.data(), zeros.data(), 0);
    }
    Doubles losses(const Texts& texts) {
        Doubles losses_N(texts.tokens.size());
        engine.losses(texts.all(), texts.positions(), texts.positions(), losses_N.data());
        return losses_N;
    }
    Doubles logits(const Texts& texts) {
        Doubles logits_NV(texts.tokens.size() * static_cast<std::size_t>(shape.vocab_size));
        engine.logits(texts.all(), texts.positions(), logits_NV.data());
        return logits_NV;
    }
    Doubles gradients(const Texts& texts) {
        Doubles d_parameters(static_cast<std::size_t>(engine.size()));
        engine.gradients(texts.all(), texts.positions(), texts.positions(), d_parameters.data());
        return d_parameters;
    }
    Doubles train(const Texts& texts) {
        const Doubles rates(texts.steps.size() - 1, 1e-3);
        Doubles nats_K(rates.size());
        engine.train(texts.all(), texts.positions(), texts.positions(), texts.steps.data(),
                     texts.n_steps(), rates.data(), nats_K.data());
        return nats_K;
    }
    // All that training changes, the number of updates last.
    Floats state() {
        const auto size = static_cast<std::size_t>(engine.size());
        Floats numbers(3 * size + 1);
        float* const all = numbers.data();
        numbers.back() = static_cast<float>(engine.state(all, all + size, all + 2 * size));
        return numbers;
    }

    SharedEngine engine;
};

}  // namespace microgpt
