//! `candle_transformers`' BERT with random weights, which encodes random sentences. Forward only:
//! it ends in candle's layer norm, a kernel through which no gradient flows.
//!
//! Tokens are (batch, 128), attention scores (batch, 12, 128, 128), encodings (batch, 128, 384).

use std::io::{Write, stderr};
use std::num::NonZeroUsize;

use candle_transformers::models::bert::{BertModel, Config, DTYPE};
use clap::Parser;
use rand::{SeedableRng, rngs::StdRng};
use vram_examples::arguments::PoolArgument;
use vram_examples::marks::Marks;
use vram_examples::random_ids::random_ids;
use vram_examples::random_weights::random_weights;

const SEQUENCE: usize = 128;

/// Encodes random sentences with a random BERT, and prints the memory pool's counters at each mark.
#[derive(Parser)]
struct Arguments {
    /// Sentences in a batch
    batch: NonZeroUsize,
    /// Batches to encode
    #[arg(long, value_name = "N", default_value = "2")]
    steps: NonZeroUsize,
    #[command(flatten)]
    pool: PoolArgument,
}

fn main() -> vram_examples::Result<()> {
    let Arguments { batch, steps, pool } = Arguments::parse();
    let (marks, device) = Marks::on_first_card(pool)?;
    // The sizes of all-MiniLM-L6-v2.
    let config = Config {
        hidden_size: 384,
        num_hidden_layers: 6,
        intermediate_size: 1536,
        ..Config::default()
    };
    let model = BertModel::load(random_weights(DTYPE, &device), &config)?;
    marks.mark("parameters")?;
    let mut rng = StdRng::seed_from_u64(0);
    let mut last = None;
    for step in 1..=steps.get() {
        let tokens = (batch.get(), SEQUENCE);
        let tokens = random_ids(tokens, config.vocab_size, &mut rng, &device)?;
        let one_sentence = tokens.zeros_like()?;
        last = Some(model.forward(&tokens, &one_sentence, None)?);
        match step {
            1 => marks.mark("forward")?,
            _ => marks.mark(&format!("forward {step}"))?,
        }
    }
    if let Some(encoding) = last {
        writeln!(stderr(), "mean square {}", encoding.sqr()?.mean_all()?.to_scalar::<f32>()?)?;
    }
    Ok(())
}
