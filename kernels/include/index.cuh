// Which elements a thread works on, in launches along one dimension.
#pragma once

typedef unsigned int u32;
typedef unsigned long long u64;

// This thread's place among all threads of the grid.
__device__ __forceinline__ u64 global_index() {
    return static_cast<u64>(blockIdx.x) * blockDim.x + threadIdx.x;
}

// Threads in the grid: the step of a loop that is right for every launch.
__device__ __forceinline__ u64 global_stride() {
    return static_cast<u64>(gridDim.x) * blockDim.x;
}
