// Threads that wait for work, and share it out. Who computes what never changes a result here:
// every number is computed by one thread, in one order.
#pragma once

#include "shape.hpp"

namespace microgpt {

class Pool {
  public:
    // Work on one of many parts: f(context, part, thread).
    using Part = void (*)(void* context, Index part, Index thread);

    explicit Pool(Index threads);
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    Index threads() const { return threads_; }

    // Call part(context, i, thread) for all i below n, on at most `wanted` threads; return when all
    // are done. One caller at a time.
    void run(Index n, Part part, void* context, Index wanted);

    template <class F>
    void each(Index n, Index wanted, F& f) {
        run(n, [](void* c, Index i, Index thread) { (*static_cast<F*>(c))(i, thread); }, &f,
            wanted);
    }

  private:
    struct Crew;
    Crew* crew_;
    Index threads_;
};

// While this lives, numbers too small for a normal float are taken as 0: where a token is rare its
// moments decay into them, and processors take a hundred times as long over these.
class TinyIsZero {
  public:
    TinyIsZero();
    ~TinyIsZero();

  private:
    unsigned long long before_;
};

}  // namespace microgpt
