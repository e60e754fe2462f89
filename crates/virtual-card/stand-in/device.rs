//! The driver, and cards and what they are.

use std::ffi::c_char;

use super::context;
use super::pointer::{Out, put_text};
use super::session;
use super::status::Status;

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

/// A card's identity: the model's with the card's number in it.
pub fn uuid(number: usize) -> [u8; 16] {
    let mut uuid = *b"virtual card\0\0\0\0";
    uuid[15] = number as u8;
    uuid
}

pub fn bus_id(number: usize) -> String {
    format!("00000000:{:02X}:00.0", number + 1)
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
        session::with(|session| to.put(uuid(session.card(device)?.number)))
    }

    fn cuDeviceGetUuid_v2(to: Out<[u8; 16]>, device: i32) {
        session::with(|session| to.put(uuid(session.card(device)?.number)))
    }

    fn cuDeviceTotalMem_v2(bytes: Out<usize>, device: i32) {
        session::with(|session| {
            session.card(device)?;
            bytes.put(session.memory as usize)
        })
    }

    fn cuDeviceGetAttribute(value: Out<i32>, attribute: i32, device: i32) {
        session::with(|session| {
            session.card(device)?;
            let recorded = session.facts.attribute(attribute);
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
            put_text(text, room, &bus_id(number)[4..])
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
