//! The pointer of one sample: where it reads, and how it moves.
//!
//! ```text
//! rem(a) = a mod R      wrap(a,b) = rem(b - a + R/2) - R/2      lerp(a,b,w) = rem(a + w wrap(a,b))
//!
//! taps:  c_j = (clamp(floor(p),0,R-1) + j) mod R,   w = softmax_j(-wrap(p,c_j)^2 / 8),   j = -2..2
//! move:  i = clamp(sigmoid(inertia),0,0.99)   z = softplus(deadzone)   k = sigmoid(walk)
//!        q1 = lerp(p, rem(p+1), k)            q2 = lerp(q1, round(th), sigmoid(jump + g))
//!        q3 = lerp(p, q2, 1-i)                d  = wrap(p,q3)
//!        q  = rem(p + sigmoid((|d| - z)/0.25) d)
//! carry: res += wrap(p,q)    u = clamp(floor(|res|) sign(res), -1, 1)    anchor = rem(anchor + u)
//!        p' = rem(anchor + res - u)           res = wrap(anchor, p')
//! ```
//!
//! `th` and `g` are the ring's target and gate fields at p, interpolated. Gradients: 0 for floor,
//! round and sign, 1 for rem, straight through `round(th)`; the interpolation weight is a constant.

use num_traits::{Float, NumCast, ToPrimitive};

use crate::ops::numeric::sigmoid;
use crate::shape::TAPS;

/// Width of the deadzone's soft edge.
const EDGE: f64 = 0.25;

/// Inertia never holds the pointer still.
const MAX_INERTIA: f32 = 0.99;

/// A pointer's number type, `f64` or `f32`.
pub(crate) trait Real: Float + Send + Sync + 'static {}
impl Real for f64 {}
impl Real for f32 {}

/// A constant in the pointer's type. Every value given is a small literal or a ring size.
fn num<P: Real>(x: impl ToPrimitive) -> P {
    <P as NumCast>::from(x).unwrap_or_else(P::nan)
}

/// The axis on which pointers live, and the fields that attract them.
#[derive(Clone, Copy)]
pub(crate) struct RingAxis<'a, P> {
    len: usize,
    period: P,
    theta_ptr: &'a [f32],
    theta_gate: &'a [f32],
}

/// Where a pointer reads and writes.
pub(crate) struct Taps {
    pub(crate) slots: [usize; TAPS],
    pub(crate) weights: [f32; TAPS],
    /// `wrap(p, c_j)`.
    offsets: [f64; TAPS],
}

/// A pointer between two tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct State {
    pub(crate) p: f64,
    pub(crate) anchor: f64,
    pub(crate) residual: f64,
}

/// Gradients of a pointer between two tokens. The anchor has none: it moves in whole slots.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gradient {
    pub(crate) p: f64,
    pub(crate) residual: f64,
}

/// What one move adds to the gradients of the two fields.
pub(crate) struct FieldGradient {
    pub(crate) slots: [usize; 2],
    pub(crate) theta_ptr: [f32; 2],
    pub(crate) theta_gate: [f32; 2],
}

/// Raw outputs of the four scalar heads: jump, inertia, deadzone, walk.
pub(crate) type Heads = [f32; 4];

/// The fields at one pointer.
struct Fields {
    slots: [usize; 2],
    weights: [f32; 2],
    /// `sigmoid(theta_ptr)` at both slots.
    squashed: [f32; 2],
    target: f32,
    gate: f32,
}

/// Everything a move computes on its way; backward needs most of it again.
struct Move<P> {
    inertia: f32,
    walk: P,
    jump: P,
    keep: P,
    walk_wrap: P,
    jump_wrap: P,
    keep_wrap: P,
    d: P,
    gain: P,
    q: P,
}

impl<'a, P: Real> RingAxis<'a, P> {
    pub(crate) fn new(len: usize, theta_ptr: &'a [f32], theta_gate: &'a [f32]) -> Self {
        Self { len, period: num(len), theta_ptr, theta_gate }
    }

    fn rem(&self, a: P) -> P {
        let r = a % self.period;
        if r < P::zero() { r + self.period } else { r }
    }

