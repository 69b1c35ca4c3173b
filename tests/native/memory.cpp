// An engine that runs out of memory, at every allocation in turn: it throws, is unchanged, and can
// go on; nothing leaks. test_native_threads.py compiles it for the address sanitizer.
#include <new>

#include "examples.hpp"

namespace {

// How many more allocations succeed; negative: all of them.
long left = -1;

void* allocate(std::size_t bytes, std::size_t line) noexcept {
    if (left == 0) return nullptr;
    if (left > 0) --left;
    return std::aligned_alloc(line, (bytes + line - 1) / line * line);
}

void* or_throw(void* p) {
    if (!p) throw std::bad_alloc();
    return p;
}

std::size_t number(std::align_val_t line) { return static_cast<std::size_t>(line); }

}  // namespace

void* operator new(std::size_t n) { return or_throw(allocate(n, 16)); }
void* operator new[](std::size_t n) { return or_throw(allocate(n, 16)); }
void* operator new(std::size_t n, std::align_val_t line) {
    return or_throw(allocate(n, number(line)));
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, 16); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, 16); }
void* operator new(std::size_t n, std::align_val_t line, const std::nothrow_t&) noexcept {
    return allocate(n, number(line));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

using namespace microgpt;

namespace {

// Try f with memory for `allocations`; return whether it had enough.
template <class F>
bool runs(long allocations, F f) {
    left = allocations;
    try {
        f();
    } catch (const std::bad_alloc&) {
        left = -1;
        return false;
    }
    const bool enough = left > 0;
    left = -1;
    return enough;
}

// Let f run out of memory at its first allocation, its second and so on.
template <class F>
void starve(const char* what, Index threads, F f) {
    const Texts few(8), many(64);
    Example reference(threads);
    const Doubles little = reference.losses(few), much = reference.losses(many);
    const Floats state = reference.state();
    for (long allocations = 0;; ++allocations) {
        Example example(threads);
        const auto reader = std::make_unique<SharedDecoder>(example.engine, 2);
        if (runs(allocations, [&] { f(example, many); })) {
            std::printf("   %s, %ld allocations\n", what, allocations);
            expect(allocations > 0, "something is allocated");
            return;
        }
        // Fewer threads than are wanted, or nothing has happened.
        if (example.engine.updates() == 0) {
            expect(example.state() == state, "what failed has changed nothing");
            expect(example.losses(few) == little, "a few are computed on after a failure");
            expect(example.losses(many) == much, "and many");
        }
        f(example, many);
        example.load();
        expect(example.losses(many) == much, "what failed can be done again");
    }
}

}  // namespace

int main() {
    for (const Index threads : {1, 3}) {
        starve("losses", threads, [](Example& e, const Texts& t) { e.losses(t); });
        starve("logits", threads, [](Example& e, const Texts& t) { e.logits(t); });
        starve("gradients", threads, [](Example& e, const Texts& t) { e.gradients(t); });
        starve("train", threads, [](Example& e, const Texts& t) { e.train(t); });
        starve("load", threads, [](Example& e, const Texts&) { e.load(); });
        starve("decoder", threads, [](Example& e, const Texts&) {
            SharedDecoder decoder(e.engine, 70);
            const std::vector<std::int32_t> tokens(70, 3);
            Doubles logits(70 * 11);
            decoder.push(tokens.data(), logits.data());
        });
    }
    long needed = 0;
    while (!runs(needed, [] { Example example(3); })) ++needed;
    std::printf("   an engine, %ld allocations\n", needed);
    std::puts("ok");
}
