// The normal numbers of `philox_normals`, up to a few units in the last place, for kernels that draw a great many.
//
// Logarithm, root, sine and cosine are worked out for the arguments that occur here and nothing else: there are no special
// cases to look for, and the coefficients are not made anew in each round of a loop. A pair takes half of the
// instructions that it takes with the library's functions.
#pragma once

#include "philox.cuh"

// (atanh(s) / s - 1) / s^2 as a polynomial in s^2, highest power first: Chebyshev's fit on s^2 <= 0.02947, error 2e-16.
__constant__ double ATANH[] = {0.0730896701563901,  0.07665800723242043, 0.0909144637099704, 0.11111105542563851,
                              0.14285714313139955, 0.19999999999949417, 0.3333333333333335};

// (-1)^k (2 pi)^(2 k + 1) / (2 k + 1)!, k from 7 to 0: Taylor's series of sin(2 pi t).
__constant__ double SINE[] = {-0.7181223017785006, 3.819952584848282,  -15.09464257682299, 42.058693944897655,
                              -76.70585975306139,  81.60524927607506, -41.34170224039976, 6.283185307179586};

// (-1)^k (2 pi)^(2 k) / (2 k)!, k from 8 to 0: Taylor's series of cos(2 pi t).
__constant__ double COSINE[] = {0.28200596845579123, -1.714390711088672, 7.903536371318469,
                                -26.4262567833744,   60.24464137187666,  -85.45681720669373,
                                64.9393940226683,    -19.739208802178716, 1.0};

// To 20 bits or so.
__device__ __forceinline__ double rough_reciprocal(double x) {
    double y;
    asm("rcp.approx.ftz.f64 %0, %1;" : "=d"(y) : "d"(x));
    return y;
}

// To 20 bits or so.
__device__ __forceinline__ double rough_inverse_root(double x) {
    double y;
    asm("rsqrt.approx.ftz.f64 %0, %1;" : "=d"(y) : "d"(x));
    return y;
}

template <u32 LEN>
__device__ __forceinline__ double polynomial(const double (&coefficients)[LEN], double x) {
    double value = coefficients[0];
#pragma unroll
    for (u32 i = 1; i < LEN; ++i) {
        value = fma(value, x, coefficients[i]);
    }
    return value;
}

// sqrt(-2 ln x) for x from 2^-53 to 1.
//
// x = 2^e m with m from sqrt(1/2) to sqrt(2), and ln m = 2 atanh(s) with s = (m - 1) / (m + 1). The logarithm of 1
// becomes 1e-290 on the way, so that the root of it needs no special case.
__device__ __forceinline__ double normal_radius(double x) {
    const int high = __double2hiint(x) + (0x3FF00000 - 0x3FE6A09E);
    const double m = __hiloint2double((high & 0xFFFFF) + 0x3FE6A09E, __double2loint(x));
    // 2^52 + the exponent and its bias.
    const double exponent = __hiloint2double(0x43300000, high >> 20) - 4503599627371519.0;
    // A rough reciprocal that is wrong by a share of `error` becomes right to its third power.
    const double sum = m + 1.0;
    double reciprocal = rough_reciprocal(sum);
    double error = fma(-sum, reciprocal, 1.0);
    error = fma(error, error, error);
    reciprocal = fma(reciprocal, error, reciprocal);
    const double s = (m - 1.0) * reciprocal;
    const double z = s * s;
    const double tail = fma(-4.0 * s * z, polynomial(ATANH, z), fma(-4.0, s, 1e-290));
    const double square = fma(exponent, -1.3862943611198906, tail);
    // The same for the inverse root, by 1 / sqrt(1 - e) = 1 + e / 2 + 3 e^2 / 8 + ...
    const double root = rough_inverse_root(square);
    const double miss = fma(-square * root, root, 1.0);
    return square * fma(root * miss, fma(miss, 0.375, 0.5), root);
}

// Cosine and sine of 2 pi b with b = 2^-32 high + 2^-53 low, low < 2^21: the nearest quarter turn is taken off, and the
// series take what is left, an eighth of a turn at most. Their first missing terms are below 1e-16.
__device__ __forceinline__ double2 cosine_and_sine_of_turn(u32 high, u32 low) {
    const u32 quarter = (high + 0x20000000u) >> 30;
    const int rest = static_cast<int>((high - (quarter << 30)) ^ 0x80000000u);
    // 2^20 + 1/2 + 2^-32 (what is left of high) and 1/2 + 2^-53 low: the offsets come off exactly.
    const double t = (__hiloint2double(0x41300000, rest) - 1048577.0) +
                     __hiloint2double(0x3FE00000, static_cast<int>(low));
    const double z = t * t;
    const double sine = t * polynomial(SINE, z);
    const double cosine = polynomial(COSINE, z);
    const double x = quarter % 2 == 0 ? cosine : sine;
    const double y = quarter % 2 == 0 ? sine : cosine;
    const int sign_of_x = static_cast<int>((quarter + 1) % 4 / 2 << 31);
    const int sign_of_y = static_cast<int>(quarter % 4 / 2 << 31);
    return make_double2(__hiloint2double(__double2hiint(x) ^ sign_of_x, __double2loint(x)),
                        __hiloint2double(__double2hiint(y) ^ sign_of_y, __double2loint(y)));
}

__device__ __forceinline__ double2 fast_normals(uint4 counter, u64 seed) {
    const uint4 words = philox_words(counter, seed);
    // 1 - a, exactly: 2^20 + 2^-32 (the high word) and 1/2 + 2^-53 (the upper bits of the low word) are doubles whose low
    // halves are those bits.
    const double rest = (1048577.5 - __hiloint2double(0x41300000, static_cast<int>(words.y))) -
                        __hiloint2double(0x3FE00000, static_cast<int>(words.x >> 11));
    const double radius = normal_radius(rest);
    const double2 turn = cosine_and_sine_of_turn(words.w, words.z >> 11);
    return make_double2(radius * turn.x, radius * turn.y);
}
