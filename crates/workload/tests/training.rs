//! Training as a program does it: again, later, and from another thread.

#[macro_use]
#[path = "support/devices.rs"]
mod devices;
mod support;

use candle_core::{DType, Device, Tensor};
use candle_nn::{Optimizer, SGD, VarBuilder, VarMap};
use support::fixture::Fixture;
use support::{Case, PRECISIONS, SMALL, Step, bits, distance, take, values, weight_bits};
use vram_presets::spec::{Precision, PtrDtype};
use vram_presets::step::StepKind;
use vram_workload::model::od1::Od1;
use vram_workload::step::adam::Adam;
use vram_workload::step::plain::gradients as plain_gradients;
use vram_workload::step::trainer::Trainer;

const REAL: Case = Case { batch: 4, tokens: 16, ring: 32, width: 24, watched: 2, ..SMALL };

/// Two steps of Adam: what each gave, and the weights after them, to the bit.
fn train(kind: StepKind, model: &Od1, case: &Case) -> Vec<Vec<Option<Vec<u64>>>> {
    let inputs = case.inputs(model.device());
    let batch = inputs.batch(model);
    let mut step = Step::new(kind, model);
    let mut adam = Adam::new(model.vars().unwrap(), 1e-3).unwrap();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let got = step.take(&batch, &inputs.starts);
        adam.step_where(&got.grads, Some(&got.flags)).unwrap();
        seen.push(got.bits(model));
    }
    seen.push(weight_bits(model).into_iter().map(Some).collect());
    seen
}

/// The same seed gives the same bits, in every precision and with both pointers.
fn a_seed_repeats(kind: StepKind, device: &Device) {
    for precision in PRECISIONS {
        for (heads, pointer) in [(1, PtrDtype::Fp64), (3, PtrDtype::Fp32)] {
            let case = Case { precision, heads, pointer, ..REAL };
            let run = || train(kind, &case.model(device), &case);
            let first = run();
            assert_eq!(first, run(), "{case:?}");
            let other = Case { seed: case.seed + 1, ..case };
            assert_ne!(first, train(kind, &other.model(device), &other));
        }
    }
}

/// A trainer of a seed repeats its outcomes, whatever ran before it.
fn a_trainer_repeats(kind: StepKind, device: &Device) {
    let case = Case { precision: Precision::Fp16, heads: 2, ..REAL };
    let run = || {
        let mut trainer = Trainer::new(case.shape(), kind, 5, device, &mut |_| ()).unwrap();
        let mut outcomes = Vec::new();
        for _ in 0..3 {
            trainer.step(&mut |_| ()).unwrap();
            let outcome = trainer.outcome().unwrap().unwrap();
            outcomes.push((outcome.loss.to_bits(), outcome.move_penalty.to_bits()));
        }
        (outcomes, trainer.state_loop().unwrap(), weight_bits(trainer.model()))
    };
    assert_eq!(run(), run());
}

/// A step from a second thread gives the bits of one from the first, and so does one whose memory
/// the first thread had before.
fn a_second_thread_steps(kind: StepKind, device: &Device) {
    for precision in PRECISIONS {
        let case = Case { precision, heads: 2, ..REAL };
        let here = train(kind, &case.model(device), &case);
        let model = case.model(device);
        let there = || std::thread::scope(|s| s.spawn(|| train(kind, &model, &case)).join());
        assert_eq!(there().unwrap(), here, "{precision}");

        // A model that both threads step in turn, without a wait in between.
        let in_turn = |second: bool| {
            let model = case.model(device);
            let inputs = case.inputs(device);
            let batch = inputs.batch(&model);
            let mut step = Step::new(kind, &model);
            let mut sgd = SGD::new(model.vars().unwrap(), 0.05).unwrap();
            for turn in 0..6 {
                let mut one = || {
                    let got = step.take(&batch, &inputs.starts);
                    sgd.step(&got.grads).unwrap();
                };
                if second && turn % 2 == 1 {
                    std::thread::scope(|s| s.spawn(&mut one).join()).unwrap();
                } else {
                    one();
                }
            }
            weight_bits(&model)
        };
        assert_eq!(in_turn(true), in_turn(false), "{precision}");
    }
}

/// What one program saves, another trains on, under the names of the original model.
fn a_saved_file_trains_on(kind: StepKind, device: &Device) {
    let fixture =
        Fixture::named(if kind == StepKind::Fused { "od1_parity_a" } else { "od1_parity_c" });
    let case = fixture.case(Precision::Fp32, PtrDtype::Fp64);
    let weights = case.weights(device);
    let model = case.model_of(&weights, device);
    let before = train(kind, &model, &case);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("od1.safetensors");
    weights.save(&file).unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let saved = ::safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = saved.names();
    names.sort_unstable();
    let original: Vec<&str> = fixture.with_prefix("param.").into_iter().map(|(n, _)| n).collect();
    assert_eq!(names, original);

    // Another map, another seed: what it held before is gone.
    let mut loaded = Case { seed: 99, ..case }.weights(device);
    let elsewhere = case.model_of(&loaded, device);
    assert_ne!(weight_bits(&elsewhere), weight_bits(&model));
    loaded.load(&file).unwrap();
    assert_eq!(weight_bits(&elsewhere), weight_bits(&model));
    let on = train(kind, &model, &case);
    assert_ne!(on, before);
    assert_eq!(train(kind, &elsewhere, &case), on);

    // A map that has nothing yet, filled by the model's own requests.
    let mut empty = VarMap::new();
    let vb = VarBuilder::from_varmap(&empty, DType::F32, device);
    let fresh = Od1::new(case.shape(), vb).unwrap();
    empty.load(&file).unwrap();
    assert_eq!(train(kind, &fresh, &case), on);
}

