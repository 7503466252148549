//! The driver's result codes: what each is called and what a caller can do about it.
//!
//! Works on raw integers, since newer drivers return codes that older bindings cannot represent.
//! Names and meanings are those of the CUDA driver API up to 13.4. Never calls a driver.

use crate::error::ErrorKind::{self, Exhausted, Invalid, Poisoned, Transient, Unavailable};

/// The name of a driver result, as the CUDA driver API documents it.
pub(crate) fn name(code: i32) -> &'static str {
    find(code).map_or("an unknown CUDA error", |&(_, name, _)| name)
}

/// What a caller can do about a driver result.
///
/// A code that no table lists is [`Invalid`]: to repeat the call or to give the context up would be a guess, and
/// a fault that did lose the context comes back on the next call under a code that is known.
pub(crate) fn kind(code: i32) -> ErrorKind {
    find(code).map_or(Invalid, |&(_, _, kind)| kind)
}

fn find(code: i32) -> Option<&'static (i32, &'static str, ErrorKind)> {
    CODES.binary_search_by_key(&code, |&(code, _, _)| code).ok().map(|index| &CODES[index])
}

/// Every documented failure, in ascending order.
///
/// - `Poisoned`: the documentation says that the process must be relaunched, or that the context is gone, or the
///   fault was seen to outlive its context.
/// - `Exhausted`: memory or a counted hardware resource is used up.
/// - `Transient`: not done yet, timed out, or a service that is starting, busy or being restarted.
/// - `Unavailable`: the machine, its driver or their configuration cannot do it. An operating system call that
///   fails (304) is mostly a missing device file or permission.
/// - `Invalid`: everything else. Too few resources for a launch (701) is one: a smaller launch is the cure.
#[rustfmt::skip]
const CODES: [(i32, &str, ErrorKind); 105] = [
    (1, "CUDA_ERROR_INVALID_VALUE", Invalid),
    (2, "CUDA_ERROR_OUT_OF_MEMORY", Exhausted),
    (3, "CUDA_ERROR_NOT_INITIALIZED", Invalid),
    (4, "CUDA_ERROR_DEINITIALIZED", Unavailable),
    (5, "CUDA_ERROR_PROFILER_DISABLED", Invalid),
    (6, "CUDA_ERROR_PROFILER_NOT_INITIALIZED", Invalid),
    (7, "CUDA_ERROR_PROFILER_ALREADY_STARTED", Invalid),
    (8, "CUDA_ERROR_PROFILER_ALREADY_STOPPED", Invalid),
    (34, "CUDA_ERROR_STUB_LIBRARY", Unavailable),
    (36, "CUDA_ERROR_CALL_REQUIRES_NEWER_DRIVER", Unavailable),
    (46, "CUDA_ERROR_DEVICE_UNAVAILABLE", Transient),
    (47, "CUDA_ERROR_MULTICAST_RESOURCE_FULL", Exhausted),
    (100, "CUDA_ERROR_NO_DEVICE", Unavailable),
    (101, "CUDA_ERROR_INVALID_DEVICE", Invalid),
    (102, "CUDA_ERROR_DEVICE_NOT_LICENSED", Unavailable),
    (200, "CUDA_ERROR_INVALID_IMAGE", Invalid),
    (201, "CUDA_ERROR_INVALID_CONTEXT", Invalid),
    (202, "CUDA_ERROR_CONTEXT_ALREADY_CURRENT", Invalid),
    (205, "CUDA_ERROR_MAP_FAILED", Invalid),
    (206, "CUDA_ERROR_UNMAP_FAILED", Invalid),
    (207, "CUDA_ERROR_ARRAY_IS_MAPPED", Invalid),
    (208, "CUDA_ERROR_ALREADY_MAPPED", Invalid),
    (209, "CUDA_ERROR_NO_BINARY_FOR_GPU", Unavailable),
    (210, "CUDA_ERROR_ALREADY_ACQUIRED", Invalid),
    (211, "CUDA_ERROR_NOT_MAPPED", Invalid),
    (212, "CUDA_ERROR_NOT_MAPPED_AS_ARRAY", Invalid),
    (213, "CUDA_ERROR_NOT_MAPPED_AS_POINTER", Invalid),
    (214, "CUDA_ERROR_ECC_UNCORRECTABLE", Poisoned),
    (215, "CUDA_ERROR_UNSUPPORTED_LIMIT", Unavailable),
    (216, "CUDA_ERROR_CONTEXT_ALREADY_IN_USE", Invalid),
    (217, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED", Unavailable),
    (218, "CUDA_ERROR_INVALID_PTX", Invalid),
    (219, "CUDA_ERROR_INVALID_GRAPHICS_CONTEXT", Invalid),
    (220, "CUDA_ERROR_NVLINK_UNCORRECTABLE", Poisoned),
    (221, "CUDA_ERROR_JIT_COMPILER_NOT_FOUND", Unavailable),
    (222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", Unavailable),
    (223, "CUDA_ERROR_JIT_COMPILATION_DISABLED", Unavailable),
    (224, "CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY", Unavailable),
    (225, "CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC", Invalid),
    (226, "CUDA_ERROR_CONTAINED", Poisoned),
    (227, "CUDA_ERROR_INSUFFICIENT_LOADER_VERSION", Unavailable),
    (300, "CUDA_ERROR_INVALID_SOURCE", Invalid),
    (301, "CUDA_ERROR_FILE_NOT_FOUND", Invalid),
    (302, "CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND", Unavailable),
    (303, "CUDA_ERROR_SHARED_OBJECT_INIT_FAILED", Unavailable),
    (304, "CUDA_ERROR_OPERATING_SYSTEM", Unavailable),
    (400, "CUDA_ERROR_INVALID_HANDLE", Invalid),
    (401, "CUDA_ERROR_ILLEGAL_STATE", Invalid),
    (402, "CUDA_ERROR_LOSSY_QUERY", Invalid),
    (500, "CUDA_ERROR_NOT_FOUND", Invalid),
    (600, "CUDA_ERROR_NOT_READY", Transient),
    (700, "CUDA_ERROR_ILLEGAL_ADDRESS", Poisoned),
    (701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", Invalid),
    (702, "CUDA_ERROR_LAUNCH_TIMEOUT", Poisoned),
    (703, "CUDA_ERROR_LAUNCH_INCOMPATIBLE_TEXTURING", Invalid),
    (704, "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED", Invalid),
    (705, "CUDA_ERROR_PEER_ACCESS_NOT_ENABLED", Invalid),
    (708, "CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", Invalid),
    (709, "CUDA_ERROR_CONTEXT_IS_DESTROYED", Poisoned),
    (710, "CUDA_ERROR_ASSERT", Poisoned),
    (711, "CUDA_ERROR_TOO_MANY_PEERS", Exhausted),
    (712, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", Invalid),
    (713, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", Invalid),
    (714, "CUDA_ERROR_HARDWARE_STACK_ERROR", Poisoned),
    (715, "CUDA_ERROR_ILLEGAL_INSTRUCTION", Poisoned),
    (716, "CUDA_ERROR_MISALIGNED_ADDRESS", Poisoned),
    (717, "CUDA_ERROR_INVALID_ADDRESS_SPACE", Poisoned),
    (718, "CUDA_ERROR_INVALID_PC", Poisoned),
    (719, "CUDA_ERROR_LAUNCH_FAILED", Poisoned),
    (720, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", Invalid),
    (721, "CUDA_ERROR_TENSOR_MEMORY_LEAK", Poisoned),
    (800, "CUDA_ERROR_NOT_PERMITTED", Invalid),
    (801, "CUDA_ERROR_NOT_SUPPORTED", Unavailable),
    (802, "CUDA_ERROR_SYSTEM_NOT_READY", Transient),
    (803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", Unavailable),
    (804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", Unavailable),
    (805, "CUDA_ERROR_MPS_CONNECTION_FAILED", Transient),
    (806, "CUDA_ERROR_MPS_RPC_FAILURE", Transient),
    (807, "CUDA_ERROR_MPS_SERVER_NOT_READY", Transient),
    (808, "CUDA_ERROR_MPS_MAX_CLIENTS_REACHED", Exhausted),
    (809, "CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED", Exhausted),
    (810, "CUDA_ERROR_MPS_CLIENT_TERMINATED", Poisoned),
    (811, "CUDA_ERROR_CDP_NOT_SUPPORTED", Unavailable),
    (812, "CUDA_ERROR_CDP_VERSION_MISMATCH", Invalid),
    (900, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", Invalid),
    (901, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", Invalid),
    (902, "CUDA_ERROR_STREAM_CAPTURE_MERGE", Invalid),
    (903, "CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", Invalid),
    (904, "CUDA_ERROR_STREAM_CAPTURE_UNJOINED", Invalid),
    (905, "CUDA_ERROR_STREAM_CAPTURE_ISOLATION", Invalid),
    (906, "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT", Invalid),
    (907, "CUDA_ERROR_CAPTURED_EVENT", Invalid),
    (908, "CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", Invalid),
    (909, "CUDA_ERROR_TIMEOUT", Transient),
    (910, "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE", Invalid),
    (911, "CUDA_ERROR_EXTERNAL_DEVICE", Poisoned),
    (912, "CUDA_ERROR_INVALID_CLUSTER_SIZE", Invalid),
    (913, "CUDA_ERROR_FUNCTION_NOT_LOADED", Invalid),
    (914, "CUDA_ERROR_INVALID_RESOURCE_TYPE", Invalid),
    (915, "CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION", Invalid),
    (916, "CUDA_ERROR_KEY_ROTATION", Transient),
    (917, "CUDA_ERROR_STREAM_DETACHED", Invalid),
    (918, "CUDA_ERROR_GRAPH_RECAPTURE_FAILURE", Invalid),
    (919, "CUDA_ERROR_FABRIC_NOT_READY", Transient),
    (999, "CUDA_ERROR_UNKNOWN", Invalid),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_and_every_name_is_listed_once() {
        assert!(CODES.is_sorted_by(|earlier, later| earlier.0 < later.0));
        let mut names: Vec<_> = CODES.iter().map(|&(_, name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CODES.len());
    }

    #[test]
    fn the_codes_after_which_no_call_succeeds_are_poisoned_and_no_other() {
        let poisoned: Vec<_> =
            CODES.iter().filter(|entry| entry.2 == Poisoned).map(|entry| entry.0).collect();
        assert_eq!(
            poisoned,
            [214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721, 810, 911]
        );
    }

    #[test]
    fn codes_newer_than_the_bindings_have_names() {
        let newer = [36, 46, 47, 402, 721, 810, 811, 812];
        for code in newer.into_iter().chain(225..=227).chain(912..=919) {
            assert!(name(code).starts_with("CUDA_ERROR_"), "{code}");
        }
    }

    #[test]
    fn an_unknown_code_is_neither_retried_nor_allowed_to_condemn_the_device() {
        for code in [-1, 0, 35, 998, i32::MAX] {
            assert_eq!((name(code), kind(code)), ("an unknown CUDA error", Invalid), "{code}");
        }
    }

    #[test]
    fn a_kind_says_what_to_do() {
        let expected = [
            (2, Exhausted),
            (600, Transient),
            (909, Transient),
            (34, Unavailable),
            (100, Unavailable),
            (222, Unavailable),
            (801, Unavailable),
            (1, Invalid),
            (701, Invalid),
            (999, Invalid),
        ];
        for (code, kind_expected) in expected {
            assert_eq!(kind(code), kind_expected, "{}", name(code));
        }
    }
}
