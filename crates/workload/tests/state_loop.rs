//! State loop telemetry of both steps against one scalar at a time, and that it changes nothing.

#[macro_use]
#[path = "support/devices.rs"]
mod devices;
#[path = "support/reference.rs"]
mod reference;
mod support;

use candle_core::{Device, Tensor};
use candle_nn::VarMap;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand_distr::{Distribution, StandardNormal};
use reference::{Frozen, Params, Sizes, observed};
use support::{Case, Inputs, SMALL, take, values};
use vram_presets::spec::{Precision, PtrDtype};
use vram_presets::step::StepKind;
use vram_workload::model::od1::Od1;
use vram_workload::model::state_loop::StateLoopReport;

/// What one run of modes of one sample comes to.
#[derive(Default)]
struct Walk {
    flips: u32,
    ababs: u32,
    longest: u32,
    dwell: u32,
}

fn walk(modes: &[usize]) -> Walk {
    let (mut prev, mut prevprev) = (modes[0], modes[0]);
    let mut walk = Walk { longest: 1, dwell: 1, ..Walk::default() };
    for &mode in &modes[1..] {
        if mode != prev {
            walk.flips += 1;
            walk.ababs += u32::from(mode == prevprev);
            walk.dwell = 1;
        } else {
            walk.dwell += 1;
        }
        walk.longest = walk.longest.max(walk.dwell);
        (prevprev, prev) = (prev, mode);
    }
    walk
}

/// Directions as the model's description has them, from the seed that they are published under.
fn directions(width: usize) -> Vec<[f64; 8]> {
    let mut rng = StdRng::seed_from_u64(0x6d6f_6465);
    let mut rows: Vec<[f64; 8]> =
        (0..width).map(|_| std::array::from_fn(|_| StandardNormal.sample(&mut rng))).collect();
    for k in 0..8 {
        let length = rows.iter().map(|row| row[k] * row[k]).sum::<f64>().sqrt();
        rows.iter_mut().for_each(|row| row[k] /= length);
    }
    rows
}

fn mode(h: &[f64], q: &[[f64; 8]]) -> usize {
    let scores: [f64; 8] =
        std::array::from_fn(|k| h.iter().zip(q).map(|(h, row)| h * row[k]).sum());
    (1..8).fold(0, |best, k| if scores[k] > scores[best] { k } else { best })
}

/// What one scalar at a time counts.
fn scalar(model: &Od1, case: &Case, inputs: &Inputs) -> StateLoopReport {
    let params: Params = model.named().map(|(n, t)| (n.to_owned(), values(t))).collect();
    let sizes = Sizes {
        batch: case.batch,
        tokens: case.tokens,
        ring: case.ring,
        width: case.width,
        experts: case.heads,
        update_every: case.update_every,
    };
    let q = directions(case.width);
    let mut modes = vec![Vec::new(); case.batch];
    observed(
        &sizes,
        &params,
        (&values(&inputs.x), &vec![0; case.batch], &values(&inputs.starts)),
        &mut Frozen::default(),
        &mut |sample, h| modes[sample].push(mode(h, &q)),
    );
    let watched = &modes[..case.watched.min(case.batch)];
    assert!(watched.iter().all(|modes| modes.len() == case.tokens));
    let walks: Vec<Walk> = watched.iter().map(|modes| walk(modes)).collect();
    let mut counts = [0u32; 8];
    watched.iter().flatten().for_each(|&mode| counts[mode] += 1);

    let tokens = (walks.len() * case.tokens) as f64;
    let sum = |of: fn(&Walk) -> u32| f64::from(walks.iter().map(of).sum::<u32>());
    let share = |n: u32| f64::from(n) / tokens;
    StateLoopReport {
        flip_rate: sum(|w| w.flips) / tokens,
        abab_rate: sum(|w| w.ababs) / tokens,
        max_dwell: walks.iter().map(|w| w.longest).max().unwrap(),
        mean_dwell: sum(|w| w.dwell) / walks.len() as f64,
        entropy_bits: counts.iter().filter(|n| **n > 0).map(|&n| -share(n) * share(n).log2()).sum(),
    }
}

