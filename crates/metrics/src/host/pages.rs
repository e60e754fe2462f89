//! Huge pages from the system, counted.

use std::ptr;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use super::counter::Counter;

/// Bytes mapped from the system: what "reserved" means on the host.
pub(super) static MAPPED: Counter = Counter::new();

/// Unit in which pages are mapped: a huge page.
pub(super) const GRANULE: usize = 2 << 20;

/// Maps `len` bytes of zeros at a multiple of [`GRANULE`], of which `len` is one too.
pub(super) fn map(len: usize) -> Option<*mut u8> {
    let padded = len.checked_add(GRANULE)?;
    let start = raw_map(padded)?;
    let skip = start.align_offset(GRANULE);
    // SAFETY: `skip < GRANULE` and `len` is a multiple of it, so head, block and tail are the
    // three parts of the fresh mapping; nothing refers to head and tail.
    let block = unsafe {
        let block = start.add(skip);
        unmap_part(start, skip);
        unmap_part(block.add(len), padded - skip - len);
        block
    };
    advise_huge(block, len);
    MAPPED.add(len);
    Some(block)
}

fn raw_map(len: usize) -> Option<*mut u8> {
    let access = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a fresh private mapping at an address of the system's choice aliases nothing.
    let pages = unsafe { mmap_anonymous(ptr::null_mut(), len, access, MapFlags::PRIVATE) };
    pages.ok().map(<*mut _>::cast)
}

/// # Safety
///
/// The pages from `start` on must be mapped, and nothing may refer to them.
unsafe fn unmap_part(start: *mut u8, len: usize) {
    if len > 0 {
        // SAFETY: the caller's. Unmapping a part of a fresh mapping can fail only for want of
        // kernel memory, and then the pages merely stay mapped.
        let _ = unsafe { munmap(start.cast(), len) };
    }
}

/// Gives a block back to the system.
///
/// # Safety
///
/// `start` and `len` must describe blocks from [`map`] that nothing refers to.
pub(super) unsafe fn unmap(start: *mut u8, len: usize) {
    // SAFETY: the caller's.
    if unsafe { munmap(start.cast(), len) }.is_ok() {
        MAPPED.sub(len);
    }
}

/// First touch of fresh 4 KiB pages costs several times what huge pages cost; a system without
/// them says no, and nothing is lost.
fn advise_huge(start: *mut u8, len: usize) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: advice on pages that were just mapped.
    let _ = unsafe { rustix::mm::madvise(start.cast(), len, rustix::mm::Advice::LinuxHugepage) };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = (start, len);
}
