// One call of a thermodynamic network of any size: all its steps in one cooperative launch.
//
// The matrix is read again in every step; `evolve_resident.cu` keeps it on the chip where it fits.
// Results are written twice: where the next call finds them, and to `mirror`, which may be the host's memory.
// A warp owns the rows row, row + warps, ... for good, so an oscillator's state is only ever written by
// one lane. What the others need of it, its sine and cosine, goes through `table`, which has
// two halves: a step reads one and fills the other, so one barrier a step is enough.
#include <cooperative_groups.h>

#include "network.cuh"

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
        const double2 normal = thermal_noise(static_cast<u32>(pair), steps_done + step, seed);
        double* row = noise + step * n;
        row[2 * pair] = normal.x;
        if (2 * pair + 1 < n) {
            row[2 * pair + 1] = normal.y;
        }
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
                                                         double* mirror,
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
            mirror[row] = theta[row];
            mirror[n + row] = v[row];
        }
    }
    grid.sync();
    if (blockIdx.x == 0) {
        observe(v, now, rows, observables, mirror + 2 * n, n, coupling, temperature);
    }
}
