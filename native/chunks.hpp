// Sums over a batch's positions in chunks. The gradient of a weight is the sum of each chunk's, added
// up in pairs: halves, quarters, eighths. So threads can sum parts of the chunks, and hand over sums
// of the size of the weights in place of the activations; and the result is the same bits for any
// number of threads, because the chunks depend on the batch and the model alone.
#pragma once

#include <algorithm>

#include "vectors.hpp"

namespace microgpt::MICROGPT_BUILD {

class Chunks {
  public:
    static constexpr Index most = 64, halvings = 6;  // a power of two, and which
    static_assert(most == 1 << halvings);

    // Cut a batch into chunks of whole documents, a power of two of them. Each has enough positions
    // that to sum a chunk costs more than to add up two sums, which the model's width decides. More
    // than eight are of use to more than eight threads alone: fewer threads must hardly lose by them.
    void cut(const Documents& batch, Index D) {
        const Index N = batch.positions();
        count_ = 1;
        while (2 * count_ <= most && 2 * count_ <= batch.count && N >= least(2 * count_, D))
            count_ *= 2;
        Index d = 0;
        for (Index c = 0; c < count_; ++c) {
            documents_[c] = d;
            positions_[c] = batch.offsets[d] - batch.offsets[0];
            // The next one begins where a document does, nearest to its share of the positions.
            const Index end = batch.offsets[0] + N * (c + 1) / count_;
            ++d;
            while (d < batch.count - (count_ - c - 1) &&
                   batch.offsets[d] + batch.length(d) / 2 < end)
                ++d;
        }
        documents_[count_] = batch.count;
        positions_[count_] = N;
    }

    Index count() const { return count_; }
    // The first document of a chunk, or the end of the last; the first position.
    Index document(Index chunk) const { return documents_[chunk]; }
    Index position(Index chunk) const { return positions_[chunk]; }
    Index length(Index chunk) const { return positions_[chunk + 1] - positions_[chunk]; }

  private:
    // The fewest positions that are cut into so many chunks.
    static Index least(Index count, Index D) {
        return count * (count > 8 ? std::max<Index>(D, 128) : D > 64 ? D : 48);
    }

    Index documents_[most + 1] = {}, positions_[most + 1] = {}, count_ = 1;
};

// Sum up `parts` sums, a power of two, in pairs: for i from `first` on, sum(i, to, adds) writes
// `count` numbers, or adds them to those that are there. `spare` has room for `count` more, as often
// as the parts can be halved.
template <class Sum>
inline void in_pairs(Index first, Index parts, Index count, float* to, float* spare, Sum sum) {
    if (parts == 1) return sum(first, to, false);
    in_pairs(first, parts / 2, count, to, spare, sum);
    if (parts == 2) return sum(first + 1, to, true);
    in_pairs(first + parts / 2, parts / 2, count, spare, spare + count, sum);
    for (Index i = 0; i < count; i += lanes) store(to + i, load(to + i) + load(spare + i));
}

}  // namespace microgpt::MICROGPT_BUILD
