// Control and synchronisation of a frame, and everything that it puts out, by one block with a thread a window.
//
// Three steps of two banks of 900 phases are a few microseconds of one multiprocessor's work, and each step needs the
// mean of the one before: among several blocks the meetings would take longer.
#include "network.cuh"

constexpr u32 WINDOWS = 900;
constexpr u32 OBSERVATIONS = 100;
constexpr double NEIGHBOUR = 0.3;
constexpr double CORRECTION = 0.7;
constexpr double FEEDBACK = 0.1;
constexpr u32 STEPS = 3;
constexpr double DT = 0.01;
constexpr double DRIVE = 0.1;
constexpr double PULL = 5.0;
constexpr double KEPT = 0.9;
constexpr double CONFUSED = 0.1;

// The agent's outputs: mean, action, then eleven free energies, five G and the policy.
constexpr u32 U = WINDOWS;
constexpr u32 AGENT_METRICS = 2 * WINDOWS;
constexpr u32 AGENT_METRICS_LEN = 17;
constexpr u32 OBSERVABLES = 5;

// Places in the outputs, as in `outputs.rs`.
constexpr u32 NETWORK = AGENT_METRICS_LEN;
constexpr u32 TE_MAX = NETWORK + OBSERVABLES;
constexpr u32 COHERENCE = TE_MAX + 1;
constexpr u32 INFORMATION = COHERENCE + 1;
constexpr u32 CONTROL = INFORMATION + 1;
constexpr u32 PREDICTION = CONTROL + WINDOWS;

// As `block_sums`, in every thread and with a barrier less.
template <u32 COUNT>
__device__ __forceinline__ void sums_for_all(double (&values)[COUNT]) {
    __shared__ double sums[COUNT][WARPS_MAX];
    __shared__ double totals[COUNT];
    const u32 lane = threadIdx.x % WARP;
    const u32 warp = threadIdx.x / WARP;
#pragma unroll
    for (u32 i = 0; i < COUNT; ++i) {
        values[i] = warp_sum(values[i]);
        if (lane == 0) {
            sums[i][warp] = values[i];
        }
    }
    __syncthreads();
    if (warp < COUNT) {
        const double total = warp_sum(lane < blockDim.x / WARP ? sums[warp][lane] : 0.0);
        if (lane == 0) {
            totals[warp] = total;
        }
    }
    // The next call writes its sums behind this barrier and its totals behind the first one, so nobody reads them then.
    __syncthreads();
#pragma unroll
    for (u32 i = 0; i < COUNT; ++i) {
        values[i] = totals[i];
    }
}

// The largest of the block, in every thread.
__device__ __forceinline__ double block_max(double value) {
    __shared__ double largest[WARPS_MAX];
    const u32 lane = threadIdx.x % WARP;
#pragma unroll
    for (u32 offset = WARP / 2; offset > 0; offset /= 2) {
        value = fmax(value, __shfl_xor_sync(0xffffffffu, value, offset));
    }
    if (lane == 0) {
        largest[threadIdx.x / WARP] = value;
    }
    __syncthreads();
    value = lane < blockDim.x / WARP ? largest[lane] : value;
#pragma unroll
    for (u32 offset = WARP / 2; offset > 0; offset /= 2) {
        value = fmax(value, __shfl_xor_sync(0xffffffffu, value, offset));
    }
    return value;
}

// Information that softmax(mu) carries through the noisy channel, in bits.
__device__ __forceinline__ double channel_information(double mu, bool is_window) {
    constexpr double RARE = CONFUSED / (WINDOWS - 1);
    const double largest = block_max(is_window ? mu : -INFINITY);
    const double weight = is_window ? exp(mu - largest) : 0.0;
    double sum[1] = {weight};
    sums_for_all(sum);
    const double share = weight / sum[0];
    const double received = KEPT * share + RARE * (1.0 - share);
    double entropy[1] = {is_window ? -received * log2(received) : 0.0};
    sums_for_all(entropy);
    return entropy[0] + KEPT * log2(KEPT) + CONFUSED * log2(RARE);
}

