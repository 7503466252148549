//! The same network on all cores: a step is 2 n sines and cosines and one product of C with two vectors.
//!
//! With s = sin theta, c = cos theta, P = C s and Q = C c, the angle-difference formulas give
//! sum_j C_ij sin(theta_j - theta_i) = c_i P_i - s_i Q_i and sum_j C_ij cos(theta_j - theta_i) = c_i Q_i + s_i P_i.
//! The result does not depend on the number of threads: a row is always summed by one task in one order, and what is
//! summed over rows is summed by one thread.

use rayon::prelude::*;

use super::observables::entropy;
use super::{Network, Observables, Parameters, noise_draw, wrap};
use crate::philox::Philox;

/// Rows that are worth handing to another core: a few microseconds of work.
const ROWS_MIN: usize = 16;

/// Sums that run side by side in a row, so that the processor adds vectors and does not wait for additions.
const LANES: usize = 8;

/// One call: the steps, then what is observed.
pub fn evolve(network: &mut Network) -> Observables {
    let medium = Medium {
        parameters: *network.parameters(),
        seed: network.seed(),
        omega: &network.state.omega,
        coupling: &network.state.coupling,
    };
    let steps_done = network.steps_done;
    network.steps_done += u64::from(medium.parameters.steps);
    medium.evolve(steps_done, &mut network.state.theta, &mut network.state.v)
}

/// What a call leaves as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Medium<'a> {
    pub(super) parameters: Parameters,
    pub(super) seed: u64,
    pub(super) omega: &'a [f64],
    pub(super) coupling: &'a [f64],
}

/// Sines and cosines of all angles.
#[derive(Clone)]
struct Table {
    sines: Vec<f64>,
    cosines: Vec<f64>,
}

/// The oscillators from `first` on that a task works on, all slices of one length.
struct Rows<'a> {
    first: usize,
    theta: &'a mut [f64],
    v: &'a mut [f64],
    heat: &'a mut [f64],
    sines: &'a mut [f64],
    cosines: &'a mut [f64],
}

impl Medium<'_> {
    /// One call on a state of `n` angles and velocities, `steps_done` steps after the beginning.
    pub(super) fn evolve(self, steps_done: u64, theta: &mut [f64], v: &mut [f64]) -> Observables {
        let n = theta.len();
        let rows = n.div_ceil(2 * rayon::current_num_threads()).max(ROWS_MIN);
        let noise = self.noise(steps_done, n);
        let mut table = Table::of(theta);
        let mut next = table.clone();
        let mut heat = vec![0.0; n];
        for noise in noise.chunks_exact(n) {
            theta
                .par_chunks_mut(rows)
                .zip(v.par_chunks_mut(rows))
                .zip(heat.par_chunks_mut(rows))
                .zip(next.sines.par_chunks_mut(rows))
                .zip(next.cosines.par_chunks_mut(rows))
                .enumerate()
                .for_each(|(task, ((((theta, v), heat), sines), cosines))| {
                    let first = task * rows;
                    self.step(noise, &table, Rows { first, theta, v, heat, sines, cosines });
                });
            std::mem::swap(&mut table, &mut next);
        }
        self.observe(&table, v, heat.iter().sum())
    }

    /// The normal numbers of every step, one step after the other.
    fn noise(&self, steps_done: u64, n: usize) -> Vec<f64> {
        let mut noise = vec![0.0; self.parameters.steps as usize * n];
        let times = (steps_done..).zip(noise.chunks_exact_mut(n)).collect::<Vec<_>>();
        times
            .into_par_iter()
            .for_each(|(time, out)| Philox::new(self.seed).normals(noise_draw(time), out));
        noise
    }

    /// One step of some oscillators; reads everybody's angles from `table` and leaves their new ones in `rows`.
    fn step(&self, noise: &[f64], table: &Table, rows: Rows<'_>) {
        let Parameters { coupling, friction, dt, .. } = self.parameters;
        let (force_noise, heat_noise) =
            (self.parameters.force_noise(), self.parameters.heat_noise());
        for index in 0..rows.theta.len() {
            let i = rows.first + index;
            let (p, q) = self.row_product(i, table);
            let pull = table.cosines[i] * p - table.sines[i] * q;
            let before = rows.v[index];
            let force =
                self.omega[i] + coupling * pull - friction * before + force_noise * noise[i];
            let after = before + force * dt;
            let bath = heat_noise * noise[i] - friction * before * dt;
            rows.heat[index] -= 0.5 * (before + after) * bath;
            rows.v[index] = after;
            rows.theta[index] = wrap(rows.theta[index] + after * dt);
            (rows.sines[index], rows.cosines[index]) = rows.theta[index].sin_cos();
        }
    }

    fn observe(&self, table: &Table, v: &[f64], heat: f64) -> Observables {
        let Parameters { coupling, temperature, .. } = self.parameters;
        let row_energy = |i: usize| {
            let (p, q) = self.row_product(i, table);
            table.cosines[i] * q + table.sines[i] * p
        };
        let energies: Vec<f64> =
            (0..v.len()).into_par_iter().with_min_len(ROWS_MIN).map(row_energy).collect();
        let (cosines, sines): (f64, f64) = (table.cosines.iter().sum(), table.sines.iter().sum());
        #[expect(clippy::cast_precision_loss, reason = "a network has fewer than 2^53 oscillators")]
        let n = v.len() as f64;
        Observables {
            kinetic: 0.5 * v.iter().map(|v| v * v).sum::<f64>(),
            interaction: -0.5 * coupling * energies.iter().sum::<f64>(),
            order: cosines.hypot(sines) / n,
            heat,
            entropy: entropy(v, temperature),
        }
    }

    /// Row `i` of C times the sines, and times the cosines.
    fn row_product(&self, i: usize, table: &Table) -> (f64, f64) {
        let n = table.sines.len();
        let row = &self.coupling[i * n..(i + 1) * n];
        let (mut p, mut q) = ([0.0; LANES], [0.0; LANES]);
        let mut accumulate = |row: &[f64], sines: &[f64], cosines: &[f64]| {
            for lane in 0..row.len() {
                p[lane] += row[lane] * sines[lane];
                q[lane] += row[lane] * cosines[lane];
            }
        };
        let (rows, row_rest) = row.as_chunks::<LANES>();
        let (sines, sines_rest) = table.sines.as_chunks::<LANES>();
        let (cosines, cosines_rest) = table.cosines.as_chunks::<LANES>();
        for ((row, sines), cosines) in rows.iter().zip(sines).zip(cosines) {
            accumulate(row, sines, cosines);
        }
        accumulate(row_rest, sines_rest, cosines_rest);
        (p.iter().sum(), q.iter().sum())
    }
}

impl Table {
    fn of(theta: &[f64]) -> Self {
        let (sines, cosines) = theta.iter().map(|theta| theta.sin_cos()).unzip();
        Self { sines, cosines }
    }
}
