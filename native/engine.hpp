// The engine as its users see it: no vectors, no Python. One build of it for every kind of
// processor stands behind this.
#pragma once

#include "pool.hpp"
#include "shape.hpp"

namespace microgpt {

// Rows that advance together. `push` answers logits (rows x vocab_size); a negative token rests.
class Decoder {
  public:
    virtual ~Decoder() = default;
    virtual void push(const std::int32_t* tokens_B, double* logits_BV) = 0;
    virtual Index rows() const = 0;
    // How many tokens a row has read.
    virtual Index length(Index row) const = 0;
};

// Buffers of parameters, moments and slopes are flat, in the table's order. What is handed in has
// been checked: tokens and targets below V, documents of 1 to block_size positions.
class Engine {
  public:
    virtual ~Engine() = default;
    virtual Index size() const = 0;
    virtual void load(const float* parameters, const float* m, const float* v) = 0;
    virtual void state(float* parameters, float* m, float* v) const = 0;
    virtual void losses(const Documents& documents, double* losses_N) = 0;
    // The logits that `losses` computes from; targets are not read.
    virtual void logits(const Documents& documents, double* logits_NV) = 0;
    virtual void gradients(const Documents& documents, double* slopes) = 0;
    // Step k has the documents steps[k] to steps[k + 1]. Returns how many steps have a sum: the
    // last of them made no update if its sum is not finite.
    virtual Index train(const Documents& documents, const Index* steps, Index n_steps,
                        const double* lr_K, Index updates, double* nats_K) = 0;
    virtual Decoder* decoder(Index rows) = 0;
    // This process is a fork's child: it has none of the threads.
    virtual void forked() = 0;
};

// Builds by name, narrowest first: "v2", "v3", "v4" of x86-64, or "portable".
const char* const* builds(Index* count);
bool runs_here(const char* build);
// Multiply-adds a second of one core in this build's vectors, two operations each, in GFLOP/s.
double peak(const char* build);
Engine* make_engine(const char* build, const Shape& shape, const Optimizer& optimizer, Index threads);

}  // namespace microgpt
