//! An LSTM that reads random sequences and learns to classify them by its last state, with AdamW.
//!
//! Inputs are (batch, sequence, 64), states (batch, 256), logits (batch, 10).

use candle_core::{DType, Result, Tensor, bail};
use candle_nn::loss::cross_entropy;
use candle_nn::{AdamW, LSTM, LSTMConfig, Linear, Module, RNN, VarBuilder, VarMap, linear, lstm};
use clap::Parser;
use rand::{SeedableRng, rngs::StdRng};
use vram_examples::arguments::{PoolArgument, TrainingArguments};
use vram_examples::marks::Marks;
use vram_examples::random_ids::random_ids;
use vram_examples::training::{train, variables};

const INPUT: usize = 64;
const HIDDEN: usize = 256;
const CLASSES: usize = 10;

/// Trains an LSTM on random sequences, and prints the memory pool's counters at each mark.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    training: TrainingArguments,
    #[command(flatten)]
    pool: PoolArgument,
    /// Inputs in an example
    #[arg(long, value_name = "N", default_value_t = 64)]
    sequence: usize,
}

struct Classifier {
    lstm: LSTM,
    classes: Linear,
}

impl Classifier {
    fn new(weights: VarBuilder) -> Result<Self> {
        Ok(Self {
            lstm: lstm(INPUT, HIDDEN, LSTMConfig::default(), weights.pp("lstm"))?,
            classes: linear(HIDDEN, CLASSES, weights.pp("classes"))?,
        })
    }
}

impl Module for Classifier {
    fn forward(&self, inputs: &Tensor) -> Result<Tensor> {
        match self.lstm.seq(inputs)?.last() {
            Some(state) => self.classes.forward(state.h()),
            None => bail!("a sequence of no inputs has no last state"),
        }
    }
}

fn main() -> vram_examples::Result<()> {
    let Arguments { training, sequence, pool } = Arguments::parse();
    let (marks, device) = Marks::on_first_card(pool)?;
    let map = VarMap::new();
    let model = Classifier::new(VarBuilder::from_varmap(&map, DType::F32, &device))?;
    marks.mark("parameters")?;
    let optimizer = AdamW::new_lr(variables(&map), 1e-3)?;
    marks.mark("optimizer")?;
    let mut rng = StdRng::seed_from_u64(0);
    let batch = training.batch.get();
    train(&marks, training, optimizer, || {
        let inputs = Tensor::randn(0f32, 1.0, (batch, sequence, INPUT), &device)?;
        let classes = random_ids(batch, CLASSES, &mut rng, &device)?;
        cross_entropy(&model.forward(&inputs)?, &classes)
    })
}
