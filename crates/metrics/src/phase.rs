//! The phases of a training step, and what is held at each of them.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use crate::meter::{Meter, MeterError};

/// Points of a training step at which memory is marked, in the order in which they come.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Phase {
    /// Nothing of the step exists yet.
    Start,
    /// The parameters and inputs exist.
    Parameters,
    /// The optimizer's state and the gradients' buffers exist.
    Optimizer,
    /// Forward is done and everything backward needs is alive.
    ForwardEnd,
    /// Backward holds the most it will hold.
    BackwardPeak,
    /// The step is over and what belonged to it is freed.
    StepEnd,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Name in artifacts.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What was current at a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseMark {
    /// The phase.
    pub phase: Phase,
    /// Allocated then, in bytes.
    pub allocated_bytes: u64,
    /// Reserved then, in bytes.
    pub reserved_bytes: u64,
}

/// Collects one mark per phase; a later mark of a phase replaces the earlier one, so that after
/// several steps the marks are the last step's.
pub struct Marks<'m> {
    meter: &'m dyn Meter,
    marks: Vec<PhaseMark>,
    error: Option<MeterError>,
}

impl<'m> Marks<'m> {
    /// Marks read from `meter`.
    pub fn new(meter: &'m dyn Meter) -> Self {
        Self { meter, marks: Vec::with_capacity(Phase::ALL.len()), error: None }
    }

    /// Marks `phase` now. A reading that fails is kept for [`Marks::into_result`]: a training step
    /// has no use for it.
    pub fn mark(&mut self, phase: Phase) {
        match self.read(phase) {
            Ok(mark) => match self.marks.iter_mut().find(|m| m.phase == phase) {
                Some(slot) => *slot = mark,
                None => self.marks.push(mark),
            },
            Err(error) => self.error = Some(error),
        }
    }

    fn read(&self, phase: Phase) -> Result<PhaseMark, MeterError> {
        Ok(PhaseMark {
            phase,
            allocated_bytes: self.meter.allocated()?.current,
            reserved_bytes: self.meter.reserved()?.current,
        })
    }

    /// The marks in the order in which their phases first came.
    ///
    /// # Errors
    ///
    /// The last reading that failed.
    pub fn into_result(self) -> Result<Vec<PhaseMark>, MeterError> {
        self.error.map_or(Ok(self.marks), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::meter::Reading;

    /// Answers with the next number, or not at all.
    struct Counting(Cell<Option<u64>>);

    impl Meter for Counting {
        fn allocated(&self) -> Result<Reading, MeterError> {
            let current = self.0.get().ok_or(MeterError::NotInstalled)?;
            self.0.set(Some(current + 1));
            Ok(Reading { current, peak: 99 })
        }
        fn reserved(&self) -> Result<Reading, MeterError> {
            Ok(Reading { current: 50, peak: 99 })
        }
        fn reset_peaks(&self) -> Result<(), MeterError> {
            Ok(())
        }
    }

    #[test]
    fn a_later_mark_of_a_phase_replaces_the_earlier_one() {
        let meter = Counting(Cell::new(Some(1)));
        let mut marks = Marks::new(&meter);
        // Allocated counts 1, 2, 3: the third reading takes the first one's place.
        for phase in [Phase::ForwardEnd, Phase::StepEnd, Phase::ForwardEnd] {
            marks.mark(phase);
        }
        let mark =
            |phase, allocated_bytes| PhaseMark { phase, allocated_bytes, reserved_bytes: 50 };
        let expected = [mark(Phase::ForwardEnd, 3), mark(Phase::StepEnd, 2)];
        assert_eq!(marks.into_result().unwrap(), expected);
    }

    #[test]
    fn a_reading_that_failed_is_not_lost() {
        let meter = Counting(Cell::new(None));
        let mut marks = Marks::new(&meter);
        marks.mark(Phase::StepEnd);
        meter.0.set(Some(1));
        marks.mark(Phase::StepEnd);
        assert_eq!(marks.into_result(), Err(MeterError::NotInstalled));
    }

    #[test]
    fn artifacts_hold_the_phases_name() {
        for phase in [Phase::Parameters, Phase::BackwardPeak] {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.to_string());
        }
    }
}
