// The model of src/microgpt/model, operation by operation, forward and backward. Each function
// works on documents [first, last) of a batch, so that threads can share out the documents: no
// document depends on another. Their positions in the workspace are M from n on.
#pragma once

#include <algorithm>

#include "dropout.hpp"
#include "gradients.hpp"
#include "large_head.hpp"
#include "prefixes.hpp"
#include "workspace.hpp"

namespace microgpt::MICROGPT_BUILD {

template <int Fixed>
class Model {
  public:
    Model(const Layout& layout, const Attention& attention, const QueryKey& query_key,
          const LargeHead* large_head, Workspace& work, const Buffers& buffers)
        : layout_(layout), attention_(attention), query_key_(query_key), large_head_(large_head),
          work_(work), buffers_(buffers), D{layout.D}, width_(layout.shape.n_embd),
          epsilon_(layout.shape.rmsnorm_epsilon) {}

    // From tokens to logits, or to the input of a large head.
    void forward(const Documents& batch, Index first, Index last, const float* transposed,
                 const Dropout* dropout, Index thread) {
        const auto [n, M] = positions(batch, first, last);
        float *x = work_.x() + n * D, *x_in = work_.x_in() + n * D;
        const float* wpe = layout_.wpe_rows ? buffers_.parameters + layout_.wpe : nullptr;
        for (Index d = first; d < last; ++d) {
            const Index at = batch.offsets[d];
            embed(batch.length(d), batch.tokens_N + at, buffers_.parameters, wpe, batch.first(d), D,
                  work_.x() + (at - batch.offsets[0]) * D);
        }
        rmsnorm(M, width_, epsilon_, x, D, x_in, work_.scales() + n);
        for (Index i = 0; i < M * D; i += lanes) store(x + i, load(x_in + i));
        for (Index l = 0; l < layout_.shape.n_layer; ++l)
            layer_forward(batch, first, last, l, n, M, transposed, dropout, thread);
        if (layout_.shape.final_norm)
            rmsnorm(M, width_, epsilon_, x, D, x, work_.final_scales() + n);
        if (!large_head_)
            linear(M, x, layout_.lm_head, transposed, work_.logits() + n * layout_.V);
    }

    // From logits to losses. The logits are replaced by their gradients, those of `scale` times the
    // objective's sum.
    void losses(const Documents& batch, Index first, Index last, double scale) {
        const auto [n, M] = positions(batch, first, last);
        cross_entropy(M, batch.targets_N + batch.offsets[first], layout_.shape, layout_.V, scale,
                      work_.logits() + n * layout_.V, work_.losses() + n);
    }

    // From logits to the losses of sorted documents, and of what they share with those before: these
    // are among the same [first, last). `targets_N`, `offsets` and losses_N are the caller's.
    void losses(const Sorted& sorted, const Documents& batch, Index first, Index last,
                const Documents& documents, Index thread, double* losses_N) {
        const auto [n, M] = positions(batch, first, last);
        const float *x = work_.x(), *parameters = buffers_.parameters;
        double* totals = work_.losses();
        if (large_head_)
            large_head_->log_totals(M, x + n * D, parameters, work_.scratch(thread), totals + n);
        else
            log_totals(M, layout_.shape, layout_.V, work_.logits() + n * layout_.V, totals + n);
        const Index* order = sorted.order + (batch.firsts - sorted.rows.firsts);
        for (Index d = first; d < last; ++d)
            for (Index i = documents.offsets[order[d]]; i < documents.offsets[order[d] + 1]; ++i) {
                const Index row = sorted.row_N[i] - batch.offsets[0], target = documents.targets_N[i];
                losses_N[i] =
                    large_head_
                        ? large_head_->loss(x + row * D, target, parameters, totals[row])
                        : totals[row] - static_cast<double>(work_.logits()[row * layout_.V + target]);
            }
    }

    // Copy logits, without padding, into those of the batch.
    void copy_logits(const Documents& batch, Index first, Index last, Index thread, double* to_NV) {
        const Index V = layout_.shape.vocab_size;
        const auto [n, M] = positions(batch, first, last);
        const float *x = work_.x() + n * D, *parameters = buffers_.parameters;
        if (large_head_)
            return large_head_->logits(M, x, parameters, work_.scratch(thread), to_NV + n * V);
        for (Index m = n; m < n + M; ++m)
            for (Index v = 0; v < V; ++v)
                to_NV[m * V + v] = static_cast<double>(work_.logits()[m * layout_.V + v]);
    }

