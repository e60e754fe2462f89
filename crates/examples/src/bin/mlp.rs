//! A perceptron of three layers that learns to classify random inputs, with AdamW.
//!
//! Inputs are (batch, 784), hidden layers (batch, 1024), logits (batch, 10).

use candle_core::{DType, Result, Tensor};
use candle_nn::loss::cross_entropy;
use candle_nn::{AdamW, Linear, Module, VarBuilder, VarMap, linear};
use clap::Parser;
use rand::{SeedableRng, rngs::StdRng};
use vram_examples::arguments::{PoolArgument, PrecisionArgument, TrainingArguments};
use vram_examples::marks::Marks;
use vram_examples::random_ids::random_ids;
use vram_examples::training::{train, variables};

const INPUT: usize = 784;
const HIDDEN: usize = 1024;
const CLASSES: usize = 10;

/// Trains a perceptron of three layers on random inputs, and prints the memory pool's counters at
/// each mark.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    training: TrainingArguments,
    #[command(flatten)]
    precision: PrecisionArgument,
    #[command(flatten)]
    pool: PoolArgument,
}

struct Mlp {
    first: Linear,
    second: Linear,
    third: Linear,
}

impl Mlp {
    fn new(weights: VarBuilder) -> Result<Self> {
        Ok(Self {
            first: linear(INPUT, HIDDEN, weights.pp("first"))?,
            second: linear(HIDDEN, HIDDEN, weights.pp("second"))?,
            third: linear(HIDDEN, CLASSES, weights.pp("third"))?,
        })
    }
}

impl Module for Mlp {
    fn forward(&self, inputs: &Tensor) -> Result<Tensor> {
        let hidden = self.first.forward(inputs)?.relu()?;
        let hidden = self.second.forward(&hidden)?.relu()?;
        self.third.forward(&hidden)
    }
}

fn main() -> vram_examples::Result<()> {
    let Arguments { training, precision, pool } = Arguments::parse();
    let (marks, device) = Marks::on_first_card(pool)?;
    let dtype = DType::from(precision.dtype);
    let map = VarMap::new();
    let model = Mlp::new(VarBuilder::from_varmap(&map, dtype, &device))?;
    marks.mark("parameters")?;
    let optimizer = AdamW::new_lr(variables(&map), 1e-3)?;
    marks.mark("optimizer")?;
    let mut rng = StdRng::seed_from_u64(0);
    let batch = training.batch.get();
    train(&marks, training, optimizer, || {
        let inputs = Tensor::randn(0f32, 1.0, (batch, INPUT), &device)?.to_dtype(dtype)?;
        let classes = random_ids(batch, CLASSES, &mut rng, &device)?;
        cross_entropy(&model.forward(&inputs)?.to_dtype(DType::F32)?, &classes)
    })
}
