//! A card of candle's with our kernels loaded: memory from its device, launches in its stream.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use candle_core::CudaDevice;
use candle_core::cuda_backend::DeviceId;
use candle_core::cuda_backend::cudarc::driver::result::{self, DriverError};
use candle_core::cuda_backend::cudarc::driver::sys::{CUfunction_attribute, CUresult};
use candle_core::cuda_backend::cudarc::driver::{
    CudaEvent, CudaFunction, CudaModule, CudaSlice, CudaStream, DeviceRepr, PushKernelArg,
};
use candle_core::cuda_backend::cudarc::nvrtc::Ptx;

use super::buffer::{Buffer, Element, Memory};
use super::launch::{Grid, Room};
use super::pointer::Ptr;
use crate::build;
use crate::error::{WorkloadError, is_oom};

/// Machine code of every kernel, and PTX for newer cards.
static FATBIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));

/// The cards that are stepped on.
static OPEN: Mutex<Vec<(DeviceId, Weak<Opened>)>> = Mutex::new(Vec::new());

/// The stream that `CudaDevice::new` takes: one for each thread.
const PER_THREAD: usize = 2;

/// How much of a multiprocessor's memory beside its registers is shared memory rather than cache, of
/// what there can be. The same for all kernels: one that wants another split waits until the
/// multiprocessor is idle, and would not run beside a chain of tokens.
const SHARED_PERCENT: i32 = 75;

/// A card, opened, and in which of its two streams work is enqueued.
#[derive(Clone)]
pub(crate) struct Card {
    opened: Arc<Opened>,
    is_beside: bool,
}

struct Opened {
    device: CudaDevice,
    stream: Arc<CudaStream>,
    /// For what runs beside the chain of tokens.
    beside: Arc<CudaStream>,
    /// In `stream`: what was launched beside last may begin.
    ready: CudaEvent,
    /// In `beside`: it is over.
    over: CudaEvent,
    room: Room,
    module: Arc<CudaModule>,
    /// By name, looked up when it is first launched.
    functions: RwLock<HashMap<&'static str, CudaFunction>>,
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cuda:{}", self.opened.stream.context().ordinal())
    }
}

