//! Images, the entry points in them, and their launches.
//!
//! An image is text: PTX, of which only the heads of the entry points are read, or the fake's own word followed by names.

use crate::attribute;
use crate::code::{
    COOPERATIVE_TOO_LARGE, INVALID_HANDLE, INVALID_IMAGE, INVALID_PTX, INVALID_VALUE, NOT_FOUND,
    Outcome,
};
use crate::driver::Driver;
use crate::kernel::{self, Kernel, Ranges};
use crate::op::Op;

/// What an image of the fake's own starts with; the names of kernels follow.
const MAGIC: &str = "fake image:";

/// Dynamic shared memory that a block gets without asking.
const SHARED_BYTES_UNASKED: i32 = 48 << 10;

/// `CU_FUNC_ATTRIBUTE_...` of what the fake tells: most threads, static shared and local memory, registers, dynamic shared memory.
const THREADS_MAX: i32 = 0;
const SHARED_BYTES: i32 = 1;
const LOCAL_BYTES: i32 = 3;
const REGISTERS: i32 = 4;
const DYNAMIC_SHARED_BYTES: i32 = 8;

/// A loaded image.
#[derive(Debug)]
pub(crate) struct Module {
    kernels: Vec<&'static Kernel>,
}

/// An entry point of a loaded image.
#[derive(Debug)]
pub(crate) struct Function {
    module: u64,
    pub(crate) kernel: &'static Kernel,
    dynamic_shared_bytes: i32,
}

/// The shape of a launch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    pub(crate) shared_bytes: u32,
    pub(crate) is_cooperative: bool,
}

impl Shape {
    fn threads(&self) -> u64 {
        self.block.iter().map(|&side| u64::from(side)).product()
    }

    fn blocks(&self) -> u64 {
        self.grid.iter().map(|&side| u64::from(side)).product()
    }

    fn fits(&self, dynamic_shared_bytes: i32) -> bool {
        let within = |sides: [u32; 3], max: [u32; 3]| {
            sides.iter().zip(max).all(|(side, max)| (1..=max).contains(side))
        };
        let granted = u32::try_from(dynamic_shared_bytes).unwrap_or(0);
        within(self.grid, attribute::GRID_MAX)
            && within(self.block, attribute::BLOCK_MAX)
            && self.threads() <= u64::from(attribute::THREADS_PER_BLOCK_MAX)
            && self.shared_bytes <= granted
    }
}

impl Driver {
    pub(crate) fn load(&mut self, text: &str) -> Outcome<u64> {
        self.current()?;
        let kernels = kernels_in(text)?;
        let handle = self.handle();
        self.modules.insert(handle, Module { kernels });
        Ok(handle)
    }

    pub(crate) fn unload(&mut self, module: u64) -> Outcome {
        self.current()?;
        if self.modules.remove(&module).is_none() {
            self.journal.violation("a module was unloaded that is not there");
            return Err(INVALID_HANDLE);
        }
        self.functions.retain(|_, function| function.module != module);
        if self.queues.values().any(|queue| queue.runs(module)) {
            self.journal.violation("a module was unloaded while a kernel of it was queued");
        }
        Ok(())
    }

    pub(crate) fn get_function(&mut self, module: u64, name: &str) -> Outcome<u64> {
        self.current()?;
        let Some(loaded) = self.modules.get(&module) else {
            self.journal.violation("a module was used that is not there");
            return Err(INVALID_HANDLE);
        };
        let found = loaded.kernels.iter().copied().find(|kernel| kernel.name == name);
        let kernel = found.ok_or(NOT_FOUND)?;
        let is_same =
            |function: &Function| function.module == module && function.kernel.name == name;
        if let Some((&handle, _)) = self.functions.iter().find(|(_, function)| is_same(function)) {
            return Ok(handle);
        }
        let handle = self.handle();
        let function = Function { module, kernel, dynamic_shared_bytes: SHARED_BYTES_UNASKED };
        self.functions.insert(handle, function);
        Ok(handle)
    }

    pub(crate) fn function(&mut self, handle: u64) -> Outcome<&mut Function> {
        self.current()?;
        if !self.functions.contains_key(&handle) {
            self.journal.violation("a kernel was used whose module is not there");
        }
        self.functions.get_mut(&handle).ok_or(INVALID_HANDLE)
    }

