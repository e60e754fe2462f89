//! The search for the largest batch within a limit: predict, probe, correct, until one batch is
//! seen to be within it and the next is seen not to be.

/// What a probe showed of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// It ran, and reserved this many bytes at its peak.
    Reserved(u64),
    /// It did not get the memory.
    Refused,
}

/// Where a search ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Boundary {
    /// The largest batch within the limit, with its peak reserved; none where not one sample is.
    pub within: Option<(u64, u64)>,
    /// The batch above, which is not.
    pub beyond: (u64, Seen),
    /// Probes that it took.
    pub probes: u32,
}

/// Probes after which the prediction is not trusted any more: two confirm one that is right, two
/// more one that is off by as much everywhere.
const TRUSTED: u32 = 4;

/// Searches for the boundary of `limit` bytes reserved, of which `free` are there. `most_within`
/// gives the largest batch that is predicted to reserve that many bytes, `predicted` what a batch is
/// predicted to reserve.
///
/// A probe that reserves more or less than was predicted moves the limit that the next prediction
/// is asked for by as much. Where that does not end the search, or memory is refused again where it
/// was predicted to be, the interval that is left is halved.
pub fn search<E>(
    limit: u64,
    free: u64,
    most_within: impl Fn(u64) -> u64,
    predicted: impl Fn(u64) -> Option<u64>,
    mut probe: impl FnMut(u64) -> Result<Seen, E>,
) -> Result<Boundary, E> {
    let mut within: Option<(u64, u64)> = None;
    let mut beyond: Option<(u64, Seen)> = None;
    let aim = limit.min(free);
    let mut expected = aim;
    let (mut probes, mut refusals) = (0, 0);
    loop {
        let is_trusted = probes < TRUSTED && refusals < 2;
        let below = within.map_or(0, |(batch, _)| batch);
        let next = below.saturating_add(1);
        let batch = match beyond {
            Some((above, seen)) if above == next => {
                return Ok(Boundary { within, beyond: (above, seen), probes });
            }
            Some((above, _)) if is_trusted => most_within(expected).clamp(next, above - 1),
            Some((above, _)) => below + (above - below) / 2,
            None if is_trusted => most_within(expected).max(next),
            None => below.saturating_mul(2).max(next),
        };
        let seen = probe(batch)?;
        probes += 1;
        if let (Seen::Reserved(bytes), Some(predicted)) = (seen, predicted(batch)) {
            expected = aim.saturating_add(predicted).saturating_sub(bytes);
        }
        refusals += u32::from(seen == Seen::Refused);
        match seen {
            Seen::Reserved(bytes) if bytes <= limit => within = Some((batch, bytes)),
            _ => beyond = Some((batch, seen)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;
    use vram_report::predictor::most;

    use super::*;

    const SAMPLE: u64 = 1000;
    const BASE: u64 = 40_000;

    fn predicted(batch: u64) -> Option<u64> {
        batch.checked_mul(SAMPLE)?.checked_add(BASE)
    }

    /// The boundary of a device that reserves `reserved(batch)`, none being a refusal.
    fn found(limit: u64, reserved: impl Fn(u64) -> Option<u64>) -> Boundary {
        found_beside(limit, u64::MAX, reserved)
    }

    /// The same, where no more than `free` bytes are there.
    fn found_beside(limit: u64, free: u64, reserved: impl Fn(u64) -> Option<u64>) -> Boundary {
        let most_within = |limit| most(|batch| predicted(batch).is_some_and(|b| b <= limit));
        let probe =
            |batch| Ok::<_, Infallible>(reserved(batch).map_or(Seen::Refused, Seen::Reserved));
        let Ok(boundary) = search(limit, free, most_within, predicted, probe);
        boundary
    }

    #[test]
    fn a_right_prediction_is_confirmed_by_two_probes() {
        let boundary = found(50_000, predicted);
        let expected = Boundary {
            within: Some((10, 50_000)),
            beyond: (11, Seen::Reserved(51_000)),
            probes: 2,
        };
        assert_eq!(boundary, expected);
    }

    #[test]
    fn not_one_sample_may_fit() {
        let boundary = found(500, predicted);
        assert_eq!((boundary.within, boundary.probes), (None, 1));
        assert_eq!(boundary.beyond, (1, Seen::Reserved(41_000)));
    }

    /// Memory ends below the limit, because others hold some: what is free tells where, but for
    /// what a process takes beside its reserved memory.
    #[test]
    fn a_refusal_is_a_boundary_too() {
        let device = |batch| predicted(batch).filter(|_| batch <= 61);
        let boundary = found_beside(140_000, 102_500, device);
        assert_eq!(boundary.within, Some((61, 101_000)));
        assert_eq!((boundary.beyond, boundary.probes), ((62, Seen::Refused), 2));
    }

    /// Nothing tells where: it takes as many probes as halvings.
    #[test]
    fn a_refusal_out_of_the_blue_halves_the_interval() {
        let boundary = found(140_000, |batch| predicted(batch).filter(|_| batch <= 61));
        assert_eq!(boundary.within, Some((61, 101_000)));
        assert_eq!(boundary.beyond, (62, Seen::Refused));
        assert!(boundary.probes <= 2 + 7, "{boundary:?}");
    }

    proptest! {
        /// Off by as much everywhere, by several samples too.
        #[test]
        fn a_shifted_prediction_costs_two_probes_more_at_most(
            samples in 1..2000u64,
            shift in -30_000..30_000i64,
        ) {
            let limit = samples * SAMPLE + BASE;
            let device = |batch: u64| predicted(batch)?.checked_add_signed(shift);
            let boundary = found(limit, device);
            let truth = most(|batch| device(batch).is_some_and(|bytes| bytes <= limit));
            prop_assert_eq!(boundary.within.map_or(0, |(batch, _)| batch), truth);
            prop_assert_eq!(boundary.beyond.0, truth + 1);
            prop_assert!(boundary.probes <= TRUSTED, "{boundary:?}");
        }

        /// Whatever the device does, as long as more samples take no less.
        #[test]
        fn the_search_ends_at_the_boundary(
            limit in 0..1_000_000u64,
            slope in 1..50_000u64,
            base in 0..1_000_000u64,
            refused_from in 1..5_000u64,
        ) {
            let device = |batch: u64| {
                batch.checked_mul(slope)?.checked_add(base).filter(|_| batch < refused_from)
            };
            let boundary = found(limit, device);
            let truth = most(|batch| device(batch).is_some_and(|bytes| bytes <= limit));
            prop_assert_eq!(boundary.within.map_or(0, |(batch, _)| batch), truth);
            prop_assert_eq!(boundary.beyond.0, truth + 1);
        }
    }
}
