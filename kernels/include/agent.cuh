// The model of active inference: its sizes, its constants and what follows from them; `active_inference` has the same.
#pragma once

#include "index.cuh"
#include "philox.cuh"

constexpr u32 WINDOWS = 900;
constexpr u32 MODES = 100;
constexpr u32 OBSERVATIONS = 100;
constexpr u32 POLICIES = 5;
constexpr u32 HORIZON = 3;
constexpr u32 SUBSTEPS = 100;
constexpr u32 ITERATIONS = 10;
constexpr double NEIGHBOUR = 0.3;
constexpr u32 STREAM_ATMOSPHERE = 6;
constexpr u32 STREAM_WINDOWS = 7;

// Steps of all policies.
constexpr u32 COLUMNS = POLICIES * HORIZON;
constexpr u32 TRIPLES = WINDOWS / 3 + 1;
constexpr u32 PAIRS = WINDOWS / 2;
constexpr u32 MODE_PAIRS = MODES / 2;

// Places in the outputs, as in `outputs.rs`.
constexpr u32 U = WINDOWS;
constexpr u32 FREE_ENERGY = 2 * WINDOWS;
constexpr u32 G = FREE_ENERGY + ITERATIONS + 1;
constexpr u32 POLICY = G + POLICIES;

struct Model {
    double precision;
    double prior_variance;
    double variance;
    double rate;
    double mode_rate;
    double mode_variance;
    double friction;
    double diffusion;
    double dt;
    double gain0;
    double gain1;
    double gain2;
    double gain3;
    double gain4;

    // Selected by hand: an array that is indexed at run time would live in memory.
    __device__ __forceinline__ double gain(u32 policy) const {
        const double low = policy == 0 ? gain0 : gain1;
        const double high = policy == 2 ? gain2 : policy == 3 ? gain3 : gain4;
        return policy < 2 ? low : high;
    }
};

// What follows from the model, worked out while the blocks wait for each other.
struct Derived {
    double mode_kept;
    double mode_noise;
    double kept_by_part;
    double kept;   // of a window, by all substeps of a step of the horizon
    double reach;  // what the same make of a constant drive of 1
    double noise;
};

__device__ __forceinline__ double power(double base, u32 exponent) {
    double result = 1.0;
    for (; exponent > 0; exponent /= 2) {
        result *= exponent % 2 == 0 ? 1.0 : base;
        base *= base;
    }
    return result;
}

__device__ __forceinline__ Derived derive(const Model& model, u32 parts) {
    const double kept_by_substep = 1.0 - model.friction * model.dt;
    Derived derived;
    derived.mode_kept = exp(-model.mode_rate);
    derived.mode_noise = sqrt(model.mode_variance * (1.0 - exp(-2.0 * model.mode_rate)));
    derived.kept_by_part = power(kept_by_substep, SUBSTEPS / parts);
    derived.kept = power(kept_by_substep, SUBSTEPS);
    derived.reach = (1.0 - derived.kept) / model.friction;
    derived.noise = sqrt(2.0 * model.diffusion * model.dt);
    return derived;
}

// The mean of ambiguity - novelty over the horizon, the same for every policy.
__device__ __forceinline__ double prospect(const Model& model) {
    constexpr double SEEN = 1.0 + NEIGHBOUR * NEIGHBOUR +
                            (OBSERVATIONS - 1) * (1.0 + 2.0 * NEIGHBOUR * NEIGHBOUR);
    const double rest = model.diffusion / model.friction;
    const double kept = power(1.0 - 2.0 * model.friction * model.dt, SUBSTEPS);
    double variance = model.variance;
    double sum = 0.0;
#pragma unroll 1
    for (u32 h = 0; h < HORIZON; ++h) {
        variance = fma(variance - rest, kept, rest);
        sum += SEEN * variance + OBSERVATIONS / model.precision -
               0.5 * WINDOWS * log(model.prior_variance / variance);
    }
    return sum / HORIZON;
}

// The free energy's part that inference does not change, twice.
__device__ __forceinline__ double constant_energy(const Model& model) {
    const double spread = model.prior_variance / model.variance;
    return WINDOWS * (1.0 / spread - 1.0 + log(spread)) + OBSERVATIONS * log(TAU / model.precision);
}