    pub(crate) fn function_attribute(&mut self, handle: u64, attribute: i32) -> Outcome<i32> {
        let function = self.function(handle)?;
        match attribute {
            THREADS_MAX => {
                i32::try_from(attribute::THREADS_PER_BLOCK_MAX).map_err(|_| INVALID_VALUE)
            }
            SHARED_BYTES | LOCAL_BYTES => Ok(0),
            REGISTERS => Ok(24),
            DYNAMIC_SHARED_BYTES => Ok(function.dynamic_shared_bytes),
            _ => Err(INVALID_VALUE),
        }
    }

    pub(crate) fn set_function_attribute(
        &mut self,
        handle: u64,
        attribute: i32,
        value: i32,
    ) -> Outcome {
        let function = self.function(handle)?;
        if attribute != DYNAMIC_SHARED_BYTES || !(0..=attribute::SHARED_OPTIN).contains(&value) {
            return Err(INVALID_VALUE);
        }
        function.dynamic_shared_bytes = value;
        Ok(())
    }

    /// Blocks of so many threads that fit on one multiprocessor.
    pub(crate) fn occupancy(
        &mut self,
        handle: u64,
        threads: i32,
        shared_bytes: usize,
    ) -> Outcome<i32> {
        self.function(handle)?;
        let threads = usize::try_from(threads).ok().filter(|&threads| threads > 0);
        let warps = threads.ok_or(INVALID_VALUE)?.div_ceil(32);
        let by_shared = attribute::SHARED_PER_MULTIPROCESSOR / (shared_bytes + 1024);
        let blocks = (attribute::WARPS_PER_MULTIPROCESSOR / warps).min(32).min(by_shared);
        i32::try_from(blocks).map_err(|_| INVALID_VALUE)
    }

    pub(crate) fn launch(
        &mut self,
        handle: u64,
        shape: Shape,
        stream: u64,
        params: Vec<u64>,
    ) -> Outcome {
        let stream = self.stream(stream)?;
        let function = self.function(handle)?;
        let (kernel, module) = (function.kernel, function.module);
        if !shape.fits(function.dynamic_shared_bytes) {
            return Err(INVALID_VALUE);
        }
        if shape.is_cooperative {
            let threads = i32::try_from(shape.threads()).map_err(|_| INVALID_VALUE)?;
            let resident = self.occupancy(handle, threads, shape.shared_bytes as usize)?;
            let resident = u64::try_from(resident).unwrap_or(0) * attribute::MULTIPROCESSORS;
            if shape.blocks() > resident {
                return Err(COOPERATIVE_TOO_LARGE);
            }
        }
        let Ranges { reads, writes } = (kernel.ranges)(&params);
        let mut find = |ranges: Vec<kernel::Range>| -> Outcome<Vec<_>> {
            ranges.into_iter().map(|(address, bytes)| self.device_span(address, bytes)).collect()
        };
        let (reads, writes) = (find(reads)?, find(writes)?);
        let threads = shape.blocks() * shape.threads();
        self.submit(stream, Op::Launch { kernel, params, reads, writes, threads, module })
    }
}

/// The kernels that an image has.
fn kernels_in(text: &str) -> Outcome<Vec<&'static Kernel>> {
    if let Some(names) = text.strip_prefix(MAGIC) {
        return names
            .split_whitespace()
            .map(|name| kernel::find(name).ok_or(INVALID_IMAGE))
            .collect();
    }
    if !text.trim_start().starts_with(".version") {
        return Err(INVALID_IMAGE);
    }
    let mut kernels = Vec::new();
    for entry in text.split(".entry").skip(1) {
        let (name, rest) = entry.split_once('(').ok_or(INVALID_PTX)?;
        let (params, _) = rest.split_once(')').ok_or(INVALID_PTX)?;
        // A kernel that the fake does not know is as if it were not in the image.
        let Some(kernel) = kernel::find(name.trim()) else { continue };
        let params = params.split(".param").skip(1);
        let widths = params.map(|param| if param.contains("64") { 8 } else { 4 });
        if !widths.eq(kernel.widths.iter().copied()) {
            return Err(INVALID_PTX);
        }
        kernels.push(kernel);
    }
    Ok(kernels)
}
