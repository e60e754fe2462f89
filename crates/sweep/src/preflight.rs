//! Whether a row fits its device, asked before it starts.

use std::fmt;

use vram_metrics::verdict::VRAM_GUARD_RATIO;
use vram_report::memory_check::{Context, DeviceMemory};
use vram_report::units::gib;

use crate::plan::Row;

/// What becomes of a row that is predicted not to fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preflight {
    /// It does not run.
    Skip,
    /// It is told, and runs.
    Tell,
    /// It runs: the search for the largest batch goes beyond it on purpose.
    Trust,
}

/// Why a peak of this many bytes reserved does not fit.
#[derive(Debug, PartialEq, Eq)]
pub struct Shortage {
    needs: u64,
    memory: DeviceMemory,
}

/// Why a row does not fit a device with this memory now. Without a prediction, or on a device that
/// tells no memory, the run itself will tell.
pub(crate) fn shortage(row: &Row, memory: Option<DeviceMemory>) -> Option<Shortage> {
    let (needs, memory) = row.predicted().zip(memory)?;
    let limit = memory.limit(VRAM_GUARD_RATIO);
    let most = gib(limit.bytes);
    tracing::debug!("preflight: {} needs {} of {most} GiB, by {limit}", row.id, gib(needs));
    Shortage::of(needs, memory)
}

/// Whether a row fits a device with this memory, as far as that is known.
pub(crate) fn fits(row: &Row, memory: Option<DeviceMemory>) -> bool {
    let known = row.predicted().zip(memory);
    known.is_none_or(|(needs, memory)| Shortage::of(needs, memory).is_none())
}

impl Shortage {
    /// Why a peak of `needs` bytes does not fit.
    fn of(needs: u64, memory: DeviceMemory) -> Option<Self> {
        (needs > memory.limit(VRAM_GUARD_RATIO).bytes).then_some(Self { needs, memory })
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needs, memory } = *self;
        // The first that would keep it out by itself: others may go away, the card stays as it is.
        let alone = DeviceMemory { held_bytes: 0, ..memory };
        let (allowed, of) = (memory.part(VRAM_GUARD_RATIO), gib(memory.total_bytes));
        write!(f, "it needs {} GiB, and ", gib(needs))?;
        if needs > allowed {
            return write!(f, "the guard allows {} of {of} GiB", gib(allowed));
        }
        if needs > alone.left_bytes() {
            let left = gib(alone.left_bytes());
            return write!(f, "{left} of {of} GiB are left beside the context: {}", memory.context);
        }
        let free = gib(memory.total_bytes.saturating_sub(memory.held_bytes));
        write!(f, "{free} of {of} GiB are free now")?;
        if memory.context != Context::NONE {
            write!(f, ", {} of them for the context", gib(memory.context.bytes))?;
        }
        f.write_str(": other processes hold the rest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn memory(total_bytes: u64, free_bytes: u64, context: Context) -> DeviceMemory {
        DeviceMemory { total_bytes, context, held_bytes: total_bytes - free_bytes }
    }

    #[test]
    fn a_small_device_and_other_processes_are_told_apart() {
        let said =
            |needs: u64, memory: DeviceMemory| Shortage::of(needs, memory).map(|s| s.to_string());
        let host = memory(1000, 900, Context::NONE);
        assert_eq!(said(900, host), None);
        assert!(said(901, host).unwrap().ends_with("are free now: other processes hold the rest"));
        assert!(said(921, host).unwrap().contains("the guard allows"));
        let host = memory(8 * GIB, GIB, Context::NONE);
        assert_eq!(
            said(3 * GIB, host).unwrap(),
            "it needs 3.000 GiB, and 1.000 of 8.000 GiB are free now: other processes hold the rest"
        );
        let card = memory(8 * GIB, 3 * GIB, Context::known(GIB / 2));
        assert_eq!(said(5 * GIB / 2, card), None);
        assert_eq!(
            said(3 * GIB, card).unwrap(),
            "it needs 3.000 GiB, and 3.000 of 8.000 GiB are free now, 0.500 of them for the \
             context: other processes hold the rest"
        );
        let card = memory(8 * GIB, 8 * GIB, Context::known(GIB));
        assert_eq!(
            said(7 * GIB + GIB / 4, card).unwrap(),
            "it needs 7.250 GiB, and 7.000 of 8.000 GiB are left beside the context: 1.000 GiB \
             (1073741824 bytes)"
        );
    }
}
