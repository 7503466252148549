// One call of a thermodynamic network whose matrix fits into the registers of the device.
//
// A block owns up to ROWS rows for the whole call. Thread k holds columns k, k + THREADS, ... of all of them, so the
// matrix is read once a call. A step is: take everybody's cosine and sine from one half of `table`, multiply,
// sum over the block in a fixed order; lanes 0 to ROWS - 1 move their oscillators and fill the other half. Then
// all blocks meet. One thread a block watches for that: more watchers slow down the arrivals they wait for.
// What the others do not wait for, such as the heat, is computed after the arrival; the second warp draws the
// noise of the next step meanwhile. The first step needs no meeting:
// every block takes the sines of the angles it was given, which nobody writes before the last one.
// Results are written twice: where the next call finds them, and to `mirror`, which may be the host's memory.
#include "network.cuh"

constexpr u32 THREADS = 256;
constexpr u32 WARPS = THREADS / WARP;
constexpr u32 ROWS = 8;
constexpr u32 COLUMNS = 4;
constexpr u32 SUMS = 2 * ROWS;
constexpr u32 ALL_LANES = 0xffffffffu;

__device__ __forceinline__ u64 load_acquire(const u64* address) {
    u64 value;
    asm volatile("ld.acquire.gpu.global.u64 %0, [%1];" : "=l"(value) : "l"(address) : "memory");
    return value;
}

__device__ __forceinline__ void add_release(u64* address) {
    asm volatile("red.release.gpu.global.add.u64 [%0], 1;" ::"l"(address) : "memory");
}

// Sums SUMS values of every lane over the warp: lane l gets sum l / 2. In each round a lane keeps one
// half of its values and gives away the other, so the rounds cost 8, 4, 2, 1 and 1 exchanges.
template <u32 HALF, u32 OFFSET>
__device__ __forceinline__ double scatter_sums(double (&values)[SUMS], u32 lane) {
    if constexpr (HALF == 0) {
        return values[0] + __shfl_xor_sync(ALL_LANES, values[0], 1);
    } else {
        const bool is_upper = lane & OFFSET;
#pragma unroll
        for (u32 i = 0; i < HALF; ++i) {
            const double given = is_upper ? values[i] : values[i + HALF];
            const double kept = is_upper ? values[i + HALF] : values[i];
            values[i] = kept + __shfl_xor_sync(ALL_LANES, given, OFFSET);
        }
        return scatter_sums<HALF / 2, OFFSET / 2>(values, lane);
    }
}

// Cosine and sine of an angle that grew by `by`: for a small growth from the old ones by the addition
// theorems and Taylor's series, whose first missing term is below 1e-20, else anew.
__device__ __forceinline__ double2 turned(double2 old, double by, double angle) {
    if (fabs(by) >= 0.0625) {
        return cosine_and_sine(angle + by);
    }
    const double z = by * by;
    double sine = fma(z, 1.0 / 362880.0, -1.0 / 5040.0);
    sine = fma(z, fma(z, sine, 1.0 / 120.0), -1.0 / 6.0);
    sine = fma(by * z, sine, by);
    double cosine = fma(z, -1.0 / 3628800.0, 1.0 / 40320.0);
    cosine = fma(z, fma(z, cosine, -1.0 / 720.0), 1.0 / 24.0);
    // One less than the cosine, which keeps the digits of a small growth.
    cosine = z * fma(z, cosine, -0.5);
    return make_double2(fma(-old.y, sine, fma(old.x, cosine, old.x)),
                        fma(old.x, sine, fma(old.y, cosine, old.y)));
}

// The normal number of one oscillator at step `time` of the network's life.
__device__ __forceinline__ double row_noise(u32 row, u64 time, u64 seed) {
    const double2 pair = thermal_noise(row / 2, time, seed);
    return row % 2 == 0 ? pair.x : pair.y;
}

