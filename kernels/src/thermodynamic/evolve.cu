// One call of the thermodynamic network: all its steps in one cooperative launch.
//
// A warp owns the rows row, row + warps, ... for good, so an oscillator's state is only ever written by
// one lane. What the others need of it, its sine and cosine, goes through `table`, which has
// two halves: a step reads one and fills the other, so one barrier a step is enough.
#include <cooperative_groups.h>

#include "philox.cuh"
#include "reduce.cuh"

constexpr u32 BINS = 64;
constexpr double BINS_FROM = -8.0;
constexpr double BINS_PER_UNIT = 4.0;
constexpr u32 STEPS_PER_FRAME = 10;
constexpr u32 STREAM_NOISE = 5;

// The angle in [0, 2 pi), by the formula of `wrap` in `mod.rs`.
__device__ __forceinline__ double wrap(double angle) {
    double wrapped = fma(-floor(angle / TAU), TAU, angle);
    if (wrapped < 0.0) {
        wrapped += TAU;
    }
    if (wrapped >= TAU) {
        wrapped -= TAU;
    }
    return wrapped;
}

__device__ __forceinline__ double2 cosine_and_sine(double angle) {
    double sine, cosine;
    sincos(angle, &sine, &cosine);
    return make_double2(cosine, sine);
}

// Row `row` of the matrix times the table's cosines and sines; the whole warp's sum is in lane 0.
__device__ __forceinline__ double2 row_product(const double* __restrict__ row,
                                               const double2* table,
                                               u32 n) {
    double2 sum = make_double2(0.0, 0.0);
#pragma unroll 4
    for (u32 column = threadIdx.x % WARP; column < n; column += WARP) {
        const double weight = row[column];
        const double2 other = table[column];
        sum.x = fma(weight, other.x, sum.x);
        sum.y = fma(weight, other.y, sum.y);
    }
    return make_double2(warp_sum(sum.x), warp_sum(sum.y));
}

// The thermal noise of every step and oscillator, so that no step waits for a logarithm.
__device__ void fill_noise(double* noise, u32 n, u32 steps, u64 steps_done, u64 seed) {
    const u64 pairs = (static_cast<u64>(n) + 1) / 2;
    for (u64 item = global_index(); item < steps * pairs; item += global_stride()) {
        const u64 step = item / pairs;
        const u64 pair = item % pairs;
        const u64 time = steps_done + step;
        const uint4 counter = make_uint4(static_cast<u32>(pair),
                                         static_cast<u32>(time % STEPS_PER_FRAME),
                                         static_cast<u32>(time / STEPS_PER_FRAME),
                                         STREAM_NOISE);
        const double2 normal = philox_normals(counter, seed);
        double* row = noise + step * n;
        row[2 * pair] = normal.x;
        if (2 * pair + 1 < n) {
            row[2 * pair + 1] = normal.y;
        }
    }
}

// Kinetic energy, interaction energy, order, heat and entropy, by one block in a fixed order.
// `rows` holds heat and interaction of each oscillator.
__device__ void observe(const double* v,
                        const double2* table,
                        const double2* rows,
                        double* observables,
                        u32 n,
                        double coupling,
                        double temperature) {
    __shared__ u32 histogram[BINS];
    for (u32 bin = threadIdx.x; bin < BINS; bin += blockDim.x) {
        histogram[bin] = 0;
    }
    __syncthreads();
    const double thermal_speed = sqrt(temperature);
    double squares = 0.0, interaction = 0.0, cosines = 0.0, sines = 0.0, heat = 0.0;
    for (u32 index = threadIdx.x; index < n; index += blockDim.x) {
        const double speed = v[index];
        squares = fma(speed, speed, squares);
        heat += rows[index].x;
        interaction += rows[index].y;
        cosines += table[index].x;
        sines += table[index].y;
        const double place = floor((speed / thermal_speed - BINS_FROM) * BINS_PER_UNIT);
        const double last = BINS - 1;
        atomicAdd(&histogram[static_cast<u32>(fmin(fmax(place, 0.0), last))], 1u);
    }
    squares = block_sum(squares);
    heat = block_sum(heat);
    interaction = block_sum(interaction);
    cosines = block_sum(cosines);
    sines = block_sum(sines);
    // The barriers of `block_sum` stand between the counting and the reading.
    double entropy = 0.0;
    for (u32 bin = threadIdx.x; bin < BINS; bin += blockDim.x) {
        const double share = static_cast<double>(histogram[bin]) / n;
        entropy -= share > 0.0 ? share * log(share) : 0.0;
    }
    entropy = block_sum(entropy);
    if (threadIdx.x == 0) {
        observables[0] = 0.5 * squares;
        observables[1] = -0.5 * coupling * interaction;
        observables[2] = sqrt(cosines * cosines + sines * sines) / n;
        observables[3] = heat;
        observables[4] = entropy;
    }
}

extern "C" __global__ void __launch_bounds__(512) evolve(const double* __restrict__ matrix,
                                                         const double* __restrict__ omega,
                                                         double* theta,
                                                         double* v,
                                                         double2* table,
                                                         double* noise,
                                                         double2* rows,
                                                         double* observables,
                                                         u32 n,
                                                         u32 steps,
                                                         u64 steps_done,
                                                         u64 seed,
                                                         double coupling,
                                                         double friction,
                                                         double temperature,
                                                         double dt) {
    const auto grid = cooperative_groups::this_grid();
    const u32 lane = threadIdx.x % WARP;
    const u64 warp = global_index() / WARP;
    const u64 warps = global_stride() / WARP;
    const double force_noise = sqrt(2.0 * friction * temperature / dt);
    const double heat_noise = sqrt(2.0 * friction * temperature * dt);
    double2* now = table;
    double2* next = table + n;

    fill_noise(noise, n, steps, steps_done, seed);
    for (u64 index = global_index(); index < n; index += global_stride()) {
        now[index] = cosine_and_sine(theta[index]);
        rows[index] = make_double2(0.0, 0.0);
    }
    grid.sync();

    for (u32 step = 0; step < steps; ++step) {
        for (u64 row = warp; row < n; row += warps) {
            const double2 product = row_product(matrix + row * n, now, n);
            if (lane == 0) {
                const double2 own = now[row];
                const double pull = own.x * product.y - own.y * product.x;
                const double kick = noise[static_cast<u64>(step) * n + row];
                const double before = v[row];
                const double force =
                    omega[row] + coupling * pull - friction * before + force_noise * kick;
                const double after = before + force * dt;
                const double angle = wrap(theta[row] + after * dt);
                rows[row].x -=
                    0.5 * (before + after) * (heat_noise * kick - friction * before * dt);
                v[row] = after;
                theta[row] = angle;
                next[row] = cosine_and_sine(angle);
            }
        }
        grid.sync();
        double2* filled = next;
        next = now;
        now = filled;
    }

    for (u64 row = warp; row < n; row += warps) {
        const double2 product = row_product(matrix + row * n, now, n);
        if (lane == 0) {
            const double2 own = now[row];
            rows[row].y = own.x * product.x + own.y * product.y;
        }
    }
    grid.sync();
    if (blockIdx.x == 0) {
        observe(v, now, rows, observables, n, coupling, temperature);
    }
}
