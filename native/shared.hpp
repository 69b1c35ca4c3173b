// An engine for several threads at once, and for forks: one caller at a time. What is checked is
// what is used: checks come after the lock, on copies of what the caller's other threads could
// still write to.
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

    // Of the buffers, which are flat, and of a decoder's logits.
    Index size() const { return engine_->size(); }
    Index vocab_size() const { return shape_.vocab_size; }

    // How many updates have been made; waits for nobody.
    Index updates() const { return updates_.load(); }

    void load(const float* parameters, const float* m, const float* v, Index updates);
    // Returns the number of updates that have been made.
    Index state(float* parameters, float* m, float* v);
    // `tokens` and `targets` are how many there are; what does not fit is a Mistake.
    void losses(const Documents& documents, Index tokens, Index targets, double* losses_N);
    // Targets are not read.
    void logits(const Documents& documents, Index tokens, double* logits_NV);
    void gradients(const Documents& documents, Index tokens, Index targets, double* slopes);
    // Returns how many steps have a sum; see Engine.
    Index train(const Documents& documents, Index tokens, Index targets, const Index* steps,
                Index n_steps, const double* lr_K, double* nats_K);

  private:
    friend class SharedDecoder;
    friend class Forks;

    // Copy documents and check them, without targets or with; the lock is held.
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

// Rows of an engine that outlives them.
class SharedDecoder {
  public:
    SharedDecoder(SharedEngine& engine, Index rows);

    Index rows() const { return static_cast<Index>(tokens_.size()); }
    // One token a row; logits are rows() by vocab_size.
    void push(const std::int32_t* tokens_B, double* logits_BV);

  private:
    SharedEngine& engine_;
    std::vector<std::int32_t> tokens_;
    std::unique_ptr<Decoder> decoder_;
};

}  // namespace microgpt
