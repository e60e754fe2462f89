//! What is alive over the requests, small enough for a page: as many columns as a screen has, and the
//! largest allocations one by one.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::Serialize;
use vram_places::class::Class;
use vram_places::profile::{Allocation, Profile};

use super::places::NAMED;

/// The most columns that are drawn; a screen has no more.
const COLUMNS: usize = 2000;
/// The most allocations that are told apart.
const BANDS: usize = 4000;
/// The steps of a drawing's height: more than a screen has.
const HEIGHT: u64 = 4096;

/// What the page's script draws. Lists are in place of objects where there are thousands.
#[derive(Debug, Serialize)]
pub(super) struct Timeline {
    /// Allocations in all: the length of the axis.
    requests: u64,
    peak_request: u64,
    peak_bytes: u64,
    /// Bytes that one of the units of `layers` stands for.
    unit: u64,
    /// The requests that columns show: of those that share one, the one at which the most was alive.
    columns: Vec<u64>,
    /// What each of the first places holds at each column, in units, and last what all others do.
    layers: Vec<Vec<u64>>,
    /// Of the layers, then of other places that bands have: label, line of source, class.
    places: Vec<(String, String, &'static str)>,
    /// The largest allocations: place, request that made it, requests until it was freed (0 for one
    /// that was not), bytes, marks until it was freed.
    bands: Vec<(usize, u64, u64, u64, usize)>,
    /// Names, and allocations that were made before them.
    marks: Vec<(String, u64)>,
}

impl Timeline {
    pub fn new(profile: &Profile) -> Self {
        let columns = columns(profile);
        let named = named(profile);
        let unit = profile.peak_bytes.div_ceil(HEIGHT).max(1);
        let mut layers = layers(profile, &columns, &named);
        layers.iter_mut().flatten().for_each(|bytes| *bytes /= unit);
        let largest = largest(profile, &columns);
        let mut numbers: BTreeMap<usize, usize> =
            named.iter().enumerate().map(|(layer, place)| (*place, layer)).collect();
        for allocation in &largest {
            let next = numbers.len();
            numbers.entry(allocation.place).or_insert(next);
        }
        let mut places: Vec<_> = numbers.iter().map(|(place, number)| (*number, *place)).collect();
        places.sort_unstable();
        let told = |&(_, place): &(usize, usize)| {
            let place = &profile.places[place];
            (place.label(), place.at(), place.class.name())
        };
        let band = |a: &&Allocation| {
            (numbers[&a.place], a.made, a.freed.unwrap_or(0), a.bytes, a.marks_until_freed)
        };
        Self {
            requests: profile.requests,
            peak_request: profile.peak_request,
            peak_bytes: profile.peak_bytes,
            unit,
            places: places.iter().map(told).collect(),
            bands: largest.iter().map(band).collect(),
            marks: profile.marks.iter().map(|mark| (mark.name.clone(), mark.requests)).collect(),
            columns,
            layers,
        }
    }
}

/// The places that have a layer of their own: what stays is below what comes and goes.
fn named(profile: &Profile) -> Vec<usize> {
    let mut named: Vec<usize> = (0..NAMED.min(profile.places.len())).collect();
    named.sort_by_key(|place| match profile.places[*place].class {
        Class::Parameters => 0,
        Class::Optimizer => 1,
        Class::Activations => 2,
        Class::Gradients => 3,
        _ => 4,
    });
    named
}

/// The requests to show: all, or of each of so many stretches the one at which the most was alive.
fn columns(profile: &Profile) -> Vec<u64> {
    let alive = totals(profile);
    let stretch = alive.len().div_ceil(COLUMNS).max(1);
    let highest = |(number, totals): (usize, &[u64])| {
        // The last of several that are alike would hide that the peak was reached before.
        let (at, _) = totals.iter().enumerate().max_by_key(|(i, bytes)| (**bytes, Reverse(*i)))?;
        Some((number * stretch + at) as u64 + 1)
    };
    alive.chunks(stretch).enumerate().filter_map(highest).collect()
}

/// Bytes that are alive at each request, from the first.
fn totals(profile: &Profile) -> Vec<u64> {
    let requests: Vec<u64> = (1..=profile.requests).collect();
    let mut all = vec![0; requests.len()];
    let mut sums = Sums::new(&requests);
    profile.allocations.iter().for_each(|allocation| sums.add(allocation));
    sums.write(&mut all);
    all
}

/// What each of the `named` places holds at each column in bytes, and what all others do.
fn layers(profile: &Profile, columns: &[u64], named: &[usize]) -> Vec<Vec<u64>> {
    let mut sums: Vec<Sums<'_>> = (0..=named.len()).map(|_| Sums::new(columns)).collect();
    let mut layer_of = vec![named.len(); profile.places.len()];
    for (layer, place) in named.iter().enumerate() {
        layer_of[*place] = layer;
    }
    for allocation in &profile.allocations {
        sums[layer_of[allocation.place]].add(allocation);
    }
    sums.iter()
        .map(|sums| {
            let mut layer = vec![0; columns.len()];
            sums.write(&mut layer);
            layer
        })
        .collect()
}

/// A sum over allocations for each of some requests: by what each more and less it is than the one
/// before.
struct Sums<'a> {
    requests: &'a [u64],
    more: Vec<u64>,
    less: Vec<u64>,
}