/// A loss scale leaves the plain step's gradients as they are, and the loss: in fp32 to the bit, for
/// it is a power of two.
fn loss_scale(device: &Device) {
    for (precision, tolerance) in [(Precision::Fp32, 0.0), (Precision::Fp16, 2e-2)] {
        let case = Case { precision, ..REAL };
        let model = case.model(device);
        let inputs = case.inputs(device);
        let scale = Tensor::new(256f32, device).unwrap();
        let run = |scale: Option<&Tensor>| {
            let batch = inputs.batch(&model);
            plain_gradients(&model, &batch, &inputs.starts, scale, &mut |_| ()).unwrap()
        };
        let (bare, scaled) = (run(None), run(Some(&scale)));
        assert_eq!(bits(&bare.loss), bits(&scaled.loss));
        for (name, tensor) in model.named() {
            let (Some(a), Some(b)) = (bare.grads.get(tensor), scaled.grads.get(tensor)) else {
                assert!(name.starts_with("input_proj"), "{name} has no gradient");
                continue;
            };
            let (worst, largest) = distance(&values(b), &values(a));
            assert!(worst <= tolerance * largest, "{name}: {worst:e} of {largest:e}");
        }
    }
}

/// A scale beyond fp16's numbers overflows, and the plain step's flags say how.
fn overflow(device: &Device) {
    let flags = |precision, scale: f32| {
        let case = Case { precision, ..SMALL };
        let model = case.model(device);
        let inputs = case.inputs(device);
        let scale = Tensor::new(scale, device).unwrap();
        let batch = inputs.batch(&model);
        let got =
            plain_gradients(&model, &batch, &inputs.starts, Some(&scale), &mut |_| ()).unwrap();
        let (mut nan, mut infinite) = (false, false);
        for grad in model.named().filter_map(|(_, t)| got.grads.get(t)).map(values) {
            nan |= grad.iter().any(|g| g.is_nan());
            infinite |= grad.iter().any(|g| g.is_infinite());
        }
        let found = got.non_finite.to_vec1::<u32>().unwrap();
        assert_eq!(found, [u32::from(nan), u32::from(infinite)], "{precision} {scale}");
        nan || infinite
    };
    assert!(!flags(Precision::Fp32, 65536.0));
    assert!(!flags(Precision::Fp16, 1024.0));
    assert!(flags(Precision::Fp16, 1e9));
    assert!(flags(Precision::Fp32, f32::INFINITY));
}

/// Nothing but the model's parameters is in the store, and nothing in it holds the graph.
fn only_parameters_have_gradients(kind: StepKind, device: &Device) {
    let model = SMALL.model(device);
    let got = take(kind, &model, &SMALL.inputs(device));
    let known: Vec<_> = model.named().map(|(_, t)| t.id()).collect();
    let ids: Vec<_> = got.grads.get_ids().copied().collect();
    assert!(ids.iter().all(|id| known.contains(id)));
    // All but input_proj's weight and bias.
    assert_eq!(ids.len(), known.len() - 2);
    assert!(ids.iter().all(|id| !got.grads.get_id(*id).unwrap().track_op()));
    for result in [&got.loss, &got.logits, &got.move_penalty, &got.ptr_int] {
        assert!(!result.track_op());
        assert!(result.device().same_device(device));
    }
}

/// A long step on a thread with the stack that a program's threads have.
fn many_tokens(kind: StepKind, device: &Device) {
    let case = Case { batch: 1, tokens: 256, ring: 16, width: 8, watched: 1, ..SMALL };
    let got = take(kind, &case.model(device), &case.inputs(device));
    assert!(values(&got.loss)[0].is_finite());
    assert_eq!(values(&got.flags.non_finite), [0.0, 0.0]);
}

/// candle's own optimizer takes either step's store, and so does the crate's by itself.
fn any_optimizer_trains(kind: StepKind, device: &Device) {
    fn losses<O: Optimizer>(kind: StepKind, case: &Case, device: &Device, config: O::Config) {
        let model = case.model(device);
        let inputs = case.inputs(device);
        let batch = inputs.batch(&model);
        let mut step = Step::new(kind, &model);
        let mut optimizer = O::new(model.vars().unwrap(), config).unwrap();
        let mut losses = Vec::new();
        for _ in 0..5 {
            let got = step.take(&batch, &inputs.starts);
            optimizer.step(&got.grads).unwrap();
            losses.push(values(&got.loss)[0]);
        }
        assert!(losses[4] < losses[0], "{case:?}: {losses:?}");
    }
    for precision in PRECISIONS {
        let case = Case { precision, ..REAL };
        losses::<SGD>(kind, &case, device, 0.02);
        losses::<Adam>(kind, &case, device, 1e-3);
        losses::<candle_nn::AdamW>(kind, &case, device, candle_nn::ParamsAdamW::default());
    }
}

test_steps! {
    two_runs_are_equal => a_seed_repeats;
    two_trainers_are_equal => a_trainer_repeats;
    a_step_from_a_second_thread => a_second_thread_steps;
    a_file_that_was_saved => a_saved_file_trains_on;
    the_store_holds_parameters_alone => only_parameters_have_gradients;
    a_step_of_256_tokens => many_tokens;
    optimizers_of_candle => any_optimizer_trains;
}

test_devices! {
    a_scale_cancels => loss_scale;
    an_overflow_is_flagged => overflow;
}
