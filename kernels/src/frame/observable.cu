// What the agent gets to see of the network: o = 1 + cos(theta) / sqrt(n) of the first angles.
#include "index.cuh"

constexpr u32 OBSERVATIONS = 100;
constexpr double SCALE = 30.0;

extern "C" __global__ void observable(const double* __restrict__ theta,
                                      double* __restrict__ observations) {
    for (u64 index = global_index(); index < OBSERVATIONS; index += global_stride()) {
        observations[index] = 1.0 + cos(theta[index]) / SCALE;
    }
}
