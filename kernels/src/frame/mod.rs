//! Kernels on frames: batches of 900 values and their 900 targets.

mod tracking_error;

pub use tracking_error::{FRAME_LEN, SAMPLES, TrackingError, TrackingErrorArgs, tracking_error};
