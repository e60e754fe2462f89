//! The card's memory pool as a meter.

use std::ffi::c_void;
use std::sync::Arc;

use cudarc::driver::sys::{CUmemPool_attribute as Attribute, CUmemoryPool};
use cudarc::driver::{CudaStream, result};

use crate::driver::Card;
use crate::listener::card_is_virtual;
use crate::meter::{Meter, MeterError, Reading};
use crate::nvml::Monitor;

/// The stream-ordered memory pool of a card, which `cuMemAllocAsync`, and so candle, allocates
/// from. Its counters follow the host's calls: no mark needs the card to be idle.
#[derive(Debug)]
pub struct PoolMeter {
    pool: CUmemoryPool,
    monitor: Result<Monitor, String>,
    /// In use on the card before this process opened it.
    before: Result<u64, String>,
}

// SAFETY: the pool is a handle of the driver's, which every thread may use.
unsafe impl Send for PoolMeter {}
// SAFETY: as above; the driver's calls on it are thread-safe.
unsafe impl Sync for PoolMeter {}

impl PoolMeter {
    /// The meter of `card`, to be made before the process holds anything on it.
    ///
    /// Sets the pool up as a caching allocator: memory that is freed stays reserved, and what is
    /// reused depends on the order of calls alone, not on how far the card has got, so that a
    /// measurement repeats.
    ///
    /// # Errors
    ///
    /// [`MeterError::Pool`] if the driver refuses.
    pub fn new(card: &Card) -> Result<Self, MeterError> {
        let meter = Self::untouched(card)?;
        meter.set(Attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, u64::MAX)?;
        // These two are ints; a little-endian u64 of the same value begins with one.
        meter.set(Attribute::CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC, 0)?;
        meter.set(Attribute::CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES, 0)?;
        Ok(meter)
    }

    /// The same of a pool that stays as the driver or the program set it up: what it reserves may then
    /// depend on how far the card has got, and goes back to the card where the program waits for it.
    ///
    /// # Errors
    ///
    /// [`MeterError::Pool`] if the driver refuses.
    pub fn untouched(card: &Card) -> Result<Self, MeterError> {
        let refused = |call| move |error| pool_error(call, error);
        result::init().map_err(refused("cuInit"))?;
        let device = result::device::get(card.ordinal as i32).map_err(refused("cuDeviceGet"))?;
        // SAFETY: the device is the driver's own handle.
        let pool = unsafe { result::device::get_default_mem_pool(device) }
            .map_err(refused("cuDeviceGetDefaultMemPool"))?;
        let monitor = Monitor::open(card);
        // On a virtual card processes are always told apart, and a question for the memory in use would
        // be one that the program might size itself by.
        let before = match card_is_virtual() {
            true => Ok(0),
            false => monitor.as_ref().map_err(Clone::clone).and_then(|m| Ok(m.usage()?.used)),
        };
        Ok(Self { pool, monitor, before })
    }

    /// What the pool reserves in multiples of, in bytes: how much it grows for one byte. To be
    /// asked before the process allocates in the pool.
    ///
    /// # Errors
    ///
    /// [`MeterError::Pool`] if the driver refuses.
    pub fn granule_bytes(&self, stream: &Arc<CudaStream>) -> Result<u64, MeterError> {
        let before = self.reserved()?.current;
        let byte = stream.alloc_zeros::<u8>(1);
        let byte = byte.map_err(|error| pool_error("cuMemAllocAsync", error))?;
        let grown = self.reserved()?.current - before;
        drop(byte);
        Ok(grown)
    }

    /// What this process holds on the card outside the pool now, in bytes: the context, the loaded
    /// modules and what libraries allocate for themselves.
    ///
    /// # Errors
    ///
    /// [`MeterError::Nvml`] if NVML does not answer.
    pub fn context_bytes(&self) -> Result<u64, MeterError> {
        let reserved = self.reserved()?.current;
        let held = match self.monitor()?.of_this_process() {
            Some(bytes) => bytes,
            // Where processes cannot be told apart: what the card holds more than before.
            None => {
                let before = self.before.clone().map_err(MeterError::Nvml)?;
                self.used()?.saturating_sub(before)
            }
        };
        Ok(held.saturating_sub(reserved))
    }

    fn monitor(&self) -> Result<&Monitor, MeterError> {
        self.monitor.as_ref().map_err(|e| MeterError::Nvml(e.clone()))
    }

    /// In use on the card, by whomever.
    fn used(&self) -> Result<u64, MeterError> {
        Ok(self.monitor()?.usage().map_err(MeterError::Nvml)?.used)
    }

    fn get(&self, attribute: Attribute) -> Result<u64, MeterError> {
        let mut value = 0u64;
        let to = (&raw mut value).cast::<c_void>();
        // SAFETY: the pool is the device's; every attribute read here is a 64-bit number.
        unsafe { result::mem_pool::get_attribute(self.pool, attribute, to) }
            .map_err(|error| pool_error("cuMemPoolGetAttribute", error))?;
        Ok(value)
    }

    fn set(&self, attribute: Attribute, mut value: u64) -> Result<(), MeterError> {
        let from = (&raw mut value).cast::<c_void>();
        // SAFETY: the pool is the device's; no attribute is wider than 64 bits.
        unsafe { result::mem_pool::set_attribute(self.pool, attribute, from) }
            .map_err(|error| pool_error("cuMemPoolSetAttribute", error))
    }
}

fn pool_error(call: &'static str, error: result::DriverError) -> MeterError {
    let reason = error.error_string().map(|s| s.to_string_lossy().into_owned());
    MeterError::Pool { call, reason: reason.unwrap_or_else(|_| format!("{:?}", error.0)) }
}

impl Meter for PoolMeter {
    fn allocated(&self) -> Result<Reading, MeterError> {
        Ok(Reading {
            current: self.get(Attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT)?,
            peak: self.get(Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH)?,
        })
    }

    fn reserved(&self) -> Result<Reading, MeterError> {
        Ok(Reading {
            current: self.get(Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT)?,
            peak: self.get(Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH)?,
        })
    }

    fn reset_peaks(&self) -> Result<(), MeterError> {
        // Zero is the only value that may be written: it makes a peak what is current.
        self.set(Attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH, 0)?;
        self.set(Attribute::CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH, 0)
    }

    /// This process's context and other processes' memory: what the card has in use and the pool
    /// does not hold. The context does not grow once a step has run.
    fn outside_bytes(&self) -> Option<Result<u64, MeterError>> {
        if card_is_virtual() {
            return None;
        }
        let outside = || Ok(self.used()?.saturating_sub(self.reserved()?.current));
        Some(outside())
    }
}
