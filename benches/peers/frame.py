"""The end-to-end frame (900 windows, eight phases) in PyTorch, eager and in a CUDA graph that holds the whole frame.

Transfer entropies come from histograms by one product of indicator matrices; the two workloads inside are the peers of
their own. Unlike the reference it does not refuse a frame whose results are not finite.
Usage: python3 frame.py DUMP, where DUMP holds w3_*.npy of `slo-bench validate --dump DUMP`.
"""

import math
import sys

import numpy as np
import torch

from active_inference import A, H, M, P, S, Agent, tensor
from common import check, measure, normals, uniforms
from thermodynamic import N, STEPS, TAU, Network

CHANNELS, MOMENTS, BLOCK, SEED = 10, 128, 90, 42
BANK_STEPS, BANK_DT, PULL, DRIVE = 3, 0.01, 5.0, 0.1
KEPT, CONFUSED = 0.9, 0.1 / (N - 1)
ROUND = 256
GRAPH_ITERATIONS, EAGER_ITERATIONS = 10000, 1000
# What a frame puts out, with how many numbers each.
OUTPUTS = {"control": N, "prediction": M, "free_energy": 11, "g": P, "policy": 1, "network": 5,
           "coherence": 1, "information": 1, "te_max": 1}
NETWORK = ["kinetic", "interaction", "order", "heat", "entropy"]


def formula(frame):
    """Values and targets of a frame."""
    place = np.arange(N) + frame
    return np.concatenate([np.cos(0.015 * place) + 0.5, 0.5 + 0.3 * np.sin(0.025 * place)])


class Frame:
    def __init__(self):
        self.network, self.agent = Network(), Agent()
        past = np.stack([formula(frame)[:N:BLOCK] > 0.5 for frame in range(-MOMENTS, 0)])
        self.history = tensor(past.astype(np.float64))
        self.phases = tensor(np.stack([TAU * uniforms(N, bank, 0, 8, SEED) for bank in range(2)]))
        self.frequencies = tensor(np.stack([1 + 0.1 * uniforms(N, bank, 0, 9, SEED) for bank in range(2)]))
        self.row = KEPT * math.log2(KEPT) + 0.1 * math.log2(CONFUSED)
        self.input, self.host_input = tensor(formula(0)), torch.tensor(formula(0)).pin_memory()
        count = sum(OUTPUTS.values())
        self.results = torch.empty(count, dtype=torch.float64, device="cuda")
        self.host = torch.empty(count, dtype=torch.float64).pin_memory()
        self.state = [self.history, self.phases, self.network.theta, self.network.v, self.network.coupling,
                      self.agent.mu]

    def transfer_entropies(self):
        """Bits to each channel from each, 0 to itself, where all quotients are 1."""
        following, now = self.history[1:], self.history[:-1]
        not_following, not_now = 1 - following, 1 - now
        own = torch.stack([not_following * not_now, not_following * now, following * not_now, following * now], 2)
        beside = torch.stack([not_now, now], 2)
        counts = own.reshape(MOMENTS - 1, -1).T @ beside.reshape(MOMENTS - 1, -1)
        # Target, source, y', y, x.
        joint = counts.view(CHANNELS, 2, 2, CHANNELS, 2).permute(0, 3, 1, 2, 4)
        present = joint.sum((2, 4), keepdim=True)
        quotient = joint * present / (joint.sum(2, keepdim=True) * joint.sum(4, keepdim=True))
        # Where nothing was counted, nothing is added.
        bits = joint * torch.where(joint > 0, quotient, torch.ones_like(quotient)).log2()
        return bits.sum((2, 3, 4)) / (MOMENTS - 1)

    def couple(self, entropies, te_max):
        share = torch.where(te_max > 0, entropies / te_max, torch.zeros_like(entropies))
        blocks = self.network.coupling.view(CHANNELS, BLOCK, CHANNELS, BLOCK)
        # The diagonal is 0 and stays that: nothing flows from a channel to itself.
        blocks.mul_(0.9).add_(0.1 * share[:, None, :, None]).clamp_(0, 1)

    def synchronise(self):
        """Three steps of the banks; their coherence."""
        drive = self.frequencies + DRIVE * torch.stack([self.agent.mu, self.network.theta.sin()])
        for _ in range(BANK_STEPS):
            s, c = self.phases.sin(), self.phases.cos()
            # R sin(Phi - phi), by the formula for the sine of a difference.
            own = s.mean(1, keepdim=True) * c - c.mean(1, keepdim=True) * s
            other = s.flip(0) * c - c.flip(0) * s
            self.phases.add_(drive + PULL * own + other, alpha=BANK_DT)
        self.phases.remainder_(TAU)
        apart = self.phases[0] - self.phases[1]
        return torch.hypot(apart.cos().mean(), apart.sin().mean())

    def information(self):
        """Bits through a noisy channel whose source is softmax(mu)."""
        received = CONFUSED + (KEPT - CONFUSED) * self.agent.mu.softmax(0)
        return self.row - (received * received.log2()).sum()

    def step(self):
        self.input.copy_(self.host_input, non_blocking=True)
        values, targets = self.input[:N], self.input[N:]
        spikes = (values[::BLOCK] > 0.5).double()
        self.history.copy_(torch.cat([self.history[1:], spikes[None]]))
        entropies = self.transfer_entropies()
        te_max = entropies.max()
        self.couple(entropies, te_max)
        network = self.network.evolve()
        observed = 1 + self.network.theta[:M].cos() / math.sqrt(N)
        action, energies, g, policy = self.agent.infer(observed)
        mu = self.agent.mu
        control = action + 0.7 * (targets - mu)
        mu.add_(control, alpha=0.1)
        prediction = self.agent.observe @ mu + 1
        metrics = torch.stack([self.synchronise(), self.information(), te_max])
        self.results.copy_(torch.cat([control, prediction, energies, g, policy, network, metrics]))

    def fetch(self):
        self.host.copy_(self.results, non_blocking=True)
        torch.cuda.current_stream().synchronize()

    def draw(self):
        self.network.noise.normal_()
        self.agent.draw()


