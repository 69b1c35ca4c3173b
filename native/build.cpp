// The engine for one kind of processor: this file is compiled once for each.
#include <algorithm>
#include <chrono>
#include <cstring>

#include "decoder.hpp"
#include "reliability.hpp"
#include "trainer.hpp"

namespace microgpt::MICROGPT_BUILD {
namespace {

// Training works on a batch in pieces whose activations and gradients are about this many floats,
// so that any batch fits in memory.
constexpr Index piece_floats = 16 << 20;
// Forward passes alone work on smaller pieces, this many floats a thread: they stay in its caches,
// and no backward pass needs them later.
constexpr Index forward_piece_floats = 1 << 19;
// Documents that share beginnings are worked on together, up to this many positions at least.
constexpr Index least_family = 128;

template <int Fixed>
class EngineOf final : public Engine {
  public:
    EngineOf(const Shape& shape, const Optimizer& optimizer, Index threads)
        : layout_(shape), attention_(layout_), query_key_(layout_), optimizer_(optimizer),
          pool_(threads), parameters_(new Parameters(layout_.size())), m_(layout_.size()),
          v_(layout_.size()),
          work_(layout_, attention_, query_key_,
                std::max(optimizer.muon > 0.0 ? Muon::scratch(layout_.D, layout_.F) : 0,
                         layout_.has_large_head() ? LargeHead(layout_).floats(panel) : 0)),
          trainer_(layout_, attention_, query_key_, work_, buffers_, pool_) {
        set_buffers();
        const Index D = layout_.D, L = shape.n_layer;
        const Index floats_a_position = L * (6 * D + 2 * layout_.F + query_key_.scales() +
                                             attention_.probabilities_a_position(shape.block_size)) +
                                        10 * D + layout_.F + layout_.logits();
        piece_positions_ = piece_floats / floats_a_position + 1;
        forward_positions_ = threads * forward_piece_floats / floats_a_position + 1;
        if (forward_positions_ > piece_positions_) forward_positions_ = piece_positions_;
    }

    Index size() const override { return layout_.table_size(); }

    void load(const float* parameters, const float* m, const float* v) override {
        leave_decoders();
        // Padding, too: an update that ran away has left NaN there.
        for (float* all : {buffers_.parameters, buffers_.m, buffers_.v})
            std::fill_n(all, layout_.size(), 0.0f);
        layout_.each([&](Index from, Index to) {
            buffers_.parameters[to] = parameters[from];
            buffers_.m[to] = m[from];
            buffers_.v[to] = v[from];
        });
        trainer_.parameters_changed();
    }

    void state(float* parameters, float* m, float* v) const override {
        layout_.each([&](Index to, Index from) {
            parameters[to] = buffers_.parameters[from];
            m[to] = buffers_.m[from];
            v[to] = buffers_.v[from];
        });
    }

    void losses(const Documents& documents, double* losses_N) override {
        const FlushDenormals flush;
        // A family is worked on by one thread: a piece has one for each.
        const Index threads = pool_.threads();
        Index family = std::max(forward_positions_ / threads, least_family);
        family = std::min(family, std::min(piece_positions_, documents.positions()) / threads);
        const Sorted sorted = prefixes_.sort(documents, layout_.shape.vocab_size,
                                             attention_.longest_short(), family);
        trainer_.reserve(largest(sorted.rows, threads * family));
        in_pieces(sorted.rows, threads * family, [&](const Documents& piece) {
            trainer_.losses(sorted, piece, documents, losses_N);
        });
    }

    void logits(const Documents& documents, double* logits_NV) override {
        const FlushDenormals flush;
        trainer_.reserve(largest(documents, forward_positions_));
        in_pieces(documents, forward_positions_, [&](const Documents& piece) {
            const Index before = piece.offsets[0] - documents.offsets[0];
            trainer_.logits(piece, logits_NV + before * layout_.shape.vocab_size);
        });
    }

    void gradients(const Documents& documents, double* d_parameters) override {
        const FlushDenormals flush;
        const Extent most = largest(documents, piece_positions_);
        trainer_.reserve(most);
        trainer_.vocabulary().reserve(0, most.positions);
        d_parameters_.reserve(layout_.size());
        batch(documents, 1.0, nullptr, nullptr);
        layout_.each([&](Index to, Index from) {
            d_parameters[to] = static_cast<double>(d_parameters_.data()[from]);
        });
    }

    Index train(const Documents& documents, const Index* steps, Index n_steps, const double* lr_K,
                Index updates, double* nats_K) override {
        const FlushDenormals flush;
        leave_decoders();
        Extent most{};
        for (Index k = 0; k < n_steps; ++k)
            most.cover(largest(documents.part(steps[k], steps[k + 1]), piece_positions_));
        trainer_.reserve(most);
        trainer_.vocabulary().reserve(n_steps, most.positions);
        d_parameters_.reserve(layout_.size());
        Index made = 0;
        for (Index k = 0; made == k && k < n_steps; ++k) {
            const Documents step = documents.part(steps[k], steps[k + 1]);
            const StepUpdates step_updates(optimizer_, lr_K[k], updates + k + 1);
            Dropout dropout(optimizer_.dropout, optimizer_.seed, updates + k + 1);
            nats_K[k] = batch(step, 1.0 / static_cast<double>(step.positions()), &step_updates,
                              optimizer_.dropout > 0.0 ? &dropout : nullptr);
            made += std::isfinite(nats_K[k]);
        }
        trainer_.vocabulary().end_steps();
        return made < n_steps ? made + 1 : made;
    }

