//! The host's meter in a binary that has it installed.
#![cfg(unix)]

use std::alloc::{Layout, alloc, dealloc};
use std::hint::black_box;
use std::sync::Mutex;

use vram_metrics::host::{HostAllocator, HostMeter};
use vram_metrics::meter::Meter;

#[global_allocator]
static ALLOC: HostAllocator = HostAllocator;

/// The counters are the process's: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

const GIB: u64 = 1 << 30;

/// What the test harness allocates beside a test.
const NOISE: u64 = 1 << 20;

fn alone<T>(test: impl FnOnce(HostMeter) -> T) -> T {
    let _guard = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    test(HostMeter::new().unwrap())
}

fn allocated(meter: &HostMeter) -> u64 {
    meter.allocated().unwrap().current
}

fn reserved(meter: &HostMeter) -> u64 {
    meter.reserved().unwrap().current
}

#[test]
fn freed_memory_stays_reserved_and_is_used_again() {
    alone(|meter| {
        let before = allocated(&meter);
        let block = black_box(vec![1u8; GIB as usize]);
        assert!(allocated(&meter).abs_diff(before + GIB) < NOISE);
        let held = reserved(&meter);
        assert!(held >= GIB);

        drop(block);
        assert!(allocated(&meter).abs_diff(before) < NOISE);
        assert_eq!(reserved(&meter), held);

        let again = black_box(vec![2u8; GIB as usize]);
        assert!(reserved(&meter).abs_diff(held) < NOISE);
        drop(again);
    });
}

#[test]
fn peaks_are_reset_to_what_is_held() {
    alone(|meter| {
        let size = 64 << 20;
        drop(black_box(vec![1u8; size]));
        let peak = meter.allocated().unwrap().peak;
        assert!(peak >= size as u64);
        meter.reset_peaks().unwrap();
        let reading = meter.allocated().unwrap();
        assert!(reading.peak < peak && reading.peak - reading.current < NOISE);
        let block = black_box(vec![1u8; size]);
        assert!(meter.allocated().unwrap().peak >= reading.current + size as u64);
        drop(block);
    });
}

#[test]
fn small_blocks_are_counted_to_the_byte() {
    alone(|meter| {
        // The harness may allocate beside us, so the same thing is tried until it is quiet.
        let exact = (0..100).any(|_| {
            let before = allocated(&meter);
            let block = black_box(vec![0u8; 12_345]);
            let grown = allocated(&meter) - before;
            drop(block);
            grown == 12_345
        });
        assert!(exact);
    });
}

#[test]
fn zeroed_memory_is_zero_after_reuse() {
    alone(|_| {
        for size in [4096, 3 << 20] {
            drop(black_box(vec![0xAAu8; size]));
            let zeroed = black_box(vec![0u8; size]);
            assert!(zeroed.iter().all(|&b| b == 0));
        }
    });
}

#[test]
fn growing_and_shrinking_keeps_the_contents() {
    alone(|meter| {
        let before = allocated(&meter);
        let mut block: Vec<u32> = Vec::new();
        // Through the small allocator, across the border, and within large blocks.
        for value in 0..3_000_000 {
            block.push(value);
        }
        assert!(block.iter().copied().eq(0..3_000_000));
        for len in [2_900_000, 400_000, 100_000, 10] {
            block.truncate(len);
            block.shrink_to_fit();
            assert!(block.iter().copied().eq(0..len as u32));
        }
        drop(block);
        assert!(allocated(&meter).abs_diff(before) < NOISE);
    });
}

#[test]
fn alignment_is_kept() {
    alone(|_| {
        for align in [16, 4096, 2 << 20, 8 << 20] {
            for size in [100, 5 << 20] {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: the layout has a size, and the block is freed with it.
                unsafe {
                    let block = alloc(layout);
                    assert!(!block.is_null());
                    assert_eq!(block.align_offset(align), 0, "{size} bytes at {align}");
                    block.write_bytes(1, size);
                    dealloc(block, layout);
                }
            }
        }
    });
}

#[test]
fn more_than_the_system_has_is_refused_and_nothing_is_lost() {
    alone(|meter| {
        let kept = black_box(vec![7u8; 4 << 20]);
        let idle = 64 << 20;
        drop(black_box(vec![1u8; idle]));
        let before = (allocated(&meter), reserved(&meter));
        // Past every address space: a system that promises more than it has refuses it too.
        let mut block: Vec<u8> = Vec::new();
        assert!(block.try_reserve_exact(1 << 62).is_err());
        assert!(allocated(&meter).abs_diff(before.0) < NOISE);
        // What lay idle was given back before the second try.
        assert!(reserved(&meter) + idle as u64 <= before.1);
        assert!(kept.iter().all(|&b| b == 7));
        drop(black_box(vec![1u8; 8 << 20]));
    });
}

#[test]
fn threads_do_not_disturb_each_other() {
    alone(|meter| {
        let before = allocated(&meter);
        std::thread::scope(|scope| {
            for id in 0..8u8 {
                scope.spawn(move || {
                    for round in 0..200usize {
                        let len = 1 << (round % 23);
                        let block = black_box(vec![id; len]);
                        assert!(block.iter().all(|&b| b == id));
                    }
                });
            }
        });
        assert!(allocated(&meter).abs_diff(before) < NOISE);
        assert!(meter.reserved().unwrap().peak >= meter.allocated().unwrap().peak);
    });
}
