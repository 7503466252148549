//! What a device is, as its driver, the system and the management library tell it. Needs no context.

use std::ffi::{CStr, c_char, c_int};
use std::path::Path;

use cust::device::Device;
use cust_raw::CUdevice_attribute_enum::{
    self as Attribute, CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT as ASYNC_ENGINE_COUNT,
    CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM as SAME_POINTER_WHEN_REGISTERED,
    CU_DEVICE_ATTRIBUTE_CLOCK_RATE as CLOCK_RATE,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as COMPUTE_CAPABILITY_MAJOR,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as COMPUTE_CAPABILITY_MINOR,
    CU_DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED as COMPUTE_PREEMPTION_SUPPORTED,
    CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS as CONCURRENT_KERNELS,
    CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH as COOPERATIVE_LAUNCH,
    CU_DEVICE_ATTRIBUTE_ECC_ENABLED as ECC_ENABLED,
    CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH as GLOBAL_MEMORY_BUS_WIDTH,
    CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED as HOST_REGISTER_SUPPORTED,
    CU_DEVICE_ATTRIBUTE_INTEGRATED as INTEGRATED,
    CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE as L2_CACHE_SIZE,
    CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X as MAX_BLOCK_DIM_X,
    CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y as MAX_BLOCK_DIM_Y,
    CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z as MAX_BLOCK_DIM_Z,
    CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR as MAX_BLOCKS_PER_MULTIPROCESSOR,
    CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X as MAX_GRID_DIM_X,
    CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y as MAX_GRID_DIM_Y,
    CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z as MAX_GRID_DIM_Z,
    CU_DEVICE_ATTRIBUTE_MAX_PERSISTING_L2_CACHE_SIZE as MAX_PERSISTING_L2_CACHE_SIZE,
    CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK as MAX_REGISTERS_PER_BLOCK,
    CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR as MAX_REGISTERS_PER_MULTIPROCESSOR,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK as MAX_SHARED_MEMORY_PER_BLOCK,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN as MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR as MAX_SHARED_MEMORY_PER_MULTIPROCESSOR,
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK as MAX_THREADS_PER_BLOCK,
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR as MAX_THREADS_PER_MULTIPROCESSOR,
    CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE as MEMORY_CLOCK_RATE,
    CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED as MEMORY_POOLS_SUPPORTED,
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT as MULTIPROCESSOR_COUNT,
    CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS as PAGEABLE_MEMORY_ACCESS,
    CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK as RESERVED_SHARED_MEMORY_PER_BLOCK,
    CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY as TOTAL_CONSTANT_MEMORY,
    CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING as UNIFIED_ADDRESSING,
    CU_DEVICE_ATTRIBUTE_WARP_SIZE as WARP_SIZE,
};
use cust_raw::{CUdevice, CUuuid};

use super::{raw, symbols, telemetry};
use crate::error::Result;
use crate::properties::{BackendKind, Capability, DeviceProperties};

/// `CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH`, which is newer than the bindings.
const CLUSTER_LAUNCH: c_int = 120;

/// Longer than any name or bus id.
const TEXT_BYTES: u8 = 255;

/// Where the system describes what hangs on its buses.
const BUS: &str = "/sys/bus/pci/devices";

