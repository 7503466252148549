// One call of active inference in one cooperative launch.
//
// Windows 3 i - 1, 3 i and 3 i + 1 make triple i. Observation i sees that triple and nothing else, so inference, the
// windows' steps and the risk of a triple concern its block alone. Everybody's are only the random numbers, which need
// nothing before them: they are drawn first, evenly over all threads, and all blocks meet once. The block that
// finishes last sums up, chooses and acts. Every sum has one order, whoever computes it.
#include "agent.cuh"
#include "normals.cuh"
#include "reduce.cuh"

// Triples that a block works on at a time, and their windows.
constexpr u32 BATCH = 3;
constexpr u32 SLOTS = 3 * BATCH;
// The noise comes in a multiple of so many parts.
constexpr u32 PARTS_UNIT = 10;

// What the last block sums up: a free energy for each iteration, then the risk of each policy, 300 numbers or so each.
constexpr u32 ENERGIES = ITERATIONS + 1;
constexpr u32 TOTALS = ENERGIES + POLICIES;
constexpr u32 SUMMED_BY_LANE = (TRIPLES + WARP - 1) / WARP;
static_assert(HORIZON * OBSERVATIONS <= SUMMED_BY_LANE * WARP, "a warp sums the risks of a policy");

// Room for what the blocks leave for each other.
struct Scratch {
    double2* noise;    // [part][column][pair of windows]
    double2* normals;  // [column][pair of modes]
    double* energies;  // [iteration][triple]
    double* risks;     // [column][observation]
};

__device__ __forceinline__ void add_release(u32* address) {
    asm volatile("red.release.gpu.add.u32 [%0], 1;" ::"l"(address) : "memory");
}

__device__ __forceinline__ u32 add_and_see(u32* address) {
    u32 before;
    asm volatile("atom.acq_rel.gpu.add.u32 %0, [%1], 1;"
                 : "=r"(before)
                 : "l"(address)
                 : "memory");
    return before;
}

__device__ __forceinline__ u32 load_acquire(const u32* address) {
    u32 value;
    asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(value) : "l"(address) : "memory");
    return value;
}

__device__ __forceinline__ double2 normals_at(u32 index, u32 step, u32 frame, u32 stream, u64 seed) {
    return fast_normals(make_uint4(index, step, frame, stream), seed);
}

// The noise of every pair of windows in each column: a thread sums the substeps of one part by Horner's scheme.
__device__ __forceinline__ void draw_noise(double2* noise, u32 parts, u32 frame, u64 seed, double kept) {
    const u64 tasks = static_cast<u64>(COLUMNS) * PAIRS * parts;
    const u32 steps = SUBSTEPS / parts;
    for (u64 index = global_index(); index < tasks; index += global_stride()) {
        const u32 task = static_cast<u32>(index);
        const u32 part = task / (COLUMNS * PAIRS);
        const u32 column = task / PAIRS % COLUMNS;
        const u32 pair = task % PAIRS;
        const u32 first = column * SUBSTEPS + part * steps;
        double2 sum = make_double2(0.0, 0.0);
#pragma unroll 2
        for (u32 step = first; step < first + steps; ++step) {
            const double2 normal = normals_at(pair, step, frame, STREAM_WINDOWS, seed);
            sum.x = fma(sum.x, kept, normal.x);
            sum.y = fma(sum.y, kept, normal.y);
        }
        __stcg(noise + task, sum);
    }
}

// The normal numbers of the atmosphere, a few in each block.
__device__ __forceinline__ void draw_atmosphere(double2* normals, u32 frame, u64 seed) {
    const u64 first = static_cast<u64>(threadIdx.x) * gridDim.x + blockIdx.x;
    for (u64 index = first; index < COLUMNS * MODE_PAIRS; index += global_stride()) {
        const u32 task = static_cast<u32>(index);
        const u32 column = task / MODE_PAIRS;
        __stcg(normals + task,
               normals_at(task % MODE_PAIRS, column, frame, STREAM_ATMOSPHERE, seed));
    }
}

