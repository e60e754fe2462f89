//! What a caller can get wrong: each is a typed error that names the tensor and what was expected.

#[macro_use]
#[path = "support/devices.rs"]
mod devices;
mod support;

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use support::{Case, Inputs, SMALL, weight_bits};
use vram_presets::spec::{Precision, PtrDtype};
use vram_presets::step::StepKind;
use vram_workload::error::WorkloadError;
use vram_workload::model::od1::Od1;
use vram_workload::shape::Shape;
use vram_workload::step::batch::Batch;
use vram_workload::step::fused::FusedStep;
use vram_workload::step::loss_scale::LossScale;
use vram_workload::step::plain::gradients as plain_gradients;

/// The error's tensor, what was expected and what was found.
fn parts(error: WorkloadError) -> (String, String, String) {
    let said = error.to_string();
    let WorkloadError::Tensor { name, expected, found } = error else { panic!("{said}") };
    assert_eq!(said, format!("tensor {name}: expected {expected}, found {found}"));
    (name, expected, found)
}

fn tensors(device: &Device) -> HashMap<String, Tensor> {
    let weights = SMALL.weights(device);
    let vars = weights.data().lock().unwrap();
    vars.iter().map(|(name, var)| (name.clone(), var.as_detached_tensor())).collect()
}

/// A model of the tensors of a file, one of them changed.
fn model(
    device: &Device,
    dtype: DType,
    change: impl FnOnce(&mut HashMap<String, Tensor>),
) -> Result<Od1, WorkloadError> {
    let mut tensors = tensors(device);
    change(&mut tensors);
    Od1::new(SMALL.shape(), VarBuilder::from_tensors(tensors, dtype, device))
}

fn weights(device: &Device) {
    assert!(model(device, DType::F32, |_| ()).is_ok());
    for name in ["theta_ptr_reduced", "context_logit", "gru.weight_ih", "head.single.bias"] {
        let missing = model(device, DType::F32, |t| drop(t.remove(name)));
        let (tensor, expected, _) = parts(missing.unwrap_err());
        assert_eq!(tensor, name);
        assert!(expected.starts_with("a tensor of shape ["), "{expected}");

        let misnamed = model(device, DType::F32, |t| {
            let tensor = t.remove(name).unwrap();
            t.insert(format!("{name}_l0"), tensor);
        });
        assert_eq!(parts(misnamed.unwrap_err()).0, name);

        let misshapen = model(device, DType::F32, |t| {
            let tensor = Tensor::zeros((2, 3, 5), DType::F32, device).unwrap();
            t.insert(name.to_owned(), tensor);
        });
        let (tensor, expected, found) = parts(misshapen.unwrap_err());
        assert_eq!(tensor, name);
        assert!(expected.starts_with("a tensor of shape ["), "{expected}");
        assert!(found.contains("[2, 3, 5]"), "{found}");
    }
    let other = model(device, DType::F64, |_| ()).unwrap_err();
    assert_eq!(parts(other), ("theta_ptr_reduced".into(), "f32".into(), "f64".into()));

    // As a variable, nothing casts it.
    let half = SMALL.weights(device);
    let var = Var::zeros(SMALL.width, DType::F16, device).unwrap();
    half.data().lock().unwrap().insert("sensory_bridge.bias".to_owned(), var);
    let vb = VarBuilder::from_varmap(&half, DType::F32, device);
    let error = Od1::new(SMALL.shape(), vb).unwrap_err();
    assert_eq!(parts(error), ("sensory_bridge.bias".into(), "f32".into(), "f16".into()));

    // An expert's heads are asked for by their own names.
    let experts = Case { heads: 2, ..SMALL }.shape();
    let vb = VarBuilder::from_tensors(tensors(device), DType::F32, device);
    assert_eq!(parts(Od1::new(experts, vb).unwrap_err()).0, "head.experts.0.weight");
}

/// What is no variable can be computed with, but not trained.
fn no_variables(device: &Device) {
    let fixed = model(device, DType::F32, |_| ()).unwrap();
    assert!(fixed.forward(&SMALL.inputs(device).x, &SMALL.inputs(device).starts).is_ok());
    let (name, expected, found) = parts(fixed.vars().unwrap_err());
    assert_eq!(name, "theta_ptr_reduced");
    assert!(expected.contains("variable") && found.contains("optimizer"), "{expected}, {found}");
}

