// The engine for one kind of processor: this file is compiled once for each.
#include <chrono>
#include <cstring>

#include "decoder.hpp"
#include "trainer.hpp"

namespace microgpt::MICROGPT_BUILD {
namespace {

// A batch is worked on in pieces of about so many numbers, so that any batch fits in memory.
constexpr Index piece_floats = 16 << 20;
// For losses alone a thread's part stays in its caches: nobody comes back for what it leaves.
constexpr Index passing_floats = 1 << 19;

template <int Fixed>
class EngineOf final : public Engine {
  public:
    EngineOf(const Shape& shape, const Optimizer& optimizer, Index threads)
        : layout_(shape), attention_(layout_), heads_(layout_), optimizer_(optimizer),
          pool_(threads), weights_(new Weights(layout_.size())), m_(layout_.size()),
          v_(layout_.size()),
          work_(layout_, attention_, heads_,
                optimizer.muon > 0.0 ? Muon::scratch(layout_.D, layout_.F) : 0),
          trainer_(layout_, attention_, heads_, work_, buffers_, pool_) {
        point();
        const Index D = layout_.D, L = shape.n_layer;
        const Index each = L * (6 * D + 2 * layout_.F + heads_.scales() +
                                shape.n_head * shape.block_size) +
                           10 * D + layout_.F + layout_.V;
        piece_ = piece_floats / each + 1;
        passing_ = threads * passing_floats / each + 1;
        if (passing_ > piece_) passing_ = piece_;
    }

    Index size() const override { return layout_.table_size(); }

    void load(const float* parameters, const float* m, const float* v) override {
        own();
        layout_.each([&](Index from, Index to) {
            buffers_.parameters[to] = parameters[from];
            buffers_.m[to] = m[from];
            buffers_.v[to] = v[from];
        });
        trainer_.changed();
    }

    void state(float* parameters, float* m, float* v) const override {
        layout_.each([&](Index to, Index from) {
            parameters[to] = buffers_.parameters[from];
            m[to] = buffers_.m[from];
            v[to] = buffers_.v[from];
        });
    }

    void losses(const Documents& documents, double* losses_N) override {
        const TinyIsZero tiny;
        trainer_.reserve(largest(documents, passing_));
        in_pieces(documents, passing_, [&](const Documents& piece) {
            trainer_.losses(piece);
            std::memcpy(losses_N + piece.offsets[0] - documents.offsets[0], work_.losses(),
                        static_cast<std::size_t>(piece.positions()) * sizeof(double));
        });
    }

    void logits(const Documents& documents, double* logits_NV) override {
        const TinyIsZero tiny;
        trainer_.reserve(largest(documents, passing_));
        in_pieces(documents, passing_, [&](const Documents& piece) {
            const Index before = piece.offsets[0] - documents.offsets[0];
            trainer_.logits(piece, logits_NV + before * layout_.shape.vocab_size);
        });
    }

    void gradients(const Documents& documents, double* slopes) override {
        const TinyIsZero tiny;
        trainer_.reserve(largest(documents, piece_));
        kept_.reserve(layout_.size());
        batch(documents, 1.0, nullptr, nullptr);
        layout_.each([&](Index to, Index from) {
            slopes[to] = static_cast<double>(kept_.data()[from]);
        });
    }

    Index train(const Documents& documents, const Index* steps, Index n_steps, const double* lr_K,
                Index updates, double* nats_K) override {
        const TinyIsZero tiny;
        own();
        Extent most{};
        for (Index k = 0; k < n_steps; ++k)
            most.cover(largest(documents.part(steps[k], steps[k + 1]), piece_));
        trainer_.reserve(most);
        kept_.reserve(layout_.size());
        for (Index k = 0; k < n_steps; ++k) {
            const Documents step = documents.part(steps[k], steps[k + 1]);
            const Updates use(optimizer_, lr_K[k], updates + k + 1);
            Dropping dropping(optimizer_.dropout, optimizer_.seed, updates + k + 1);
            nats_K[k] = batch(step, 1.0 / static_cast<double>(step.positions()), &use,
                              optimizer_.dropout > 0.0 ? &dropping : nullptr);
            if (!std::isfinite(nats_K[k])) return k + 1;
        }
        return n_steps;
    }

    Decoder* decoder(Index rows) override {
        trainer_.settle();
        return new Rows(layout_, attention_, heads_, pool_, weights_, rows);
    }

    void forked() override { pool_.forked(); }

  private:
    // As many of the documents from d on as are worked on at once: the same for any threads.
    static Documents piece(const Documents& documents, Index d, Index positions) {
        Index last = d + 1;
        const Index most = documents.offsets[d] + positions;
        while (last < documents.count && documents.offsets[last + 1] <= most) ++last;
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

    Extent largest(const Documents& documents, Index positions) const {
        Extent most{};
        in_pieces(documents, positions,
                  [&](const Documents& piece) { most.cover(work_.extent(piece)); });
        return most;
    }

    // One batch: its sum of nats, and its slopes, used or kept. Where it is worked on in several
    // pieces the parameters move at the end: all of the sum must be finite first.
    double batch(const Documents& documents, double share, const Updates* updates,
                 Dropping* dropping) {
        double nats = 0.0;
        Use use{};
        for (Index d = 0; d < documents.count; use.first = false) {
            const Documents piece = this->piece(documents, d, piece_);
            d += piece.count;
            if (dropping) dropping->first = piece.offsets[0] - documents.offsets[0];
            trainer_.there(piece, share, dropping);
            const double* losses_N = work_.losses();
            for (Index n = 0; n < piece.positions(); ++n) nats += losses_N[n];
            if (updates && !std::isfinite(nats)) return nats;
            use.last = d == documents.count;
            trainer_.back(piece, use, dropping, updates, kept_.data());
        }
        return nats;
    }

    // Take a copy of the parameters if a decoder still reads these.
    void own() {
        if (!weights_.by_others()) return;
        Held copy(new Weights(layout_.size()));
        const auto bytes = static_cast<std::size_t>(layout_.size()) * sizeof(float);
        std::memcpy(copy->parameters.data(), weights_->parameters.data(), bytes);
        std::memcpy(copy->turned.data(), weights_->turned.data(), bytes);
        weights_.swap(copy);
        point();
    }

    void point() {
        buffers_ = {weights_->parameters.data(), weights_->turned.data(), m_.data(), v_.data()};
    }

    const Layout layout_;
    const Attention attention_;
    const Heads heads_;
    const Optimizer optimizer_;
    Pool pool_;
    Held weights_;
    Buffer m_, v_, kept_;
    Buffers buffers_{};
    Workspace work_;
    Trainer<Fixed> trainer_;
    Index piece_, passing_;
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

// The best of some loops of independent multiply-adds, more of them than one waits for.
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
        // What nobody looks at is not computed.
        if (sum(total) < 0.0f) return 0.0;
        const double speed = 2e-9 * chains * lanes * loops / took.count();
        if (speed > best) best = speed;
    }
    return best;
}

}  // namespace microgpt::MICROGPT_BUILD
