//! A small convolutional network that learns to classify random images, with SGD.
//!
//! Images are (batch, 3, 32, 32), then (batch, 32, 16, 16) and (batch, 64, 8, 8), logits (batch, 10).

use candle_core::{DType, Result, Tensor};
use candle_nn::loss::cross_entropy;
use candle_nn::{
    BatchNorm, Conv2d, Conv2dConfig, Linear, Module, Optimizer, SGD, VarBuilder, VarMap,
    batch_norm, conv2d, linear,
};
use clap::Parser;
use rand::{SeedableRng, rngs::StdRng};
use vram_examples::arguments::{PoolArgument, TrainingArguments};
use vram_examples::marks::Marks;
use vram_examples::random_ids::random_ids;
use vram_examples::training::{train, variables};

const SIDE: usize = 32;
const CLASSES: usize = 10;

/// Trains a small convolutional network on random images, and prints the memory pool's counters at
/// each mark.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    training: TrainingArguments,
    #[command(flatten)]
    pool: PoolArgument,
}

/// A convolution that keeps height and width, normalised over the batch.
struct Block {
    convolution: Conv2d,
    norm: BatchNorm,
}

impl Block {
    fn new(channels_in: usize, channels_out: usize, weights: VarBuilder) -> Result<Self> {
        let keep_size = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
        let convolution = weights.pp("convolution");
        Ok(Self {
            convolution: conv2d(channels_in, channels_out, 3, keep_size, convolution)?,
            norm: batch_norm(channels_out, 1e-5, weights.pp("norm"))?,
        })
    }
}

impl Module for Block {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.forward_train(&self.convolution.forward(x)?)?.relu()
    }
}

struct ConvNet {
    first: Block,
    second: Block,
    classes: Linear,
}

impl ConvNet {
    fn new(weights: VarBuilder) -> Result<Self> {
        let halved_twice = SIDE / 4;
        Ok(Self {
            first: Block::new(3, 32, weights.pp("first"))?,
            second: Block::new(32, 64, weights.pp("second"))?,
            classes: linear(64 * halved_twice * halved_twice, CLASSES, weights.pp("classes"))?,
        })
    }
}

impl Module for ConvNet {
    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let x = self.first.forward(images)?.max_pool2d(2)?;
        let x = self.second.forward(&x)?.avg_pool2d(2)?;
        self.classes.forward(&x.flatten_from(1)?)
    }
}

fn main() -> vram_examples::Result<()> {
    let Arguments { training, pool } = Arguments::parse();
    let (marks, device) = Marks::on_first_card(pool)?;
    let map = VarMap::new();
    let model = ConvNet::new(VarBuilder::from_varmap(&map, DType::F32, &device))?;
    marks.mark("parameters")?;
    let optimizer = SGD::new(variables(&map), 1e-2)?;
    marks.mark("optimizer")?;
    let mut rng = StdRng::seed_from_u64(0);
    let batch = training.batch.get();
    train(&marks, training, optimizer, || {
        let images = Tensor::randn(0f32, 1.0, (batch, 3, SIDE, SIDE), &device)?;
        let classes = random_ids(batch, CLASSES, &mut rng, &device)?;
        cross_entropy(&model.forward(&images)?, &classes)
    })
}
