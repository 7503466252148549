//! A CUDA driver for tests: a library with the driver's functions and no GPU behind it.
//!
//! Streams run late, in an order drawn from a seed among those that waits leave open; device memory is host memory between
//! guards; every promise that a program gives by queueing a copy is checked when the copy runs. Calls are counted and logged, can
//! be made to fail, and what stays alive is told. It is loaded in the driver's place by `fake-driver-client`, which also
//! speaks its control functions. Never links to CUDA and never waits for time to pass.
//!
//! What it knows of CUDA is what the driver API's documentation says, with freedom used against the program: where the
//! documentation allows a call to wait or not to wait, to copy now or later, it does not wait and copies later.
//!
//! ```
//! use fake_driver as _;
//!
//! unsafe extern "C" {
//!     fn cuInit(flags: u32) -> u32;
//!     fn cuDeviceGetCount(count: *mut i32) -> u32;
//! }
//!
//! let mut count = 0;
//! // These are the functions of this crate, as the driver API declares them.
//! assert_eq!(unsafe { (cuInit(0), cuDeviceGetCount(&mut count)) }, (0, 0));
//! assert_eq!(count, 2);
//! ```

mod attribute;
mod capture;
mod code;
mod context;
mod control;
mod copy;
mod driver;
mod event;
mod exports;
mod journal;
mod kernel;
mod memory;
mod module;
mod op;
mod promise;
mod queue;
mod span;

#[cfg(test)]
mod tests;
