//! Where each parameter lives: all of them share one flat buffer, so that casting, unscaling and
//! Adam are one pass each, and a moment or a gradient of a parameter is the same range of
//! another buffer.

use std::ops::Range;

use rand::Rng;
use rand::distr::Uniform;
use rand_distr::{Distribution, Normal};

use crate::Shape;
use crate::item::{Class, Item};
use crate::shape::CLASSES;

/// The layout, as one element of [`Layout::heap_bytes`]: host memory, whatever the device.
pub(crate) const TABLE: Item = Item::new(Class::Table, "names and places of the parameters", &[]);

/// How a parameter starts.
#[derive(Debug, Clone, Copy)]
enum Init {
    Constant(f32),
    /// Uniform in `[-bound, bound)`.
    Uniform(f32),
    Normal(f32),
}

impl Init {
    /// Glorot and Bengio 2010: `sqrt(6 / (fan_in + fan_out))`.
    fn xavier(fan_out: usize, fan_in: usize) -> Self {
        Self::Uniform((6.0 / (fan_in + fan_out) as f32).sqrt())
    }
}

/// One named parameter and its place in the flat buffer.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) dims: Vec<usize>,
    pub(crate) range: Range<usize>,
    /// Which steps reach it: 0 is every step, `1 + e` those that route a sample to expert e, none
    /// is no step at all.
    pub(crate) group: Option<usize>,
    init: Init,
}

/// Ranges of a linear layer: weight `[out,in]`, bias `[out]`.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    pub(crate) weight: Range<usize>,
    pub(crate) bias: Range<usize>,
}

/// Ranges of a GRU cell, gates in the order r, z, n: weights `[3W,W]`, biases `[3W]`.
#[derive(Debug, Clone)]
pub(crate) struct Gru {
    pub(crate) weight_ih: Range<usize>,
    pub(crate) weight_hh: Range<usize>,
    pub(crate) bias_ih: Range<usize>,
    pub(crate) bias_hh: Range<usize>,
}

/// The flat layout of all parameters of one shape.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) entries: Vec<Entry>,
    pub(crate) theta_ptr: Range<usize>,
    pub(crate) theta_gate: Range<usize>,
    pub(crate) context_logit: usize,
    pub(crate) sensory_in: Linear,
    pub(crate) sensory_gru: Gru,
    pub(crate) bridge: Linear,
    pub(crate) gru: Gru,
    /// `jump_score`, `inertia_head`, `deadzone_head`, `walk_head`, stacked as one `[4,D]` layer.
    pub(crate) heads: Linear,
    /// One readout per expert, at the end of the layout.
    pub(crate) readout: Vec<Linear>,
}

impl Layout {
    pub(crate) fn new(shape: &Shape) -> Self {
        let (r, d, s) = (shape.ring_len, shape.slot_dim, shape.sensory);
        let mut list = List { entries: Vec::new(), group: Some(0) };
        let theta_ptr = list.add("theta_ptr_reduced", &[r], Init::Uniform(4.0));
        let theta_gate = list.add("theta_gate_reduced", &[r], Init::Uniform(0.5));
        let context_logit =
            list.add("context_logit", &[], Init::Constant((0.2f32 / 0.8).ln())).start;
        let sensory_in = list.linear("sensory_proj_in", s, 1);
        let sensory_gru = list.gru("sensory_gru", s, 0.05, 0.0);
        let bridge = list.linear("sensory_bridge", d, s);
        // Present in the original, but unused while the sensory path is on: it has no gradient.
        list.group = None;
        list.linear("input_proj", d, 1);
        list.group = Some(0);
        let f = (r as f32 / 200.0).clamp(0.0, 1.0);
        let gru = list.gru("gru", d, 0.1 - 0.05 * f, 0.5 - 0.3 * f);
        let heads = list.heads(d);
        let readout = (0..shape.out_dim)
            .map(|i| {
                list.group = Some(1 + i);
                let name = format!("head.experts.{i}");
                let name = if shape.out_dim == 1 { "head.single" } else { &name };
                list.linear(name, CLASSES, d)
            })
            .collect();
        Self {
            entries: list.entries,
            theta_ptr,
            theta_gate,
            context_logit,
            sensory_in,
            sensory_gru,
            bridge,
            gru,
            heads,
            readout,
        }
    }