/// What a step of `kind` says of inputs; it must not have changed or marked anything.
fn refused(kind: StepKind, device: &Device, change: impl FnOnce(&mut Inputs)) -> WorkloadError {
    let model = SMALL.model(device);
    let before = weight_bits(&model);
    let mut inputs = SMALL.inputs(device);
    change(&mut inputs);
    let mark = &mut |phase| panic!("{phase} was reached");
    let step = |batch: Batch| match kind {
        StepKind::Fused => {
            let mut scale = LossScale::new(model.shape(), device)?;
            FusedStep::new(&model)?.run(&batch, &inputs.starts, &mut scale, mark).map(drop)
        }
        StepKind::Plain => plain_gradients(&model, &batch, &inputs.starts, None, mark).map(drop),
    };
    let batch = Batch::new(model.shape(), &inputs.x, &inputs.y);
    let error = batch.and_then(step).unwrap_err();
    assert_eq!(weight_bits(&model), before);
    error
}

fn inputs(kind: StepKind, device: &Device) {
    let zeros = |dims: &[usize], dtype| Tensor::zeros(dims, dtype, device).unwrap();
    let said = |change: &dyn Fn(&mut Inputs)| parts(refused(kind, device, change));
    let three = |name: &str, expected: &str, found: &str| {
        (name.to_owned(), expected.to_owned(), found.to_owned())
    };
    let short = said(&|i| i.x = zeros(&[3, 6, 1], DType::F32));
    assert_eq!(short, three("x", "shape [3, 7, 1]", "shape [3, 6, 1]"));
    let wide = said(&|i| i.x = zeros(&[3, 7, 1], DType::F64));
    assert_eq!(wide, three("x", "f32", "f64"));
    let few = said(&|i| i.y = zeros(&[2], DType::U32));
    assert_eq!(few, three("y", "shape [3]", "shape [2]"));
    let signed = said(&|i| i.y = zeros(&[3], DType::I64));
    assert_eq!(signed, three("y", "u32", "i64"));
    let label = said(&|i| i.y = Tensor::new(&[0u32, 255, 256], device).unwrap());
    assert_eq!(label, three("y", "classes 0..256", "256"));
    let starts = said(&|i| i.starts = zeros(&[3, 1], DType::F64));
    assert_eq!(starts, three("starts", "shape [3]", "shape [3, 1]"));
    let single = said(&|i| i.starts = zeros(&[3], DType::F32));
    assert_eq!(single, three("starts", "f64", "f32"));
}

/// A batch of one shape, a model of another.
fn another_models_batch(kind: StepKind, device: &Device) {
    let other = Case { batch: 2, ..SMALL };
    let batch = other.inputs(device).batch(&other.model(device));
    let model = SMALL.model(device);
    let starts = SMALL.inputs(device).starts;
    let error = match kind {
        StepKind::Fused => {
            let mut step = FusedStep::new(&model).unwrap();
            step.forward(&batch, &starts).map(drop).unwrap_err()
        }
        StepKind::Plain => {
            plain_gradients(&model, &batch, &starts, None, &mut |_| ()).map(drop).unwrap_err()
        }
    };
    assert_eq!(parts(error).0, "x");
}

fn forward_names_its_input(device: &Device) {
    let model = SMALL.model(device);
    let inputs = SMALL.inputs(device);
    let short = Tensor::zeros((3, 6, 1), DType::F32, device).unwrap();
    let error = model.forward(&short, &inputs.starts).unwrap_err().to_string();
    assert!(error.contains("tensor x: expected shape [3, 7, 1], found shape [3, 6, 1]"), "{error}");
    let single = inputs.starts.to_dtype(DType::F32).unwrap();
    let error = model.forward(&inputs.x, &single).unwrap_err().to_string();
    assert!(error.contains("tensor starts: expected f64, found f32"), "{error}");
}

fn the_scale_of_a_plain_step(device: &Device) {
    let model = SMALL.model(device);
    let inputs = SMALL.inputs(device);
    let pair = Tensor::new(&[1f32, 2.0], device).unwrap();
    let batch = inputs.batch(&model);
    let error = plain_gradients(&model, &batch, &inputs.starts, Some(&pair), &mut |_| ());
    assert_eq!(parts(error.unwrap_err()).0, "scale");
}

