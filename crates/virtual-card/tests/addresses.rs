//! The model of the pool against what cards did, call by call.

use std::fs;
use std::path::{Path, PathBuf};

use vram_virtual_card::playback::Model;
use vram_virtual_card::pool::{GRANULE, Pool, Progress};
use vram_virtual_card::sequence;

fn recorded(card: &str) -> Vec<(PathBuf, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/addresses").join(card);
    let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Each file is a sequence of requests on one stream with the settings of `vram-metrics`' meter: `a`,
/// bytes and the offset of the address from the first one's, or `f` and which of the allocations is
/// freed, from zero.
#[test]
fn addresses_are_an_h100s() {
    for (path, text) in recorded("h100") {
        let mut pool = Pool::new(GRANULE);
        let mut offsets = Vec::new();
        for (call, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split(' ').collect();
            let number = |at: usize| words[at].parse::<u64>().unwrap();
            if words[0] == "a" {
                let placement = pool.place(number(1), 0).unwrap();
                assert_eq!(placement.offset, number(2), "{path:?}, line {}: {line}", call + 1);
                pool.take(placement);
                offsets.push(placement.offset);
            } else {
                pool.free(offsets[number(1) as usize], 0, call as u64).unwrap();
            }
        }
        assert!(offsets.len() > 100);
    }
}

/// Played by `vram replay`'s forerunner, one call at a time: the card kept up. `docs/pool.md` says what
/// each shows.
#[test]
fn every_call_comes_to_what_it_did_on_an_h200() {
    let mut held = 0;
    for (path, text) in recorded("h200") {
        let mut model = Model::new(Progress::KeepsUp);
        for (i, line) in sequence::parse(&text).unwrap().iter().enumerate() {
            let seen = model.play(&line.call).unwrap();
            if let Some(recorded) = line.seen {
                assert_eq!(seen, recorded, "{path:?}, line {}: {line}", i + 1);
                held += 1;
            }
        }
    }
    assert!(held > 10_000, "{held} calls were held against the card's");
}
