//! A workload whose step can run.

use vram_presets::spec::WorkloadSpec;
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;
use vram_workload::shape::Shape;

use crate::error::ReportError;

/// What is no part of a workload's id and changes its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Whether matrix products run in half precision; none is what goes with the precision.
    pub amp: Option<bool>,
    /// Readout heads.
    pub out_dim: u64,
    /// Which step of the model it takes.
    pub step: StepKind,
    /// The tape of the fused step; none is the full one.
    pub tape: Option<TapeKind>,
}

/// One readout head, the fused step and its full tape: what VRA-34 budgets.
impl Default for Mode {
    fn default() -> Self {
        Self { amp: None, out_dim: 1, step: StepKind::Fused, tape: None }
    }
}

/// A workload whose step can run.
#[derive(Debug, Clone)]
pub struct Workload {
    /// The workload after overrides.
    pub spec: WorkloadSpec,
    /// Whether it runs under amp.
    pub amp: bool,
    /// Its readout heads.
    pub out_dim: u64,
    /// Which step of the model it takes.
    pub step: StepKind,
    /// The tape of the fused step; none of the plain one.
    pub tape: Option<TapeKind>,
    /// The sizes of its step.
    pub shape: Shape,
}

impl Workload {
    /// The sizes of the step are checked as its own buffers and as VRA-34's ring term, which is a
    /// size of its own.
    ///
    /// # Errors
    ///
    /// A step that cannot run, a tape that is named for the plain one, or sizes that overflow.
    pub fn new(spec: WorkloadSpec, mode: Mode) -> Result<Self, ReportError> {
        let amp = mode.amp.unwrap_or(spec.ant.precision.default_amp());
        mode.step.check_tape(mode.tape)?;
        let shape = Shape::new(&spec, mode.out_dim, amp)?;
        spec.ring_buf_bytes()?;
        let Mode { out_dim, step, .. } = mode;
        let tape = step.tape(mode.tape);
        let shape = shape.with_tape(tape.unwrap_or_default());
        Ok(Self { spec, amp, out_dim, step, tape, shape })
    }

    /// Identity of the probe that measures it (VRA-31).
    pub fn probe_id(&self) -> String {
        self.spec.probe_id(self.out_dim, self.amp)
    }
}