// All steps of inference on one triple. Leaves its share of the free energies and its means.
__device__ __forceinline__ void infer_triple(u32 triple,
                                             const double* __restrict__ observations,
                                             const double* __restrict__ mu,
                                             double* energies,
                                             double* means,
                                             const Model& model) {
    const bool has_left = triple > 0;
    const bool has_rest = triple < TRIPLES - 1;
    const bool is_observed = triple < OBSERVATIONS;
    const u32 window = 3 * triple;
    double left = has_left ? mu[window - 1] : 0.0;
    double centre = has_rest ? mu[window] : 0.0;
    double right = has_rest ? mu[window + 1] : 0.0;
    const double observation = is_observed ? observations[triple] : 0.0;
    const double seen_of_left = has_left ? NEIGHBOUR : 0.0;
    const double prior_precision = 1.0 / model.prior_variance;
    for (u32 step = 0;; ++step) {
        const double seen = centre + (seen_of_left * left + NEIGHBOUR * right);
        const double residual = is_observed ? observation - seen - 1.0 : 0.0;
        const double squares = left * left + centre * centre + right * right;
        __stcg(energies + step * TRIPLES + triple,
               squares * prior_precision + model.precision * residual * residual);
        if (step == ITERATIONS) {
            break;
        }
        const double error = model.precision * residual;
        left += model.rate * (seen_of_left * error - left * prior_precision);
        centre += model.rate * (error - centre * prior_precision);
        right += model.rate * (NEIGHBOUR * error - right * prior_precision);
    }
    if (has_left) {
        __stcg(means + window - 1, left);
    }
    if (has_rest) {
        __stcg(means + window, centre);
        __stcg(means + window + 1, right);
    }
}

// sin(drive) of every mode and column, in `sines[mode][column]`; `modes` has room for the modes themselves.
__device__ __forceinline__ void fill_sines(double* modes,
                                           double* sines,
                                           const double* normals,
                                           const Derived& derived) {
    for (u32 task = threadIdx.x; task < POLICIES * MODES; task += blockDim.x) {
        const u32 policy = task / MODES;
        const u32 mode = task % MODES;
        double value = 0.0;
#pragma unroll
        for (u32 h = 0; h < HORIZON; ++h) {
            const u32 column = policy * HORIZON + h;
            const double normal = __ldcg(normals + column * MODES + mode);
            value = fma(value, derived.mode_kept, derived.mode_noise * normal);
            modes[mode * COLUMNS + column] = value;
        }
    }
    __syncthreads();
    for (u32 place = threadIdx.x; place < MODES * COLUMNS; place += blockDim.x) {
        const double before = place >= COLUMNS ? modes[place - COLUMNS] : 0.0;
        const double after = place + COLUMNS < MODES * COLUMNS ? modes[place + COLUMNS] : 0.0;
        const double drive = modes[place] + NEIGHBOUR * (before + after);
        // The sine in half turns needs no reduction by an irrational number.
        sines[place] = sinpi(drive * (2.0 / TAU));
    }
}

// The window in `slot` of this block's batch that starts with its triple number `first`; too large if there is none.
__device__ __forceinline__ u32 window_in(u32 first, u32 slot) {
    const u32 triple = blockIdx.x + gridDim.x * (first + slot / 3);
    return 3 * triple + slot % 3 - 1;
}

// The folded coupling's rows of a batch.
__device__ __forceinline__ void load_weights(double* weights,
                                             const double* __restrict__ folded,
                                             u32 first) {
    for (u32 place = threadIdx.x; place < SLOTS * MODES; place += blockDim.x) {
        const u32 window = window_in(first, place / MODES);
        weights[place] = window < WINDOWS ? folded[window * MODES + place % MODES] : 0.0;
    }
}

// The noise of one window and column in parts, and the window's mean.
struct Parts {
    double noise[PARTS_UNIT];
    double mean;

    __device__ __forceinline__ void load(const double* from, u32 first) {
#pragma unroll
        for (u32 i = 0; i < PARTS_UNIT; ++i) {
            noise[i] = __ldcg(from + (first + i) * (COLUMNS * WINDOWS));
        }
    }
};

// The first parts of `task` of the batch that starts with triple `first`, if there is such a window.
__device__ __forceinline__ Parts load_parts(u32 first, u32 task, const double* noise, const double* means) {
    Parts parts = {};
    const u32 window = window_in(first, task / COLUMNS);
    if (task < SLOTS * COLUMNS && window < WINDOWS) {
        parts.load(noise + task % COLUMNS * WINDOWS + window, 0);
        parts.mean = __ldcg(means + window);
    }
    return parts;
}

// What one step of the horizon adds to what is kept of a window: drive, noise and action. `loaded` are the first parts
// of the noise, and `from` is where the first of them was.
__device__ __forceinline__ double push_on(Parts loaded,
                                          const double* from,
                                          u32 parts,
                                          const double* weights,
                                          const double* sines,
                                          double gain,
                                          const Derived& derived) {
    double sums[4] = {0.0, 0.0, 0.0, 0.0};
#pragma unroll 5
    for (u32 mode = 0; mode < MODES; mode += 4) {
#pragma unroll
        for (u32 i = 0; i < 4; ++i) {
            sums[i] = fma(weights[mode + i], sines[(mode + i) * COLUMNS], sums[i]);
        }
    }
    const double drive = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    double kick = 0.0;
    for (u32 part = 0;;) {
#pragma unroll
        for (u32 i = 0; i < PARTS_UNIT; ++i) {
            kick = fma(kick, derived.kept_by_part, loaded.noise[i]);
        }
        part += PARTS_UNIT;
        if (part >= parts) {
            break;
        }
        loaded.load(from, part);
    }
    const double taken = derived.kept * gain * loaded.mean;
    return fma(derived.reach, drive, derived.noise * kick) - taken;
}