    Decoder* decoder(Index rows) override {
        trainer_.renew_transposed();
        return new BatchDecoder(layout_, attention_, query_key_, pool_, parameters_, rows);
    }

    void forked() override { pool_.forked(); }

  private:
    // The documents from d on that are worked on at once: as many as have `positions`, at least
    // one, and those that share its beginning.
    static Documents piece(const Documents& documents, Index d, Index positions) {
        Index last = d;
        const Index most = documents.offsets[d] + positions;
        for (Index i = d + 1; i <= documents.count; ++i) {
            if (!documents.is_cut(i)) continue;
            if (last > d && documents.offsets[i] > most) break;
            last = i;
        }
        return documents.part(d, last);
    }

    // Call f(piece) for all of the documents, one piece after the other.
    template <class F>
    static void in_pieces(const Documents& documents, Index positions, F f) {
        for (Index d = 0; d < documents.count;) {
            const Documents piece = EngineOf::piece(documents, d, positions);
            f(piece);
            d += piece.count;
        }
    }

    // The extent that covers all pieces.
    Extent largest(const Documents& documents, Index positions) const {
        Extent most{};
        in_pieces(documents, positions,
                  [&](const Documents& piece) { most.cover(work_.extent(piece)); });
        return most;
    }

    // Return a batch's sum of nats. Its gradients are used for updates, or stay in d_parameters_.
    // Where it is worked on in several pieces, the parameters are updated after the last: only then
    // is it known that the whole sum is finite.
    double batch(const Documents& documents, double scale, const StepUpdates* updates,
                 Dropout* dropout) {
        double nats = 0.0;
        GradientUse use{};
        float* d_parameters = d_parameters_.data();
        trainer_.vocabulary().begin_step(documents, updates != nullptr, d_parameters);
        for (Index d = 0; d < documents.count; use.is_first = false) {
            const Documents piece = this->piece(documents, d, piece_positions_);
            d += piece.count;
            if (dropout) dropout->first = piece.offsets[0] - documents.offsets[0];
            trainer_.forward(piece, scale, use, dropout, d_parameters);
            const double* losses_N = work_.losses();
            for (Index n = 0; n < piece.positions(); ++n) nats += losses_N[n];
            if (updates && !std::isfinite(nats)) return nats;
            use.is_last = d == documents.count;
            trainer_.backward(piece, use, dropout, updates, d_parameters);
        }
        return nats;
    }

    // Go on with a copy of the parameters if a decoder still reads these.
    void leave_decoders() {
        if (!parameters_.is_shared()) return;
        ParametersHandle copy(new Parameters(layout_.size()));
        const auto bytes = static_cast<std::size_t>(layout_.size()) * sizeof(float);
        std::memcpy(copy->values.data(), parameters_->values.data(), bytes);
        std::memcpy(copy->transposed.data(), parameters_->transposed.data(), bytes);
        parameters_.swap(copy);
        set_buffers();
    }

    void set_buffers() {
        buffers_ = {parameters_->values.data(), parameters_->transposed.data(), m_.data(),
                    v_.data()};
    }

    const Layout layout_;
    const Attention attention_;
    const QueryKey query_key_;
    const Optimizer optimizer_;
    Pool pool_;
    ParametersHandle parameters_;
    Buffer m_, v_, d_parameters_;
    Buffers buffers_{};
    Workspace work_;
    Trainer<Fixed> trainer_;
    Prefixes prefixes_;
    Index piece_positions_, forward_positions_;
};

}  // namespace

Engine* make(const Shape& shape, const Optimizer& optimizer, Index threads) {
    switch (round_up(shape.n_embd, lanes)) {
        case 16: return new EngineOf<16>(shape, optimizer, threads);
        case 32: return new EngineOf<32>(shape, optimizer, threads);
        case 64: return new EngineOf<64>(shape, optimizer, threads);
        case 128: return new EngineOf<128>(shape, optimizer, threads);
        default: return new EngineOf<0>(shape, optimizer, threads);
    }
}

void compare_here(const Comparison& in, const Outcomes& out) { compare(in, out); }

// The best of several loops of multiply-adds. They are in chains, enough of them to hide the
// latency of each.
double peak() {
    constexpr int chains = lanes == 16 ? 24 : 12;
    constexpr Index loops = 300'000;
    double best = 0.0;
    for (int round = 0; round < 20; ++round) {
        Vec x[chains];
        for (int i = 0; i < chains; ++i) x[i] = splat(1.0f + static_cast<float>(i));
        const auto began = std::chrono::steady_clock::now();
        for (Index k = 0; k < loops; ++k) {
#pragma GCC unroll 24
            for (int i = 0; i < chains; ++i) x[i] = x[i] * 0.999f + 0.001f;
        }
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        Vec total{};
        for (int i = 0; i < chains; ++i) total += x[i];
        // The sums are read, or the compiler would leave out the loop.
        if (sum(total) < 0.0f) return 0.0;
        const double speed = 2e-9 * chains * lanes * loops / took.count();
        if (speed > best) best = speed;
    }
    return best;
}

}  // namespace microgpt::MICROGPT_BUILD
