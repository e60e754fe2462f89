//! Allocations by their addresses.
//!
//! A program that trains keeps a hundred thousand of them, mostly small ones that were made one after
//! the other and lie side by side. A place for every address that the driver gives out keeps neighbours
//! together, eight bytes each; in a hash map each of them is a cache line of its own that is not there.

use std::collections::HashMap;

use super::driver::Handle;
use super::mixed::ByMixed;

/// Where memory lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a pool, on its card.
    Pool(Handle),
    /// On a card, beside its pools.
    Outside,
    /// On the host.
    Host,
}

/// An allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    pub card: usize,
    pub bytes: u64,
    pub place: Place,
}

/// The driver's addresses are multiples of this.
const ALIGNMENT: u64 = 512;

/// Addresses of one region: it spans 2 MiB, the driver's smallest mapping.
const IN_REGION: usize = 4096;

/// Bits of a slot that hold the bytes; those above hold which kind of memory it is.
const BYTES: u32 = 48;

/// Part of the addresses. A slot is 0 where nothing is alive.
struct Region {
    slots: Box<[u64; IN_REGION]>,
    alive: usize,
}

/// What is alive.
#[derive(Default)]
pub struct Alive {
    regions: HashMap<u64, Region, ByMixed>,
    /// Empty ones, to be taken again.
    spare: Vec<Region>,
    kinds: Vec<(usize, Place)>,
    /// What a slot cannot hold, as memory of the host at odd addresses.
    others: HashMap<u64, Live, ByMixed>,
}

/// The number of an address's region, and its slot there.
fn split(address: u64) -> (u64, usize) {
    let slot = address / ALIGNMENT;
    (slot / IN_REGION as u64, (slot % IN_REGION as u64) as usize)
}

impl Alive {
    /// Takes an allocation in.
    pub fn insert(&mut self, address: u64, live: Live) {
        let Some(packed) = self.pack(address, live) else {
            self.others.insert(address, live);
            return;
        };
        let (number, slot) = split(address);
        let spare = &mut self.spare;
        let region = self
            .regions
            .entry(number)
            .or_insert_with(|| spare.pop().unwrap_or_else(|| Region { slots: zeros(), alive: 0 }));
        region.alive += usize::from(region.slots[slot] == 0);
        region.slots[slot] = packed;
    }

    /// Takes an allocation out; `None` if none is alive there.
    pub fn remove(&mut self, address: u64) -> Option<Live> {
        self.take(address).or_else(|| self.others.remove(&address))
    }

    fn take(&mut self, address: u64) -> Option<Live> {
        if !address.is_multiple_of(ALIGNMENT) {
            return None;
        }
        let (number, slot) = split(address);
        let region = self.regions.get_mut(&number)?;
        let packed = std::mem::take(&mut region.slots[slot]);
        let bytes = packed & ((1 << BYTES) - 1);
        let (card, place) = *self.kinds.get(((packed >> BYTES) as usize).checked_sub(1)?)?;
        region.alive -= 1;
        if region.alive == 0 {
            self.spare.extend(self.regions.remove(&number));
        }
        Some(Live { card, bytes, place })
    }

    /// As a slot holds it: the number of its kind plus one above its bytes.
    fn pack(&mut self, address: u64, live: Live) -> Option<u64> {
        let Live { card, bytes, place } = live;
        if !address.is_multiple_of(ALIGNMENT) || bytes >> BYTES != 0 {
            return None;
        }
        let known = self.kinds.iter().position(|kind| *kind == (card, place));
        let kind = known.unwrap_or_else(|| {
            self.kinds.push((card, place));
            self.kinds.len() - 1
        });
        let number = u16::try_from(kind + 1).ok()?;
        Some(u64::from(number) << BYTES | bytes)
    }
}

/// Zeros that were never on the stack.
fn zeros() -> Box<[u64; IN_REGION]> {
    match vec![0; IN_REGION].into_boxed_slice().try_into() {
        Ok(zeros) => zeros,
        Err(_) => Box::new([0; IN_REGION]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Live = Live { card: 1, bytes: 1000, place: Place::Pool(7) };

    #[test]
    fn what_was_taken_in_comes_out_once() {
        let mut alive = Alive::default();
        let places = [Place::Pool(7), Place::Pool(8), Place::Outside, Place::Host];
        let odd = (1 << 40) + 16;
        let all: Vec<(u64, Live)> = [0, 512, 2 << 20, 1 << 63, odd]
            .into_iter()
            .flat_map(|base| (0..4).map(move |i| base + i * (4 << 20)))
            .zip(1..)
            .map(|(address, bytes)| {
                (address, Live { bytes, place: places[bytes as usize % 4], ..HERE })
            })
            .collect();
        for (address, live) in &all {
            alive.insert(*address, *live);
        }
        for (address, live) in &all {
            assert_eq!(alive.remove(*address), Some(*live), "{address:x}");
            assert_eq!(alive.remove(*address), None, "{address:x}");
        }
        assert!(alive.regions.is_empty() && alive.others.is_empty());
    }

    #[test]
    fn a_second_allocation_at_an_address_takes_the_place_of_the_first() {
        let mut alive = Alive::default();
        alive.insert(512, HERE);
        alive.insert(512, Live { bytes: 5, ..HERE });
        assert_eq!(alive.remove(512), Some(Live { bytes: 5, ..HERE }));
        assert_eq!(alive.remove(512), None);
    }

    #[test]
    fn more_bytes_than_a_slot_holds_are_told_all_the_same() {
        let mut alive = Alive::default();
        let large = Live { bytes: 1 << 60, ..HERE };
        alive.insert(1024, large);
        assert_eq!(alive.remove(1024), Some(large));
    }
}
