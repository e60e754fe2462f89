//! Handles that are given out: numbers that look like addresses, each of one kind.

use std::collections::HashMap;
use std::time::Instant;

use super::status::Status;

/// A handle as a program passes it.
pub type Handle = usize;

/// The streams that every context has: none named, the legacy one, which is the same, and the thread's own.
const OF_CONTEXTS: std::ops::RangeInclusive<Handle> = 0..=2;

/// `CU_STREAM_LEGACY`.
const LEGACY: Handle = 1;

/// What a device's number is moved by in the numbers of the streams that its contexts have.
const DEVICE_SHIFT: u32 = 8;

/// `CU_STREAM_NON_BLOCKING`.
const NON_BLOCKING: u32 = 1;

/// Far from every address, and aligned as handles are.
const FIRST: Handle = 0x0f00_0000;

/// Whether a stream is one that every context has.
pub fn is_of_context(stream: Handle) -> bool {
    OF_CONTEXTS.contains(&stream)
}

/// The number of a stream, for the order of requests: one of a stream that every context has is that of
/// the device's. No other handle is as small.
pub fn stream_number(device: i32, stream: Handle) -> u64 {
    match stream {
        LEGACY => stream_number(device, 0),
        stream if is_of_context(stream) => (device as u64) << DEVICE_SHIFT | stream as u64,
        stream => stream as u64,
    }
}

/// The device whose legacy stream has this number.
fn device_of_legacy(number: u64) -> Option<i32> {
    let device = i32::try_from(number >> DEVICE_SHIFT).ok()?;
    (number < FIRST as u64 && stream_number(device, 0) == number).then_some(device)
}

/// What an event was recorded after: the number of a stream, and as many steps of the request log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Order {
    pub stream: u64,
    pub steps: u64,
}

#[derive(Debug, Clone, Copy)]
pub enum Object {
    /// A context other than the primary one, of a device.
    Context(i32),
    Stream {
        device: i32,
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

    /// Streams that are waited for with the one of this number, it among them: with the legacy stream every
    /// other of its device that does not say otherwise.
    pub fn with_stream(&self, number: u64) -> Vec<u64> {
        let mut streams = vec![number];
        if let Some(legacy_of) = device_of_legacy(number) {
            streams.extend(self.objects.iter().filter_map(|(handle, object)| match object {
                Object::Stream { flags, device, .. }
                    if flags & NON_BLOCKING == 0 && *device == legacy_of =>
                {
                    Some(*handle as u64)
                }
                _ => None,
            }));
        }
        streams
    }

    pub fn get(&mut self, handle: Handle) -> Result<&mut Object, Status> {
        self.objects.get_mut(&handle).ok_or(Status::INVALID_HANDLE)
    }

    pub fn remove(&mut self, handle: Handle) -> Result<Object, Status> {
        self.objects.remove(&handle).ok_or(Status::INVALID_HANDLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_that_contexts_have_are_each_devices_own() {
        assert_eq!([0, 1, 2].map(|stream| stream_number(0, stream)), [0, 0, 2]);
        assert_eq!(stream_number(3, 0), stream_number(3, LEGACY));
        assert_ne!(stream_number(3, 0), stream_number(2, 0));
        assert_eq!(device_of_legacy(stream_number(3, LEGACY)), Some(3));
        assert_eq!(device_of_legacy(stream_number(3, 2)), None);
        let mut handles = Handles::default();
        let stream = |device, flags| Object::Stream { device, priority: 0, flags };
        let first = handles.add(stream(0, 0));
        let (second, apart) = (handles.add(stream(1, 0)), handles.add(stream(1, NON_BLOCKING)));
        assert_eq!(stream_number(1, second), second as u64);
        assert_eq!(handles.with_stream(stream_number(0, 0)), [0, first as u64]);
        assert_eq!(handles.with_stream(1 << DEVICE_SHIFT), [1 << DEVICE_SHIFT, second as u64]);
        assert_eq!(handles.with_stream(apart as u64), [apart as u64]);
    }
}
