// Tools of the checks: draw numbers, compare gradients, report errors.
#pragma once

#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "vectors.hpp"

namespace microgpt::MICROGPT_BUILD {
namespace {

using Floats = std::vector<float>;
std::mt19937 generator(1);
int failures = 0;

void report(const std::string& what, double error, double limit) {
    const bool holds = error <= limit;
    std::printf("%s %-44s %.2e (at most %.0e)\n", holds ? "  " : "NO", what.c_str(), error, limit);
    failures += !holds;
}

// Rows of which the first `real` numbers are drawn, and padding is zero. A whole vector may be read
// from the last number on.
Floats rows(Index count, Index wide, Index real, double spread = 1.0) {
    std::normal_distribution<double> draw(0.0, spread);
    Floats numbers(static_cast<std::size_t>(count * wide + 16));
    for (Index r = 0; r < count; ++r)
        for (Index i = 0; i < real; ++i)
            numbers[static_cast<std::size_t>(r * wide + i)] = static_cast<float>(draw(generator));
    return numbers;
}

inline double dot(const Floats& x, const Floats& y) {
    double total = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) total += static_cast<double>(x[i]) * y[i];
    return total;
}

// Compare gradients with central differences of value(), number by number, where x is not zero:
// padding has no gradient. Errors are relative to the largest gradient.
template <class Value>
void compare(const std::string& what, Floats& x, const Floats& gradients, Value value) {
    constexpr float h = 1.0f / 64;
    double worst = 0.0, largest = 1e-30;
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (x[i] == 0.0f) continue;
        const float before = x[i];
        const float up = before + h, down = before - h;
        x[i] = up;
        const double above = value();
        x[i] = down;
        const double below = value();
        x[i] = before;
        const double difference = (above - below) / (static_cast<double>(up) - down);
        worst = std::fmax(worst, std::fabs(difference - static_cast<double>(gradients[i])));
        largest = std::fmax(largest, std::fabs(difference));
    }
    report(what, worst / largest, 2e-3);
}

std::string sizes(const char* name, std::initializer_list<Index> numbers) {
    std::string text = name;
    for (const Index n : numbers) text.append(" ").append(std::to_string(n));
    return text;
}

}  // namespace
}  // namespace microgpt::MICROGPT_BUILD
