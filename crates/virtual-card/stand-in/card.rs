//! The card that is stood in for: its facts, and what is held of it.

use std::collections::HashMap;
use std::path::Path;

use crate::pool::{GRANULE, Pool, PoolSettings};

/// What `cuMemAlloc` and its like take of the card at a time, in bytes.
pub const DIRECT_GRANULE: u64 = 2 << 20;

/// Up to here requests share a granule; larger ones have granules of their own (seen on an H100).
pub const DIRECT_SHARED: u64 = 1 << 20;

/// Addresses that one region spans, in bytes: many times a card's memory, for holes are not filled.
pub const REGION_SPAN: u64 = 1 << 44;

/// Where regions begin. Below lie the program's own addresses, of 47 or 48 bits.
const FIRST_REGION: u64 = 1 << 48;

/// Pools and what is beside them, of all cards.
const MOST_REGIONS: usize = 80;

/// Addresses from here on are those of no region.
pub const BEYOND_REGIONS: u64 = FIRST_REGION + REGION_SPAN * MOST_REGIONS as u64;

/// Facts of the card's model, in bytes where they are sizes.
#[derive(Debug, Default)]
pub struct Facts {
    texts: HashMap<String, String>,
    attributes: HashMap<i32, i32>,
}

impl Facts {
    /// Of the file that the dry run wrote.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        let mut facts = Self::default();
        for line in std::fs::read_to_string(path)?.lines() {
            let Some((key, value)) = line.split_once('\t') else { continue };
            match key.strip_prefix("attribute.").and_then(|id| id.parse().ok()) {
                Some(id) => {
                    facts.attributes.insert(id, value.parse().unwrap_or(0));
                }
                None => {
                    facts.texts.insert(key.to_owned(), value.to_owned());
                }
            }
        }
        Ok(facts)
    }

    /// A fact as it is written; empty for none.
    pub fn text(&self, key: &str) -> &str {
        self.texts.get(key).map_or("", String::as_str)
    }

    /// A fact that is a number; 0 for none.
    pub fn number(&self, key: &str) -> u64 {
        self.text(key).parse().unwrap_or(0)
    }

    /// An attribute of `CUdevice_attribute`.
    pub fn attribute(&self, id: i32) -> Option<i32> {
        self.attributes.get(&id).copied()
    }
}

#[derive(Debug)]
pub enum Kind {
    /// A pool of the driver's, with the most that was used and reserved since its program reset them.
    Pool { used_high: u64, reserved_high: u64 },
    /// One that its program destroyed while memory of it was alive.
    Destroyed,
    /// What is allocated without a pool, which goes back to the card when it is freed.
    Direct,
}

/// Memory of one kind on one card, with addresses of its own.
#[derive(Debug)]
pub struct Region {
    pub card: usize,
    pub base: u64,
    pub memory: Pool,
    pub kind: Kind,
}

/// All memory of all cards.
#[derive(Debug, Default)]
pub struct Regions(Vec<Option<Region>>);

impl Regions {
    /// A new pool on a card; `None` if there are too many.
    pub fn add_pool(&mut self, card: usize) -> Option<&mut Region> {
        let mut pool = Pool::new(GRANULE);
        pool.set_up(PoolSettings::DEFAULT);
        self.add(card, pool, Kind::Pool { used_high: 0, reserved_high: 0 })
    }

    /// A card's memory outside its pools: of requests that share granules, or that have their own.
    pub fn add_direct(&mut self, card: usize, shared: bool) -> Option<&mut Region> {
        let new = if shared { Pool::new } else { Pool::of_whole_granules };
        self.add(card, new(DIRECT_GRANULE), Kind::Direct)
    }

    fn add(&mut self, card: usize, memory: Pool, kind: Kind) -> Option<&mut Region> {
        let index = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        if index >= MOST_REGIONS {
            return None;
        }
        if index == self.0.len() {
            self.0.push(None);
        }
        let base = FIRST_REGION + index as u64 * REGION_SPAN;
        Some(self.0.get_mut(index)?.insert(Region { card, base, memory, kind }))
    }

    /// The region that an address lies in, or that begins at it.
    pub fn of(&mut self, address: u64) -> Option<&mut Region> {
        let index = address.checked_sub(FIRST_REGION)? / REGION_SPAN;
        self.0.get_mut(usize::try_from(index).ok()?)?.as_mut()
    }

    /// The pool that begins at `base`, which is what a program knows it by.
    pub fn pool(&mut self, base: u64) -> Option<&mut Region> {
        let region = self.of(base).filter(|region| region.base == base);
        region.filter(|region| matches!(region.kind, Kind::Pool { .. }))
    }

    /// Takes a pool away.
    pub fn remove(&mut self, base: u64) -> Option<Region> {
        let index = base.checked_sub(FIRST_REGION)? / REGION_SPAN;
        self.0.get_mut(usize::try_from(index).ok()?)?.take()
    }

    /// The allocation that an address lies in: its address and bytes.
    pub fn allocation(&mut self, address: u64) -> Option<(u64, u64)> {
        let region = self.of(address)?;
        let (offset, bytes) = region.memory.find(address - region.base)?;
        Some((region.base + offset, bytes))
    }

    /// Every pool of the driver's.
    pub fn pools(&mut self) -> impl Iterator<Item = &mut Region> {
        let regions = self.0.iter_mut().flatten();
        regions.filter(|region| matches!(region.kind, Kind::Pool { .. }))
    }
}
