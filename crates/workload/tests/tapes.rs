//! Both tapes give the same step, to the bit.

#[macro_use]
#[path = "support/devices.rs"]
mod devices;
mod support;

use candle_core::Device;
use candle_nn::Optimizer;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use support::fixture::Fixture;
use support::{Case, Inputs, PRECISIONS, SMALL, bits, weight_bits};
use vram_presets::spec::PtrDtype;
use vram_presets::tape::TapeKind;
use vram_workload::model::od1::Od1;
use vram_workload::step::adam::Adam;
use vram_workload::step::fused::FusedStep;
use vram_workload::step::loss_scale::LossScale;

/// All that three steps with Adam come to: pointers and hidden states of every token, results,
/// gradients, weights.
fn trained((model, inputs): (Od1, Inputs)) -> Vec<Vec<u64>> {
    let batch = inputs.batch(&model);
    let mut step = FusedStep::new(&model).unwrap();
    let mut scale = LossScale::new(model.shape(), model.device()).unwrap();
    let mut adam = Adam::new(model.vars().unwrap(), 1e-3).unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let forward = step.forward(&batch, &inputs.starts).unwrap();
        for t in 0..model.shape().synth_len {
            let pointers = forward.pointers(t).unwrap().into_iter();
            seen.push(pointers.map(f64::to_bits).collect());
            let hidden = forward.hidden(t).unwrap().into_iter();
            seen.push(hidden.map(|h| u64::from(h.to_bits())).collect());
        }
        let got = step.backward(&batch, forward, &mut scale, &mut |_| ()).unwrap();
        let results = [&got.loss, &got.logits, &got.move_penalty, &got.ptr_int];
        seen.extend(results.map(bits));
        let gradients = model.named().filter_map(|(_, t)| got.gradients.store.get(t));
        seen.extend(gradients.map(bits));
        adam.step_where(&got.gradients.store, Some(&got.gradients.flags)).unwrap();
    }
    seen.extend(weight_bits(&model));
    seen
}

fn same(case: &Case, with: impl Fn(&Case) -> (Od1, Inputs)) {
    let [full, rows] =
        [TapeKind::Full, TapeKind::Rows].map(|tape| trained(with(&Case { tape, ..*case })));
    assert!(full == rows, "{case:?}: the tapes differ");
}

fn fixtures(device: &Device) {
    for name in ["od1_parity_a", "od1_parity_c"] {
        let fixture = Fixture::named(name);
        for precision in PRECISIONS {
            for pointer in [PtrDtype::Fp64, PtrDtype::Fp32] {
                let case = fixture.case(precision, pointer);
                same(&case, |case| fixture.model_of(case, device));
            }
        }
    }
}

/// 50 shapes: every third in each precision, rings of one to five slots twice over and longer ones,
/// widths that four divides and others, fewer tokens than states are written at once and more.
fn random_shapes(device: &Device) {
    for seed in 0..50 {
        let mut rng = StdRng::seed_from_u64(seed);
        let case = Case {
            batch: rng.random_range(1..=8),
            tokens: rng.random_range(1..=28),
            ring: if seed < 10 { seed as usize % 5 + 1 } else { rng.random_range(6..=80) },
            width: if seed % 2 == 0 {
                4 * rng.random_range(2..=18)
            } else {
                rng.random_range(8..=72)
            },
            heads: rng.random_range(1..=4),
            update_every: rng.random_range(1..=2),
            precision: PRECISIONS[seed as usize % 3],
            pointer: if seed % 4 == 3 { PtrDtype::Fp32 } else { PtrDtype::Fp64 },
            seed,
            ..SMALL
        };
        same(&case, |case| (case.model(device), case.inputs(device)));
    }
}

test_devices! {
    fixtures_are_equal_to_the_bit => fixtures;
    random_shapes_are_equal_to_the_bit => random_shapes;
}
