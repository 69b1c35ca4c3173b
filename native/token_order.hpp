// The positions of a batch, sorted by the token that each has read: the gradient of a token's
// embedding is a sum over its positions.
#pragma once

#include <algorithm>

#include "array.hpp"

namespace microgpt::MICROGPT_BUILD {

class TokenOrder {
  public:
    explicit TokenOrder(Index vocab_size) : vocab_size_(vocab_size) {}

    // Make room for any batch of at most this many positions; throws std::bad_alloc.
    void reserve(Index positions) {
        order_.reserve(positions);
        ends_.reserve(vocab_size_ + 1);
    }

    // Sort by counting; the positions of a token stay in order.
    void sort(const Documents& batch) {
        const std::int32_t* tokens_N = batch.tokens_N + batch.offsets[0];
        const Index N = batch.positions();
        Index* starts = ends_.data() + 1;  // moved to the ends, which are the starts of the next
        std::fill_n(ends_.data(), vocab_size_ + 1, 0);
        for (Index n = 0; n < N; ++n) ++starts[tokens_N[n]];
        for (Index v = 0, before = 0; v < vocab_size_; ++v) {
            const Index count = starts[v];
            starts[v] = before;
            before += count;
        }
        for (Index n = 0; n < N; ++n) order_[starts[tokens_N[n]]++] = n;
    }

    // The positions of a token, counted from the batch's first.
    const Index* begin(Index token) const { return order_.data() + ends_[token]; }
    const Index* end(Index token) const { return order_.data() + ends_[token + 1]; }

  private:
    const Index vocab_size_;
    Array<Index> order_, ends_;
};

}  // namespace microgpt::MICROGPT_BUILD
