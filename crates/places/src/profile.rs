//! Every allocation with its place, and what is alive when.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Serialize;
use vram_virtual_card::requests::Requests;

use crate::alive::{Born, Peak, replay};
use crate::class::{Between, Class};
use crate::folded::folded;
use crate::place::Place;
use crate::stacks::Stacks;

/// A mark that the program set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetMark<'a> {
    /// Its name.
    pub name: &'a str,
    /// Steps that were taken until then: an index of [`Requests::steps`].
    pub steps: u64,
}

/// A mark among the requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlacedMark {
    /// Its name.
    pub name: String,
    /// Allocations that were made before it.
    pub requests: u64,
}

/// An allocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Allocation {
    /// Bytes that were asked for.
    pub bytes: u64,
    /// Its number among the requests, from one.
    pub made: u64,
    /// Requests that had been made when it was freed; none for one that is alive at the end.
    pub freed: Option<u64>,
    /// Marks that had been set when it was freed, and all of them for one that is alive at the end.
    pub marks_until_freed: usize,
    /// An index of [`Profile::places`].
    pub place: usize,
}

impl Allocation {
    /// Whether it is alive once `request` allocations have been made, and before anything is freed
    /// after that.
    pub fn is_alive_at(&self, request: u64) -> bool {
        self.made <= request && self.freed.is_none_or(|freed| freed >= request)
    }
}

/// What a place holds at the peak.
#[derive(Debug, Clone, Serialize)]
pub struct Share<'a> {
    /// The place.
    #[serde(flatten)]
    pub place: &'a Place,
    /// Its bytes.
    pub bytes: u64,
    /// Allocations that they are.
    pub allocations: u64,
}

/// Where the bytes are that a process holds of the card that it asked for the most: in pools and
/// outside of them.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The card's number.
    pub card: u32,
    /// Allocations that the process made, on all cards and of the host.
    pub requests: u64,
    /// The most bytes that were alive at once.
    pub peak_bytes: u64,
    /// The request that reached the peak first; 0 where nothing was asked for.
    pub peak_request: u64,
    /// Those of the card, in the order in which they were made.
    pub allocations: Vec<Allocation>,
    /// Those that hold the most at the peak first, then those that hold the most at any time.
    pub places: Vec<Place>,
    /// In the order in which they were set.
    pub marks: Vec<PlacedMark>,
    folded: String,
}

impl Profile {
    /// Of what one process asked for, which ran the file `program`, with the marks that it set in their
    /// order. Reads the files that its code came from; one that cannot be read has no names.
    pub fn new(requests: &Requests, program: &Path, marks: &[SetMark<'_>]) -> Self {
        let replayed = replay(requests);
        let Peak { card, request, bytes } = replayed.peak;
        let here = || replayed.born.iter().filter(|born| born.card == card);
        let mut stacks = Stacks::new(requests, program, here().filter_map(|born| born.stack));
        let mut places: Vec<Place> = Vec::new();
        let mut numbers: HashMap<Place, usize> = HashMap::new();
        // Every stack comes again in every step, between marks of the same names.
        let mut known: HashMap<(Option<u32>, bool, usize), usize> = HashMap::new();
        let mut allocations: Vec<Allocation> = Vec::new();
        let set_before = |step| marks.partition_point(|mark| mark.steps <= step);
        for born in here() {
            let phase = set_before(born.step);
            let place = *known.entry((born.stack, born.is_outside, phase)).or_insert_with(|| {
                let next = marks.get(phase).map(|mark| mark.name);
                let mut place = stacks.place(born.stack, Between { after_a_mark: phase > 0, next });
                if born.is_outside {
                    place.class = Class::Outside;
                }
                *numbers.entry(place.clone()).or_insert_with(|| {
                    places.push(place);
                    places.len() - 1
                })
            });
            let Born { made, freed, freed_by, bytes, .. } = *born;
            let marks_until_freed = freed_by.map_or(marks.len(), set_before);
            allocations.push(Allocation { bytes, made, freed, marks_until_freed, place });
        }
        let at_peak = here()
            .filter(|born| born.made <= request && born.freed.is_none_or(|freed| freed >= request));
        let folded = folded(at_peak.map(|born| (stacks.frames(born.stack), born.bytes)));
        let mut profile = Self {
            card,
            requests: replayed.requests,
            peak_bytes: bytes,
            peak_request: request,
            allocations,
            places,
            marks: marks.iter().map(|mark| placed(mark, &replayed.born)).collect(),
            folded,
        };
        profile.rank();
        profile
    }

    /// What is alive at the peak, by place, the most bytes first.
    pub fn at_peak(&self) -> Vec<Share<'_>> {
        let mut of: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        for allocation in self.alive_at(self.peak_request) {
            let (bytes, allocations) = of.entry(allocation.place).or_default();
            *bytes = bytes.saturating_add(allocation.bytes);
            *allocations += 1;
        }
        of.into_iter()
            .map(|(place, (bytes, allocations))| Share {
                place: &self.places[place],
                bytes,
                allocations,
            })
            .collect()
    }

    /// What is alive once `request` allocations have been made.
    pub fn alive_at(&self, request: u64) -> impl Iterator<Item = &Allocation> {
        let made = self.allocations.partition_point(|allocation| allocation.made <= request);
        self.allocations[..made].iter().filter(move |allocation| allocation.is_alive_at(request))
    }

