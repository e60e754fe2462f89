//! Every request for memory, one by one, where they are asked for.

use std::path::Path;

use crate::protocol::{CALLS, CALLS_AND_STACKS, REQUESTS, REQUESTS_VARIABLE, Request, kind};

use super::growing_file::GrowingFile;
use super::stacks::Stacks;

/// What a process asked for so far.
pub struct RequestLog {
    file: GrowingFile,
    stacks: Option<Stacks>,
}

impl RequestLog {
    /// The log of the process whose files have this name, if one is asked for.
    pub fn begin(directory: &Path, name: &str) -> Option<Self> {
        let asked = std::env::var(REQUESTS_VARIABLE).ok()?;
        let stacks = match asked.as_str() {
            CALLS => None,
            CALLS_AND_STACKS => Some(Stacks::begin(directory, name).ok()?),
            _ => return None,
        };
        let file = GrowingFile::create(&directory.join(format!("{name}.{REQUESTS}"))).ok()?;
        Some(Self { file, stacks })
    }

    /// Takes a step; an allocation with the stack of whoever called this library. Whether it was written.
    pub fn step(&mut self, mut request: Request) -> bool {
        if matches!(request.kind, kind::IN_POOL | kind::OUTSIDE | kind::ON_HOST) {
            request.stack = self.stacks.as_mut().map_or(0, Stacks::here);
        }
        self.file.append(request.to_words()).is_ok()
    }

    /// Looks for code that was loaded since.
    pub fn look_for_modules(&mut self) {
        if let Some(stacks) = &mut self.stacks {
            stacks.look_for_modules();
        }
    }
}
