//! `candle_transformers`' Llama with random weights: a prompt, then tokens one by one, each the most
//! probable, with a cache of keys and values that grows by one.
//!
//! The prompt is (batch, 64), a later input (batch, 1), logits (batch, 1000), each layer's two caches
//! (batch, 4, tokens so far, 64).

use std::collections::HashMap;
use std::io::{Write, stderr};
use std::num::NonZeroUsize;

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config, Llama};
use clap::Parser;
use rand::{SeedableRng, rngs::StdRng};
use vram_examples::arguments::{PoolArgument, PrecisionArgument};
use vram_examples::marks::Marks;
use vram_examples::random_ids::random_ids;

const PROMPT: usize = 64;
/// How many tokens lie between two marks.
const MARKED: usize = 16;

/// Generates tokens with a random Llama, and prints the memory pool's counters at each mark.
#[derive(Parser)]
struct Arguments {
    /// Texts in a batch
    batch: NonZeroUsize,
    /// Tokens that are generated after a prompt
    #[arg(long, value_name = "N", default_value_t = 32)]
    tokens: usize,
    #[command(flatten)]
    precision: PrecisionArgument,
    #[command(flatten)]
    pool: PoolArgument,
}

/// Llama's own sizes, each about an eighth.
fn config(longest: usize) -> Config {
    Config {
        hidden_size: 512,
        intermediate_size: 1376,
        vocab_size: 1000,
        num_hidden_layers: 4,
        num_attention_heads: 8,
        num_key_value_heads: 4,
        max_position_embeddings: longest,
        ..Config::config_7b_v2(false)
    }
}

/// Random weights by the names of a checkpoint. Made here and not as the model asks for them: its
/// `load` panics where a layer's weight cannot be had, as on a card that is full.
fn weights(config: &Config, dtype: DType, device: &Device) -> Result<HashMap<String, Tensor>> {
    let &Config { hidden_size: hidden, intermediate_size: between, vocab_size, .. } = config;
    let key_value = hidden / config.num_attention_heads * config.num_key_value_heads;
    let matrix = |shape| Tensor::randn(0f32, 0.02, shape, device)?.to_dtype(dtype);
    let norm = || Tensor::ones(hidden, dtype, device);
    let mut weights = HashMap::from([
        ("model.embed_tokens.weight".to_owned(), matrix((vocab_size, hidden))?),
        ("model.norm.weight".to_owned(), norm()?),
        ("lm_head.weight".to_owned(), matrix((vocab_size, hidden))?),
    ]);
    for layer in 0..config.num_hidden_layers {
        let in_layer = |name| format!("model.layers.{layer}.{name}.weight");
        for name in ["input_layernorm", "post_attention_layernorm"] {
            weights.insert(in_layer(name), norm()?);
        }
        for (name, shape) in [
            ("self_attn.q_proj", (hidden, hidden)),
            ("self_attn.k_proj", (key_value, hidden)),
            ("self_attn.v_proj", (key_value, hidden)),
            ("self_attn.o_proj", (hidden, hidden)),
            ("mlp.gate_proj", (between, hidden)),
            ("mlp.up_proj", (between, hidden)),
            ("mlp.down_proj", (hidden, between)),
        ] {
            weights.insert(in_layer(name), matrix(shape)?);
        }
    }
    Ok(weights)
}

fn main() -> vram_examples::Result<()> {
    let Arguments { batch, tokens: count, precision, pool } = Arguments::parse();
    let (marks, device) = Marks::on_first_card(pool)?;
    let dtype = DType::from(precision.dtype);
    let config = config(PROMPT + count);
    let weights = weights(&config, dtype, &device)?;
    let model = Llama::load(VarBuilder::from_tensors(weights, dtype, &device), &config)?;
    let mut cache = Cache::new(true, dtype, &config, &device)?;
    marks.mark("parameters")?;
    let mut rng = StdRng::seed_from_u64(0);
    let prompt = random_ids((batch.get(), PROMPT), config.vocab_size, &mut rng, &device)?;
    let mut logits = model.forward(&prompt, 0, &mut cache)?;
    marks.mark("prompt")?;
    for generated in 1..=count {
        let next = logits.argmax(D::Minus1)?.unsqueeze(1)?;
        logits = model.forward(&next, PROMPT + generated - 1, &mut cache)?;
        if generated.is_multiple_of(MARKED) {
            marks.mark(&format!("token {generated}"))?;
        }
    }
    marks.mark("end")?;
    writeln!(stderr(), "mean logit {}", logits.mean_all()?.to_scalar::<f32>()?)?;
    Ok(())
}
