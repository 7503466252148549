// For each frame of 900 values and 900 targets: how far each value is from its target.
#include "index.cuh"

constexpr u32 SAMPLES = 900;

extern "C" __global__ void tracking_error(const double* __restrict__ frames,
                                          double* __restrict__ errors,
                                          u64 len) {
    for (u64 index = global_index(); index < len; index += global_stride()) {
        const double* frame = frames + index / SAMPLES * (2 * SAMPLES);
        const u32 sample = static_cast<u32>(index % SAMPLES);
        errors[index] = frame[SAMPLES + sample] - frame[sample];
    }
}
