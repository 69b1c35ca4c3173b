// Threads that wait for work, and share it out. Who computes what never changes a result here:
// every number is computed by one thread, in one order.
#pragma once

#include "shape.hpp"

namespace microgpt {

class Pool {
  public:
    // Work on one of many parts: f(context, part, thread).
    using Part = void (*)(void* context, Index part, Index thread);

    // At most so many threads, the caller's among them. They begin when first wanted.
    explicit Pool(Index threads) : threads_(threads) {}
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    Index threads() const { return threads_; }

    // Call part(context, i, thread) for all i below n, on at most `wanted` threads; return when all
    // are done. One caller at a time. Of what parts throw, the first is thrown on, once all are done.
    void run(Index n, Part part, void* context, Index wanted);

    // This process is a fork's child, without the threads: new ones begin when wanted.
    void forked();

    template <class F>
    void each(Index n, Index wanted, F& f) {
        run(n, [](void* c, Index i, Index thread) { (*static_cast<F*>(c))(i, thread); }, &f,
            wanted);
    }

  private:
    struct Crew;
    void begin() noexcept;

    const Index threads_;
    Index there_ = 0;  // 0: none has begun
    Crew* crew_ = nullptr;
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
