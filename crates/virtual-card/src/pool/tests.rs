use super::*;

/// A pool, and the numbers of its calls.
struct Calls {
    pool: Pool,
    call: u64,
}

impl Calls {
    fn new(settings: PoolSettings) -> Self {
        let mut pool = Pool::new(GRANULE);
        pool.set_up(settings);
        Self { pool, call: 0 }
    }

    fn alloc_on(&mut self, stream: u64, bytes: u64) -> u64 {
        let placement = self.pool.place(bytes, stream).unwrap();
        let before = self.pool.reserved();
        self.pool.take(placement);
        assert_eq!(self.pool.reserved(), before + placement.growth);
        placement.offset
    }

    fn alloc(&mut self, bytes: u64) -> u64 {
        self.alloc_on(0, bytes)
    }

    fn free_on(&mut self, stream: u64, offset: u64) -> Option<u64> {
        self.call += 1;
        self.pool.free(offset, stream, self.call - 1)
    }

    fn free(&mut self, offset: u64) {
        self.free_on(0, offset).unwrap();
    }
}

fn kept() -> Calls {
    Calls::new(PoolSettings::KEEPS_EVERYTHING)
}

#[test]
fn a_request_is_rounded_up_to_512_bytes_inside_and_counts_as_asked_for() {
    let mut calls = kept();
    assert_eq!(calls.alloc(1), 0);
    assert_eq!(calls.alloc(513), 512);
    assert_eq!(calls.alloc(1), 512 + 1024);
    assert_eq!(calls.pool.used(), 515);
    assert_eq!(calls.pool.reserved(), GRANULE);
}

#[test]
fn the_freed_range_that_fits_best_is_taken_and_the_oldest_among_equals() {
    let mut calls = kept();
    let wide = calls.alloc(4096);
    calls.alloc(512);
    let narrow = calls.alloc(1024);
    calls.alloc(512);
    let equal = calls.alloc(1024);
    calls.alloc(512);
    for offset in [wide, equal, narrow] {
        calls.free(offset);
    }
    assert_eq!(calls.alloc(1000), equal, "freed before its equal");
    assert_eq!(calls.alloc(1000), narrow);
    assert_eq!(calls.alloc(1000), wide);
    assert_eq!(calls.alloc(3072), wide + 1024, "the rest of a range stays freed");
}

#[test]
fn freed_neighbours_of_a_stream_are_one_range_at_once() {
    let mut calls = kept();
    let offsets: Vec<u64> = (0..4).map(|_| calls.alloc(512)).collect();
    for &i in &[0, 2, 1] {
        calls.free(offsets[i]);
    }
    assert_eq!(calls.alloc(1536), 0);
}

#[test]
fn fresh_addresses_are_one_with_what_was_freed_once_the_host_waited() {
    let mut calls = kept();
    let last = calls.alloc(GRANULE / 2);
    calls.free(last);
    assert_eq!(calls.alloc(GRANULE / 2 + 1), GRANULE / 2, "beside what the stream has freed");
    assert_eq!(calls.pool.reserved(), 2 * GRANULE);
    calls.free(GRANULE / 2);
    calls.pool.synchronize(0, u64::MAX);
    assert_eq!(calls.alloc(2 * GRANULE), 0);
}

#[test]
fn what_was_freed_before_the_host_waited_is_taken_after_what_was_freed_since() {
    let mut calls = kept();
    let (early, _, late, _) =
        (calls.alloc(512), calls.alloc(512), calls.alloc(1024), calls.alloc(512));
    calls.free(early);
    calls.pool.synchronize(0, u64::MAX);
    calls.free(late);
    assert_eq!(calls.alloc(512), late, "though the other one fits better");
}

#[test]
fn a_wait_for_an_event_reaches_what_was_freed_before_it() {
    let mut calls = kept();
    let offsets: Vec<u64> = (0..4).map(|_| calls.alloc(GRANULE)).collect();
    calls.free(offsets[0]);
    let recorded = calls.call;
    calls.free(offsets[3]);
    calls.pool.synchronize(0, recorded);
    assert_eq!(calls.alloc(GRANULE), offsets[3], "still the stream's");
    assert_eq!(calls.alloc(GRANULE), offsets[0], "the pool's");
}

#[test]
fn idle_granules_go_back_highest_first_and_are_taken_again() {
    let mut calls = kept();
    let offsets: Vec<u64> = (0..4).map(|_| calls.alloc(GRANULE)).collect();
    calls.free(offsets[0]);
    calls.free(offsets[2]);
    assert_eq!(calls.pool.trim(0), 0, "the host has not waited");
    calls.pool.synchronize_all();
    assert_eq!(calls.pool.trim(2 * GRANULE + 1), GRANULE, "no less than that is kept");
    assert_eq!(calls.alloc(GRANULE), offsets[0], "backed still");
    assert_eq!(calls.alloc(GRANULE), offsets[2]);
    assert_eq!(calls.pool.reserved(), 4 * GRANULE);
}

#[test]
fn at_a_release_threshold_the_host_s_wait_gives_back_what_is_beyond_it() {
    let settings = PoolSettings { release_threshold: 2 * GRANULE, ..PoolSettings::DEFAULT };
    let mut calls = Calls::new(settings);
    let offsets: Vec<u64> = (0..4).map(|_| calls.alloc(GRANULE)).collect();
    for offset in offsets {
        calls.free(offset);
    }
    assert_eq!(calls.pool.reserved(), 4 * GRANULE);
    assert_eq!(calls.pool.synchronize_all(), 2 * GRANULE);
    assert_eq!(calls.pool.synchronize_all(), 0);
}

