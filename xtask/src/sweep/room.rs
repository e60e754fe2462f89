//! Whether a row has room on its device, asked before it starts.

use std::fmt;

use vram_cli::room::{Context, Room};
use vram_cli::study::gib;
use vram_metrics::VRAM_GUARD_RATIO;

/// Why there is no room for a peak of this many bytes reserved.
#[derive(Debug, PartialEq, Eq)]
pub struct Shortage {
    needs: u64,
    room: Room,
}

/// Why a peak of `needs` bytes has no room. Nothing to hold against each other is no shortage: the
/// run itself will tell.
pub fn shortage(needs: Option<u64>, room: Option<Room>) -> Option<Shortage> {
    let (needs, room) = needs.zip(room)?;
    (needs > room.limit(VRAM_GUARD_RATIO).bytes).then_some(Shortage { needs, room })
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needs, room } = *self;
        // The first that would keep it out by itself: others may go away, the card stays as it is.
        let alone = Room { held_bytes: 0, ..room };
        let (allowed, of) = (room.part(VRAM_GUARD_RATIO), gib(room.total_bytes));
        write!(f, "it needs {} GiB, and ", gib(needs))?;
        if needs > allowed {
            return write!(f, "the guard allows {} of {of} GiB", gib(allowed));
        }
        if needs > alone.left_bytes() {
            let left = gib(alone.left_bytes());
            return write!(f, "{left} of {of} GiB are left beside the context: {}", room.context);
        }
        let free = gib(room.total_bytes.saturating_sub(room.held_bytes));
        write!(f, "{free} of {of} GiB are free now")?;
        if room.context != Context::NONE {
            write!(f, ", {} of them for the context", gib(room.context.bytes))?;
        }
        f.write_str(": other processes hold the rest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn room(total_bytes: u64, free_bytes: u64, context: Context) -> Room {
        Room { total_bytes, context, held_bytes: total_bytes - free_bytes }
    }

    #[test]
    fn a_small_device_and_a_neighbour_are_told_apart() {
        let said =
            |needs: u64, room: Room| shortage(Some(needs), Some(room)).map(|s| s.to_string());
        let host = room(1000, 900, Context::NONE);
        assert_eq!(said(900, host), None);
        assert!(said(901, host).unwrap().ends_with("are free now: other processes hold the rest"));
        assert!(said(921, host).unwrap().contains("the guard allows"));
        let host = room(8 * GIB, GIB, Context::NONE);
        assert_eq!(
            said(3 * GIB, host).unwrap(),
            "it needs 3.000 GiB, and 1.000 of 8.000 GiB are free now: other processes hold the rest"
        );
        let card = room(8 * GIB, 3 * GIB, Context::known(GIB / 2));
        assert_eq!(said(5 * GIB / 2, card), None);
        assert_eq!(
            said(3 * GIB, card).unwrap(),
            "it needs 3.000 GiB, and 3.000 of 8.000 GiB are free now, 0.500 of them for the \
             context: other processes hold the rest"
        );
        let card = room(8 * GIB, 8 * GIB, Context::known(GIB));
        assert_eq!(
            said(7 * GIB + GIB / 4, card).unwrap(),
            "it needs 7.250 GiB, and 7.000 of 8.000 GiB are left beside the context: 1.000 GiB \
             (1073741824 bytes)"
        );
    }

    #[test]
    fn what_is_unknown_is_no_shortage() {
        assert_eq!(shortage(Some(1), None), None);
        assert_eq!(shortage(None, Some(room(1000, 900, Context::NONE))), None);
    }
}
