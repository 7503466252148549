// C = A B in single precision, row major: a tile of elements in the registers of each thread, and slices of A and B
// in shared memory, where the next pair arrives while the present one is used.
#include "index.cuh"

#include <cuda_pipeline.h>

// Threads of a block that stand side by side along a row of C; its other threads stand below each other.
constexpr u32 ACROSS = 16;

// Moves each column of a slice of A to other banks, at a multiple of 16 bytes.
constexpr u32 PADDING = 4;

// `COUNT` neighbours, aligned so that they can be read at once.
template <int COUNT>
struct __align__(sizeof(float) * COUNT) Neighbours {
    float values[COUNT];
};

struct Matrices {
    const float* a;
    const float* b;
    float* c;
    u32 m;
    u32 n;
    u32 k;
    // Base-2 logarithm of the depth of a slice.
    u32 depth_bits;
    // Whether rows of B can be read in aligned groups of four.
    bool is_wide;
};

// Begins to copy `COUNT` numbers, or to fill in zeros where the matrix has ended.
template <int COUNT>
__device__ __forceinline__ void copy(float* to, const float* from, u64 index, bool is_inside) {
    constexpr int BYTES = sizeof(float) * COUNT;
    __pipeline_memcpy_async(to, from + (is_inside ? index : 0), BYTES, is_inside ? 0 : BYTES);
}

// What a block computes at a time: `rows` by `columns` elements of C, from its element (row, column) on.
struct Tile {
    u32 row;
    u32 column;
    u32 rows;
    u32 columns;
};

// Begins to bring the slices of a tile at `depth`: that of A transposed, then that of B.
__device__ __forceinline__ void bring(const Matrices& in, const Tile& tile, float* a, u32 depth) {
    const auto [row, column, rows, columns] = tile;
    float* b = a + ((rows + PADDING) << in.depth_bits);
    const u32 slice = 1u << in.depth_bits;
    for (u32 index = threadIdx.x; index < rows << in.depth_bits; index += blockDim.x) {
        const u32 y = index >> in.depth_bits;
        const u32 x = index & (slice - 1);
        const bool is_inside = row + y < in.m && depth + x < in.k;
        copy<1>(&a[x * (rows + PADDING) + y], in.a, static_cast<u64>(row + y) * in.k + depth + x, is_inside);
    }
    const u32 group = in.is_wide ? 4 : 1;
    for (u32 index = threadIdx.x; index < (columns << in.depth_bits) / group; index += blockDim.x) {
        const u32 y = index * group / columns;
        const u32 x = index * group % columns;
        const bool is_inside = depth + y < in.k && column + x < in.n;
        const u64 from = static_cast<u64>(depth + y) * in.n + column + x;
        if (in.is_wide) {
            copy<4>(&b[y * columns + x], in.b, from, is_inside);
        } else {
            copy<1>(&b[y * columns + x], in.b, from, is_inside);
        }
    }
    __pipeline_commit();
}

// The `COUNT` numbers of this thread in one row of a slice: groups of neighbours, `stride` threads apart.
template <int COUNT>
__device__ __forceinline__ void pick(float (&into)[COUNT], const float* row, u32 thread, u32 stride) {
    constexpr int WIDTH = COUNT < 4 ? COUNT : 4;
#pragma unroll
    for (int group = 0; group < COUNT / WIDTH; ++group) {
        const float* from = row + (group * stride + thread) * WIDTH;
        const auto neighbours = *reinterpret_cast<const Neighbours<WIDTH>*>(from);
#pragma unroll
        for (int place = 0; place < WIDTH; ++place) {
            into[group * WIDTH + place] = neighbours.values[place];
        }
    }
}

// Where number `index` of a thread stands in its row of a slice: the inverse of `pick`.
template <int COUNT>
__device__ __forceinline__ u32 place_of(u32 index, u32 thread, u32 stride) {
    constexpr u32 WIDTH = COUNT < 4 ? COUNT : 4;
    return (index / WIDTH * stride + thread) * WIDTH + index % WIDTH;
}

