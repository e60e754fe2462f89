//! How kernels are launched: their names by the numbers that they take, the one struct of arguments that
//! each has, and blocks, threads and memory of a launch.

use candle_core::cuda_backend::cudarc::driver::result::DriverError;
use candle_core::cuda_backend::cudarc::driver::sys::CUdevice_attribute;
use candle_core::cuda_backend::cudarc::driver::{CudaContext, LaunchConfig};

use crate::shape::Compute;

/// What a launch has room for on a card.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) multiprocessors: usize,
    /// Of shared memory, for one block.
    pub(crate) shared_bytes: usize,
    /// Whether blocks of a launch may wait for each other.
    pub(crate) is_cooperative: bool,
}

impl Room {
    pub(super) fn of(context: &CudaContext) -> Result<Self, DriverError> {
        use CUdevice_attribute as Attribute;
        let of = |attribute| context.attribute(attribute).map(|value| value.max(0) as usize);
        Ok(Self {
            multiprocessors: of(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?.max(1),
            shared_bytes: of(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
            is_cooperative: of(Attribute::CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH)? == 1,
        })
    }
}

/// Blocks of a launch, and threads of a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grid {
    pub(crate) blocks: (usize, usize),
    pub(crate) threads: usize,
}

impl Grid {
    /// One thread an element.
    pub(crate) fn elements(len: usize) -> Self {
        Self { blocks: (len.div_ceil(256), 1), threads: 256 }
    }

    pub(super) fn config(self, shared_bytes: usize) -> LaunchConfig {
        LaunchConfig {
            grid_dim: (self.blocks.0 as u32, self.blocks.1 as u32, 1),
            block_dim: (self.threads as u32, 1, 1),
            shared_mem_bytes: shared_bytes as u32,
        }
    }
}

/// The name of a kernel in the numbers of its products.
macro_rules! by_compute {
    ($compute:expr, $name:literal) => {
        match $compute {
            $crate::shape::Compute::Fp32 => concat!($name, "_fp32"),
            $crate::shape::Compute::Fp16 => concat!($name, "_fp16"),
            $crate::shape::Compute::Bf16 => concat!($name, "_bf16"),
        }
    };
}
pub(crate) use by_compute;

/// The name of a kernel in half-precision numbers of its products and in the pointer's.
macro_rules! by_half_and_pointer {
    ($compute:expr, $pointer:expr, $name:literal) => {
        match ($compute, $pointer) {
            ($crate::shape::Compute::Bf16, $crate::shape::Pointer::Fp64) => {
                concat!($name, "_bf16_fp64")
            }
            ($crate::shape::Compute::Bf16, $crate::shape::Pointer::Fp32) => {
                concat!($name, "_bf16_fp32")
            }
            (_, $crate::shape::Pointer::Fp64) => concat!($name, "_fp16_fp64"),
            (_, $crate::shape::Pointer::Fp32) => concat!($name, "_fp16_fp32"),
        }
    };
}
pub(crate) use by_half_and_pointer;

/// The name of a kernel in the pointer's numbers.
macro_rules! by_pointer {
    ($pointer:expr, $name:literal) => {
        match $pointer {
            $crate::shape::Pointer::Fp64 => concat!($name, "_fp64"),
            $crate::shape::Pointer::Fp32 => concat!($name, "_fp32"),
        }
    };
}
pub(crate) use by_pointer;

/// `Mode` of numeric.cuh.
pub(crate) fn mode(compute: Compute) -> i32 {
    match compute {
        Compute::Fp32 => 0,
        Compute::Fp16 => 1,
        Compute::Bf16 => 2,
    }
}

/// Declares the struct that a kernel takes, with the size and the offsets that its `.cu` file
/// asserts too.
macro_rules! kernel_arguments {
    ($(#[$meta:meta])* struct $name:ident : $size:literal { $($field:ident : $type:ty = $offset:literal,)* }) => {
        $(#[$meta])*
        #[repr(C)]
        #[derive(Clone, Copy)]
        pub(crate) struct $name { $(pub(crate) $field: $type,)* }
        // SAFETY: numbers and addresses in C's layout.
        unsafe impl candle_core::cuda_backend::cudarc::driver::DeviceRepr for $name {}
        const _: () = {
            assert!(size_of::<$name>() == $size);
            $(assert!(std::mem::offset_of!($name, $field) == $offset);)*
        };
    };
}
pub(crate) use kernel_arguments;
