// What both kernels of the thermodynamic network share: angles, noise and what is observed.
#pragma once

#include "philox.cuh"
#include "reduce.cuh"

constexpr u32 BINS = 64;
constexpr double BINS_FROM = -8.0;
constexpr double BINS_PER_UNIT = 4.0;
constexpr u32 STEPS_PER_FRAME = 10;
constexpr u32 STREAM_NOISE = 5;

// The angle in [0, 2 pi), by the formula of `wrap` in `mod.rs`.
__device__ __forceinline__ double wrap(double angle) {
    double wrapped = fma(-floor(angle / TAU), TAU, angle);
    if (wrapped < 0.0) {
        wrapped += TAU;
    }
    if (wrapped >= TAU) {
        wrapped -= TAU;
    }
    return wrapped;
}

__device__ __forceinline__ double2 cosine_and_sine(double angle) {
    double sine, cosine;
    sincos(angle, &sine, &cosine);
    return make_double2(cosine, sine);
}

// The normal numbers of oscillators 2 * pair and 2 * pair + 1 at step `time` of the network's life.
__device__ __forceinline__ double2 thermal_noise(u32 pair, u64 time, u64 seed) {
    const uint4 counter = make_uint4(pair,
                                     static_cast<u32>(time % STEPS_PER_FRAME),
                                     static_cast<u32>(time / STEPS_PER_FRAME),
                                     STREAM_NOISE);
    return philox_normals(counter, seed);
}

// Kinetic energy, interaction energy, order, heat and entropy, by one block in a fixed order.
// `rows` holds heat and interaction of each oscillator. The results are written twice, see `mirror` of the kernels.
__device__ __forceinline__ void observe(const double* v,
                                        const double2* table,
                                        const double2* rows,
                                        double* observables,
                                        double* mirror,
                                        u32 n,
                                        double coupling,
                                        double temperature) {
    __shared__ u32 histogram[BINS];
    for (u32 bin = threadIdx.x; bin < BINS; bin += blockDim.x) {
        histogram[bin] = 0;
    }
    __syncthreads();
    const double thermal_speed = sqrt(temperature);
    // Squares of the velocities, interaction, cosines, sines, heat, entropy.
    double sums[6] = {0.0, 0.0, 0.0, 0.0, 0.0, 0.0};
    for (u32 index = threadIdx.x; index < n; index += blockDim.x) {
        const double speed = v[index];
        sums[0] = fma(speed, speed, sums[0]);
        sums[1] += rows[index].y;
        sums[2] += table[index].x;
        sums[3] += table[index].y;
        sums[4] += rows[index].x;
        const double place = floor((speed / thermal_speed - BINS_FROM) * BINS_PER_UNIT);
        const double last = BINS - 1;
        atomicAdd(&histogram[static_cast<u32>(fmin(fmax(place, 0.0), last))], 1u);
    }
    __syncthreads();
    for (u32 bin = threadIdx.x; bin < BINS; bin += blockDim.x) {
        const double share = static_cast<double>(histogram[bin]) / n;
        sums[5] -= share > 0.0 ? share * log(share) : 0.0;
    }
    block_sums(sums);
    if (threadIdx.x == 0) {
        const double results[5] = {0.5 * sums[0],
                                   -0.5 * coupling * sums[1],
                                   sqrt(sums[2] * sums[2] + sums[3] * sums[3]) / n,
                                   sums[4],
                                   sums[5]};
#pragma unroll
        for (u32 i = 0; i < 5; ++i) {
            observables[i] = results[i];
            mirror[i] = results[i];
        }
    }
}
