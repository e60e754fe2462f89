//! Where rows run, as it is said.

use vram_sweep::device::SweepDevice;

use crate::terminal;

/// Says where rows run, unless it is the CPU that was asked for.
pub(crate) fn say_device(device: &SweepDevice) {
    if let Some(card) = &device.card {
        terminal::say(&format!("device: cuda:{}, {}", card.ordinal, card.name));
    }
    if let Some(why) = &device.why_cpu {
        terminal::say(&format!("device: cpu ({why})"));
    }
}
