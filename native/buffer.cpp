#include "buffer.hpp"

#include <cstring>
#include <limits>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace microgpt {
namespace {

constexpr std::size_t line = 64, huge_page = std::size_t{2} << 20;
// A whole vector may be read from the last float on: it must lie in the buffer's memory.
constexpr Index slack = 16;

std::size_t bytes_of(Index size) { return static_cast<std::size_t>(size + slack) * sizeof(float); }

// A large buffer begins with a huge page: a stream through many small ones waits for their addresses.
std::align_val_t alignment(Index size) {
    return std::align_val_t{bytes_of(size) < 2 * huge_page ? line : huge_page};
}

void ask_for_huge_pages([[maybe_unused]] float* data, [[maybe_unused]] Index size) {
#if defined(MADV_HUGEPAGE)
    // Not always granted; nothing but time depends on it.
    if (alignment(size) == std::align_val_t{huge_page})
        static_cast<void>(madvise(data, bytes_of(size), MADV_HUGEPAGE));
#endif
}

}  // namespace

Buffer::Buffer(Index size) { reserve(size); }

Buffer::~Buffer() { ::operator delete(data_, alignment(size_)); }

void Buffer::reserve(Index size) {
    if (size <= size_) return;
    if (size > std::numeric_limits<Index>::max() / 8 - slack) throw std::bad_alloc();
    // Not the throwing operator: a sanitizer would end the program there.
    auto* grown = static_cast<float*>(::operator new(bytes_of(size), alignment(size), std::nothrow));
    if (!grown) throw std::bad_alloc();
    ask_for_huge_pages(grown, size);
    std::memset(grown, 0, bytes_of(size));
    ::operator delete(data_, alignment(size_));
    data_ = grown;
    size_ = size;
}

}  // namespace microgpt
