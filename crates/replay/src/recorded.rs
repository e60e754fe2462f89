//! A sequence of what a program asked for in a dry run.

use std::collections::{BTreeMap, HashMap};

use vram_virtual_card::requests::{Memory, Requests, Step};
use vram_virtual_card::sequence::{Awaited, Call, Line, Setting};

/// The null stream has two numbers: none, and `CU_STREAM_LEGACY`.
const NULL: std::ops::RangeInclusive<u64> = 0..=1;

/// The calls of `requests` that bear on the pools of one card, as if there were one pool: allocations
/// are numbered from 1, streams in the order in which they are named, 0 being the null stream, and an
/// event stands where it was recorded if something waits for it.
///
/// Streams of a sequence wait for no other of their own accord. In a program whose streams wait for the
/// null stream, the host that waits for that has waited for them, too; this is not written down.
pub fn sequence_of(requests: &Requests, card: u32) -> Vec<Line> {
    let events = events(&requests.steps);
    let mut names = Names::default();
    let mut calls = Vec::new();
    for (at, step) in requests.steps.iter().enumerate() {
        let here = events.range((at as u64, 0)..=(at as u64, u64::MAX));
        for (&(_, stream), &event) in here {
            calls.push(Call::Record { event, stream: names.stream(stream) });
        }
        calls.extend(names.call(step, at, card, &events));
    }
    calls.into_iter().map(|call| Line { call, seen: None }).collect()
}

/// The number of each event, by the step that it was recorded before and the stream that it was
/// recorded on.
type Events = BTreeMap<(u64, u64), u64>;

/// What is waited for by `step`, the one at `at`, if it is an event.
fn awaited(step: &Step, at: usize) -> Option<(u64, u64)> {
    let (stream, until) = match *step {
        Step::SynchronizeEvent { stream, until } => (stream, until),
        Step::Wait { other, until, .. } => (other, until),
        _ => return None,
    };
    // An event that was recorded later than it was waited for is none of a program's.
    Some((until.min(at as u64), if NULL.contains(&stream) { 0 } else { stream }))
}

fn events(steps: &[Step]) -> Events {
    let mut events: Events =
        steps.iter().enumerate().filter_map(|(at, step)| Some((awaited(step, at)?, 0))).collect();
    for (number, event) in (1..).zip(events.values_mut()) {
        *event = number;
    }
    events
}

/// The numbers that a sequence has for what a program named otherwise.
#[derive(Default)]
struct Names {
    streams: HashMap<u64, u64>,
    /// By address, of what is alive.
    allocations: HashMap<u64, u64>,
    allocated: u64,
}

impl Names {
    fn stream(&mut self, stream: u64) -> u64 {
        if NULL.contains(&stream) {
            return 0;
        }
        let next = self.streams.len() as u64 + 1;
        *self.streams.entry(stream).or_insert(next)
    }

    /// `None` for what does not bear on the card's pools.
    fn call(&mut self, step: &Step, at: usize, card: u32, events: &Events) -> Option<Call> {
        let event = || awaited(step, at).and_then(|awaited| events.get(&awaited).copied());
        Some(match *step {
            Step::Allocate { card: on, memory: Memory::Pool, address, bytes, stream, .. }
                if on == card =>
            {
                self.allocated += 1;
                self.allocations.insert(address, self.allocated);
                Call::Allocate { id: self.allocated, bytes, stream: self.stream(stream) }
            }
            Step::Free { address, stream } => {
                let id = self.allocations.remove(&address)?;
                Call::Free { id, stream: self.stream(stream) }
            }
            Step::SynchronizeStream { stream } => {
                Call::Synchronize(Awaited::Stream(self.stream(stream)))
            }
            Step::SynchronizeContext { card: of } if of == card => Call::Synchronize(Awaited::All),
            Step::SynchronizeEvent { .. } => Call::Synchronize(Awaited::Event(event()?)),
            Step::Wait { stream, .. } => {
                Call::Wait { event: event()?, stream: self.stream(stream) }
            }
            Step::Trim { card: of, keep } if of == card => Call::Trim { keep },
            Step::Setting { card: of, attribute, value } if of == card => {
                Call::Set(Setting::of_attribute(attribute, value)?)
            }
            _ => return None,
        })
    }
}
