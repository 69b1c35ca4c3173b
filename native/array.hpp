// An array of integers or doubles, initially zero; Buffer is the one of floats. It is in the
// build's namespace, so that no code for one processor is shared with the build for another.
#pragma once

#include <new>

#include "shape.hpp"

namespace microgpt::MICROGPT_BUILD {

template <class T>
class Array {
  public:
    Array() = default;
    ~Array() { delete[] data_; }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;

    // Hold at least `size` elements; the contents are lost if it grows. Throws std::bad_alloc, and
    // then changes nothing.
    void reserve(Index size) {
        if (size <= size_) return;
        // Not the throwing operator: a sanitizer would end the program there.
        T* grown = new (std::nothrow) T[static_cast<std::size_t>(size)]();
        if (!grown) throw std::bad_alloc();
        delete[] data_;
        data_ = grown;
        size_ = size;
    }

    T* data() { return data_; }
    const T* data() const { return data_; }
    T& operator[](Index i) { return data_[i]; }
    const T& operator[](Index i) const { return data_[i]; }

  private:
    T* data_ = nullptr;
    Index size_ = 0;
};

}  // namespace microgpt::MICROGPT_BUILD