extern "C" __global__ void __launch_bounds__(256, 1) evolve_resident(
    const double* __restrict__ matrix,
    const double* __restrict__ omega,
    double* theta,
    double* v,
    double2* table,
    double2* rows,
    double* observables,
    double* mirror,
    u64* arrivals,
    u32 n,
    u32 steps,
    u64 steps_done,
    u64 seed,
    double coupling,
    double friction,
    double temperature,
    double dt) {
    __shared__ double sums[WARPS][SUMS];
    __shared__ double noise[2][ROWS];
    const u32 lane = threadIdx.x % WARP;
    const u32 warp = threadIdx.x / WARP;
    const u32 rows_per_block = (n + gridDim.x - 1) / gridDim.x;
    const u32 first = blockIdx.x * rows_per_block;
    const u32 own_row = first + lane;
    const bool is_owner = warp == 0 && lane < rows_per_block && own_row < n;

    double weights[ROWS][COLUMNS];
#pragma unroll
    for (u32 r = 0; r < ROWS; ++r) {
#pragma unroll
        for (u32 k = 0; k < COLUMNS; ++k) {
            const u32 column = threadIdx.x + k * THREADS;
            const bool is_inside = r < rows_per_block && first + r < n && column < n;
            weights[r][k] = is_inside ? matrix[static_cast<u64>(first + r) * n + column] : 0.0;
        }
    }

    double2 others[COLUMNS];
#pragma unroll
    for (u32 k = 0; k < COLUMNS; ++k) {
        const u32 column = threadIdx.x + k * THREADS;
        others[k] = column < n ? cosine_and_sine(theta[column]) : make_double2(0.0, 0.0);
    }
    double angle = 0.0, speed = 0.0, drive = 0.0, heat = 0.0;
    double2 own = make_double2(0.0, 0.0);
    // All blocks have met for the first time when the count is that of the grid, and so on; the last block to
    // watch sets it back to 0.
    u64 goal = gridDim.x;
    if (is_owner) {
        angle = theta[own_row];
        speed = v[own_row];
        drive = omega[own_row];
        own = cosine_and_sine(angle);
    }
    if (warp == 1 && lane < ROWS) {
        noise[0][lane] = row_noise(own_row, steps_done, seed);
    }
    const double force_noise = sqrt(2.0 * friction * temperature / dt);
    const double heat_noise = sqrt(2.0 * friction * temperature * dt);

    for (u32 step = 0; step <= steps; ++step) {
        if (step > 0) {
            if (threadIdx.x == 0) {
                while (load_acquire(arrivals) < goal) {
                }
                goal += gridDim.x;
            }
            __syncthreads();
            const double2* now = table + (step % 2) * n;
#pragma unroll
            for (u32 k = 0; k < COLUMNS; ++k) {
                const u32 column = threadIdx.x + k * THREADS;
                others[k] = column < n ? __ldcg(now + column) : make_double2(0.0, 0.0);
            }
        }
        double partial[SUMS];
#pragma unroll
        for (u32 i = 0; i < SUMS; ++i) {
            partial[i] = 0.0;
        }
#pragma unroll
        for (u32 k = 0; k < COLUMNS; ++k) {
#pragma unroll
            for (u32 r = 0; r < ROWS; ++r) {
                partial[r] = fma(weights[r][k], others[k].y, partial[r]);
                partial[r + ROWS] = fma(weights[r][k], others[k].x, partial[r + ROWS]);
            }
        }
        const double sum = scatter_sums<ROWS, WARP / 2>(partial, lane);
        if (lane % 2 == 0) {
            sums[warp][lane / 2] = sum;
        }
        __syncthreads();
        if (warp == 1 && lane < ROWS) {
            noise[(step + 1) % 2][lane] = row_noise(own_row, steps_done + step + 1, seed);
        }
        if (warp != 0) {
            continue;
        }
        double total = 0.0;
#pragma unroll
        for (u32 i = 0; i < WARPS / 2; ++i) {
            total += sums[2 * i + lane / SUMS][lane % SUMS];
        }
        total += __shfl_xor_sync(ALL_LANES, total, SUMS);
        const double sines = total;
        const double cosines = __shfl_down_sync(ALL_LANES, total, ROWS);
        const bool is_last = step == steps;
        const double before = speed;
        double kick = 0.0, growth = 0.0;
        if (is_owner && is_last) {
            theta[own_row] = angle;
            v[own_row] = speed;
            mirror[own_row] = angle;
            mirror[n + own_row] = speed;
            rows[own_row] = make_double2(heat, own.x * cosines + own.y * sines);
        } else if (is_owner) {
            kick = noise[step % 2][lane];
            const double rest = drive - friction * before + force_noise * kick;
            const double pull = own.x * sines - own.y * cosines;
            speed = fma(fma(coupling, pull, rest), dt, before);
            growth = speed * dt;
            own = turned(own, growth, angle);
            table[((step + 1) % 2) * n + own_row] = own;
        }
        __syncwarp();
        if (lane == 0) {
            add_release(arrivals);
        }
        if (is_owner && !is_last) {
            angle = wrap(angle + growth);
            heat -= 0.5 * (before + speed) * (heat_noise * kick - friction * before * dt);
        }
    }

    // The last meeting has one watcher: the block that observes.
    if (blockIdx.x == 0) {
        if (threadIdx.x == 0) {
            while (load_acquire(arrivals) < goal) {
            }
            *arrivals = 0;
        }
        __syncthreads();
        const double2* last = table + (steps % 2) * n;
        observe(v, last, rows, observables, mirror + 2 * n, n, coupling, temperature);
    }
}
