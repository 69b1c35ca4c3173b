// A small training, for processors that an emulator stands in for: gradients against central
// differences of the losses, and two threads against one, bit by bit. test_native_arm.py runs it.
#include <cmath>

#include "examples.hpp"

using namespace microgpt;

namespace {

// The slope of the losses' sum along some directions, twice: by the gradients and by differences.
void gradients_are_slopes() {
    Example example(1);
    const Texts texts(16);
    const Floats start = example.state();
    const Doubles gradients = example.gradients(texts);
    const std::size_t size = gradients.size();
    const Floats zeros(size);
    for (std::size_t seed = 1; seed <= 8; ++seed) {
        Doubles direction(size);
        double slope = 0.0;
        for (std::size_t i = 0; i < size; ++i) {
            direction[i] = static_cast<double>((i * 7919 + seed * 104729) % 1009) / 504.0 - 1.0;
            slope += direction[i] * gradients[i];
        }
        constexpr double h = 1.0 / 1024;
        double sums[2] = {};
        for (const int side : {0, 1}) {
            Floats moved(size);
            for (std::size_t i = 0; i < size; ++i)
                moved[i] = static_cast<float>(static_cast<double>(start[i]) +
                                              (side ? h : -h) * direction[i]);
            example.engine.load(moved.data(), zeros.data(), zeros.data(), 0);
            for (const double loss : example.losses(texts)) sums[side] += loss;
        }
        const double difference = (sums[1] - sums[0]) / (2.0 * h);
        std::printf("   slope %9.4f, by differences %9.4f\n", slope, difference);
        expect(std::fabs(slope - difference) < 1e-3 * std::fabs(slope) + 0.01,
               "a gradient is the slope of the losses");
    }
}

void two_threads_are_one() {
    Example one(1), two(2);
    const Texts texts(64);
    const Doubles before = one.losses(texts);
    expect(two.losses(texts) == before, "two threads compute the losses of one");
    const Doubles first = one.train(texts);
    expect(two.train(texts) == first, "two threads train on the losses of one");
    expect(two.state() == one.state(), "two threads make the updates of one");
    for (int round = 0; round < 4; ++round) one.train(texts);
    double sums[2] = {};
    for (const double loss : before) sums[0] += loss;
    for (const double loss : one.losses(texts)) sums[1] += loss;
    std::printf("   nats %.2f, trained %.2f\n", sums[0], sums[1]);
    expect(sums[1] < 0.95 * sums[0], "training lowers the loss");
}

}  // namespace

int main() {
    gradients_are_slopes(), two_threads_are_one();
    std::puts("ok");
}
