// Vectors as wide as the processor's that this file is compiled for: load, store, sums, exp, log.
// Functions are elementwise: a result never depends on the other lanes, sums of lanes apart.
#pragma once

#include <cmath>
#include <utility>

#include "shape.hpp"

#ifndef MICROGPT_BUILD
#error "MICROGPT_BUILD must name the namespace of this build: v2, v3, v4 or portable"
#endif

namespace microgpt::MICROGPT_BUILD {

#if defined(__AVX512F__)
constexpr int lanes = 16;
#elif defined(__AVX__)
constexpr int lanes = 8;
#else
constexpr int lanes = 4;
#endif

typedef float Vec __attribute__((vector_size(4 * lanes)));
typedef std::int32_t Ints __attribute__((vector_size(4 * lanes)));
typedef std::uint32_t Words __attribute__((vector_size(4 * lanes)));
// A Vec at any address.
typedef float Unaligned __attribute__((vector_size(4 * lanes), aligned(4), may_alias));

inline Vec load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
inline void store(float* p, Vec x) { *reinterpret_cast<Unaligned*>(p) = x; }
// Bring a line into the first cache, to read or to write. A hint: harmless past a buffer's end.
inline void prefetch(const float* p) { __builtin_prefetch(p); }
inline void prefetch_for_write(float* p) { __builtin_prefetch(p, 1); }
// Bring a line into the second cache.
inline void prefetch_far(const float* p) { __builtin_prefetch(p, 0, 2); }
inline Vec splat(float x) { return Vec{} + x; }

// The larger of x and low; NaN in x stays NaN.
inline Vec at_least(Vec x, Vec low) { return x < low ? low : x; }
inline Vec square_root(Vec x) {
    for (int i = 0; i < lanes; ++i) x[i] = std::sqrt(x[i]);
    return x;
}
// The larger of x and y; y where x is NaN.
inline Vec maximum(Vec x, Vec y) { return x > y ? x : y; }

using Lanes = std::make_integer_sequence<int, lanes>;

template <int... I>
constexpr Ints in_order(std::integer_sequence<int, I...>) {
    return Ints{I...};
}
constexpr Ints lane_numbers = in_order(Lanes{});

// Lane I of the result is lane pick(I) of x, or of y where pick(I) is `lanes` or more.
template <class Pick, int... I>
inline Vec pick(Vec x, Vec y, Pick, std::integer_sequence<int, I...>) {
#if defined(__clang__)
    return __builtin_shufflevector(x, y, Pick::of(I)...);
#else
    return __builtin_shuffle(x, y, Ints{Pick::of(I)...});
#endif
}

template <int Bit>
struct Exchanged {
    static constexpr int of(int lane) { return lane ^ Bit; }
};

// Exchange every lane with the one whose number differs in this bit.
template <int Bit>
inline Vec exchange(Vec x) {
    return pick(x, x, Exchanged<Bit>{}, Lanes{});
}

// The two shuffles that exchange, between vectors x and y, the lanes of x whose bit is set with those
// of y whose bit is not.
template <int Bit>
struct LowerHalf {
    static constexpr int of(int lane) { return lane & Bit ? lanes + (lane ^ Bit) : lane; }
};
template <int Bit>
struct UpperHalf {
    static constexpr int of(int lane) { return lane & Bit ? lanes + lane : lane ^ Bit; }
};

// The sums of each group of `Group` lanes of as many vectors, which are overwritten: lane i of a group
// has the one of rows[i].
template <int Group, int Bit = 1>
inline Vec group_sums(Vec (&rows)[Group]) {
    if constexpr (Bit < Group) {
#pragma GCC unroll 8
        for (int i = 0; i < Group; i += 2 * Bit) {
            const Vec x = rows[i], y = rows[i + Bit];
            rows[i] = pick(x, y, LowerHalf<Bit>{}, Lanes{}) + pick(x, y, UpperHalf<Bit>{}, Lanes{});
        }
        return group_sums<Group, 2 * Bit>(rows);
    } else {
        return rows[0];
    }
}

template <int Group, int I>
struct Repeated {
    static constexpr int of(int lane) { return lane / Group * Group + I; }
};

// Lane I of each group of `Group` lanes, in all lanes of the group.
template <int Group, int I>
inline Vec repeat(Vec x) {
    return pick(x, x, Repeated<Group, I>{}, Lanes{});
}

// The sum of each group of `Group` lanes, in all lanes of the group.
template <int Group = lanes>
inline Vec group_sum(Vec x) {
    if constexpr (Group > 1) x += exchange<1>(x);
    if constexpr (Group > 2) x += exchange<2>(x);
    if constexpr (Group > 4) x += exchange<4>(x);
    if constexpr (Group > 8) x += exchange<8>(x);
    return x;
}

// The largest of each group of `Group` lanes, in all lanes of the group.
template <int Group = lanes>
inline Vec group_maximum(Vec x) {
    if constexpr (Group > 1) x = maximum(x, exchange<1>(x));
    if constexpr (Group > 2) x = maximum(x, exchange<2>(x));
    if constexpr (Group > 4) x = maximum(x, exchange<4>(x));
    if constexpr (Group > 8) x = maximum(x, exchange<8>(x));
    return x;
}

// Over all lanes.
inline float sum(Vec x) { return group_sum(x)[0]; }

// x in the lanes up to `last`, y in those after it.
inline Vec up_to(Index last, Vec x, Vec y) {
    return lane_numbers <= static_cast<int>(last) ? x : y;
}

inline bool is_zero(Vec x) { return group_maximum(maximum(x, -x))[0] == 0.0f; }

inline float maximum_lane(Vec x) { return group_maximum(x)[0]; }

// e^x for x up to 88, to about one unit in the last place; 0 below -87.3, NaN for NaN.
//
// x = n ln 2 + r with |r| <= ln 2 / 2, in two parts so that n ln 2 loses nothing (Cody and Waite,
// "Software manual for the elementary functions", 1980); e^r by the Taylor polynomial of degree 7,
// whose first term left out is r^8 / 8! < 5e-9.
inline Vec exp(Vec x) {
    const Vec low = splat(-87.33654f);
    const Vec bounded = at_least(x, low);
    // Adding 1.5 * 2^23 rounds to a whole number, which then stands in the lowest bits.
    const Vec magic = splat(12582912.0f);
    const Vec shifted = bounded * 1.44269504f + magic;
    const Vec n = shifted - magic;
    Vec r = bounded - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    Vec p = r * (1.0f / 5040.0f) + 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    // Unsigned: lanes past a row's end may hold anything, and a signed sum could overflow.
    const Vec power = reinterpret_cast<Vec>((reinterpret_cast<Words>(shifted) << 23) + 0x3f800000);
    return x < low ? Vec{} : p * power;
}

// 2^x for x up to 127, to three units in the last place; 0 below -126.5, NaN for NaN.
//
// x = n + r with |r| <= 1/2; 2^r by the polynomial of degree 5 with the least relative error,
// 7.5e-8 (Remez exchange).
inline Vec exp2(Vec x) {
    const Vec bounded = at_least(x, splat(-127.0f)), magic = splat(12582912.0f);
    const Vec shifted = bounded + magic;
    const Vec r = bounded - (shifted - magic);
    Vec p = r * 1.327647199e-3f + 9.675541334e-3f;
    p = p * r + 5.550713273e-2f;
    p = p * r + 2.402211972e-1f;
    p = p * r + 6.931469671e-1f;
    p = p * r + 1.000000072f;
    // No bit is set for n = -127: the product is then 0.
    return p * reinterpret_cast<Vec>((reinterpret_cast<Words>(shifted) << 23) + 0x3f800000);
}

// As many doubles as a vector has floats.
typedef double Doubles __attribute__((vector_size(8 * lanes)));


// ln(2^n a / b) in double precision for s = (a - b) / (a + b), with a / b from sqrt(1/2) to sqrt(2).
//
// ln(a / b) = 2 artanh s, by the series s + s^3 / 3 + ...: s^2 < 0.0295, and the first term left
// out is below 1e-17 of the sum.
template <class V>
inline V log(V n, V s) {
    const V z = s * s;
    V series = z * (1.0 / 21.0) + 1.0 / 19.0;
    series = series * z + 1.0 / 17.0;
    series = series * z + 1.0 / 15.0;
    series = series * z + 1.0 / 13.0;
    series = series * z + 1.0 / 11.0;
    series = series * z + 1.0 / 9.0;
    series = series * z + 1.0 / 7.0;
    series = series * z + 1.0 / 5.0;
    series = series * z + 1.0 / 3.0;
    series = series * z + 1.0;
    return n * 0.6931471805599453 + 2.0 * s * series;
}

// ln x for normal x > 0; NaN and infinity stay what they are. x = 2^n m.
inline Doubles log(Vec x) {
    const Ints bits = reinterpret_cast<Ints>(x);
    const Ints n = (bits - 0x3f3504f3) >> 23;
    const Doubles m = __builtin_convertvector(reinterpret_cast<Vec>(bits - (n << 23)), Doubles);
    const Doubles found = log(__builtin_convertvector(n, Doubles), (m - 1.0) / (m + 1.0));
    const Doubles given = __builtin_convertvector(x, Doubles);
    return given < HUGE_VAL ? found : given;
}

// The doubles of one register.
typedef double Register __attribute__((vector_size(4 * lanes)));
typedef std::uint64_t LongWords __attribute__((vector_size(4 * lanes)));

// e^x for x up to 709, to about one unit in the last place; 0 below -708. As the one for floats, with
// the Taylor polynomial of degree 13, whose first term left out is r^14 / 14! < 5e-18.
inline Register exp(Register x) {
    const Register none{}, low = none - 708.0;
    const Register bounded = x < low ? low : x;
    // Adding 1.5 * 2^52 rounds to a whole number, which then stands in the lowest bits.
    const Register magic = none + 6755399441055744.0;
    const Register shifted = bounded * 1.4426950408889634 + magic;
    const Register n = shifted - magic;
    Register r = bounded - n * 0.693147180369123816490;
    r = r - n * 1.90821492927058770002e-10;
    Register p = r * (1.0 / 6227020800.0) + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    const Register power =
        reinterpret_cast<Register>((reinterpret_cast<LongWords>(shifted) << 52) + 0x3ff0000000000000);
    return x < low ? none : p * power;
}

// ln(x / y) for normal finite x and y above 0, with one division: x = 2^n a, y = 2^m b.
inline Register log_ratio(Register x, Register y) {
    constexpr double root = 1.4142135623730951;
    const LongWords x_bits = reinterpret_cast<LongWords>(x), y_bits = reinterpret_cast<LongWords>(y);
    LongWords n = x_bits >> 52, m = y_bits >> 52;
    Register a = reinterpret_cast<Register>(x_bits - (n << 52) + 0x3ff0000000000000);
    Register b = reinterpret_cast<Register>(y_bits - (m << 52) + 0x3ff0000000000000);
    // Both are from 1 to 2; a comparison's result is -1 or 0.
    const auto above = a > root * b, below = b > root * a;
    n += reinterpret_cast<LongWords>(below) - reinterpret_cast<LongWords>(above) - m;
    b = above ? b + b : b;
    a = below ? a + a : a;
    // Whole numbers in the lowest bits of 1.5 * 2^52, as doubles.
    const Register whole = reinterpret_cast<Register>(n + 0x4338000000000000) - 6755399441055744.0;
    return log(whole, (a - b) / (a + b));
}

}  // namespace microgpt::MICROGPT_BUILD
