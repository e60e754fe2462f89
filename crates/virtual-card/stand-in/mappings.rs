//! Memory that was made, ranges of addresses that were reserved, and which lies where.

use std::collections::{BTreeMap, HashMap};

use super::handles::Handle;

/// Memory that was made: where it is counted, and whether its program still knows it.
#[derive(Debug)]
pub struct Made {
    pub address: u64,
    pub known: bool,
}

/// Memory that was made, ranges of addresses, and what of the one is mapped at the other. An address
/// that is mapped is none of the card's regions'.
#[derive(Debug, Default)]
pub struct Mappings {
    pub made: HashMap<Handle, Made>,
    pub reserved: HashMap<u64, u64>,
    pub mapped: BTreeMap<u64, (u64, Handle)>,
}

impl Mappings {
    /// Whether memory is mapped at an address.
    pub fn hold(&self, address: u64) -> bool {
        let before = self.mapped.range(..=address).next_back();
        before.is_some_and(|(start, (bytes, _))| address - start < *bytes)
    }
}
