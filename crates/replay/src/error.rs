//! Why a sequence was not played to its end.

use vram_metrics::driver::DriverError;
use vram_virtual_card::playback::PlayError;
use vram_virtual_card::sequence::{Call, Line, Seen};

/// Why a sequence was not played to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Nothing was played: there is no card, or it gives no pool.
    #[error(transparent)]
    Card(#[from] DriverError),

    /// A call could not be played.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// The call at which a sequence ended early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("call {}, `{call}`: {why}", .index + 1)]
pub struct Stopped {
    /// Its index among the calls, from zero.
    pub index: usize,
    /// The call.
    pub call: Call,
    /// What came of those before it.
    pub seen: Vec<Seen>,
    /// Why it could not be played.
    pub why: Refusal,
}

/// Why a call could not be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The sequence is wrong: it names what is not there.
    #[error(transparent)]
    Wrong(#[from] PlayError),

    /// The card has no room.
    #[error("the card has no room for {bytes} bytes more")]
    OutOfMemory {
        /// Bytes that were asked for.
        bytes: u64,
    },

    /// A function of the driver's failed.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

/// Plays `lines` one by one, until one is refused.
pub(crate) fn play_each(
    lines: &[Line],
    mut play: impl FnMut(&Call) -> Result<Seen, Refusal>,
) -> Result<Vec<Seen>, Stopped> {
    let mut seen = Vec::with_capacity(lines.len());
    for (index, Line { call, .. }) in lines.iter().enumerate() {
        match play(call) {
            Ok(came) => seen.push(came),
            Err(why) => return Err(Stopped { index, call: *call, seen, why }),
        }
    }
    Ok(seen)
}
