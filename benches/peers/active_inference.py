"""The active inference step (900 windows, 5 policies, 3 steps of 100 substeps) in PyTorch, eager and in a CUDA graph.

The substeps are summed in closed form, as the optimised versions do: a weighted sum of the normal numbers.
Usage: python3 active_inference.py DUMP, where DUMP holds w1_*.npy of `slo-bench validate --dump DUMP`.
"""

import math
import sys

import numpy as np
import torch

from common import check, measure, normals

n, A, M, P, H, S, SEED = 900, 100, 100, 5, 3, 100, 42
PI, KAPPA, PRIOR, VARIANCE = 56.786, 0.01, 10.0, 0.01
GAINS = [0.95, 1.0, 1.2, 0.85, 1.1]
DECAY, DT, D = 0.1, 0.01, 0.01
GRAPH_ITERATIONS, EAGER_ITERATIONS = 10000, 1000


def tensor(x):
    return torch.tensor(x, dtype=torch.float64, device="cuda")


class Agent:
    def __init__(self):
        observe = np.zeros((M, n))
        for i in range(M):
            observe[i, 3 * i], observe[i, 3 * i + 1] = 1.0, 0.3
            if i > 0:
                observe[i, 3 * i - 1] = 0.3
        place = np.stack(np.divmod(np.arange(n), 30), 1)
        distance2 = ((place[:, None] - place[None]) ** 2).sum(2)
        coupling = np.exp(-distance2 / 8)
        coupling *= 2 / coupling.sum(1, keepdims=True)
        mode = np.arange(n) * A // n
        spread = np.zeros((n, A))
        for k, weight in ((0, 1.0), (-1, 0.3), (1, 0.3)):
            inside = (mode + k >= 0) & (mode + k < A)
            spread[np.arange(n)[inside], (mode + k)[inside]] += weight
        self.observe, self.coupling, self.spread = tensor(observe), tensor(coupling), tensor(spread)
        self.gains = tensor(GAINS)
        substep = 1 - DT
        self.weights = tensor(math.sqrt(2 * D * DT) * substep ** np.arange(S - 1, -1, -1))
        self.carry, self.push = substep**S, DT * sum(substep**k for k in range(S))
        s2, self.s2 = VARIANCE, []
        for _ in range(H):
            for _ in range(S):
                s2 += (-2 * s2 + 2 * D) * DT
            self.s2.append(s2)
        self.mu = torch.zeros(n, dtype=torch.float64, device="cuda")
        self.o = tensor(np.sin(0.01 * np.arange(M)) + 0.5)
        self.wind = torch.empty(P, H, A, dtype=torch.float64, device="cuda")
        self.noise = torch.empty(P, H, S, n, dtype=torch.float64, device="cuda")
        self.results = torch.empty(2 * n + 11 + P + 1, dtype=torch.float64, device="cuda")
        self.host = torch.empty(2 * n + 11 + P + 1, dtype=torch.float64).pin_memory()
        self.host_o = self.o.cpu().pin_memory()

    def free_energy(self, error):
        prior = VARIANCE / PRIOR + self.mu**2 / PRIOR - 1 + math.log(PRIOR / VARIANCE)
        fit = PI * (error**2).sum() + M * math.log(2 * math.pi) - M * math.log(PI)
        return 0.5 * (prior.sum() + fit)

    def infer(self, o):
        energies = []
        error = o - self.observe @ self.mu - 1
        energies.append(self.free_energy(error))
        for _ in range(10):
            self.mu.add_(KAPPA * (PI * (self.observe.T @ error) - self.mu / PRIOR))
            error = o - self.observe @ self.mu - 1
            energies.append(self.free_energy(error))
        wind = torch.zeros(P, A, dtype=torch.float64, device="cuda")
        x = self.mu.repeat(P, 1)
        g = torch.zeros(P, dtype=torch.float64, device="cuda")
        gust = math.sqrt(0.25 * (1 - math.exp(-2 * DECAY)))
        square = (self.observe**2).sum()
        for h in range(H):
            wind = wind * math.exp(-DECAY) + gust * self.wind[:, h]
            x = x - self.gains[:, None] * self.mu
            drive = torch.sin(wind @ self.spread.T) @ self.coupling.T
            x = x * self.carry + drive * self.push + torch.einsum("s,psw->pw", self.weights, self.noise[:, h])
            risk = ((x @ self.observe.T) ** 2).sum(1)
            ambiguity, novelty = square * self.s2[h] + M / PI, 0.5 * n * math.log(PRIOR / self.s2[h])
            g = g + (risk + ambiguity - novelty) / H
        chosen = g.argmin()
        # Indexing by a tensor would wait for the host, which a graph cannot capture.
        action = -self.gains.index_select(0, chosen[None]) * self.mu
        return action, torch.stack(energies), g, chosen.double()[None]

    def step(self):
        self.o.copy_(self.host_o, non_blocking=True)
        outputs = self.infer(self.o)
        self.results.copy_(torch.cat([self.mu, *outputs]))

    def fetch(self):
        self.host.copy_(self.results, non_blocking=True)
        torch.cuda.current_stream().synchronize()

    def draw(self):
        self.wind.normal_()
        self.noise.normal_()


def verify(name, run, agent, dump):
    load = lambda quantity: np.load(f"{dump}/w1_{quantity}.npy")
    expected = {quantity: load(quantity) for quantity in ("mu", "u", "free_energy", "g", "policy")}
    for frame in range(len(expected["mu"])):
        wind = np.stack([normals(A, r, frame, 6, SEED) for r in range(P * H)])
        noise = np.stack([normals(n, r, frame, 7, SEED) for r in range(P * H * S)])
        agent.wind.copy_(torch.tensor(wind).view(P, H, A))
        agent.noise.copy_(torch.tensor(noise).view(P, H, S, n))
        run()
        agent.fetch()
        host, ends = agent.host.numpy(), np.cumsum([n, n, 11, P, 1])
        parts = np.split(host, ends[:-1])
        check(f"{name}, frame {frame}", [(q, part, expected[q][frame]) for q, part in zip(expected, parts)], 1e-8)


def main(dump):
    eager = Agent()
    verify("W1 PyTorch eager", eager.step, eager, dump)

    def call():
        eager.draw()
        eager.step()
        eager.fetch()

    measure("W1 PyTorch eager", call, EAGER_ITERATIONS)

    agent = Agent()
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            agent.step()
    torch.cuda.current_stream().wait_stream(side)
    check_graph, timed_graph = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
    with torch.cuda.graph(check_graph):
        agent.step()
    with torch.cuda.graph(timed_graph):
        agent.draw()
        agent.step()
        agent.host.copy_(agent.results, non_blocking=True)
    agent.mu.zero_()
    verify("W1 PyTorch, CUDA graph", check_graph.replay, agent, dump)

    def replay():
        timed_graph.replay()
        torch.cuda.current_stream().synchronize()

    measure("W1 PyTorch, CUDA graph", replay, GRAPH_ITERATIONS)


if __name__ == "__main__":
    main(sys.argv[1])
