//! The hand-written gradients against central differences in fp64.

#[macro_use]
#[path = "support/devices.rs"]
mod devices;
#[path = "support/reference.rs"]
mod reference;

use candle_core::{DType, Device, Tensor};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reference::{Frozen, Params, Sizes, loss};
use vram_presets::{AntSpec, ColonySpec, Precision, PtrDtype, WorkloadSpec};
use vram_workload::{Backend, Batch, Gradients, LossScale, Model, Shape};

/// Entries of each parameter that are differenced: all of the small ones, a sample of the rest.
const PROBED: usize = 24;

fn values(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn check<B: Backend>(backend: &B, sizes: &Sizes) {
    let ant = AntSpec {
        ring_len: sizes.ring as u64,
        slot_dim: sizes.width as u64,
        ptr_dtype: PtrDtype::Fp64,
        precision: Precision::Fp32,
    };
    let colony = ColonySpec {
        seq_len: sizes.tokens as u64,
        synth_len: sizes.tokens as u64,
        batch_size: sizes.batch as u64,
        ptr_update_every: sizes.update_every as u64,
        state_loop_samples: 0,
    };
    let spec = WorkloadSpec::new(ant, colony);
    let shape = Shape::new(&spec, sizes.experts as u64, false).unwrap();
    let mut rng = StdRng::seed_from_u64(7);
    let mut model = Model::new(shape.clone(), &mut rng, backend).unwrap();

    let x: Vec<f32> =
        (0..sizes.batch * sizes.tokens).map(|_| rng.random_range(-1.5..1.5)).collect();
    let labels: Vec<usize> = (0..sizes.batch).map(|_| rng.random_range(0..256)).collect();
    let starts: Vec<f64> = (0..sizes.batch).map(|_| rng.random()).collect();
    let tensor = Tensor::from_slice(&x, (sizes.batch, sizes.tokens, 1), &Device::Cpu).unwrap();
    let y: Vec<i64> = labels.iter().map(|&l| l as i64).collect();
    let y = Tensor::from_vec(y, sizes.batch, &Device::Cpu).unwrap();
    let batch = Batch::new(&shape, &tensor, &y, backend).unwrap();
    let forward = model.forward(&batch, &starts).unwrap();

    let mut params: Params =
        model.parameters().unwrap().into_iter().map(|(name, t)| (name, values(&t))).collect();
    let x: Vec<f64> = x.into_iter().map(f64::from).collect();
    let mut frozen = Frozen::default();
    let mut at = |params: &Params| loss(sizes, params, (&x, &labels, &starts), &mut frozen);
    let base = at(&params);
    let loss = f64::from(forward.loss().unwrap());
    assert!((base - loss).abs() < 1e-5, "{base} {loss}");

    let mut grads = Gradients::new(&model).unwrap();
    let scale = LossScale::new(&model).unwrap();
    model.backward(&batch, forward, &mut grads, &scale, &mut |_| ()).unwrap();
    for (name, grad) in grads.named(&model).unwrap() {
        let grad = values(&grad);
        let largest = grad.iter().fold(0.0, |a: f64, g| a.max(g.abs()));
        let stride = grad.len().div_ceil(PROBED);
        for i in (0..grad.len()).step_by(stride) {
            let mut nudged = |by: f64| {
                let saved = params[&name][i];
                params.get_mut(&name).unwrap()[i] = saved + by;
                let value = at(&params);
                params.get_mut(&name).unwrap()[i] = saved;
                value
            };
            let step = 1e-5;
            let slope = (nudged(step) - nudged(-step)) / (2.0 * step);
            // fp32 keeps some 1e-7 of the largest entry through a few hundred sums; fp64's
            // differences are good to 1e-10.
            let allowed = 2e-4 * largest + 1e-7;
            assert!(
                (grad[i] - slope).abs() <= allowed,
                "{name}[{i}]: backward {}, differences {slope}, allowed {allowed:e}",
                grad[i]
            );
        }
    }
}

const TINY: Sizes = Sizes { batch: 2, tokens: 6, ring: 12, width: 9, experts: 1, update_every: 1 };

test_devices! {
    a_tiny_model => |b| check(b, &TINY);
    pointers_held_between_updates =>
        |b| check(b, &Sizes { tokens: 7, ring: 10, width: 8, update_every: 3, ..TINY });
    experts_get_only_their_samples =>
        |b| check(b, &Sizes { batch: 3, tokens: 5, ring: 16, width: 8, experts: 3, ..TINY });
    // Five taps on three slots: the same slot is read and written more than once, and the sensory
    // delay of one token feeds every state back.
    a_ring_shorter_than_its_neighbourhood => |b| check(b, &Sizes { ring: 3, width: 8, ..TINY });
    a_single_token => |b| check(b, &Sizes { batch: 1, tokens: 1, ring: 8, width: 8, ..TINY });
    // More samples and columns than one block of any kernel takes, neither a multiple of it.
    sizes_that_divide_nothing =>
        |b| check(b, &Sizes { batch: 19, tokens: 4, ring: 37, width: 71, ..TINY });
}
