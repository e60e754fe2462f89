//! A sequence on a card.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ptr;

use cudarc::driver::result::{self, ctx, event, stream};
use cudarc::driver::sys::{CUdeviceptr, CUevent, CUevent_flags, CUevent_wait_flags, CUstream};
use vram_metrics::driver::{Card, Driver, DriverError};
use vram_virtual_card::playback::PlayError;
use vram_virtual_card::sequence::{Awaited, Call, Line, Seen};

use crate::context::Context;
use crate::cuda_pool::CudaPool;
use crate::error::{Refusal, ReplayError, play_each};

/// Every function of the driver's that is called in this crate.
const FUNCTIONS: [&str; 23] = [
    "cuDevicePrimaryCtxRetain",
    "cuDevicePrimaryCtxRelease_v2",
    "cuCtxGetCurrent",
    "cuCtxSetCurrent",
    "cuCtxSynchronize",
    "cuMemPoolCreate",
    "cuMemPoolDestroy",
    "cuMemPoolTrimTo",
    "cuMemPoolSetAttribute",
    "cuMemPoolGetAttribute",
    "cuMemAllocFromPoolAsync",
    "cuMemFreeAsync",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamSynchronize",
    "cuStreamWaitEvent",
    "cuEventCreate",
    "cuEventDestroy_v2",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuDeviceGet",
    "cuInit",
    "cuGetErrorString",
];

/// What `card` does at each call, one at a time, with nothing else to do: in a pool that is made for it,
/// on streams that wait for no other, stream 0 being the null stream. What stands behind a call in
/// `lines` is not looked at.
///
/// All is freed and the pool destroyed at the end, whichever it is.
///
/// # Errors
///
/// [`ReplayError::Card`] if the card cannot be used, [`ReplayError::Stopped`] at the first call that
/// names what is not there, or that the card refuses.
pub fn play(card: &Card, lines: &[Line]) -> Result<Vec<Seen>, ReplayError> {
    Driver::open()?.requires(&FUNCTIONS)?;
    let context = Context::new(card.ordinal)?;
    let mut player = Player {
        pool: CudaPool::new(card.ordinal)?,
        streams: BTreeMap::new(),
        events: BTreeMap::new(),
        live: BTreeMap::new(),
        first: None,
        _context: context,
    };
    Ok(play_each(lines, |call| player.play(call))?)
}

/// Of a function that has no answer but that it succeeded.
fn did(call: &'static str, done: Result<(), result::DriverError>) -> Result<(), DriverError> {
    done.map_err(|error| DriverError::of(call, error))
}

#[derive(Debug)]
struct Player {
    pool: CudaPool,
    streams: BTreeMap<u64, CUstream>,
    events: BTreeMap<u64, CUevent>,
    /// The address of each allocation that is alive.
    live: BTreeMap<u64, CUdeviceptr>,
    /// The address of the sequence's first.
    first: Option<CUdeviceptr>,
    /// Goes last: the others need it.
    _context: Context,
}

impl Player {
    fn play(&mut self, call: &Call) -> Result<Seen, Refusal> {
        let mut offset = None;
        match *call {
            Call::Allocate { id, bytes, stream } => {
                offset = Some(self.allocate(id, bytes, stream)?);
            }
            Call::Free { id, stream } => self.free(id, stream)?,
            Call::Record { event, stream } => self.record(event, stream)?,
            Call::Wait { event, stream } => self.wait(event, stream)?,
            Call::Synchronize(awaited) => self.synchronize(awaited)?,
            Call::Trim { keep } => self.pool.trim(keep)?,
            Call::Set(setting) => self.pool.set(setting)?,
        }
        Ok(Seen { offset, used: self.pool.used()?, reserved: self.pool.reserved()? })
    }

