//! A decoder-only language model that learns random tokens, with AdamW.
//!
//! Tokens are (batch, sequence), activations (batch, sequence, width), attention scores (batch, heads,
//! sequence, sequence), logits (batch * sequence, vocabulary). No two weights are tied.

use candle_core::{D, DType, Device, Result, Tensor, bail};
use candle_nn::loss::cross_entropy;
use candle_nn::ops::softmax;
use candle_nn::{
    AdamW, Embedding, LayerNorm, Linear, Module, VarBuilder, VarMap, embedding, layer_norm_no_bias,
    linear, linear_no_bias,
};
use clap::Parser;
use rand::{SeedableRng, rngs::StdRng};
use vram_examples::arguments::{PoolArgument, PrecisionArgument, TrainingArguments};
use vram_examples::marks::Marks;
use vram_examples::random_ids::random_ids;
use vram_examples::training::{train, variables};

/// Trains a decoder-only language model on random tokens, and prints the memory pool's counters at
/// each mark.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    training: TrainingArguments,
    #[command(flatten)]
    precision: PrecisionArgument,
    #[command(flatten)]
    pool: PoolArgument,
    #[command(flatten)]
    sizes: Sizes,
}

#[derive(Clone, Copy, clap::Args)]
struct Sizes {
    /// Decoder layers
    #[arg(long, value_name = "N", default_value_t = 4)]
    layers: usize,
    /// Numbers that stand for a token
    #[arg(long, value_name = "N", default_value_t = 256)]
    width: usize,
    /// Attention heads, which share the width
    #[arg(long, value_name = "N", default_value_t = 8)]
    heads: usize,
    /// Tokens in an example
    #[arg(long, value_name = "N", default_value_t = 128)]
    sequence: usize,
    /// Tokens that there are
    #[arg(long, value_name = "N", default_value_t = 1000)]
    vocabulary: usize,
}

struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    heads: usize,
}

impl Attention {
    fn new(sizes: &Sizes, weights: VarBuilder) -> Result<Self> {
        let projection = |name| linear(sizes.width, sizes.width, weights.pp(name));
        Ok(Self {
            query: projection("query")?,
            key: projection("key")?,
            value: projection("value")?,
            output: projection("output")?,
            heads: sizes.heads,
        })
    }

    fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let (batch, sequence, width) = x.dims3()?;
        let head_width = width / self.heads;
        let in_heads = |projected: Tensor| {
            let split = projected.reshape((batch, sequence, self.heads, head_width))?;
            split.transpose(1, 2)?.contiguous()
        };
        let query = in_heads(self.query.forward(x)?)?;
        let key = in_heads(self.key.forward(x)?)?;
        let value = in_heads(self.value.forward(x)?)?;
        let scores = (query.matmul(&key.t()?)? / (head_width as f64).sqrt())?;
        // Not softmax_last_dim, through which no gradient flows.
        let attention = softmax(&scores.broadcast_add(mask)?, D::Minus1)?;
        let mixed = attention.matmul(&value)?.transpose(1, 2)?;
        self.output.forward(&mixed.reshape((batch, sequence, width))?)
    }
}

struct Layer {
    attention_norm: LayerNorm,
    attention: Attention,
    mlp_norm: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Layer {
    fn new(sizes: &Sizes, weights: VarBuilder) -> Result<Self> {
        let width = sizes.width;
        Ok(Self {
            attention_norm: norm(width, weights.pp("attention_norm"))?,
            attention: Attention::new(sizes, weights.pp("attention"))?,
            mlp_norm: norm(width, weights.pp("mlp_norm"))?,
            up: linear(width, 4 * width, weights.pp("up"))?,
            down: linear(4 * width, width, weights.pp("down"))?,
        })
    }

    fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let x = (x + self.attention.forward(&self.attention_norm.forward(x)?, mask)?)?;
        let hidden = self.up.forward(&self.mlp_norm.forward(&x)?)?.gelu()?;
        &x + self.down.forward(&hidden)?
    }
}

/// Without a bias: candle's layer norm with one is a kernel through which no gradient flows.
fn norm(width: usize, weights: VarBuilder) -> Result<LayerNorm> {
    layer_norm_no_bias(width, 1e-5, weights)
}

struct Transformer {
    tokens: Embedding,
    positions: Embedding,
    layers: Vec<Layer>,
    norm: LayerNorm,
    head: Linear,
    /// (sequence, sequence): what is added to the scores, so that no token attends to a later one.
    mask: Tensor,
}

impl Transformer {
    fn new(sizes: &Sizes, weights: VarBuilder) -> Result<Self> {
        let &Sizes { layers, width, heads, sequence, vocabulary } = sizes;
        if heads == 0 || !width.is_multiple_of(heads) {
            bail!("{heads} heads cannot share a width of {width}");
        }
        let layer = |n| Layer::new(sizes, weights.pp(format!("layer.{n}")));
        Ok(Self {
            tokens: embedding(vocabulary, width, weights.pp("tokens"))?,
            positions: embedding(sequence, width, weights.pp("positions"))?,
            layers: (0..layers).map(layer).collect::<Result<_>>()?,
            norm: norm(width, weights.pp("norm"))?,
            head: linear_no_bias(width, vocabulary, weights.pp("head"))?,
            mask: causal_mask(sequence, weights.dtype(), weights.device())?,
        })
    }
}

impl Module for Transformer {
    fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let tokens = self.tokens.forward(tokens)?;
        let mut x = tokens.broadcast_add(self.positions.embeddings())?;
        for layer in &self.layers {
            x = layer.forward(&x, &self.mask)?;
        }
        self.head.forward(&self.norm.forward(&x)?)
    }
}

fn causal_mask(sequence: usize, dtype: DType, device: &Device) -> Result<Tensor> {
    let added = |query, key| if key > query { f32::NEG_INFINITY } else { 0.0 };
    let rows = (0..sequence).flat_map(|query| (0..sequence).map(move |key| added(query, key)));
    Tensor::from_vec(rows.collect(), (sequence, sequence), device)?.to_dtype(dtype)
}

fn main() -> vram_examples::Result<()> {
    let Arguments { training, precision, sizes, pool } = Arguments::parse();
    let (marks, device) = Marks::on_first_card(pool)?;
    let map = VarMap::new();
    let weights = VarBuilder::from_varmap(&map, precision.dtype.into(), &device);
    let model = Transformer::new(&sizes, weights)?;
    marks.mark("parameters")?;
    let optimizer = AdamW::new_lr(variables(&map), 1e-3)?;
    marks.mark("optimizer")?;
    let Sizes { sequence, vocabulary, .. } = sizes;
    let mut rng = StdRng::seed_from_u64(0);
    train(&marks, training, optimizer, || {
        let text = (training.batch.get(), sequence + 1);
        let text = random_ids(text, vocabulary, &mut rng, &device)?;
        let logits = model.forward(&text.narrow(1, 0, sequence)?)?;
        let next = text.narrow(1, 1, sequence)?.flatten_all()?;
        cross_entropy(&logits.flatten_to(1)?.to_dtype(DType::F32)?, &next)
    })
}
