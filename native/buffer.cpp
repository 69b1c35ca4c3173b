#include "buffer.hpp"

#include <cstring>
#include <limits>
#include <new>

namespace microgpt {
namespace {

constexpr std::align_val_t line{64};
// A whole vector may be read from the last float on: it must lie in the buffer's memory.
constexpr Index slack = 16;

}  // namespace

Buffer::Buffer(Index size) { reserve(size); }

Buffer::~Buffer() { ::operator delete(data_, line); }

void Buffer::reserve(Index size) {
    if (size <= size_) return;
    if (size > std::numeric_limits<Index>::max() / 8 - slack) throw std::bad_alloc();
    const auto bytes = static_cast<std::size_t>(size + slack) * sizeof(float);
    // Not the throwing operator: a sanitizer would end the program there.
    auto* grown = static_cast<float*>(::operator new(bytes, line, std::nothrow));
    if (!grown) throw std::bad_alloc();
    std::memset(grown, 0, bytes);
    ::operator delete(data_, line);
    data_ = grown;
    size_ = size;
}

}  // namespace microgpt
