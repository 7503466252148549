"""What the peers share: Philox noise for the comparison with the reference, timing, and a line of JSON per result.

A peer does the work of a workload the way a Python user would, in float64, on the same GPU. Before it is timed
it is fed the reference's own random numbers and compared with files that `slo-bench validate --dump` wrote; while it is
timed it draws its own.
"""

import json
import time

import numpy as np

MASK = np.uint64(0xFFFFFFFF)


def philox(index, step, frame, stream, seed):
    """The words of Philox4x32-10 (Salmon et al., SC'11) for an array of indices, as four uint64 arrays below 2^32."""
    counter = [np.asarray(index, np.uint64)] + [
        np.full(len(index), value, np.uint64) for value in (step, frame, stream)
    ]
    low, high = np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)
    for _ in range(10):
        first = np.uint64(0xD2511F53) * counter[0]
        second = np.uint64(0xCD9E8D57) * counter[2]
        counter = [
            (second >> np.uint64(32)) ^ counter[1] ^ low,
            second & MASK,
            (first >> np.uint64(32)) ^ counter[3] ^ high,
            first & MASK,
        ]
        low = (low + np.uint64(0x9E3779B9)) & MASK
        high = (high + np.uint64(0xBB67AE85)) & MASK
    return counter


def uniforms(count, step, frame, stream, seed):
    """Uniform numbers 0 to count - 1 of a stream, two for each index."""
    words = philox(np.arange((count + 1) // 2), step, frame, stream, seed)
    a = ((words[1] << np.uint64(32)) | words[0]) >> np.uint64(11)
    b = ((words[3] << np.uint64(32)) | words[2]) >> np.uint64(11)
    return (np.stack([a, b], 1).astype(np.float64) * 2.0**-53).ravel()[:count]


def normals(count, step, frame, stream, seed):
    """Normal numbers 0 to count - 1 of a stream (Box and Muller)."""
    pair = uniforms(2 * ((count + 1) // 2), step, frame, stream, seed).reshape(-1, 2)
    radius = np.sqrt(-2.0 * np.log(1.0 - pair[:, 0]))
    angle = 2.0 * np.pi * pair[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()[:count]


def measure(name, call, iterations, warm_up=100, prepare=lambda: None):
    """Times `call`, which returns when its results are on the host, and prints percentiles in microseconds.

    `prepare` brings the next input into place; it is not part of the time.
    """
    for _ in range(warm_up):
        prepare()
        call()
    samples = np.empty(iterations)
    for index in range(iterations):
        prepare()
        start = time.perf_counter_ns()
        call()
        samples[index] = time.perf_counter_ns() - start
    samples = np.sort(samples) / 1e3
    rank = lambda q: float(samples[min(iterations - 1, int(np.ceil(q * iterations)) - 1)])
    result = {"peer": name, "iterations": iterations, "unit": "us"}
    result |= {"p50": rank(0.5), "p90": rank(0.9), "p99": rank(0.99), "max": float(samples[-1])}
    print(json.dumps(result), flush=True)


def check(name, pairs, tolerance):
    """Fails loudly where a peer does other work than the reference."""
    for quantity, actual, expected in pairs:
        actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
        difference = np.max(np.abs(actual - expected) / np.maximum(1.0, np.abs(expected)))
        if not difference <= tolerance:
            raise SystemExit(f"{name}: {quantity} differs from the reference by {difference:.2e}")
    print(json.dumps({"peer": name, "checked": [pair[0] for pair in pairs], "within": tolerance}), flush=True)
