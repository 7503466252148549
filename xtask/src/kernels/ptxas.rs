//! What `ptxas -v` says about each kernel: registers, shared memory, stack and spills.
//!
//! Never runs a program: it reads text, and text it does not know is skipped.

use serde::{Deserialize, Serialize};

/// The resources of one entry function on one architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KernelUse {
    pub(crate) name: String,
    pub(crate) arch: String,
    pub(crate) registers: u32,
    /// Static shared memory; what a launch asks for on top is not known here.
    pub(crate) shared_bytes: u64,
    pub(crate) stack_bytes: u64,
    pub(crate) spill_store_bytes: u64,
    pub(crate) spill_load_bytes: u64,
}

impl KernelUse {
    pub(crate) fn spills(&self) -> bool {
        self.spill_store_bytes > 0 || self.spill_load_bytes > 0
    }
}

/// Reads the report of one compilation, kernels sorted by name and architecture.
///
/// Functions that were not inlined have lines of their own behind the entry they belong to; their
/// spills count for that entry, since it is the entry that pays for them.
pub(crate) fn parse(text: &str) -> Vec<KernelUse> {
    let mut kernels: Vec<KernelUse> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = after(line, "Compiling entry function '") {
            kernels.extend(entry(rest));
        } else if let Some(kernel) = kernels.last_mut() {
            if line.contains("bytes stack frame") {
                add_frame(kernel, line);
            } else if let Some(rest) = after(line, ": Used ") {
                add_use(kernel, rest);
            }
        }
    }
    kernels.sort_by(|a, b| (&a.name, &a.arch).cmp(&(&b.name, &b.arch)));
    kernels
}

/// `saxpy' for 'sm_90'`
fn entry(rest: &str) -> Option<KernelUse> {
    let mut words = rest.split('\'');
    let name = words.next()?.to_owned();
    let arch = words.nth(1)?.to_owned();
    Some(KernelUse {
        name,
        arch,
        registers: 0,
        shared_bytes: 0,
        stack_bytes: 0,
        spill_store_bytes: 0,
        spill_load_bytes: 0,
    })
}

/// `1792 bytes stack frame, 2352 bytes spill stores, 2152 bytes spill loads`
fn add_frame(kernel: &mut KernelUse, line: &str) {
    for part in line.split(',') {
        let bytes = leading_number(part);
        if part.contains("stack frame") {
            kernel.stack_bytes = kernel.stack_bytes.max(bytes);
        } else if part.contains("spill stores") {
            kernel.spill_store_bytes += bytes;
        } else if part.contains("spill loads") {
            kernel.spill_load_bytes += bytes;
        }
    }
}

/// `32 registers, used 1 barriers, 1792 bytes cumulative stack size, 8192 bytes smem, 400 bytes cmem[0]`
fn add_use(kernel: &mut KernelUse, rest: &str) {
    for part in rest.split(',') {
        let number = leading_number(part);
        if part.contains("registers") {
            kernel.registers = u32::try_from(number).unwrap_or(u32::MAX);
        } else if part.contains("cumulative stack size") {
            kernel.stack_bytes = kernel.stack_bytes.max(number);
        } else if part.trim_end().ends_with("smem") {
            kernel.shared_bytes = number;
        }
    }
}

fn after<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.split_once(mark).map(|(_, rest)| rest)
}

fn leading_number(part: &str) -> u64 {
    part.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by nvcc 13.0.88 for a file with two entry functions.
    const CAPTURED: &str = "\
ptxas info    : 272 bytes gmem
ptxas info    : Compiling entry function 'spilling' for 'sm_90'
ptxas info    : Function properties for spilling
    1792 bytes stack frame, 2352 bytes spill stores, 2152 bytes spill loads
ptxas info    : Used 32 registers, used 1 barriers, 1792 bytes cumulative stack size, 8192 bytes smem
ptxas info    : Compile time = 35.643 ms
ptxas info    : Function properties for __internal_trig_reduction_slowpathd
    40 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads
ptxas info    : Compiling entry function 'saxpy' for 'sm_90'
ptxas info    : Function properties for saxpy
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 10 registers, used 0 barriers
ptxas info    : Compile time = 1.314 ms
";

    #[test]
    fn every_entry_function_is_read_with_its_resources() {
        let kernels = parse(CAPTURED);
        let names: Vec<&str> = kernels.iter().map(|kernel| kernel.name.as_str()).collect();
        assert_eq!(names, ["saxpy", "spilling"]);
        let saxpy = &kernels[0];
        assert_eq!((saxpy.arch.as_str(), saxpy.registers), ("sm_90", 10));
        assert_eq!((saxpy.shared_bytes, saxpy.stack_bytes, saxpy.spills()), (0, 0, false));
        let spilling = &kernels[1];
        assert_eq!((spilling.registers, spilling.shared_bytes), (32, 8192));
        assert_eq!(spilling.stack_bytes, 1792);
    }

    #[test]
    fn spills_of_a_called_function_count_for_its_entry() {
        let spilling = &parse(CAPTURED)[1];
        assert_eq!((spilling.spill_store_bytes, spilling.spill_load_bytes), (2360, 2156));
        assert!(spilling.spills());
    }

    #[test]
    fn two_architectures_are_two_rows() {
        let text = CAPTURED.replace("sm_90", "sm_80") + CAPTURED;
        let kernels = parse(&text);
        assert_eq!(kernels.len(), 4);
        assert_eq!((kernels[0].arch.as_str(), kernels[1].arch.as_str()), ("sm_80", "sm_90"));
    }

    #[test]
    fn text_without_kernels_gives_no_rows() {
        assert_eq!(parse("ptxas info    : 0 bytes gmem\nUsed 3 registers\n"), []);
    }
}
