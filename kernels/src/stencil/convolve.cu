// Every 9 x 9 window of an image weighed, in single precision: a few elements below each other for each thread, from
// a tile of the image, with its margin, in shared memory.
#include "window.cuh"

// Elements of a tile that stand side by side: a warp.
constexpr u32 ACROSS = 32;
constexpr u32 PITCH = ACROSS + MARGIN;

// Groups of four weights that hold a column of a window.
constexpr u32 GROUPS = (WINDOW + 3) / 4;

struct Image {
    const float* input;
    const float* weights;
    float* output;
    u32 rows;
    u32 columns;
};

// Weighs the windows of `ITEMS` elements below each other, a column of each window at a time.
template <int ITEMS>
__device__ __forceinline__ void weigh(float (&sums)[ITEMS], const float* tile, const float4* weights) {
#pragma unroll
    for (int x = 0; x < WINDOW; ++x) {
        float weight[4 * GROUPS];
#pragma unroll
        for (int group = 0; group < GROUPS; ++group) {
            *reinterpret_cast<float4*>(&weight[4 * group]) = weights[x * GROUPS + group];
        }
        float column[ITEMS + MARGIN];
#pragma unroll
        for (int y = 0; y < ITEMS + MARGIN; ++y) {
            column[y] = tile[y * PITCH + x];
        }
#pragma unroll
        for (int y = 0; y < WINDOW; ++y) {
#pragma unroll
            for (int item = 0; item < ITEMS; ++item) {
                sums[item] = fmaf(weight[y], column[item + y], sums[item]);
            }
        }
    }
}

template <int ITEMS>
__device__ __forceinline__ void convolve_tiles(const Image& in, float4* weights, float* tile) {
    const u32 x = threadIdx.x % ACROSS;
    const u32 y = threadIdx.x / ACROSS * ITEMS;
    const u32 down = blockDim.x / ACROSS * ITEMS;
    const u64 pitch = static_cast<u64>(in.columns) + MARGIN;
    const u64 across = (in.columns + static_cast<u64>(ACROSS) - 1) / ACROSS;
    const u64 tiles = (in.rows + static_cast<u64>(down) - 1) / down * across;
    for (u64 number = blockIdx.x; number < tiles; number += gridDim.x) {
        const u64 top = number / across * down;
        const u64 left = number % across * ACROSS;
        for (u32 index = threadIdx.x; index < (down + MARGIN) * PITCH; index += blockDim.x) {
            const u64 row = top + index / PITCH;
            const u64 column = left + index % PITCH;
            const bool is_inside = row < static_cast<u64>(in.rows) + MARGIN && column < pitch;
            tile[index] = is_inside ? in.input[row * pitch + column] : 0.0f;
        }
        __syncthreads();
        float sums[ITEMS] = {};
        weigh(sums, &tile[y * PITCH + x], weights);
#pragma unroll
        for (int item = 0; item < ITEMS; ++item) {
            const u64 row = top + y + item;
            if (row < in.rows && left + x < in.columns) {
                in.output[row * in.columns + left + x] = sums[item];
            }
        }
        __syncthreads();
    }
}

extern "C" __global__ void __launch_bounds__(512) convolve(const float* __restrict__ input,
                                                           const float* __restrict__ weights,
                                                           float* __restrict__ output,
                                                           u32 rows,
                                                           u32 columns,
                                                           u32 items) {
    extern __shared__ float4 shared[];
    float* columns_of_weights = reinterpret_cast<float*>(shared);
    for (u32 index = threadIdx.x; index < WINDOW * WINDOW; index += blockDim.x) {
        columns_of_weights[index % WINDOW * 4 * GROUPS + index / WINDOW] = weights[index];
    }
    const Image in = {input, weights, output, rows, columns};
    float* tile = reinterpret_cast<float*>(shared + WINDOW * GROUPS);
    switch (items) {
        case 1: return convolve_tiles<1>(in, shared, tile);
        case 2: return convolve_tiles<2>(in, shared, tile);
        case 4: return convolve_tiles<4>(in, shared, tile);
        case 8: return convolve_tiles<8>(in, shared, tile);
        default: return convolve_tiles<16>(in, shared, tile);
    }
}
