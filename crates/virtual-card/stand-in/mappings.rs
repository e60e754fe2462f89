//! Memory that was made and ranges of addresses that were reserved, each by itself.

use std::collections::HashMap;

use super::handles::Handle;

/// Memory that was made, and ranges of addresses. An address that is mapped is not one of the card's
/// regions: what is read there was computed, as far as anyone knows.
#[derive(Debug, Default)]
pub struct Mappings {
    pub made: HashMap<Handle, u64>,
    pub reserved: HashMap<u64, u64>,
}