    /// The stacks of what is alive at the peak, as `inferno-flamegraph` and `flamegraph.pl` take them: a
    /// line `outer;inner bytes` for each that is different.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// Puts the places into their order.
    fn rank(&mut self) {
        let mut at_peak = vec![0_u64; self.places.len()];
        let mut most = vec![0_u64; self.places.len()];
        for allocation in &self.allocations {
            let is_alive = allocation.is_alive_at(self.peak_request);
            let bytes = if is_alive { allocation.bytes } else { 0 };
            at_peak[allocation.place] = at_peak[allocation.place].saturating_add(bytes);
            most[allocation.place] = most[allocation.place].max(allocation.bytes);
        }
        let mut order: Vec<usize> = (0..self.places.len()).collect();
        let key = |&i: &usize| (u64::MAX - at_peak[i], u64::MAX - most[i], &self.places[i]);
        order.sort_by(|a, b| key(a).cmp(&key(b)));
        let mut new = vec![0; order.len()];
        for (to, &from) in order.iter().enumerate() {
            new[from] = to;
        }
        for allocation in &mut self.allocations {
            allocation.place = new[allocation.place];
        }
        self.places = order.iter().map(|&from| self.places[from].clone()).collect();
    }
}

fn placed(mark: &SetMark<'_>, born: &[Born]) -> PlacedMark {
    let before = born.partition_point(|born| born.step < mark.steps);
    let requests = before.checked_sub(1).map_or(0, |last| born[last].made);
    PlacedMark { name: mark.name.to_owned(), requests }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vram_virtual_card::requests::Step;

    use super::*;
    use crate::alive::tests::{allocate, free};

    fn of(steps: Vec<Step>, stacks: Vec<Vec<u64>>, marks: &[SetMark<'_>]) -> Profile {
        let requests = Requests { steps, stacks, ..Requests::default() };
        Profile::new(&requests, Path::new("toy"), marks)
    }

    #[test]
    fn marks_lie_between_requests_and_tell_classes() {
        let steps = vec![
            allocate(0, 1, 10, None),
            allocate(0, 2, 20, None),
            free(1),
            allocate(0, 3, 5, None),
        ];
        let names = [("parameters", 1), ("forward", 3), ("backward", 4)];
        let marks = names.map(|(name, steps)| SetMark { name, steps });
        let profile = of(steps, Vec::new(), &marks);
        let requests: Vec<u64> = profile.marks.iter().map(|mark| mark.requests).collect();
        assert_eq!(requests, [1, 2, 3]);
        let shares: Vec<_> =
            profile.at_peak().iter().map(|s| (s.place.class, s.bytes, s.allocations)).collect();
        assert_eq!(shares, [(Class::Activations, 20, 1), (Class::Parameters, 10, 1)]);
        let until_freed: Vec<_> = profile.allocations.iter().map(|a| a.marks_until_freed).collect();
        assert_eq!(until_freed, [1, 3, 3]);
        assert_eq!(profile.allocations[2].place, 2, "what is not alive at the peak comes last");
        assert_eq!(profile.folded(), "no stack 30\n");
    }

    #[test]
    fn code_of_no_file_is_told_by_its_address() {
        let profile = of(vec![allocate(0, 1, 10, Some(0))], vec![vec![0x10, 0x20]], &[]);
        assert_eq!(profile.folded(), "0x20;0x10 10\n");
    }

    #[test]
    fn nothing_is_no_fault() {
        let profile = of(Vec::new(), Vec::new(), &[]);
        assert!(profile.at_peak().is_empty() && profile.folded().is_empty());
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            2 => (0..2_u32, 0..40_u64, 1..1000_u64, proptest::option::of(0..4_u32))
                .prop_map(|(card, address, bytes, stack)| allocate(card, address, bytes, stack)),
            1 => (0..40_u64).prop_map(free),
        ];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        /// Against a count that knows no places.
        #[test]
        fn what_places_hold_is_what_is_alive(steps in steps()) {
            let profile = of(steps.clone(), vec![vec![1], vec![1, 2], vec![3]], &[]);
            let (mut alive, mut request) = (BTreeMap::new(), 0);
            let mut highest = 0;
            for step in steps {
                match step {
                    Step::Allocate { card, address, bytes, .. } => {
                        request += 1;
                        alive.insert(address, (card, bytes));
                        let of_card = alive.values().filter(|(card, _)| *card == profile.card);
                        let used: u64 = of_card.map(|(_, bytes)| bytes).sum();
                        let placed: u64 = profile.alive_at(request).map(|a| a.bytes).sum();
                        prop_assert_eq!(placed, used);
                        highest = highest.max(used);
                    }
                    Step::Free { address, .. } => {
                        alive.remove(&address);
                    }
                    _ => {}
                }
            }
            prop_assert_eq!(highest, profile.peak_bytes);
            let shares = profile.at_peak();
            prop_assert_eq!(shares.iter().map(|share| share.bytes).sum::<u64>(), highest);
            prop_assert!(shares.is_sorted_by(|a, b| a.bytes >= b.bytes));
            let folded: u64 = profile
                .folded()
                .lines()
                .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
                .sum();
            prop_assert_eq!(folded, highest);
        }
    }
}