/// Reads device `ordinal`. An attribute that the driver does not know is 0 or false.
pub(super) fn read(ordinal: u32, device: Device) -> Result<DeviceProperties> {
    let number = |name: Attribute| attribute(device, name as c_int);
    let flag = |name: Attribute| number(name).map(|value| value != 0);
    let pci_bus_id = pci_bus_id(device.as_raw())?;
    Ok(DeviceProperties {
        backend: BackendKind::Cuda,
        ordinal,
        name: name(device.as_raw())?,
        capability: Some(Capability::new(
            number(COMPUTE_CAPABILITY_MAJOR)?,
            number(COMPUTE_CAPABILITY_MINOR)?,
        )),
        driver_version: Some(driver_version()?),
        driver_release: telemetry::driver_release(),
        uuid: uuid(device.as_raw())?,
        numa_node: numa_node(Path::new(BUS), &pci_bus_id),
        pci_bus_id,
        multiprocessors: number(MULTIPROCESSOR_COUNT)?,
        warp_size: number(WARP_SIZE)?,
        threads_per_block_max: number(MAX_THREADS_PER_BLOCK)?,
        threads_per_multiprocessor_max: number(MAX_THREADS_PER_MULTIPROCESSOR)?,
        blocks_per_multiprocessor_max: number(MAX_BLOCKS_PER_MULTIPROCESSOR)?,
        block_max: [number(MAX_BLOCK_DIM_X)?, number(MAX_BLOCK_DIM_Y)?, number(MAX_BLOCK_DIM_Z)?],
        grid_max: [number(MAX_GRID_DIM_X)?, number(MAX_GRID_DIM_Y)?, number(MAX_GRID_DIM_Z)?],
        registers_per_block: number(MAX_REGISTERS_PER_BLOCK)?,
        registers_per_multiprocessor: number(MAX_REGISTERS_PER_MULTIPROCESSOR)?,
        shared_bytes_per_block: number(MAX_SHARED_MEMORY_PER_BLOCK)?,
        shared_bytes_per_block_optin: number(MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
        shared_bytes_per_multiprocessor: number(MAX_SHARED_MEMORY_PER_MULTIPROCESSOR)?,
        shared_bytes_reserved_per_block: number(RESERVED_SHARED_MEMORY_PER_BLOCK)?,
        constant_bytes: number(TOTAL_CONSTANT_MEMORY)?,
        l2_bytes: number(L2_CACHE_SIZE)?,
        l2_persisting_bytes_max: number(MAX_PERSISTING_L2_CACHE_SIZE)?,
        memory_bytes: raw::check_cust("cuDeviceTotalMem_v2", device.total_memory())? as u64,
        memory_bus_bits: number(GLOBAL_MEMORY_BUS_WIDTH)?,
        memory_clock_khz: number(MEMORY_CLOCK_RATE)?,
        clock_khz: number(CLOCK_RATE)?,
        copy_engines: number(ASYNC_ENGINE_COUNT)?,
        has_concurrent_kernels: flag(CONCURRENT_KERNELS)?,
        has_cooperative_launch: flag(COOPERATIVE_LAUNCH)?,
        has_unified_addressing: flag(UNIFIED_ADDRESSING)?,
        has_pageable_memory_access: flag(PAGEABLE_MEMORY_ACCESS)?,
        has_compute_preemption: flag(COMPUTE_PREEMPTION_SUPPORTED)?,
        has_host_register: flag(HOST_REGISTER_SUPPORTED)?,
        has_memory_pools: flag(MEMORY_POOLS_SUPPORTED)?,
        has_clusters: attribute(device, CLUSTER_LAUNCH)? != 0,
        has_ecc: flag(ECC_ENABLED)?,
        is_integrated: flag(INTEGRATED)?,
    })
}

/// Shared memory a block may opt in to, in bytes.
pub(super) fn shared_bytes_per_block_optin(device: Device) -> Result<u32> {
    attribute(device, MAX_SHARED_MEMORY_PER_BLOCK_OPTIN as c_int)
}

/// Whether host memory can be page-locked after it was allocated, and has one address for host and device then.
pub(super) fn can_register(device: Device) -> Result<bool> {
    let is_told = |name: Attribute| Ok(attribute(device, name as c_int)? != 0);
    Ok(is_told(HOST_REGISTER_SUPPORTED)? && is_told(SAME_POINTER_WHEN_REGISTERED)?)
}

/// One attribute, by number: a driver knows more of them than the bindings have names for. 0 if it does not know this one.
fn attribute(device: Device, number: c_int) -> Result<u32> {
    let mut value = 0;
    // SAFETY: the driver writes one integer; it refuses a number that it does not know.
    match unsafe { symbols::cuDeviceGetAttribute(&raw mut value, number, device.as_raw()) } {
        0 => Ok(u32::try_from(value).unwrap_or(0)),
        raw::INVALID_VALUE => Ok(0),
        _ => Err(symbols::failure("cuDeviceGetAttribute")),
    }
}

fn name(device: CUdevice) -> Result<String> {
    text(|buffer, bytes| {
        // SAFETY: the driver writes at most `bytes` bytes, ending with a zero.
        unsafe { raw::call!(cuDeviceGetName(buffer, bytes, device)) }
    })
}

/// Such as `0000:1b:00.0`: in lower case, as the system names the device's folder.
fn pci_bus_id(device: CUdevice) -> Result<String> {
    let id = text(|buffer, bytes| {
        // SAFETY: as for the name.
        unsafe { raw::call!(cuDeviceGetPCIBusId(buffer, bytes, device)) }
    });
    id.map(|id| id.to_lowercase())
}

fn text(fill: impl FnOnce(*mut c_char, c_int) -> Result<()>) -> Result<String> {
    // One byte more than the driver hears of, so that a zero ends the text whatever it writes.
    let mut buffer = [0_u8; TEXT_BYTES as usize + 1];
    fill(buffer.as_mut_ptr().cast(), c_int::from(TEXT_BYTES))?;
    let text = CStr::from_bytes_until_nul(&buffer).unwrap_or_default();
    Ok(text.to_string_lossy().into_owned())
}

fn uuid(device: CUdevice) -> Result<String> {
    let mut uuid = CUuuid::default();
    // SAFETY: the driver writes sixteen bytes.
    unsafe { raw::call!(cuDeviceGetUuid_v2(&raw mut uuid, device)) }?;
    Ok(hexadecimal(uuid.bytes.map(|byte| byte.to_ne_bytes()[0])))
}

fn hexadecimal(bytes: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(bytes))
}