impl<'a> Sums<'a> {
    fn new(requests: &'a [u64]) -> Self {
        let none = vec![0; requests.len() + 1];
        Self { requests, more: none.clone(), less: none }
    }

    fn add(&mut self, allocation: &Allocation) {
        let (first, end) = covered(allocation, self.requests);
        if first < end {
            self.more[first] = self.more[first].saturating_add(allocation.bytes);
            self.less[end] = self.less[end].saturating_add(allocation.bytes);
        }
    }

    fn write(&self, to: &mut [u64]) {
        let mut sum = 0_u64;
        for (i, to) in to.iter_mut().enumerate() {
            sum = sum.saturating_add(self.more[i]).saturating_sub(self.less[i]);
            *to = sum;
        }
    }
}

/// The first of these requests at which an allocation is alive, and the end of those.
fn covered(allocation: &Allocation, requests: &[u64]) -> (usize, usize) {
    let first = requests.partition_point(|request| *request < allocation.made);
    let end = allocation
        .freed
        .map_or(requests.len(), |freed| requests.partition_point(|request| *request <= freed));
    (first, end)
}

/// The largest allocations that some column shows, in the order in which they were made.
fn largest<'a>(profile: &'a Profile, columns: &[u64]) -> Vec<&'a Allocation> {
    let is_shown = |allocation: &&Allocation| {
        let (first, end) = covered(allocation, columns);
        first < end
    };
    let mut shown: Vec<&Allocation> = profile.allocations.iter().filter(is_shown).collect();
    shown.sort_by_key(|allocation| (Reverse(allocation.bytes), allocation.made));
    shown.truncate(BANDS);
    shown.sort_by_key(|allocation| allocation.made);
    shown
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use vram_places::profile::SetMark;
    use vram_virtual_card::requests::{Memory, Requests, Step};

    use super::*;

    fn profile(steps: Vec<Step>) -> Profile {
        let stacks = (0..20).map(|address| vec![address]).collect();
        let marks = [SetMark { name: "forward", steps: 1 }];
        let requests = Requests { steps, stacks, ..Requests::default() };
        Profile::new(&requests, Path::new("train"), &marks)
    }

    fn allocate(address: u64, bytes: u64) -> Step {
        let stack = Some((address % 20) as u32);
        Step::Allocate { card: 0, memory: Memory::Pool, address, bytes, stream: 0, stack }
    }

    #[test]
    fn every_request_of_a_short_program_is_a_column() {
        let steps = vec![
            allocate(1, 100),
            allocate(2, 50),
            Step::Free { address: 1, stream: 0 },
            allocate(3, 7),
        ];
        let timeline = Timeline::new(&profile(steps));
        assert_eq!(timeline.columns, [1, 2, 3]);
        let sums: Vec<u64> =
            (0..3).map(|i| timeline.layers.iter().map(|layer| layer[i]).sum()).collect();
        assert_eq!((sums.as_slice(), timeline.unit), (&[100, 150, 57][..], 1));
        let bands: Vec<_> = timeline.bands.iter().map(|band| (band.1, band.2, band.3)).collect();
        assert_eq!(bands, [(1, 2, 100), (2, 0, 50), (3, 0, 7)]);
        assert_eq!(timeline.marks, [("forward".to_owned(), 1)]);
    }

    #[test]
    fn a_program_without_allocations_has_nothing_to_draw() {
        let timeline = Timeline::new(&profile(Vec::new()));
        assert!(timeline.columns.is_empty() && timeline.bands.is_empty());
    }

    #[test]
    fn a_long_program_is_drawn_small_and_with_its_peak() {
        let steps = (0..300_000_u64).flat_map(|i| {
            let bytes = if i == 123_456 { 1 << 40 } else { 1 + i % 1000 * 1000 };
            let freed = i.checked_sub(40).map(|address| Step::Free { address, stream: 0 });
            std::iter::once(allocate(i, bytes)).chain(freed)
        });
        let profile = profile(steps.collect());
        let timeline = Timeline::new(&profile);
        assert!(timeline.columns.len() <= COLUMNS && timeline.bands.len() <= BANDS);
        assert!(timeline.columns.contains(&profile.peak_request), "the peak is shown");
        let size = serde_json::to_string(&timeline).unwrap().len();
        assert!(size < 400_000, "{size} bytes");
    }

    proptest! {
        /// Rounded down to units, and within one of them for each layer.
        #[test]
        fn layers_are_what_is_alive(
            steps in proptest::collection::vec(
                prop_oneof![
                    (0..60_u64, 1..5000_u64).prop_map(|(address, bytes)| allocate(address, bytes)),
                    (0..60_u64).prop_map(|address| Step::Free { address, stream: 0 }),
                ],
                0..200,
            )
        ) {
            let profile = profile(steps);
            let timeline = Timeline::new(&profile);
            for (i, request) in timeline.columns.iter().enumerate() {
                let alive: u64 = profile.alive_at(*request).map(|a| a.bytes).sum();
                let drawn: u64 = timeline.layers.iter().map(|layer| layer[i]).sum();
                let least = alive.saturating_sub(timeline.unit * timeline.layers.len() as u64);
                prop_assert!((least..=alive).contains(&(drawn * timeline.unit)));
            }
        }
    }
}
