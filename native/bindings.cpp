// The Python module: types and sizes are checked here, numpy's buffers are read without a copy, and
// other Python threads run while the engine computes.
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "bindings.hpp"
#include "shared.hpp"

using namespace microgpt;

namespace {

// A batch as the caller passed it: not checked, with the lengths of its arrays.
struct BatchArguments {
    BatchArguments(const Array<std::int32_t>& tokens, const Array<std::int32_t>& targets,
                   const Array<std::int64_t>& offsets)
        : documents{tokens.data(), targets.data(), offsets.data(),
                    static_cast<Index>(offsets.size()) - 1},
          tokens(static_cast<Index>(tokens.size())), targets(static_cast<Index>(targets.size())) {}

    const Documents documents;
    const Index tokens, targets;
};

class NativeEngine {
  public:
    NativeEngine(const std::string& build, const Shape& shape, const Optimizer& optimizer,
                 Index threads)
        : engine(build.c_str(), shape, optimizer, threads) {}

    Index updates() const { return engine.updates(); }

    void load(Array<float> parameters, Array<float> m, Array<float> v, Index updates) {
        for (const auto* array : {&parameters, &m, &v})
            if (static_cast<Index>(array->size()) != engine.size())
                throw InputError("a state's buffers must have " + number(engine.size()) +
                                 " numbers each; got " +
                                 number(static_cast<Index>(array->size())) + ".");
        const GilReleased released;
        engine.load(parameters.data(), m.data(), v.data(), updates);
    }

    nb::tuple state() {
        const Index n = engine.size();
        auto parameters = allocate<float>(n), m = allocate<float>(n), v = allocate<float>(n);
        Index updates = 0;
        {
            const GilReleased released;
            updates = engine.state(parameters.get(), m.get(), v.get());
        }
        const auto size = static_cast<std::size_t>(n);
        return nb::make_tuple(as_numpy(std::move(parameters), {size}),
                              as_numpy(std::move(m), {size}), as_numpy(std::move(v), {size}),
                              updates);
    }

    Result<double> losses(Array<std::int32_t> tokens, Array<std::int32_t> targets,
                          Array<std::int64_t> offsets) {
        const BatchArguments batch(tokens, targets, offsets);
        auto losses_N = allocate(batch.tokens);
        {
            const GilReleased released;
            engine.losses(batch.documents, batch.tokens, batch.targets, losses_N.get());
        }
        return as_numpy(std::move(losses_N), {tokens.size()});
    }

    Result<double> logits(Array<std::int32_t> tokens, Array<std::int64_t> offsets) {
        const auto N = static_cast<Index>(tokens.size());
        const Documents documents{tokens.data(), nullptr, offsets.data(),
                                  static_cast<Index>(offsets.size()) - 1};
        auto logits_NV = allocate(N * engine.vocab_size());
        {
            const GilReleased released;
            engine.logits(documents, N, logits_NV.get());
        }
        return as_numpy(std::move(logits_NV),
                        {tokens.size(), static_cast<std::size_t>(engine.vocab_size())});
    }

    Result<double> gradients(Array<std::int32_t> tokens, Array<std::int32_t> targets,
                             Array<std::int64_t> offsets) {
        const BatchArguments batch(tokens, targets, offsets);
        auto d_parameters = allocate(engine.size());
        {
            const GilReleased released;
            engine.gradients(batch.documents, batch.tokens, batch.targets, d_parameters.get());
        }
        return as_numpy(std::move(d_parameters), {static_cast<std::size_t>(engine.size())});
    }

    // Return the sums of nats, one for each step that was begun.
    Result<double> train(Array<std::int32_t> tokens, Array<std::int32_t> targets,
                         Array<std::int64_t> offsets, Array<std::int64_t> steps,
                         Array<double> lr_K) {
        const BatchArguments batch(tokens, targets, offsets);
        const auto K = static_cast<Index>(lr_K.size());
        if (static_cast<Index>(steps.size()) != K + 1)
            throw InputError("learning rates must be one a step; got " + number(K) + ".");
        auto nats_K = allocate(K);
        Index done = 0;
        {
            const GilReleased released;
            done = engine.train(batch.documents, batch.tokens, batch.targets, steps.data(), K,
                                lr_K.data(), nats_K.get());
        }
        return as_numpy(std::move(nats_K), {static_cast<std::size_t>(done)});
    }

