//! The host's meter: an allocator that counts, over pages that it keeps.
//!
//! Small blocks go to dlmalloc, large ones to a cache of huge-page extents. Were dlmalloc to serve
//! both, a freed tape of gigabytes would be carved up by small long-lived blocks, and the next
//! step would map a second one. Neither gives pages back while they can be reused: the first touch
//! of fresh pages costs many times a warm copy.
//!
//! Locks: the bookkeeping of large blocks allocates small ones, so `LARGE` is taken before
//! `SMALL`, and nothing that holds `SMALL` takes `LARGE`. The locks themselves must not allocate,
//! which `std::sync::Mutex` does on some systems. Nothing is kept per thread, so a thread that ends
//! leaves nothing behind; the child of a fork may not allocate before it executes another program.

mod counter;
mod extents;
mod pages;

use std::alloc::{GlobalAlloc, Layout};
use std::hint::black_box;
use std::ptr;

use dlmalloc::Dlmalloc;
use spin::Yield;
use spin::mutex::SpinMutex;

use crate::meter::{Meter, MeterError, Reading};
use counter::Counter;
use extents::Extents;
use pages::{GRANULE, MAPPED};

/// Bytes that the program asked for and has not given back.
static LIVE: Counter = Counter::new();

static SMALL: SpinMutex<Dlmalloc<SmallPages>, Yield> = SpinMutex::new(
    const {
        let mut small = Dlmalloc::new_with_allocator(SmallPages);
        assert!(small.set_granularity(GRANULE));
        small
    },
);

static LARGE: SpinMutex<Extents, Yield> = SpinMutex::new(Extents::new());

/// Blocks of this size and more have pages of their own.
const LARGE_BLOCK: usize = 1 << 20;

/// The metered allocator of host memory.
///
/// Declare it as the binary's global allocator and read it through [`HostMeter`].
#[derive(Debug, Clone, Copy, Default)]
pub struct HostAllocator;

/// Reads the counters of [`HostAllocator`].
#[derive(Debug)]
pub struct HostMeter(());

impl HostMeter {
    /// The meter of this binary.
    ///
    /// # Errors
    ///
    /// [`MeterError::NotInstalled`] if [`HostAllocator`] is not this binary's global allocator.
    pub fn new() -> Result<Self, MeterError> {
        // While this block lives, whoever counts counts at least one byte.
        let block = black_box(Box::new(0u8));
        let counts = LIVE.reading().current > 0;
        drop(block);
        if counts { Ok(Self(())) } else { Err(MeterError::NotInstalled) }
    }
}

impl Meter for HostMeter {
    fn allocated(&self) -> Result<Reading, MeterError> {
        Ok(LIVE.reading())
    }

    fn reserved(&self) -> Result<Reading, MeterError> {
        Ok(MAPPED.reading())
    }

    fn reset_peaks(&self) -> Result<(), MeterError> {
        LIVE.reset_peak();
        MAPPED.reset_peak();
        Ok(())
    }
}

/// Length of the extent that serves a large block; none for a block that dlmalloc serves.
fn large(layout: Layout) -> Option<usize> {
    if layout.size() < LARGE_BLOCK || layout.align() > GRANULE {
        return None;
    }
    // A layout's size leaves room below isize::MAX for any alignment up to it.
    Some(layout.size().next_multiple_of(GRANULE))
}

/// A large block, and whether its pages are fresh zeros.
fn take_large(len: usize) -> Option<(*mut u8, bool)> {
    let mut extents = LARGE.lock();
    if let Some(start) = extents.take(len) {
        return Some((ptr::with_exposed_provenance_mut(start), false));
    }
    if let Some(block) = pages::map(len) {
        return Some((block, true));
    }
    // The system refused: what lies idle may be what it lacks.
    for (start, len) in extents.drain() {
        // SAFETY: idle extents are mapped, and nothing refers to them.
        unsafe { pages::unmap(ptr::with_exposed_provenance_mut(start), len) };
    }
    pages::map(len).map(|block| (block, true))
}

// SAFETY: blocks come from dlmalloc or from mapped extents, each handed out once and returned to
// where it came from, which the layout alone decides; a failure is a null pointer.
unsafe impl GlobalAlloc for HostAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = match large(layout) {
            Some(len) => take_large(len).map_or(ptr::null_mut(), |(block, _)| block),
            // SAFETY: as the caller's.
            None => unsafe { SMALL.lock().malloc(layout.size(), layout.align()) },
        };
        counted(block, layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = match large(layout) {
            Some(len) => take_large(len).map_or(ptr::null_mut(), |(block, fresh)| {
                if !fresh {
                    // SAFETY: the block has at least this many bytes, all of them ours.
                    unsafe { block.write_bytes(0, layout.size()) };
                }
                block
            }),
            // SAFETY: as the caller's.
            None => unsafe { SMALL.lock().calloc(layout.size(), layout.align()) },
        };
        counted(block, layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match large(layout) {
            Some(len) => LARGE.lock().give(block.expose_provenance(), len),
            // SAFETY: as the caller's: the block came from here with this layout.
            None => unsafe { SMALL.lock().free(block, layout.size(), layout.align()) },
        }
        LIVE.sub(layout.size());
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size is valid for this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        let moved = match (large(layout), large(new)) {
            (Some(old_len), Some(new_len)) if old_len == new_len => block,
            (None, None) => {
                // SAFETY: as the caller's.
                unsafe { SMALL.lock().realloc(block, layout.size(), layout.align(), new_size) }
            }
            _ => {
                // SAFETY: as the caller's; the old block is valid for the smaller of the sizes.
                unsafe {
                    let moved = self.alloc(new);
                    if !moved.is_null() {
                        let kept = layout.size().min(new_size);
                        ptr::copy_nonoverlapping(block, moved, kept);
                        self.dealloc(block, layout);
                    }
                    return moved;
                }
            }
        };
        if !moved.is_null() {
            LIVE.sub(layout.size());
            LIVE.add(new_size);
        }
        moved
    }
}

fn counted(block: *mut u8, layout: Layout) -> *mut u8 {
    if !block.is_null() {
        LIVE.add(layout.size());
    }
    block
}

/// dlmalloc's source of pages: counted, and never given back.
struct SmallPages;

// SAFETY: `alloc` returns fresh, zeroed, granule-aligned pages of the stated size; nothing is ever
// remapped or freed.
unsafe impl dlmalloc::Allocator for SmallPages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let mapped =
            size.checked_next_multiple_of(GRANULE).and_then(|len| Some((pages::map(len)?, len)));
        mapped.map_or((ptr::null_mut(), 0, 0), |(block, len)| (block, len, 0))
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        rustix::param::page_size()
    }
}