template <int ROWS, int COLUMNS>
__device__ __forceinline__ void multiply(const Matrices& in, float* shared) {
    const u32 down = blockDim.x / ACROSS;
    const u32 x = threadIdx.x % ACROSS;
    const u32 y = threadIdx.x / ACROSS;
    const u32 rows = down * ROWS;
    const u32 columns = ACROSS * COLUMNS;
    const u32 slice = 1u << in.depth_bits;
    const u32 pitch = rows + PADDING;
    // Slices of two depths, one after the other.
    const u32 both = slice * (pitch + columns);
    const u64 across = (in.n + static_cast<u64>(columns) - 1) / columns;
    const u64 tiles = (in.m + static_cast<u64>(rows) - 1) / rows * across;
    for (u64 number = blockIdx.x; number < tiles; number += gridDim.x) {
        const u32 row = static_cast<u32>(number / across * rows);
        const u32 column = static_cast<u32>(number % across * columns);
        const Tile tile = {row, column, rows, columns};
        float sums[ROWS][COLUMNS] = {};
        bring(in, tile, shared, 0);
        u32 present = 0;
        for (u32 depth = 0; depth < in.k; depth += slice) {
            bring(in, tile, shared + (both - present), depth + slice);
            __pipeline_wait_prior(1);
            __syncthreads();
            const float* slice_a = shared + present;
            const float* slice_b = slice_a + slice * pitch;
#pragma unroll 2
            for (u32 step = 0; step < slice; ++step) {
                float left[ROWS];
                float right[COLUMNS];
                pick(left, slice_a + step * pitch, y, down);
                pick(right, slice_b + step * columns, x, ACROSS);
#pragma unroll
                for (int i = 0; i < ROWS; ++i) {
#pragma unroll
                    for (int j = 0; j < COLUMNS; ++j) {
                        sums[i][j] = fmaf(left[i], right[j], sums[i][j]);
                    }
                }
            }
            __syncthreads();
            present = both - present;
        }
        // The last slices brought lie past the end and hold zeros; the next tile must not find them still arriving.
        __pipeline_wait_prior(0);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
            const u32 to_row = row + place_of<ROWS>(i, y, down);
#pragma unroll
            for (int j = 0; j < COLUMNS; ++j) {
                const u32 to_column = column + place_of<COLUMNS>(j, x, ACROSS);
                if (to_row < in.m && to_column < in.n) {
                    in.c[static_cast<u64>(to_row) * in.n + to_column] = sums[i][j];
                }
            }
        }
    }
}

template <int ROWS>
__device__ __forceinline__ void multiply_by(u32 columns, const Matrices& in, float* shared) {
    switch (columns) {
        case 1: return multiply<ROWS, 1>(in, shared);
        case 2: return multiply<ROWS, 2>(in, shared);
        case 4: return multiply<ROWS, 4>(in, shared);
        default: return multiply<ROWS, 8>(in, shared);
    }
}

extern "C" __global__ void __launch_bounds__(256, 2) gemm(const float* __restrict__ a,
                                                       const float* __restrict__ b,
                                                       float* __restrict__ c,
                                                       u32 m,
                                                       u32 n,
                                                       u32 k,
                                                       u32 rows,
                                                       u32 columns,
                                                       u32 depth) {
    extern __shared__ float4 shared[];
    const bool is_wide = n % 4 == 0 && reinterpret_cast<u64>(b) % 16 == 0;
    const Matrices in = {a, b, c, m, n, k, 31u - __clz(depth), is_wide};
    float* slices = reinterpret_cast<float*>(shared);
    switch (rows) {
        case 1: return multiply_by<1>(columns, in, slices);
        case 2: return multiply_by<2>(columns, in, slices);
        case 4: return multiply_by<4>(columns, in, slices);
        default: return multiply_by<8>(columns, in, slices);
    }
}