    SharedEngine engine;
};

class NativeDecoder {
  public:
    NativeDecoder(SharedEngine& engine, Index rows)
        : vocab_size_(engine.vocab_size()), decoder_(engine, rows) {}

    Result<double> push(Array<std::int32_t> tokens) {
        const Index rows = decoder_.rows();
        if (static_cast<Index>(tokens.size()) != rows)
            throw InputError("tokens must be one a row, " + number(rows) + "; got " +
                             number(static_cast<Index>(tokens.size())) + ".");
        auto logits = allocate(rows * vocab_size_);
        {
            const GilReleased released;
            decoder_.push(tokens.data(), logits.get());
        }
        return as_numpy(std::move(logits), {static_cast<std::size_t>(rows),
                                          static_cast<std::size_t>(vocab_size_)});
    }

  private:
    const Index vocab_size_;
    SharedDecoder decoder_;
};

std::unique_ptr<NativeDecoder> decoder(NativeEngine& owner, Index rows) {
    const GilReleased released;
    return std::make_unique<NativeDecoder>(owner.engine, rows);
}

using Table = nb::ndarray<double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

// Check everything, add to the tables, and return what else `Outcomes` has, in its order.
nb::tuple compared(const std::string& build,
                   nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu> logits,
                   Array<std::int32_t> targets, Array<std::int64_t> groups, double far,
                   Table every, Table likeliest) {
    const auto N = static_cast<Index>(logits.shape(0)), V = static_cast<Index>(logits.shape(1));
    const auto G = static_cast<Index>(every.shape(0)), bins = static_cast<Index>(every.shape(1));
    for (const Table* table : {&every, &likeliest})
        if (static_cast<Index>(table->shape(0)) != G || table->shape(2) != 4 || bins < 1 ||
            static_cast<Index>(table->shape(1)) != bins || !(far > 0.0 && far <= 40.0))
            throw InputError("tables must be of one shape, (groups, bins, 4), as far as 40; got " +
                             number(bins) + " bins as far as " + std::to_string(far) + ".");
    if (V < 1 || static_cast<Index>(targets.size()) != N || groups.size() != targets.size())
        throw InputError("targets and groups must be one a row of logits, " + number(N) + "; got " +
                         number(static_cast<Index>(targets.size())) + ".");
    // Copies: other threads of the caller could still write to the originals.
    const std::vector<Index> group_N(groups.data(), groups.data() + N);
    const std::vector<std::int32_t> targets_N(targets.data(), targets.data() + N);
    std::vector<std::vector<Index>> rows_G(static_cast<std::size_t>(G));
    for (Index n = 0; n < N; ++n) {
        const auto i = static_cast<std::size_t>(n);
        if (group_N[i] < 0 || group_N[i] >= G || targets_N[i] >= V)
            throw InputError("rows must have groups below " + number(G) + " and targets below " +
                             number(V) + "; got " + number(group_N[i]) + " and " +
                             number(targets_N[i]) + ".");
        rows_G[static_cast<std::size_t>(group_N[i])].push_back(n);
    }
    std::vector<Index> order;
    for (const auto& rows : rows_G) order.insert(order.end(), rows.begin(), rows.end());
    auto losses = allocate(N), p_target = allocate(N), squares = allocate(N);
    auto likely = allocate<Index>(N);
    {
        const GilReleased released;
        compare(build.c_str(),
                {logits.data(), V, targets_N.data(), group_N.data(), std::move(order), far, bins},
                {losses.get(), likely.get(), p_target.get(), squares.get(), every.data(),
                 likeliest.data()});
    }
    const std::size_t n = targets.size();
    return nb::make_tuple(as_numpy(std::move(losses), {n}), as_numpy(std::move(likely), {n}),
                          as_numpy(std::move(p_target), {n}), as_numpy(std::move(squares), {n}));
}

Objective objective(const std::string& name) {
    if (name == "cross-entropy") return Objective::cross_entropy;
    if (name == "linear") return Objective::linear;
    if (name == "quadratic") return Objective::quadratic;
    throw InputError("there is no objective \"" + name + "\".");
}

}  // namespace