// Follows one policy on one triple. `means` and `pushes` are those of the triple's three windows.
__device__ __forceinline__ void follow(u32 triple,
                                       u32 policy,
                                       const double* means,
                                       const double (*pushes)[COLUMNS],
                                       double* risks,
                                       double* foreseen,
                                       double kept) {
    const bool has_left = triple > 0;
    const bool has_rest = triple < TRIPLES - 1;
    double left = has_left ? means[0] : 0.0;
    double centre = has_rest ? means[1] : 0.0;
    double right = has_rest ? means[2] : 0.0;
#pragma unroll
    for (u32 h = 0; h < HORIZON; ++h) {
        const u32 column = policy * HORIZON + h;
        left = has_left ? fma(kept, left, pushes[0][column]) : 0.0;
        centre = has_rest ? fma(kept, centre, pushes[1][column]) : 0.0;
        right = has_rest ? fma(kept, right, pushes[2][column]) : 0.0;
        if (triple < OBSERVATIONS) {
            const double miss = centre + NEIGHBOUR * (left + right);
            __stcg(risks + column * OBSERVATIONS + triple, miss * miss);
        }
    }
    double* end = foreseen + policy * WINDOWS + 3 * triple;
    if (has_left) {
        end[-1] = left;
    }
    if (has_rest) {
        end[0] = centre;
        end[1] = right;
    }
}

// Sums up, chooses and acts; the work of one block.
__device__ __forceinline__ void conclude(const Scratch& scratch, double* outputs, const Model& model) {
    __shared__ double g[POLICIES];
    const u32 lane = threadIdx.x % WARP;
    // Two windows a thread are on their way while the sums are made.
    const u32 second = threadIdx.x + blockDim.x;
    const double mean = threadIdx.x < WINDOWS ? __ldcg(outputs + threadIdx.x) : 0.0;
    const double second_mean = second < WINDOWS ? __ldcg(outputs + second) : 0.0;
    for (u32 task = threadIdx.x / WARP; task < TOTALS; task += blockDim.x / WARP) {
        const bool is_energy = task < ENERGIES;
        const u32 policy = task - ENERGIES;
        const u32 count = is_energy ? TRIPLES : HORIZON * OBSERVATIONS;
        const double* from =
            is_energy ? scratch.energies + task * TRIPLES : scratch.risks + policy * count;
        double values[SUMMED_BY_LANE];
#pragma unroll
        for (u32 i = 0; i < SUMMED_BY_LANE; ++i) {
            const u32 place = i * WARP + lane;
            values[i] = place < count ? __ldcg(from + place) : 0.0;
        }
        const double constant = is_energy ? constant_energy(model) : prospect(model);
        double sum = 0.0;
#pragma unroll
        for (u32 i = 0; i < SUMMED_BY_LANE; ++i) {
            sum += values[i];
        }
        sum = warp_sum(sum);
        if (lane == 0 && is_energy) {
            outputs[FREE_ENERGY + task] = 0.5 * (sum + constant);
        } else if (lane == 0) {
            g[policy] = sum / HORIZON + constant;
            outputs[G + policy] = g[policy];
        }
    }
    __syncthreads();
    u32 best = 0;
#pragma unroll
    for (u32 policy = 1; policy < POLICIES; ++policy) {
        best = g[policy] < g[best] ? policy : best;
    }
    const double gain = model.gain(best);
    if (threadIdx.x == 0) {
        outputs[POLICY] = best;
    }
    for (u32 window = threadIdx.x; window < WINDOWS; window += blockDim.x) {
        const double ahead = window == second ? second_mean : mean;
        outputs[U + window] = -gain * (window <= second ? ahead : __ldcg(outputs + window));
    }
}