def feed(frame, number):
    """The reference's own random numbers, and the frame of the formula."""
    network, agent = frame.network, frame.agent
    noise = np.stack([normals(N, step, number, 5, SEED) for step in range(STEPS)])
    wind = np.stack([normals(A, row, number, 6, SEED) for row in range(P * H)])
    gusts = np.stack([normals(N, row, number, 7, SEED) for row in range(P * H * S)])
    network.noise.copy_(torch.tensor(noise))
    agent.wind.copy_(torch.tensor(wind).view(P, H, A))
    agent.noise.copy_(torch.tensor(gusts).view(P, H, S, N))
    frame.host_input.copy_(torch.tensor(formula(number)))


def verify(name, run, frame, dump):
    names = [quantity for quantity in OUTPUTS if quantity != "network"] + NETWORK
    expected = {quantity: np.load(f"{dump}/w3_{quantity}.npy") for quantity in names}
    for number in range(len(expected["control"])):
        feed(frame, number)
        run()
        frame.fetch()
        parts = np.split(frame.host.numpy(), np.cumsum(list(OUTPUTS.values()))[:-1])
        actual = dict(zip(OUTPUTS, parts))
        actual |= zip(NETWORK, actual.pop("network"))
        # The dump keeps the free energy that inference ends with.
        actual["free_energy"] = actual["free_energy"][-1]
        check(f"{name}, frame {number}", [(q, actual[q], expected[q][number]) for q in names], 1e-8)


def inputs(frame):
    """Brings frame after frame of the formula into place."""
    frames = [torch.tensor(formula(number)) for number in range(ROUND)]
    turn = iter(range(sys.maxsize))
    return lambda: frame.host_input.copy_(frames[next(turn) % ROUND])


def main(dump):
    eager = Frame()
    verify("W3 PyTorch eager", eager.step, eager, dump)

    def call():
        eager.draw()
        eager.step()
        eager.fetch()

    measure("W3 PyTorch eager", call, EAGER_ITERATIONS, prepare=inputs(eager))

    frame = Frame()
    before = [part.clone() for part in frame.state]
    side = torch.cuda.Stream()
    with torch.cuda.stream(side):
        for _ in range(3):
            frame.step()
    torch.cuda.current_stream().wait_stream(side)
    check_graph, timed_graph = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
    with torch.cuda.graph(check_graph):
        frame.step()
    with torch.cuda.graph(timed_graph):
        frame.draw()
        frame.step()
        frame.host.copy_(frame.results, non_blocking=True)
    for part, value in zip(frame.state, before):
        part.copy_(value)
    verify("W3 PyTorch, CUDA graph", check_graph.replay, frame, dump)

    def replay():
        timed_graph.replay()
        torch.cuda.current_stream().synchronize()

    measure("W3 PyTorch, CUDA graph", replay, GRAPH_ITERATIONS, prepare=inputs(frame))


if __name__ == "__main__":
    main(sys.argv[1])