    fn wrap(&self, a: P, b: P) -> P {
        let half = self.period / num(2);
        self.rem(b - a + half) - half
    }

    /// The slot that holds `p`.
    pub(crate) fn slot(&self, p: f64) -> usize {
        // A float-to-integer cast saturates, so a NaN or a negative lands on slot 0.
        (p.floor() as usize).min(self.len - 1)
    }

    pub(crate) fn taps(&self, p: f64) -> Taps {
        let base = self.slot(p) + TAPS * self.len - TAPS / 2;
        let slots = std::array::from_fn(|j| (base + j) % self.len);
        let p = num::<P>(p);
        let offsets = slots.map(|c| self.wrap(p, num(c)));
        let logits = offsets.map(|o| -(o * o) / num(8));
        let top = logits.iter().copied().fold(P::neg_infinity(), P::max);
        let raw = logits.map(|l| (l - top).exp());
        let sum = raw.iter().copied().fold(P::zero(), |a, b| a + b);
        Taps { slots, weights: raw.map(|e| single(e / sum)), offsets: offsets.map(double) }
    }

    /// A pointer at `unit * (R - 1)`, `unit` in `[0,1)`.
    pub(crate) fn start(&self, unit: f64) -> State {
        let p = num::<P>(unit) * num(self.len - 1);
        let axis = self.wide();
        let anchor = axis.rem(double(p).round_ties_even());
        let residual = double(p) - anchor;
        State { p: double(num::<P>(anchor + residual)), anchor, residual }
    }

    /// The next state and the distance moved. `heads` is `None` where the pointer is held.
    pub(crate) fn advance(&self, state: State, heads: Option<Heads>) -> (State, f64) {
        let p = num::<P>(state.p);
        let q = heads.map_or(p, |heads| self.propose(p, heads).q);

        // Anchor and residual are always fp64, whatever the pointer is.
        let axis = self.wide();
        let residual = state.residual + double(self.wrap(p, q));
        let unit = if residual == 0.0 { 0.0 } else { residual.signum() };
        let step = (residual.abs().floor() * unit).clamp(-1.0, 1.0);
        let mut anchor = axis.rem(state.anchor + step);
        let next = num::<P>(axis.rem(anchor + residual - step));
        if heads.is_none() {
            anchor = axis.rem(double(next).round_ties_even());
        }
        let next_state =
            State { p: double(next), anchor, residual: axis.wrap(anchor, double(next)) };
        (next_state, double(self.wrap(p, next).abs()))
    }

    /// Backward of [`RingAxis::advance`] from a state at `p`: gradients of the pointer, of the raw
    /// heads, and of the rounded target.
    pub(crate) fn advance_backward(
        &self,
        p: f64,
        heads: Option<Heads>,
        grad: Gradient,
    ) -> (Gradient, Heads, f32) {
        // p' = rem(anchor + res + wrap(p,q) - u) and res' = wrap(anchor, p'): both carry the
        // same sum, of which q and res get +1 and p gets -1.
        let carried = grad.p + grad.residual;
        let Some(heads) = heads else {
            // q = p: what p gets through q it loses again.
            let held = Gradient { p: 0.0, residual: carried };
            return (held, [0.0; 4], 0.0);
        };
        let p = num::<P>(p);
        let m = self.propose(p, heads);
        let (gain, d) = (double(m.gain), double(m.d));
        let sign = if d == 0.0 { 0.0 } else { d.signum() };
        let d_edge = carried * d * gain * (1.0 - gain) / EDGE;
        let d_d = carried * gain + d_edge * sign;
        let d_q2 = d_d * double(m.keep);
        let d_q1 = d_q2 * (1.0 - double(m.jump));
        // -carried and +carried from q = p + gain d cancel; wrap(p,q3) takes d_d away, the first
        // lerp gives back what it keeps of p, the walk passes its gradient through whole.
        let d_p = -d_d + d_d * (1.0 - double(m.keep)) + d_q1;

        let d_keep = d_d * double(m.keep_wrap);
        let d_jump = d_q2 * double(m.jump_wrap);
        let d_walk = d_q1 * double(m.walk_wrap);
        let (jump, walk) = (double(m.jump), double(m.walk));
        let inertia = double(m.inertia);
        let free = inertia <= double(MAX_INERTIA);
        let d_score = d_jump * jump * (1.0 - jump);
        let d_heads = [
            d_score,
            if free { -d_keep * inertia * (1.0 - inertia) } else { 0.0 },
            -d_edge * double(sigmoid(heads[2])),
            d_walk * walk * (1.0 - walk),
        ];
        let before = Gradient { p: d_p, residual: carried };
        (before, d_heads.map(|g| g as f32), (d_q2 * jump) as f32)
    }

