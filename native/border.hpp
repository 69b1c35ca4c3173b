// Checks of all arguments before they reach the engine: one that is out of bounds or out of order
// throws an InputError of one sentence.
#pragma once

#include <stdexcept>
#include <string>

#include "engine.hpp"

namespace microgpt {

// A caller's mistake; microgpt.errors.UsageError in Python.
struct InputError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline std::string number(Index n) { return std::to_string(n); }

// Check that all token or target ids are in the vocabulary; the documents have been checked.
inline void check_ids(const char* what, const std::int32_t* ids_N, const Documents& batch,
                      const Shape& shape) {
    // Unsigned, a negative id is too large; 32 bits, because a vector then holds the most of them.
    const auto V = static_cast<std::uint32_t>(shape.vocab_size);
    const auto is_id = [V](std::int32_t id) { return static_cast<std::uint32_t>(id) < V; };
    // All ids first: the compiler makes vectors of this loop, not of one that finds which id is
    // wrong.
    bool good = true;
    for (Index n = 0; n < batch.positions(); ++n) good &= is_id(ids_N[n]);
    for (Index d = 0; d < batch.count && !good; ++d)
        for (Index n = batch.offsets[d]; n < batch.offsets[d + 1]; ++n)
            if (!is_id(ids_N[n]))
                throw InputError(std::string(what) + " at position " +
                                 number(n - batch.offsets[d]) + " must be in [0, " +
                                 number(shape.vocab_size) + "); got " + number(ids_N[n]) + ".");
}

// Check that documents lie end to end over all the tokens, that none is longer than the block, and
// that all tokens are in the vocabulary.
inline void check(const Documents& batch, Index tokens, const Shape& shape) {
    if (batch.count < 1) throw InputError("a batch must have a document; got none.");
    if (batch.offsets[0] != 0 || batch.offsets[batch.count] != tokens)
        throw InputError("documents must run from position 0 to the last; got " +
                         number(batch.offsets[0]) + " to " + number(batch.offsets[batch.count]) +
                         " of " + number(tokens) + " tokens.");
    for (Index d = 0; d < batch.count; ++d) {
        // All offsets before any id: ids are read at the positions that offsets give.
        const Index start = batch.offsets[d], stop = batch.offsets[d + 1];
        if (stop <= start || stop > tokens || stop - start > shape.block_size)
            throw InputError("a document must have 1 to block_size=" + number(shape.block_size) +
                             " positions; got " + number(stop - start) + " in document " +
                             number(d) + ".");
    }
    check_ids("token", batch.tokens_N, batch, shape);
}

// Check the same, and a target for each token.
inline void check(const Documents& batch, Index tokens, Index targets, const Shape& shape) {
    if (targets != tokens)
        throw InputError("targets must be as many as tokens, " + number(tokens) + "; got " +
                         number(targets) + ".");
    check(batch, tokens, shape);
    check_ids("target", batch.targets_N, batch, shape);
}

// Check that each step has documents, and that steps follow each other.
inline void check(const Index* steps, Index n_steps, Index documents) {
    for (Index k = 0; k < n_steps; ++k)
        if (steps[k] < 0 || steps[k + 1] <= steps[k] || steps[k + 1] > documents)
            throw InputError("a step must have a document of its own; got " + number(steps[k]) +
                             " to " + number(steps[k + 1]) + " of " + number(documents) + ".");
}

// Check that each row's token is below V, and that the row has room for it; a row whose token is
// negative is skipped.
inline void check(const Decoder& decoder, const std::int32_t* tokens_B, const Shape& shape) {
    for (Index b = 0; b < decoder.rows(); ++b) {
        if (tokens_B[b] >= shape.vocab_size)
            throw InputError("token of row " + number(b) + " must be below " +
                             number(shape.vocab_size) + "; got " + number(tokens_B[b]) + ".");
        if (tokens_B[b] >= 0 && decoder.length(b) == shape.block_size)
            throw InputError("a row must hold at most block_size tokens; got " +
                             number(shape.block_size + 1) +
                             ", block_size=" + number(shape.block_size) + ".");
    }
}

}  // namespace microgpt