#[test]
fn idle_granules_move_before_the_pool_grows() {
    let mut calls = kept();
    let offsets: Vec<u64> = (0..5).map(|_| calls.alloc(GRANULE)).collect();
    calls.free(offsets[0]);
    calls.free(offsets[2]);
    calls.pool.synchronize_all();
    // Neither range is long enough: fresh addresses, with the memory of both.
    assert_eq!(calls.alloc(2 * GRANULE), 5 * GRANULE);
    assert_eq!(calls.pool.reserved(), 5 * GRANULE);
    assert_eq!(calls.alloc(GRANULE), offsets[2], "a range without memory, moved there first");
    assert_eq!(calls.pool.reserved(), 6 * GRANULE);
}

#[test]
fn another_stream_s_memory_is_taken_by_events_or_once_the_card_is_done() {
    let settings = |events, opportunistic| PoolSettings {
        reuse_follow_event_dependencies: events,
        reuse_allow_opportunistic: opportunistic,
        ..PoolSettings::KEEPS_EVERYTHING
    };
    let next = |settings, waits: bool, progress| {
        let mut calls = Calls::new(settings);
        calls.pool.set_progress(progress);
        let first = calls.alloc_on(1, 4096);
        calls.alloc_on(1, 512);
        calls.free_on(1, first).unwrap();
        if waits {
            calls.pool.wait(2, 1, calls.call);
        }
        calls.alloc_on(2, 4096) == first
    };
    use Progress::{DoneBefore, KeepsUp};
    assert!(!next(settings(false, false), true, KeepsUp));
    assert!(next(settings(true, false), true, DoneBefore(0)));
    assert!(!next(settings(true, false), false, KeepsUp));
    assert!(next(settings(false, true), false, KeepsUp));
    assert!(next(settings(false, true), false, DoneBefore(1)));
    assert!(!next(settings(false, true), false, DoneBefore(0)));
}

#[test]
fn a_stream_that_was_waited_for_brings_what_it_had_waited_for() {
    let mut calls = kept();
    let first = calls.alloc_on(1, 512);
    calls.alloc_on(1, 512);
    calls.free_on(1, first).unwrap();
    calls.pool.wait(2, 1, calls.call);
    calls.pool.wait(3, 2, calls.call);
    calls.pool.synchronize(3, u64::MAX);
    assert_eq!(calls.alloc_on(4, 512), first);
}

#[test]
fn whole_granules_are_nobody_elses_and_count_as_asked_for() {
    let mut pool = Pool::of_whole_granules(GRANULE);
    for (bytes, offset) in [(GRANULE + 1, 0), (1, 2 * GRANULE)] {
        let placement = pool.place(bytes, 0).unwrap();
        assert_eq!(placement.offset, offset);
        pool.take(placement);
    }
    assert_eq!((pool.used(), pool.reserved()), (GRANULE + 2, 3 * GRANULE));
    assert_eq!(pool.free(0, 0, 1), Some(GRANULE + 1));
    pool.synchronize_all();
    assert_eq!(pool.trim(0), 2 * GRANULE);
}

#[test]
fn no_bytes_and_too_many_have_no_place() {
    let mut pool = Pool::new(GRANULE);
    assert_eq!(pool.place(0, 0), None);
    assert_eq!(pool.place(u64::MAX, 0), None);
    assert!(pool.place(1 << 60, 0).unwrap().growth >= 1 << 60);
}

#[test]
fn what_was_never_allocated_is_not_freed() {
    let mut calls = kept();
    let offset = calls.alloc(1024);
    assert_eq!(calls.free_on(0, offset + 512), None);
    assert_eq!(calls.free_on(0, offset), Some(1024));
    assert_eq!(calls.free_on(0, offset), None);
}

proptest::proptest! {
    #[test]
    fn live_allocations_never_overlap_and_sums_hold(
        steps in proptest::collection::vec((1u64..80 << 20, 0usize..9, 0u64..3), 1..200),
        threshold in 0u64..400 << 20,
        opportunistic: bool,
    ) {
        let mut calls = Calls::new(PoolSettings {
            release_threshold: threshold,
            reuse_allow_opportunistic: opportunistic,
            ..PoolSettings::DEFAULT
        });
        let mut live: Vec<(u64, u64)> = Vec::new();
        for (bytes, which, stream) in steps {
            match which {
                8 if bytes % 2 == 0 => {
                    calls.pool.synchronize(stream, u64::MAX);
                }
                8 => calls.pool.wait(stream, (stream + 1) % 3, calls.call),
                _ if which < live.len() && which % 2 == 0 => {
                    let (offset, bytes) = live.swap_remove(which);
                    assert_eq!(calls.free_on(stream, offset), Some(bytes));
                }
                _ => {
                    let offset = calls.alloc_on(stream, bytes);
                    for (other, length) in &live {
                        assert!(offset + bytes <= *other || other + length <= offset);
                    }
                    live.push((offset, bytes));
                }
            }
            let pool = &calls.pool;
            assert_eq!(pool.used(), live.iter().map(|(_, bytes)| bytes).sum::<u64>());
            assert!(pool.reserved() >= pool.used());
            assert_eq!(pool.reserved() % GRANULE, 0);
        }
    }
}