NB_MODULE(_native, m) {
    // Not a leak: a thread that still computes when Python ends keeps its engine.
    nb::set_leak_warnings(false);
    nb::register_exception_translator([](const std::exception_ptr& p, void*) {
        try {
            std::rethrow_exception(p);
        } catch (const InputError& mistake) {
            const nb::object error = nb::module_::import_("microgpt.errors").attr("UsageError");
            PyErr_SetString(error.ptr(), mistake.what());
        } catch (const std::bad_alloc&) {
            const nb::object error = nb::module_::import_("microgpt.errors").attr("UsageError");
            PyErr_SetString(error.ptr(),
                            "what is computed at once must fit in memory; it does not. Try a "
                            "smaller block_size, n_embd or n_layer.");
        }
    });
    m.def("builds", [] {
        Index count = 0;
        const char* const* names = builds(&count);
        nb::list runnable;
        for (Index i = 0; i < count; ++i)
            if (runs_here(names[i])) runnable.append(names[i]);
        return runnable;
    });
    m.def("peak", [](const std::string& build) {
        const GilReleased released;
        return peak(build.c_str());
    });
    m.def("compare", compared);
    bind_texts(m);
    nb::class_<NativeDecoder>(m, "Decoder").def("push", &NativeDecoder::push);
    nb::class_<NativeEngine>(m, "Engine")
        .def("__init__",
             [](NativeEngine* self, const std::string& build, Index vocab_size, Index block_size,
                Index n_layer, Index n_head, Index n_embd, bool squared_relu, double rotary_base,
                bool qk_norm, bool final_norm, double rmsnorm_epsilon, const std::string& loss,
                double beta1, double beta2, double eps, double muon, double momentum,
                const std::array<double, 3>& polynomial, Index iterations, double smallest_norm,
                double weight_decay, double dropout, std::uint32_t seed, Index threads) {
                 const Shape shape{vocab_size,
                                   block_size,
                                   n_layer,
                                   n_head,
                                   n_embd,
                                   squared_relu,
                                   objective(loss),
                                   rotary_base,
                                   qk_norm,
                                   final_norm,
                                   static_cast<float>(rmsnorm_epsilon)};
                 const auto [a, b, c] = polynomial;
                 const Optimizer optimizer{beta1,        beta2,    eps,       muon,
                                           momentum,     weight_decay, dropout, seed,
                                           {a, b, c},    iterations,   smallest_norm};
                 new (self) NativeEngine(build, shape, optimizer, threads);
             },
             nb::kw_only(), nb::arg("build"), nb::arg("vocab_size"), nb::arg("block_size"),
             nb::arg("n_layer"), nb::arg("n_head"), nb::arg("n_embd"), nb::arg("squared_relu"),
             nb::arg("rotary_base"), nb::arg("qk_norm"), nb::arg("final_norm"),
             nb::arg("rmsnorm_epsilon"), nb::arg("loss"), nb::arg("beta1"), nb::arg("beta2"),
             nb::arg("eps"), nb::arg("muon"),
             nb::arg("momentum"), nb::arg("polynomial"), nb::arg("iterations"),
             nb::arg("smallest_norm"), nb::arg("weight_decay"), nb::arg("dropout"),
             nb::arg("seed"), nb::arg("threads"))
        .def_prop_ro("updates", &NativeEngine::updates)
        .def("load", &NativeEngine::load)
        .def("state", &NativeEngine::state)
        .def("losses", &NativeEngine::losses)
        .def("logits", &NativeEngine::logits)
        .def("gradients", &NativeEngine::gradients)
        .def("train", &NativeEngine::train)
        // The decoder uses the engine's threads: it keeps the engine alive.
        .def("decoder", decoder, nb::keep_alive<0, 1>());
}
