//! What is alive when: requests replayed, without looking at any stack.

use std::collections::HashMap;

use vram_virtual_card::requests::{Memory, Requests, Step};

/// An allocation on a card, before it has a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Born {
    pub card: u32,
    /// An index of the steps.
    pub step: u64,
    /// Its number among the requests, from one.
    pub made: u64,
    /// Requests that had been made when it went.
    pub freed: Option<u64>,
    /// The step that it went by.
    pub freed_by: Option<u64>,
    pub bytes: u64,
    pub stack: Option<u32>,
    /// Whether it lies beside the card's pools.
    pub is_outside: bool,
}

/// All that a process asked for of its cards.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// In the order in which they were made.
    pub born: Vec<Born>,
    /// Allocations in all.
    pub requests: u64,
    /// The card that the most was asked of at once, and the peak there.
    pub peak: Peak,
}

/// The most that was alive on one card.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Peak {
    pub card: u32,
    /// The request that reached it first; 0 where nothing was asked for.
    pub request: u64,
    pub bytes: u64,
}

/// Follows the requests. Memory of the host is none of a card's.
pub(crate) fn replay(requests: &Requests) -> Replayed {
    let mut replayed = Replayed::default();
    let mut at: HashMap<u64, usize> = HashMap::new();
    let mut alive: HashMap<u32, u64> = HashMap::new();
    for (step, taken) in (0..).zip(&requests.steps) {
        match *taken {
            Step::Allocate { memory: Memory::Host, .. } => replayed.requests += 1,
            Step::Allocate { card, memory, address, bytes, stack, .. } => {
                replayed.requests += 1;
                let made = replayed.requests;
                let is_outside = memory == Memory::Outside;
                let born = Born {
                    card,
                    step,
                    made,
                    freed: None,
                    freed_by: None,
                    bytes,
                    is_outside,
                    stack,
                };
                // The driver gives no address out twice; a record that says so is of two allocations.
                if let Some(before) = at.insert(address, replayed.born.len()) {
                    end(&mut replayed.born[before], (made - 1, step), &mut alive);
                }
                replayed.born.push(born);
                let now = alive.entry(card).or_default();
                *now = now.saturating_add(bytes);
                if *now > replayed.peak.bytes {
                    replayed.peak = Peak { card, request: made, bytes: *now };
                }
            }
            Step::Free { address, .. } => {
                if let Some(index) = at.remove(&address) {
                    end(&mut replayed.born[index], (replayed.requests, step), &mut alive);
                }
            }
            _ => {}
        }
    }
    replayed
}

fn end(born: &mut Born, (requests, step): (u64, u64), alive: &mut HashMap<u32, u64>) {
    born.freed = Some(requests);
    born.freed_by = Some(step);
    let now = alive.entry(born.card).or_default();
    *now = now.saturating_sub(born.bytes);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn allocate(card: u32, address: u64, bytes: u64, stack: Option<u32>) -> Step {
        Step::Allocate { card, memory: Memory::Pool, address, bytes, stream: 0, stack }
    }

    pub fn free(address: u64) -> Step {
        Step::Free { address, stream: 0 }
    }

    fn of(steps: Vec<Step>) -> Replayed {
        replay(&Requests { steps, ..Requests::default() })
    }

    #[test]
    fn the_peak_is_of_the_card_that_was_asked_for_the_most() {
        let replayed = of(vec![
            allocate(0, 1, 10, None),
            free(1),
            allocate(1, 2, 8, None),
            allocate(1, 3, 4, None),
            allocate(0, 1, 11, None),
            free(9),
        ]);
        assert_eq!(replayed.peak, Peak { card: 1, request: 3, bytes: 12 });
        assert_eq!(replayed.requests, 4);
        let freed: Vec<_> = replayed.born.iter().map(|born| born.freed).collect();
        assert_eq!(freed, [Some(1), None, None, None]);
    }

    #[test]
    fn locked_memory_of_the_host_counts_as_a_request_alone() {
        let host = Step::Allocate {
            card: 0,
            memory: Memory::Host,
            address: 7,
            bytes: 1 << 40,
            stream: 0,
            stack: None,
        };
        let replayed = of(vec![host, allocate(0, 1, 10, None), free(7)]);
        assert_eq!(replayed.peak, Peak { card: 0, request: 2, bytes: 10 });
    }
}
