//! OD1's forward in fp64, one scalar at a time, with everything that has no derivative frozen.
//!
//! Written from the model's description and sharing nothing with the crate: the surrogate whose
//! central differences the gradients of both steps must match.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::HashMap;

#[derive(Clone, Copy)]
pub struct Sizes {
    pub batch: usize,
    pub tokens: usize,
    pub ring: usize,
    pub width: usize,
    pub experts: usize,
    pub update_every: usize,
}

pub type Params = HashMap<String, Vec<f64>>;

/// What the surrogate keeps from the base point: taps, interpolation, steps of the anchor, the
/// rounding of the target, and the last slot. One entry per sample and token, in that order.
#[derive(Default)]
pub struct Frozen {
    taps: Vec<[usize; 5]>,
    moves: Vec<Move>,
    steps: Vec<f64>,
    last: Vec<usize>,
}

struct Move {
    slots: [usize; 2],
    fraction: f64,
    rounding: f64,
}

/// Replays frozen values, or records them at the base point.
struct Tape<'a, X> {
    values: &'a mut Vec<X>,
    next: usize,
}

impl<X> Tape<'_, X> {
    fn get(&mut self, compute: impl FnOnce() -> X) -> &X {
        if self.next == self.values.len() {
            let value = compute();
            self.values.push(value);
        }
        self.next += 1;
        &self.values[self.next - 1]
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn linear(weight: &[f64], bias: &[f64], x: &[f64]) -> Vec<f64> {
    let rows = weight.chunks_exact(x.len()).zip(bias);
    rows.map(|(row, b)| b + row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()).collect()
}

struct Net<'a> {
    params: &'a Params,
}

impl Net<'_> {
    fn at(&self, name: &str) -> &[f64] {
        &self.params[name]
    }

    fn layer(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let part = |kind: &str| self.at(&format!("{name}.{kind}"));
        linear(part("weight"), part("bias"), x)
    }

    fn gru(&self, name: &str, x: &[f64], h: &[f64]) -> Vec<f64> {
        let part = |kind: &str| self.at(&format!("{name}.{kind}"));
        let i = linear(part("weight_ih"), part("bias_ih"), x);
        let g = linear(part("weight_hh"), part("bias_hh"), h);
        let w = h.len();
        (0..w)
            .map(|k| {
                let r = sigmoid(i[k] + g[k]);
                let z = sigmoid(i[w + k] + g[w + k]);
                let n = (i[2 * w + k] + r * g[2 * w + k]).tanh();
                (1.0 - z) * n + z * h[k]
            })
            .collect()
    }

    fn sense(&self, x: &[f64], delay: usize) -> Vec<Vec<f64>> {
        let width = self.at("sensory_proj_in.bias").len();
        let mut states: Vec<Vec<f64>> = Vec::new();
        for (t, &x) in x.iter().enumerate() {
            let mut input = self.layer("sensory_proj_in", &[x]);
            input.iter_mut().for_each(|v| *v = v.tanh());
            if t >= delay {
                input.iter_mut().zip(&states[t - delay]).for_each(|(v, s)| *v += s);
            }
            let before = states.last().cloned().unwrap_or_else(|| vec![0.0; width]);
            states.push(self.gru("sensory_gru", &input, &before));
        }
        states
    }
}

/// Mean cross-entropy at `params`; `frozen` is filled on the first call and obeyed afterwards.
pub fn loss(
    sizes: &Sizes,
    params: &Params,
    inputs: (&[f64], &[usize], &[f64]),
    frozen: &mut Frozen,
) -> f64 {
    observed(sizes, params, inputs, frozen, &mut |_, _| ())
}

