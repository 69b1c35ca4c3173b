// The RMSNorm and the rotary positions of each head's queries and keys, before attention. Rotary
// positions rotate pairs by angles that grow with the position. Forward and backward work in place.
#pragma once

#include "buffer.hpp"
#include "operations.hpp"

namespace microgpt::MICROGPT_BUILD {

class QueryKey {
  public:
    explicit QueryKey(const Layout& layout)
        : D(layout.D), H(layout.shape.n_head), K(layout.shape.n_embd / layout.shape.n_head),
          epsilon_(layout.shape.rmsnorm_epsilon), norms_(layout.shape.qk_norm),
          rotates_(layout.shape.rotary_base > 0),
          in_vectors_((K & (K - 1)) == 0) {
        if (!rotates_) return;
        const Index T = layout.shape.block_size;
        cosines_.reserve(T * D);
        sines_.reserve(T * D);
        for (Index t = 0; t < T; ++t)
            for (Index i = 0; i < H * K; ++i) {
                const Index half = K / 2, k = i % K;
                const double angle = static_cast<double>(t) *
                                     std::pow(layout.shape.rotary_base,
                                              -static_cast<double>(k % half) /
                                                  static_cast<double>(half));
                cosines_.data()[t * D + i] = static_cast<float>(std::cos(angle));
                // y_k = x_k cos + x_(k + half) sin; the other of the pair has the opposite sign.
                sines_.data()[t * D + i] =
                    static_cast<float>(k < half ? std::sin(angle) : -std::sin(angle));
            }
    }

    // Whether the model has such norms or rotary positions.
    bool is_needed() const { return norms_ || rotates_; }
    // How many floats the norms' scales take at a position.
    Index scales() const { return norms_ ? 2 * D : 0; }

    // Positions `start` to start + T of a document, in rows of 3 D.
    void forward(Index T, Index start, float* qkv, float* scales) const {
        for (Index t = 0; t < T; ++t, qkv += 3 * D)
            for (Index part = 0; part < 2; ++part) {
                float* x = qkv + part * D;
                if (norms_) norm(x, scales + (2 * t + part) * D);
                if (rotates_) rotate(x, start + t, false);
            }
    }

    // From the gradients of `forward`'s results to those of its arguments; qkv has the results. A
    // rotation preserves dot products: the mean that the norm's gradient needs can therefore be
    // taken over rotated vectors, and the rotation undone afterwards.
    void backward(Index T, const float* qkv, const float* scales, float* d_qkv) const {
        for (Index t = 0; t < T; ++t, qkv += 3 * D, d_qkv += 3 * D)
            for (Index part = 0; part < 2; ++part) {
                float* dx = d_qkv + part * D;
                if (norms_) norm_backward(dx, qkv + part * D, scales + (2 * t + part) * D);
                if (rotates_) rotate(dx, t, true);
            }
    }

  private:
    // Call f with a head's width, at most `lanes`, as a compile-time constant.
    template <class F>
    void with_group(F f) const {
        if (K == 1) f(std::integral_constant<int, 1>{});
        else if (K == 2) f(std::integral_constant<int, 2>{});
        else if (K == 4 || lanes == 4) f(std::integral_constant<int, 4>{});
        else if constexpr (lanes >= 8) {
            if (K == 8 || lanes == 8) f(std::integral_constant<int, 8>{});
            else if constexpr (lanes >= 16) f(std::integral_constant<int, 16>{});
        }
    }

    // Sum the products of x and y over each head, and call f(first, last, sum) with the sum in all
    // lanes of the channels [first, last).
    template <class F>
    void each_sum(const float* x, const float* y, F f) const {
        if (!in_vectors_) {
            for (Index h = 0; h < H * K; h += K) {
                float total = 0.0f;
                for (Index k = h; k < h + K; ++k) total += x[k] * y[k];
                f(h, h + K, splat(total));
            }
            return;
        }
        with_group([&](auto group) {
            const Index wide = K > lanes ? K : lanes;
            for (Index i = 0; i < D; i += wide) {
                Vec products{};
                const Index last = i + wide < D ? i + wide : D;
                for (Index k = i; k < last; k += lanes) products += load(x + k) * load(y + k);
                f(i, last, group_sum<group>(products));
            }
        });
    }

    // Write f(i), a vector, to the channels [first, last) of x.
    template <class F>
    void write(Index first, Index last, float* x, F f) const {
        Index i = first;
        for (; i + lanes <= last; i += lanes) store(x + i, f(i));
        if (i == last) return;
        if (i + lanes <= D) {
            const Vec rest = f(i);
            for (Index k = 0; i + k < last; ++k) x[i + k] = rest[k];
            return;
        }
        // Use the row's last whole vector: another thread may be writing beyond the row.
        const Vec rest = f(D - lanes);
        for (; i < last; ++i) x[i] = rest[i - (D - lanes)];
    }

    void norm(float* x, float* scales) const {
        const float inverse_width = 1.0f / static_cast<float>(K);
        each_sum(x, x, [&](Index first, Index last, Vec squares) {
            const Vec mean = squares * inverse_width;
            const Vec scale =
                mean < splat(HUGE_VALF) ? 1.0f / square_root(mean + epsilon_) : splat(NAN);
            write(first, last, scales, [&](Index) { return scale; });
            write(first, last, x, [&](Index i) { return load(x + i) * scale; });
        });
    }

    void norm_backward(float* dy, const float* y, const float* scales) const {
        const float inverse_width = 1.0f / static_cast<float>(K);
        each_sum(dy, y, [&](Index first, Index last, Vec products) {
            const Vec mean = products * inverse_width;
            write(first, last, dy, [&](Index i) {
                return (load(dy + i) - load(y + i) * mean) * load(scales + i);
            });
        });
    }

    template <int Half>
    void rotate_in_vector(float* x, const float* cosines, const float* sines, float sign) const {
        for (Index i = 0; i < D; i += lanes) {
            const Vec v = load(x + i);
            store(x + i, v * load(cosines + i) + exchange<Half>(v) * load(sines + i) * sign);
        }
    }

    void rotate(float* x, Index t, bool back) const {
        const float *cosines = cosines_.data() + t * D, *sines = sines_.data() + t * D;
        const float sign = back ? -1.0f : 1.0f;
        const Index half = K / 2;
        if (in_vectors_ && half < lanes) {
            if (half == 1) rotate_in_vector<1>(x, cosines, sines, sign);
            if (half == 2) rotate_in_vector<2>(x, cosines, sines, sign);
            if constexpr (lanes > 4)
                if (half == 4) rotate_in_vector<4>(x, cosines, sines, sign);
            if constexpr (lanes > 8)
                if (half == 8) rotate_in_vector<8>(x, cosines, sines, sign);
            return;
        }
        for (Index h = 0; h < H * K; h += K) {
            Index k = h;
            for (; k + lanes <= h + half; k += lanes) {
                const Vec a = load(x + k), b = load(x + k + half);
                const Vec c = load(cosines + k), s = load(sines + k) * sign;
                store(x + k, a * c + b * s);
                store(x + k + half, b * c - a * s);
            }
            for (; k < h + half; ++k) {
                const float a = x[k], b = x[k + half], c = cosines[k], s = sines[k] * sign;
                x[k] = a * c + b * s;
                x[k + half] = b * c - a * s;
            }
        }
    }

    const Index D, H, K;
    const float epsilon_;
    const bool norms_, rotates_, in_vectors_;
    Buffer cosines_, sines_;
};

}  // namespace microgpt::MICROGPT_BUILD
