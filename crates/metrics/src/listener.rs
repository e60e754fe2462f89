//! What a process is watched by, if it is: a library that was loaded before the program started and
//! listens to its marks (`vram dry-run`, `vram trace`).

/// Tells whoever watches this process that it has reached the point `name` of its work, such as
/// `"forward"`: memory is accounted for from mark to mark.
///
/// The listener is looked for once. Where nobody listens, a call is a load and a branch.
///
/// ```
/// # fn forward() {}
/// forward();
/// vram_metrics::mark("forward");
/// ```
pub fn mark(name: &str) {
    if let Some(listen) = imp::listener() {
        // SAFETY: the listener reads `len` bytes from the address, and keeps neither.
        unsafe { listen(name.as_ptr(), name.len()) }
    }
}

/// Whether the card of this process is a stand-in that computes nothing (`vram dry-run`): its counters
/// tell what a card would, its times and values mean nothing.
pub fn card_is_virtual() -> bool {
    imp::stand_in().is_some()
}

#[cfg(all(feature = "driver", target_os = "linux"))]
mod imp {
    use std::sync::OnceLock;

    use libloading::os::unix::Library;

    pub(super) type Listen = unsafe extern "C" fn(name: *const u8, len: usize);

    /// Whoever listens: the stand-in, or what passes calls on to a real card (`vram trace`).
    pub(super) fn listener() -> Option<Listen> {
        static FOUND: OnceLock<Option<Listen>> = OnceLock::new();
        *FOUND.get_or_init(|| stand_in().or_else(|| find(b"vram_trace_mark\0")))
    }

    /// By the name that the stand-in exports it under.
    pub(super) fn stand_in() -> Option<Listen> {
        static FOUND: OnceLock<Option<Listen>> = OnceLock::new();
        *FOUND.get_or_init(|| find(b"vram_virtual_card_mark\0"))
    }

    fn find(name: &[u8]) -> Option<Listen> {
        // SAFETY: the names are this project's own, and so is the signature that they stand for. What
        // was loaded before the program is never unloaded.
        unsafe { Library::this().get::<Listen>(name) }.ok().map(|found| *found)
    }
}

#[cfg(not(all(feature = "driver", target_os = "linux")))]
mod imp {
    type Listen = unsafe extern "C" fn(name: *const u8, len: usize);

    pub(super) fn listener() -> Option<Listen> {
        None
    }

    pub(super) fn stand_in() -> Option<Listen> {
        None
    }
}
