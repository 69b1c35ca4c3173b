// An array of floats, aligned to a cache line, initially zero. Its functions are not inline, so
// that no vector code for one processor is shared with the build for another.
#pragma once

#include "shape.hpp"

namespace microgpt {

class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(Index size);
    ~Buffer();
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    // Hold at least `size` floats; the contents are lost if it grows. Throws std::bad_alloc, and
    // then changes nothing.
    void reserve(Index size);

    float* data() { return data_; }
    const float* data() const { return data_; }
    Index size() const { return size_; }

  private:
    float* data_ = nullptr;
    Index size_ = 0;
};

}  // namespace microgpt
