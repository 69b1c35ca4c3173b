#include "shared.hpp"

#include <algorithm>
#include <cmath>
#include <new>

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace microgpt {

// All engines of the process. A fork takes all their locks first: it waits until no engine
// computes, so that the child's copies are complete and their locks free. Python forks while it
// holds its global lock; that is no deadlock, because whoever holds an engine's lock does not wait
// for the global one.
class ForkHandlers {
  public:
    // Never destroyed: a fork may come while the process is already ending.
    static ForkHandlers& all() {
        static ForkHandlers* const forks = new ForkHandlers;
        return *forks;
    }

    void add(SharedEngine* engine) {
        const std::lock_guard lock(mutex_);
        engines_.push_back(engine);
    }
    void remove(SharedEngine* engine) {
        const std::lock_guard lock(mutex_);
        engines_.erase(std::find(engines_.begin(), engines_.end(), engine));
    }

  private:
    ForkHandlers() {
#if !defined(_WIN32)
        if (pthread_atfork([] { all().before_fork(); }, [] { all().in_parent(); },
                           [] { all().in_child(); }))
            throw std::bad_alloc();
#endif
    }

    void before_fork() {
        mutex_.lock();
        for (SharedEngine* engine : engines_) engine->mutex_.lock();
    }
    void in_parent() {
        for (SharedEngine* engine : engines_) engine->mutex_.unlock();
        mutex_.unlock();
    }
    void in_child() {
        for (SharedEngine* engine : engines_) engine->engine_->forked();
        in_parent();
    }

    std::mutex mutex_;
    std::vector<SharedEngine*> engines_;
};

SharedEngine::SharedEngine(const char* build, const Shape& shape, const Optimizer& optimizer,
                           Index threads)
    : shape_(shape), engine_(make_engine(build, shape, optimizer, threads)) {
    ForkHandlers::all().add(this);
}

SharedEngine::~SharedEngine() { ForkHandlers::all().remove(this); }

Documents SharedEngine::copied(const Documents& documents, Index tokens) {
    tokens_.assign(documents.tokens_N, documents.tokens_N + tokens);
    offsets_.assign(documents.offsets, documents.offsets + documents.count + 1);
    return {tokens_.data(), nullptr, offsets_.data(), documents.count};
}

Documents SharedEngine::checked(const Documents& documents, Index tokens) {
    const Documents copy = copied(documents, tokens);
    check(copy, tokens, shape_);
    return copy;
}

Documents SharedEngine::checked(const Documents& documents, Index tokens, Index targets) {
    Documents copy = copied(documents, tokens);
    targets_.assign(documents.targets_N, documents.targets_N + targets);
    copy.targets_N = targets_.data();
    check(copy, tokens, targets, shape_);
    return copy;
}

void SharedEngine::load(const float* parameters, const float* m, const float* v, Index updates) {
    const std::lock_guard lock(mutex_);
    engine_->load(parameters, m, v);
    updates_ = updates;
}

Index SharedEngine::state(float* parameters, float* m, float* v) {
    const std::lock_guard lock(mutex_);
    engine_->state(parameters, m, v);
    return updates_;
}

void SharedEngine::losses(const Documents& documents, Index tokens, Index targets,
                          double* losses_N) {
    const std::lock_guard lock(mutex_);
    engine_->losses(checked(documents, tokens, targets), losses_N);
}

void SharedEngine::logits(const Documents& documents, Index tokens, double* logits_NV) {
    const std::lock_guard lock(mutex_);
    engine_->logits(checked(documents, tokens), logits_NV);
}

void SharedEngine::gradients(const Documents& documents, Index tokens, Index targets,
                             double* d_parameters) {
    const std::lock_guard lock(mutex_);
    engine_->gradients(checked(documents, tokens, targets), d_parameters);
}

Index SharedEngine::train(const Documents& documents, Index tokens, Index targets,
                          const Index* steps, Index n_steps, const double* lr_K, double* nats_K) {
    const std::lock_guard lock(mutex_);
    const Documents batch = checked(documents, tokens, targets);
    steps_.assign(steps, steps + n_steps + 1);
    check(steps_.data(), n_steps, batch.count);
    const Index sums = engine_->train(batch, steps_.data(), n_steps, lr_K, updates_, nats_K);
    // The last step made no update if its sum is not finite.
    updates_ += sums - (sums > 0 && !std::isfinite(nats_K[sums - 1]));
    return sums;
}

SharedDecoder::SharedDecoder(SharedEngine& engine, Index rows) : engine_(engine) {
    const Shape& shape = engine.shape_;
    const double past = 2.0 * static_cast<double>(shape.n_layer * shape.block_size) *
                        static_cast<double>(shape.n_embd) * static_cast<double>(rows);
    if (rows < 1 || past > 1e12)
        throw InputError("rows of a decoder must be at least 1 and fit in memory; got " +
                         number(rows) + ".");
    tokens_.resize(static_cast<std::size_t>(rows));
    const std::lock_guard lock(engine.mutex_);
    decoder_.reset(engine.engine_->decoder(rows));
}

void SharedDecoder::push(const std::int32_t* tokens_B, double* logits_BV) {
    const std::lock_guard lock(engine_.mutex_);
    std::copy_n(tokens_B, tokens_.size(), tokens_.begin());
    check(*decoder_, tokens_.data(), engine_.shape_);
    decoder_->push(tokens_.data(), logits_BV);
}

}  // namespace microgpt
