// Muon's update of one matrix, as in src/microgpt/optim.py: the momentum of its gradient, made
// nearly orthogonal.
#pragma once

#include "gradients.hpp"
#include "newton_schulz.hpp"

namespace microgpt::MICROGPT_BUILD {

class Muon {
  public:
    Muon(const Optimizer& optimizer, double lr)
        : optimizer_(optimizer), newton_schulz_(optimizer), rate_(lr * optimizer.muon),
          momentum_(static_cast<float>(optimizer.momentum)),
          one_minus_momentum_(static_cast<float>(1.0 - optimizer.momentum)) {}

    // How many floats of scratch a thread needs for the largest matrix, of (F, D).
    static constexpr Index scratch(Index D, Index F) { return NewtonSchulz::scratch(F, D); }

    void operator()(const TableMatrix& part, const float* gradients, const Buffers& b,
                    float* scratch) const noexcept {
        // The products are of a tall matrix x, n by k with n >= k: a wide part is transposed.
        const bool is_wide = part.rows < part.weight.columns;
        const Index n = is_wide ? part.weight.columns : part.rows;
        const Index k = is_wide ? part.rows : part.weight.columns;
        const float inverse_norm = nesterov(part, gradients, b, scratch, is_wide, k);
        for (Index i = 0; i < n * k; i += lanes)
            store(scratch + i, load(scratch + i) * inverse_norm);
        const float* x = newton_schulz_(n, k, scratch);
        const double tall = static_cast<double>(part.out) / static_cast<double>(part.in);
        const double stretch = tall > 1.0 ? std::sqrt(tall) : 1.0;
        apply(part, x, is_wide, k, static_cast<float>(rate_ * stretch), b);
    }

  private:
    // Visit the part in squares of lanes by lanes: f(offset in the buffers, distance from row to
    // row there, offset in the tall matrix).
    template <class F>
    static void squares(const TableMatrix& part, bool is_wide, Index k, F f) {
        const Weight& w = part.weight;
        for (Index row = 0; row < part.rows; row += lanes)
            for (Index column = 0; column < w.columns; column += lanes)
                f(w.at + in_panels(part.first + row, column, w.rows, w.columns),
                  panel_width(column, w.columns),
                  is_wide ? column * k + row : row * k + column);
    }

    // Update the momentum; write Nesterov's step into x; return one over its norm.
    float nesterov(const TableMatrix& part, const float* gradients, const Buffers& b, float* x,
                   bool is_wide, Index k) const {
        double squares_sum = 0.0;
        float square[lanes * lanes];
        squares(part, is_wide, k, [&](Index at, Index step, Index to) {
            Vec total{};
            for (Index r = 0; r < lanes; ++r) {
                const Vec g = load(gradients + at + r * step) * one_minus_momentum_;
                const Vec m = load(b.m + at + r * step) * momentum_ + g;
                const Vec ahead = m * momentum_ + g;
                store(b.m + at + r * step, m);
                total += ahead * ahead;
                store(is_wide ? square + r * lanes : x + to + r * k, ahead);
            }
            squares_sum += static_cast<double>(sum(total));
            if (is_wide) transpose_square(square, lanes, x + to, k);
        });
        return static_cast<float>(1.0 / (std::sqrt(squares_sum) + optimizer_.smallest_norm));
    }

    // Move the parameters by -rate times the orthogonalised update x, after weight decay.
    void apply(const TableMatrix& part, const float* x, bool is_wide, Index k, float rate,
               const Buffers& b) const {
        const auto decay = static_cast<float>(1.0 - rate_ * optimizer_.weight_decay);
        float square[lanes * lanes];
        squares(part, is_wide, k, [&](Index at, Index step, Index from) {
            if (is_wide) transpose_square(x + from, k, square, lanes);
            for (Index r = 0; r < lanes; ++r) {
                const Vec update = load(is_wide ? square + r * lanes : x + from + r * k);
                float* p = b.parameters + at + r * step;
                store(p, load(p) * decay - update * rate);
            }
        });
    }

    const Optimizer& optimizer_;
    const NewtonSchulz newton_schulz_;
    const double rate_;
    const float momentum_, one_minus_momentum_;
};

// The updates of one step: Adam's for embeddings and head; for the layers' matrices Muon's, or
// Adam's with weight decay.
struct StepUpdates {
    AdamUpdate rest, hidden;
    Muon muon;
    const bool uses_muon;

    StepUpdates(const Optimizer& optimizer, double lr, Index update)
        : rest(optimizer, lr, update), hidden(rest.with_decay(lr * optimizer.weight_decay)),
          muon(optimizer, lr), uses_muon(optimizer.muon > 0.0) {}
};

}  // namespace microgpt::MICROGPT_BUILD