    // From the gradients of the logits, or of a large head's x, to those of the last layer.
    void head_backward(const Documents& batch, Index first, Index last) {
        const auto [n, M] = positions(batch, first, last);
        float* d_out = work_.d_x(layout_.shape.n_layer) + n * D;
        if (!large_head_)
            linear_backward(M, work_.logits() + n * layout_.V, layout_.lm_head, buffers_.parameters,
                            d_out);
        if (layout_.shape.final_norm)
            rmsnorm_backward(M, width_, d_out, work_.x() + n * D, work_.final_scales() + n, D,
                             nullptr, d_out);
    }

    // From the gradients of a layer's output to those of its input; of the first layer, to those of
    // the embeddings.
    void layer_backward(const Documents& batch, Index first, Index last, Index l,
                        const Dropout* dropout, Index thread) {
        const auto [n, M] = positions(batch, first, last);
        const Layer w = layout_.layer(l);
        const auto rows = work_.layer(l);
        const Index F = layout_.F;
        float *d_out = work_.d_x(l + 1) + n * D, *d_in = work_.d_x(l) + n * D;
        float *d_middle = work_.d_middle() + n * D, *d_h = work_.d_h() + n * D;
        float *d_hidden = work_.d_hidden() + n * F, *d_qkv = work_.d_qkv() + n * 3 * D;

        linear_backward(M, d_out, w.fc2, buffers_.parameters, d_hidden);
        relu_backward(M * F, rows.hidden + n * F, rows.squared != nullptr, d_hidden,
                      dropout ? hidden_scale(*dropout) : 1.0f);
        linear_backward(M, d_hidden, w.fc1, buffers_.parameters, d_h);
        rmsnorm_backward(M, width_, d_h, rows.h2 + n * D, rows.scales2 + n, D, d_out, d_middle);

        linear_backward(M, d_middle, w.wo, buffers_.parameters, d_h);
        if (dropout) dropout->apply(2 * l, n, M, D, width_, dropout->scale(), d_h);
        for (Index d = first; d < last; ++d) {
            const Index at = batch.offsets[d] - batch.offsets[0];
            attention_.causal_attention_backward(
                batch.length(d), rows.qkv + at * 3 * D,
                rows.probabilities + work_.probabilities_at(d), rows.attended + at * D,
                dropout ? 1.0f / dropout->scale() : 1.0f, work_.d_h() + at * D,
                work_.scratch(thread), work_.d_qkv() + at * 3 * D);
            if (query_key_.is_needed())
                query_key_.backward(batch.length(d), rows.qkv + at * 3 * D,
                                    rows.qk_scales + at * query_key_.scales(),
                                    work_.d_qkv() + at * 3 * D);
        }
        linear_backward(M, d_qkv, w.qkv, buffers_.parameters, d_h);
        rmsnorm_backward(M, width_, d_h, rows.h1 + n * D, rows.scales1 + n, D, d_middle, d_in);
        if (l == 0)
            rmsnorm_backward(M, width_, d_in, work_.x_in() + n * D, work_.scales() + n, D, nullptr,
                             d_in);
    }

    // How many parts the gradients of a layer's parameters are computed in, those of weights first.
    // Those of lm_head are among the last layer's, of the embeddings among the first layer's.
    Index weight_parts(Index l) const {
        const bool last = l == layout_.shape.n_layer - 1;
        return (5 * D + layout_.F + (last ? layout_.logits() : 0)) / lanes;
    }
    Index gradient_parts(Index l) const {
        return weight_parts(l) + (l == 0 ? embedding_parts() + 1 : 0);
    }

    // Call f(rows, whether they are a layer's) for one part, `lanes` rows of a weight; return the
    // part's number among those of the embeddings, negative if it was a weight's.
    template <class F>
    Index weight_part(Index l, Index part, F f) {
        const Layer w = layout_.layer(l);
        const auto rows = work_.layer(l);
        // Take the part if it is one of this weight's, else count on to the next weight's.
        const auto among = [&](const Weight& weight, const float* dy, const float* x, bool hidden) {
            const Index parts = weight.rows / lanes;
            if (part >= 0 && part < parts) f(WeightRows{weight, part * lanes, dy, x}, hidden);
            part -= parts;
        };
        // The longest parts come first, so that threads end together.
        among(w.fc2, work_.d_x(l + 1), rows.squared ? rows.squared : rows.hidden, true);
        among(w.fc1, work_.d_hidden(), rows.h2, true);
        among(w.qkv, work_.d_qkv(), rows.h1, true);
        among(w.wo, work_.d_middle(), rows.attended, true);
        if (l == layout_.shape.n_layer - 1 && !large_head_)
            among(layout_.lm_head, work_.logits(), work_.x(), false);
        return part;
    }

