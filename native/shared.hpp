// An engine that several threads may call, and that survives forks. A lock lets in one caller at a
// time. Arguments are copied behind the lock and the copies are checked, because other threads of
// the caller could still write to the originals.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "border.hpp"

namespace microgpt {

class SharedEngine {
  public:
    SharedEngine(const char* build, const Shape& shape, const Optimizer& optimizer, Index threads);
    ~SharedEngine();
    SharedEngine(const SharedEngine&) = delete;
    SharedEngine& operator=(const SharedEngine&) = delete;

    // How many parameters the table has; how many logits a position has.
    Index size() const { return engine_->size(); }
    Index vocab_size() const { return shape_.vocab_size; }

    // How many updates have been made. Takes no lock: it never waits for a training.
    Index updates() const { return updates_.load(); }

    void load(const float* parameters, const float* m, const float* v, Index updates);
    // Copy the state; return the number of updates.
    Index state(float* parameters, float* m, float* v);
    // `tokens` and `targets` are the lengths of the arrays. Throws InputError if they do not fit.
    void losses(const Documents& documents, Index tokens, Index targets, double* losses_N);
    // Targets are not read.
    void logits(const Documents& documents, Index tokens, double* logits_NV);
    void gradients(const Documents& documents, Index tokens, Index targets, double* d_parameters);
    // Return how many steps have a sum; see Engine.
    Index train(const Documents& documents, Index tokens, Index targets, const Index* steps,
                Index n_steps, const double* lr_K, double* nats_K);

  private:
    friend class SharedDecoder;
    friend class ForkHandlers;

    // Copy documents and check the copy, without targets or with them. The lock is held.
    Documents checked(const Documents& documents, Index tokens);
    Documents checked(const Documents& documents, Index tokens, Index targets);
    Documents copied(const Documents& documents, Index tokens);

    const Shape shape_;
    std::mutex mutex_;
    const std::unique_ptr<Engine> engine_;
    std::atomic<Index> updates_{0};
    std::vector<std::int32_t> tokens_, targets_;
    std::vector<Index> offsets_, steps_;
};

// A decoder behind its engine's lock; the engine must outlive it.
class SharedDecoder {
  public:
    SharedDecoder(SharedEngine& engine, Index rows);

    Index rows() const { return static_cast<Index>(tokens_.size()); }
    // Read one token a row; logits are rows() by vocab_size.
    void push(const std::int32_t* tokens_B, double* logits_BV);

  private:
    SharedEngine& engine_;
    std::vector<std::int32_t> tokens_;
    std::unique_ptr<Decoder> decoder_;
};

}  // namespace microgpt
