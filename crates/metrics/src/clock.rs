use std::time::Instant;

/// Times the steps of a measurement window.
///
/// Where work is asynchronous the times may be known only once the window is over, so they are
/// asked for at the end.
pub trait StepClock {
    /// A step begins.
    fn begin(&mut self);

    /// The step that began last has ended.
    fn end(&mut self);

    /// Seconds of every finished step since the last call, in order.
    fn finish(&mut self) -> Vec<f64>;
}

/// The host's monotonic clock: for steps that are over when they return.
#[derive(Debug, Default)]
pub struct WallClock {
    began: Option<Instant>,
    seconds: Vec<f64>,
}

impl StepClock for WallClock {
    fn begin(&mut self) {
        self.began = Some(Instant::now());
    }

    fn end(&mut self) {
        self.seconds.extend(self.began.take().map(|t| t.elapsed().as_secs_f64()));
    }

    fn finish(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.seconds)
    }
}

/// Step times in seconds, with the order statistics of the objective contract (VRA-30).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepTimes {
    seconds: Vec<f64>,
}

impl StepTimes {
    /// Times of steps in the order in which they ran.
    pub fn new(seconds: Vec<f64>) -> Self {
        Self { seconds }
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
        let none = StepTimes::default();
        assert_eq!((none.median(), none.p95(), none.max()), (None, None, None));
    }
}
