// Every 9 x 9 window of an image weighed, in single precision: a thread to each element, all read where it is.
#include "window.cuh"

extern "C" __global__ void convolve_direct(const float* __restrict__ input,
                                           const float* __restrict__ weights,
                                           float* __restrict__ output,
                                           u32 rows,
                                           u32 columns) {
    const u64 pitch = static_cast<u64>(columns) + MARGIN;
    const u64 len = static_cast<u64>(rows) * columns;
    for (u64 index = global_index(); index < len; index += global_stride()) {
        const float* window = input + index / columns * pitch + index % columns;
        float sum = 0.0f;
        for (int x = 0; x < WINDOW; ++x) {
            for (int y = 0; y < WINDOW; ++y) {
                sum = fmaf(weights[y * WINDOW + x], window[y * pitch + x], sum);
            }
        }
        output[index] = sum;
    }
}
