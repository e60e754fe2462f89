//! Arguments that several programs take.

use std::num::NonZeroUsize;

use candle_core::DType;
use clap::{Args, ValueEnum};

/// The arguments of every program that trains.
#[derive(Debug, Clone, Copy, Args)]
pub struct TrainingArguments {
    /// Examples in a batch
    pub batch: NonZeroUsize,
    /// Training steps
    #[arg(long, value_name = "N", default_value = "2")]
    pub steps: NonZeroUsize,
    /// Read the loss after each step, as who prints it does: the host waits for the card
    #[arg(long)]
    pub read_loss: bool,
}

/// The argument of every program.
#[derive(Debug, Clone, Copy, Args)]
pub struct PoolArgument {
    /// Memory pool: kept (keeps what is freed, reuses it by the order of calls) or driver (as it comes)
    #[arg(long, value_enum, value_name = "HOW", default_value_t, hide_possible_values = true)]
    pub pool: PoolSetUp,
}

/// How the card's memory pool is set up.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum PoolSetUp {
    /// Keeps what is freed, and reuses it by the order of calls alone.
    #[default]
    Kept,
    /// As the driver makes it.
    Driver,
}

/// The argument of every program whose model computes in either type.
#[derive(Debug, Clone, Copy, Args)]
pub struct PrecisionArgument {
    /// Type of weights and activations: f32 or bf16
    #[arg(long, value_enum, value_name = "TYPE", default_value_t, hide_possible_values = true)]
    pub dtype: Precision,
}

/// The type of a model's weights and activations.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum Precision {
    /// Four bytes a number.
    #[default]
    F32,
    /// Two bytes a number.
    Bf16,
}

impl From<Precision> for DType {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::BF16,
        }
    }
}
