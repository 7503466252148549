"""Page-locked buffers as a PyTorch user gets them, and from the driver itself: the peers of `benches/src/bin/pool.rs`.

    python3 benches/peers/pool.py

Prints a line of JSON per result. Each figure is the median of several passes; times of threads are the mean time of one
pair on each of them while all run. Python threads share one interpreter lock, which is part of what such a user pays.
"""

import ctypes
import json
import statistics
import threading
import time

import torch

KIB, MIB = 1 << 10, 1 << 20
PASSES = 5


def report(name, unit, values, **what):
    print(json.dumps({"peer": name, **what, "passes": PASSES, "unit": unit, "median": statistics.median(values)}), flush=True)


def pair_ns(size, threads, pairs):
    """Mean nanoseconds to get a pinned tensor of `size` bytes and let go of it, on each of `threads` threads."""
    together = threading.Barrier(threads)
    elapsed = [0] * threads

    def run(thread):
        for _ in range(pairs // 10 + 1):
            torch.empty(size, dtype=torch.uint8, pin_memory=True)
        together.wait()
        start = time.perf_counter_ns()
        for _ in range(pairs):
            torch.empty(size, dtype=torch.uint8, pin_memory=True)
        elapsed[thread] = time.perf_counter_ns() - start

    running = [threading.Thread(target=run, args=(thread,)) for thread in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(elapsed) / threads / pairs


def caching_allocator():
    assert torch.empty(1, pin_memory=True).is_pinned()
    for threads in (1, 2, 4, 8, 16):
        times = [pair_ns(4 * KIB, threads, 100_000 // threads) for _ in range(PASSES)]
        report("PyTorch, torch.empty(pin_memory=True) from its cache", "ns", times, bytes=4 * KIB, threads=threads)
    times = [pair_ns(64 * MIB, 1, 10_000) for _ in range(PASSES)]
    report("PyTorch, torch.empty(pin_memory=True) from its cache", "ns", times, bytes=64 * MIB, threads=1)


def driver():
    """cuMemHostAlloc and cuMemFreeHost in the context that PyTorch made current."""
    torch.zeros(1, device="cuda")
    cuda = ctypes.CDLL("libcuda.so.1")

    def call(function, *arguments):
        code = function(*arguments)
        if code != 0:
            raise SystemExit(f"pool: {function.__name__} returned {code}")

    for size in (4 * KIB, MIB, 64 * MIB, 1024 * MIB):
        allocate, free = [], []
        for _ in range(PASSES):
            pointer = ctypes.c_void_p()
            start = time.perf_counter_ns()
            call(cuda.cuMemHostAlloc, ctypes.byref(pointer), ctypes.c_size_t(size), ctypes.c_uint(0))
            allocated = time.perf_counter_ns()
            call(cuda.cuMemFreeHost, pointer)
            allocate.append((allocated - start) / 1e6)
            free.append((time.perf_counter_ns() - allocated) / 1e6)
        report("driver, cuMemHostAlloc", "ms", allocate, bytes=size)
        report("driver, cuMemFreeHost", "ms", free, bytes=size)


if __name__ == "__main__":
    if not torch.cuda.is_available():
        raise SystemExit("pool: PyTorch sees no GPU; page-locked memory needs one")
    caching_allocator()
    driver()
