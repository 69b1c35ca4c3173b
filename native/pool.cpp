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

void rest() {
#if defined(__x86_64__)
    _mm_pause();
#else
    std::this_thread::yield();
#endif
}

// About 50 microseconds: longer than from one part of a step to the next, and no time slice.
constexpr int patience = 2000;

}  // namespace

// What several threads write to at the same time lies on cache lines of its own.
struct Pool::Crew {
    explicit Crew(Index most) : own(static_cast<std::size_t>(most)) {
        threads.reserve(static_cast<std::size_t>(most));
    }

    std::vector<std::thread> threads;
    std::mutex mutex;
    std::condition_variable called;
    std::atomic<bool> over{false};
    std::atomic<int> asleep{0};
    // Set before parts are there to take; whoever has taken one may read these until it is done.
    Part part = nullptr;
    void* context = nullptr;
    Index n = 0;
    std::atomic<Index> wanted{0};
    // Whether a part has thrown, and what the first one did.
    std::atomic<bool> failed{false};
    std::exception_ptr thrown;
    alignas(64) std::atomic<unsigned> round{0};
    alignas(64) std::atomic<Index> done{0};
    struct alignas(64) Own {
        std::atomic<Index> left{0};
    };
    std::vector<Own> own;

    // How many of n parts are a thread's own: every `wanted`-th.
    static Index count(Index n, Index owner, Index wanted) {
        return (n - owner + wanted - 1) / wanted;
    }

    // Take one's own parts, the same in every step: what they wrote is still in this processor's
    // caches. Then help the others. A thread that comes late finds no part, or one of the next
    // round: nobody waits for a thread that has none, and may have no processor.
    void take(Index thread) {
        const Index among = wanted.load(std::memory_order_relaxed);
        if (thread >= among) return;
        for (Index turn = 0; turn < among; ++turn) {
            const Index owner = (thread + turn) % among;
            auto& left = own[static_cast<std::size_t>(owner)].left;
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

    void live(Index thread) {
        const TinyIsZero tiny;
        unsigned seen = 0;
        for (;;) {
            for (int i = 0; i < patience && round.load(std::memory_order_acquire) == seen; ++i)
                rest();
            if (round.load(std::memory_order_acquire) == seen) {
                std::unique_lock lock(mutex);
                ++asleep;
                called.wait(lock, [&] { return round.load() != seen; });
                --asleep;
            }
            seen = round.load(std::memory_order_acquire);
            if (over) return;
            take(thread);
        }
    }

    void call() {
        round.fetch_add(1);
        if (asleep.load() > 0) {
            const std::lock_guard lock(mutex);
            called.notify_all();
        }
    }
};

void Pool::begin() noexcept {
    there_ = 1;
    try {
        crew_ = new Crew(threads_);
        for (; there_ < threads_; ++there_)
            crew_->threads.emplace_back(&Crew::live, crew_, there_);
    } catch (...) {
        // The system grants no more threads, or no memory: those that are there will do.
    }
}

void Pool::forked() {
    // What the threads left behind is never looked at again, nor freed: one may have held its lock.
    crew_ = nullptr;
    there_ = 0;
}

Pool::~Pool() {
    if (!crew_) return;
    crew_->over = true;
    {
        const std::lock_guard lock(crew_->mutex);
        crew_->round.fetch_add(1);
    }
    crew_->called.notify_all();
    for (std::thread& thread : crew_->threads) thread.join();
    delete crew_;
}

void Pool::run(Index n, Part part, void* context, Index wanted) {
    if (wanted > threads_) wanted = threads_;
    if (n > 1 && wanted > 1 && there_ == 0) begin();
    if (wanted > there_) wanted = there_;
    if (n == 1 || wanted <= 1) {
        for (Index i = 0; i < n; ++i) part(context, i, 0);
        return;
    }
    Crew& crew = *crew_;
    crew.part = part;
    crew.context = context;
    crew.n = n;
    crew.wanted.store(wanted, std::memory_order_relaxed);
    crew.done.store(0, std::memory_order_relaxed);
    for (Index t = 0; t < wanted; ++t)
        crew.own[static_cast<std::size_t>(t)].left.store(Crew::count(n, t, wanted),
                                                         std::memory_order_release);
    crew.call();
    crew.take(0);
    for (int i = 0; crew.done.load(std::memory_order_acquire) < n; ++i)
        i < patience ? rest() : std::this_thread::yield();
    if (crew.failed.exchange(false))
        std::rethrow_exception(std::exchange(crew.thrown, nullptr));
}

TinyIsZero::TinyIsZero() {
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

TinyIsZero::~TinyIsZero() {
#if defined(__x86_64__)
    _mm_setcsr(static_cast<unsigned>(before_));
#elif defined(__aarch64__)
    asm volatile("msr fpcr, %0" ::"r"(before_));
#endif
}

}  // namespace microgpt
