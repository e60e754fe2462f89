//! A memory pool that is made for one sequence.

use std::ffi::c_void;
use std::mem::{self, MaybeUninit};

use cudarc::driver::result::mem_pool;
use cudarc::driver::sys::{
    self, CUdeviceptr, CUmemAllocationType, CUmemLocationType, CUmemPool_attribute as Attribute,
    CUmemPoolProps, CUmemoryPool, CUresult, CUstream,
};
use vram_metrics::driver::DriverError;
use vram_virtual_card::sequence::Setting;

use crate::error::Refusal;

/// The pool, destroyed when it goes.
#[derive(Debug)]
pub(crate) struct CudaPool {
    pool: CUmemoryPool,
}

impl CudaPool {
    /// On the card of this number, whose context is current.
    pub(crate) fn new(ordinal: usize) -> Result<Self, DriverError> {
        // SAFETY: zero is a value of each of its fields, of whichever version: no handle that is shared,
        // no largest size, nothing reserved.
        let mut properties: CUmemPoolProps = unsafe { mem::zeroed() };
        properties.allocType = CUmemAllocationType::CU_MEM_ALLOCATION_TYPE_PINNED;
        properties.location.type_ = CUmemLocationType::CU_MEM_LOCATION_TYPE_DEVICE;
        properties.location.id = i32::try_from(ordinal).unwrap_or(i32::MAX);
        // SAFETY: the properties are valid for the call.
        let pool = unsafe { mem_pool::create(&raw const properties) };
        Ok(Self { pool: pool.map_err(|error| DriverError::of("cuMemPoolCreate", error))? })
    }

    /// Allocates in the order of `stream`. Returns the address.
    pub(crate) fn allocate(&self, bytes: u64, stream: CUstream) -> Result<CUdeviceptr, Refusal> {
        let size = usize::try_from(bytes).map_err(|_| Refusal::OutOfMemory { bytes })?;
        let mut address = MaybeUninit::uninit();
        // SAFETY: the pool and the stream are the driver's and alive, and the address has a place.
        let made = unsafe {
            sys::cuMemAllocFromPoolAsync(address.as_mut_ptr(), size, self.pool, stream).result()
        };
        match made {
            // SAFETY: the driver has written it.
            Ok(()) => Ok(unsafe { address.assume_init() }),
            Err(error) if error.0 == CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                Err(Refusal::OutOfMemory { bytes })
            }
            Err(error) => Err(DriverError::of("cuMemAllocFromPoolAsync", error).into()),
        }
    }

    /// Gives back what is idle beyond `keep` bytes.
    pub(crate) fn trim(&self, keep: u64) -> Result<(), DriverError> {
        let keep = usize::try_from(keep).unwrap_or(usize::MAX);
        // SAFETY: the pool is alive.
        let trimmed = unsafe { mem_pool::trim_to(self.pool, keep) };
        trimmed.map_err(|error| DriverError::of("cuMemPoolTrimTo", error))
    }

    /// Sets it up.
    pub(crate) fn set(&self, setting: Setting) -> Result<(), DriverError> {
        let (attribute, mut value) = match setting {
            Setting::ReleaseThreshold(bytes) => {
                (Attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, bytes)
            }
            Setting::FollowEventDependencies(set) => {
                (Attribute::CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES, set.into())
            }
            Setting::AllowOpportunistic(set) => {
                (Attribute::CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC, set.into())
            }
            Setting::AllowInternalDependencies(set) => {
                (Attribute::CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES, set.into())
            }
        };
        // The flags are ints; a little-endian u64 of the same value begins with one.
        let from = (&raw mut value).cast::<c_void>();
        // SAFETY: the pool is alive; no attribute is wider than 64 bits.
        let set = unsafe { mem_pool::set_attribute(self.pool, attribute, from) };
        set.map_err(|error| DriverError::of("cuMemPoolSetAttribute", error))
    }

    /// Bytes asked for and not freed.
    pub(crate) fn used(&self) -> Result<u64, DriverError> {
        self.get(Attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)
    }

    /// Bytes that it holds of the card.
    pub(crate) fn reserved(&self) -> Result<u64, DriverError> {
        self.get(Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)
    }

    fn get(&self, attribute: Attribute) -> Result<u64, DriverError> {
        let mut value = 0u64;
        let to = (&raw mut value).cast::<c_void>();
        // SAFETY: the pool is alive; both attributes that are read are 64-bit numbers.
        let got = unsafe { mem_pool::get_attribute(self.pool, attribute, to) };
        got.map_err(|error| DriverError::of("cuMemPoolGetAttribute", error))?;
        Ok(value)
    }
}

impl Drop for CudaPool {
    fn drop(&mut self) {
        // If the driver fails here, the process's end gives the memory back.
        // SAFETY: made by `new`, and destroyed nowhere else.
        let _ = unsafe { mem_pool::destroy(self.pool) };
    }
}
