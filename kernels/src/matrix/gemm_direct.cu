// C = A B in single precision, row major: a thread to each element of C, operands read where they are.
#include "index.cuh"

extern "C" __global__ void gemm_direct(const float* __restrict__ a,
                                       const float* __restrict__ b,
                                       float* __restrict__ c,
                                       u32 m,
                                       u32 n,
                                       u32 k) {
    const u64 len = static_cast<u64>(m) * n;
    for (u64 index = global_index(); index < len; index += global_stride()) {
        const u64 row = index / n;
        const u64 column = index % n;
        float sum = 0.0f;
        for (u32 depth = 0; depth < k; ++depth) {
            sum = fmaf(a[row * k + depth], b[static_cast<u64>(depth) * n + column], sum);
        }
        c[index] = sum;
    }
}
