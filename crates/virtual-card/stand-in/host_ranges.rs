//! Ranges of the host's memory that the driver knows.

use std::collections::BTreeMap;

/// How memory of the host came to be known to the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The driver gave it out.
    Allocated,
    /// The program's own, locked by the driver.
    Registered,
    /// Seen by both sides: the address of the card's share of it.
    Managed { on_card: u64 },
}

/// Memory of the host that the driver knows, by address.
#[derive(Debug, Default)]
pub struct HostMemory(pub BTreeMap<usize, (usize, Origin)>);

impl HostMemory {
    /// Whether an address lies in it.
    pub fn holds(&self, address: usize) -> bool {
        let before = self.0.range(..=address).next_back();
        before.is_some_and(|(start, (bytes, _))| address < start + bytes)
    }
}
