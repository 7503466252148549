//! Loaded images, and the entry points in them.
//!
//! An entry point keeps its image loaded, and the image its context. Unloading never waits for work in flight: the
//! owner has settled the device.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex, PoisonError};

use cust::error::CudaError;
use cust::module::Module as Image;
use cust_raw::{CUfunc_st, CUfunction_attribute_enum as Attribute};

use super::raw::{self, Handle};
use super::{Context, properties};
use crate::error::{Error, Result};
use crate::image::KernelImage;
use crate::launch::{Cooperation, KernelAttributes, Launch, LaunchContract};

/// What a fatbin starts with.
const FATBIN_MAGIC: [u8; 4] = [0x50, 0xed, 0x55, 0xba];

/// Static and dynamic shared memory that a block gets without asking, on every device.
const SHARED_BYTES_UNASKED: u32 = 48 << 10;

/// A loaded image.
#[derive(Clone, Debug)]
pub(crate) struct Module {
    loaded: Arc<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    /// Taken by `drop`, which alone can bind the context for it.
    image: ManuallyDrop<Image>,
    /// Dynamic shared memory granted to each entry point, in bytes.
    ///
    /// Invariant: never falls, because a launch that was prepared for more may still come.
    granted: Mutex<BTreeMap<&'static str, u32>>,
    context: Arc<Context>,
}

impl Module {
    pub(super) fn load(context: Arc<Context>, image: &KernelImage) -> Result<Self> {
        context.bind()?;
        let call = "cuModuleLoadDataEx";
        let image = match image {
            // For the driver a text ends at its first zero, and `cust` would panic.
            KernelImage::Ptx(text) if !text.contains('\0') => Image::from_ptx(text, &[]),
            KernelImage::Binary(bytes) if is_whole(bytes) => Image::from_cubin(bytes, &[]),
            // The driver's own word for what it must not be given.
            _ => return Err(Error::Driver { call, code: raw::INVALID_IMAGE }),
        };
        let image = ManuallyDrop::new(raw::check_cust(call, image)?);
        let granted = Mutex::default();
        Ok(Self { loaded: Arc::new(Loaded { image, granted, context }) })
    }

    /// The entry point of `contract`, allowed as much shared memory as `launch` needs.
    pub(crate) fn function(&self, contract: &LaunchContract, launch: &Launch) -> Result<Function> {
        let kernel = contract.entry;
        self.loaded.context.bind()?;
        if kernel.contains('\0') {
            return Err(Error::SymbolMissing { kernel });
        }
        let found = self.loaded.image.get_function(kernel);
        let function = match raw::check_cust("cuModuleGetFunction", found) {
            Err(Error::Driver { code: raw::NOT_FOUND, .. }) => {
                return Err(Error::SymbolMissing { kernel });
            }
            result => result?,
        };
        let handle = Handle(function.to_raw());
        let loaded = Arc::clone(&self.loaded);
        let function = Function { handle, cooperation: contract.cooperation, loaded };
        let attributes = function.attributes()?;
        if launch.threads() > u64::from(attributes.threads_max) {
            return Err(Error::Threads {
                kernel,
                threads: launch.threads(),
                min: contract.threads_min,
                max: attributes.threads_max,
                multiple: contract.threads_multiple,
            });
        }
        function.grant(kernel, attributes.shared_bytes, launch.shared_bytes)?;
        Ok(function)
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        self.context.release(|| {
            // SAFETY: nothing uses the image after this.
            let image = unsafe { ManuallyDrop::take(&mut self.image) };
            raw::check_cust("cuModuleUnload", Image::drop(image).map_err(keep))
        });
    }
}

/// Leaves an image loaded that could not be unloaded.
fn keep((error, image): (CudaError, Image)) -> CudaError {
    std::mem::forget(image);
    error
}

/// An entry point.
#[derive(Debug)]
pub(crate) struct Function {
    pub(super) handle: Handle<CUfunc_st>,
    pub(super) cooperation: Cooperation,
    loaded: Arc<Loaded>,
}

