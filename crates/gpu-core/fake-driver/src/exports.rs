//! The driver's functions, as the CUDA driver API declares them. Handles are integers here: a program never looks behind one.
//!
//! Never decides anything: each passes its arguments on and puts the answer where the caller wants it.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};

use crate::attribute;
use crate::code::{INVALID_VALUE, NOT_FOUND, OUT_OF_MEMORY, Outcome};
use crate::driver::enter;
use crate::memory::CAPACITY_BYTES;
use crate::module::Shape;

/// The version that the fake says it is: 13.0.
const VERSION: c_int = 13_000;

/// Where an answer goes.
#[repr(transparent)]
struct Out<T>(*mut T);

impl<T> Out<T> {
    fn put(self, value: T) -> Outcome {
        if self.0.is_null() {
            return Err(INVALID_VALUE);
        }
        // SAFETY: the caller of the driver passes a pointer to room for the answer.
        unsafe { self.0.write(value) };
        Ok(())
    }
}

/// Writes `text` and a zero into the `len` bytes at `to`.
fn put_text(to: *mut c_char, len: c_int, text: &str) -> Outcome {
    let room = usize::try_from(len).map_err(|_| INVALID_VALUE)?;
    if to.is_null() || text.len() >= room {
        return Err(INVALID_VALUE);
    }
    for (index, byte) in text.bytes().chain([0]).enumerate() {
        // SAFETY: the text and its zero fit into the caller's room.
        let place = unsafe { to.cast::<u8>().add(index) };
        // SAFETY: as above.
        unsafe { place.write(byte) };
    }
    Ok(())
}

/// A text that ends with a zero.
fn text<'a>(from: *const c_char) -> Outcome<&'a str> {
    if from.is_null() {
        return Err(INVALID_VALUE);
    }
    // SAFETY: the caller of the driver passes a text that ends with a zero and outlives the call.
    let text = unsafe { CStr::from_ptr(from) };
    text.to_str().map_err(|_| INVALID_VALUE)
}

/// The parameters of a launch, each of its width.
fn params(pointers: *mut *mut c_void, widths: &[u8]) -> Outcome<Vec<u64>> {
    if pointers.is_null() {
        return Err(INVALID_VALUE);
    }
    let mut values = Vec::new();
    for (index, &width) in widths.iter().enumerate() {
        // SAFETY: the caller passes a pointer for each parameter of the kernel.
        let pointer = unsafe { pointers.add(index) };
        // SAFETY: as above.
        let parameter = unsafe { pointer.read() };
        let mut bytes = [0; size_of::<u64>()];
        for (offset, byte) in bytes.iter_mut().enumerate().take(usize::from(width)) {
            // SAFETY: the parameter has `width` bytes.
            let place = unsafe { parameter.cast::<u8>().add(offset) };
            // SAFETY: as above.
            *byte = unsafe { place.read() };
        }
        values.push(u64::from_ne_bytes(bytes));
    }
    Ok(values)
}

fn launch(
    function: u64,
    shape: Shape,
    stream: u64,
    pointers: *mut *mut c_void,
    driver: &mut crate::driver::Driver,
) -> Outcome {
    let widths = driver.function(function)?.kernel.widths;
    driver.launch(function, shape, stream, params(pointers, widths)?)
}

/// Defines the functions of the library.
macro_rules! export {
    ($($name:ident($($argument:ident: $kind:ty),*) = |$driver:ident| $body:expr;)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $kind),*) -> c_uint {
            enter(stringify!($name), |$driver| $body)
        }
    )*};
}

