// A pool of threads that divide the parts of a job among themselves. Results do not depend on which
// thread computes a part: every number is computed by one thread, in one order.
#pragma once

#include "shape.hpp"

namespace microgpt {

class Pool {
  public:
    // Do one of several parts of a job: f(context, part, thread).
    using Part = void (*)(void* context, Index part, Index thread);

    // At most `threads` threads, the caller's included. They start when they are first needed.
    explicit Pool(Index threads) : threads_(threads) {}
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    Index threads() const noexcept { return threads_; }

    // Call part(context, i, thread) for all i below n, on at most `wanted` threads; return when all
    // parts are done. One caller at a time. If parts throw, the first exception is rethrown then.
    void run(Index n, Part part, void* context, Index wanted);

    // Forget the threads, in a forked child, which has none of them: new ones start when needed.
    void forked() noexcept;

    // Call f(i, thread) for all i below n.
    template <class F>
    void each(Index n, Index wanted, F& f) {
        run(n, [](void* c, Index i, Index thread) { (*static_cast<F*>(c))(i, thread); }, &f,
            wanted);
    }

  private:
    struct Workers;
    void start() noexcept;

    const Index threads_;
    Index running_ = 0;  // threads, the caller's included; 0: none has started
    Workers* workers_ = nullptr;
};

// While this lives, denormal numbers are taken as 0: the moments of rare tokens decay into them,
// and processors take a hundred times as long to compute with them.
class FlushDenormals {
  public:
    FlushDenormals() noexcept;
    ~FlushDenormals();

  private:
    unsigned long long before_;
};

}  // namespace microgpt
