// Spikes, information flow and coupling of a frame, in one launch without a meeting.
//
// Every block finds all transfer entropies by itself: that takes less time than to wait for a block that did. Meanwhile
// the couplings that the block is about to change are on their way from memory.
#include "index.cuh"

constexpr u32 WINDOWS = 900;
constexpr u32 CHANNELS = 10;
constexpr u32 BLOCK = WINDOWS / CHANNELS;
constexpr u32 PAIRS = CHANNELS * CHANNELS;
constexpr u32 COUPLINGS = WINDOWS * WINDOWS;
constexpr u32 CELLS = 8;
constexpr u32 MOMENTS = 128;
constexpr double THRESHOLD = 0.5;
constexpr double KEPT = 0.9;
constexpr double LEARNT = 0.1;
constexpr u32 WARP = 32;

// Couplings that a thread asks for before it needs them.
constexpr u32 EARLY = 6;

// The moments of a channel, the oldest in the lowest bit of `older`.
struct Moments {
    u64 older;
    u64 newer;
};

// How often (y', y, x) occurred, at place 4 y' + 2 y + x; the last moment has none after it.
__device__ __forceinline__ void count_cells(Moments target, Moments source, u32 (&cells)[CELLS]) {
    constexpr u64 WITH_NEXT = ~0ull >> 1;
    const u64 next_older = target.older >> 1 | target.newer << 63;
    const u64 next_newer = target.newer >> 1;
#pragma unroll
    for (u32 cell = 0; cell < CELLS; ++cell) {
        // All ones where the bit must not be set.
        const u64 next = cell & 4 ? 0 : ~0ull;
        const u64 now = cell & 2 ? 0 : ~0ull;
        const u64 beside = cell & 1 ? 0 : ~0ull;
        const u64 older = (next_older ^ next) & (target.older ^ now) & (source.older ^ beside);
        const u64 newer = (next_newer ^ next) & (target.newer ^ now) & (source.newer ^ beside);
        cells[cell] = __popcll(older) + __popcll(newer & WITH_NEXT);
    }
}

// In bits, by the formula of `optimised.rs`.
__device__ __forceinline__ double transfer_entropy(const u32 (&cells)[CELLS]) {
    double sum = 0.0;
#pragma unroll
    for (u32 cell = 0; cell < CELLS; ++cell) {
        const u32 next = cell & 4, now = cell & 2, beside = cell & 1;
        const u32 joint = cells[cell];
        const u32 both_present = cells[now + beside] + cells[4 + now + beside];
        const u32 own = cells[next + now] + cells[next + now + 1];
        const u32 present = cells[now] + cells[now + 1] + cells[4 + now] + cells[4 + now + 1];
        if (joint > 0) {
            const double quotient =
                static_cast<double>(joint * present) / static_cast<double>(both_present * own);
            sum += joint * log2(quotient);
        }
    }
    return sum / (MOMENTS - 1);
}

// Takes the newest moments in. The first block leaves the history for the next frame.
__device__ __forceinline__ void take_in(const double* __restrict__ values,
                                        const u64* __restrict__ history,
                                        u64* next_history,
                                        Moments* channels) {
    const u32 channel = threadIdx.x;
    if (channel >= CHANNELS) {
        return;
    }
    const u64 is_spike = values[channel * BLOCK] > THRESHOLD ? 1 : 0;
    const u64 older = history[2 * channel];
    const u64 newer = history[2 * channel + 1];
    Moments moments;
    moments.older = older >> 1 | newer << 63;
    moments.newer = newer >> 1 | is_spike << 63;
    channels[channel] = moments;
    if (blockIdx.x == 0) {
        next_history[2 * channel] = moments.older;
        next_history[2 * channel + 1] = moments.newer;
    }
}

// The transfer entropy of every pair, target by target, in `flow`. The first block also leaves it in memory.
__device__ __forceinline__ void find_flow(const Moments* channels, double* flow, u32* counts, double* entropies) {
    for (u32 pair = threadIdx.x; pair < PAIRS; pair += blockDim.x) {
        const u32 target = pair / CHANNELS;
        const u32 source = pair % CHANNELS;
        u32 cells[CELLS];
        count_cells(channels[target], channels[source], cells);
        const bool is_pair = target != source;
        const double entropy = is_pair ? transfer_entropy(cells) : 0.0;
        flow[pair] = entropy;
        if (blockIdx.x == 0) {
            entropies[pair] = entropy;
#pragma unroll
            for (u32 cell = 0; cell < CELLS; ++cell) {
                counts[pair * CELLS + cell] = is_pair ? cells[cell] : 0;
            }
        }
    }
}

// The largest of all, in every lane of the first warp.
__device__ __forceinline__ double largest_of(const double* flow) {
    double largest = 0.0;
    for (u32 pair = threadIdx.x; pair < PAIRS; pair += WARP) {
        largest = fmax(largest, flow[pair]);
    }
#pragma unroll
    for (u32 offset = WARP / 2; offset > 0; offset /= 2) {
        largest = fmax(largest, __shfl_xor_sync(0xffffffffu, largest, offset));
    }
    return largest;
}

// What becomes of the coupling at `place`. Something that is not a number stays so.
__device__ __forceinline__ double learnt(double before, u64 place, const double* flow) {
    const u32 row = static_cast<u32>(place) / WINDOWS;
    const u32 column = static_cast<u32>(place) % WINDOWS;
    const double after = KEPT * before + flow[row / BLOCK * CHANNELS + column / BLOCK];
    const double clamped = after < 0.0 ? 0.0 : after > 1.0 ? 1.0 : after;
    return row == column ? 0.0 : clamped;
}

extern "C" __global__ void __launch_bounds__(1024) perceive(const double* __restrict__ values,
                                                            const u64* __restrict__ history,
                                                            const double* __restrict__ coupling,
                                                            const double* __restrict__ motion,
                                                            u64* next_history,
                                                            double* next_coupling,
                                                            double* next_motion,
                                                            u32* counts,
                                                            double* entropies,
                                                            double* te_max) {
    __shared__ Moments channels[CHANNELS];
    __shared__ double flow[PAIRS];
    __shared__ double largest;
    const u64 first = global_index();
    const u64 stride = global_stride();

    take_in(values, history, next_history, channels);
    double early[EARLY];
#pragma unroll
    for (u32 i = 0; i < EARLY; ++i) {
        const u64 place = first + i * stride;
        early[i] = place < COUPLINGS ? coupling[place] : 0.0;
    }
    for (u64 place = first; place < 2 * WINDOWS; place += stride) {
        next_motion[place] = motion[place];
    }
    __syncthreads();
    find_flow(channels, flow, counts, entropies);
    __syncthreads();
    if (threadIdx.x < WARP) {
        const double found = largest_of(flow);
        if (threadIdx.x == 0) {
            largest = found;
            if (blockIdx.x == 0) {
                *te_max = found;
            }
        }
    }
    __syncthreads();
    // From here on: what a block of couplings is drawn to.
    for (u32 pair = threadIdx.x; pair < PAIRS; pair += blockDim.x) {
        flow[pair] = largest > 0.0 ? LEARNT * (flow[pair] / largest) : 0.0;
    }
    __syncthreads();

#pragma unroll
    for (u32 i = 0; i < EARLY; ++i) {
        const u64 place = first + i * stride;
        if (place < COUPLINGS) {
            next_coupling[place] = learnt(early[i], place, flow);
        }
    }
    for (u64 place = first + EARLY * stride; place < COUPLINGS; place += stride) {
        next_coupling[place] = learnt(coupling[place], place, flow);
    }
}
