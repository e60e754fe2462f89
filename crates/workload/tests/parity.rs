//! The original model's outputs, gradients and weights after three Adam steps, reproduced by both
//! steps.
//!
//! `OD1_PARITY_DIR` names another directory of fixtures.

#[macro_use]
#[path = "support/devices.rs"]
mod devices;
mod support;

use std::io::{self, Write};

use candle_core::Device;
use candle_nn::Optimizer;
use support::fixture::Fixture;
use support::{Case, Step, distance, take, tapes, values};
use vram_presets::spec::{Precision, PtrDtype};
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;
use vram_workload::step::adam::Adam;

struct Comparison<'a> {
    fixture: &'a str,
    compared: usize,
}

impl Comparison<'_> {
    /// `got` is within `tolerance` of `want`, absolutely.
    fn absolute(&mut self, what: &str, got: &[f64], want: &[f64], tolerance: f64) {
        let (worst, _) = distance(got, want);
        assert!(
            worst <= tolerance,
            "{}: {what} differs by {worst:e}, allowed {tolerance:e}",
            self.fixture
        );
        self.compared += 1;
    }

    /// As `absolute`, with the tolerance in units of the largest entry of `want`.
    fn relative(&mut self, what: &str, got: &[f64], want: &[f64], tolerance: f64) {
        let (_, largest) = distance(got, want);
        self.absolute(what, got, want, tolerance * largest);
    }
}

fn check(kind: StepKind, tape: TapeKind, device: &Device, fixture: &Fixture) -> usize {
    let mut seen = Comparison { fixture: &fixture.name, compared: 0 };
    let case = Case { tape, ..fixture.case(Precision::Fp32, PtrDtype::Fp64) };
    let (model, inputs) = fixture.model_of(&case, device);
    let batch = inputs.batch(&model);
    let mut step = Step::new(kind, &model);
    let mut adam = Adam::new(model.vars().unwrap(), fixture.learning_rate()).unwrap();
    for i in 0..fixture.number("steps") {
        let want = |name: &str| values(fixture.tensor(&format!("step{i}.{name}")));
        let got = step.take(&batch, &fixture.starts(i, device));
        seen.relative("logits", &values(&got.logits), &want("logits"), 1e-3);
        seen.absolute("loss", &values(&got.loss), &want("loss"), 1e-4);
        let moved = values(&got.move_penalty);
        seen.relative("move_penalty", &moved, &want("move_penalty"), 1e-4);
        seen.absolute("ptr_int", &values(&got.ptr_int), &want("ptr_int"), 0.0);
        assert_eq!(values(&got.flags.non_finite), [0.0, 0.0]);
        if i == 0 {
            for (name, want) in fixture.with_prefix("step0.grad.") {
                let want = values(want);
                // The original reports zeros where a parameter had no gradient.
                let value = got.gradient(&model, name).unwrap_or_else(|| vec![0.0; want.len()]);
                seen.relative(&format!("gradient of {name}"), &value, &want, 1e-3);
            }
        }
        adam.step_where(&got.grads, Some(&got.flags)).unwrap();
    }
    let got: Vec<_> = model.named().collect();
    let finals = fixture.with_prefix("final.");
    assert_eq!(finals.len(), got.len());
    let tolerance = if fixture.name.ends_with("_a") { 1e-4 } else { 5e-4 };
    for (name, want) in finals {
        let (_, value) = got.iter().find(|(n, _)| *n == name).unwrap();
        seen.absolute(&format!("final {name}"), &values(value), &values(want), tolerance);
    }
    seen.compared
}

#[expect(clippy::explicit_write, reason = "the test harness keeps what `println!` says")]
fn every_fixture(kind: StepKind, device: &Device) {
    for fixture in Fixture::all() {
        for &tape in tapes(kind) {
            let compared = check(kind, tape, device, &fixture);
            let name = &fixture.name;
            let step = match kind {
                StepKind::Fused => format!("{kind}, {tape}"),
                StepKind::Plain => kind.to_string(),
            };
            // Past the test harness, which shows what a passing test prints only when asked.
            writeln!(io::stdout(), "{name}, {step}: {compared} tensors compared").unwrap();
        }
    }
}

/// Logits and last slots of a fixture's first step.
fn first_step(
    kind: StepKind,
    device: &Device,
    precision: Precision,
    pointer: PtrDtype,
) -> (Vec<f64>, Vec<f64>) {
    let (model, inputs) = Fixture::named("od1_parity_a").model(device, precision, pointer);
    let got = take(kind, &model, &inputs);
    (values(&got.logits), values(&got.ptr_int))
}

/// Half precision computes in half precision: close to fp32, and not equal to it.
fn half(kind: StepKind, device: &Device, precision: Precision, tolerance: f64) {
    let (single, slots) = first_step(kind, device, Precision::Fp32, PtrDtype::Fp64);
    let (logits, half_slots) = first_step(kind, device, precision, PtrDtype::Fp64);
    assert_eq!(half_slots, slots);
    let (worst, _) = distance(&logits, &single);
    assert!(worst <= tolerance, "{precision}: logits differ by {worst:e}");
    assert!(worst >= 1e-5, "{precision} computes in fp32: logits differ by {worst:e}");
}

/// Single-precision pointers take the same way: a slot at tokens' end, and logits near.
fn fp32_pointers(kind: StepKind, device: &Device) {
    let fixture = Fixture::named("od1_parity_a");
    let (logits, slots) = first_step(kind, device, Precision::Fp32, PtrDtype::Fp32);
    assert_eq!(slots, values(fixture.tensor("step0.ptr_int")));
    let (worst, largest) = distance(&logits, &values(fixture.tensor("step0.logits")));
    assert!(worst <= 1e-3 * largest && worst > 0.0, "{worst:e}");
}

test_steps! {
    every_fixture_is_reproduced_in_fp32 => every_fixture;
    fp16_is_near_fp32_and_not_equal => |k, d: &Device| half(k, d, Precision::Fp16, 1e-2);
    bf16_is_near_fp32_and_not_equal => |k, d: &Device| half(k, d, Precision::Bf16, 5e-2);
    fp32_pointers_end_on_the_same_slots => fp32_pointers;
}
