//! The page-locked pool beside what else could hold free buffers, with one thread and with many, and beside the driver.

use std::collections::VecDeque;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use benches::Question;
use crossbeam_queue::ArrayQueue;
use gpu_core::Clock;
use memory_pipeline::{Backing, MemoryStats, PinnedMemoryPool, PoolConfig};
use slo_bench::Section;
use slo_bench::cli::Session;

const QUESTION: Question = Question {
    name: "pool",
    asks: "What does a page-locked buffer cost, from the pool, from its peers and from the driver?",
    sources: &[],
};

/// Free buffers, or the indices that stand for them, in every contender.
const BUFFERS: u16 = 64;
/// Buffers of the pool whose start is timed.
const POOL_BUFFERS: usize = 16;
const MIB: usize = 1 << 20;

#[derive(Clone, Copy, Debug, clap::Args)]
struct Options {
    /// Buffers that each thread acquires and releases in a pass
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pairs: u32,
    /// Most threads; 1, 2, 4, 8 and so on are measured
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    threads: u32,
    /// Passes; the median counts
    #[arg(long, value_name = "COUNT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    passes: u32,
    /// Size of the buffer that the driver allocates, and a sixteenth of the pool whose start is timed
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=4096))]
    buffer_mib: u32,
}

fn main() -> ExitCode {
    QUESTION.answer(|options: &Options, session| {
        let contention = session.section("contention", || contention(options, session));
        let driver = session.section("driver", || driver(options, session));
        Ok(vec![contention, driver])
    })
}

/// One way to keep free buffers: takes one and gives it back.
type Contender<'a> = (&'static str, &'a (dyn Fn() + Sync));

/// Every contender at every number of threads, in turn within a pass, so that all see the same noise.
fn contention(options: &Options, session: &Session<'_>) -> anyhow::Result<Section> {
    let pool =
        PinnedMemoryPool::new(session.device(), PoolConfig::uniform::<u8>(BUFFERS.into(), 4096))?;
    let deque = Mutex::new((0..BUFFERS).collect::<VecDeque<_>>());
    let queue = ArrayQueue::new(BUFFERS.into());
    (0..BUFFERS).try_for_each(|index| queue.push(index)).expect("it has room for all");
    let lock = || deque.lock().expect("nobody panics with it");
    let contenders: [Contender<'_>; 3] = [
        ("PinnedMemoryPool", &|| drop(black_box(pool.acquire::<u8>(4096)))),
        ("Mutex<VecDeque>", &|| {
            let index = black_box(lock().pop_front());
            lock().extend(index);
        }),
        ("ArrayQueue", &|| {
            let index = black_box(queue.pop());
            index.map(|index| queue.push(index));
        }),
    ];
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut section = Section::new("contention");
    for threads in (0..9).map(|power| 1 << power).take_while(|&threads| threads <= options.threads)
    {
        let mut passes = contenders.map(|_| Vec::new());
        for _ in 0..options.passes {
            for (passes, (_, pair)) in passes.iter_mut().zip(&contenders) {
                passes.push(pair_ns(&session.clock, threads, options.pairs, pair));
            }
        }
        let medians = passes.map(median);
        for ((name, _), ns) in contenders.iter().zip(medians) {
            section.figure(format!("{name}, {}", plural(threads)), ns, "ns", session.label());
        }
        let ratio = medians[1].min(medians[2]) / medians[0];
        section.figure(
            format!("best peer over the pool, {}", plural(threads)),
            ratio,
            "",
            session.label(),
        );
    }
    let stats = pool.stats().classes[0];
    section.check("every buffer came back", stats.leased == 0, format!("{} are out", stats.leased));
    let exhausted = stats.exhausted;
    let was_never_out = exhausted == 0 || options.threads > u32::from(BUFFERS);
    section.check("the pool was never out", was_never_out, format!("{exhausted} times"));
    Ok(section.close(format!(
        "acquire and release, {cores} hardware threads, median of {} passes",
        options.passes
    )))
}

