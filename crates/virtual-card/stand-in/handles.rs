//! Handles that are given out: numbers that look like addresses, each of one kind.

use std::collections::HashMap;
use std::time::Instant;

use super::status::Status;

/// A handle as a program passes it.
pub type Handle = usize;

/// `CU_STREAM_LEGACY`.
const LEGACY: Handle = 1;

/// `CU_STREAM_NON_BLOCKING`.
const NON_BLOCKING: u32 = 1;

/// Far from every address, and aligned as handles are.
const FIRST: Handle = 0x0f00_0000;

/// The number of a stream, of which the legacy one has two.
pub fn stream_number(stream: Handle) -> u64 {
    if stream == LEGACY { 0 } else { stream as u64 }
}

/// What an event was recorded after: a stream, and as many steps of the request log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Order {
    pub stream: Handle,
    pub steps: u64,
}

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
        order: Order,
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

    /// Streams that the legacy stream waits for.
    pub fn blocking_streams(&self) -> impl Iterator<Item = Handle> + '_ {
        self.objects.iter().filter_map(|(handle, object)| match object {
            Object::Stream { flags, .. } if flags & NON_BLOCKING == 0 => Some(*handle),
            _ => None,
        })
    }

    pub fn get(&mut self, handle: Handle) -> Result<&mut Object, Status> {
        self.objects.get_mut(&handle).ok_or(Status::INVALID_HANDLE)
    }

    pub fn remove(&mut self, handle: Handle) -> Result<Object, Status> {
        self.objects.remove(&handle).ok_or(Status::INVALID_HANDLE)
    }
}
