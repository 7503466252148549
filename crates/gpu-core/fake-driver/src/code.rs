//! Results of the driver's functions, numbered as the CUDA driver API numbers them.

/// A failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Code(pub(crate) u32);

/// What a function of the driver comes to.
pub(crate) type Outcome<T = ()> = Result<T, Code>;

pub(crate) const INVALID_VALUE: Code = Code(1);
pub(crate) const OUT_OF_MEMORY: Code = Code(2);
pub(crate) const NOT_INITIALIZED: Code = Code(3);
pub(crate) const NO_DEVICE: Code = Code(100);
pub(crate) const INVALID_DEVICE: Code = Code(101);
pub(crate) const INVALID_IMAGE: Code = Code(200);
pub(crate) const INVALID_CONTEXT: Code = Code(201);
pub(crate) const INVALID_PTX: Code = Code(218);
pub(crate) const INVALID_HANDLE: Code = Code(400);
pub(crate) const NOT_FOUND: Code = Code(500);
pub(crate) const NOT_READY: Code = Code(600);
pub(crate) const ALREADY_REGISTERED: Code = Code(712);
pub(crate) const NOT_REGISTERED: Code = Code(713);
pub(crate) const COOPERATIVE_TOO_LARGE: Code = Code(720);
pub(crate) const CAPTURE_UNSUPPORTED: Code = Code(900);
pub(crate) const CAPTURE_INVALIDATED: Code = Code(901);
pub(crate) const CAPTURE_MERGE: Code = Code(902);
pub(crate) const CAPTURE_UNMATCHED: Code = Code(903);
pub(crate) const CAPTURE_UNJOINED: Code = Code(904);
pub(crate) const CAPTURE_ISOLATION: Code = Code(905);
pub(crate) const CAPTURED_EVENT: Code = Code(907);
pub(crate) const CAPTURE_WRONG_THREAD: Code = Code(908);
pub(crate) const UNKNOWN: Code = Code(999);
