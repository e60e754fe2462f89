//! Memory that is made, given addresses and mapped in three steps.

use super::allocation;
use super::handles::Handle;
use super::mappings::{Made, Mappings};
use super::pointer::{In, Out};
use super::session::{self, Session};
use super::status::Status;

/// Frees memory that is neither known to the program nor mapped any more.
fn free_if_gone(session: &mut Session, memory: Handle, function: &str) -> Result<(), Status> {
    let Mappings { made, mapped, .. } = &mut session.mappings;
    let is_mapped = mapped.values().any(|(_, of)| *of == memory);
    if is_mapped || made.get(&memory).is_none_or(|made| made.known) {
        return Ok(());
    }
    match made.remove(&memory) {
        Some(made) => allocation::free(session, made.address, 0, function),
        None => Ok(()),
    }
}

driver! {
    fn cuMemGetAllocationGranularity(to: Out<usize>, _properties: Handle, _option: i32) {
        to.put(super::card::DIRECT_GRANULE as usize)
    }

    /// The fourth word of the properties is the number of the device.
    fn cuMemCreate(to: Out<Handle>, bytes: usize, properties: In<[i32; 4]>, _flags: u64) {
        let device = properties.get().ok_or(Status::INVALID_VALUE)?[3];
        session::with(|session| {
            if !(bytes as u64).is_multiple_of(super::card::DIRECT_GRANULE) {
                return Err(Status::INVALID_VALUE);
            }
            let address = allocation::allocate_direct(session, device, bytes as u64)?;
            let handle = session.handles.next();
            session.mappings.made.insert(handle, Made { address, known: true });
            to.put(handle)
        })
    }

    fn cuMemRelease(handle: Handle) {
        session::with(|session| {
            let made = session.mappings.made.get_mut(&handle).filter(|made| made.known);
            made.ok_or(Status::INVALID_VALUE)?.known = false;
            free_if_gone(session, handle, "cuMemRelease")
        })
    }

    fn cuMemAddressReserve(to: Out<u64>, bytes: usize, _alignment: usize, _address: u64, _flags: u64) {
        session::with(|session| {
            let end = session.mappings.reserved.iter().map(|(start, bytes)| start + bytes).max();
            let address = end.unwrap_or(super::card::BEYOND_REGIONS).next_multiple_of(super::card::DIRECT_GRANULE);
            session.mappings.reserved.insert(address, bytes as u64);
            to.put(address)
        })
    }

    fn cuMemAddressFree(address: u64, _bytes: usize) {
        session::with(|session| {
            session.mappings.reserved.remove(&address).map(|_| ()).ok_or(Status::INVALID_VALUE)
        })
    }

    fn cuMemMap(address: u64, bytes: usize, _offset: usize, handle: Handle, _flags: u64) {
        session::with(|session| {
            let made = session.mappings.made.get(&handle).filter(|made| made.known);
            made.ok_or(Status::INVALID_VALUE)?;
            session.mappings.mapped.insert(address, (bytes as u64, handle));
            Ok(())
        })
    }

    fn cuMemUnmap(address: u64, bytes: usize) {
        session::with(|session| {
            let end = address.checked_add(bytes as u64).ok_or(Status::INVALID_VALUE)?;
            session.contents.forget(address, bytes as u64);
            let within = session.mappings.mapped.range(address..end);
            let within: Vec<(u64, Handle)> = within.map(|(at, (_, of))| (*at, *of)).collect();
            for (at, memory) in within {
                session.mappings.mapped.remove(&at);
                free_if_gone(session, memory, "cuMemUnmap")?;
            }
            Ok(())
        })
    }

    fn cuMemSetAccess(_address: u64, _bytes: usize, _access: Handle, _count: usize) {
        Ok(())
    }
}
