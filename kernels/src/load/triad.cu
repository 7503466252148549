// a <- b + scale c, each element rounded once.
#include "index.cuh"

extern "C" __global__ void triad(const double* __restrict__ b,
                                 const double* __restrict__ c,
                                 double* __restrict__ a,
                                 u64 len,
                                 double scale) {
    for (u64 index = global_index(); index < len; index += global_stride()) {
        a[index] = fma(scale, c[index], b[index]);
    }
}