fn driver_version() -> Result<u32> {
    let mut version = 0;
    // SAFETY: the driver writes one integer.
    unsafe { raw::call!(cuDriverGetVersion(&raw mut version)) }?;
    Ok(u32::try_from(version).unwrap_or(0))
}

/// The node that the system names for a device on its bus; it says -1 where there is only one.
fn numa_node(bus: &Path, pci_bus_id: &str) -> Option<u32> {
    let file = bus.join(pci_bus_id).join("numa_node");
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unique_id_has_32_digits_in_the_order_of_its_bytes() {
        let mut bytes = [0; 16];
        bytes[1] = 0xab;
        bytes[15] = 7;
        assert_eq!(hexadecimal(bytes), "00ab0000000000000000000000000007");
    }

    #[test]
    fn a_text_that_fills_its_buffer_still_ends() {
        let filled = text(|buffer, bytes| {
            for index in 0..usize::try_from(bytes).unwrap() {
                // SAFETY: the buffer holds at least `bytes` bytes.
                let place = unsafe { buffer.add(index) };
                // SAFETY: as above.
                unsafe { place.write(c_char::try_from(b'x').unwrap()) };
            }
            Ok(())
        });
        assert_eq!(filled.unwrap().len(), usize::from(TEXT_BYTES));
    }

    #[test]
    fn a_node_that_the_system_does_not_know_is_absent() {
        let bus = std::env::temp_dir().join(format!("gpu-core-bus-{}", std::process::id()));
        let node = |id: &str, text: &str| {
            std::fs::create_dir_all(bus.join(id)).unwrap();
            std::fs::write(bus.join(id).join("numa_node"), text).unwrap();
            numa_node(&bus, id)
        };
        let found = [node("0000:1b:00.0", "1\n"), node("0000:1c:00.0", "-1\n")];
        let missing = numa_node(&bus, "0000:1d:00.0");
        std::fs::remove_dir_all(&bus).unwrap();
        assert_eq!((found, missing), ([Some(1), None], None));
    }
}
