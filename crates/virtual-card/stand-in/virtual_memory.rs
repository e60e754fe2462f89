//! Memory that is made, given addresses and mapped in three steps.

use super::allocation;
use super::handles::Handle;
use super::pointer::{In, Out};
use super::session;
use super::status::Status;

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
            session.mappings.made.insert(handle, address);
            to.put(handle)
        })
    }

    fn cuMemRelease(handle: Handle) {
        session::with(|session| {
            let address = session.mappings.made.remove(&handle).ok_or(Status::INVALID_VALUE)?;
            allocation::free(session, address, "cuMemRelease")
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

    fn cuMemMap(_address: u64, _bytes: usize, _offset: usize, handle: Handle, _flags: u64) {
        session::with(|session| {
            session.mappings.made.get(&handle).map(|_| ()).ok_or(Status::INVALID_VALUE)
        })
    }

    fn cuMemUnmap(_address: u64, _bytes: usize) {
        Ok(())
    }

    fn cuMemSetAccess(_address: u64, _bytes: usize, _access: Handle, _count: usize) {
        Ok(())
    }
}
