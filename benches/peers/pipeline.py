"""Batches up, y += x, and down again, in PyTorch: one by one, over three streams, from ordinary memory, and in a CUDA graph.

The work is that of the program `pipeline`: chunks of float32 each way, small whole numbers, so that results are compared
bit by bit. Every variant is checked element by element before it is timed. While it is timed, the variants with streams never wait for
a result before its buffer is used again: better for them than what a program that reads its results could do.
Usage: python3 pipeline.py [BATCHES [PASSES]]
"""

import json
import statistics
import sys
import time

import torch

BATCHES = int(sys.argv[1]) if len(sys.argv) > 1 else 512
PASSES = int(sys.argv[2]) if len(sys.argv) > 2 else 5
CHUNKS = [1 << 20, 4 << 20, 16 << 20]
STREAMS, SLOTS, GRAPH_BATCHES = 3, 6, 64


def pattern(length):
    return torch.tensor([1.0, 2.0, 3.0]).repeat(length // 3 + 1)[:length].contiguous()


def mark(number):
    return float(number % 7 + 1)


class Slots:
    """Buffers that batches take in turn: on the device, and in page-locked or ordinary memory of the host."""

    def __init__(self, chunk_bytes, count, pinned=True):
        length = chunk_bytes // 4
        self.unit = pattern(length)
        host = lambda: torch.empty(length, pin_memory=pinned)
        self.inputs, self.outputs = [host() for _ in range(count)], [host() for _ in range(count)]
        for number, buffer in enumerate(self.inputs):
            buffer.copy_(self.unit * mark(number))
        for buffer in self.outputs:
            buffer.zero_()
        self.x = [torch.zeros(length, device="cuda") for _ in range(count)]
        self.y = [torch.zeros(length, device="cuda") for _ in range(count)]
        self.sums = [0.0] * count

    def send(self, slot, non_blocking):
        self.x[slot].copy_(self.inputs[slot], non_blocking=non_blocking)
        self.y[slot].add_(self.x[slot])
        self.outputs[slot].copy_(self.y[slot], non_blocking=non_blocking)

    def note(self, slot, times=1):
        self.sums[slot] += times * mark(slot)

    def check(self, name):
        """Every element of every output, once the device is idle."""
        for slot, output in enumerate(self.outputs):
            if not torch.equal(output, self.unit * self.sums[slot]):
                raise SystemExit(f"{name}: the results of slot {slot} are wrong")


def report(name, chunk_bytes, batches, elapsed, submits):
    result = {"peer": f"PyTorch pipeline, {name}", "chunk_bytes": chunk_bytes, "batches": batches, "passes": PASSES}
    result |= {"unit": "GB/s each way", "median": batches * chunk_bytes / statistics.median(elapsed) / 1e9}
    if submits:
        result |= {"submit_us_p50": statistics.median(submits) * 1e6, "submit_us_mean": statistics.fmean(submits) * 1e6}
    print(json.dumps(result), flush=True)


def timed(name, chunk_bytes, batches, work, check):
    """`work` sends a pass and returns the host's time of each submit; `check` compares all results with what was noted."""
    work()
    torch.cuda.synchronize()
    check()
    elapsed, submits = [], []
    for _ in range(PASSES):
        start = time.perf_counter()
        submits += work()
        torch.cuda.synchronize()
        elapsed.append(time.perf_counter() - start)
    check()
    report(name, chunk_bytes, batches, elapsed, submits)


def serial(chunk_bytes):
    slots = Slots(chunk_bytes, 1)

    def work():
        for _ in range(BATCHES):
            slots.send(0, True)
            torch.cuda.synchronize()
            slots.note(0)
        return []

    timed("one by one, page-locked", chunk_bytes, BATCHES, work, lambda: slots.check("serial"))


def pageable(chunk_bytes):
    slots = Slots(chunk_bytes, SLOTS, pinned=False)
    batches = max(BATCHES // 8, SLOTS)

    def work():
        for batch in range(batches):
            slots.send(batch % SLOTS, False)
            slots.note(batch % SLOTS)
        return []

    timed("ordinary memory", chunk_bytes, batches, work, lambda: slots.check("pageable"))


def streams(chunk_bytes):
    slots = Slots(chunk_bytes, SLOTS)
    lanes = [torch.cuda.Stream() for _ in range(STREAMS)]
    torch.cuda.synchronize()

    def work():
        submits = []
        for batch in range(BATCHES):
            slot = batch % SLOTS
            start = time.perf_counter()
            with torch.cuda.stream(lanes[batch % STREAMS]):
                slots.send(slot, True)
            submits.append(time.perf_counter() - start)
            slots.note(slot)
        return submits

    timed("three streams in turn, page-locked", chunk_bytes, BATCHES, work, lambda: slots.check("streams"))


def staged(chunk_bytes):
    """Ordinary input, copied to page-locked buffers by PyTorch's own threads; a buffer is used again when its upload is done."""
    slots = Slots(chunk_bytes, SLOTS)
    lanes = [torch.cuda.Stream() for _ in range(STREAMS)]
    uploaded = [torch.cuda.Event() for _ in range(SLOTS)]
    ordinary = torch.empty(BATCHES, chunk_bytes // 4)
    for batch in range(BATCHES):
        ordinary[batch].copy_(slots.inputs[batch % SLOTS])
    torch.cuda.synchronize()

    def work():
        for batch in range(BATCHES):
            slot = batch % SLOTS
            uploaded[slot].synchronize()
            slots.inputs[slot].copy_(ordinary[batch])
            with torch.cuda.stream(lanes[batch % STREAMS]):
                slots.x[slot].copy_(slots.inputs[slot], non_blocking=True)
                uploaded[slot].record()
                slots.y[slot].add_(slots.x[slot])
                slots.outputs[slot].copy_(slots.y[slot], non_blocking=True)
            slots.note(slot)
        return []

    timed("ordinary input staged, three streams", chunk_bytes, BATCHES, work, lambda: slots.check("staged"))


def graph(chunk_bytes):
    """One schedule of batches, captured over three streams and replayed."""
    count = min(GRAPH_BATCHES, BATCHES)
    slots = Slots(chunk_bytes, count)
    lanes = [torch.cuda.Stream() for _ in range(STREAMS)]
    torch.cuda.synchronize()
    captured = torch.cuda.CUDAGraph()
    with torch.cuda.graph(captured):
        origin = torch.cuda.current_stream()
        for lane in lanes:
            lane.wait_stream(origin)
        for batch in range(count):
            with torch.cuda.stream(lanes[batch % STREAMS]):
                slots.send(batch, True)
        for lane in lanes:
            origin.wait_stream(lane)
    replays = max(BATCHES // count, 1)

    def work():
        submits = []
        for _ in range(replays):
            start = time.perf_counter()
            captured.replay()
            submits.append((time.perf_counter() - start) / count)
        for slot in range(count):
            slots.note(slot, replays)
        return submits

    timed("three streams in a CUDA graph", chunk_bytes, replays * count, work, lambda: slots.check("graph"))


def main():
    print(json.dumps({"torch": torch.__version__, "device": torch.cuda.get_device_name(), "threads": torch.get_num_threads()}), flush=True)
    for chunk_bytes in CHUNKS:
        for variant in (serial, streams, graph):
            variant(chunk_bytes)
    for variant in (pageable, staged):
        variant(CHUNKS[1])


main()