    /// Where the parameters lie that no step reaches: they are neighbours.
    #[cfg(feature = "cuda")]
    pub(crate) fn idle(&self) -> Range<usize> {
        let mut idle = self.entries.iter().filter(|e| e.group.is_none()).map(|e| &e.range);
        let first = idle.next().map_or(0..0, Clone::clone);
        first.start..idle.next_back().map_or(first.end, |last| last.end)
    }

    /// What the layout itself takes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        let names =
            self.entries.iter().map(|e| e.name.capacity() + e.dims.capacity() * size_of::<usize>());
        self.entries.capacity() * size_of::<Entry>()
            + names.sum::<usize>()
            + self.readout.capacity() * size_of::<Linear>()
    }

    /// Number of groups of parameters that a step reaches or not as one.
    pub(crate) fn groups(&self) -> usize {
        1 + self.readout.len()
    }

    /// Fresh values for the flat buffer, drawn as the model's description says.
    pub(crate) fn draw(&self, values: &mut [f32], rng: &mut impl Rng) {
        for entry in &self.entries {
            let slice = &mut values[entry.range.clone()];
            match entry.init {
                Init::Constant(c) => slice.fill(c),
                Init::Uniform(bound) => fill(slice, Uniform::new(-bound, bound), rng),
                Init::Normal(std) => fill(slice, Normal::new(0.0, std), rng),
            }
        }
    }
}

fn fill<D: Distribution<f32>, E>(slice: &mut [f32], dist: Result<D, E>, rng: &mut impl Rng) {
    // The bounds are positive constants of the layout, so the distribution always exists.
    if let Ok(dist) = dist {
        slice.fill_with(|| dist.sample(rng));
    }
}

struct List {
    entries: Vec<Entry>,
    /// Group of what is added next.
    group: Option<usize>,
}

impl List {
    fn add(&mut self, name: &str, dims: &[usize], init: Init) -> Range<usize> {
        let start = self.entries.last().map_or(0, |e| e.range.end);
        let range = start..start + dims.iter().product::<usize>();
        self.entries.push(Entry {
            name: name.to_owned(),
            dims: dims.to_vec(),
            range: range.clone(),
            group: self.group,
            init,
        });
        range
    }

    fn linear(&mut self, name: &str, out: usize, input: usize) -> Linear {
        Linear {
            weight: self.add(&format!("{name}.weight"), &[out, input], Init::xavier(out, input)),
            bias: self.add(&format!("{name}.bias"), &[out], Init::Constant(0.0)),
        }
    }

    fn gru(&mut self, name: &str, width: usize, std: f32, bias: f32) -> Gru {
        let mut part =
            |kind: &str, dims: &[usize], init| self.add(&format!("{name}.{kind}"), dims, init);
        Gru {
            weight_ih: part("weight_ih", &[3 * width, width], Init::Normal(std)),
            weight_hh: part("weight_hh", &[3 * width, width], Init::Normal(std)),
            bias_ih: part("bias_ih", &[3 * width], Init::Constant(bias)),
            bias_hh: part("bias_hh", &[3 * width], Init::Constant(bias)),
        }
    }

    /// The four scalar heads: all weights, then all biases, so that they are one `[4,D]` layer.
    fn heads(&mut self, d: usize) -> Linear {
        let fan = Init::Uniform((d as f32).sqrt().recip());
        let heads = [
            ("jump_score", Init::xavier(1, d), Init::Constant(0.0)),
            ("inertia_head", fan, fan),
            ("deadzone_head", fan, fan),
            ("walk_head", fan, fan),
        ];
        let weights =
            heads.map(|(name, init, _)| self.add(&format!("{name}.weight"), &[1, d], init));
        let biases = heads.map(|(name, _, init)| self.add(&format!("{name}.bias"), &[1], init));
        Linear { weight: weights[0].start..weights[3].end, bias: biases[0].start..biases[3].end }
    }
}