    fn allocate(&mut self, id: u64, bytes: u64, stream: u64) -> Result<i64, Refusal> {
        if self.live.contains_key(&id) {
            return Err(PlayError::AllocatedTwice(id).into());
        }
        if bytes == 0 {
            return Err(PlayError::NoPlace(bytes).into());
        }
        let stream = self.stream(stream)?;
        let address = self.pool.allocate(bytes, stream)?;
        self.live.insert(id, address);
        let first = *self.first.get_or_insert(address);
        Ok(address.cast_signed().wrapping_sub(first.cast_signed()))
    }

    fn free(&mut self, id: u64, stream: u64) -> Result<(), Refusal> {
        let address = *self.live.get(&id).ok_or(PlayError::NoAllocation(id))?;
        let stream = self.stream(stream)?;
        // SAFETY: allocated here, and not freed: it is in the map.
        did("cuMemFreeAsync", unsafe { result::free_async(address, stream) })?;
        self.live.remove(&id);
        Ok(())
    }

    fn record(&mut self, event: u64, stream: u64) -> Result<(), Refusal> {
        let stream = self.stream(stream)?;
        let event = match self.events.entry(event) {
            Entry::Occupied(made) => *made.get(),
            Entry::Vacant(place) => {
                let made = event::create(CUevent_flags::CU_EVENT_DISABLE_TIMING);
                *place.insert(made.map_err(|error| DriverError::of("cuEventCreate", error))?)
            }
        };
        // SAFETY: both are this context's, and alive.
        Ok(did("cuEventRecord", unsafe { event::record(event, stream) })?)
    }

    fn wait(&mut self, event: u64, stream: u64) -> Result<(), Refusal> {
        let (event, stream) = (self.event(event)?, self.stream(stream)?);
        let flags = CUevent_wait_flags::CU_EVENT_WAIT_DEFAULT;
        // SAFETY: both are this context's, and alive.
        Ok(did("cuStreamWaitEvent", unsafe { stream::wait_event(stream, event, flags) })?)
    }

    fn synchronize(&mut self, awaited: Awaited) -> Result<(), Refusal> {
        let done = match awaited {
            Awaited::Stream(stream) => {
                let stream = self.stream(stream)?;
                // SAFETY: the stream is this context's, and alive.
                did("cuStreamSynchronize", unsafe { stream::synchronize(stream) })
            }
            Awaited::Event(event) => {
                let event = self.event(event)?;
                // SAFETY: the event is this context's, and alive.
                did("cuEventSynchronize", unsafe { event::synchronize(event) })
            }
            Awaited::All => did("cuCtxSynchronize", ctx::synchronize()),
        };
        Ok(done?)
    }

    /// The stream of this number, made where it is named first.
    fn stream(&mut self, number: u64) -> Result<CUstream, DriverError> {
        if number == 0 {
            return Ok(ptr::null_mut());
        }
        match self.streams.entry(number) {
            Entry::Occupied(made) => Ok(*made.get()),
            Entry::Vacant(place) => {
                let made = stream::create(stream::StreamKind::NonBlocking);
                Ok(*place.insert(made.map_err(|error| DriverError::of("cuStreamCreate", error))?))
            }
        }
    }

    fn event(&self, number: u64) -> Result<CUevent, PlayError> {
        self.events.get(&number).copied().ok_or(PlayError::NoEvent(number))
    }
}

impl Drop for Player {
    /// What fails here is not told: either it was, or the process's end gives everything back.
    fn drop(&mut self) {
        let _ = ctx::synchronize();
        for &address in self.live.values() {
            // SAFETY: allocated here, and not freed: it is in the map.
            let _ = unsafe { result::free_async(address, ptr::null_mut()) };
        }
        let _ = ctx::synchronize();
        for &event in self.events.values() {
            // SAFETY: made here, and destroyed nowhere else.
            let _ = unsafe { event::destroy(event) };
        }
        for &stream in self.streams.values() {
            // SAFETY: made here, and destroyed nowhere else.
            let _ = unsafe { stream::destroy(stream) };
        }
    }
}
