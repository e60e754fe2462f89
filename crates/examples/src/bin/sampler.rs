//! A small decoder-only language model with random weights that generates text, token by token, until
//! every text of the batch has come to an end token or is as long as allowed. Tokens are drawn on the
//! host, so that how far the cache of keys and values grows depends on values.
//!
//! The prompt is (batch, 16), a later input (batch, 1), logits (batch, 64), each layer's two caches
//! (batch, 8, tokens so far, 32).

use std::io::{Write, stderr};
use std::num::NonZeroUsize;

use candle_core::{DType, Device, IndexOp, Result, Tensor};
use candle_nn::ops::softmax_last_dim;
use candle_nn::{
    Embedding, LayerNorm, Linear, Module, VarBuilder, embedding, layer_norm, linear, linear_no_bias,
};
use clap::Parser;
use rand::distr::weighted::{self, WeightedIndex};
use rand::{SeedableRng, distr::Distribution, rngs::StdRng};
use vram_examples::arguments::{PoolArgument, PrecisionArgument};
use vram_examples::marks::Marks;
use vram_examples::random_ids::random_ids;
use vram_examples::random_weights::random_weights;

const LAYERS: usize = 4;
const WIDTH: usize = 256;
const HEADS: usize = 8;
/// So few that a text ends in about as many tokens.
const VOCABULARY: usize = 64;
const END: u32 = 0;
const PROMPT: usize = 16;
const TEMPERATURE: f32 = 0.8;
/// How many tokens lie between two marks.
const MARKED: usize = 16;

/// Generates text with a small random language model, and prints the memory pool's counters at each
/// mark. How long the text gets depends on values.
#[derive(Parser)]
struct Arguments {
    /// Texts in a batch
    batch: NonZeroUsize,
    /// The most tokens that are generated after a prompt
    #[arg(long, value_name = "N", default_value_t = 256)]
    tokens: usize,
    #[command(flatten)]
    precision: PrecisionArgument,
    #[command(flatten)]
    pool: PoolArgument,
}

/// Keys and values of the tokens so far, each (batch, heads, tokens, width / heads).
type Cache = Option<(Tensor, Tensor)>;

struct Layer {
    attention_norm: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    mlp_norm: LayerNorm,
    up: Linear,
    down: Linear,
}

impl Layer {
    fn new(weights: VarBuilder) -> Result<Self> {
        let projection = |name| linear(WIDTH, WIDTH, weights.pp(name));
        Ok(Self {
            attention_norm: layer_norm(WIDTH, 1e-5, weights.pp("attention_norm"))?,
            query: projection("query")?,
            key: projection("key")?,
            value: projection("value")?,
            output: projection("output")?,
            mlp_norm: layer_norm(WIDTH, 1e-5, weights.pp("mlp_norm"))?,
            up: linear(WIDTH, 4 * WIDTH, weights.pp("up"))?,
            down: linear(4 * WIDTH, WIDTH, weights.pp("down"))?,
        })
    }

    fn forward(&self, x: &Tensor, mask: Option<&Tensor>, cache: &mut Cache) -> Result<Tensor> {
        let x = (x + self.attend(&self.attention_norm.forward(x)?, mask, cache)?)?;
        let hidden = self.up.forward(&self.mlp_norm.forward(&x)?)?.gelu()?;
        &x + self.down.forward(&hidden)?
    }

    fn attend(&self, x: &Tensor, mask: Option<&Tensor>, cache: &mut Cache) -> Result<Tensor> {
        let (batch, new, _) = x.dims3()?;
        let in_heads = |projected: Tensor| {
            let split = projected.reshape((batch, new, HEADS, WIDTH / HEADS))?;
            split.transpose(1, 2)?.contiguous()
        };
        let query = in_heads(self.query.forward(x)?)?;
        let (mut key, mut value) =
            (in_heads(self.key.forward(x)?)?, in_heads(self.value.forward(x)?)?);
        if let Some((keys, values)) = cache.take() {
            key = Tensor::cat(&[keys, key], 2)?;
            value = Tensor::cat(&[values, value], 2)?;
        }
        let scores = (query.matmul(&key.t()?)? / ((WIDTH / HEADS) as f64).sqrt())?;
        let scores = match mask {
            Some(mask) => scores.broadcast_add(mask)?,
            None => scores,
        };
        let mixed = softmax_last_dim(&scores)?.matmul(&value)?.transpose(1, 2)?;
        *cache = Some((key, value));
        self.output.forward(&mixed.reshape((batch, new, WIDTH))?)
    }
}

