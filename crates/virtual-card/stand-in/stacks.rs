//! The stacks of callers, each written down once.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use crate::protocol::{MOST_FRAMES, STACKS};

use super::mixed::{ByMixed, mixed};
use super::modules::{self, Modules};
use super::unwinder::Unwinder;

/// The stacks that were seen, by their hashes: two of 64 bits that are equal are of one stack.
pub struct Stacks {
    file: Option<File>,
    numbers: HashMap<u64, u32, ByMixed>,
    own: Range<usize>,
    modules: Modules,
    unwinder: Unwinder,
    frames: [u64; 1 + MOST_FRAMES],
}

impl Stacks {
    /// Those of the process whose files have this name.
    pub fn begin(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(format!("{name}.{STACKS}"));
        let mut modules = Modules::begin(directory, name)?;
        modules.look();
        Ok(Self {
            file: Some(OpenOptions::new().append(true).create_new(true).open(path)?),
            numbers: HashMap::default(),
            own: modules::own_code(),
            modules,
            unwinder: Unwinder::default(),
            frames: [0; 1 + MOST_FRAMES],
        })
    }

    /// The number of the calling thread's stack above this library, plus one; 0 for none.
    pub fn here(&mut self) -> u32 {
        let (depth, frames) = self.frames.split_at_mut(1);
        let taken = self.unwinder.walk(frames, &self.own);
        depth[0] = taken as u64;
        if taken == 0 { 0 } else { self.number(taken) }
    }

    fn number(&mut self, taken: usize) -> u32 {
        let entry = &self.frames[..=taken];
        let hash = entry.iter().fold(0, |hash, word| mixed(hash ^ word));
        if let Some(number) = self.numbers.get(&hash) {
            return *number;
        }
        // What cannot be written is lost, and all that comes after: half a stack must be the last.
        let Some(mut file) = self.file.take() else { return 0 };
        let bytes: Vec<u8> = entry.iter().flat_map(|word| word.to_le_bytes()).collect();
        let next = u32::try_from(self.numbers.len() + 1).unwrap_or(0);
        if next == 0 || file.write_all(&bytes).is_err() {
            return 0;
        }
        self.file = Some(file);
        self.numbers.insert(hash, next);
        self.look_for_modules();
        next
    }

    /// Looks for code that was loaded since.
    pub fn look_for_modules(&mut self) {
        if self.modules.look_if_changed() {
            self.unwinder.forget();
        }
    }
}
