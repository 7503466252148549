// Turns a point about the origin, again and again: arithmetic in registers and nothing else.
//
// x <- x + e y, y <- y - e x with e = 1/16 keeps to an ellipse for ever, so that no turn can be left out.
#include "index.cuh"

extern "C" __global__ void spin(float* output, u64 len, u32 turns) {
    const float e = 0.0625f;
    for (u64 index = global_index(); index < len; index += global_stride()) {
        float x = 1.0f - static_cast<float>(index % 64) / 128.0f;
        float y = 0.0f;
#pragma unroll 16
        for (u32 turn = 0; turn < turns; ++turn) {
            x = fmaf(e, y, x);
            y = fmaf(-e, x, y);
        }
        output[index] = x;
    }
}
