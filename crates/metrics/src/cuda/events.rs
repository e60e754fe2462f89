use std::sync::Arc;

use cudarc::driver::{CudaEvent, CudaStream, sys::CUevent_flags};

use crate::StepClock;

/// Times steps on the card, by events in their stream: what the host does beside it is not in the
/// times, and nothing waits before the window is over.
#[derive(Debug)]
pub struct EventClock {
    stream: Arc<CudaStream>,
    began: Option<CudaEvent>,
    /// Events around each step; none where the driver refused one.
    steps: Vec<Option<(CudaEvent, CudaEvent)>>,
}

impl EventClock {
    /// A clock of the steps that run in `stream`.
    pub fn new(stream: Arc<CudaStream>) -> Self {
        Self { stream, began: None, steps: Vec::new() }
    }

    fn now(&self) -> Option<CudaEvent> {
        // cudarc's default makes events without a time.
        self.stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT)).ok()
    }
}

impl StepClock for EventClock {
    fn begin(&mut self) {
        self.began = self.now();
    }

    fn end(&mut self) {
        let step = self.began.take().zip(self.now());
        self.steps.push(step);
    }

    /// A step whose events failed took `NaN` seconds: the verdict calls its timing missing.
    fn finish(&mut self) -> Vec<f64> {
        let seconds = |step: Option<(CudaEvent, CudaEvent)>| {
            let (began, ended) = step?;
            ended.synchronize().ok()?;
            Some(f64::from(began.elapsed_ms(&ended).ok()?) / 1e3)
        };
        self.steps.drain(..).map(|step| seconds(step).unwrap_or(f64::NAN)).collect()
    }
}
