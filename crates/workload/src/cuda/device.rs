//! A card with the kernels loaded: buffers, launches, and what the driver says when it refuses.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use cudarc::driver::result::DriverError;
use cudarc::driver::sys::CUresult;
use cudarc::driver::{
    CudaContext, CudaEvent, CudaFunction, CudaModule, CudaSlice, CudaStream, DevicePtr, result,
};
use cudarc::nvrtc::Ptx;

use super::Cuda;
use crate::backend::Element;
use crate::item::Item;
use crate::{Compute, Pointer, WorkloadError};

/// Machine code of every kernel, and PTX for newer cards.
static FATBIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));

/// A kernel in every mode's numbers, fp32, fp16, bf16.
type ByCompute = [CudaFunction; 3];

/// A kernel in both of the pointer's numbers, fp64, fp32.
type ByPointer = [CudaFunction; 2];

/// Declares the table of kernels: names as in the `.cu` files, suffixed where there are several.
macro_rules! kernels {
    (plain: $($plain:ident),*; compute: $($compute:ident),*; pointer: $($pointer:ident),*;) => {
        pub(super) struct Kernels {
            $(pub(super) $plain: CudaFunction,)*
            $($compute: ByCompute,)*
            $($pointer: ByPointer,)*
        }

        impl Kernels {
            fn load(module: &Arc<CudaModule>) -> Result<Self, DriverError> {
                let load = |name: &str| module.load_function(name);
                Ok(Self {
                    $($plain: load(stringify!($plain))?,)*
                    $($compute: [
                        load(concat!(stringify!($compute), "_fp32"))?,
                        load(concat!(stringify!($compute), "_fp16"))?,
                        load(concat!(stringify!($compute), "_bf16"))?,
                    ],)*
                    $($pointer: [
                        load(concat!(stringify!($pointer), "_fp64"))?,
                        load(concat!(stringify!($pointer), "_fp32"))?,
                    ],)*
                })
            }

            $(pub(super) fn $compute(&self, compute: Compute) -> &CudaFunction {
                &self.$compute[mode(compute) as usize]
            })*

            $(pub(super) fn $pointer(&self, pointer: Pointer) -> &CudaFunction {
                &self.$pointer[usize::from(pointer == Pointer::Fp32)]
            })*
        }
    };
}

kernels! {
    plain: add, sense_back, results, readout_weights, context, check, reach, prepare, adam,
        round_all, cast_fp16, cast_bf16;
    compute: gru_forward, gru_backward, matmul, readout, readout_backward;
    pointer: start, turn, turn_back, gather, fields;
}

/// `Mode` of numeric.cuh.
pub(super) fn mode(compute: Compute) -> i32 {
    match compute {
        Compute::Fp32 => 0,
        Compute::Fp16 => 1,
        Compute::Bf16 => 2,
    }
}

pub(super) struct Device {
    pub(super) stream: Arc<CudaStream>,
    /// Copies the next state while the cell computes.
    pub(super) copies: Arc<CudaStream>,
    /// In `stream`: the state to be copied is complete.
    pub(super) written: CudaEvent,
    /// In `copies`: it is copied.
    pub(super) copied: CudaEvent,
    pub(super) kernels: Kernels,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cuda:{}", self.stream.context().ordinal())
    }
}

impl Cuda {
    /// The card with this ordinal, in a stream of its own, the kernels loaded.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::Device`] if the driver is missing or refuses, [`WorkloadError::Kernels`]
    /// if this build's kernels do not run on the card.
    pub fn new(ordinal: usize) -> Result<Self, WorkloadError> {
        // cudarc panics where the library is missing.
        vram_metrics::Driver::open().map_err(|e| refusal("opening the driver", e.to_string()))?;
        let opened = failed("opening the card");
        let context = CudaContext::new(ordinal).map_err(&opened)?;
        // SAFETY: all work goes through one stream, whose order is the program's, but for the
        // copies of states, which are fenced by events of their own.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(&opened)?;
        let copies = context.new_stream().map_err(&opened)?;
        let event = || context.new_event(None).map_err(&opened);
        let (written, copied) = (event()?, event()?);
        let module =
            context.load_module(Ptx::from_binary(FATBIN.to_vec())).map_err(
                |error| match error.0 {
                    CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU
                    | CUresult::CUDA_ERROR_INVALID_PTX
                    | CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION => WorkloadError::Kernels {
                        built_for: capability(Self::BUILT_FOR),
                        card: context.compute_capability().map_or_else(
                            |_| "an unknown capability".to_owned(),
                            |(major, minor)| format!("{major}.{minor}"),
                        ),
                    },
                    _ => opened(error),
                },
            )?;
        let kernels = Kernels::load(&module).map_err(failed("loading the kernels"))?;
        Ok(Self(Arc::new(Device { stream, copies, written, copied, kernels })))
    }

