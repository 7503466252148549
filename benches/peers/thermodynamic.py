"""The thermodynamic evolution (900 oscillators, ten steps) in PyTorch, eager and in a CUDA graph, and in JAX.

Usage: python3 thermodynamic.py DUMP, where DUMP holds w2_*.npy of `slo-bench validate --dump DUMP`.
"""

import sys

import numpy as np
import torch

from common import check, measure, normals, uniforms

N, STEPS, K, GAMMA, T, DT, SEED = 900, 10, 0.5, 0.1, 1.0, 1e-3, 42
KICK, BATH = (2 * GAMMA * T / DT) ** 0.5, (2 * GAMMA * T * DT) ** 0.5
TAU = 2 * np.pi


def initial():
    theta = TAU * uniforms(N, 0, 0, 1, SEED)
    v, omega = normals(N, 0, 0, 2, SEED), 1 + 0.1 * normals(N, 0, 0, 3, SEED)
    coupling = np.stack([uniforms(N, row, 0, 4, SEED) for row in range(N)])
    np.fill_diagonal(coupling, 0.0)
    return theta, v, omega, coupling


class Network:
    def __init__(self):
        self.theta, self.v, self.omega, self.coupling = (torch.tensor(x, device="cuda") for x in initial())
        self.noise = torch.empty(STEPS, N, dtype=torch.float64, device="cuda")
        self.results = torch.empty(2 * N + 5, dtype=torch.float64, device="cuda")
        self.host = torch.empty(2 * N + 5, dtype=torch.float64).pin_memory()

    def product(self):
        table = torch.stack([self.theta.sin(), self.theta.cos()], 1)
        return table[:, 0], table[:, 1], *(self.coupling @ table).unbind(1)

    def evolve(self):
        heat = torch.zeros((), dtype=torch.float64, device="cuda")
        for step in range(STEPS):
            s, c, p, q = self.product()
            xi, before = self.noise[step], self.v.clone()
            force = self.omega + K * (c * p - s * q) - GAMMA * before + KICK * xi
            self.v.add_(force, alpha=DT)
            self.theta.add_(self.v, alpha=DT).remainder_(TAU)
            heat -= (0.5 * (before + self.v) * (BATH * xi - GAMMA * before * DT)).sum()
        s, c, p, q = self.product()
        # `bincount` waits for the host; adding by index can be captured in a graph.
        bins = ((self.v / T**0.5 + 8) * 4).floor().clamp(0, 63).long()
        counts = torch.zeros(64, dtype=torch.float64, device="cuda").index_add_(0, bins, torch.ones_like(self.v))
        share = counts / N
        entropy = -torch.special.xlogy(share, share).sum()
        return torch.stack([0.5 * (self.v**2).sum(), -0.5 * K * (c * q + s * p).sum(),
                            (c.sum() ** 2 + s.sum() ** 2).sqrt() / N, heat, entropy])

    def step(self):
        observed = self.evolve()
        self.results.copy_(torch.cat([self.theta, self.v, observed]))

    def fetch(self):
        self.host.copy_(self.results, non_blocking=True)
        torch.cuda.current_stream().synchronize()


def verify(name, run, network, dump):
    load = lambda quantity: np.load(f"{dump}/w2_{quantity}.npy")
    theta, v = load("theta"), load("v")
    names = ["kinetic", "interaction", "order", "heat", "entropy"]
    expected = np.stack([load(quantity) for quantity in names], 1)
    for frame in range(len(theta)):
        noise = np.stack([normals(N, step, frame, 5, SEED) for step in range(STEPS)])
        network.noise.copy_(torch.tensor(noise))
        run()
        network.fetch()
        host = network.host.numpy()
        turn = np.angle(np.exp(1j * (host[:N] - theta[frame])))
        check(f"{name}, frame {frame}", [("theta", turn, 0 * turn), ("v", host[N:2 * N], v[frame]),
                                         ("observables", host[2 * N:], expected[frame])], 1e-8)


def torch_peers(dump):
    eager = Network()
    verify("W2 PyTorch eager", eager.step, eager, dump)

    def call():
        eager.noise.normal_()
        eager.step()
        eager.fetch()

    measure("W2 PyTorch eager", call, 2000)

    network = Network()
    state = network.theta.clone(), network.v.clone()
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            network.step()
    torch.cuda.current_stream().wait_stream(side)
    check_graph, timed_graph = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
    with torch.cuda.graph(check_graph):
        network.step()
    with torch.cuda.graph(timed_graph):
        network.noise.normal_()
        network.step()
        network.host.copy_(network.results, non_blocking=True)
    network.theta.copy_(state[0])
    network.v.copy_(state[1])
    verify("W2 PyTorch, CUDA graph", check_graph.replay, network, dump)

    def replay():
        timed_graph.replay()
        torch.cuda.current_stream().synchronize()

    measure("W2 PyTorch, CUDA graph", replay, 20000)


def jax_peer(dump):
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    theta, v, omega, coupling = (jnp.asarray(x) for x in initial())

    def product(theta):
        s, c = jnp.sin(theta), jnp.cos(theta)
        both = coupling @ jnp.stack([s, c], 1)
        return s, c, both[:, 0], both[:, 1]

    def evolve(theta, v, noise):
        def step(state, xi):
            theta, v, heat = state
            s, c, p, q = product(theta)
            new = v + DT * (omega + K * (c * p - s * q) - GAMMA * v + KICK * xi)
            heat -= jnp.sum(0.5 * (v + new) * (BATH * xi - GAMMA * v * DT))
            return (jnp.mod(theta + new * DT, TAU), new, heat), None

        (theta, v, heat), _ = jax.lax.scan(step, (theta, v, 0.0), noise)
        s, c, p, q = product(theta)
        bins = jnp.clip(jnp.floor((v / T**0.5 + 8) * 4), 0, 63).astype(int)
        share = jnp.bincount(bins, length=64) / N
        entropy = -jnp.sum(jax.scipy.special.xlogy(share, share))
        order = jnp.hypot(c.sum(), s.sum()) / N
        return theta, v, jnp.stack([0.5 * jnp.sum(v * v), -0.5 * K * jnp.sum(c * q + s * p), order, heat, entropy])

    checked = jax.jit(evolve)
    state = theta, v
    for frame in range(len(np.load(f"{dump}/w2_theta.npy"))):
        noise = jnp.asarray(np.stack([normals(N, step, frame, 5, SEED) for step in range(STEPS)]))
        *state, observed = checked(*state, noise)
        check(f"W2 JAX jit, frame {frame}", [("v", state[1], np.load(f"{dump}/w2_v.npy")[frame]),
                                             ("heat", observed[3], np.load(f"{dump}/w2_heat.npy")[frame])], 1e-8)

    @jax.jit
    def timed(theta, v, key):
        key, draw = jax.random.split(key)
        return *evolve(theta, v, jax.random.normal(draw, (STEPS, N), jnp.float64)), key

    held = [theta, v, jax.random.key(1)]

    def call():
        theta, v, observed, key = timed(*held)
        held[:] = theta, v, key
        np.asarray(theta), np.asarray(v), np.asarray(observed)

    measure("W2 JAX jit", call, 2000)


if __name__ == "__main__":
    torch_peers(sys.argv[1])
    jax_peer(sys.argv[1])
