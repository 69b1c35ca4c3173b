// Rows of positions, transposed head by head: a vector has one column of `lanes` positions.
// Included by attention.hpp.
#pragma once

#include "products.hpp"

namespace microgpt::MICROGPT_BUILD {

// How the columns of all heads lie: head after head, in each of them group after group of
// `together` blocks of `lanes` positions, and in a group `wide` columns of its positions.
struct HeadColumns {
    Index D, H, K;    // of the rows
    Index wide;       // columns a head: K, and then zeros
    Index together;
    Index S;          // positions, whole groups

    HeadColumns(Index D, Index H, Index K, Index wide, Index together, Index T)
        : D(D), H(H), K(K), wide(wide), together(together), S(round_up(T, together * lanes)) {}

    Index head() const { return wide * S; }
    Index size() const { return H * head(); }

    // columns = factor * rows, which are `row` floats apart; positions from T on are zero.
    void pack(Index T, const float* rows, Index row, float factor, float* columns) const {
        if (wide != K)
            for (Index i = 0; i < size(); i += lanes) store(columns + i, Vec{});
        each_square([&](Index i, const Index* offsets, Index first, Index group) {
            Vec square[lanes];
            for (int m = 0; m < lanes; ++m)
                square[m] = first + m < T ? load(rows + (first + m) * row + i) * factor : Vec{};
            exchange_rows(square);
            for (int c = 0; c < lanes; ++c)
                if (offsets[c] >= 0) store(columns + group + offsets[c], square[c]);
        });
    }

    // rows = factor * columns of the positions from `start` to T; padding of the rows is zero.
    void unpack(Index start, Index T, const float* columns, float factor, float* rows,
                Index row) const {
        each_square([&](Index i, const Index* offsets, Index first, Index group) {
            if (first + lanes <= start) return;
            Vec square[lanes];
            for (int c = 0; c < lanes; ++c)
                square[c] = offsets[c] >= 0 ? load(columns + group + offsets[c]) * factor : Vec{};
            exchange_rows(square);
            for (int m = 0; m < lanes; ++m)
                if (first + m >= start && first + m < T)
                    store(rows + (first + m - start) * row + i, square[m]);
        });
    }

  private:
    // Call f(column, offsets, position, group) for every square of `lanes` columns and positions:
    // the columns of these positions lie at group + offsets, those below zero nowhere.
    template <class F>
    void each_square(F f) const {
        const Index width = together * lanes;
        for (Index i = 0; i < D; i += lanes) {
            Index offsets[lanes];
            for (Index c = 0; c < lanes; ++c) {
                const Index h = (i + c) / K, k = (i + c) % K;
                offsets[c] = h < H ? h * head() + k * width : -1;
            }
            for (Index first = 0; first < S; first += lanes)
                f(i, offsets, first, first / width * wide * width + first % width);
        }
    }
};

// A score may lie this far above the number that exponentials are relative to, in powers of two: a
// sum of such exponentials is far from the largest float, and sums are seldom scaled.
constexpr float slack = 8.0f;
constexpr float log2_e = 1.44269504f, ln_2 = 0.69314718f;

}  // namespace microgpt::MICROGPT_BUILD