export! {
    cuInit(flags: c_uint) = |driver| driver.initialise(flags);
    cuDriverGetVersion(version: Out<c_int>) = |_driver| version.put(VERSION);
    cuDeviceGet(device: Out<c_int>, ordinal: c_int) = |driver| {
        driver.device(ordinal).and_then(|_| device.put(ordinal))
    };
    cuDeviceGetCount(count: Out<c_int>) = |driver| {
        count.put(c_int::try_from(driver.devices.len()).map_err(|_| INVALID_VALUE)?)
    };
    cuDeviceGetAttribute(value: Out<c_int>, attribute: c_int, device: c_int) = |driver| {
        value.put(attribute::value(driver.device(device)?, attribute)?)
    };
    cuDeviceGetName(name: *mut c_char, len: c_int, device: c_int) = |driver| {
        put_text(name, len, &attribute::name(driver.device(device)?))
    };
    cuDeviceGetPCIBusId(id: *mut c_char, len: c_int, device: c_int) = |driver| {
        put_text(id, len, &attribute::bus_id(driver.device(device)?))
    };
    cuDeviceGetUuid_v2(uuid: Out<[u8; 16]>, device: c_int) = |driver| {
        uuid.put(attribute::uuid(driver.device(device)?))
    };
    cuDeviceTotalMem_v2(bytes: Out<usize>, device: c_int) = |driver| {
        driver.device(device).and_then(|_| bytes.put(CAPACITY_BYTES))
    };

    cuDevicePrimaryCtxRetain(context: Out<u64>, device: c_int) = |driver| {
        context.put(driver.retain(device)?)
    };
    cuDevicePrimaryCtxRelease_v2(device: c_int) = |driver| driver.release(device);
    cuCtxSetCurrent(context: u64) = |driver| driver.set_current(context);
    cuCtxSynchronize() = |driver| driver.synchronize_context();

    cuMemAlloc_v2(address: Out<u64>, bytes: usize) = |driver| address.put(driver.allocate(bytes)?);
    cuMemFree_v2(address: u64) = |driver| driver.free(address);
    cuMemHostAlloc(pointer: Out<usize>, bytes: usize, flags: c_uint) = |driver| {
        pointer.put(driver.allocate_locked(bytes, flags)?)
    };
    cuMemFreeHost(pointer: usize) = |driver| driver.free_locked(pointer);
    cuMemHostRegister_v2(pointer: usize, bytes: usize, flags: c_uint) = |driver| {
        driver.register(pointer, bytes, flags)
    };
    cuMemHostUnregister(pointer: usize) = |driver| driver.unregister(pointer);
    cuMemGetInfo_v2(free: Out<usize>, total: Out<usize>) = |driver| {
        driver.current()?;
        let left = CAPACITY_BYTES.checked_sub(driver.memory.device_bytes());
        free.put(left.ok_or(OUT_OF_MEMORY)?).and_then(|()| total.put(CAPACITY_BYTES))
    };
    cuMemcpyHtoDAsync_v2(to: u64, from: usize, bytes: usize, stream: u64) = |driver| {
        driver.upload(from, to, bytes, stream)
    };
    cuMemcpyDtoHAsync_v2(to: usize, from: u64, bytes: usize, stream: u64) = |driver| {
        driver.download(from, to, bytes, stream)
    };
    cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: u64) = |driver| {
        driver.copy(from, to, bytes, stream)
    };
    cuMemsetD8Async(to: u64, value: u8, bytes: usize, stream: u64) = |driver| {
        driver.fill(to, value, bytes, stream)
    };

    cuStreamCreate(stream: Out<u64>, flags: c_uint) = |driver| {
        stream.put(driver.create_stream(flags)?)
    };
    cuStreamDestroy_v2(stream: u64) = |driver| driver.destroy_stream(stream);
    cuStreamQuery(stream: u64) = |driver| driver.query_stream(stream);
    cuStreamSynchronize(stream: u64) = |driver| driver.synchronize_stream(stream);
    cuStreamWaitEvent(stream: u64, event: u64, flags: c_uint) = |driver| {
        driver.wait(stream, event, flags)
    };
    cuStreamBeginCapture_v2(stream: u64, mode: c_uint) = |driver| driver.begin_capture(stream, mode);
    cuStreamEndCapture(stream: u64, graph: Out<u64>) = |driver| {
        match driver.end_capture(stream) {
            Ok(handle) => graph.put(handle),
            Err(code) => graph.put(0).and(Err(code)),
        }
    };
    cuStreamIsCapturing(stream: u64, status: Out<c_uint>) = |driver| {
        status.put(driver.capture_status(stream)?)
    };

    cuEventCreate(event: Out<u64>, flags: c_uint) = |driver| event.put(driver.create_event(flags)?);
    cuEventDestroy_v2(event: u64) = |driver| driver.destroy_event(event);
    cuEventRecord(event: u64, stream: u64) = |driver| driver.record(event, stream);
    cuEventQuery(event: u64) = |driver| driver.query_event(event);
    cuEventSynchronize(event: u64) = |driver| driver.synchronize_event(event);
    cuEventElapsedTime(milliseconds: Out<f32>, earlier: u64, later: u64) = |driver| {
        milliseconds.put(driver.elapsed_ms(earlier, later)?)
    };

    cuModuleLoadDataEx(
        module: Out<u64>, image: *const c_char, _count: c_uint, _options: *mut c_int,
        _values: *mut *mut c_void
    ) = |driver| module.put(driver.load(text(image)?)?);
    cuModuleUnload(module: u64) = |driver| driver.unload(module);
    cuModuleGetFunction(function: Out<u64>, module: u64, name: *const c_char) = |driver| {
        function.put(driver.get_function(module, text(name)?)?)
    };
    cuFuncGetAttribute(value: Out<c_int>, attribute: c_int, function: u64) = |driver| {
        value.put(driver.function_attribute(function, attribute)?)
    };
    cuFuncSetAttribute(function: u64, attribute: c_int, value: c_int) = |driver| {
        driver.set_function_attribute(function, attribute, value)
    };
    cuOccupancyMaxActiveBlocksPerMultiprocessor(
        blocks: Out<c_int>, function: u64, threads: c_int, shared_bytes: usize
    ) = |driver| blocks.put(driver.occupancy(function, threads, shared_bytes)?);
    cuLaunchKernel(
        function: u64, grid_x: c_uint, grid_y: c_uint, grid_z: c_uint, block_x: c_uint,
        block_y: c_uint, block_z: c_uint, shared_bytes: c_uint, stream: u64,
        pointers: *mut *mut c_void, extra: *mut *mut c_void
    ) = |driver| {
        let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
        let shape = Shape { grid, block, shared_bytes, is_cooperative: false };
        if extra.is_null() { launch(function, shape, stream, pointers, driver) } else { Err(INVALID_VALUE) }
    };
    cuLaunchCooperativeKernel(
        function: u64, grid_x: c_uint, grid_y: c_uint, grid_z: c_uint, block_x: c_uint,
        block_y: c_uint, block_z: c_uint, shared_bytes: c_uint, stream: u64,
        pointers: *mut *mut c_void
    ) = |driver| {
        let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
        launch(function, Shape { grid, block, shared_bytes, is_cooperative: true }, stream, pointers, driver)
    };

    cuGraphGetNodes(graph: u64, nodes: *mut u64, count: Out<usize>) = |driver| {
        // The fake gives its nodes no handles; it counts them.
        if nodes.is_null() { count.put(driver.node_count(graph)?) } else { Err(NOT_FOUND) }
    };
    cuGraphInstantiateWithFlags(exec: Out<u64>, graph: u64, flags: u64) = |driver| {
        if flags == 0 { exec.put(driver.instantiate(graph)?) } else { Err(INVALID_VALUE) }
    };
    cuGraphLaunch(exec: u64, stream: u64) = |driver| driver.launch_graph(exec, stream);
    cuGraphExecDestroy(exec: u64) = |driver| driver.destroy_exec(exec);
    cuGraphDestroy(graph: u64) = |driver| driver.destroy_graph(graph);
}