    // Gradients of a part of the embeddings.
    void embedding_part(const Documents& batch, Index part, const GradientUse& use,
                        float* d_parameters) {
        const Index V = layout_.shape.vocab_size, parts = embedding_parts();
        if (part < parts)
            token_rows(work_.token_order(), V * part / parts, V * (part + 1) / parts, D,
                       work_.d_x(0), use, buffers_, d_parameters);
        else if (layout_.wpe_rows)
            position_rows(batch, layout_.wpe, layout_.wpe_rows, D, work_.d_x(0), use, buffers_,
                          d_parameters);
    }

  private:
    // The first of the documents' positions in the workspace, and how many there are.
    static std::pair<Index, Index> positions(const Documents& batch, Index first, Index last) {
        return {batch.offsets[first] - batch.offsets[0], batch.part(first, last).positions()};
    }
    // How many parts the token embedding is updated in; the position embedding is one more.
    Index embedding_parts() const {
        const Index parts = std::clamp(layout_.shape.vocab_size * D / 4096, Index{1}, Index{64});
        return large_head_ ? 0 : parts;  // see token_updates.hpp
    }

    void layer_forward(const Documents& batch, Index first, Index last, Index l, Index n, Index M,
                       const float* transposed, const Dropout* dropout, Index thread) {
        const Layer w = layout_.layer(l);
        const auto rows = work_.layer(l);
        const Index F = layout_.F;
        float *x = work_.x() + n * D, *h1 = rows.h1 + n * D, *h2 = rows.h2 + n * D;
        float* hidden = rows.hidden + n * F;
        float* squared = rows.squared ? rows.squared + n * F : nullptr;

        rmsnorm(M, width_, epsilon_, x, D, h1, rows.scales1 + n);
        linear(M, h1, w.qkv, transposed, rows.qkv + n * 3 * D);
        for (Index d = first; d < last; ++d) {
            const Index at = batch.offsets[d] - batch.offsets[0];
            const Index start = batch.first(d), T = start + batch.length(d);
            float* qkv = rows.qkv + at * 3 * D;
            if (query_key_.is_needed())
                query_key_.forward(T - start, start, qkv,
                                   rows.qk_scales + at * query_key_.scales());
            if (batch.firsts) {
                // The rows before `start` are there: the document before it has the same.
                float* whole = work_.whole(thread);
                std::copy_n(qkv, (T - start) * 3 * D, whole + start * 3 * D);
                qkv = whole;
            }
            attention_.causal_attention(T, start, qkv,
                                        rows.probabilities + work_.probabilities_at(d),
                                        work_.scratch(thread), rows.attended + at * D);
        }
        if (dropout)
            dropout->apply(2 * l, n, M, D, width_, dropout->scale(), rows.attended + n * D);
        linear(M, rows.attended + n * D, w.wo, transposed, x, true);

        rmsnorm(M, width_, epsilon_, x, D, h2, rows.scales2 + n);
        linear(M, h2, w.fc1, transposed, hidden);
        // Dropout comes before the square: a number that is 0 is then 0 in both buffers.
        if (dropout)
            dropout->apply(2 * l + 1, n, M, F, 4 * width_, hidden_scale(*dropout), hidden);
        relu(M * F, hidden, squared);
        linear(M, squared ? squared : hidden, w.fc2, transposed, x, true);
    }

    // Dropout's scale before the activation: the square of a number scales with the scale's square.
    float hidden_scale(const Dropout& dropout) const {
        return layout_.shape.squared_relu ? dropout.root_scale() : dropout.scale();
    }

    const Layout& layout_;
    const Attention& attention_;
    const QueryKey& query_key_;
    const LargeHead* const large_head_;  // null: the head is a layer like others
    Workspace& work_;
    const Buffers& buffers_;
    const Width<Fixed> D;
    const Index width_;
    const float epsilon_;
};

}  // namespace microgpt::MICROGPT_BUILD
