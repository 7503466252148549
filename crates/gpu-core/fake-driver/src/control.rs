//! What a test asks of the fake, beside the driver's own functions: `fake_reset`, `fake_fail`, `fake_heal` and `fake_report`.

use std::ffi::{CStr, c_char, c_uint, c_void};

use crate::code::Code;
use crate::driver::{Driver, lock};
use crate::journal::{Failure, Lasting};

/// Starts over with nothing alive, another seed and so many devices. Nothing that the driver gave out may be used afterwards.
#[unsafe(no_mangle)]
unsafe extern "C" fn fake_reset(seed: u64, devices: c_uint) {
    *lock() = Driver::new(seed, devices as usize);
}

/// Makes calls fail, counted from now: call number `first` of `function` (of any, if null) with `code`. `lasting` is 0 for once,
/// 1 for every one from then on, 2 for a sticky fault.
#[unsafe(no_mangle)]
unsafe extern "C" fn fake_fail(function: *const c_char, first: u64, lasting: c_uint, code: c_uint) {
    let function = (!function.is_null()).then(|| {
        // SAFETY: the client passes a text that ends with a zero.
        let name = unsafe { CStr::from_ptr(function) };
        name.to_string_lossy().into_owned()
    });
    let lasting = match lasting {
        0 => Lasting::Once,
        1 => Lasting::Always,
        _ => Lasting::Sticky,
    };
    let failure = Failure { function, first, lasting, code: Code(code), seen: 0 };
    lock().journal.failures.push(failure);
}

/// Makes no call fail any more. A context that was lost stays lost.
#[unsafe(no_mangle)]
unsafe extern "C" fn fake_heal() {
    lock().journal.failures.clear();
}

/// Takes one line of a report: where it goes, its bytes, how many.
type Visit = unsafe extern "C" fn(*mut c_void, *const u8, usize);

/// Tells a report line by line: 0 violations, 1 what is alive, 2 counters, 3 calls with thread and result, 4 calls of each function.
#[unsafe(no_mangle)]
unsafe extern "C" fn fake_report(what: c_uint, visit: Visit, target: *mut c_void) {
    let lines = report(&mut lock(), what);
    for line in lines {
        // SAFETY: the client passes a function that takes a line and its own target.
        unsafe { visit(target, line.as_ptr(), line.len()) };
    }
}

fn report(driver: &mut Driver, what: c_uint) -> Vec<String> {
    driver.audit();
    let journal = &driver.journal;
    let alive = || driver.alive().into_iter().filter(|&(_, count)| count > 0);
    match what {
        0 => journal.violations.clone(),
        1 => alive().map(|(kind, count)| format!("{count} {kind}")).collect(),
        2 => vec![
            format!("{} pageable copies", journal.pageable_copies),
            format!("{} default stream calls", journal.default_stream_calls),
        ],
        3 => journal
            .calls
            .iter()
            .map(|call| format!("{} {} {}", call.thread, call.result, call.name))
            .collect(),
        _ => journal.counts.iter().map(|(name, count)| format!("{count} {name}")).collect(),
    }
}
