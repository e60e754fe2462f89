//! Every parameter of the model, declared once: its name, its shape, how it starts and which steps
//! reach it. Counts, formulas, elasticities and the flat order of gradients and moments follow.

use std::ops::Range;

use candle_nn::Init;

use crate::extent::names::{C, D, ONE, R, S, THREE};
use crate::extent::{Extent, SizeParam};
use crate::shape::Shape;

/// How a parameter starts.
#[derive(Debug, Clone, Copy)]
enum Start {
    Zero,
    /// Uniform in `±bound`.
    Uniform(f64),
    /// Glorot and Bengio 2010: uniform in `±sqrt(6 / (fan_in + fan_out))`.
    Xavier,
    /// Uniform in `±1/sqrt(D)`.
    Fan,
    /// Normal with this deviation.
    Normal(f64),
    /// `logit(0.2)`.
    Context,
    /// The main cell's weights: normal with deviation `0.1 - 0.05 f`, `f = clamp(R/200, 0, 1)`.
    RingNormal,
    /// The main cell's biases: `0.5 - 0.3 f`.
    RingConstant,
}

/// Which steps give a parameter a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Every step.
    Always,
    /// None: present in the original, unused while the sensory path is on.
    Never,
    /// Those that route a sample to the readout head of this number.
    ByHead(usize),
}

/// A parameter, or one of each readout head where `per_head`.
struct Declared {
    name: &'static str,
    /// The tensor's dimensions, each a product.
    dims: &'static [&'static [Extent]],
    start: Start,
    reached: Reached,
    per_head: bool,
}

const fn always(name: &'static str, dims: &'static [&'static [Extent]], start: Start) -> Declared {
    Declared { name, dims, start, reached: Reached::Always, per_head: false }
}

const fn never(name: &'static str, dims: &'static [&'static [Extent]], start: Start) -> Declared {
    Declared { name, dims, start, reached: Reached::Never, per_head: false }
}

const fn per_head(
    name: &'static str,
    dims: &'static [&'static [Extent]],
    start: Start,
) -> Declared {
    Declared { name, dims, start, reached: Reached::Always, per_head: true }
}

/// In the order in which gradients and moments lie in memory: the four scalar heads are neighbours,
/// weights before biases, so that their gradients are one `[4,D]` layer's; the readout heads are
/// last, each weight before its bias.
const DECLARED: [Declared; 27] = [
    always("theta_ptr_reduced", &[&[R]], Start::Uniform(4.0)),
    always("theta_gate_reduced", &[&[R]], Start::Uniform(0.5)),
    always("context_logit", &[], Start::Context),
    always("sensory_proj_in.weight", &[&[S], &[ONE]], Start::Xavier),
    always("sensory_proj_in.bias", &[&[S]], Start::Zero),
    always("sensory_gru.weight_ih", &[&[THREE, S], &[S]], Start::Normal(0.05)),
    always("sensory_gru.weight_hh", &[&[THREE, S], &[S]], Start::Normal(0.05)),
    always("sensory_gru.bias_ih", &[&[THREE, S]], Start::Zero),
    always("sensory_gru.bias_hh", &[&[THREE, S]], Start::Zero),
    always("sensory_bridge.weight", &[&[D], &[S]], Start::Xavier),
    always("sensory_bridge.bias", &[&[D]], Start::Zero),
    never("input_proj.weight", &[&[D], &[ONE]], Start::Xavier),
    never("input_proj.bias", &[&[D]], Start::Zero),
    always("gru.weight_ih", &[&[THREE, D], &[D]], Start::RingNormal),
    always("gru.weight_hh", &[&[THREE, D], &[D]], Start::RingNormal),
    always("gru.bias_ih", &[&[THREE, D]], Start::RingConstant),
    always("gru.bias_hh", &[&[THREE, D]], Start::RingConstant),
    always("jump_score.weight", &[&[ONE], &[D]], Start::Xavier),
    always("inertia_head.weight", &[&[ONE], &[D]], Start::Fan),
    always("deadzone_head.weight", &[&[ONE], &[D]], Start::Fan),
    always("walk_head.weight", &[&[ONE], &[D]], Start::Fan),
    always("jump_score.bias", &[&[ONE]], Start::Zero),
    always("inertia_head.bias", &[&[ONE]], Start::Fan),
    always("deadzone_head.bias", &[&[ONE]], Start::Fan),
    always("walk_head.bias", &[&[ONE]], Start::Fan),
    per_head("weight", &[&[C], &[D]], Start::Xavier),
    per_head("bias", &[&[C]], Start::Zero),
];

/// Where parameters begin that the code names, in the order of [`DECLARED`].
pub(crate) mod at {
    pub(crate) const THETA_PTR: usize = 0;
    pub(crate) const THETA_GATE: usize = 1;
    pub(crate) const CONTEXT: usize = 2;
    /// Weight, then bias.
    pub(crate) const SENSORY_IN: usize = 3;
    /// weight_ih, weight_hh, bias_ih, bias_hh.
    pub(crate) const SENSORY_GRU: usize = 5;
    pub(crate) const BRIDGE: usize = 9;
    pub(crate) const GRU: usize = 13;
    /// Four weights (jump, inertia, deadzone, walk), then four biases.
    pub(crate) const HEADS: usize = 17;
    /// Weight and bias of each readout head in turn.
    pub(crate) const READOUT: usize = 25;
}

impl Declared {
    fn dims(&self, shape: &Shape) -> Vec<usize> {
        let size = |extent: &Extent| extent.direct(shape).unwrap_or(0) as usize;
        self.dims.iter().map(|dim| dim.iter().map(size).product()).collect()
    }

    fn elements(&self, shape: &Shape) -> u64 {
        self.dims(shape).iter().map(|n| *n as u64).product()
    }

    fn elasticity(&self, shape: &Shape, size: SizeParam) -> f64 {
        let heads = self.per_head.then_some(&Extent::Heads);
        let extents = self.dims.iter().flat_map(|dim| dim.iter()).chain(heads);
        extents.filter_map(|extent| extent.direct_elasticity(shape, size)).sum()
    }

    fn count(&self, shape: &Shape) -> u64 {
        if self.per_head { shape.out_dim as u64 } else { 1 }
    }

    fn init(&self, shape: &Shape, dims: &[usize]) -> Init {
        let f = (shape.ring_len as f64 / 200.0).clamp(0.0, 1.0);
        let uniform = |bound: f64| Init::Uniform { lo: -bound, up: bound };
        match self.start {
            Start::Zero => Init::Const(0.0),
            Start::Uniform(bound) => uniform(bound),
            Start::Xavier => uniform((6.0 / dims.iter().sum::<usize>() as f64).sqrt()),
            Start::Fan => uniform((shape.slot_dim as f64).sqrt().recip()),
            Start::Normal(stdev) => Init::Randn { mean: 0.0, stdev },
            Start::Context => Init::Const((0.2f64 / 0.8).ln()),
            Start::RingNormal => Init::Randn { mean: 0.0, stdev: 0.1 - 0.05 * f },
            Start::RingConstant => Init::Const(0.5 - 0.3 * f),
        }
    }
}

/// One named tensor of a model.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) dims: Vec<usize>,
    /// How it starts.
    pub(crate) init: Init,
    pub(crate) reached: Reached,
    /// Its place in flat buffers of gradients, moments and rounded weights.
    pub(crate) range: Range<usize>,
}

