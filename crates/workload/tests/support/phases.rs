//! What a step holds at each phase, by the meter.
#![allow(dead_code, reason = "each test binary uses its own part")]

use candle_core::Device;
use vram_metrics::meter::Meter;
use vram_metrics::phase::{Marks, Phase};
use vram_presets::spec::{AntSpec, ColonySpec, Precision, PtrDtype, WorkloadSpec};
use vram_presets::step::StepKind;
use vram_workload::shape::Shape;
use vram_workload::step::trainer::Trainer;

/// ring_len, slot_dim, synth_len, batch, out_dim.
pub type Sizes = (u64, u64, u64, u64, u64);

pub fn shape(
    (ring_len, slot_dim, synth_len, batch_size, out_dim): Sizes,
    precision: Precision,
) -> Shape {
    let ant = AntSpec { ring_len, slot_dim, ptr_dtype: PtrDtype::Fp64, precision };
    let colony = ColonySpec {
        seq_len: synth_len,
        synth_len,
        batch_size,
        ptr_update_every: 1,
        state_loop_samples: 0,
    };
    let spec = WorkloadSpec::new(ant, colony);
    Shape::new(&spec, out_dim, precision.default_amp()).unwrap()
}

/// The same shape with the state loop of its first `samples` samples watched.
pub fn watching(samples: usize, shape: Shape) -> Shape {
    Shape { state_loop_samples: samples, ..shape }
}

/// Bytes that were allocated at each phase of a second step, over those at the start.
pub fn measure(device: &Device, meter: &dyn Meter, shape: &Shape) -> Vec<(Phase, u64)> {
    let mut marks = Marks::new(meter);
    marks.mark(Phase::Start);
    let mark = &mut |phase| marks.mark(phase);
    let mut trainer = Trainer::new(shape.clone(), StepKind::Fused, 0, device, mark).unwrap();
    trainer.step(mark).unwrap();
    trainer.step(mark).unwrap();
    trainer.outcome().unwrap();
    drop(trainer);
    let marks = marks.into_result().unwrap();
    let start = marks[0].allocated_bytes;
    marks.iter().map(|m| (m.phase, m.allocated_bytes - start)).collect()
}
