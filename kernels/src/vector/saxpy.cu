// y <- alpha x + y, each element rounded once.
#include "index.cuh"

extern "C" __global__ void saxpy(const float* __restrict__ x,
                                 float* __restrict__ y,
                                 u64 len,
                                 float alpha) {
    for (u64 index = global_index(); index < len; index += global_stride()) {
        y[index] = fmaf(alpha, x[index], y[index]);
    }
}