// The block's triples, batch by batch: pushes, then policies. The first batch's weights are there, and `ahead` is what
// this thread needs first of the noise.
__device__ __forceinline__ void follow_all(Parts ahead,
                                           double* weights,
                                           const double* sines,
                                           const double* __restrict__ folded,
                                           const Scratch& scratch,
                                           double* outputs,
                                           double* foreseen,
                                           u32 parts,
                                           const Model& model,
                                           const Derived& derived) {
    __shared__ double pushes[SLOTS][COLUMNS];
    __shared__ double means[SLOTS];
    const double* noise = reinterpret_cast<const double*>(scratch.noise);
    for (u32 first = 0; blockIdx.x + gridDim.x * first < TRIPLES; first += BATCH) {
        if (first > 0) {
            load_weights(weights, folded, first);
            ahead = load_parts(first, threadIdx.x, noise, outputs);
        }
        __syncthreads();
        for (u32 task = threadIdx.x; task < SLOTS * COLUMNS; task += blockDim.x) {
            const u32 slot = task / COLUMNS;
            const u32 column = task % COLUMNS;
            const u32 window = window_in(first, slot);
            if (task >= blockDim.x) {
                ahead = load_parts(first, task, noise, outputs);
            }
            if (window < WINDOWS) {
                const double* from = noise + column * WINDOWS + window;
                pushes[slot][column] = push_on(ahead, from, parts, weights + slot * MODES,
                                               sines + column, model.gain(column / HORIZON), derived);
                if (column == 0) {
                    means[slot] = ahead.mean;
                }
            }
        }
        __syncthreads();
        for (u32 task = threadIdx.x; task < BATCH * POLICIES; task += blockDim.x) {
            const u32 place = task / POLICIES;
            const u32 triple = blockIdx.x + gridDim.x * (first + place);
            if (triple < TRIPLES) {
                follow(triple, task % POLICIES, means + 3 * place, pushes + 3 * place,
                       scratch.risks, foreseen, derived.kept);
            }
        }
    }
}

// `arrivals` holds two counts that are 0 before and after: of blocks whose numbers are drawn, and of blocks that are done.
extern "C" __global__ void __launch_bounds__(512) infer(const double* __restrict__ observations,
                                                        const double* __restrict__ folded,
                                                        const double* __restrict__ mu,
                                                        double* outputs,
                                                        double* foreseen,
                                                        double2* room,
                                                        u32* arrivals,
                                                        u32 parts,
                                                        u32 frame,
                                                        u64 seed,
                                                        double precision,
                                                        double prior_variance,
                                                        double variance,
                                                        double rate,
                                                        double mode_rate,
                                                        double mode_variance,
                                                        double friction,
                                                        double diffusion,
                                                        double dt,
                                                        double gain0,
                                                        double gain1,
                                                        double gain2,
                                                        double gain3,
                                                        double gain4) {
    __shared__ double modes[MODES * COLUMNS];
    __shared__ double sines[MODES * COLUMNS];
    __shared__ double weights[SLOTS * MODES];
    __shared__ bool is_last;
    const Model model = {precision, prior_variance, variance, rate,  mode_rate, mode_variance, friction,
                         diffusion, dt,             gain0,    gain1, gain2,     gain3,         gain4};
    Scratch scratch;
    scratch.noise = room;
    scratch.normals = scratch.noise + parts * (COLUMNS * PAIRS);
    scratch.energies = reinterpret_cast<double*>(scratch.normals + COLUMNS * MODE_PAIRS);
    scratch.risks = scratch.energies + ENERGIES * TRIPLES;

    // The few long tasks come first and go to the first and the last warp: the others hide their latency.
    draw_atmosphere(scratch.normals, frame, seed);
    const u32 from_the_end = blockDim.x - 1 - threadIdx.x;
    for (u32 triple = blockIdx.x + gridDim.x * from_the_end; triple < TRIPLES;
         triple += gridDim.x * blockDim.x) {
        infer_triple(triple, observations, mu, scratch.energies, outputs, model);
    }
    draw_noise(scratch.noise, parts, frame, seed, 1.0 - friction * dt);

    __syncthreads();
    if (threadIdx.x == 0) {
        add_release(&arrivals[0]);
    }
    load_weights(weights, folded, 0);
    const Derived derived = derive(model, parts);
    if (threadIdx.x == 0) {
        while (load_acquire(&arrivals[0]) < gridDim.x) {
        }
    }
    __syncthreads();

    const Parts ahead =
        load_parts(0, threadIdx.x, reinterpret_cast<const double*>(scratch.noise), outputs);
    fill_sines(modes, sines, reinterpret_cast<const double*>(scratch.normals), derived);
    follow_all(ahead, weights, sines, folded, scratch, outputs, foreseen, parts, model, derived);

    __syncthreads();
    if (threadIdx.x == 0) {
        is_last = add_and_see(&arrivals[1]) == gridDim.x - 1;
    }
    __syncthreads();
    if (is_last) {
        conclude(scratch, outputs, model);
        if (threadIdx.x == 0) {
            arrivals[0] = 0;
            arrivals[1] = 0;
        }
    }
}
