// Muon's update of one matrix, as src/microgpt/optim.py has it: the singular values of its slopes
// are brought near 1 by products alone.
#pragma once

#include "gradients.hpp"

namespace microgpt::MICROGPT_BUILD {

class Muon {
  public:
    Muon(const Optimizer& optimizer, double lr)
        : optimizer_(optimizer), rate_(lr * optimizer.muon),
          keep_(static_cast<float>(optimizer.momentum)),
          take_(static_cast<float>(1.0 - optimizer.momentum)) {}

    // How many numbers a thread needs for the largest matrix, of (F, D).
    static Index scratch(Index D, Index F) { return 2 * F * D + 2 * D * D; }

    void operator()(const Matrix& part, const float* slopes, const Buffers& b,
                    float* scratch) const {
        // Tall: n rows of k, the longer side down.
        const bool is_wide = part.rows < part.weight.columns;
        const Index n = is_wide ? part.weight.columns : part.rows;
        const Index k = is_wide ? part.rows : part.weight.columns;
        float *x = scratch, *next = x + n * k, *gram = next + n * k, *mixed = gram + k * k;
        const float norm = look_ahead(part, slopes, b, x, is_wide, k);
        for (Index i = 0; i < n * k; i += lanes) store(x + i, load(x + i) * norm);
        const auto a = static_cast<float>(optimizer_.polynomial[0]);
        const auto b_ = static_cast<float>(optimizer_.polynomial[1]);
        const auto c = static_cast<float>(optimizer_.polynomial[2]);
        for (Index i = 0; i < optimizer_.iterations; ++i) {
            multiply_rows(k, n, k, x, 1, k, x, k, gram, k);
            multiply_rows(k, k, k, gram, k, 1, gram, k, mixed, k);
            for (Index j = 0; j < k * k; j += lanes)
                store(mixed + j, load(gram + j) * b_ + load(mixed + j) * c);
            for (Index j = 0; j < k; ++j) mixed[j * k + j] += a;
            multiply_rows(n, k, k, x, k, 1, mixed, k, next, k);
            float* const last = x;
            x = next;
            next = last;
        }
        const double tall = static_cast<double>(part.out) / static_cast<double>(part.in);
        const double stretch = tall > 1.0 ? std::sqrt(tall) : 1.0;
        move(part, x, is_wide, k, static_cast<float>(rate_ * stretch), b);
    }

  private:
    // Visit the part in squares of lanes by lanes: f(where it is in the buffers, how far from row
    // to row there, where it is in the tall matrix).
    template <class F>
    static void squares(const Matrix& part, bool is_wide, Index k, F f) {
        const Weight& w = part.weight;
        for (Index row = 0; row < part.rows; row += lanes)
            for (Index column = 0; column < w.columns; column += lanes)
                f(w.at + in_panels(part.first + row, column, w.rows, w.columns),
                  panel_width(column, w.columns),
                  is_wide ? column * k + row : row * k + column);
    }

    // Momentum; its look ahead goes into x. Returns one over its norm.
    float look_ahead(const Matrix& part, const float* slopes, const Buffers& b, float* x,
                     bool is_wide, Index k) const {
        double squares_sum = 0.0;
        float square[lanes * lanes];
        squares(part, is_wide, k, [&](Index at, Index step, Index to) {
            Vec total{};
            for (Index r = 0; r < lanes; ++r) {
                const Vec g = load(slopes + at + r * step) * take_;
                const Vec m = load(b.m + at + r * step) * keep_ + g;
                const Vec ahead = m * keep_ + g;
                store(b.m + at + r * step, m);
                total += ahead * ahead;
                store(is_wide ? square + r * lanes : x + to + r * k, ahead);
            }
            squares_sum += static_cast<double>(sum(total));
            if (is_wide) transpose(square, lanes, x + to, k);
        });
        return static_cast<float>(1.0 / (std::sqrt(squares_sum) + optimizer_.smallest_norm));
    }

    void move(const Matrix& part, const float* x, bool is_wide, Index k, float rate,
              const Buffers& b) const {
        const auto shrinks = static_cast<float>(1.0 - rate_ * optimizer_.weight_decay);
        float square[lanes * lanes];
        squares(part, is_wide, k, [&](Index at, Index step, Index from) {
            if (is_wide) transpose(x + from, k, square, lanes);
            for (Index r = 0; r < lanes; ++r) {
                const Vec turn = load(is_wide ? square + r * lanes : x + from + r * k);
                float* p = b.parameters + at + r * step;
                store(p, load(p) * shrinks - turn * rate);
            }
        });
    }

    const Optimizer& optimizer_;
    const double rate_;
    const float keep_, take_;
};

// What one step does with slopes: those of the layers may be used otherwise than the rest.
struct Updates {
    Update rest, hidden;
    Muon muon;
    const bool by_muon;

    Updates(const Optimizer& optimizer, double lr, Index update)
        : rest(optimizer, lr, update), hidden(optimizer, lr, update, optimizer.weight_decay),
          muon(optimizer, lr), by_muon(optimizer.muon > 0.0) {}
};

}  // namespace microgpt::MICROGPT_BUILD
