// Philox4x32-10 and the numbers made of its words; `philox.rs` is the same for the host.
//
// Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC'11).
#pragma once

#include "index.cuh"

constexpr double TAU = 6.28318530717958647692;

__device__ __forceinline__ uint4 philox_words(uint4 counter, u64 seed) {
    u32 low = static_cast<u32>(seed);
    u32 high = static_cast<u32>(seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        const u32 high0 = __umulhi(0xD2511F53u, counter.x);
        const u32 low0 = 0xD2511F53u * counter.x;
        const u32 high1 = __umulhi(0xCD9E8D57u, counter.z);
        const u32 low1 = 0xCD9E8D57u * counter.z;
        counter = make_uint4(high1 ^ counter.y ^ low, low1, high0 ^ counter.w ^ high, low0);
        low += 0x9E3779B9u;
        high += 0xBB67AE85u;
    }
    return counter;
}

// Two uniform numbers on [0, 1), each a multiple of 2^-53.
__device__ __forceinline__ double2 philox_uniforms(uint4 counter, u64 seed) {
    const uint4 words = philox_words(counter, seed);
    const u64 a = (static_cast<u64>(words.y) << 32 | words.x) >> 11;
    const u64 b = (static_cast<u64>(words.w) << 32 | words.z) >> 11;
    return make_double2(static_cast<double>(a) * 0x1p-53, static_cast<double>(b) * 0x1p-53);
}

// Two normal numbers by the transform of Box and Muller (1958).
__device__ __forceinline__ double2 philox_normals(uint4 counter, u64 seed) {
    const double2 uniform = philox_uniforms(counter, seed);
    const double radius = sqrt(-2.0 * log(1.0 - uniform.x));
    double sine, cosine;
    sincos(TAU * uniform.y, &sine, &cosine);
    return make_double2(radius * cosine, radius * sine);
}
