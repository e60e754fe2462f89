//! Handles that are given out: numbers that look like addresses, each of one kind.

use std::collections::HashMap;
use std::time::Instant;

use super::status::Status;

/// A handle as a program passes it.
pub type Handle = usize;

/// Far from every address, and aligned as handles are.
const FIRST: Handle = 0x0f00_0000;

#[derive(Debug, Clone, Copy)]
pub enum Object {
    /// A context other than the primary one, of a device.
    Context(i32),
    Stream {
        priority: i32,
        flags: u32,
    },
    /// An event, when it was recorded, and whether it keeps times.
    Event {
        recorded: Option<Instant>,
        timed: bool,
    },
    Blas {
        device: i32,
    },
    Generator,
    Descriptor,
}

#[derive(Debug)]
pub struct Handles {
    objects: HashMap<Handle, Object>,
    next: Handle,
}

impl Default for Handles {
    fn default() -> Self {
        Self { objects: HashMap::new(), next: FIRST }
    }
}

impl Handles {
    pub fn add(&mut self, object: Object) -> Handle {
        let handle = self.next();
        self.objects.insert(handle, object);
        handle
    }

    /// A number that no other handle has.
    pub fn next(&mut self) -> Handle {
        self.next += 64;
        self.next
    }

    pub fn get(&mut self, handle: Handle) -> Result<&mut Object, Status> {
        self.objects.get_mut(&handle).ok_or(Status::INVALID_HANDLE)
    }

    pub fn remove(&mut self, handle: Handle) -> Result<Object, Status> {
        self.objects.remove(&handle).ok_or(Status::INVALID_HANDLE)
    }
}
