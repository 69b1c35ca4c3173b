// Ranges of documents, the parts in which threads share out forward and backward passes.
#pragma once

#include "array.hpp"

namespace microgpt::MICROGPT_BUILD {

// A batch cut into ranges of whole documents, each large enough to be worth a thread's while.
class DocumentRanges {
  public:
    // Make room for any batch of at most this many documents; throws std::bad_alloc.
    void reserve(Index documents) { ends_.reserve(documents + 1); }
    // Call f(first, last) for ranges of the documents [first, last), about `positions` each.
    template <class F>
    static void each(const Documents& batch, Index first, Index last, Index positions, F f) {
        Index from = first;
        for (Index d = first; d < last; ++d) {
            if (!batch.is_cut(d + 1)) continue;
            const bool is_last = d + 1 == last;
            if (!is_last &&
                batch.offsets[d + 1] + batch.length(d + 1) / 2 - batch.offsets[from] < positions)
                continue;
            f(from, d + 1);
            from = d + 1;
        }
    }
    // Cut a batch into ranges of about `positions` each.
    void cut(const Documents& batch, Index positions) {
        count_ = 0;
        ends_[0] = 0;
        each(batch, 0, batch.count, positions, [this](Index, Index last) { ends_[++count_] = last; });
    }
    Index count() const { return count_; }
    Index first(Index i) const { return ends_[i]; }
    Index last(Index i) const { return ends_[i + 1]; }

  private:
    Array<Index> ends_;
    Index count_ = 0;
};

}  // namespace microgpt::MICROGPT_BUILD
