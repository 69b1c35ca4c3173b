// The operations of src/microgpt/model as forward/backward pairs, all but attention: rows of
// positions in, rows out. `D` is the padded width, for common widths a compile-time constant.
#pragma once

#include "layout.hpp"

namespace microgpt::MICROGPT_BUILD {

// A width that is the constant Fixed or, if that is 0, known only at run time.
template <int Fixed>
struct Width {
    Index at_run_time;
    operator Index() const { return Fixed ? Fixed : at_run_time; }
};

template <class D_>
inline void embed(Index T, const std::int32_t* tokens_T, const float* wte, const float* wpe,
                  Index start, D_ D, float* x_TD) noexcept {
    for (Index t = 0; t < T; ++t)
        for (Index i = 0; i < D; i += lanes) {
            const Vec token = load(wte + tokens_T[t] * D + i);
            store(x_TD + t * D + i, wpe ? token + load(wpe + (start + t) * D + i) : token);
        }
}

// y = x * scale with scale = (mean square + epsilon)^-1/2; the backward pass reads the scales.
template <class D_>
inline void rmsnorm(Index M, Index n_embd, float epsilon, const float* x_MD, D_ D, float* y_MD,
                    float* scales_M) noexcept {
    for (Index m = 0; m < M; ++m, x_MD += D, y_MD += D) {
        Vec squares{};
        for (Index i = 0; i < D; i += lanes) squares += load(x_MD + i) * load(x_MD + i);
        const float mean = sum(squares) / static_cast<float>(n_embd);
        // If the mean overflows, a scale of 0 would hide it; a loss of NaN stops the training.
        const float scale = mean < HUGE_VALF ? 1.0f / std::sqrt(mean + epsilon) : NAN;
        scales_M[m] = scale;
        for (Index i = 0; i < D; i += lanes) store(y_MD + i, load(x_MD + i) * scale);
    }
}

// dx = (sum or 0) + scale * (dy - y * mean(dy * y)).
template <class D_>
inline void rmsnorm_backward(Index M, Index n_embd, const float* dy_MD, const float* y_MD,
                             const float* scales_M, D_ D, const float* sum_MD,
                             float* dx_MD) noexcept {
    for (Index m = 0; m < M; ++m, dy_MD += D, y_MD += D, dx_MD += D) {
        Vec products{};
        for (Index i = 0; i < D; i += lanes) products += load(dy_MD + i) * load(y_MD + i);
        const float mean = sum(products) / static_cast<float>(n_embd);
        for (Index i = 0; i < D; i += lanes) {
            const Vec before = sum_MD ? load(sum_MD + m * D + i) : Vec{};
            store(dx_MD + i, before + (load(dy_MD + i) - load(y_MD + i) * mean) * scales_M[m]);
        }
    }
}

// y = x W^T, or y + x W^T; `transposed` is the buffer of transposed copies.
[[gnu::always_inline]]
inline void linear(Index M, const float* x, const Weight& w, const float* transposed, float* y,
                   bool add = false) noexcept {
    multiply(M, w.columns, w.rows, x, w.columns, transposed + w.at, y, w.rows, add);
}

// dx = dy W. The gradient of the weight is a sum over the whole batch: see gradients.hpp.
[[gnu::always_inline]]
inline void linear_backward(Index M, const float* dy, const Weight& w, const float* parameters,
                            float* dx) noexcept {
    multiply(M, w.rows, w.columns, dy, w.rows, parameters + w.at, dx, w.columns);
}

// x = max(x, 0) in place. Where `squared` is given it gets the squares, and x stays for the
// backward pass.
inline void relu(Index count, float* x, float* squared) noexcept {
    for (Index i = 0; i < count; i += lanes) {
        const Vec positive = at_least(load(x + i), Vec{});
        store(x + i, positive);
        if (squared) store(squared + i, positive * positive);
    }
}

// `scale` is dropout's factor of x; a dropped x is 0, so that its gradient is 0 too.
inline void relu_backward(Index count, const float* x, bool squared, float* dx,
                          float scale = 1.0f) noexcept {
    for (Index i = 0; i < count; i += lanes) {
        const Vec d = load(dx + i) * scale, positive = load(x + i);
        store(dx + i, positive > Vec{} ? (squared ? d * (positive + positive) : d) : Vec{});
    }
}

}  // namespace microgpt::MICROGPT_BUILD
