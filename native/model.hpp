// The model of src/microgpt/model, operation by operation, and the same backwards. Each function
// works on some of a batch's documents: threads share them out, and no row depends on another's.
#pragma once

#include "dropout.hpp"
#include "gradients.hpp"
#include "loss.hpp"
#include "workspace.hpp"

namespace microgpt::MICROGPT_BUILD {

template <int Fixed>
class Model {
  public:
    Model(const Layout& layout, const Attention& attention, const Heads& heads, Workspace& work,
          const Buffers& buffers)
        : layout_(layout), attention_(attention), heads_(heads), work_(work), buffers_(buffers),
          D{layout.D}, width_(layout.shape.n_embd), epsilon_(layout.shape.rmsnorm_epsilon) {}

    // Documents [first, last) of a batch, from tokens to logits.
    void forward(const Documents& batch, Index first, Index last, const float* turned,
                 const Dropping* dropping, Index thread) {
        const Index n = batch.offsets[first] - batch.offsets[0];
        const Index M = batch.offsets[last] - batch.offsets[first];
        float *x = work_.x() + n * D, *x_in = work_.x_in() + n * D;
        const float* wpe = layout_.places ? buffers_.parameters + layout_.wpe : nullptr;
        for (Index d = first; d < last; ++d) {
            const Index at = batch.offsets[d];
            embed(batch.length(d), batch.tokens_N + at, buffers_.parameters, wpe, 0, D,
                  work_.x() + (at - batch.offsets[0]) * D);
        }
        rmsnorm(M, width_, epsilon_, x, D, x_in, work_.scales() + n);
        for (Index i = 0; i < M * D; i += lanes) store(x + i, load(x_in + i));
        for (Index l = 0; l < layout_.shape.n_layer; ++l)
            layer_forward(batch, first, last, l, n, M, turned, dropping, thread);
        if (layout_.shape.final_norm) rmsnorm(M, width_, epsilon_, x, D, x, work_.final_scales() + n);
        linear(M, x, layout_.lm_head, turned, work_.logits() + n * layout_.V);
    }

    // From logits to losses; unless `scale` is 0, the logits become the gradients of `scale` times
    // the objective.
    void losses(const Documents& batch, Index first, Index last, double scale) {
        const Index n = batch.offsets[first] - batch.offsets[0];
        const Index M = batch.offsets[last] - batch.offsets[first];
        cross_entropy(M, batch.targets_N + batch.offsets[first], layout_.shape, layout_.V, scale,
                      work_.logits() + n * layout_.V, work_.losses() + n);
    }

    // Copy the logits of documents [first, last), without padding, into those of the whole batch.
    void copy_logits(const Documents& batch, Index first, Index last, double* logits_NV) {
        const Index V = layout_.shape.vocab_size;
        const Index n = batch.offsets[first] - batch.offsets[0];
        const Index M = batch.offsets[last] - batch.offsets[first];
        for (Index m = n; m < n + M; ++m)
            for (Index v = 0; v < V; ++v)
                logits_NV[m * V + v] = static_cast<double>(work_.logits()[m * layout_.V + v]);
    }

    // From d_logits to the slopes of what leaves the last layer.
    void head_backward(const Documents& batch, Index first, Index last) {
        const Index n = batch.offsets[first] - batch.offsets[0];
        const Index M = batch.offsets[last] - batch.offsets[first];
        float* d_out = work_.d_x(layout_.shape.n_layer) + n * D;
        linear_backward(M, work_.logits() + n * layout_.V, layout_.lm_head, buffers_.parameters,
                        d_out);
        if (layout_.shape.final_norm)
            rmsnorm_backward(M, width_, d_out, work_.x() + n * D, work_.final_scales() + n, D,
                             nullptr, d_out);
    }

    // From the slopes of what leaves a layer to those of what enters it; below the first layer,
    // through the norm to those of the embeddings.
    void layer_backward(const Documents& batch, Index first, Index last, Index l,
                        const Dropping* dropping, Index thread) {
        const Index n = batch.offsets[first] - batch.offsets[0];
        const Index M = batch.offsets[last] - batch.offsets[first];
        const Layer w = layout_.layer(l);
        const auto rows = work_.layer(l);
        const Index F = layout_.F;
        float *d_out = work_.d_x(l + 1) + n * D, *d_in = work_.d_x(l) + n * D;
        float *d_middle = work_.d_middle() + n * D, *d_h = work_.d_h() + n * D;
        float *d_hidden = work_.d_hidden() + n * F, *d_qkv = work_.d_qkv() + n * 3 * D;

        linear_backward(M, d_out, w.fc2, buffers_.parameters, d_hidden);
        relu_backward(M * F, rows.hidden + n * F, rows.squares != nullptr, d_hidden,
                      dropping ? hidden_scale(*dropping) : 1.0f);
        linear_backward(M, d_hidden, w.fc1, buffers_.parameters, d_h);
        rmsnorm_backward(M, width_, d_h, rows.h2 + n * D, rows.scales2 + n, D, d_out, d_middle);

        linear_backward(M, d_middle, w.wo, buffers_.parameters, d_h);
        if (dropping) (*dropping)(2 * l, n, M, D, width_, dropping->scale(), d_h);
        for (Index d = first; d < last; ++d) {
            const Index at = batch.offsets[d] - batch.offsets[0];
            attention_.causal_attention_backward(batch.length(d), rows.qkv + at * 3 * D,
                                rows.weights + work_.weights_at(d), work_.d_h() + at * D,
                                work_.scratch(thread), work_.d_qkv() + at * 3 * D);
            if (heads_.any())
                heads_.backward(batch.length(d), rows.qkv + at * 3 * D,
                                rows.head_scales + at * heads_.scales(),
                                work_.d_qkv() + at * 3 * D);
        }
        linear_backward(M, d_qkv, w.qkv, buffers_.parameters, d_h);
        rmsnorm_backward(M, width_, d_h, rows.h1 + n * D, rows.scales1 + n, D, d_middle, d_in);
        if (l == 0)
            rmsnorm_backward(M, width_, d_in, work_.x_in() + n * D, work_.scales() + n, D, nullptr,
                             d_in);
    }

