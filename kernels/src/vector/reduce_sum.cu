// The sum of `len` numbers in one launch, in an order that depends on the launch alone.
//
// Every block leaves a partial sum; the block that finishes last adds them up in block order.
#include "reduce.cuh"

extern "C" __global__ void reduce_sum(const double* __restrict__ input,
                                      double* partials,
                                      u32* counter,
                                      double* output,
                                      u64 len) {
    __shared__ bool is_last;
    double sum = 0.0;
    for (u64 index = global_index(); index < len; index += global_stride()) {
        sum += input[index];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        __stcg(&partials[blockIdx.x], sum);
        // The partial sum must be seen by whoever sees the count.
        __threadfence();
        // Wraps to 0 at the last block, so that the next launch finds it as this one did.
        is_last = atomicInc(counter, gridDim.x - 1) == gridDim.x - 1;
        __threadfence();
    }
    __syncthreads();
    if (!is_last) {
        return;
    }
    sum = 0.0;
    for (u32 block = threadIdx.x; block < gridDim.x; block += blockDim.x) {
        sum += __ldcg(&partials[block]);
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        *output = sum;
    }
}
