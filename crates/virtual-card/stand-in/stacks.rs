//! The stacks of callers, each written down once.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasherDefault, Hasher};
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use crate::protocol::{MOST_FRAMES, STACKS};

use super::mixed::mixed;
use super::modules::{self, Modules};

type Visit = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;

unsafe extern "C" {
    fn _Unwind_Backtrace(visit: Visit, data: *mut c_void) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

/// Of `_Unwind_Reason_Code`.
const NO_REASON: c_int = 0;
const END_OF_STACK: c_int = 5;

/// Hashes of stacks are mixed already.
#[derive(Default)]
struct Mixed(u64);

impl Hasher for Mixed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The stacks that were seen, by their hashes: two of 64 bits that are equal are of one stack.
pub struct Stacks {
    file: File,
    numbers: HashMap<u64, u32, BuildHasherDefault<Mixed>>,
    own: Range<usize>,
    modules: Modules,
    frames: [u64; 1 + MOST_FRAMES],
}

/// What a walk up a stack has found.
struct Walk<'a> {
    frames: &'a mut [u64],
    own: &'a Range<usize>,
    taken: usize,
}

unsafe extern "C" fn visit(context: *mut c_void, walk: *mut c_void) -> c_int {
    // SAFETY: `here` passes a walk, and the unwinder a context.
    let (walk, address) = unsafe { (&mut *walk.cast::<Walk>(), _Unwind_GetIP(context)) };
    // Ours, which the program called, are the first.
    if walk.taken == 0 && walk.own.contains(&address) {
        return NO_REASON;
    }
    match walk.frames.get_mut(walk.taken) {
        Some(to) if address != 0 => {
            *to = address as u64;
            walk.taken += 1;
            NO_REASON
        }
        _ => END_OF_STACK,
    }
}

thread_local! {
    /// Whether this thread is unwinding its stack: what that allocates may come here again.
    static UNWINDING: Cell<bool> = const { Cell::new(false) };
}

impl Stacks {
    /// Those of the process whose files have this name.
    pub fn begin(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(format!("{name}.{STACKS}"));
        let mut modules = Modules::begin(directory, name)?;
        modules.look();
        Ok(Self {
            file: OpenOptions::new().append(true).create_new(true).open(path)?,
            numbers: HashMap::default(),
            own: modules::own_code(),
            modules,
            frames: [0; 1 + MOST_FRAMES],
        })
    }

    /// The number of the calling thread's stack above this library, plus one; 0 for none.
    pub fn here(&mut self) -> u32 {
        if UNWINDING.try_with(|unwinding| unwinding.replace(true)).unwrap_or(true) {
            return 0;
        }
        let (depth, frames) = self.frames.split_at_mut(1);
        let mut walk = Walk { frames, own: &self.own, taken: 0 };
        // SAFETY: `visit` takes the walk that is passed.
        unsafe { _Unwind_Backtrace(visit, (&raw mut walk).cast()) };
        let taken = walk.taken;
        depth[0] = taken as u64;
        let _ = UNWINDING.try_with(|unwinding| unwinding.set(false));
        if taken == 0 { 0 } else { self.number(taken) }
    }

    fn number(&mut self, taken: usize) -> u32 {
        let entry = &self.frames[..=taken];
        let hash = entry.iter().fold(0, |hash, word| mixed(hash ^ word));
        if let Some(number) = self.numbers.get(&hash) {
            return *number;
        }
        // The file is read without bounds of entries: half a stack would be the last.
        let bytes: Vec<u8> = entry.iter().flat_map(|word| word.to_le_bytes()).collect();
        let next = u32::try_from(self.numbers.len() + 1).unwrap_or(0);
        if next == 0 || self.file.write_all(&bytes).is_err() {
            return 0;
        }
        self.numbers.insert(hash, next);
        self.modules.look_if_changed();
        next
    }

    /// Looks for code that was loaded since.
    pub fn look_for_modules(&mut self) {
        self.modules.look_if_changed();
    }
}
