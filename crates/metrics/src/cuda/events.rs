//! The card's own clock of steps.

use std::sync::Arc;

use cudarc::driver::{CudaEvent, CudaStream, sys::CUevent_flags};

use crate::clock::{StepClock, StepTime};
use crate::phase::Phase;

/// Times steps on the card, by events in their stream: what the host does beside it is not in the
/// times, and nothing waits before the window is over.
#[derive(Debug)]
pub struct EventClock {
    stream: Arc<CudaStream>,
    running: Option<Events>,
    steps: Vec<Option<Events>>,
}

/// Events of one step.
#[derive(Debug)]
struct Events {
    began: CudaEvent,
    laps: Vec<(Phase, CudaEvent)>,
    ended: Option<CudaEvent>,
}

impl EventClock {
    /// A clock of the steps that run in `stream`.
    pub fn new(stream: Arc<CudaStream>) -> Self {
        Self { stream, running: None, steps: Vec::new() }
    }

    fn now(&self) -> Option<CudaEvent> {
        // cudarc's default makes events without a time.
        self.stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT)).ok()
    }
}

impl Events {
    fn times(&self) -> Option<StepTime> {
        let ended = self.ended.as_ref()?;
        ended.synchronize().ok()?;
        let since = |event: &CudaEvent| Some(f64::from(self.began.elapsed_ms(event).ok()?) / 1e3);
        let laps = self.laps.iter().filter_map(|(phase, event)| Some((*phase, since(event)?)));
        Some(StepTime { seconds: since(ended)?, laps: laps.collect() })
    }
}

impl StepClock for EventClock {
    fn begin(&mut self) {
        self.running = self.now().map(|began| Events { began, laps: Vec::new(), ended: None });
    }

    fn lap(&mut self, phase: Phase) {
        let now = self.now();
        if let (Some(step), Some(now)) = (&mut self.running, now) {
            step.laps.push((phase, now));
        }
    }

    fn end(&mut self) {
        let ended = self.now();
        self.steps.push(self.running.take().map(|step| Events { ended, ..step }));
    }

    /// A step whose events failed took `NaN` seconds: the verdict calls its timing missing.
    fn finish(&mut self) -> Vec<StepTime> {
        let unknown = StepTime { seconds: f64::NAN, laps: Vec::new() };
        let times = |step: Option<Events>| step.and_then(|step| step.times());
        self.steps.drain(..).map(|step| times(step).unwrap_or_else(|| unknown.clone())).collect()
    }
}
