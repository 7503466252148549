//! Tests on the fake CUDA driver: a process of their own for each, and what the driver saw there.
//!
//! ```
//! use fake_driver_client::{Fail, Lasting};
//!
//! // What a test that runs by `on_fake_driver` gives to `FakeDriver::fail`: the third copy to the device fails, once.
//! let fail = Fail { function: Some("cuMemcpyHtoDAsync_v2"), first: 2, lasting: Lasting::Once, code: 2 };
//! assert_eq!(fail, Fail::call("cuMemcpyHtoDAsync_v2", 2, 2));
//! ```

mod fake;
mod process;

pub use fake::{Call, Fail, FakeDriver, Lasting, image};
pub use process::{
    aborts_on_fake_driver, on_driver_without, on_fake_driver, on_fake_driver_as, path_of,
};