/// Both steps count what one scalar at a time counts.
fn agree(model: &Od1, case: &Case, inputs: &Inputs) -> StateLoopReport {
    let want = scalar(model, case, inputs);
    for &kind in StepKind::ALL {
        let got = take(kind, model, inputs).state_loop.unwrap().report().unwrap();
        let entropy = (got.entropy_bits - want.entropy_bits).abs();
        assert!(entropy < 1e-12, "{kind}: {got:?}, {want:?}");
        assert_eq!(StateLoopReport { entropy_bits: want.entropy_bits, ..got }, want, "{kind}");
    }
    want
}

fn counts(device: &Device, case: &Case) {
    agree(&case.model(device), case, &case.inputs(device));
}

fn set(weights: &VarMap, value: impl Fn(&str, &Tensor) -> Option<Tensor>) {
    for (name, var) in weights.data().lock().unwrap().iter() {
        if let Some(value) = value(name, var) {
            var.set(&value).unwrap();
        }
    }
}

/// A hidden state that follows its input flips between modes, and back.
fn modes_that_flip(device: &Device) {
    let case = Case { batch: 6, tokens: 40, ring: 16, width: 8, watched: 6, ..SMALL };
    let weights = case.weights(device);
    set(&weights, |name, value| {
        if name.contains("gru.weight") || name.contains("bridge.weight") {
            Some((value * 12.0).unwrap())
        } else if name == "gru.bias_ih" || name == "gru.bias_hh" {
            Some(value.zeros_like().unwrap())
        } else {
            None
        }
    });
    let report = agree(&case.model_of(&weights, device), &case, &case.inputs(device));
    assert!(report.flip_rate > 0.0 && report.abab_rate > 0.0 && report.entropy_bits > 1.0);
    assert!(report.max_dwell > 1 && report.mean_dwell > 1.0);
}

/// With no hidden state at all, every score is the same number: one mode is taken throughout.
fn equal_scores(device: &Device) {
    let case = Case { watched: 2, ..SMALL };
    let weights = case.weights(device);
    let gru = |name: &str| name.starts_with("gru.");
    set(&weights, |name, value| gru(name).then(|| value.zeros_like().unwrap()));
    let report = agree(&case.model_of(&weights, device), &case, &case.inputs(device));
    assert_eq!((report.entropy_bits, report.max_dwell), (0.0, case.tokens as u32));
}

/// Watching changes no bit of anything else.
fn nothing_else_changes(kind: StepKind, device: &Device) {
    for (precision, heads) in
        [(Precision::Fp32, 1), (Precision::Fp16, 1), (Precision::Bf16, 1), (Precision::Fp32, 3)]
    {
        let run = |watched| {
            let case = Case { watched, precision, heads, tokens: 16, ..SMALL };
            let model = case.model(device);
            let got = take(kind, &model, &case.inputs(device));
            assert_eq!(got.state_loop.is_some(), watched > 0);
            got.bits(&model)
        };
        let without = run(0);
        for watched in [1, 2, 3, 1000] {
            assert_eq!(run(watched), without, "{precision}, {heads} heads, {watched} watched");
        }
    }
}

test_devices! {
    every_sample_is_watched => |d: &Device| counts(d, &Case { watched: 3, ..SMALL });
    the_first_samples_are_watched =>
        |d: &Device| counts(d, &Case { batch: 5, tokens: 12, watched: 2, ..SMALL });
    more_than_there_are => |d: &Device| counts(d, &Case { watched: 99, ..SMALL });
    fp32_pointers =>
        |d: &Device| counts(d, &Case { watched: 2, pointer: PtrDtype::Fp32, ..SMALL });
    one_token => |d: &Device| counts(d, &Case { tokens: 1, watched: 3, ..SMALL });
    two_tokens => |d: &Device| counts(d, &Case { tokens: 2, watched: 3, ..SMALL });
    a_hidden_state_that_flips => modes_that_flip;
    of_equal_scores_one_is_taken => equal_scores;
}

test_steps! {
    watching_changes_no_bit => nothing_else_changes;
}
