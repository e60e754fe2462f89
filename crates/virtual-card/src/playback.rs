//! A sequence of calls, played on the model of the pool.

use std::collections::HashMap;

use crate::pool::{GRANULE, Pool, PoolSettings, Progress};
use crate::sequence::{Awaited, Call, Seen};

/// A pool as the driver makes it, the allocations and events of a sequence, and nothing of a card.
#[derive(Debug, Clone)]
pub struct Model {
    pool: Pool,
    /// Where each allocation lies that is alive.
    offsets: HashMap<u64, u64>,
    /// The stream of each event, and how many calls came before it.
    events: HashMap<u64, (u64, u64)>,
    first: Option<u64>,
    calls: u64,
}

/// Why a call cannot be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlayError {
    /// It names an allocation that is not alive.
    #[error("there is no allocation {0}")]
    NoAllocation(u64),

    /// It makes an allocation of a number that one has which is alive.
    #[error("there is an allocation {0} already")]
    AllocatedTwice(u64),

    /// It names an event that was not recorded.
    #[error("no event {0} was recorded")]
    NoEvent(u64),

    /// It asks for nothing, or for more than there are addresses.
    #[error("nobody can allocate {0} bytes")]
    NoPlace(u64),
}

impl Model {
    /// On a card that is as far as `progress` says.
    pub fn new(progress: Progress) -> Self {
        let mut pool = Pool::new(GRANULE);
        pool.set_up(PoolSettings::DEFAULT);
        pool.set_progress(progress);
        let (offsets, events) = (HashMap::new(), HashMap::new());
        Self { pool, offsets, events, first: None, calls: 0 }
    }

    /// Plays one call.
    ///
    /// # Errors
    ///
    /// [`PlayError`] if it names what is not there, after which nothing has changed.
    pub fn play(&mut self, call: &Call) -> Result<Seen, PlayError> {
        self.calls += 1;
        let event = |event| self.events.get(&event).copied().ok_or(PlayError::NoEvent(event));
        let mut offset = None;
        match *call {
            Call::Allocate { id, bytes, stream } => {
                offset = Some(self.allocate(id, bytes, stream)?)
            }
            Call::Free { id, stream } => {
                let at = self.offsets.remove(&id).ok_or(PlayError::NoAllocation(id))?;
                self.pool.free(at, stream, self.calls - 1);
            }
            Call::Record { event, stream } => {
                self.events.insert(event, (stream, self.calls - 1));
            }
            Call::Wait { event: awaited, stream } => {
                let (other, until) = event(awaited)?;
                self.pool.wait(stream, other, until);
            }
            Call::Synchronize(Awaited::Stream(stream)) => {
                self.pool.synchronize(stream, u64::MAX);
            }
            Call::Synchronize(Awaited::Event(awaited)) => {
                let (stream, until) = event(awaited)?;
                self.pool.synchronize(stream, until);
            }
            Call::Synchronize(Awaited::All) => {
                self.pool.synchronize_all();
            }
            Call::Trim { keep } => {
                self.pool.trim(keep);
            }
            Call::Set(setting) => {
                let mut settings = self.pool.settings();
                setting.apply(&mut settings);
                self.pool.set_up(settings);
            }
        }
        Ok(Seen { offset, used: self.pool.used(), reserved: self.pool.reserved() })
    }

    fn allocate(&mut self, id: u64, bytes: u64, stream: u64) -> Result<i64, PlayError> {
        if self.offsets.contains_key(&id) {
            return Err(PlayError::AllocatedTwice(id));
        }
        let placement = self.pool.place(bytes, stream).ok_or(PlayError::NoPlace(bytes))?;
        self.pool.take(placement);
        self.offsets.insert(id, placement.offset);
        let first = *self.first.get_or_insert(placement.offset);
        Ok(placement.offset.cast_signed().wrapping_sub(first.cast_signed()))
    }
}
