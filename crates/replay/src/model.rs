//! A sequence on the model of the driver's pool.

use vram_virtual_card::playback::Model;
use vram_virtual_card::pool::Progress;
use vram_virtual_card::sequence::{Line, Seen};

use crate::error::{Stopped, play_each};

/// What the model has for each call, of a pool as the driver makes it and a card that keeps up, as one
/// does that has nothing else to do. What stands behind a call in `lines` is not looked at.
///
/// # Errors
///
/// [`Stopped`] at the first call that names what is not there.
pub fn play(lines: &[Line]) -> Result<Vec<Seen>, Stopped> {
    let mut model = Model::new(Progress::KeepsUp);
    play_each(lines, |call| Ok(model.play(call)?))
}
