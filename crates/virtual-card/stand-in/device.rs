//! The driver, and cards and what they are.

use std::ffi::c_char;

use super::context;
use super::identity;
use super::pointer::{Out, Text, put_text};
use super::session;
use super::status::Status;

/// Attributes that tell where a card is: recorded ones tell where the recorded card was.
const BUS: i32 = 33;
const DEVICE_ON_BUS: i32 = 34;
const DOMAIN: i32 = 50;

exported! {
    fn cuInit(_flags: u32) -> i32 {
        session::initialize().map_or_else(|status| status.0, |()| 0)
    }

    fn cuDriverGetVersion(version: Out<i32>) -> i32 {
        let mut known = 0;
        session::note(|session| known = session.facts.number("cuda_version") as i32);
        version.put(known).map_or_else(|status| status.0, |()| 0)
    }
}

driver! {
    fn cuDeviceGet(device: Out<i32>, ordinal: i32) {
        session::with(|session| {
            session.card(ordinal)?;
            device.put(ordinal)
        })
    }

    fn cuDeviceGetCount(count: Out<i32>) {
        session::with(|session| count.put(session.visible.len() as i32))
    }

    fn cuDeviceGetName(name: *mut c_char, room: i32, device: i32) {
        session::with(|session| {
            session.card(device)?;
            let room = usize::try_from(room).map_err(|_| Status::INVALID_VALUE)?;
            put_text(name, room, session.facts.text("name"))
        })
    }

    fn cuDeviceGetUuid(to: Out<[u8; 16]>, device: i32) {
        session::with(|session| to.put(identity::uuid(session.card(device)?.number)))
    }

    fn cuDeviceGetUuid_v2(to: Out<[u8; 16]>, device: i32) {
        session::with(|session| to.put(identity::uuid(session.card(device)?.number)))
    }

    fn cuDeviceTotalMem_v2(bytes: Out<usize>, device: i32) {
        session::with(|session| {
            session.card(device)?;
            bytes.put(session.memory as usize)
        })
    }

    fn cuDeviceGetAttribute(value: Out<i32>, attribute: i32, device: i32) {
        session::with(|session| {
            let number = session.card(device)?.number;
            let recorded = match attribute {
                BUS => Some(identity::bus(number) as i32),
                DEVICE_ON_BUS | DOMAIN => Some(0),
                _ => session.facts.attribute(attribute),
            };
            if recorded.is_none() {
                session.record.tally(|t| &t.unrecorded_attributes, 1);
                session.record.event_once("attribute", &attribute.to_string());
            }
            value.put(recorded.unwrap_or(0))
        })
    }

    fn cuDeviceComputeCapability(major: Out<i32>, minor: Out<i32>, device: i32) {
        session::with(|session| {
            session.card(device)?;
            major.put(session.facts.attribute(75).unwrap_or(0))?;
            minor.put(session.facts.attribute(76).unwrap_or(0))
        })
    }

    fn cuDeviceGetPCIBusId(text: *mut c_char, room: i32, device: i32) {
        session::with(|session| {
            let number = session.card(device)?.number;
            let room = usize::try_from(room).map_err(|_| Status::INVALID_VALUE)?;
            put_text(text, room, &identity::bus_id(number)[4..])
        })
    }

    fn cuDeviceGetByPCIBusId(device: Out<i32>, text: Text) {
        let text = text.get().ok_or(Status::INVALID_VALUE)?;
        session::with(|session| {
            let number = identity::at_bus_id(session.cards, &text);
            let found = session.visible.iter().position(|card| Some(card.number) == number);
            device.put(found.ok_or(Status::INVALID_DEVICE)? as i32)
        })
    }

    fn cuDeviceCanAccessPeer(can: Out<i32>, device: i32, peer: i32) {
        session::with(|session| {
            session.card(device)?;
            session.card(peer)?;
            can.put((device != peer).into())
        })
    }

    fn cuCtxEnablePeerAccess(_context: usize, _flags: u32) {
        session::with(|session| context::current_device(session).map(|_| ()))
    }
}
