// The engine's interface: no vectors, no Python. Each build, for one kind of processor, implements
// it.
#pragma once

#include <vector>

#include "pool.hpp"
#include "shape.hpp"

namespace microgpt {

// Decodes rows side by side. `push` reads one token a row and writes logits (rows x vocab_size); a
// row whose token is negative is skipped.
class Decoder {
  public:
    virtual ~Decoder() = default;
    virtual void push(const std::int32_t* tokens_B, double* logits_BV) = 0;
    virtual Index rows() const = 0;
    // How many tokens a row has read.
    virtual Index length(Index row) const = 0;
};

// Parameters, moments and gradients are flat, in the table's order. Arguments have been checked:
// tokens and targets are below V, documents have 1 to block_size positions.
class Engine {
  public:
    virtual ~Engine() = default;
    virtual Index size() const = 0;
    virtual void load(const float* parameters, const float* m, const float* v) = 0;
    virtual void state(float* parameters, float* m, float* v) const = 0;
    virtual void losses(const Documents& documents, double* losses_N) = 0;
    // The logits that `losses` computes from; targets are not read.
    virtual void logits(const Documents& documents, double* logits_NV) = 0;
    virtual void gradients(const Documents& documents, double* d_parameters) = 0;
    // Make one update a step; step k has the documents steps[k] to steps[k + 1]. Return how many
    // steps have a sum in nats_K. If a sum is not finite, that step makes no update and is the
    // last.
    virtual Index train(const Documents& documents, const Index* steps, Index n_steps,
                        const double* lr_K, Index updates, double* nats_K) = 0;
    virtual Decoder* decoder(Index rows) = 0;
    // Forget the threads, in a forked child, which has none of them.
    virtual void forked() = 0;
};

// Builds by name, narrowest first: "v2", "v3", "v4" of x86-64, or "portable".
const char* const* builds(Index* count);
bool runs_here(const char* build);
// Measure the multiply-adds of one core with this build's vectors, in GFLOP/s: two operations each.
double peak(const char* build);
// Rows of logits to compare with their targets; a negative target is unknown. Logits are finite.
struct Comparison {
    const double* logits_NV;
    Index vocab_size;
    const std::int32_t* targets_N;
    const Index* group_N;  // the table that a row's predictions are added to
    std::vector<Index> order;  // the rows, by group
    double far;
    Index bins;
};
// For each row the loss in nats, the likeliest token (of equal ones the first), the target's
// probability, and the sum of p^2; where the target is unknown, the likeliest token and zeros. The
// other rows are added to two tables, of all tokens and of the likeliest ones. These have bins of the
// log-odds, from -far to far, and for each the number, how many are targets, sum of p, and of p^2.
struct Outcomes {
    double* losses_N;
    Index* likely_N;
    double *p_target_N, *squares_N, *every_GF4, *likeliest_GF4;
};
void compare(const char* build, const Comparison& in, const Outcomes& out);
Engine* make_engine(const char* build, const Shape& shape, const Optimizer& optimizer,
                    Index threads);

}  // namespace microgpt