impl Card {
    /// The card of a device with a stream of its own, the kernels loaded: once for all who step on
    /// this device, for as long as one of them does.
    pub(super) fn new(device: &CudaDevice) -> Result<Self, WorkloadError> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|(_, card)| card.strong_count() > 0);
        let known = open.iter().find(|(id, _)| *id == device.id());
        if let Some(card) = known.and_then(|(_, card)| card.upgrade()) {
            return Ok(Self { opened: card, is_beside: false });
        }
        let opened = Self::open(device)?;
        open.push((device.id(), Arc::downgrade(&opened)));
        Ok(Self { opened, is_beside: false })
    }

    fn open(device: &CudaDevice) -> Result<Arc<Opened>, WorkloadError> {
        let opened = failed("opening the card");
        let stream = device.cuda_stream();
        if stream.cu_stream() as usize == PER_THREAD {
            return Err(WorkloadError::PerThreadStream);
        }
        let context = stream.context().clone();
        // SAFETY: a step's work goes through the device's one stream, whose order is the program's,
        // but for what is launched beside, which is fenced by events of its own. Two events for
        // each allocation would cost more than the launch that follows.
        unsafe { device.disable_event_tracking() };
        let beside = context.new_stream().map_err(&opened)?;
        let event = || context.new_event(None).map_err(&opened);
        let (ready, over) = (event()?, event()?);
        let room = Room::of(&context).map_err(&opened)?;
        let module =
            context.load_module(Ptx::from_binary(FATBIN.to_vec())).map_err(
                |error| match error.0 {
                    CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU
                    | CUresult::CUDA_ERROR_INVALID_PTX
                    | CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION => WorkloadError::Kernels {
                        built_for: capability(build::COMPUTE_CAPABILITY),
                        card: context.compute_capability().map_or_else(
                            |_| "an unknown capability".to_owned(),
                            |(major, minor)| format!("{major}.{minor}"),
                        ),
                    },
                    _ => opened(error),
                },
            )?;
        let functions = RwLock::default();
        let device = device.clone();
        Ok(Arc::new(Opened { device, stream, beside, ready, over, room, module, functions }))
    }

    /// What a launch has room for.
    pub(crate) fn room(&self) -> Room {
        self.opened.room
    }

    /// The same card, whose launches go to the stream beside: they run beside what is enqueued in the
    /// stream from the last [`Card::fork`] on. [`Card::join`] orders what needs their results.
    pub(crate) fn beside(&self) -> Self {
        Self { is_beside: true, ..self.clone() }
    }

    fn stream(&self) -> &Arc<CudaStream> {
        if self.is_beside { &self.opened.beside } else { &self.opened.stream }
    }

    /// What is launched beside from here on runs when the stream has done what it was given so far.
    pub(crate) fn fork(&self) -> Result<(), WorkloadError> {
        let Opened { stream, beside, ready, .. } = &*self.opened;
        let fork = ready.record(stream).and_then(|()| beside.wait(ready));
        fork.map_err(failed("launching beside"))
    }

    /// What is enqueued in the stream from here on runs after what was launched beside.
    pub(super) fn join(&self) -> Result<(), WorkloadError> {
        self.opened.stream.wait(&self.opened.over).map_err(failed("waiting for what runs beside"))
    }

    /// Launches the kernel of this name with its one argument.
    ///
    /// # Safety
    ///
    /// `arguments` is the struct that the kernel takes, and every address in it has room for what
    /// the struct's comments in the `.cu` file say. What a launch beside reads is written before the
    /// last [`Card::fork`] or waited for, and what it writes is not touched in the stream until that
    /// joins.
    pub(crate) unsafe fn launch<A: DeviceRepr>(
        &self,
        name: &'static str,
        grid: Grid,
        arguments: A,
    ) -> Result<(), WorkloadError> {
        let function = self.function(name)?;
        let mut launch = self.stream().launch_builder(&function);
        launch.arg(&arguments);
        // SAFETY: the caller's.
        unsafe { launch.launch(grid.config(0)) }.map_err(failed("launching a kernel"))?;
        if self.is_beside {
            let Opened { beside, over, .. } = &*self.opened;
            over.record(beside).map_err(failed("launching beside"))?;
        }
        Ok(())
    }

    /// As [`Card::launch`], all blocks at once, with so many bytes of shared memory each: they may wait
    /// for each other. Not beside.
    ///
    /// # Safety
    ///
    /// As [`Card::launch`].
    pub(crate) unsafe fn launch_together<A: DeviceRepr>(
        &self,
        name: &'static str,
        grid: Grid,
        shared_bytes: usize,
        arguments: A,
    ) -> Result<(), WorkloadError> {
        let function = self.function(name)?;
        let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        let launching = failed("launching a chain of tokens");
        function.set_attribute(attribute, shared_bytes as i32).map_err(&launching)?;
        let mut launch = self.opened.stream.launch_builder(&function);
        launch.arg(&arguments);
        let config = grid.config(shared_bytes);
        // SAFETY: the caller's.
        unsafe { launch.launch_cooperative(config) }.map(drop).map_err(launching)
    }

    fn function(&self, name: &'static str) -> Result<CudaFunction, WorkloadError> {
        let known = self.opened.functions.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = known.get(name) {
            return Ok(function.clone());
        }
        drop(known);
        let loading = failed("loading a kernel");
        let function = self.opened.module.load_function(name).map_err(&loading)?;
        let split = CUfunction_attribute::CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT;
        function.set_attribute(split, SHARED_PERCENT).map_err(loading)?;
        let mut known = self.opened.functions.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(name, function.clone());
        Ok(function)
    }

    /// Copies `len` elements in the stream.
    ///
    /// # Safety
    ///
    /// Both addresses have room, and the places do not overlap.
    pub(crate) unsafe fn copy<T>(
        &self,
        from: Ptr<T>,
        to: Ptr<T>,
        len: usize,
    ) -> Result<(), WorkloadError> {
        let bytes = len * size_of::<T>();
        let stream = self.opened.stream.cu_stream();
        // SAFETY: the caller's.
        unsafe { result::memcpy_dtod_async(to.address(), from.address(), bytes, stream) }
            .map_err(failed("copying on the card"))
    }

    /// Writes zeros over `len` elements.
    ///
    /// # Safety
    ///
    /// The address has room.
    pub(crate) unsafe fn clear<T>(&self, at: Ptr<T>, len: usize) -> Result<(), WorkloadError> {
        let bytes = len * size_of::<T>();
        let stream = self.opened.stream.cu_stream();
        // SAFETY: the caller's.
        unsafe { result::memset_d8_async(at.address(), 0, bytes, stream) }
            .map_err(failed("clearing memory"))
    }

    pub(super) fn wait(&self) -> Result<(), WorkloadError> {
        let waited = failed("waiting for the card");
        self.opened.beside.synchronize().map_err(&waited)?;
        self.opened.stream.synchronize().map_err(waited)
    }

    pub(super) fn uninit<T: Element>(
        &self,
        what: &'static str,
        len: usize,
    ) -> Result<Memory<T>, WorkloadError> {
        Ok(Memory::Card(self.alloc::<T>(what, len)?, self.opened.device.clone()))
    }

    pub(super) fn zeros<T: Element>(
        &self,
        what: &'static str,
        len: usize,
    ) -> Result<Memory<T>, WorkloadError> {
        let slice = self.alloc::<T>(what, len)?;
        let memory = Memory::Card(slice, self.opened.device.clone());
        let mut buffer = Buffer::<T> { memory, live: None };
        // SAFETY: the buffer was allocated with this length.
        unsafe { self.clear(buffer.view_mut().card(), len)? };
        Ok(buffer.memory)
    }

    pub(super) fn upload<T: Element>(
        &self,
        what: &'static str,
        values: &[T],
    ) -> Result<Memory<T>, WorkloadError> {
        let slice = self.alloc::<T>(what, values.len())?;
        let memory = Memory::Card(slice, self.opened.device.clone());
        let mut buffer = Buffer::<T> { memory, live: None };
        self.write(buffer.view_mut().card(), values)?;
        Ok(buffer.memory)
    }

    /// Copies host memory to the card. Pageable memory is staged before the call returns: nothing
    /// waits for the card.
    pub(super) fn write<T: Element>(&self, to: Ptr<T>, values: &[T]) -> Result<(), WorkloadError> {
        let stream = self.opened.stream.cu_stream();
        // SAFETY: allocated by the caller with as many elements.
        unsafe { result::memcpy_htod_async(to.address(), values, stream) }
            .map_err(failed("copying to the card"))
    }

    fn alloc<T: Element>(
        &self,
        what: &'static str,
        len: usize,
    ) -> Result<CudaSlice<T::OnCard>, WorkloadError> {
        // The driver has no empty allocation.
        let len = len.max(1);
        // SAFETY: every caller writes a buffer before it is read.
        let attempt = || unsafe { self.opened.device.alloc::<T::OnCard>(len) };
        let result = match attempt() {
            Err(error) if is_oom(&error) => {
                // The pool may sit on freed pieces that do not add up: give them back and ask once
                // more.
                self.trim().map_err(failed("trimming the pool"))?;
                attempt()
            }
            result => result,
        };
        let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
        result.map_err(|error| WorkloadError::of_allocation(what, bytes, error))
    }

    fn trim(&self) -> Result<(), DriverError> {
        let stream = &self.opened.stream;
        stream.synchronize()?;
        // SAFETY: the device is open, and its default pool lives as long as it.
        unsafe {
            let pool = result::device::get_default_mem_pool(stream.context().cu_device())?;
            result::mem_pool::trim_to(pool, 0)
        }
    }
}

fn failed(operation: &'static str) -> impl Fn(DriverError) -> WorkloadError {
    move |error| {
        let said = error.error_string().map(|s| s.to_string_lossy().into_owned());
        let reason = said.unwrap_or_else(|_| format!("{:?}", error.0));
        WorkloadError::Device { operation, reason }
    }
}

/// `90` as `9.0`.
fn capability(digits: &str) -> String {
    let (major, minor) = digits.split_at(digits.len() - 1);
    format!("{major}.{minor}")
}
