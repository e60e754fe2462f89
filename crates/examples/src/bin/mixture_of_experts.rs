//! A mixture of experts that learns to classify random tokens, with AdamW. A router gives every token
//! to two of eight experts; its choices are read on the host, so that how many tokens an expert gets,
//! and with that every shape behind it, depends on values.
//!
//! Tokens are (batch * 64, 128), the router's probabilities (tokens, 8), what an expert reads (its
//! tokens, 128), its hidden layer (its tokens, 512), logits (tokens, 10).

use candle_core::{DType, Result, Tensor};
use candle_nn::loss::cross_entropy;
use candle_nn::ops::softmax;
use candle_nn::{AdamW, Linear, Module, VarBuilder, VarMap, linear, linear_no_bias};
use clap::Parser;
use rand::{SeedableRng, rngs::StdRng};
use vram_examples::arguments::{PoolArgument, TrainingArguments};
use vram_examples::marks::Marks;
use vram_examples::random_ids::random_ids;
use vram_examples::training::{train, variables};

const SEQUENCE: usize = 64;
const WIDTH: usize = 128;
const HIDDEN: usize = 512;
const EXPERTS: usize = 8;
const EXPERTS_PER_TOKEN: usize = 2;
const CLASSES: usize = 10;

/// Trains a mixture of experts on random tokens, and prints the memory pool's counters at each mark.
/// How much an expert has to do depends on values.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    training: TrainingArguments,
    #[command(flatten)]
    pool: PoolArgument,
}

struct Expert {
    up: Linear,
    down: Linear,
}

impl Expert {
    fn new(weights: VarBuilder) -> Result<Self> {
        Ok(Self {
            up: linear(WIDTH, HIDDEN, weights.pp("up"))?,
            down: linear(HIDDEN, WIDTH, weights.pp("down"))?,
        })
    }
}

impl Module for Expert {
    fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        self.down.forward(&self.up.forward(tokens)?.relu()?)
    }
}

struct MixtureOfExperts {
    router: Linear,
    experts: Vec<Expert>,
    classes: Linear,
}

impl MixtureOfExperts {
    fn new(weights: VarBuilder) -> Result<Self> {
        let expert = |n| Expert::new(weights.pp(format!("expert.{n}")));
        Ok(Self {
            router: linear_no_bias(WIDTH, EXPERTS, weights.pp("router"))?,
            experts: (0..EXPERTS).map(expert).collect::<Result<_>>()?,
            classes: linear(WIDTH, CLASSES, weights.pp("classes"))?,
        })
    }
}

impl Module for MixtureOfExperts {
    fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let probabilities = softmax(&self.router.forward(tokens)?, 1)?;
        let chosen = tokens_of_experts(&probabilities.to_vec2()?);
        let mut mixed = tokens.clone();
        for ((number, expert), chosen) in self.experts.iter().enumerate().zip(chosen) {
            if chosen.is_empty() {
                continue;
            }
            let count = chosen.len();
            let chosen = Tensor::from_vec(chosen, count, tokens.device())?;
            let answers = expert.forward(&tokens.index_select(&chosen, 0)?)?;
            let shares = probabilities.index_select(&chosen, 0)?.narrow(1, number, 1)?;
            mixed = mixed.index_add(&chosen, &answers.broadcast_mul(&shares)?, 0)?;
        }
        self.classes.forward(&mixed)
    }
}

/// For each expert the tokens that count it among their most probable, in order.
fn tokens_of_experts(probabilities: &[Vec<f32>]) -> [Vec<u32>; EXPERTS] {
    let mut tokens = [const { Vec::new() }; EXPERTS];
    for (token, of_experts) in (0..).zip(probabilities) {
        let mut experts: [usize; EXPERTS] = std::array::from_fn(|n| n);
        experts.sort_by(|&a, &b| of_experts[b].total_cmp(&of_experts[a]));
        for &expert in &experts[..EXPERTS_PER_TOKEN] {
            tokens[expert].push(token);
        }
    }
    tokens
}

fn main() -> vram_examples::Result<()> {
    let Arguments { training, pool } = Arguments::parse();
    let (marks, device) = Marks::on_first_card(pool)?;
    let map = VarMap::new();
    let model = MixtureOfExperts::new(VarBuilder::from_varmap(&map, DType::F32, &device))?;
    marks.mark("parameters")?;
    let optimizer = AdamW::new_lr(variables(&map), 1e-3)?;
    marks.mark("optimizer")?;
    let mut rng = StdRng::seed_from_u64(0);
    let count = training.batch.get() * SEQUENCE;
    train(&marks, training, optimizer, || {
        let tokens = Tensor::randn(0f32, 1.0, (count, WIDTH), &device)?;
        let classes = random_ids(count, CLASSES, &mut rng, &device)?;
        cross_entropy(&model.forward(&tokens)?, &classes)
    })
}
