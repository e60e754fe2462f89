//! The files that the process's code was loaded from, and where it lies.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::protocol::MODULES;

use super::objects;

/// What code a file brought: its path, empty for the program itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Code {
    path: PathBuf,
    addresses: Range<usize>,
    bias: usize,
}

fn loaded() -> Vec<Code> {
    let mut found: Vec<Code> = Vec::new();
    objects::each(|object| {
        let (path, bias) = (object.path(), object.bias());
        found.extend(object.code().map(|addresses| Code {
            path: path.to_owned(),
            addresses,
            bias,
        }));
    });
    found
}

/// Where this library's own code lies.
pub fn own_code() -> Range<usize> {
    let here = own_code as *const () as usize;
    loaded()
        .into_iter()
        .map(|code| code.addresses)
        .find(|code| code.contains(&here))
        .unwrap_or(0..0)
}

/// Those that are written down.
pub struct Modules {
    file: File,
    written: HashSet<Code>,
    added: u64,
}

impl Modules {
    /// Those of the process whose files have this name.
    pub fn begin(directory: &Path, name: &str) -> io::Result<Self> {
        let path = directory.join(format!("{name}.{MODULES}"));
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        Ok(Self { file, written: HashSet::new(), added: 0 })
    }

    /// Writes down those that are not yet.
    pub fn look(&mut self) {
        self.added = objects::added();
        for code in loaded() {
            if !self.written.contains(&code) {
                // What cannot be written is lost: a program must not fail of it.
                let _ = self.file.write_all(&entry(&code));
                self.written.insert(code);
            }
        }
    }

    /// The same, if anything was loaded since. Returns whether.
    pub fn look_if_changed(&mut self) -> bool {
        let has_changed = self.added != objects::added();
        if has_changed {
            self.look();
        }
        has_changed
    }
}

fn entry(code: &Code) -> Vec<u8> {
    let Code { path, addresses, bias } = code;
    let mut entry = format!("{:x}\t{:x}\t{bias:x}\t", addresses.start, addresses.end).into_bytes();
    // The program itself has no name there.
    let own = path.as_os_str().is_empty().then(std::env::current_exe);
    let path = own.and_then(Result::ok).unwrap_or_else(|| path.clone());
    entry.extend_from_slice(path.as_os_str().as_bytes());
    entry.push(0);
    entry
}