/// A tape of `tokens * ring * 512` bytes is refused before anything of the step is run.
fn a_tape_that_does_not_fit(kind: StepKind, device: &Device, tokens: usize, ring: usize) {
    let case = Case { batch: 16, tokens, ring, width: 8, ..SMALL };
    let model = case.model(device);
    let inputs = case.inputs(device);
    let batch = inputs.batch(&model);
    let mark = &mut |phase| panic!("{phase} was reached");
    let error = match kind {
        StepKind::Fused => {
            let mut scale = LossScale::new(model.shape(), device).unwrap();
            let mut step = FusedStep::new(&model).unwrap();
            step.run(&batch, &inputs.starts, &mut scale, mark).map(drop).unwrap_err()
        }
        StepKind::Plain => {
            plain_gradients(&model, &batch, &inputs.starts, None, mark).map(drop).unwrap_err()
        }
    };
    let said = error.to_string();
    let WorkloadError::OutOfMemory { what, bytes } = error else { panic!("{said}") };
    assert!(what.contains("ring tape"), "{said}");
    assert_eq!(bytes, (tokens * ring * 512) as u64);
}

#[test]
fn half_precision_pointers_cannot_address_a_ring() {
    for pointer in [PtrDtype::Fp16, PtrDtype::Bf16] {
        let error = Shape::new(&Case { pointer, ..SMALL }.spec(), 1, false).unwrap_err();
        assert!(matches!(error, WorkloadError::PointerNotRunnable(p) if p == pointer));
        assert!(error.to_string().contains("use fp64 or fp32"), "{error}");
    }
    let fp64 = Case { precision: Precision::Fp64, ..SMALL };
    let error = Shape::new(&fp64.spec(), 1, false).unwrap_err();
    assert!(matches!(error, WorkloadError::PrecisionNotRunnable(Precision::Fp64)));
}

test_devices! {
    on_any_card;
    weights_of_a_file => weights;
    tensors_that_are_no_variables => no_variables;
    forward => forward_names_its_input;
    a_scale_that_is_no_scalar => the_scale_of_a_plain_step;
}

test_steps! {
    on_any_card;
    inputs_of_a_step => inputs;
    a_batch_of_another_shape => another_models_batch;
}

/// 562 TB are more than an address space has; anything less a host may promise.
#[test]
fn a_tape_beyond_the_address_space() {
    for &kind in StepKind::ALL {
        a_tape_that_does_not_fit(kind, &Device::Cpu, 1 << 20, 1 << 20);
    }
}

#[cfg(feature = "cuda")]
mod on_any_card {
    use super::*;

    /// 275 GB.
    #[test]
    #[ignore = "needs a card, real or virtual"]
    fn a_tape_beyond_the_cards_memory() {
        let device = Device::new_cuda_with_stream(0).unwrap();
        a_tape_that_does_not_fit(StepKind::Fused, &device, 1 << 15, 1 << 14);
    }

    #[test]
    #[ignore = "needs a card, real or virtual"]
    fn a_stream_of_each_threads_own_is_refused() {
        let device = Device::new_cuda(0).unwrap();
        let model = SMALL.model(&device);
        let error = FusedStep::new(&model).unwrap_err();
        assert!(matches!(error, WorkloadError::PerThreadStream), "{error}");
        assert!(error.to_string().contains("new_cuda_with_stream"));
    }

    #[test]
    #[ignore = "needs a card, real or virtual"]
    fn a_tensor_elsewhere_is_named() {
        let card = Device::new_cuda_with_stream(0).unwrap();
        let elsewhere = [Device::Cpu, Device::new_cuda_with_stream(0).unwrap()];
        for device in elsewhere {
            for &kind in StepKind::ALL {
                let there = || SMALL.inputs(&device);
                let x = refused(kind, &card, |i| (i.x, i.y) = (there().x, there().y));
                assert_eq!(parts(x).0, "x");
                let y = refused(kind, &card, |i| i.y = there().y);
                assert_eq!(parts(y).0, "y");
                let starts = refused(kind, &card, |i| i.starts = there().starts);
                let (name, expected, found) = parts(starts);
                assert_eq!(name, "starts");
                assert_ne!(expected, found);
            }
        }
        // A weight that is on the host: a builder of the card's would copy it there.
        let weights = SMALL.weights(&Device::Cpu);
        let vb = VarBuilder::from_varmap(&weights, DType::F32, &card);
        let (name, expected, found) = parts(Od1::new(SMALL.shape(), vb).unwrap_err());
        assert_eq!(name, "theta_ptr_reduced");
        assert!(expected.contains("Cuda") && found.contains("Cpu"), "{expected}, {found}");
    }
}
