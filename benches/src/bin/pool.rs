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
use slo_bench::cli::Session;
use slo_bench::{Section, Verdict};

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

/// Most that a pair may take on one thread.
const ALONE_NS_MAX: f64 = 60.0;
/// Fewest hardware threads by which times are judged: on fewer, the threads share them with everything else.
const CORES_MIN: usize = 16;
/// Fewest pairs by which times are judged.
const PAIRS_MIN: u32 = 10_000;

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
    let mut seen = Vec::new();
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
        seen.push(Seen { threads, pool_ns: medians[0], ratio });
    }
    let stats = pool.stats().classes[0];
    section.check("every buffer came back", stats.leased == 0, format!("{} are out", stats.leased));
    let exhausted = stats.exhausted;
    let was_never_out = exhausted == 0 || options.threads > u32::from(BUFFERS);
    section.check("the pool was never out", was_never_out, format!("{exhausted} times"));
    judge(&mut section, &seen, cores, options.pairs);
    Ok(section.close(format!(
        "acquire and release, {cores} hardware threads, median of {} passes",
        options.passes
    )))
}

/// What was measured at a number of threads.
struct Seen {
    threads: u32,
    /// A pair of the pool.
    pool_ns: f64,
    /// A pair of the best peer over it.
    ratio: f64,
}

/// Adds whether the pool is as fast as it must be alone, and ahead of its peers as soon as it is shared.
fn judge(section: &mut Section, seen: &[Seen], cores: usize, pairs: u32) {
    let reason = if cores < CORES_MIN {
        Some(format!("{cores} hardware threads are here, {CORES_MIN} are asked for"))
    } else if pairs < PAIRS_MIN {
        Some(format!("{pairs} pairs a pass were asked for, {PAIRS_MIN} are needed"))
    } else {
        None
    };
    let mut check = |name: &str, verdict: Verdict, detail: String| match &reason {
        Some(reason) => section.check(name, Verdict::skipped(reason.as_str()), ""),
        None => section.check(name, verdict, detail),
    };
    let alone = seen.iter().filter(|seen| seen.threads == 1);
    let alone_ns = alone.map(|seen| seen.pool_ns).fold(0.0, f64::max);
    let name = format!("a pair takes at most {ALONE_NS_MAX} ns on one thread");
    check(&name, (alone_ns <= ALONE_NS_MAX).into(), format!("{alone_ns:.1} ns"));
    // More threads than the machine has wait for each other's turn.
    let shared = seen.iter().filter(|seen| seen.threads > 1 && seen.threads as usize <= cores);
    let worst = shared.min_by(|one, other| one.ratio.total_cmp(&other.ratio));
    let name = "the pool is ahead of its best peer from two threads on";
    let (verdict, words) = match worst {
        Some(Seen { threads, ratio, .. }) => {
            ((*ratio > 1.0).into(), format!("{ratio:.1} times as fast at {}", plural(*threads)))
        }
        None => (Verdict::skipped("one thread was asked for"), String::new()),
    };
    check(name, verdict, words);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(rows: &[(u32, f64, f64)], cores: usize, pairs: u32) -> Vec<Verdict> {
        let seen = |&(threads, pool_ns, ratio)| Seen { threads, pool_ns, ratio };
        let mut section = Section::new("contention");
        judge(&mut section, &rows.iter().map(seen).collect::<Vec<_>>(), cores, pairs);
        section.checks.into_iter().map(|check| check.verdict).collect()
    }

    #[test]
    fn slow_alone_or_behind_a_peer_fails_where_threads_have_cores_of_their_own() {
        let is_good = |rows: &[(u32, f64, f64)]| {
            verdicts(rows, 16, 10_000).into_iter().map(|verdict| verdict == Verdict::Pass)
        };
        let good = [(1, 60.0, 0.4), (2, 61.0, 1.1), (16, 90.0, 9.0)];
        assert!(is_good(&good).eq([true, true]));
        assert!(is_good(&[(1, 60.1, 0.4), good[1]]).eq([false, true]));
        assert!(is_good(&[good[0], good[1], (16, 90.0, 0.9)]).eq([true, false]));
        assert!(is_good(&[good[0], good[1], (32, 90.0, 0.9)]).eq([true, true]), "32 on 16 cores");
        assert!(is_good(&good[..1]).eq([true, false]), "nothing was shared");
    }

    #[test]
    fn few_cores_or_pairs_are_no_judgement_and_say_so() {
        for (cores, pairs, words) in [(8, 10_000, "8 hardware threads"), (16, 9_999, "9999 pairs")]
        {
            for verdict in verdicts(&[(1, 1e9, 0.0), (2, 1e9, 0.0)], cores, pairs) {
                assert!(verdict.reason().unwrap().starts_with(words), "{verdict:?}");
            }
        }
    }
}
