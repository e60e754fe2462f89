//! The model of the pool against addresses that an H100 gave out.
//!
//! Each file is a sequence of requests on one stream with the settings of `vram-metrics`' meter: `a`,
//! bytes and the offset of the address from the first one's, or `f` and which of the allocations is
//! freed, from zero.

use std::fs;
use std::path::Path;

use vram_virtual_card::pool::{GRANULE, Pool};

fn addresses_are_the_cards(name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/addresses/{name}.txt"));
    let text = fs::read_to_string(file).unwrap();
    let mut pool = Pool::new(GRANULE);
    let mut offsets = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        if words[0] == "a" {
            let placement = pool.place(number(1)).unwrap();
            assert_eq!(placement.offset, number(2), "{name}, line {}: {line}", i + 1);
            pool.take(placement);
            offsets.push(placement.offset);
        } else {
            pool.free(offsets[number(1) as usize]).unwrap();
        }
    }
    assert!(offsets.len() > 100);
}

#[test]
fn holes_of_every_size() {
    addresses_are_the_cards("holes_of_every_size");
}

#[test]
fn holes_of_one_size_freed_in_any_order() {
    addresses_are_the_cards("holes_of_one_size");
}

#[test]
fn requests_of_up_to_8_kib() {
    addresses_are_the_cards("up_to_8_kib");
}

#[test]
fn requests_of_up_to_16_mib() {
    addresses_are_the_cards("up_to_16_mib");
}
