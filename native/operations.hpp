// The operations of src/microgpt/model as forward/backward pairs, attention apart: rows of
// positions in, rows out. `D` is the padded width: a number known when this is compiled, or not.
#pragma once

#include "layout.hpp"

namespace microgpt::MICROGPT_BUILD {

// A width that is Fixed, or, where that is 0, told when the program runs.
template <int Fixed>
struct Width {
    Index told;
    operator Index() const { return Fixed ? Fixed : told; }
};

template <class D_>
inline void embed(Index T, const std::int32_t* tokens_T, const float* wte, const float* wpe,
                  Index start, D_ D, float* x_TD) {
    for (Index t = 0; t < T; ++t)
        for (Index i = 0; i < D; i += lanes) {
            const Vec token = load(wte + tokens_T[t] * D + i);
            store(x_TD + t * D + i, wpe ? token + load(wpe + (start + t) * D + i) : token);
        }
}

// y = x * scale with scale = (mean square + epsilon)^-1/2; the scales are kept for the way back.
template <class D_>
inline void rmsnorm(Index M, Index n_embd, float epsilon, const float* x_MD, D_ D, float* y_MD,
                    float* scales_M) {
    for (Index m = 0; m < M; ++m, x_MD += D, y_MD += D) {
        Vec squares{};
        for (Index i = 0; i < D; i += lanes) squares += load(x_MD + i) * load(x_MD + i);
        const float mean = sum(squares) / static_cast<float>(n_embd);
        // Where the mean overflows the scale would be 0 and hide it: NaN is noticed.
        const float scale = mean < HUGE_VALF ? 1.0f / std::sqrt(mean + epsilon) : NAN;
        scales_M[m] = scale;
        for (Index i = 0; i < D; i += lanes) store(y_MD + i, load(x_MD + i) * scale);
    }
}

// dx = (sum or 0) + scale * (dy - y * mean(dy * y)).
template <class D_>
inline void rmsnorm_backward(Index M, Index n_embd, const float* dy_MD, const float* y_MD,
                             const float* scales_M, D_ D, const float* sum_MD, float* dx_MD) {
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

// y = x W^T, or y + x W^T; `turned` is the forward pass's copy.
[[gnu::always_inline]]
inline void linear(Index M, const float* x, const Weight& w, const float* turned, float* y,
                   bool add = false) {
    multiply(M, w.columns, w.rows, x, w.columns, turned + w.at, y, w.rows, add);
}

// dx = dy W; the slope of the weight itself is summed over a whole batch: see gradients.hpp.
[[gnu::always_inline]]
inline void linear_backward(Index M, const float* dy, const Weight& w, const float* parameters,
                            float* dx) {
    multiply(M, w.rows, w.columns, dy, w.rows, parameters + w.at, dx, w.columns);
}

// x = max(x, 0) in place; where squares are wanted, they go to `squared` and x stays for the slope.
inline void relu(Index count, float* x, float* squared) {
    for (Index i = 0; i < count; i += lanes) {
        const Vec positive = at_least(load(x + i), Vec{});
        store(x + i, positive);
        if (squared) store(squared + i, positive * positive);
    }
}

// `scale` is what dropout has multiplied x by; what it left out is 0, and so has no slope.
inline void relu_backward(Index count, const float* x, bool squared, float* dx,
                          float scale = 1.0f) {
    for (Index i = 0; i < count; i += lanes) {
        const Vec d = load(dx + i) * scale, root = load(x + i);
        store(dx + i, root > Vec{} ? (squared ? d * (root + root) : d) : Vec{});
    }
}

}  // namespace microgpt::MICROGPT_BUILD
