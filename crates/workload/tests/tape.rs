//! The tape is what VRA-34 budgets: one whole ring state per token, and backward reads it. Or it is
//! the five rows of each that its token read, and backward reads those.

#[macro_use]
#[path = "support/devices.rs"]
mod devices;
mod support;

use candle_core::Device;
use support::fixture::Fixture;
use support::{Case, distance, gradient_of};
use vram_metrics::host::HostAllocator;
use vram_presets::spec::{Precision, PtrDtype};
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;
use vram_workload::model::od1::Od1;
use vram_workload::shape::{Shape, TAPS};
use vram_workload::step::batch::Batch;
use vram_workload::step::forward::Forward;
use vram_workload::step::fused::FusedStep;
use vram_workload::step::loss_scale::LossScale;

#[global_allocator]
static ALLOC: HostAllocator = HostAllocator;

fn forward(tape: TapeKind, device: &Device) -> (FusedStep, Batch, Forward) {
    let fixture = Fixture::named("od1_parity_a");
    let case = Case { tape, ..fixture.case(Precision::Fp32, PtrDtype::Fp64) };
    let (model, inputs) = fixture.model_of(&case, device);
    let batch = inputs.batch(&model);
    let mut step = FusedStep::new(&model).unwrap();
    let forward = step.forward(&batch, &inputs.starts).unwrap();
    (step, batch, forward)
}

/// Slots and weights around `p`, straight from the model's description.
fn taps(p: f64, ring_len: usize) -> [(usize, f64); TAPS] {
    let r = ring_len as f64;
    let centre = p.floor().clamp(0.0, r - 1.0);
    let slots = [-2.0, -1.0, 0.0, 1.0, 2.0].map(|j| (centre + j).rem_euclid(r));
    let raw = slots.map(|c| {
        let wrap = (c - p + r / 2.0).rem_euclid(r) - r / 2.0;
        (-wrap * wrap / 8.0).exp()
    });
    let sum: f64 = raw.iter().sum();
    std::array::from_fn(|j| (slots[j] as usize, raw[j] / sum))
}

/// What token t read, as `read` takes it from the recomputed state `[B,R,D]`, its pointers being `[B]`.
fn every_token(tape: TapeKind, device: &Device, read: impl Fn(&Shape, &[f64], &[f64]) -> Vec<f64>) {
    let (step, _, forward) = forward(tape, device);
    let shape = step.model().shape();
    let (r, d) = (shape.ring_len, shape.slot_dim);
    let mut state = vec![0.0f64; shape.state_len()];
    assert_eq!(forward.tape().len(), shape.synth_len);
    for t in 0..shape.synth_len {
        let got: Vec<f64> = forward.tape().state(t).unwrap().into_iter().map(f64::from).collect();
        let pointers = forward.pointers(t).unwrap();
        let (worst, _) = distance(&got, &read(shape, &state, &pointers));
        assert!(worst < 1e-5, "what token {t} read is off by {worst:e}");
        let hidden = forward.hidden(t).unwrap();
        for (b, &p) in pointers.iter().enumerate() {
            let h = &hidden[b * d..(b + 1) * d];
            for (slot, weight) in taps(p, r) {
                let row = &mut state[(b * r + slot) * d..][..d];
                row.iter_mut().zip(h).for_each(|(m, &h)| *m += weight * f64::from(h));
            }
        }
    }
    assert!(state.iter().any(|&m| m != 0.0));
}

fn every_state(device: &Device) {
    every_token(TapeKind::Full, device, |_, state, _| state.to_vec());
}

fn every_row(device: &Device) {
    every_token(TapeKind::Rows, device, |shape, state, pointers| {
        let (r, d) = (shape.ring_len, shape.slot_dim);
        let of_sample = |(b, p): (usize, &f64)| {
            taps(*p, r).map(|(slot, _)| state[(b * r + slot) * d..][..d].to_vec()).concat()
        };
        pointers.iter().enumerate().flat_map(of_sample).collect()
    });
}

