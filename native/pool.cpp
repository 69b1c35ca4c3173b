#include "pool.hpp"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace microgpt {
namespace {

void pause() noexcept {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    // `yield` does nothing on processors with one thread a core: a barrier takes some ten cycles.
    asm volatile("isb" ::: "memory");
#else
    std::this_thread::yield();
#endif
}

// How often a thread asks for work before it sleeps: for about 50 microseconds, longer than the gap
// between two phases of a step, and far less than a time slice.
constexpr int spins = 2000;

}  // namespace

// What the threads share. Members that several of them write to at the same time have cache lines
// of their own.
struct Pool::Workers {
    explicit Workers(Index most) : queues(static_cast<std::size_t>(most)) {
        threads.reserve(static_cast<std::size_t>(most));
    }

    std::vector<std::thread> threads;
    std::mutex mutex;
    std::condition_variable wakes;
    std::atomic<bool> stopping{false};
    std::atomic<int> asleep{0};
    // The job. Written before its parts can be taken; a thread that has taken a part may read these
    // until the part is done.
    Part part = nullptr;
    void* context = nullptr;
    Index n = 0;
    std::atomic<Index> wanted{0};
    // Whether a part has thrown, and the first exception.
    std::atomic<bool> failed{false};
    std::exception_ptr thrown;
    alignas(64) std::atomic<unsigned> round{0};
    alignas(64) std::atomic<Index> done{0};
    // How many parts of each thread's queue have not been taken.
    struct alignas(64) Queue {
        std::atomic<Index> left{0};
    };
    std::vector<Queue> queues;

    // How many of n parts are in a thread's queue: every `wanted`-th.
    static Index count(Index n, Index owner, Index wanted) noexcept {
        return (n - owner + wanted - 1) / wanted;
    }

    // Do the parts in the thread's own queue: they are the same in every step, so that what they
    // read is still in this processor's caches. Then take parts from the other queues. A thread
    // that comes late finds no part, or one of the next job: nobody waits for a thread that has no
    // part, because it may have no processor.
    void run_parts(Index thread) noexcept {
        const Index among = wanted.load(std::memory_order_relaxed);
        if (thread >= among) return;
        for (Index next = 0; next < among; ++next) {
            const Index owner = (thread + next) % among;
            auto& left = queues[static_cast<std::size_t>(owner)].left;
            for (Index i; (i = left.fetch_sub(1, std::memory_order_acquire)) > 0;) {
                const Index step = wanted.load(std::memory_order_relaxed);
                try {
                    part(context, owner + (count(n, owner, step) - i) * step, thread);
                } catch (...) {
                    if (!failed.exchange(true)) thrown = std::current_exception();
                }
                done.fetch_add(1, std::memory_order_release);
            }
        }
    }

    // What a thread does until the pool ends.
    void loop(Index thread) {
        const FlushDenormals flush;
        unsigned seen = 0;
        for (;;) {
            for (int i = 0; i < spins && round.load(std::memory_order_acquire) == seen; ++i)
                pause();
            if (round.load(std::memory_order_acquire) == seen) {
                std::unique_lock lock(mutex);
                ++asleep;
                wakes.wait(lock, [&] { return round.load() != seen; });
                --asleep;
            }
            seen = round.load(std::memory_order_acquire);
            if (stopping) return;
            run_parts(thread);
        }
    }

    // Let the threads see that there is a new job.
    void announce() {
        round.fetch_add(1);
        if (asleep.load() > 0) {
            const std::lock_guard lock(mutex);
            wakes.notify_all();
        }
    }
};

void Pool::start() noexcept {
    running_ = 1;
    try {
        workers_ = new Workers(threads_);
        for (; running_ < threads_; ++running_)
            workers_->threads.emplace_back(&Workers::loop, workers_, running_);
    } catch (...) {
        // The system grants no more threads or memory: the pool works with those that run.
    }
}

void Pool::forked() noexcept {
    // The old shared state is never read again and not freed: a thread may have held its lock.
    workers_ = nullptr;
    running_ = 0;
}

Pool::~Pool() {
    if (!workers_) return;
    workers_->stopping = true;
    {
        const std::lock_guard lock(workers_->mutex);
        workers_->round.fetch_add(1);
    }
    workers_->wakes.notify_all();
    for (std::thread& thread : workers_->threads) thread.join();
    delete workers_;
}

void Pool::run(Index n, Part part, void* context, Index wanted) {
    if (wanted > threads_) wanted = threads_;
    if (n > 1 && wanted > 1 && running_ == 0) start();
    if (wanted > running_) wanted = running_;
    if (n == 1 || wanted <= 1) {
        for (Index i = 0; i < n; ++i) part(context, i, 0);
        return;
    }
    Workers& workers = *workers_;
    workers.part = part;
    workers.context = context;
    workers.n = n;
    workers.wanted.store(wanted, std::memory_order_relaxed);
    workers.done.store(0, std::memory_order_relaxed);
    for (Index t = 0; t < wanted; ++t)
        workers.queues[static_cast<std::size_t>(t)].left.store(Workers::count(n, t, wanted),
                                                               std::memory_order_release);
    workers.announce();
    workers.run_parts(0);
    for (int i = 0; workers.done.load(std::memory_order_acquire) < n; ++i)
        i < spins ? pause() : std::this_thread::yield();
    if (workers.failed.exchange(false))
        std::rethrow_exception(std::exchange(workers.thrown, nullptr));
}

FlushDenormals::FlushDenormals() noexcept {
#if defined(__x86_64__)
    before_ = _mm_getcsr();
    _mm_setcsr(static_cast<unsigned>(before_) | 0x8040u);
#elif defined(__aarch64__)
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" ::"r"(before_ | (1ull << 24)));
#else
    before_ = 0;
#endif
}

FlushDenormals::~FlushDenormals() {
#if defined(__x86_64__)
    _mm_setcsr(static_cast<unsigned>(before_));
#elif defined(__aarch64__)
    asm volatile("msr fpcr, %0" ::"r"(before_));
#endif
}

}  // namespace microgpt
