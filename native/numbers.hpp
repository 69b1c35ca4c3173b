// Numbers of one kind, zero at first: Buffer's like, for what is counted and summed. In the build's
// namespace, so that no code of one processor is shared with the build for another.
#pragma once

#include <new>

#include "shape.hpp"

namespace microgpt::MICROGPT_BUILD {

template <class T>
class Numbers {
  public:
    Numbers() = default;
    ~Numbers() { delete[] data_; }
    Numbers(const Numbers&) = delete;
    Numbers& operator=(const Numbers&) = delete;

    // Hold at least so many; what was there is lost if it grows. Throws std::bad_alloc, and then
    // has what it had.
    void reserve(Index size) {
        if (size <= size_) return;
        // Asked for so, and not to throw, that a sanitizer too answers rather than ends the program.
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