// The sine of the angle from `own` to `other`, times the length of `other`.
__device__ __forceinline__ double pull(double2 own, double2 other) {
    return other.y * own.x - other.x * own.y;
}

// All steps of this thread's phase of either bank; the coherence at their end.
__device__ __forceinline__ double synchronise(double& phi,
                                              double& psi,
                                              double phi_drive,
                                              double psi_drive,
                                              bool is_window) {
    for (u32 step = 0;; ++step) {
        const double2 first = cosine_and_sine(phi);
        const double2 second = cosine_and_sine(psi);
        if (step == STEPS) {
            double apart[2] = {is_window ? first.x * second.x + first.y * second.y : 0.0,
                               is_window ? pull(first, second) : 0.0};
            sums_for_all(apart);
            return sqrt(apart[0] * apart[0] + apart[1] * apart[1]) / WINDOWS;
        }
        double sums[4] = {is_window ? first.x : 0.0, is_window ? first.y : 0.0,
                          is_window ? second.x : 0.0, is_window ? second.y : 0.0};
        sums_for_all(sums);
        const double2 first_mean = make_double2(sums[0] / WINDOWS, sums[1] / WINDOWS);
        const double2 second_mean = make_double2(sums[2] / WINDOWS, sums[3] / WINDOWS);
        phi += DT * (phi_drive + PULL * pull(first, first_mean) + pull(first, second));
        psi += DT * (psi_drive + PULL * pull(second, second_mean) + pull(second, first));
    }
}

extern "C" __global__ void __launch_bounds__(1024) act(const double* __restrict__ agent,
                                                       const double* __restrict__ observables,
                                                       const double* __restrict__ te_max,
                                                       const double* __restrict__ targets,
                                                       const double* __restrict__ theta,
                                                       const double* __restrict__ phases,
                                                       const double* __restrict__ frequencies,
                                                       double* __restrict__ next_mu,
                                                       double* __restrict__ next_phases,
                                                       double* __restrict__ outputs) {
    __shared__ double means[WINDOWS];
    const u32 window = threadIdx.x;
    const bool is_window = window < WINDOWS;
    double mu = 0.0, phi = 0.0, psi = 0.0, phi_drive = 0.0, psi_drive = 0.0;
    if (is_window) {
        const double before = agent[window];
        phi = phases[window];
        psi = phases[WINDOWS + window];
        const double control = agent[U + window] + CORRECTION * (targets[window] - before);
        mu = before + FEEDBACK * control;
        phi_drive = frequencies[window] + DRIVE * mu;
        psi_drive = frequencies[WINDOWS + window] + DRIVE * sin(theta[window]);
        outputs[CONTROL + window] = control;
        next_mu[window] = mu;
        means[window] = mu;
    }
    if (window < AGENT_METRICS_LEN) {
        outputs[window] = agent[AGENT_METRICS + window];
    } else if (window < TE_MAX) {
        outputs[window] = observables[window - NETWORK];
    } else if (window == TE_MAX) {
        outputs[TE_MAX] = *te_max;
    }
    __syncthreads();
    if (window < OBSERVATIONS) {
        const double left = window > 0 ? means[3 * window - 1] : 0.0;
        const double seen = means[3 * window] + NEIGHBOUR * (left + means[3 * window + 1]);
        outputs[PREDICTION + window] = seen + 1.0;
    }

    const double information = channel_information(mu, is_window);
    const double coherence = synchronise(phi, psi, phi_drive, psi_drive, is_window);
    if (is_window) {
        next_phases[window] = wrap(phi);
        next_phases[WINDOWS + window] = wrap(psi);
    }
    if (window == 0) {
        outputs[COHERENCE] = coherence;
        outputs[INFORMATION] = information;
    }
}
