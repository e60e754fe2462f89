//! The original model's outputs, gradients and weights after three Adam steps, reproduced.
//!
//! `OD1_PARITY_DIR` names another directory of fixtures.

#[macro_use]
#[path = "support/devices.rs"]
mod devices;
mod support;

use std::io::{self, Write};

use support::{Fixture, distance, values};
use vram_presets::{Precision, PtrDtype};
use vram_workload::{Adam, Backend, Gradients, LossScale};

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

fn check<B: Backend>(backend: &B, fixture: &Fixture) -> usize {
    let mut seen = Comparison { fixture: &fixture.name, compared: 0 };
    let (mut model, batch) = fixture.model(backend, Precision::Fp32, PtrDtype::Fp64);
    let mut grads = Gradients::new(&model).unwrap();
    let mut adam = Adam::new(&model, fixture.learning_rate()).unwrap();
    let mut scale = LossScale::new(&model).unwrap();
    for step in 0..fixture.number("steps") {
        let want = |name: &str| values(fixture.tensor(&format!("step{step}.{name}")));
        let forward = model.forward(&batch, &fixture.starts(step)).unwrap();
        let logits = values(&forward.logits().unwrap());
        seen.relative("logits", &logits, &want("logits"), 1e-3);
        seen.absolute("loss", &[f64::from(forward.loss().unwrap())], &want("loss"), 1e-4);
        seen.relative(
            "move_penalty",
            &[forward.move_penalty().unwrap()],
            &want("move_penalty"),
            1e-4,
        );
        let slots: Vec<f64> = forward.ptr_int().unwrap().into_iter().map(f64::from).collect();
        seen.absolute("ptr_int", &slots, &want("ptr_int"), 0.0);

        model.backward(&batch, forward, &mut grads, &scale, &mut |_| ()).unwrap();
        if step == 0 {
            let got = grads.named(&model).unwrap();
            for (name, want) in fixture.with_prefix("step0.grad.") {
                let value = got.iter().find(|(n, _)| n == name).map(|(_, t)| values(t));
                let want = values(want);
                // The original reports zeros where a parameter had no gradient.
                let value = value.unwrap_or_else(|| vec![0.0; want.len()]);
                seen.relative(&format!("gradient of {name}"), &value, &want, 1e-3);
            }
        }
        adam.step(&mut model, &mut grads, &mut scale).unwrap();
    }
    let got = model.parameters().unwrap();
    let finals = fixture.with_prefix("final.");
    assert_eq!(finals.len(), got.len());
    let tolerance = if fixture.name.ends_with("_a") { 1e-4 } else { 5e-4 };
    for (name, want) in finals {
        let (_, value) = got.iter().find(|(n, _)| n == name).unwrap();
        seen.absolute(&format!("final {name}"), &values(value), &values(want), tolerance);
    }
    seen.compared
}

#[expect(clippy::explicit_write, reason = "the test harness keeps what `println!` says")]
fn every_fixture<B: Backend>(backend: &B) {
    for fixture in Fixture::all() {
        let compared = check(backend, &fixture);
        // Past the test harness, which shows what a passing test prints only when asked.
        writeln!(io::stdout(), "{}: {compared} tensors compared", fixture.name).unwrap();
    }
}

/// Half precision computes in half precision: close to fp32, and not equal to it.
fn half<B: Backend>(backend: &B, precision: Precision, tolerance: f64) {
    let fixture = Fixture::named("od1_parity_a");
    let run = |precision| {
        let (mut model, batch) = fixture.model(backend, precision, PtrDtype::Fp64);
        let forward = model.forward(&batch, &fixture.starts(0)).unwrap();
        (values(&forward.logits().unwrap()), forward.ptr_int().unwrap())
    };
    let (single, slots) = run(Precision::Fp32);
    let (logits, half_slots) = run(precision);
    assert_eq!(half_slots, slots);
    let (worst, _) = distance(&logits, &single);
    assert!(worst <= tolerance, "{precision}: logits differ by {worst:e}");
    assert!(worst >= 1e-5, "{precision} computes in fp32: logits differ by {worst:e}");
}

/// Single-precision pointers take the same way: a slot at tokens' end, and logits near.
fn fp32_pointers<B: Backend>(backend: &B) {
    let fixture = Fixture::named("od1_parity_a");
    let (mut model, batch) = fixture.model(backend, Precision::Fp32, PtrDtype::Fp32);
    let forward = model.forward(&batch, &fixture.starts(0)).unwrap();
    let slots: Vec<f64> = forward.ptr_int().unwrap().into_iter().map(f64::from).collect();
    assert_eq!(slots, values(fixture.tensor("step0.ptr_int")));
    let want = values(fixture.tensor("step0.logits"));
    let (worst, largest) = distance(&values(&forward.logits().unwrap()), &want);
    assert!(worst <= 1e-3 * largest && worst > 0.0, "{worst:e}");
}

test_devices! {
    every_fixture_is_reproduced_in_fp32 => every_fixture;
    fp16_is_near_fp32_and_not_equal => |b| half(b, Precision::Fp16, 1e-2);
    bf16_is_near_fp32_and_not_equal => |b| half(b, Precision::Bf16, 5e-2);
    fp32_pointers_end_on_the_same_slots => fp32_pointers;
}
