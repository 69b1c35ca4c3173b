// The time of each operation of a step alone. In: vocabulary, width, heads, layers, block, and the
// lengths of a batch's documents. Out: microseconds a step of matrix products, attention, Adam and
// all else, the least of many rounds. Each is repeated on the same numbers, so that these lie in
// the nearest cache that holds them. ../phases.py compiles this.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

#include "build.cpp"

namespace microgpt::MICROGPT_BUILD {
namespace {

using Floats = std::vector<float>;

Floats drawn(Index count) {
    static std::mt19937 generator(1);
    std::normal_distribution<float> draw(0.0f, 0.1f);
    Floats numbers(static_cast<std::size_t>(count + 64));
    for (float& number : numbers) number = draw(generator);
    return numbers;
}

// Microseconds of f(), the least of the rounds.
template <class F>
double least(F f) {
    using Clock = std::chrono::steady_clock;
    double best = 1e9;
    Index times = 1;
    for (int round = 0; round < 40; ++round) {
        const auto began = Clock::now();
        for (Index i = 0; i < times; ++i) f();
        const double took = std::chrono::duration<double>(Clock::now() - began).count();
        best = std::min(best, took / static_cast<double>(times));
        if (took < 1e-3) times *= 2, --round;
    }
    return best * 1e6;
}

void measure(const Shape& shape, const std::vector<Index>& ends) {
    const Layout layout(shape);
    const Attention attention(layout);
    const Index N = ends.back(), D = layout.D, F = layout.F, V = layout.V, L = shape.n_layer;
    const Documents batch{nullptr, nullptr, ends.data(), static_cast<Index>(ends.size()) - 1};
    // Subnormal numbers are slow: they are zero here, as in the engine's threads.
    const FlushDenormals flush;
    Floats parameters = drawn(layout.size()), transposed = parameters;
    Floats m = drawn(layout.size()), v = m, d = m;
    for (float& one : v) one *= one;
    const Buffers buffers{parameters.data(), transposed.data(), m.data(), v.data()};
    Chunks chunks;
    chunks.cut(batch, D);

    // What a product writes another reads. The weights are small, so that numbers do not grow.
    Floats x = drawn(N * D), y = x, qkv = drawn(N * 3 * D);
    Floats hidden = drawn(N * F), logits = drawn(N * V);
    const double products = least([&] {
        const float *p = parameters.data(), *t = transposed.data();
        const auto all = [&](const Weight& w, float* in, float* out) {
            linear(N, in, w, t, out);
            linear_backward(N, out, w, p, in);
            for (Index row = 0; row < w.rows; row += lanes)
                WeightRows{w, row, out, in}.all(chunks, GradientUse{}, buffers, d.data());
        };
        for (Index l = 0; l < L; ++l) {
            const Layer w = layout.layer(l);
            all(w.qkv, x.data(), qkv.data()), all(w.wo, x.data(), y.data());
            all(w.fc1, y.data(), hidden.data()), all(w.fc2, hidden.data(), x.data());
        }
        all(layout.lm_head, x.data(), logits.data());
    });

    const Index each = 2 * attention.probabilities_a_position(shape.block_size);
    Floats probabilities = drawn(N * each), scratch = drawn(attention.scratch(shape.block_size));
    Floats out = drawn(N * D), d_out = drawn(N * D), d_qkv = drawn(N * 3 * D);
    qkv = drawn(N * 3 * D);
    const double attended = least([&] {
        for (Index i = 0; i < L * batch.count; ++i) {
            const Index at = batch.offsets[i % batch.count], T = batch.length(i % batch.count);
            float *rows = qkv.data() + at * 3 * D, *kept = probabilities.data() + at * each;
            attention.causal_attention(T, 0, rows, kept, scratch.data(), out.data() + at * D);
            attention.causal_attention_backward(T, rows, kept, out.data() + at * D, 1.0f,
                                                d_out.data() + at * D, scratch.data(),
                                                d_qkv.data() + at * 3 * D);
        }
    });

    const AdamUpdate update({0.85, 0.99, 1e-8}, 1e-9, 1000);
    const Floats gradients = drawn(layout.size());
    const double adam = least([&] {
        update(layout.size(), gradients.data(), buffers, 0);
        write_transposed(layout, parameters.data(), transposed.data(), true);
    });

    std::vector<std::int32_t> tokens;
    for (Index n = 0; n < N; ++n)
        tokens.push_back(static_cast<std::int32_t>(n * n % shape.vocab_size));
    const Documents read{tokens.data(), tokens.data(), batch.offsets, batch.count};
    std::vector<double> losses(static_cast<std::size_t>(N));
    TokenOrder order(shape.vocab_size);
    order.reserve(N);
    Floats scales = drawn(N), wide = drawn(N * F), d_wide = wide, z = drawn(N * V), d_z = z;
    const double others = least([&] {
        for (Index i = 0; i < batch.count; ++i)
            embed(batch.length(i), tokens.data() + batch.offsets[i], parameters.data(),
                  parameters.data() + layout.wpe, 0, D, out.data() + batch.offsets[i] * D);
        for (Index i = 0; i < 2 * L + 1; ++i) {
            rmsnorm(N, shape.n_embd, 1e-5f, x.data(), D, out.data(), scales.data());
            rmsnorm_backward(N, shape.n_embd, d_out.data(), out.data(), scales.data(), D,
                             d_out.data(), y.data());
        }
        for (Index l = 0; l < L; ++l) {
            relu(N * F, wide.data(), nullptr);
            relu_backward(N * F, wide.data(), false, d_wide.data());
        }
        std::copy(z.begin(), z.end(), d_z.begin());
        cross_entropy(N, tokens.data(), shape, V, 1.0, d_z.data(), losses.data());
        order.sort(read);
        token_rows(order, 0, shape.vocab_size, D, y.data(), {}, buffers, d.data());
        position_rows(read, layout.wpe, layout.wpe_rows, D, y.data(), {}, buffers, d.data());
    });
    std::printf("%g %g %g %g\n", products, attended, adam, others);
}

}  // namespace
}  // namespace microgpt::MICROGPT_BUILD

int main(int count, char** words) {
    using namespace microgpt;
    if (count < 7) return 2;
    std::vector<Index> numbers;
    for (int i = 1; i < count; ++i) numbers.push_back(std::atoll(words[i]));
    Shape shape{numbers[0], numbers[4], numbers[3], numbers[2], numbers[1], false,
                Objective::cross_entropy};
    shape.rmsnorm_epsilon = 1e-5f;
    std::vector<Index> ends{0};
    for (std::size_t i = 5; i < numbers.size(); ++i) ends.push_back(ends.back() + numbers[i]);
    MICROGPT_BUILD::measure(shape, ends);
}
