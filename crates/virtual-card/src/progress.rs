//! How far a card is behind the host: what the host's calls take, and what the card's work does.
//!
//! What calls take is an H200's, `docs/results/h200/pool/speed.txt`, with some time of a program's own.

use std::collections::VecDeque;

/// What an allocation and the launch that follows take of the host's time, in nanoseconds.
const ALLOCATE: u64 = 5_000;

/// What a free takes of it.
const FREE: u64 = 2_000;

/// As many launches may be under way; the next waits for the first of them. An H200 took some more.
const LAUNCHES: usize = 1024;

/// How fast a host and its card are, where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Speed {
    /// Nanoseconds of the host's in which a pool grows by one granule.
    pub growth: u64,
    /// Nanoseconds that any kernel takes.
    pub start: u64,
    /// Bytes of what was allocated that a kernel fills in a nanosecond.
    pub bytes: u64,
}

/// The host's time, and the card's. After each allocation a kernel of as many bytes is launched, which is
/// what programs do; kernels run one after another, on whatever stream.
#[derive(Debug)]
pub(crate) struct Clock {
    speed: Speed,
    /// The host's, in nanoseconds.
    now: u64,
    /// When the card will have done what it was told.
    idle_at: u64,
    /// When the launches end that may be under way.
    launches: VecDeque<u64>,
    /// Calls that freed something, and when the card is done with what was before them.
    frees: VecDeque<(u64, u64)>,
    done_before: u64,
}

impl Clock {
    pub fn new(speed: Speed) -> Self {
        let (launches, frees) = (VecDeque::new(), VecDeque::new());
        Self { speed, now: 0, idle_at: 0, launches, frees, done_before: 0 }
    }

    /// The card is done with what was freed before this call.
    pub fn done_before(&mut self) -> u64 {
        while let Some((call, _)) = self.frees.pop_front_if(|(_, at)| *at <= self.now) {
            self.done_before = call + 1;
        }
        self.done_before
    }

    /// The host allocates `bytes`, for which the pool grows by `granules`, and launches their kernel.
    pub fn allocate(&mut self, bytes: u64, granules: u64) {
        let growth = granules.saturating_mul(self.speed.growth);
        self.now = self.now.saturating_add(ALLOCATE).saturating_add(growth);
        if self.launches.len() == LAUNCHES {
            self.now = self.launches.pop_front().map_or(self.now, |first| first.max(self.now));
        }
        let takes = self.speed.start + bytes / self.speed.bytes;
        self.idle_at = self.idle_at.max(self.now).saturating_add(takes);
        self.launches.push_back(self.idle_at);
    }

    /// The host frees something with this call.
    pub fn free(&mut self, call: u64) {
        self.now = self.now.saturating_add(FREE);
        self.frees.push_back((call, self.idle_at));
    }

    /// The host waits for all that the card was told.
    pub fn synchronize(&mut self) {
        self.now = self.now.max(self.idle_at);
    }

    /// The host waits for what was freed before call `until`.
    pub fn synchronize_before(&mut self, until: u64) {
        let freed = self.frees.partition_point(|(call, _)| *call < until);
        let last = freed.checked_sub(1).and_then(|last| self.frees.get(last));
        self.now = last.map_or(self.now, |(_, at)| self.now.max(*at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn clock() -> Clock {
        Clock::new(Speed { growth: 40_000, start: 2_000, bytes: 1024 })
    }

    #[test]
    fn a_card_keeps_up_with_small_kernels_and_not_with_large_ones() {
        let mut clock = clock();
        clock.allocate(512, 0);
        clock.free(0);
        assert_eq!(clock.done_before(), 1);
        clock.allocate(64 * MIB, 2);
        clock.free(1);
        assert_eq!(clock.done_before(), 1);
        for call in 2..40 {
            clock.free(call);
        }
        assert_eq!(clock.done_before(), 40, "64 MiB take 68 µs, 38 frees 76");
    }

    #[test]
    fn the_host_s_waits_and_a_growing_pool_let_the_card_catch_up() {
        let freed = |then: fn(&mut Clock)| {
            let mut clock = clock();
            for call in 0..2 {
                clock.allocate(64 * MIB, 0);
                clock.free(call);
            }
            then(&mut clock);
            clock.done_before()
        };
        assert_eq!(freed(|_| ()), 0);
        assert_eq!(freed(|clock| clock.synchronize_before(1)), 1);
        assert_eq!(freed(Clock::synchronize), 2);
        assert_eq!(freed(|clock| clock.allocate(512, 4)), 2);
    }

    #[test]
    fn no_more_launches_than_the_driver_takes_are_under_way() {
        let mut clock = clock();
        for call in 0..5000 {
            clock.allocate(64 * MIB, 0);
            clock.free(call);
        }
        let behind = 5000 - clock.done_before();
        assert!((1000..=1024).contains(&behind), "{behind} calls are behind");
    }
}
