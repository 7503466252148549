//! Programs that measure one question each: what they share, from the command line to the report.
//!
//! ```
//! use benches::Question;
//! use slo_bench::{Exit, Section};
//!
//! #[derive(Debug, clap::Args)]
//! struct Options {
//!     /// Numbers to add
//!     #[arg(long, default_value_t = 1000)]
//!     count: u64,
//! }
//!
//! const QUESTION: Question =
//!     Question { name: "sum", asks: "How long does a sum take?", sources: &[] };
//!
//! # fn main() {
//! # let folder = tempfile::tempdir().unwrap();
//! # let out = folder.path().join("out");
//! # let out = out.to_str().unwrap();
//! // A program's `main` is `QUESTION.answer(measure)`.
//! let arguments = ["sum", "--device", "host", "--count", "10", "--out", out];
//! let exit = QUESTION.answer_from(arguments, |options: &Options, session| {
//!     let section = session.section("sum", || {
//!         let start = session.clock.now();
//!         let sum: u64 = std::hint::black_box(0..options.count).sum();
//!         let elapsed = session.clock.now() - start;
//!         let mut section = Section::new("sum");
//!         section.check("the sum is right", sum == 45, format!("it is {sum}"));
//!         section.figure("a sum", elapsed.as_secs_f64() * 1e9, "ns", session.label());
//!         Ok(section.close(format!("{} numbers", options.count)))
//!     });
//!     Ok(vec![section])
//! });
//! assert_eq!(exit, Exit::Pass);
//! # }
//! ```
//!
//! The programs, each named after its question, are in `src/bin`; `peers/` holds the same work written by others' means.
#![forbid(unsafe_code)]

mod question;
mod workload;

pub use question::Question;
pub use workload::answer_for;
