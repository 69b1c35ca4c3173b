// What the files of the Python module share: arrays that are not copied, and the global lock.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <chrono>
#include <memory>
#include <new>
#include <thread>

#include "shape.hpp"

namespace nb = nanobind;

namespace microgpt {

// Add what is computed of many texts: see bindings_texts.cpp.
void bind_texts(nb::module_& m);

template <class T>
using Array = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Result = nb::ndarray<nb::numpy, T, nb::c_contig>;

template <class T>
Result<T> as_numpy(std::unique_ptr<T[]> data, std::initializer_list<std::size_t> shape) {
    // The capsule first: if there is no memory for it, `data` still owns the numbers.
    nb::capsule owner(data.get(), [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return Result<T>(data.release(), shape, owner);
}

template <class T = double>
std::unique_ptr<T[]> allocate(Index n) {
    // Not the throwing operator: a sanitizer would end the program there.
    std::unique_ptr<T[]> numbers(new (std::nothrow) T[static_cast<std::size_t>(n)]);
    if (!numbers) throw std::bad_alloc();
    return numbers;
}

// Other Python threads run while this lives. Before Python 3.14, a thread that returns to an
// interpreter that is shutting down is ended by unwinding its stack, and unwinding through
// nanobind's functions ends the process. The thread sleeps instead, as Python itself makes it do
// from 3.14 on.
class GilReleased {
  public:
    GilReleased() : state_(PyEval_SaveThread()) {}
    GilReleased(const GilReleased&) = delete;
    GilReleased& operator=(const GilReleased&) = delete;
    ~GilReleased() {
        try {
            PyEval_RestoreThread(state_);
        } catch (...) {
            for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
        }
    }

  private:
    PyThreadState* state_;
};

}  // namespace microgpt