    /// The compute capability that the kernels are machine code for, such as 90.
    pub const BUILT_FOR: &'static str = env!("VRAM_COMPUTE_CAP");

    /// The CUDA version that the kernels were built with, as the driver counts: 13000 is 13.0.
    pub const BUILT_WITH: &'static str = env!("VRAM_CUDA_VERSION");

    /// The stream in which steps run.
    pub fn stream(&self) -> &Arc<CudaStream> {
        &self.0.stream
    }

    pub(super) fn alloc<T: Element>(
        &self,
        item: &Item,
        len: usize,
    ) -> Result<CudaSlice<T>, WorkloadError> {
        let stream = &self.0.stream;
        // The driver has no empty allocation.
        let len = len.max(1);
        // SAFETY: every caller writes a buffer before it is read.
        let attempt = || unsafe { stream.alloc::<T>(len) };
        let result = match attempt() {
            Err(error) if is_oom(&error) => {
                // The pool may sit on freed pieces that do not add up: give them back and ask once
                // more.
                self.trim().and_then(|()| attempt())
            }
            result => result,
        };
        result.map_err(|error| match is_oom(&error) {
            true => WorkloadError::OutOfMemory {
                what: item.name,
                bytes: (len as u64).saturating_mul(size_of::<T>() as u64),
            },
            false => failed("allocating")(error),
        })
    }

    fn trim(&self) -> Result<(), DriverError> {
        let stream = &self.0.stream;
        stream.synchronize()?;
        // SAFETY: the device is open, and its default pool lives as long as it.
        unsafe {
            let pool = result::device::get_default_mem_pool(stream.context().cu_device())?;
            result::mem_pool::trim_to(pool, 0)
        }
    }

    pub(super) fn fill_zero<T: Element>(
        &self,
        buffer: &mut CudaSlice<T>,
        range: Range<usize>,
    ) -> Result<(), WorkloadError> {
        let mut view = buffer.slice_mut(range);
        self.0.stream.memset_zeros(&mut view).map_err(failed("clearing memory"))
    }

    /// Address of element `at`.
    pub(super) fn at<T: Element>(&self, buffer: &CudaSlice<T>, at: usize) -> u64 {
        debug_assert!(at <= buffer.len());
        buffer.device_ptr(&self.0.stream).0 + (at * size_of::<T>()) as u64
    }
}

/// Launches a kernel in the stream; arguments are taken by value, in the kernel's order.
///
/// Expands to an unsafe call: the arguments must be those of the kernel, and every address they
/// hold must have room for what the kernel's comment says.
macro_rules! launch {
    ($cuda:expr, $function:expr, $grid:expr, $block:expr; $($argument:expr),+ $(,)?) => {{
        use cudarc::driver::{LaunchConfig, PushKernelArg};
        let device = &$cuda.0;
        let (x, y) = $grid;
        let config = LaunchConfig {
            grid_dim: (x as u32, y as u32, 1),
            block_dim: ($block as u32, 1, 1),
            shared_mem_bytes: 0,
        };
        let mut launch = device.stream.launch_builder($function);
        $(let argument = $argument; launch.arg(&argument);)+
        launch.launch(config).map(drop).map_err($crate::cuda::device::failed("launching a kernel"))
    }};
}
pub(super) use launch;

fn is_oom(error: &DriverError) -> bool {
    error.0 == CUresult::CUDA_ERROR_OUT_OF_MEMORY
}

fn refusal(operation: &'static str, reason: String) -> WorkloadError {
    WorkloadError::Device { operation, reason }
}

pub(super) fn failed(operation: &'static str) -> impl Fn(DriverError) -> WorkloadError {
    move |error| {
        let said = error.error_string().map(|s| s.to_string_lossy().into_owned());
        refusal(operation, said.unwrap_or_else(|_| format!("{:?}", error.0)))
    }
}

/// `90` as `9.0`.
fn capability(digits: &str) -> String {
    let (major, minor) = digits.split_at(digits.len() - 1);
    format!("{major}.{minor}")
}