/// As [`loss`], and `see` is given each sample's hidden state after each token, in that order.
pub fn observed(
    sizes: &Sizes,
    params: &Params,
    (x, labels, starts): (&[f64], &[usize], &[f64]),
    frozen: &mut Frozen,
    see: &mut dyn FnMut(usize, &[f64]),
) -> f64 {
    let net = Net { params };
    let Frozen { taps, moves, steps, last } = frozen;
    let mut taps = Tape { values: taps, next: 0 };
    let mut moves = Tape { values: moves, next: 0 };
    let mut steps = Tape { values: steps, next: 0 };
    let mut last = Tape { values: last, next: 0 };

    let r = sizes.ring as f64;
    let rem = |a: f64| a.rem_euclid(r);
    let wrap = |a: f64, b: f64| rem(b - a + r / 2.0) - r / 2.0;
    let lerp = |a: f64, b: f64, w: f64| rem(a + w * wrap(a, b));
    let clamped = |p: f64| p.floor().clamp(0.0, r - 1.0);
    let mut total = 0.0;
    for b in 0..sizes.batch {
        let inputs = &x[b * sizes.tokens..(b + 1) * sizes.tokens];
        let sensed = net.sense(inputs, (sizes.ring / 2).max(1));
        let mut ring = vec![vec![0.0; sizes.width]; sizes.ring];
        let mut h = vec![0.0; sizes.width];
        let mut anchor = rem((starts[b] * (r - 1.0)).round_ties_even());
        let mut res = starts[b] * (r - 1.0) - anchor;
        let mut p = anchor + res;
        for (t, s) in sensed.iter().enumerate() {
            let slots =
                *taps.get(|| [-2.0, -1.0, 0.0, 1.0, 2.0].map(|j| rem(clamped(p) + j) as usize));
            let raw = slots.map(|c| (-wrap(p, c as f64).powi(2) / 8.0).exp());
            let sum: f64 = raw.iter().sum();
            let w = raw.map(|e| e / sum);
            let gain = sigmoid(net.at("context_logit")[0]);
            let input: Vec<f64> = net
                .layer("sensory_bridge", s)
                .iter()
                .enumerate()
                .map(|(d, v)| {
                    v.tanh() + gain * (0..5).map(|j| w[j] * ring[slots[j]][d]).sum::<f64>()
                })
                .collect();
            h = net.gru("gru", &input, &h);
            see(b, &h);
            for (slot, w) in slots.into_iter().zip(w) {
                ring[slot].iter_mut().zip(&h).for_each(|(m, h)| *m += w * h);
            }

            let held = t % sizes.update_every != 0;
            let mut q = p;
            if !held {
                let head = |name: &str| net.layer(name, &h)[0];
                let inertia = sigmoid(head("inertia_head")).clamp(0.0, 0.99);
                let deadzone = head("deadzone_head").exp().ln_1p().max(0.0);
                let walk = sigmoid(head("walk_head"));
                let target = |m: &[usize; 2], f: f64| {
                    let a = |i: usize| sigmoid(net.at("theta_ptr_reduced")[i]) * (r - 1.0);
                    (1.0 - f) * a(m[0]) + f * a(m[1])
                };
                let Move { slots, fraction, rounding } = moves.get(|| {
                    let single = p as f32;
                    let first = rem(f64::from(single.floor())) as usize;
                    let slots = [first, (first + 1) % sizes.ring];
                    let fraction = f64::from(single - single.floor());
                    let th = target(&slots, fraction);
                    Move { slots, fraction, rounding: th.round_ties_even() - th }
                });
                let gate = |i: usize| net.at("theta_gate_reduced")[i];
                let gate = (1.0 - fraction) * gate(slots[0]) + fraction * gate(slots[1]);
                let jump = sigmoid(head("jump_score") + gate);
                q = lerp(p, rem(p + 1.0), walk);
                q = lerp(q, target(slots, *fraction) + rounding, jump);
                q = lerp(p, q, 1.0 - inertia);
                let d = wrap(p, q);
                q = rem(p + sigmoid((d.abs() - deadzone) / 0.25) * d);
            }
            res += wrap(p, q);
            let step = *steps.get(|| (res.abs().floor() * res.signum()).clamp(-1.0, 1.0));
            anchor = rem(anchor + step);
            let next = rem(anchor + res - step);
            if held {
                anchor = rem(next.round_ties_even());
            }
            res = wrap(anchor, next);
            p = next;
        }
        let slot = *last.get(|| clamped(p) as usize);
        let features: Vec<f64> = ring[slot].iter().zip(&h).map(|(m, h)| m + h).collect();
        let readout = match sizes.experts {
            1 => "head.single".to_owned(),
            e => format!("head.experts.{}", slot % e),
        };
        let logits = net.layer(&readout, &features);
        let top = logits.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = logits.iter().map(|l| (l - top).exp()).sum();
        total += top + sum.ln() - logits[labels[b]];
    }
    total / sizes.batch as f64
}
