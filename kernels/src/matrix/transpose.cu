// The transpose of a matrix in single precision, tile by tile: written as it is read, or turned in shared memory.
#include "index.cuh"

extern "C" __global__ void transpose(const float* __restrict__ input,
                                     float* __restrict__ output,
                                     u32 rows,
                                     u32 columns,
                                     u32 side,
                                     u32 staged) {
    extern __shared__ float tile[];
    const u32 bits = 31u - __clz(side);
    // One more than a row holds, so that a column lies in as many banks as it has elements.
    const u32 pitch = side + 1;
    const u32 area = side * side;
    const u64 across = (columns + static_cast<u64>(side) - 1) >> bits;
    const u64 tiles = ((rows + static_cast<u64>(side) - 1) >> bits) * across;
    for (u64 number = blockIdx.x; number < tiles; number += gridDim.x) {
        const u64 top = number / across << bits;
        const u64 left = number % across << bits;
#pragma unroll 4
        for (u32 index = threadIdx.x; index < area; index += blockDim.x) {
            const u32 y = index >> bits;
            const u32 x = index & (side - 1);
            if (top + y < rows && left + x < columns) {
                const float value = input[(top + y) * columns + left + x];
                if (staged) {
                    tile[y * pitch + x] = value;
                } else {
                    output[(left + x) * rows + top + y] = value;
                }
            }
        }
        if (!staged) {
            continue;
        }
        __syncthreads();
#pragma unroll 4
        for (u32 index = threadIdx.x; index < area; index += blockDim.x) {
            const u32 x = index >> bits;
            const u32 y = index & (side - 1);
            if (top + y < rows && left + x < columns) {
                output[(left + x) * rows + top + y] = tile[y * pitch + x];
            }
        }
        __syncthreads();
    }
}