    /// What a move from `p` adds to the gradients of the fields, from those of its rounded target
    /// and of its raw jump score.
    pub(crate) fn field_gradient(&self, p: f64, d_target: f32, d_score: f32) -> FieldGradient {
        let fields = self.fields(num::<P>(p));
        let theta_ptr = std::array::from_fn(|k| {
            let s = fields.squashed[k];
            d_target * fields.weights[k] * s * (1.0 - s) * (self.len - 1) as f32
        });
        let theta_gate = fields.weights.map(|w| d_score * w);
        FieldGradient { slots: fields.slots, theta_ptr, theta_gate }
    }

    fn fields(&self, p: P) -> Fields {
        let p = single(p);
        let floor = p.floor();
        let part = p - floor;
        let first = floor.max(0.0) as usize % self.len;
        let slots = [first, (first + 1) % self.len];
        let weights = [1.0 - part, part];
        let squashed = slots.map(|s| sigmoid(self.theta_ptr[s]));
        let mix = |v: [f32; 2]| weights[0] * v[0] + weights[1] * v[1];
        Fields {
            slots,
            weights,
            squashed,
            target: mix(squashed.map(|s| s * (self.len - 1) as f32)),
            gate: mix(slots.map(|s| self.theta_gate[s])),
        }
    }

    fn propose(&self, p: P, heads: Heads) -> Move<P> {
        let fields = self.fields(p);
        let inertia = sigmoid(heads[1]);
        let keep = P::one() - num(inertia.min(MAX_INERTIA));
        let deadzone = num::<P>(softplus(heads[2]));
        let walk = num::<P>(sigmoid(heads[3]));
        let jump = num::<P>(sigmoid(heads[0] + fields.gate));

        let walk_wrap = self.wrap(p, self.rem(p + P::one()));
        let q1 = self.rem(p + walk * walk_wrap);
        let jump_wrap = self.wrap(q1, num(fields.target.round_ties_even()));
        let q2 = self.rem(q1 + jump * jump_wrap);
        let keep_wrap = self.wrap(p, q2);
        let q3 = self.rem(p + keep * keep_wrap);
        let d = self.wrap(p, q3);
        let gain = P::one() / (P::one() + (-(d.abs() - deadzone) / num(EDGE)).exp());
        Move {
            inertia,
            walk,
            jump,
            keep,
            walk_wrap,
            jump_wrap,
            keep_wrap,
            d,
            gain,
            q: self.rem(p + gain * d),
        }
    }

    fn wide(&self) -> RingAxis<'a, f64> {
        RingAxis::new(self.len, self.theta_ptr, self.theta_gate)
    }
}

impl Taps {
    /// Gradient of p from those of the five weights.
    pub(crate) fn backward(&self, d_weights: [f32; TAPS]) -> f64 {
        let weighted = |j: usize| double(self.weights[j]) * double(d_weights[j]);
        let mean: f64 = (0..TAPS).map(weighted).sum();
        // d(-wrap^2/8)/dp = wrap/4, since wrap(p,c) falls as p grows.
        (0..TAPS)
            .map(|j| (weighted(j) - double(self.weights[j]) * mean) * self.offsets[j] / 4.0)
            .sum()
    }
}

fn softplus(x: f32) -> f32 {
    // Beyond 20 the two agree in fp32, and exp would overflow later.
    if x > 20.0 { x } else { x.exp().ln_1p() }
}

fn double(x: impl ToPrimitive) -> f64 {
    x.to_f64().unwrap_or(f64::NAN)
}

fn single(x: impl ToPrimitive) -> f32 {
    x.to_f32().unwrap_or(f32::NAN)
}
