//! Clocks of steps, and the order statistics of their times.

use std::time::Instant;

use crate::phase::Phase;

/// Times the steps of a measurement window.
///
/// Where work is asynchronous the times may be known only once the window is over, so they are
/// asked for at the end.
pub trait StepClock {
    /// A step begins.
    fn begin(&mut self);

    /// The step has reached a phase.
    fn lap(&mut self, phase: Phase);

    /// The step that began last has ended.
    fn end(&mut self);

    /// Times of every finished step since the last call, in order.
    fn finish(&mut self) -> Vec<StepTime>;
}

/// How long a step took, in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepTime {
    /// From its beginning to its end.
    pub seconds: f64,
    /// From its beginning to each phase, in the order in which they came.
    pub laps: Vec<(Phase, f64)>,
}

/// The host's monotonic clock: for steps that are over when they return.
#[derive(Debug, Default)]
pub struct WallClock {
    began: Option<Instant>,
    laps: Vec<(Phase, f64)>,
    steps: Vec<StepTime>,
}

impl StepClock for WallClock {
    fn begin(&mut self) {
        self.laps.clear();
        self.began = Some(Instant::now());
    }

    fn lap(&mut self, phase: Phase) {
        self.laps.extend(self.began.map(|began| (phase, began.elapsed().as_secs_f64())));
    }

    fn end(&mut self) {
        let laps = std::mem::take(&mut self.laps);
        let seconds = self.began.take().map(|began| began.elapsed().as_secs_f64());
        self.steps.extend(seconds.map(|seconds| StepTime { seconds, laps }));
    }

    fn finish(&mut self) -> Vec<StepTime> {
        std::mem::take(&mut self.steps)
    }
}

/// Step times in seconds, with the order statistics of the objective contract (VRA-30).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepTimes {
    seconds: Vec<f64>,
    /// Per phase that a step reached: seconds since the phase before it, or since the beginning.
    phases: Vec<(Phase, Vec<f64>)>,
}

impl StepTimes {
    /// Times of steps in the order in which they ran.
    pub fn new(seconds: Vec<f64>) -> Self {
        Self { seconds, phases: Vec::new() }
    }

    /// As a clock took them.
    pub fn of(steps: Vec<StepTime>) -> Self {
        let mut times = Self::new(steps.iter().map(|step| step.seconds).collect());
        for step in &steps {
            let mut before = 0.0;
            for &(phase, at) in &step.laps {
                times.phase(phase).push(at - before);
                before = at;
            }
        }
        times
    }

    fn phase(&mut self, phase: Phase) -> &mut Vec<f64> {
        let known = self.phases.iter().position(|(p, _)| *p == phase);
        let at = known.unwrap_or_else(|| {
            self.phases.push((phase, Vec::new()));
            self.phases.len() - 1
        });
        &mut self.phases[at].1
    }

    /// Median seconds that the steps took to each phase from the one before it, or from their
    /// beginning, in the order of the phases.
    pub fn phase_medians(&self) -> Vec<(Phase, f64)> {
        let medians = self
            .phases
            .iter()
            .filter_map(|(phase, seconds)| Some((*phase, Self::new(seconds.clone()).median()?)));
        medians.collect()
    }

    /// The times in the order in which the steps ran.
    pub fn as_slice(&self) -> &[f64] {
        &self.seconds
    }

    /// `sorted[n / 2]`; none without steps.
    pub fn median(&self) -> Option<f64> {
        self.sorted().get(self.seconds.len() / 2).copied()
    }

    /// `sorted[floor(0.95 * (n - 1))]`; none without steps.
    pub fn p95(&self) -> Option<f64> {
        let last = self.seconds.len().checked_sub(1)?;
        self.sorted().get(last * 95 / 100).copied()
    }

    /// The longest; none without steps.
    pub fn max(&self) -> Option<f64> {
        self.sorted().last().copied()
    }

    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_statistics_by_hand() {
        // Sorted: 1 2 3 4. n/2 = 2 -> 3; floor(0.95 * 3) = 2 -> 3; the longest is 4.
        let times = StepTimes::new(vec![4.0, 1.0, 3.0, 2.0]);
        assert_eq!((times.median(), times.p95(), times.max()), (Some(3.0), Some(3.0), Some(4.0)));
        // Three steps: median and p95 are the same element.
        let three = StepTimes::new(vec![9.0, 1.0, 2.0]);
        assert_eq!((three.median(), three.p95(), three.max()), (Some(2.0), Some(2.0), Some(9.0)));
        // Twenty-one steps 0..=20: floor(0.95 * 20) = 19.
        let many = StepTimes::new((0..21).map(f64::from).collect());
        assert_eq!(many.p95(), Some(19.0));
        let step = |ends: [f64; 2]| StepTime {
            seconds: ends[1],
            laps: vec![(Phase::ForwardEnd, ends[0]), (Phase::StepEnd, ends[1])],
        };
        let phases = StepTimes::of(vec![step([1.0, 5.0]), step([2.0, 4.0]), step([3.0, 9.0])]);
        // Forward took 1, 2, 3; the rest 4, 2, 6.
        let medians = [(Phase::ForwardEnd, 2.0), (Phase::StepEnd, 4.0)];
        assert_eq!(phases.phase_medians(), medians);
        assert_eq!(phases.as_slice(), [5.0, 4.0, 9.0]);
        let none = StepTimes::default();
        assert_eq!((none.median(), none.p95(), none.max()), (None, None, None));
    }
}
