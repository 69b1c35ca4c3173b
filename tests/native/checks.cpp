// Each operation of the native engine by itself, at odd sizes: its backward pass against central
// differences of its forward pass; exponential and logarithm in units of the last place; and no
// allocation in the steps of a training. test_native_operations.py compiles this for each build.
#include <cstdio>
#include <cstdlib>
#include <new>
#include <vector>

#include "build.cpp"
#include "compare.hpp"

namespace {

long allocations = 0;

void* allocate(std::size_t bytes, std::size_t line) {
    ++allocations;
    if (void* p = std::aligned_alloc(line, (bytes + line - 1) / line * line)) return p;
    throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes, 64); }
void* operator new[](std::size_t bytes) { return allocate(bytes, 64); }
void* operator new(std::size_t bytes, std::align_val_t line) {
    return allocate(bytes, static_cast<std::size_t>(line));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace microgpt::MICROGPT_BUILD {
namespace {

void norms(Index M, Index width) {
    const Index D = round_up(width, lanes);
    Floats x = rows(M, D, width), y = x, scales(static_cast<std::size_t>(M)), dx = x;
    const Floats dy = rows(M, D, width), sum = rows(M, D, width);
    const auto value = [&] {
        rmsnorm(M, width, 1e-5f, x.data(), D, y.data(), scales.data());
        return dot(y, dy) + dot(x, sum);
    };
    value();
    rmsnorm_backward(M, width, dy.data(), y.data(), scales.data(), D, sum.data(), dx.data());
    compare(sizes("rmsnorm, rows width", {M, width}), x, dx, value);
}

void products(Index M, Index out, Index in) {
    const Weight w{round_up(out, lanes), round_up(in, lanes), 0};
    Floats x = rows(M, w.columns, in), y = rows(M, w.rows, 0), dx = rows(M, w.columns, 0);
    Floats weight = rows(1, w.size(), 0), transposed = weight, d_weight = weight;
    const Floats plain = rows(out, in, in), dy = rows(M, w.rows, out);
    for (Index o = 0; o < out; ++o)
        for (Index i = 0; i < in; ++i)
            weight[static_cast<std::size_t>(in_panels(o, i, w.rows, w.columns))] =
                plain[static_cast<std::size_t>(o * in + i)];
    const auto value = [&] {
        for (Index row = 0; row < w.rows; row += lanes)
            write_transposed(w, row, weight.data(), transposed.data());
        linear(M, x.data(), w, transposed.data(), y.data());
        return dot(y, dy);
    };
    value();
    linear_backward(M, dy.data(), w, weight.data(), dx.data());
    const Buffers buffers{weight.data(), transposed.data(), nullptr, nullptr};
    std::vector<Index> ends{0};
    while (ends.back() < M) ends.push_back(ends.back() + 5 < M ? ends.back() + 5 : M);
    Chunks chunks;
    chunks.cut({nullptr, nullptr, ends.data(), static_cast<Index>(ends.size()) - 1}, w.columns);
    // Sums of chunks by 1, 2, 4 or more threads are the same bits.
    for (Index threads = 1, differ = 0; threads <= chunks.count(); threads *= 2) {
        Floats sums = rows(threads, w.size(), 0), added = d_weight;
        for (Index row = 0; row < w.rows; row += lanes) {
            const WeightRows part{w, row, dy.data(), x.data()};
            const Index each = chunks.count() / threads;
            for (Index t = 0; t < threads; ++t)
                part.some(chunks, t * each, each, sums.data() + t * w.size());
            part.added(sums.data(), w.size(), threads, GradientUse{}, buffers, added.data());
            part.all(chunks, GradientUse{}, buffers, d_weight.data());
        }
        for (std::size_t i = 0; i < added.size(); ++i) differ += added[i] != d_weight[i];
        report(sizes("sums of chunks, rows threads chunks", {M, threads, chunks.count()}),
               static_cast<double>(differ), 0);
    }
    compare(sizes("linear to its input, rows out in", {M, out, in}), x, dx, value);
    compare(sizes("linear to its weight, rows out in", {M, out, in}), weight, d_weight, value);
}

void activations(bool squared) {
    Floats x = rows(3, 80, 80), positive = x, y = x;
    for (float& number : x) number = std::fabs(number) < 0.05f ? 0.0f : number;  // no kinks
    Floats dx = rows(3, 80, 80);
    const Floats dy = dx;
    const auto value = [&] {
        positive = x;
        relu(240, positive.data(), squared ? y.data() : nullptr);
        return dot(squared ? y : positive, dy);
    };
    value();
    relu_backward(240, positive.data(), squared, dx.data());
    compare(squared ? "squared relu" : "relu", x, dx, value);
}

void attentions(Index T, Index heads, Index width) {
    const Layout layout({5, T, 1, heads, width, false, Objective::cross_entropy});
    const Attention attention(layout);
    const Index D = layout.D;
    Floats qkv = rows(3 * T, D, width), out = rows(T, D, 0), d_qkv = rows(3 * T, D, 0);
    const Floats d_out = rows(T, D, width);
    Floats probabilities = rows(1, attention.probabilities(T, 0), 0);
    Floats scratch = rows(1, attention.scratch(T), 0);
    const auto value = [&] {
        attention.causal_attention(T, 0, qkv.data(), probabilities.data(), scratch.data(), out.data());
        return dot(out, d_out);
    };
    value();
    attention.causal_attention_backward(T, qkv.data(), probabilities.data(), out.data(), 1.0f,
                                        d_out.data(), scratch.data(), d_qkv.data());
    compare(sizes("causal attention, positions heads width", {T, heads, width}), qkv, d_qkv, value);
}

void query_keys(Index T, Index heads, Index width, bool norms, bool rotates) {
    const Layout layout({5, T, 1, heads, width, false, Objective::cross_entropy,
                         rotates ? 100.0 : 0.0, norms, false, 1e-5f});
    const QueryKey change(layout);
    const Index D = layout.D;
    Floats qkv = rows(3 * T, D, width), changed = qkv, d_qkv = rows(3 * T, D, width);
    const Floats d_changed = d_qkv;
    Floats scales = rows(T, change.scales(), 0);
    const auto value = [&] {
        changed = qkv;
        change.forward(T, 0, changed.data(), scales.data());
        return dot(changed, d_changed);
    };
    value();
    change.backward(T, changed.data(), scales.data(), d_qkv.data());
    compare(sizes(norms ? "normed heads, positions heads width"
                        : "rotated heads, positions heads width", {T, heads, width}),
            qkv, d_qkv, value);
}

void losses(Index M, Index vocabulary, Objective objective, const char* name) {
    const Layout layout({vocabulary, 1, 1, 1, 1, false, objective});
    Floats logits = rows(M, layout.V, vocabulary, 2.0), gradients = logits;
    std::vector<std::int32_t> targets;
    for (Index m = 0; m < M; ++m) targets.push_back(static_cast<std::int32_t>(m % vocabulary));
    std::vector<double> nats(static_cast<std::size_t>(M));
    const auto forward = [&](Floats& where) {
        cross_entropy(M, targets.data(), layout.shape, layout.V, 0.5, where.data(), nats.data());
    };
    const auto value = [&] {
        Floats copy = logits;
        forward(copy);
        double total = 0.0;
        for (const double n : nats) {
            const double miss = -std::expm1(-n);
            total += objective == Objective::cross_entropy ? n
                     : objective == Objective::linear      ? miss
                                                           : miss * miss;
        }
        return 0.5 * total;
    };
    forward(gradients);
    compare(sizes(name, {M, vocabulary}), logits, gradients, value);
}

void embeddings(Index T, Index width) {
    const Index D = round_up(width, lanes), V = 5;
    Floats wte = rows(V, D, width), wpe = rows(T, D, width), x = rows(T, D, 0);
    const Floats dx = rows(T, D, width);
    Floats d_wte = rows(V, D, 0), d_wpe = rows(T, D, 0);
    std::vector<std::int32_t> tokens;
    for (Index t = 0; t < T; ++t) tokens.push_back(static_cast<std::int32_t>(t * t % V));
    const auto value = [&] {
        embed(T, tokens.data(), wte.data(), wpe.data(), 0, D, x.data());
        return dot(x, dx);
    };
    const Buffers none{};
    const Index ends[] = {0, T};
    const Documents batch{tokens.data(), nullptr, ends, 1};
    TokenOrder order(V);
    order.reserve(T);
    order.sort(batch);
    token_rows(order, 0, V, D, dx.data(), GradientUse{}, none, d_wte.data());
    position_rows(batch, 0, T, D, dx.data(), GradientUse{}, none, d_wpe.data());
    compare(sizes("embed to tokens, positions width", {T, width}), wte, d_wte, value);
    compare(sizes("embed to places, positions width", {T, width}), wpe, d_wpe, value);
}

void exponentials() {
    double worst = 0.0;
    for (float x = -87.0f; x <= 0.0f; x += 0.00037f) {
        const double truth = std::exp(static_cast<double>(x));
        const double unit = std::ldexp(1.0, std::ilogb(truth) - 23);
        worst = std::fmax(worst, std::fabs(static_cast<double>(exp(splat(x))[0]) - truth) / unit);
    }
    report("exp, units of the last place", worst, 2.0);
    worst = 0.0;
    for (float x = -126.0f; x <= 126.0f; x += 0.00037f) {
        const double truth = std::exp2(static_cast<double>(x));
        const double unit = std::ldexp(1.0, std::ilogb(truth) - 23);
        worst = std::fmax(worst, std::fabs(static_cast<double>(exp2(splat(x))[0]) - truth) / unit);
    }
    report("exp2, units of the last place", worst, 3.0);
    report("exp2 of -127, -infinity", exp2(splat(-127.0f))[0] + exp2(splat(-HUGE_VALF))[0], 0);
    report("exp2 of NaN", std::isnan(exp2(splat(NAN))[0]) ? 0 : 1, 0);
}

void logarithms() {
    double worst = 0.0;
    for (float x = 1e-30f; x < 1e30f; x *= 1.0007f) {
        const double truth = std::log(static_cast<double>(x));
        const double unit = std::ldexp(1.0, std::ilogb(truth) - 52);
        worst = std::fmax(worst, std::fabs(log(splat(x))[0] - truth) / unit);
    }
    report("log, units of the last place", worst, 3.0);
    report("log of 1", log(splat(1.0f))[0], 0);
    report("log of what is not finite",
           std::isnan(log(splat(NAN))[0]) && std::isinf(log(splat(HUGE_VALF))[0]) ? 0 : 1, 0);
}

void no_allocations(Index threads) {
    const Shape shape{27, 16, 2, 4, 32, true, Objective::cross_entropy, 100.0, true, true, 1e-5f};
    const Optimizer optimizer{0.85, 0.99, 1e-8, 2.0,    0.95, 0.1, 0.1,
                              1,    {3.4445, -4.775, 2.0315}, 5, 1e-7};
    Engine* engine = make(shape, optimizer, threads);
    const Floats drawn = rows(1, engine->size(), engine->size(), 0.1);
    const Floats zeros(drawn.size());
    engine->load(drawn.data(), zeros.data(), zeros.data());
    constexpr Index steps = 20, each = 16;
    std::vector<std::int32_t> tokens;
    std::vector<Index> documents{0}, batches{0};
    for (Index d = 0; d < steps * each; ++d) {
        for (Index t = 0; t <= d * 7 % 16; ++t) tokens.push_back(static_cast<std::int32_t>(d % 27));
        documents.push_back(static_cast<Index>(tokens.size()));
        if ((d + 1) % each == 0) batches.push_back(d + 1);
    }
    const Documents all{tokens.data(), tokens.data(), documents.data(), steps * each};
    const std::vector<double> rates(steps, 1e-3);
    std::vector<double> nats(steps), logits(8 * 27);
    engine->train(all, batches.data(), steps, rates.data(), 0, nats.data());
    Decoder* decoder = engine->decoder(8);
    engine->train(all, batches.data(), 1, rates.data(), 0, nats.data());  // on a copy from here on
    allocations = 0;
    engine->train(all, batches.data(), steps, rates.data(), steps, nats.data());
    for (Index t = 0; t < 16; ++t) decoder->push(tokens.data(), logits.data());
    const auto counted = static_cast<double>(allocations);
    report(sizes("allocations in steps, threads", {threads}), counted, 0);
    delete decoder;
    delete engine;
}

int check() {
    for (const Index M : {1, 7}) {
        norms(M, 20), norms(M, 1), norms(M, 33);
        products(M, 60, 20), products(M, 5, 12), products(M, 1000, 20), products(M, 20, 80);
        embeddings(M, 20);
    }
    products(110, 20, 20), products(300, 20, 36), products(500, 20, 36), products(4100, 4, 4);
    activations(false), activations(true);
    for (const Index T : {1, 2, 7, 24, 25, 40}) {
        attentions(T, 3, 12), attentions(T, 4, 20), attentions(T, 20, 20), attentions(T, 1, 32);
        attentions(T, 2, 6), attentions(T, 2, 32);
    }
    for (const Index T : {63, 65, 129}) {
        attentions(T, 1, 3), attentions(T, 2, 8), attentions(T, 1, 8), attentions(T, 1, 20);
        attentions(T, 2, 32);
    }
    query_keys(5, 4, 8, false, true);
    for (const Index width : {16, 32, 64, 128}) {
        query_keys(5, 4, width, true, true), query_keys(5, 4, width, false, true);
        query_keys(5, 1, width, true, false);
    }
    query_keys(3, 2, 12, true, true), query_keys(3, 2, 20, true, true);
    query_keys(3, 3, 60, true, true);
    for (const Index V : {2, 5, 1000}) {
        losses(40, V, Objective::cross_entropy, "-log p, rows vocabulary");
        losses(4, V, Objective::linear, "1 - p, rows vocabulary");
        losses(4, V, Objective::quadratic, "(1 - p)^2, rows vocabulary");
    }
    exponentials(), logarithms();
    no_allocations(1), no_allocations(3);
    return failures != 0;
}

}  // namespace
}  // namespace microgpt::MICROGPT_BUILD

int main() { return microgpt::MICROGPT_BUILD::check(); }
