//! The gradients of both steps against central differences in fp64.

#[macro_use]
#[path = "support/devices.rs"]
mod devices;
#[path = "support/reference.rs"]
mod reference;
mod support;

use candle_core::Device;
use reference::{Frozen, Params, Sizes, loss};
use support::{Case, SMALL, take, values};
use vram_presets::step::StepKind;

/// Entries of each parameter that are differenced: all of the small ones, a sample of the rest.
const PROBED: usize = 24;

fn check(kind: StepKind, device: &Device, case: &Case) {
    let model = case.model(device);
    let inputs = case.inputs(device);
    let got = take(kind, &model, &inputs);

    let sizes = Sizes::from(case);
    let labels: Vec<usize> = values(&inputs.y).into_iter().map(|y| y as usize).collect();
    let (x, starts) = (values(&inputs.x), values(&inputs.starts));
    let mut params: Params = model.named().map(|(n, t)| (n.to_owned(), values(t))).collect();
    let mut frozen = Frozen::default();
    let mut at = |params: &Params| loss(&sizes, params, (&x, &labels, &starts), &mut frozen);
    let base = at(&params);
    let found = values(&got.loss)[0];
    assert!((base - found).abs() < 1e-5, "{base} {found}");

    let slots: Vec<usize> = values(&got.ptr_int).into_iter().map(|s| s as usize).collect();
    let reached: Vec<bool> =
        (0..case.heads).map(|head| slots.iter().any(|slot| slot % case.heads == head)).collect();
    if let Some(flags) = &got.flags.reached {
        for ((name, _), flag) in model.named().zip(values(flags)) {
            let expected = match head_of(name) {
                Some(head) => reached[head],
                None => !name.starts_with("input_proj"),
            };
            assert_eq!(flag != 0.0, expected, "{name}");
        }
    }
    let mut compared = 0;
    for (name, tensor) in model.named() {
        let grad = got.grads.get(tensor);
        if name.starts_with("input_proj") {
            assert!(grad.is_none());
        }
        // The fused step's are zeros and a flag.
        if let (StepKind::Plain, Some(head)) = (kind, head_of(name)) {
            assert_eq!(grad.is_some(), reached[head], "{name}");
        }
        // What is absent has no influence: the differences say so.
        let grad = grad.cloned().unwrap_or_else(|| tensor.zeros_like().unwrap());
        assert_eq!(grad.dims(), tensor.dims(), "{name}");
        let grad = values(&grad);
        compared += 1;
        let largest = grad.iter().fold(0.0, |a: f64, g| a.max(g.abs()));
        let stride = grad.len().div_ceil(PROBED);
        for i in (0..grad.len()).step_by(stride) {
            let mut nudged = |by: f64| {
                let saved = params[name][i];
                params.get_mut(name).unwrap()[i] = saved + by;
                let value = at(&params);
                params.get_mut(name).unwrap()[i] = saved;
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
    assert_eq!(compared, 25 + 2 * case.heads);
}

/// The readout head that a parameter belongs to.
fn head_of(name: &str) -> Option<usize> {
    let rest = name.strip_prefix("head.experts.")?;
    rest.split('.').next()?.parse().ok()
}

impl From<&Case> for Sizes {
    fn from(case: &Case) -> Self {
        Self {
            batch: case.batch,
            tokens: case.tokens,
            ring: case.ring,
            width: case.width,
            experts: case.heads,
            update_every: case.update_every,
        }
    }
}

const TINY: Case = Case { batch: 2, tokens: 6, ring: 12, width: 9, ..SMALL };

test_steps! {
    a_tiny_model => |k, d: &Device| check(k, d, &TINY);
    pointers_held_between_updates =>
        |k, d: &Device| check(k, d, &Case { tokens: 7, ring: 10, width: 8, update_every: 3, ..TINY });
    experts_get_only_their_samples =>
        |k, d: &Device| check(k, d, &Case { batch: 3, tokens: 5, ring: 16, width: 8, heads: 3, ..TINY });
    more_experts_than_samples =>
        |k, d: &Device| check(k, d, &Case { tokens: 3, ring: 16, width: 8, heads: 9, ..TINY });
    // Five taps on three slots: the same slot is read and written more than once, and the sensory
    // delay of one token feeds every state back.
    a_ring_shorter_than_its_neighbourhood =>
        |k, d: &Device| check(k, d, &Case { ring: 3, width: 8, ..TINY });
    a_ring_of_one_slot => |k, d: &Device| check(k, d, &Case { ring: 1, width: 8, tokens: 3, ..TINY });
    a_single_token =>
        |k, d: &Device| check(k, d, &Case { batch: 1, tokens: 1, ring: 8, width: 8, ..TINY });
    // More samples and columns than one block of any kernel takes, neither a multiple of it.
    sizes_that_divide_nothing =>
        |k, d: &Device| check(k, d, &Case { batch: 19, tokens: 4, ring: 37, width: 71, ..TINY });
    // 49 * (1/49) is less than 1: a whole turn must still be one.
    a_ring_whose_reciprocal_rounds_down =>
        |k, d: &Device| check(k, d, &Case { batch: 8, tokens: 6, ring: 49, width: 8, ..TINY });
}
