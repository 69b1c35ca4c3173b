// Matrix products: one register tile, and the layout that it reads in order.
//
// A matrix of K rows is stored in panels of columns, two vectors wide and K rows high, one panel
// after the other: README.md in this folder draws it. Every output is one sum over k in order,
// whatever tile computes it, so that results do not depend on how rows are shared out over threads.
#pragma once

#include "vectors.hpp"

namespace microgpt::MICROGPT_BUILD {

constexpr int panel_vectors = 2;
constexpr int panel = panel_vectors * lanes;
// Rows of a tile. Its sums, tile_rows times panel_vectors, must leave some of the 16 (AVX-512 and
// ARM: 32) vector registers free.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int tile_rows = 8;
#else
constexpr int tile_rows = 4;
#endif

// The width of the panel that holds a column: the last panel may be narrower.
inline Index panel_width(Index column, Index columns) {
    const Index left = columns - column / panel * panel;
    return left < panel ? left : panel;
}

// The offset of element (k, column) of a K by `columns` matrix.
inline Index in_panels(Index k, Index column, Index K, Index columns) {
    const Index first = column / panel * panel;
    return first * K + k * panel_width(column, columns) + column - first;
}

// From this length on, a sum takes long enough to prefetch the rows of C that its end needs: they
// are often in no near cache.
constexpr Index long_sum = 64;
// How many rows ahead B is prefetched where its rows are far apart.
constexpr Index ahead = 12;

// C (Rows x Vectors) = A B, or C + A B, with element (m, k) of A at a[m * a_row + k * a_step]. What
// is added to C is the whole sum: sums of chunks are added up in pairs with no pass of their own.
// Strided: rows of B are far apart, and are prefetched. K >= 1. The loops over sums are unrolled, or
// the compiler moves all sums to memory and back at their end.
template <int Rows, int Vectors, bool Strided = false>
inline void tile(const float* a, Index a_row, Index a_step, const float* b, Index b_row, Index K,
                 float* c, Index c_row, bool add) {
    Vec sums[Rows][Vectors]{};
    if (K >= long_sum)
        for (int m = 0; m < Rows; ++m)
            for (int j = 0; j < Vectors; ++j) prefetch_for_write(c + m * c_row + j * lanes);
    // A pointer for every fourth row: x86 addresses the other three from it at no cost.
    const float* rows[(Rows + 3) / 4];
    for (int m = 0; m < Rows; m += 4) rows[m / 4] = a + m * a_row;
    Index k = 0;
    do {
        if constexpr (Strided) {
            for (int j = 0; j < Vectors; ++j) prefetch(b + ahead * b_row + j * lanes);
            prefetch(rows[0] + (k + ahead) * a_step);
        }
        Vec b_k[Vectors];
        for (int j = 0; j < Vectors; ++j) b_k[j] = load(b + j * lanes);
#pragma GCC unroll 8
        for (int m = 0; m < Rows; ++m) {
            const float x = rows[m / 4][m % 4 * a_row + k * a_step];
#pragma GCC unroll 2
            for (int j = 0; j < Vectors; ++j) sums[m][j] += x * b_k[j];
        }
        b += b_row;
    } while (++k < K);
#pragma GCC unroll 8
    for (int m = 0; m < Rows; ++m)
#pragma GCC unroll 2
        for (int j = 0; j < Vectors; ++j) {
            float* to = c + m * c_row + j * lanes;
            store(to, add ? load(to) + sums[m][j] : sums[m][j]);
        }
}

// The functions that lead to the tile are always inlined, so that where a width is a compile-time
// constant the lengths of the sums are too. Without the attribute the compiler inlines some of
// them, depending on the size of the file, and width 16 is slower by a seventh.

// The last rows of a product, fewer than `tile_rows`.
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

// C (M x Vectors) = A B, or C + A B.
template <int Vectors, bool Strided = false>
[[gnu::always_inline]]
inline void strip(Index M, const float* a, Index a_row, Index a_step, const float* b, Index b_row,
                  Index K, float* c, Index c_row, bool add) {
    Index m = 0;
    for (; m + tile_rows <= M; m += tile_rows)
        tile<tile_rows, Vectors, Strided>(a + m * a_row, a_row, a_step, b, b_row, K, c + m * c_row,
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

// C (M x columns) = A B, or C + A B, with B in ordinary rows, and A with any strides.
inline void multiply_rows(Index M, Index K, Index columns, const float* a, Index a_row,
                          Index a_step, const float* b, Index b_row, float* c, Index c_row,
                          bool add = false) {
    Index first = 0;
    for (; first + panel <= columns; first += panel)
        strip<panel_vectors>(M, a, a_row, a_step, b + first, b_row, K, c + first, c_row, add);
    if (first < columns) strip<1>(M, a, a_row, a_step, b + first, b_row, K, c + first, c_row, add);
}

// Transpose a square in registers: exchange row number and lane number, one bit after the other.
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

// The sum of the lanes of each row, all in one vector.
template <int Bit = lanes / 2>
inline Vec sums_of(Vec (&rows)[lanes]) {
    if constexpr (Bit == 0) return rows[0];
#pragma GCC unroll 16
    for (int i = 0; i < Bit; ++i) {
        const Vec x = rows[i], y = rows[i + Bit];
        rows[i] = pick(x, y, LowerHalf<Bit>{}, Lanes{}) + pick(x, y, UpperHalf<Bit>{}, Lanes{});
    }
    if constexpr (Bit > 0) return sums_of<Bit / 2>(rows);
}

// Write a square of `lanes` by `lanes`, transposed.
inline void transpose_square(const float* from, Index from_row, float* to, Index to_row) {
    Vec rows[lanes];
    for (int i = 0; i < lanes; ++i) rows[i] = load(from + i * from_row);
    exchange_rows(rows);
    for (int i = 0; i < lanes; ++i) store(to + i * to_row, rows[i]);
}

}  // namespace microgpt::MICROGPT_BUILD
