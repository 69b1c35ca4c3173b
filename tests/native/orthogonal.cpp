// Symmetric products against whole ones, bit by bit; Newton-Schulz iterations against the same in
// double precision, one after the other, for matrices whose singular values are far apart.
// test_native_operations.py compiles this for each build.
#include "newton_schulz.hpp"
#include "compare.hpp"

namespace microgpt::MICROGPT_BUILD {
namespace {

using Doubles = std::vector<double>;

const Optimizer muon{0.85, 0.99, 1e-8, 2.0, 0.95, 0.0, 0.0, 1, {3.4445, -4.775, 2.0315}, 5, 1e-7};

// C (M x N) = A (M x K) B, with element (m, k) of A at a[m * a_row + k * a_step].
Doubles product(Index M, Index K, Index N, const Doubles& a, Index a_row, Index a_step,
                const Doubles& b) {
    Doubles c(static_cast<std::size_t>(M * N));
    for (Index m = 0; m < M; ++m)
        for (Index k = 0; k < K; ++k)
            for (Index i = 0; i < N; ++i)
                c[static_cast<std::size_t>(m * N + i)] +=
                    a[static_cast<std::size_t>(m * a_row + k * a_step)] *
                    b[static_cast<std::size_t>(k * N + i)];
    return c;
}

void symmetric(Index k, Index K) {
    const Floats a = rows(K, k, k);
    Floats whole = rows(k, k, 0), half = whole, square = whole;
    multiply_rows(k, K, k, a.data(), 1, k, a.data(), k, whole.data(), k);
    multiply_symmetric(k, K, a.data(), 1, k, a.data(), half.data());
    report(sizes("a^T a, columns rows", {k, K}), whole == half ? 0 : 1, 0);
    multiply_rows(k, k, k, half.data(), k, 1, half.data(), k, whole.data(), k);
    multiply_symmetric(k, k, half.data(), k, 1, half.data(), square.data());
    report(sizes("its square, rows", {k}), whole == square ? 0 : 1, 0);
}

// A product of random matrices, the columns between them scaled from 1 down to 10^-decades; its
// norm is 1.
void orthogonalised(Index n, Index k, Index rank, double decades) {
    const Floats left = rows(n, k, rank), right = rows(k, k, k);
    Doubles a, b(right.begin(), right.end());
    for (Index i = 0; i < n * k; ++i)
        a.push_back(static_cast<double>(left[static_cast<std::size_t>(i)]) *
                    std::pow(10.0, -decades * static_cast<double>(i % k) / static_cast<double>(k)));
    Doubles x = product(n, k, k, a, k, 1, b);
    double squares = 0.0;
    for (const double number : x) squares += number * number;
    Floats scratch(static_cast<std::size_t>(NewtonSchulz::scratch(n, k)) + 16);
    for (std::size_t i = 0; i < x.size(); ++i) {
        scratch[i] = static_cast<float>(x[i] / (std::sqrt(squares) + muon.smallest_norm));
        x[i] = static_cast<double>(scratch[i]);
    }
    const float* found = NewtonSchulz(muon)(n, k, scratch.data());
    for (Index iteration = 0; iteration < muon.iterations; ++iteration) {
        const Doubles gram = product(k, n, k, x, 1, k, x);
        Doubles polynomial = product(k, k, k, gram, k, 1, gram);
        for (std::size_t i = 0; i < gram.size(); ++i)
            polynomial[i] = muon.polynomial[1] * gram[i] + muon.polynomial[2] * polynomial[i];
        for (Index i = 0; i < k; ++i)
            polynomial[static_cast<std::size_t>(i * k + i)] += muon.polynomial[0];
        x = product(n, k, k, x, k, 1, polynomial);
    }
    double worst = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i)
        worst = std::fmax(worst, std::fabs(x[i] - static_cast<double>(found[i])));
    report(sizes("orthogonalised, rows columns rank decades",
                 {n, k, rank, static_cast<Index>(decades)}), worst, 2e-5);
}

int check() {
    for (const Index k : {lanes, 2 * lanes, 3 * lanes, 4 * lanes})
        for (const Index K : {Index{1}, Index{33}, 4 * Index{k}}) symmetric(k, K);
    for (const Index n : {32, 64, 128})
        for (const double decades : {0.0, 2.0, 4.0, 8.0}) orthogonalised(n, 32, 32, decades);
    orthogonalised(192, 48, 48, 4.0), orthogonalised(256, 64, 64, 4.0);
    orthogonalised(128, 32, 1, 0.0), orthogonalised(128, 32, 0, 0.0);
    return failures != 0;
}

}  // namespace
}  // namespace microgpt::MICROGPT_BUILD

int main() { return microgpt::MICROGPT_BUILD::check(); }
