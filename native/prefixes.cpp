#include "prefixes.hpp"

#include <algorithm>
#include <bit>

namespace microgpt {
namespace {

// Whether a document is short, and its first tokens, in a number: comparing it is most of the work.
struct Key {
    std::uint64_t start;
    Index document;
};

}  // namespace

Prefixes::Prefixes() = default;
Prefixes::~Prefixes() = default;

Sorted Prefixes::sort(const Documents& batch, Index vocab_size, Index longest_short, Index family) {
    const auto from = [&](Index d) { return batch.tokens_N + batch.offsets[d]; };
    const int bits = std::max(1, static_cast<int>(std::bit_width(
                                     static_cast<std::uint64_t>(vocab_size - 1))));
    std::vector<Key> keys(static_cast<std::size_t>(batch.count));
    for (Index d = 0; d < batch.count; ++d) {
        const Index T = batch.length(d);
        std::uint64_t start = T > longest_short;
        for (Index t = 0; t < 63 / bits; ++t)
            start = start << bits | static_cast<std::uint64_t>(t < T ? from(d)[t] : 0);
        keys[static_cast<std::size_t>(d)] = {start, d};
    }
    std::sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
        if (a.start != b.start) return a.start < b.start;
        const Index i = a.document, j = b.document;
        return std::lexicographical_compare(from(i), from(i) + batch.length(i), from(j),
                                            from(j) + batch.length(j));
    });

    const auto N = static_cast<std::size_t>(batch.positions());
    order_.clear(), offsets_.assign(1, 0), firsts_.clear(), tokens_.clear();
    row_N_.resize(N);
    tokens_.reserve(N);
    Index began = 0;  // the family
    for (const Key& key : keys) {
        const Index d = key.document, T = batch.length(d);
        const auto rows = static_cast<Index>(tokens_.size());
        Index* const row_T = row_N_.data() + batch.offsets[d] - batch.offsets[0];
        Index first = 0;
        if (rows > 0 && rows + T - began <= family) {
            const Index before = order_.back(), S = batch.length(before);
            const Index* row_S = row_N_.data() + batch.offsets[before] - batch.offsets[0];
            if ((S > longest_short) == (T > longest_short))
                for (; first < T && first < S && from(d)[first] == from(before)[first]; ++first)
                    row_T[first] = row_S[first];
        }
        if (first == 0) began = rows;
        for (Index t = first; t < T; ++t) row_T[t] = rows + t - first;
        tokens_.insert(tokens_.end(), from(d) + first, from(d) + T);
        order_.push_back(d);
        offsets_.push_back(static_cast<Index>(tokens_.size()));
        firsts_.push_back(first);
    }
    return {{tokens_.data(), nullptr, offsets_.data(), batch.count, firsts_.data()},
            order_.data(), row_N_.data()};
}

}  // namespace microgpt