/// Mean time of one pair on each thread, while all of them are at it.
fn pair_ns(clock: &Clock, threads: u32, pairs: u32, pair: &(dyn Fn() + Sync)) -> f64 {
    let (together, done) = (Barrier::new(threads as usize), AtomicU32::new(0));
    let run = || {
        (0..pairs / 10).for_each(|_| pair());
        together.wait();
        let start = clock.now();
        (0..pairs).for_each(|_| pair());
        let elapsed = clock.now() - start;
        // Whoever is done goes on, so that nobody is measured with fewer beside it.
        done.fetch_add(1, Ordering::Relaxed);
        while done.load(Ordering::Relaxed) < threads {
            pair();
        }
        elapsed
    };
    let total: Duration = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        running.into_iter().map(|thread| thread.join().expect("a contender does not panic")).sum()
    });
    total.as_secs_f64() * 1e9 / f64::from(threads) / f64::from(pairs)
}

/// A large buffer from the driver and from a pool, and how long the pool takes to start with either kind of memory.
fn driver(options: &Options, session: &Session<'_>) -> anyhow::Result<Section> {
    let (clock, device) = (&session.clock, session.device());
    let bytes = options.buffer_mib as usize * MIB;
    let registered = PoolConfig::uniform::<u8>(POOL_BUFFERS, bytes);
    let allocated = PoolConfig { backing: Backing::Driver, ..registered.clone() };
    let [mut allocate, mut free, mut register, mut driver] = [const { Vec::new() }; 4];
    for _ in 0..options.passes {
        let (buffer, seconds) = timed(clock, || device.pinned::<u8>(bytes));
        let buffer = buffer?;
        allocate.push(seconds);
        free.push(timed(clock, || drop(black_box(buffer))).1);
        for (config, passes) in [(&registered, &mut register), (&allocated, &mut driver)] {
            let (pool, seconds) = timed(clock, || PinnedMemoryPool::new(device, config.clone()));
            pool?;
            passes.push(seconds);
        }
    }
    let pool = PinnedMemoryPool::new(device, registered)?;
    let memory = pool.stats().memory[0];
    let pair = || drop(black_box(pool.acquire::<u8>(bytes)));
    let pairs = (0..options.passes).map(|_| pair_ns(clock, 1, options.pairs, &pair)).collect();

    let mib = |bytes| format!("{} MiB", bytes / MIB);
    let mut section = Section::new("driver");
    for (name, passes) in [
        (format!("Device::pinned, {}", mib(bytes)), allocate),
        (format!("freeing it, {}", mib(bytes)), free),
        (format!("starting a pool of {}, {}", mib(memory.bytes), backing(memory)), register),
        (format!("starting a pool of {}, allocated by the driver", mib(memory.bytes)), driver),
    ] {
        section.figure(name, median(passes) * 1e3, "ms", session.label());
    }
    let pair = format!("acquire and release, {}", mib(bytes));
    section.figure(pair, median(pairs), "ns", session.label());
    let leased = pool.stats().leased();
    section.check("every buffer came back", leased == 0, format!("{leased} are out"));
    Ok(section.close(format!("median of {} passes", options.passes)))
}

/// What a pool got that asked for registered memory.
fn backing(memory: MemoryStats) -> String {
    match memory.registered {
        Some(pages) => format!("registered {pages:?} pages").to_lowercase(),
        None => "which may not register memory".to_owned(),
    }
}

fn timed<T>(clock: &Clock, work: impl FnOnce() -> T) -> (T, f64) {
    let start = clock.now();
    let result = work();
    (result, (clock.now() - start).as_secs_f64())
}

fn median(mut passes: Vec<f64>) -> f64 {
    passes.sort_unstable_by(f64::total_cmp);
    passes[passes.len() / 2]
}

fn plural(threads: u32) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}
