// The transposed copies of the weights that forward passes read.
#pragma once

#include "array.hpp"
#include "gradients.hpp"

namespace microgpt::MICROGPT_BUILD {

// One for each thread, which renews it when the parameters have changed: it then reads what other
// processors have written once a step and in order, and nobody else writes to its copy's cache
// lines. Thread 0 has the buffers' copy.
class TransposedCopies {
  public:
    TransposedCopies(const Layout& layout, const Buffers& buffers)
        : layout_(layout), buffers_(buffers) {}
    // Make room for copies of all threads; throws std::bad_alloc.
    void reserve(Index threads) {
        copies_.reserve((threads - 1) * layout_.size());
        versions_.reserve(threads);
    }
    // Note that the parameters have changed, and whether thread 0's copy already has the change
    // (but for a large head, which is renewed for decoders alone).
    void parameters_changed(bool is_first_renewed) {
        ++version_;
        if (is_first_renewed) versions_[0] = version_;
    }
    // Return a thread's copy, renewed if the parameters have changed. A large head is not in it.
    const float* of(Index thread) {
        float* copy = thread ? copies_.data() + (thread - 1) * layout_.size() : buffers_.transposed;
        if (versions_[thread] != version_)
            write_transposed(layout_, buffers_.parameters, copy, !layout_.has_large_head());
        versions_[thread] = version_;
        return copy;
    }
    // Renew the buffers' copy of all weights.
    void renew() {
        reserve(1);
        write_transposed(layout_, buffers_.parameters, buffers_.transposed, true);
        versions_[0] = version_;
    }

  private:
    const Layout& layout_;
    const Buffers& buffers_;
    Buffer copies_;
    Array<Index> versions_;  // of each thread's copy
    Index version_ = 1;      // of the parameters
};

}  // namespace microgpt::MICROGPT_BUILD
