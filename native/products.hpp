// Matrix products: one register tile, and how matrices lie in memory so that it reads in order.
//
// A matrix of K rows and many columns is kept in panels of two vectors' width, one panel after the
// other, K rows each. Every output is one sum over k in order, whatever tile it falls into: results
// do not depend on how rows are shared out.
#pragma once

#include "vectors.hpp"

namespace microgpt::MICROGPT_BUILD {

constexpr int panel_vectors = 2;
constexpr int panel = panel_vectors * lanes;
// Rows of a tile: with panel_vectors they must leave registers free (16 of them, or 32).
constexpr int tile_rows = lanes == 16 ? 8 : 4;

// The width of the panel that holds a column; the last one may be narrower.
inline Index panel_width(Index column, Index columns) {
    const Index left = columns - column / panel * panel;
    return left < panel ? left : panel;
}

// Where element (k, column) of a K by `columns` matrix lies.
inline Index in_panels(Index k, Index column, Index K, Index columns) {
    const Index first = column / panel * panel;
    return first * K + k * panel_width(column, columns) + column - first;
}

// A long sum leaves time to fetch what it needs at its end: rows of C are often in no near cache.
constexpr Index long_sum = 64;
// So many rows of B ahead are fetched where they lie apart.
constexpr Index ahead = 12;

// C (Rows x Vectors) = A B, or C + A B; a[m, k] = a[m * a_row + k * a_step].
template <int Rows, int Vectors, bool Apart = false>
inline void tile(const float* a, Index a_row, Index a_step, const float* b, Index b_row, Index K,
                 float* c, Index c_row, bool add) {
    Vec sums[Rows][Vectors];
    if (K >= long_sum && !add)
        for (int m = 0; m < Rows; ++m)
            for (int j = 0; j < Vectors; ++j) fetch_to_write(c + m * c_row + j * lanes);
    for (int m = 0; m < Rows; ++m)
        for (int j = 0; j < Vectors; ++j)
            sums[m][j] = add ? load(c + m * c_row + j * lanes) : Vec{};
    // A pointer for every fourth row: the addresses of the others are free.
    const float* rows[(Rows + 3) / 4];
    for (int m = 0; m < Rows; m += 4) rows[m / 4] = a + m * a_row;
    for (Index k = 0; k < K; ++k, b += b_row) {
        if constexpr (Apart) {
            for (int j = 0; j < Vectors; ++j) fetch(b + ahead * b_row + j * lanes);
            fetch(rows[0] + (k + ahead) * a_step);
        }
        Vec b_k[Vectors];
        for (int j = 0; j < Vectors; ++j) b_k[j] = load(b + j * lanes);
#pragma GCC unroll 8
        for (int m = 0; m < Rows; ++m) {
            const float x = rows[m / 4][m % 4 * a_row + k * a_step];
            for (int j = 0; j < Vectors; ++j) sums[m][j] += x * b_k[j];
        }
    }
    for (int m = 0; m < Rows; ++m)
        for (int j = 0; j < Vectors; ++j) store(c + m * c_row + j * lanes, sums[m][j]);
}

// What leads to the tile is always inlined: where a width is known when this is compiled, the
// lengths of the sums then are too. Left to itself the compiler does so here and there, by the size
// of the file, and at width 16 takes longer by a seventh.

// The tile for the last rows, fewer than `tile_rows`.
template <int Vectors, int Rows = tile_rows - 1>
[[gnu::always_inline]]
inline void last_rows(Index left, const float* a, Index a_row, Index a_step, const float* b,
                      Index b_row, Index K, float* c, Index c_row, bool add) {
    if constexpr (Rows > 0) {
        if (left == Rows)
            tile<Rows, Vectors>(a, a_row, a_step, b, b_row, K, c, c_row, add);
        else
            last_rows<Vectors, Rows - 1>(left, a, a_row, a_step, b, b_row, K, c, c_row, add);
    }
}

template <int Vectors, bool Apart = false>
[[gnu::always_inline]]
inline void strip(Index M, const float* a, Index a_row, Index a_step, const float* b, Index b_row,
                  Index K, float* c, Index c_row, bool add) {
    Index m = 0;
    for (; m + tile_rows <= M; m += tile_rows)
        tile<tile_rows, Vectors, Apart>(a + m * a_row, a_row, a_step, b, b_row, K, c + m * c_row,
                                        c_row, add);
    last_rows<Vectors>(M - m, a + m * a_row, a_row, a_step, b, b_row, K, c + m * c_row, c_row, add);
}

// C (M x columns) = A (M x K) B, or C + A B, with B in panels; columns a multiple of `lanes`.
[[gnu::always_inline]]
inline void multiply(Index M, Index K, Index columns, const float* a, Index a_row, const float* b,
                     float* c, Index c_row, bool add = false) {
    Index first = 0;
    for (; first + panel <= columns; first += panel)
        strip<panel_vectors>(M, a, a_row, 1, b + first * K, panel, K, c + first, c_row, add);
    if (first < columns) strip<1>(M, a, a_row, 1, b + first * K, lanes, K, c + first, c_row, add);
}

// The same with B in rows, and A read in any direction.
inline void multiply_rows(Index M, Index K, Index columns, const float* a, Index a_row,
                          Index a_step, const float* b, Index b_row, float* c, Index c_row) {
    Index first = 0;
    for (; first + panel <= columns; first += panel)
        strip<panel_vectors>(M, a, a_row, a_step, b + first, b_row, K, c + first, c_row, false);
    if (first < columns)
        strip<1>(M, a, a_row, a_step, b + first, b_row, K, c + first, c_row, false);
}

// For rows i and i + Bit: where bit and lane agree, the row's own number, else the other's.
template <int Bit>
struct LowerHalf {
    static constexpr int of(int lane) { return lane & Bit ? lanes + (lane ^ Bit) : lane; }
};
template <int Bit>
struct UpperHalf {
    static constexpr int of(int lane) { return lane & Bit ? lanes + lane : lane ^ Bit; }
};

// Exchange bit by bit the row's number with the lane's.
template <int Bit = 1>
inline void exchange_rows(Vec (&rows)[lanes]) {
    if constexpr (Bit < lanes) {
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) {
            if (i & Bit) continue;
            const Vec x = rows[i], y = rows[i + Bit];
            rows[i] = pick(x, y, LowerHalf<Bit>{}, Lanes{});
            rows[i + Bit] = pick(x, y, UpperHalf<Bit>{}, Lanes{});
        }
        exchange_rows<2 * Bit>(rows);
    }
}

// Write the transpose of a square of `lanes` by `lanes`.
inline void transpose(const float* from, Index from_row, float* to, Index to_row) {
    Vec rows[lanes];
    for (int i = 0; i < lanes; ++i) rows[i] = load(from + i * from_row);
    exchange_rows(rows);
    for (int i = 0; i < lanes; ++i) store(to + i * to_row, rows[i]);
}

}  // namespace microgpt::MICROGPT_BUILD
