// A matrix made nearly orthogonal by products alone: its singular values are brought near 1, as in
// src/microgpt/optim.py (Newton-Schulz).
#pragma once

#include "products.hpp"

namespace microgpt::MICROGPT_BUILD {

// C (k x k) = A (k x K) B, which is known to be symmetric: only the squares of `lanes` on and above
// the diagonal are computed; those below are mirrored. B in ordinary rows of k, A with any strides.
inline void multiply_symmetric(Index k, Index K, const float* a, Index a_row, Index a_step,
                               const float* b, float* c) noexcept {
    Index first = 0;
    for (; first + panel <= k; first += panel) {
        const Index last = first + lanes;
        strip<panel_vectors>(last, a, a_row, a_step, b + first, k, K, c + first, k, false);
        strip<1>(lanes, a + last * a_row, a_row, a_step, b + last, k, K, c + last * k + last, k,
                 false);
    }
    if (first < k) strip<1>(k, a, a_row, a_step, b + first, k, K, c + first, k, false);
    for (Index row = lanes; row < k; row += lanes)
        for (Index column = 0; column < row; column += lanes)
            transpose_square(c + column * k + row, k, c + row * k + column, k);
}

class NewtonSchulz {
  public:
    explicit NewtonSchulz(const Optimizer& optimizer) noexcept
        : a_(static_cast<float>(optimizer.polynomial[0])),
          b_(static_cast<float>(optimizer.polynomial[1])),
          c_(static_cast<float>(optimizer.polynomial[2])), iterations_(optimizer.iterations) {}

    // How many floats of scratch an n by k matrix needs, itself included.
    static constexpr Index scratch(Index n, Index k) { return 2 * n * k + 4 * k * k; }

    // From x (n x k, n >= k), at the beginning of scratch, to the returned matrix, in scratch too.
    //
    // An iteration is x <- x p(g), where g = x^T x is x's Gram matrix and p(g) = a + b g + c g^2.
    // The next Gram matrix is g p(g)^2; all of these commute and are symmetric. So x p1 p2 p3 needs
    // products of k by k matrices, and of the tall matrix only the first and the last one. But not
    // for all five iterations at once: rounding errors of g grow with each of them where singular
    // values are far apart. With three and two the error is that of one at a time, below 1e-5 even
    // where they are 10^8 apart; with five it is 1e-4 to 3e-3 (tests/native/orthogonal.cpp).
    float* operator()(Index n, Index k, float* scratch) const noexcept {
        float *x = scratch, *next = x + n * k, *gram = next + n * k;
        float *product = gram + k * k, *factor = product + k * k, *spare = factor + k * k;
        // A square matrix gains nothing.
        const Index together = n > k ? 3 : 1;
        for (Index i = 0; i < iterations_; ++i) {
            const bool is_first = i % together == 0;
            const bool is_last = (i + 1) % together == 0 || i + 1 == iterations_;
            float* const p = is_first ? product : factor;
            if (is_first) multiply_symmetric(k, n, x, 1, k, x, gram);
            write_polynomial(k, gram, p);
            if (!is_last) {
                multiply_symmetric(k, k, gram, k, 1, p, spare);
                multiply_symmetric(k, k, spare, k, 1, p, gram);
            }
            if (!is_first) {
                multiply_symmetric(k, k, product, k, 1, p, spare);
                std::swap(product, spare);
            }
            if (is_last) {
                multiply_rows(n, k, k, x, k, 1, product, k, next, k);
                std::swap(x, next);
            }
        }
        return x;
    }

  private:
    // p = a + b g + c g^2.
    void write_polynomial(Index k, const float* gram, float* p) const noexcept {
        multiply_symmetric(k, k, gram, k, 1, gram, p);
        for (Index i = 0; i < k * k; i += lanes)
            store(p + i, load(gram + i) * b_ + load(p + i) * c_);
        for (Index i = 0; i < k; ++i) p[i * k + i] += a_;
    }

    const float a_, b_, c_;
    const Index iterations_;
};

}  // namespace microgpt::MICROGPT_BUILD