/// Every parameter of a model of `shape`, in order.
pub(crate) fn list(shape: &Shape) -> Vec<Parameter> {
    let (shared, heads) = DECLARED.split_at(at::READOUT);
    let mut end = 0;
    let mut parameter = |declared: &Declared, name: String, reached| {
        let dims = declared.dims(shape);
        let start = end;
        end += dims.iter().product::<usize>();
        Parameter { name, init: declared.init(shape, &dims), dims, reached, range: start..end }
    };
    let mut all: Vec<Parameter> =
        shared.iter().map(|d| parameter(d, d.name.to_owned(), d.reached)).collect();
    for head in 0..shape.out_dim {
        let prefix = match shape.out_dim {
            1 => "head.single".to_owned(),
            _ => format!("head.experts.{head}"),
        };
        for declared in heads {
            let name = format!("{prefix}.{}", declared.name);
            all.push(parameter(declared, name, Reached::ByHead(head)));
        }
    }
    all
}

/// Elements of all parameters, `P`. The products of a checked shape cannot wrap.
pub(crate) fn elements(shape: &Shape) -> u64 {
    DECLARED.iter().map(|d| d.elements(shape) * d.count(shape)).sum()
}

/// Number of named tensors, `N`.
pub(crate) fn tensors(shape: &Shape) -> usize {
    DECLARED.iter().map(|d| d.count(shape) as usize).sum()
}

/// `d ln(P) / d ln(size)`.
pub(crate) fn elements_elasticity(shape: &Shape, size: SizeParam) -> f64 {
    let grown = DECLARED
        .iter()
        .map(|d| (d.elements(shape) * d.count(shape)) as f64 * d.elasticity(shape, size));
    grown.sum::<f64>() / elements(shape) as f64
}

/// `d ln(N) / d ln(size)`.
pub(crate) fn tensors_elasticity(shape: &Shape, size: SizeParam) -> f64 {
    let heads = DECLARED.iter().filter(|d| d.per_head).map(|d| d.count(shape)).sum::<u64>();
    let slope = Extent::Heads.direct_elasticity(shape, size).unwrap_or(0.0);
    slope * heads as f64 / tensors(shape) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_places_are_those_of_the_parameters() {
        for (place, name) in [
            (at::THETA_PTR, "theta_ptr_reduced"),
            (at::THETA_GATE, "theta_gate_reduced"),
            (at::CONTEXT, "context_logit"),
            (at::SENSORY_IN, "sensory_proj_in.weight"),
            (at::SENSORY_GRU, "sensory_gru.weight_ih"),
            (at::BRIDGE, "sensory_bridge.weight"),
            (at::GRU, "gru.weight_ih"),
            (at::HEADS, "jump_score.weight"),
            (at::HEADS + 4, "jump_score.bias"),
            (at::READOUT, "weight"),
        ] {
            assert_eq!(DECLARED[place].name, name);
        }
    }

    #[test]
    fn counts_are_those_of_the_list() {
        use crate::shape::tests::shape_of;
        for (ring_len, slot_dim, out_dim) in [(12, 8, 1), (12, 24, 1), (7, 33, 5)] {
            let shape = shape_of(ring_len, slot_dim, out_dim);
            let list = list(&shape);
            assert_eq!(list.len(), tensors(&shape));
            assert_eq!(list.last().map(|p| p.range.end as u64), Some(elements(&shape)));
            let (r, d, s, e) = (ring_len, slot_dim, (slot_dim / 3).max(8), out_dim);
            let by_hand = 2 * r
                + 1
                + 2 * s
                + 6 * s * (s + 1)
                + d * (s + 1)
                + 2 * d
                + 6 * d * (d + 1)
                + 4 * (d + 1)
                + e * 256 * (d + 1);
            assert_eq!(elements(&shape), by_hand);
        }
    }
}
