// Floats on a cache line's boundary, zero at first. Out of line, so that no vector code of one
// processor is shared with the build for another.
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

    // Hold at least so many floats; what was there is lost if it grows. Throws std::bad_alloc.
    void reserve(Index size);

    float* data() { return data_; }
    const float* data() const { return data_; }
    Index size() const { return size_; }

  private:
    float* data_ = nullptr;
    Index size_ = 0;
};

}  // namespace microgpt