/// The gradient of the context's logit, after a change of what forward left.
fn gradient(tape: TapeKind, device: &Device, change: impl FnOnce(&mut Forward, &Od1)) -> Vec<f64> {
    let (step, batch, mut forward) = forward(tape, device);
    change(&mut forward, step.model());
    let mut scale = LossScale::new(step.model().shape(), device).unwrap();
    let got = step.backward(&batch, forward, &mut scale, &mut |_| ()).unwrap();
    gradient_of(step.model(), &got.gradients.store, "context_logit").unwrap()
}

/// Changing what token t read changes the gradients, for every token that reads a non-zero state;
/// changing a row that nobody read changes nothing.
fn each_tokens_rows(device: &Device) {
    let gradient = |change: &dyn Fn(&mut Forward, &Od1)| gradient(TapeKind::Full, device, change);
    let untouched = gradient(&|_, _| ());
    let tokens = forward(TapeKind::Full, device).0.model().shape().synth_len;
    for t in 0..tokens {
        let overwrite = |forward: &mut Forward, model: &Od1, offset: usize| {
            let shape = model.shape();
            let slot = (taps(forward.pointers(t).unwrap()[0], shape.ring_len)[2].0 + offset)
                % shape.ring_len;
            let row = slot * shape.slot_dim;
            let sevens = vec![7.0; shape.slot_dim];
            forward.tape_mut().overwrite(t, row, &sevens).unwrap();
        };
        let read = gradient(&|f, m| overwrite(f, m, 0));
        assert_ne!(read, untouched, "token {t} did not read its state from the tape");
        let half_a_ring_away = gradient(&|f, m| overwrite(f, m, 16));
        assert_eq!(half_a_ring_away, untouched, "token {t} read a slot it should not");
    }
}

/// Changing any row that token t kept changes the gradients.
fn each_tokens_kept_rows(device: &Device) {
    let untouched = gradient(TapeKind::Rows, device, |_, _| ());
    let (step, _, forward) = forward(TapeKind::Rows, device);
    let shape = step.model().shape();
    let d = shape.slot_dim;
    for t in 0..forward.tape().len() {
        for row in [0, 1, 2, 3, 4, TAPS * shape.batch - 1] {
            let overwrite = |forward: &mut Forward, _: &Od1| {
                forward.tape_mut().overwrite(t, row * d, &vec![7.0; d]).unwrap();
            };
            let changed = gradient(TapeKind::Rows, device, overwrite);
            assert_ne!(changed, untouched, "row {row} of token {t} was not read from the tape");
        }
    }
}

test_devices! {
    every_state_on_the_tape_equals_a_recomputed_one => every_state;
    backward_reads_each_tokens_rows_from_the_tape => each_tokens_rows;
    every_row_on_the_tape_is_of_a_recomputed_state => every_row;
    backward_reads_each_row_that_was_kept => each_tokens_kept_rows;
}

/// The pages are really there: `VmHWM` of this process against the peak that its allocator counted.
#[cfg(target_os = "linux")]
#[test]
fn the_resident_set_shows_the_tape() {
    use vram_metrics::host::HostMeter;
    use vram_metrics::meter::Meter;
    use vram_presets::spec::{AntSpec, ColonySpec, WorkloadSpec};
    use vram_workload::step::trainer::Trainer;

    let ant = AntSpec {
        ring_len: 2048,
        slot_dim: 64,
        ptr_dtype: PtrDtype::Fp64,
        precision: Precision::Fp32,
    };
    let colony = ColonySpec {
        seq_len: 128,
        synth_len: 128,
        batch_size: 8,
        ptr_update_every: 1,
        state_loop_samples: 0,
    };
    let shape = Shape::new(&WorkloadSpec::new(ant, colony), 1, false).unwrap();
    let tape_bytes = 128 * shape.state_len() as u64 * 4;
    assert_eq!(tape_bytes, 512 << 20);
    let mut trainer = Trainer::new(shape, StepKind::Fused, 0, &Device::Cpu, &mut |_| ()).unwrap();
    trainer.step(&mut |_| ()).unwrap();
    let allocated = HostMeter::new().unwrap().allocated().unwrap().peak;
    assert!(allocated > tape_bytes);
    let resident = resident_peak();
    assert!(resident >= allocated / 100 * 98, "{resident} bytes resident of {allocated}");
}

/// Peak resident set of this process in bytes.
#[cfg(target_os = "linux")]
fn resident_peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}
