// Sums in a fixed order: the same values in the same threads give the same bits every time.
#pragma once

#include "index.cuh"

constexpr u32 WARP = 32;
constexpr u32 WARPS_MAX = 32;

// The sum over the warp, in lane 0: halves are folded onto each other, 16 lanes first.
__device__ __forceinline__ double warp_sum(double value) {
#pragma unroll
    for (u32 offset = WARP / 2; offset > 0; offset /= 2) {
        value += __shfl_down_sync(0xffffffffu, value, offset);
    }
    return value;
}

// The sum over the block, in thread 0: every warp by itself, then the warps' sums as one warp.
// All threads of a block of whole warps must take part.
__device__ __forceinline__ double block_sum(double value) {
    __shared__ double sums[WARPS_MAX];
    const u32 lane = threadIdx.x % WARP;
    const u32 warp = threadIdx.x / WARP;
    value = warp_sum(value);
    // An earlier call may still be reading the sums.
    __syncthreads();
    if (lane == 0) {
        sums[warp] = value;
    }
    __syncthreads();
    if (warp == 0) {
        value = warp_sum(lane < blockDim.x / WARP ? sums[lane] : 0.0);
    }
    return value;
}

// As `block_sum` for COUNT values at once, at the price of one.
template <u32 COUNT>
__device__ __forceinline__ void block_sums(double (&values)[COUNT]) {
    __shared__ double sums[COUNT][WARPS_MAX];
    const u32 lane = threadIdx.x % WARP;
    const u32 warp = threadIdx.x / WARP;
    // An earlier call may still be reading the sums.
    __syncthreads();
#pragma unroll
    for (u32 i = 0; i < COUNT; ++i) {
        values[i] = warp_sum(values[i]);
        if (lane == 0) {
            sums[i][warp] = values[i];
        }
    }
    __syncthreads();
    if (warp == 0) {
#pragma unroll
        for (u32 i = 0; i < COUNT; ++i) {
            values[i] = warp_sum(lane < blockDim.x / WARP ? sums[i][lane] : 0.0);
        }
    }
}
