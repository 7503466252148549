//! What programs of measurements share: where they run, what people see, how errors end, and their report.
//!
//! ```
//! use clap::Parser;
//! use slo_bench::Section;
//! use slo_bench::cli::{OutputArgs, PlaceArgs, Session, Terminal};
//!
//! #[derive(clap::Parser)]
//! struct Args {
//!     #[command(flatten)]
//!     place: PlaceArgs,
//!     #[command(flatten)]
//!     output: OutputArgs,
//! }
//!
//! # fn main() -> anyhow::Result<()> {
//! # let folder = tempfile::tempdir()?;
//! # let out = folder.path().join("out");
//! # let out = out.to_str().unwrap();
//! let args = Args::parse_from(["lookup", "--device", "host", "--out", out]);
//! let terminal = Terminal::new(args.output.output());
//! let session = Session::open(&args.place, &args.output, &[], &terminal)?;
//! let section = session.section("lookup", || {
//!     let mut section = Section::new("lookup");
//!     section.figure("entries", 3.0, "", session.label());
//!     Ok(section.close("all entries found"))
//! });
//! session.finish("lookup", vec![section])?;
//! # Ok(())
//! # }
//! ```
//!
//! Never panics on bad input and never prints twice: results go to stdout, one error line to stderr.

#[cfg(feature = "workloads")]
mod efficacy;
mod ending;
mod openslo;
mod place;
#[cfg(feature = "workloads")]
mod saturation;
mod session;
#[cfg(feature = "workloads")]
mod speed;
mod terminal;
#[cfg(feature = "workloads")]
mod versions;

pub use ending::{Lacking, Usage, end, parse};
pub use openslo::{export_openslo, import_openslo, label};
pub use place::{DeviceChoice, Place, PlaceArgs};
pub use session::{OutputArgs, Session, commit};
pub use terminal::{Output, Terminal};

#[cfg(feature = "workloads")]
pub use efficacy::{Trials, efficacy};
#[cfg(feature = "workloads")]
pub use saturation::{Carried, Gauge, OpenFrames, Seen, Serving, Watched};
#[cfg(feature = "workloads")]
pub use speed::{Timed, Timing, device_plan, time, time_processor};
#[cfg(feature = "workloads")]
pub use versions::{CompareFrames, Comparison, SEED, Subject, compare, measured_on};
