//! Random sequences on the first card, each in a pool of its own, held against the model call by call:
//! `random [SEQUENCES]`. The card keeps up, for nothing runs on it.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{Write, stdout};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vram_metrics::driver::Driver;
use vram_replay::compare::Comparison;
use vram_replay::{card, model};
use vram_virtual_card::sequence::{Awaited, Call, Line, Setting};

/// What a sequence is made of.
struct Kind {
    name: &'static str,
    /// Bytes of a request, from and to.
    bytes: (u64, u64),
    streams: u64,
    /// In a thousand calls: waits of the host, waits of a stream for another, trims.
    waits: (u32, u32, u32),
    /// Whether the pool is as the driver makes it; otherwise it keeps what it has, and reuses by the order
    /// of calls alone.
    as_it_comes: bool,
}

const KINDS: [Kind; 8] = [
    Kind {
        name: "kept, up to 64 KiB",
        bytes: (1, 64 << 10),
        streams: 1,
        waits: (10, 0, 0),
        as_it_comes: false,
    },
    Kind {
        name: "kept, up to 16 MiB",
        bytes: (1, 16 << 20),
        streams: 1,
        waits: (10, 0, 5),
        as_it_comes: false,
    },
    Kind {
        name: "kept, up to 4 GiB",
        bytes: (1, 4 << 30),
        streams: 1,
        waits: (10, 0, 0),
        as_it_comes: false,
    },
    Kind {
        name: "as it comes, up to 64 KiB",
        bytes: (1, 64 << 10),
        streams: 1,
        waits: (10, 0, 0),
        as_it_comes: true,
    },
    Kind {
        name: "as it comes, up to 16 MiB",
        bytes: (1, 16 << 20),
        streams: 1,
        waits: (10, 0, 5),
        as_it_comes: true,
    },
    Kind {
        name: "as it comes, up to 4 GiB",
        bytes: (1, 4 << 30),
        streams: 1,
        waits: (10, 0, 0),
        as_it_comes: true,
    },
    Kind {
        name: "two streams, as it comes",
        bytes: (1, 64 << 20),
        streams: 2,
        waits: (10, 50, 0),
        as_it_comes: true,
    },
    Kind {
        name: "three streams, kept",
        bytes: (1, 64 << 20),
        streams: 3,
        waits: (10, 50, 0),
        as_it_comes: false,
    },
];

const CALLS: usize = 400;

/// Alive at most.
const ALIVE: usize = 24;

fn sequence(kind: &Kind, seed: u64) -> Vec<Line> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut calls = Vec::new();
    if !kind.as_it_comes {
        calls.push(Call::Set(Setting::ReleaseThreshold(u64::MAX)));
        calls.push(Call::Set(Setting::AllowOpportunistic(false)));
        calls.push(Call::Set(Setting::AllowInternalDependencies(false)));
    }
    let mut alive: Vec<(u64, u64)> = Vec::new();
    let (mut next, mut events) = (0, 0);
    let stream = |random: &mut StdRng| random.random_range(1..=kind.streams);
    while calls.len() < CALLS {
        let (waits, events_waited_for, trims) = kind.waits;
        let what = random.random_range(0..1000);
        if what < waits {
            calls.push(Call::Synchronize(Awaited::Stream(stream(&mut random))));
        } else if what < waits + events_waited_for {
            events += 1;
            calls.push(Call::Record { event: events, stream: stream(&mut random) });
            calls.push(Call::Wait { event: events, stream: stream(&mut random) });
        } else if what < waits + events_waited_for + trims {
            calls.push(Call::Trim { keep: random.random_range(0..kind.bytes.1 * 4) });
        } else if random.random_range(0..2 * ALIVE) < alive.len() {
            let (id, stream) = alive.swap_remove(random.random_range(0..alive.len()));
            calls.push(Call::Free { id, stream });
        } else {
            let (least, most) = kind.bytes;
            // As many of each order of magnitude.
            let power = random.random_range((least as f64).ln()..(most as f64).ln());
            let (id, stream) = (next, stream(&mut random));
            next += 1;
            alive.push((id, stream));
            calls.push(Call::Allocate { id, bytes: power.exp() as u64, stream });
        }
    }
    calls.into_iter().map(|call| Line { call, seen: None }).collect()
}

#[derive(Default)]
struct Shares {
    sequences: u64,
    addresses: (u64, u64),
    reserved: (u64, u64),
    peaks: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let sequences = std::env::args().nth(1).map_or(Ok(1000), |number| number.parse())?;
    let first = Driver::open()?.card(0)?;
    let mut found: BTreeMap<&str, Shares> = BTreeMap::new();
    for (seed, kind) in (0..sequences).zip(KINDS.iter().cycle()) {
        let lines = sequence(kind, seed);
        let expected: Vec<_> = model::play(&lines)?.into_iter().map(Some).collect();
        let compared = Comparison::new(&card::play(&first, &lines)?, &expected);
        let shares = found.entry(kind.name).or_default();
        shares.sequences += 1;
        shares.addresses.0 += compared.addresses.equal;
        shares.addresses.1 += compared.addresses.of;
        shares.reserved.0 += compared.reserved.equal;
        shares.reserved.1 += compared.reserved.of;
        shares.peaks += u64::from(compared.peak_reserved == compared.expected_peak_reserved);
    }
    let mut out = stdout().lock();
    for (kind, Shares { sequences, addresses, reserved, peaks }) in found {
        writeln!(
            out,
            "{kind}: {sequences} sequences; addresses {} of {}; reserved after {} of {} calls; peak \
             reserved of {peaks}",
            addresses.0, addresses.1, reserved.0, reserved.1
        )?;
    }
    Ok(())
}
