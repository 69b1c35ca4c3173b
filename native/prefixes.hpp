// Documents sorted, so that what several of them begin with is computed once: the logits at a
// position depend on the tokens up to it, and on nothing else. Compiled once for all builds.
#pragma once

#include <vector>

#include "shape.hpp"

namespace microgpt {

// Documents in sorted order, with rows for the positions that are not shared.
struct Sorted {
    Documents rows;       // document i has tokens from position rows.first(i) on, and no targets
    const Index* order;   // document i is the caller's order[i]
    const Index* row_N;   // the row of each of the caller's positions
};

class Prefixes {
  public:
    // Not inline: a build for one kind of processor must not stand in for another's.
    Prefixes();
    ~Prefixes();
    Prefixes(const Prefixes&) = delete;
    Prefixes& operator=(const Prefixes&) = delete;

    // Sort a batch; what is returned is valid until the next call. Documents of up to `longest_short`
    // positions share nothing with longer ones: attention adds up in another order there. In a
    // family, of about `family` rows, each document but the first lacks the positions that it
    // shares with the one before. Throws std::bad_alloc.
    Sorted sort(const Documents& batch, Index vocab_size, Index longest_short, Index family);

  private:
    std::vector<Index> order_, row_N_, offsets_, firsts_;
    std::vector<std::int32_t> tokens_;
};

}  // namespace microgpt
