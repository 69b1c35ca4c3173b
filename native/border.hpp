// What is checked before the engine sees it: bounds and order, in a sentence for whoever got it
// wrong.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "engine.hpp"

namespace microgpt {

// A mistake in what was handed in; microgpt.errors.UsageError in Python.
struct Mistake : std::runtime_error {
    using std::runtime_error::runtime_error;
};

inline std::string number(Index n) { return std::to_string(n); }

// Documents that tile the tokens, none longer than the block, and ids in the vocabulary.
inline void check(const Documents& batch, Index tokens, Index targets, const Shape& shape) {
    if (batch.count < 1) throw Mistake("a batch must have a document; got none.");
    if (targets != tokens || batch.offsets[0] != 0 || batch.offsets[batch.count] != tokens)
        throw Mistake("documents must run from position 0 to the last; got " +
                      number(batch.offsets[0]) + " to " + number(batch.offsets[batch.count]) +
                      " of " + number(tokens) + " tokens and " + number(targets) + " targets.");
    for (Index d = 0; d < batch.count; ++d) {
        // Offsets first: positions are read by them.
        const Index start = batch.offsets[d], stop = batch.offsets[d + 1];
        if (stop <= start || stop > tokens || stop - start > shape.block_size)
            throw Mistake("a document must have 1 to block_size=" + number(shape.block_size) +
                          " positions; got " + number(stop - start) + " in document " +
                          number(d) + ".");
    }
    // Without a sign, what is negative is too large; in 32 bits a vector holds the most.
    const auto V = static_cast<std::uint32_t>(shape.vocab_size);
    const auto is_id = [V](std::int32_t id) { return static_cast<std::uint32_t>(id) < V; };
    // All ids at once: this loop becomes vectors, one that says what is wrong does not.
    bool good = true;
    for (Index n = 0; n < tokens; ++n)
        good &= is_id(batch.tokens_N[n]) & is_id(batch.targets_N[n]);
    for (Index d = 0; d < batch.count && !good; ++d)
        for (Index n = batch.offsets[d]; n < batch.offsets[d + 1]; ++n)
            for (const auto& [what, ids] :
                 {std::pair("token", batch.tokens_N), std::pair("target", batch.targets_N)})
                if (!is_id(ids[n]))
                    throw Mistake(std::string(what) + " at position " +
                                  number(n - batch.offsets[d]) + " must be in [0, " +
                                  number(shape.vocab_size) + "); got " + number(ids[n]) + ".");
}

// Steps that have documents, one after the other.
inline void check(const Index* steps, Index n_steps, Index documents) {
    for (Index k = 0; k < n_steps; ++k)
        if (steps[k] < 0 || steps[k + 1] <= steps[k] || steps[k + 1] > documents)
            throw Mistake("a step must have a document of its own; got " + number(steps[k]) +
                          " to " + number(steps[k + 1]) + " of " + number(documents) + ".");
}

// A token a row, below V or negative, and room for it.
inline void check(const Decoder& decoder, const std::int32_t* tokens_B, const Shape& shape) {
    for (Index b = 0; b < decoder.rows(); ++b) {
        if (tokens_B[b] >= shape.vocab_size)
            throw Mistake("token of row " + number(b) + " must be below " +
                          number(shape.vocab_size) + "; got " + number(tokens_B[b]) + ".");
        if (tokens_B[b] >= 0 && decoder.length(b) == shape.block_size)
            throw Mistake("a row must hold at most block_size tokens; got " +
                          number(shape.block_size + 1) +
                          ", block_size=" + number(shape.block_size) + ".");
    }
}

}  // namespace microgpt
