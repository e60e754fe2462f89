//! Memory of the card: from pools in the order of a stream, and outside them.

use super::handles::{Handle, stream_number};
use super::pointer::Out;
use super::session::{self, Session};
use super::status::Status;
use super::{allocation, context, host_memory, stream_order};

fn allocate_on_current(session: &mut Session, bytes: u64) -> Result<u64, Status> {
    let device = context::current_device(session)?;
    allocation::allocate_direct(session, device, bytes)
}

driver! {
    fn cuMemAllocAsync(address: Out<u64>, bytes: usize, stream: Handle) {
        session::with(|session| {
            context::current_device(session)?;
            let device = stream_order::device(session, stream)?;
            let (pool, stream) = (session.card(device)?.current_pool, stream_number(device, stream));
            address.put(allocation::allocate(session, pool, bytes as u64, stream)?)
        })
    }

    fn cuMemAllocFromPoolAsync(address: Out<u64>, bytes: usize, pool: Handle, stream: Handle) {
        session::with(|session| {
            let stream = stream_order::number(session, stream);
            let base = session.regions.pool(pool as u64).ok_or(Status::INVALID_VALUE)?.base;
            address.put(allocation::allocate(session, base, bytes as u64, stream)?)
        })
    }

    fn cuMemFreeAsync(address: u64, stream: Handle) {
        session::with(|session| {
            let stream = stream_order::number(session, stream);
            allocation::free(session, address, stream, "cuMemFreeAsync")
        })
    }

    fn cuMemAlloc_v2(address: Out<u64>, bytes: usize) {
        session::with(|session| address.put(allocate_on_current(session, bytes as u64)?))
    }

    fn cuMemAllocPitch_v2(address: Out<u64>, pitch: Out<usize>, width: usize, height: usize, _element: u32) {
        // Rows begin where the card reads them best.
        let row = width.checked_next_multiple_of(512).ok_or(Status::OUT_OF_MEMORY)?;
        let bytes = row.checked_mul(height).ok_or(Status::OUT_OF_MEMORY)?;
        session::with(|session| {
            address.put(allocate_on_current(session, bytes as u64)?)?;
            pitch.put(row)
        })
    }

    fn cuMemFree_v2(address: u64) {
        session::with(|session| match host_memory::free_managed(session, address) {
            Some(freed) => freed,
            None => allocation::free(session, address, 0, "cuMemFree"),
        })
    }

    fn cuMemGetAddressRange_v2(base: Out<u64>, bytes: Out<usize>, address: u64) {
        session::with(|session| {
            let (start, length) = session.regions.allocation(address).ok_or(Status::NOT_FOUND)?;
            base.put_if_wanted(start);
            bytes.put_if_wanted(length as usize);
            Ok(())
        })
    }

    fn cuMemGetInfo_v2(free: Out<usize>, total: Out<usize>) {
        session::with(|session| {
            let device = context::current_device(session)?;
            let card = session.card(device)?.number;
            session.record.tally(|t| &t.free_memory_read, 1);
            let memory = session.memory;
            free.put_if_wanted(memory.saturating_sub(session.record.held(card)) as usize);
            total.put_if_wanted(memory as usize);
            Ok(())
        })
    }
}