struct LanguageModel {
    tokens: Embedding,
    positions: Embedding,
    layers: Vec<Layer>,
    norm: LayerNorm,
    head: Linear,
    /// (prompt, prompt): what is added to the scores, so that no token attends to a later one.
    mask: Tensor,
}

impl LanguageModel {
    fn new(longest: usize, weights: VarBuilder) -> Result<Self> {
        let layer = |n| Layer::new(weights.pp(format!("layer.{n}")));
        Ok(Self {
            tokens: embedding(VOCABULARY, WIDTH, weights.pp("tokens"))?,
            positions: embedding(longest, WIDTH, weights.pp("positions"))?,
            layers: (0..LAYERS).map(layer).collect::<Result<_>>()?,
            norm: layer_norm(WIDTH, 1e-5, weights.pp("norm"))?,
            head: linear_no_bias(WIDTH, VOCABULARY, weights.pp("head"))?,
            mask: causal_mask(weights.dtype(), weights.device())?,
        })
    }

    /// What follows the last of `tokens`, which begin at `position`: logits (batch, vocabulary).
    fn forward(&self, tokens: &Tensor, position: usize, caches: &mut [Cache]) -> Result<Tensor> {
        let new = tokens.dim(1)?;
        let positions = self.positions.embeddings().narrow(0, position, new)?;
        let mut x = self.tokens.forward(tokens)?.broadcast_add(&positions)?;
        let mask = (new > 1).then_some(&self.mask);
        for (layer, cache) in self.layers.iter().zip(caches) {
            x = layer.forward(&x, mask, cache)?;
        }
        let last = x.i((.., new - 1))?.contiguous()?;
        self.head.forward(&self.norm.forward(&last)?)
    }
}

fn causal_mask(dtype: DType, device: &Device) -> Result<Tensor> {
    let added = |query, key| if key > query { f32::NEG_INFINITY } else { 0.0 };
    let rows = (0..PROMPT).flat_map(|query| (0..PROMPT).map(move |key| added(query, key)));
    Tensor::from_vec(rows.collect(), (PROMPT, PROMPT), device)?.to_dtype(dtype)
}

/// A token by the softmax of its logits.
fn draw(logits: &[f32], rng: &mut StdRng) -> std::result::Result<u32, weighted::Error> {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights = logits.iter().map(|logit| ((logit - most) / TEMPERATURE).exp());
    Ok(WeightedIndex::new(weights)?.sample(rng) as u32)
}

fn main() -> vram_examples::Result<()> {
    let Arguments { batch, tokens: most, precision, pool } = Arguments::parse();
    let batch = batch.get();
    let (marks, device) = Marks::on_first_card(pool)?;
    let model = LanguageModel::new(PROMPT + most, random_weights(precision.dtype.into(), &device))?;
    marks.mark("parameters")?;
    let mut rng = StdRng::seed_from_u64(0);
    let mut caches = [const { None }; LAYERS];
    let mut tokens = random_ids((batch, PROMPT), VOCABULARY, &mut rng, &device)?;
    let mut logits = model.forward(&tokens, 0, &mut caches)?;
    marks.mark("prompt")?;
    let mut ended = vec![false; batch];
    let mut generated = 0;
    while generated < most {
        let of_texts: Vec<Vec<f32>> = logits.to_dtype(DType::F32)?.to_vec2()?;
        let mut next = vec![END; batch];
        for ((next, ended), logits) in next.iter_mut().zip(&mut ended).zip(&of_texts) {
            if !*ended {
                *next = draw(logits, &mut rng)?;
                *ended = *next == END;
            }
        }
        generated += 1;
        if ended.iter().all(|ended| *ended) {
            break;
        }
        tokens = Tensor::from_vec(next, (batch, 1), &device)?;
        logits = model.forward(&tokens, PROMPT + generated - 1, &mut caches)?;
        if generated.is_multiple_of(MARKED) {
            marks.mark(&format!("token {generated}"))?;
        }
    }
    marks.mark("end")?;
    writeln!(stderr(), "tokens {generated}")?;
    Ok(())
}
