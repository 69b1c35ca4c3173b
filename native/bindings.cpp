// Python's hand on the engine: types, shapes and bounds are checked here, numpy's buffers are taken
// as they are, and other Python threads go on while it computes.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <array>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "border.hpp"

namespace nb = nanobind;
using namespace microgpt;

namespace {

template <class T>
using Array = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Result = nb::ndarray<nb::numpy, double, nb::c_contig>;

Result result(std::unique_ptr<double[]> data, std::initializer_list<std::size_t> shape) {
    double* p = data.release();
    nb::capsule owner(p, [](void* q) noexcept { delete[] static_cast<double*>(q); });
    return Result(p, shape, owner);
}

std::unique_ptr<double[]> room(Index n) {
    return std::unique_ptr<double[]>(new double[static_cast<std::size_t>(n)]);
}

Documents documents(const Array<std::int32_t>& tokens, const Array<std::int32_t>& targets,
                    const Array<std::int64_t>& offsets, const Shape& shape) {
    const Documents batch{tokens.data(), targets.data(), offsets.data(),
                          static_cast<Index>(offsets.size()) - 1};
    check(batch, static_cast<Index>(tokens.size()), static_cast<Index>(targets.size()), shape);
    return batch;
}

// One caller at a time; Python's lock is let go of first.
struct Turn {
    explicit Turn(std::mutex& mutex) : lock(mutex) {}
    nb::gil_scoped_release released;
    std::lock_guard<std::mutex> lock;
};

class NativeDecoder;

class NativeEngine {
  public:
    NativeEngine(const std::string& build, const Shape& shape, const Optimizer& optimizer, Index threads)
        : shape(shape), engine(make_engine(build.c_str(), shape, optimizer, threads)) {}

    void load(Array<double> parameters, Array<double> m, Array<double> v) {
        for (const auto* array : {&parameters, &m, &v})
            if (static_cast<Index>(array->size()) != engine->size())
                throw Mistake("a state's buffers must have " + number(engine->size()) +
                              " numbers each; got " +
                              number(static_cast<Index>(array->size())) + ".");
        const Turn turn(mutex);
        engine->load(parameters.data(), m.data(), v.data());
    }

    nb::tuple state() {
        const Index n = engine->size();
        auto parameters = room(n), m = room(n), v = room(n);
        {
            const Turn turn(mutex);
            engine->state(parameters.get(), m.get(), v.get());
        }
        const auto size = static_cast<std::size_t>(n);
        return nb::make_tuple(result(std::move(parameters), {size}), result(std::move(m), {size}),
                              result(std::move(v), {size}));
    }

    Result losses(Array<std::int32_t> tokens, Array<std::int32_t> targets,
                  Array<std::int64_t> offsets) {
        const Documents batch = documents(tokens, targets, offsets, shape);
        auto losses_N = room(batch.positions());
        {
            const Turn turn(mutex);
            engine->losses(batch, losses_N.get());
        }
        return result(std::move(losses_N), {tokens.size()});
    }

    Result gradients(Array<std::int32_t> tokens, Array<std::int32_t> targets,
                     Array<std::int64_t> offsets) {
        const Documents batch = documents(tokens, targets, offsets, shape);
        auto slopes = room(engine->size());
        {
            const Turn turn(mutex);
            engine->gradients(batch, slopes.get());
        }
        return result(std::move(slopes), {static_cast<std::size_t>(engine->size())});
    }

    // The sums of nats, one a step that was tried.
    Result train(Array<std::int32_t> tokens, Array<std::int32_t> targets,
                 Array<std::int64_t> offsets, Array<std::int64_t> steps, Array<double> lr_K,
                 Index updates) {
        const Documents batch = documents(tokens, targets, offsets, shape);
        const auto K = static_cast<Index>(lr_K.size());
        if (static_cast<Index>(steps.size()) != K + 1)
            throw Mistake("learning rates must be one a step; got " + number(K) + ".");
        check(steps.data(), K, batch.count);
        auto nats_K = room(K);
        Index done = 0;
        {
            const Turn turn(mutex);
            done = engine->train(batch, steps.data(), K, lr_K.data(), updates, nats_K.get());
        }
        return result(std::move(nats_K), {static_cast<std::size_t>(done)});
    }

    std::unique_ptr<NativeDecoder> decoder(Index rows);