    // How many parts the slopes of a layer's parameters are computed in; of the last layer's, those
    // of lm_head too, and of the first one's, those of the embeddings.
    Index gradient_parts(Index l) const {
        const Index whole = (5 * D + layout_.F) / lanes;
        const bool last = l == layout_.shape.n_layer - 1;
        return whole + (last ? layout_.V / lanes : 0) + (l == 0 ? embedding_parts + 1 : 0);
    }

    // `hidden` is the use of the layers' own.
    void gradient_part(const Documents& batch, Index l, Index part, const Use& use,
                       const Use& hidden, float* kept) {
        const Layer w = layout_.layer(l);
        const auto rows = work_.layer(l);
        const Index N = batch.positions();
        const auto weight = [&](const Weight& weight, const float* dy, const float* x,
                                const Use& use) {
            const Index parts = weight.rows / lanes;
            if (part >= 0 && part < parts)
                weight_rows(weight, part * lanes, N, dy, x, use, buffers_, kept);
            part -= parts;
        };
        // The longest first, so that threads end together.
        weight(w.fc2, work_.d_x(l + 1), rows.squares ? rows.squares : rows.hidden, hidden);
        weight(w.fc1, work_.d_hidden(), rows.h2, hidden);
        weight(w.qkv, work_.d_qkv(), rows.h1, hidden);
        weight(w.wo, work_.d_middle(), rows.mixed, hidden);
        if (l == layout_.shape.n_layer - 1) weight(layout_.lm_head, work_.logits(), work_.x(), use);
        if (part >= 0) embedding_part(batch, part, use, kept);
    }

  private:
    static constexpr Index embedding_parts = 8;

    void layer_forward(const Documents& batch, Index first, Index last, Index l, Index n, Index M,
                       const float* turned, const Dropping* dropping, Index thread) {
        const Layer w = layout_.layer(l);
        const auto rows = work_.layer(l);
        const Index F = layout_.F;
        float *x = work_.x() + n * D, *h1 = rows.h1 + n * D, *h2 = rows.h2 + n * D;
        float* hidden = rows.hidden + n * F;
        float* squares = rows.squares ? rows.squares + n * F : nullptr;

        rmsnorm(M, width_, epsilon_, x, D, h1, rows.scales1 + n);
        linear(M, h1, w.qkv, turned, rows.qkv + n * 3 * D);
        for (Index d = first; d < last; ++d) {
            const Index at = batch.offsets[d] - batch.offsets[0];
            if (heads_.any())
                heads_.forward(batch.length(d), 0, rows.qkv + at * 3 * D,
                               rows.head_scales + at * heads_.scales());
            attention_.causal_attention(batch.length(d), rows.qkv + at * 3 * D,
                               rows.weights + work_.weights_at(d), work_.scratch(thread),
                               rows.mixed + at * D);
        }
        if (dropping) (*dropping)(2 * l, n, M, D, width_, dropping->scale(), rows.mixed + n * D);
        linear(M, rows.mixed + n * D, w.wo, turned, x, true);

        rmsnorm(M, width_, epsilon_, x, D, h2, rows.scales2 + n);
        linear(M, h2, w.fc1, turned, hidden);
        // Left out before it is squared, a number is left out of both.
        if (dropping)
            (*dropping)(2 * l + 1, n, M, F, 4 * width_, hidden_scale(*dropping), hidden);
        relu(M * F, hidden, squares);
        linear(M, squares ? squares : hidden, w.fc2, turned, x, true);
    }

    // A square grows by the square of what its root grows by.
    float hidden_scale(const Dropping& dropping) const {
        return layout_.shape.squared_relu ? dropping.root_scale() : dropping.scale();
    }

    void embedding_part(const Documents& batch, Index part, const Use& use, float* kept) {
        const Index N = batch.positions();
        const float* dx = work_.d_x(0);
        if (part == embedding_parts) {
            Index d = 0;
            const auto position = [&](Index n) {
                if (n == 0) d = 0;
                while (n >= batch.offsets[d + 1] - batch.offsets[0]) ++d;
                return n - (batch.offsets[d] - batch.offsets[0]);
            };
            if (layout_.places == 0) return;
            embedding_rows(layout_.wpe, 0, layout_.places, D, N, dx, position, use,
                           buffers_, kept);
            return;
        }
        const std::int32_t* tokens = batch.tokens_N + batch.offsets[0];
        const Index V = layout_.shape.vocab_size;
        embedding_rows(0, V * part / embedding_parts, V * (part + 1) / embedding_parts, D, N, dx,
                       [tokens](Index n) -> Index { return tokens[n]; }, use, buffers_, kept);
    }

    const Layout& layout_;
    const Attention& attention_;
    const Heads& heads_;
    Workspace& work_;
    const Buffers& buffers_;
    const Width<Fixed> D;
    const Index width_;
    const float epsilon_;
};

}  // namespace microgpt::MICROGPT_BUILD