impl Function {
    pub(crate) fn attributes(&self) -> Result<KernelAttributes> {
        self.loaded.context.bind()?;
        Ok(KernelAttributes {
            registers: self.attribute(Attribute::CU_FUNC_ATTRIBUTE_NUM_REGS)?,
            shared_bytes: self.attribute(Attribute::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)?,
            local_bytes: self.attribute(Attribute::CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES)?,
            threads_max: self.attribute(Attribute::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?,
            dynamic_shared_bytes_max: self
                .attribute(Attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)?,
        })
    }

    /// The context is bound.
    fn attribute(&self, attribute: Attribute) -> Result<u32> {
        let mut value = 0;
        // SAFETY: the function lives as long as its module, and the driver writes one integer.
        unsafe { raw::call!(cuFuncGetAttribute(&raw mut value, attribute, self.handle.0)) }?;
        Ok(u32::try_from(value).unwrap_or(0))
    }

    pub(crate) fn blocks_per_multiprocessor(&self, launch: &Launch) -> Result<u32> {
        self.loaded.context.bind()?;
        let mut blocks = 0;
        let threads = c_int::try_from(launch.threads()).unwrap_or(c_int::MAX);
        let shared_bytes = launch.shared_bytes as usize;
        let (out, function) = (&raw mut blocks, self.handle.0);
        // SAFETY: the function lives as long as its module, and the driver writes one integer.
        unsafe {
            raw::call!(cuOccupancyMaxActiveBlocksPerMultiprocessor(
                out,
                function,
                threads,
                shared_bytes
            ))
        }?;
        Ok(u32::try_from(blocks).unwrap_or(0))
    }

    /// Opts in to `dynamic` bytes of shared memory beside `fixed` ones, where a block does not get them unasked.
    fn grant(&self, kernel: &'static str, fixed: u32, dynamic: u32) -> Result<()> {
        let bytes = fixed.saturating_add(dynamic);
        if bytes <= SHARED_BYTES_UNASKED {
            return Ok(());
        }
        let context = &self.loaded.context;
        let max = properties::shared_bytes_per_block_optin(context.device)?;
        if bytes > max {
            return Err(Error::Shared { kernel, bytes, max });
        }
        // Held across the call, so that two threads cannot set their sizes in the wrong order.
        let mut granted = self.loaded.granted.lock().unwrap_or_else(PoisonError::into_inner);
        let before = granted.entry(kernel).or_default();
        if dynamic <= *before {
            return Ok(());
        }
        let attribute = Attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        let value = c_int::try_from(dynamic).unwrap_or(c_int::MAX);
        context.bind()?;
        // SAFETY: the function lives as long as its module; the value is checked by the driver.
        unsafe { raw::call!(cuFuncSetAttribute(self.handle.0, attribute, value)) }?;
        *before = dynamic;
        Ok(())
    }
}

/// Whether a binary image is as long as its own header says.
///
/// The driver is not told the length and trusts the header, so it would read past the end of a truncated image.
/// What is neither a cubin (an ELF file) nor a fatbin is text, which `cust` ends with a zero.
fn is_whole(image: &[u8]) -> bool {
    let field = |offset: usize, bytes: usize| {
        let bytes = image.get(offset..offset + bytes)?;
        let value = bytes.iter().rev().fold(0, |value, &byte| (value << 8) | u64::from(byte));
        usize::try_from(value).ok()
    };
    let table_end = |offset, entry_bytes, count| {
        let bytes = field(entry_bytes, 2)?.checked_mul(field(count, 2)?)?;
        field(offset, 8)?.checked_add(bytes)
    };
    let end = if image.starts_with(b"\x7fELF") {
        // Both tables of the file: of its segments and of its sections.
        let segments = table_end(0x20, 0x36, 0x38);
        segments.zip(table_end(0x28, 0x3a, 0x3c)).map(|(segments, sections)| segments.max(sections))
    } else if image.starts_with(&FATBIN_MAGIC) {
        field(6, 2).and_then(|header| header.checked_add(field(8, 8)?))
    } else {
        Some(0)
    };
    end.is_some_and(|end| end <= image.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF file of `bytes` bytes whose section table, two entries of 64 bytes, ends at byte 256.
    fn elf(bytes: usize) -> Vec<u8> {
        let mut image = vec![0; bytes.max(64)];
        image[..4].copy_from_slice(b"\x7fELF");
        (image[0x28], image[0x3a], image[0x3c]) = (128, 64, 2);
        image.truncate(bytes);
        image
    }

    #[test]
    fn a_truncated_image_never_reaches_the_driver() {
        assert!(is_whole(&elf(256)));
        for bytes in 4..256 {
            assert!(!is_whole(&elf(bytes)), "{bytes} bytes");
        }
        let mut fatbin = [FATBIN_MAGIC.as_slice(), &[1, 0, 16, 0, 32], &[0; 39]].concat();
        assert!(is_whole(&fatbin));
        fatbin.pop();
        assert!(!is_whole(&fatbin));
        assert!(!is_whole(&FATBIN_MAGIC));
        fatbin[15] = 0xff;
        assert!(!is_whole(&fatbin), "a length beyond any memory");
    }

    #[test]
    fn what_is_no_binary_is_left_for_the_driver_to_judge() {
        assert!(is_whole(b".version 8.0"));
        assert!(is_whole(b""));
    }
}
