// Threads at one engine: what they may do at the same time, for the thread sanitizer to look at,
// and parts that throw. test_native_threads.py compiles and runs it.
#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>

#include "examples.hpp"
#include "pool.hpp"

using namespace microgpt;

namespace {

// Call f(i) in each of `threads` threads at once.
template <class F>
void at_once(int threads, F f) {
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i) all.emplace_back(f, i);
    for (std::thread& thread : all) thread.join();
}

void parts_throw(Index threads) {
    Pool pool(threads);
    for (Index round = 0; round < 300; ++round) {
        std::atomic<Index> done{0};
        auto part = [&](Index i, Index) {
            ++done;
            if (i % 5 == round % 5) throw std::runtime_error(std::to_string(i));
        };
        std::string caught;
        try {
            pool.each(20, threads, part);
        } catch (const std::runtime_error& error) {
            caught = error.what();
        }
        expect(!caught.empty() && std::stol(caught) % 5 == round % 5,
               "what a part throws is thrown on");
        // With one thread it is a loop, which stops at the exception.
        if (threads > 1) expect(done == 20, "the other parts are done all the same");
        std::atomic<Index> total{0};
        auto good = [&](Index i, Index) { total += i; };
        pool.each(20, threads, good);
        expect(total == 190, "a pool goes on after a part that threw");
    }
}

void all_at_once() {
    Example example(4);
    const Texts texts(64);
    const Doubles before = example.losses(texts);
    SharedDecoder earlier(example.engine, 3);
    at_once(8, [&](int who) {
        for (int round = 0; round < 15; ++round) {
            if (who == 0) example.train(texts);
            if (who == 1) example.losses(texts);
            if (who == 2) example.gradients(texts);
            if (who == 3) example.state();
            if (who == 4) {
                // Begun, pushed and gone while the parameters move on.
                SharedDecoder decoder(example.engine, 70);
                const std::vector<std::int32_t> tokens(70, 3);
                Doubles logits(70 * 11);
                for (int t = 0; t < 12; ++t) decoder.push(tokens.data(), logits.data());
            }
            if (who == 5) Example another(2);
            if (who == 6) example.logits(texts);
            if (who == 7) expect(example.engine.updates() % 8 == 0, "updates are counted a call");
        }
    });
    expect(example.engine.updates() == 15 * 8, "all updates are counted");
    const std::int32_t tokens[3] = {1, 2, 3};
    Doubles logits(33), expected(33);
    earlier.push(tokens, logits.data());
    example.load();
    SharedDecoder(example.engine, 3).push(tokens, expected.data());
    expect(logits == expected, "a decoder computes with the parameters of its moment");
    expect(example.losses(texts) == before, "an engine loaded again answers as it did");
}

// Two that train, one after the other or at once, make the same number of updates.
void two_train() {
    Example example(2), alone(2);
    const Texts texts(64);
    at_once(2, [&](int) {
        for (int round = 0; round < 5; ++round) example.train(texts);
    });
    for (int round = 0; round < 10; ++round) alone.train(texts);
    expect(example.state() == alone.state(), "one training waits for the other");
}

// A row holds block_size tokens, whoever pushes them.
void pushes() {
    Example example(2);
    for (int round = 0; round < 20; ++round) {
        SharedDecoder decoder(example.engine, 70);
        std::atomic<int> read{0}, refused{0};
        at_once(4, [&](int) {
            const std::vector<std::int32_t> tokens(70, 3);
            Doubles logits(70 * 11);
            for (int t = 0; t < 12; ++t) {
                try {
                    decoder.push(tokens.data(), logits.data());
                    ++read;
                } catch (const InputError&) {
                    ++refused;
                }
            }
        });
        expect(read == 12 && refused == 36, "a row holds block_size tokens, whoever pushes them");
    }
}

}  // namespace

int main() {
    for (const Index threads : {1, 2, 4}) parts_throw(threads);
    all_at_once(), two_train(), pushes();
    std::puts("ok");
}