    const Shape shape;
    std::mutex mutex;
    std::unique_ptr<Engine> engine;
};

class NativeDecoder {
  public:
    NativeDecoder(NativeEngine& owner, Index rows)
        : owner_(owner) {
        const Turn turn(owner.mutex);
        decoder_.reset(owner.engine->decoder(rows));
    }

    Result push(Array<std::int32_t> tokens) {
        const Index rows = decoder_->rows(), V = owner_.shape.vocab_size;
        if (static_cast<Index>(tokens.size()) != rows)
            throw Mistake("tokens must be one a row, " + number(rows) + "; got " +
                          number(static_cast<Index>(tokens.size())) + ".");
        check(*decoder_, tokens.data(), owner_.shape);
        auto logits = room(rows * V);
        {
            const Turn turn(owner_.mutex);
            decoder_->push(tokens.data(), logits.get());
        }
        return result(std::move(logits),
                      {static_cast<std::size_t>(rows), static_cast<std::size_t>(V)});
    }

  private:
    NativeEngine& owner_;
    std::unique_ptr<Decoder> decoder_;
};

std::unique_ptr<NativeDecoder> NativeEngine::decoder(Index rows) {
    const double past = 2.0 * static_cast<double>(shape.n_layer * shape.block_size) *
                        static_cast<double>(shape.n_embd) * static_cast<double>(rows);
    if (rows < 1 || past > 1e12)
        throw Mistake("rows of a decoder must be at least 1 and fit in memory; got " +
                      number(rows) + ".");
    return std::make_unique<NativeDecoder>(*this, rows);
}

Objective objective(const std::string& name) {
    if (name == "cross-entropy") return Objective::cross_entropy;
    if (name == "linear") return Objective::linear;
    if (name == "quadratic") return Objective::quadratic;
    throw Mistake("there is no objective \"" + name + "\".");
}

}  // namespace

NB_MODULE(_native, m) {
    nb::register_exception_translator([](const std::exception_ptr& p, void*) {
        try {
            std::rethrow_exception(p);
        } catch (const Mistake& mistake) {
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
        const nb::gil_scoped_release released;
        return peak(build.c_str());
    });
    nb::class_<NativeDecoder>(m, "Decoder").def("push", &NativeDecoder::push);
    nb::class_<NativeEngine>(m, "Engine")
        .def("__init__",
             [](NativeEngine* self, const std::string& build, Index vocab_size, Index block_size,
                Index n_layer, Index n_head, Index n_embd, bool squared_relu, double rotary_base,
                bool qk_norm, bool final_norm, const std::string& loss, double beta1, double beta2,
                double eps, double muon, double momentum, const std::array<double, 3>& polynomial,
                Index iterations, double smallest_norm, double weight_decay, double dropout,
                std::uint32_t seed, Index threads) {
                 const Shape shape{vocab_size,   block_size,      n_layer,     n_head,  n_embd,
                                   squared_relu, objective(loss), rotary_base, qk_norm, final_norm};
                 const auto [a, b, c] = polynomial;
                 const Optimizer optimizer{beta1,        beta2,    eps,       muon,
                                           momentum,     weight_decay, dropout, seed,
                                           {a, b, c},    iterations,   smallest_norm};
                 new (self) NativeEngine(build, shape, optimizer, threads);
             },
             nb::kw_only(), nb::arg("build"), nb::arg("vocab_size"), nb::arg("block_size"),
             nb::arg("n_layer"), nb::arg("n_head"), nb::arg("n_embd"), nb::arg("squared_relu"),
             nb::arg("rotary_base"), nb::arg("qk_norm"), nb::arg("final_norm"), nb::arg("loss"),
             nb::arg("beta1"), nb::arg("beta2"), nb::arg("eps"), nb::arg("muon"),
             nb::arg("momentum"), nb::arg("polynomial"), nb::arg("iterations"),
             nb::arg("smallest_norm"), nb::arg("weight_decay"), nb::arg("dropout"),
             nb::arg("seed"), nb::arg("threads"))
        .def("load", &NativeEngine::load)
        .def("state", &NativeEngine::state)
        .def("losses", &NativeEngine::losses)
        .def("gradients", &NativeEngine::gradients)
        .def("train", &NativeEngine::train)
        // The decoder computes with the engine's threads: it keeps the engine.
        .def("decoder", &NativeEngine::decoder, nb::keep_alive<0, 1>());
}
