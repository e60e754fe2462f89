//! State loop telemetry: which of eight modes the hidden state of the first samples is in, token by
//! token, and how it goes round between them. It watches, and changes nothing.

use candle_core::{D, DType, Result, Tensor};
use serde::{Deserialize, Serialize};

use super::mode_directions::MODES;
use super::od1::Od1;

/// What the watched samples did in one step, on the device.
#[derive(Debug)]
pub struct StateLoop {
    /// `[n',12]` in u32, a row for each sample: changes of mode from one token to the next, changes
    /// back to the mode of two tokens before, the longest stay in one mode in tokens, tokens in the
    /// last mode, and tokens in each of the eight modes.
    pub(crate) counts: Tensor,
}

/// The state loop of one step in plain numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StateLoopReport {
    /// Changes of mode per sample and token.
    pub flip_rate: f64,
    /// Changes back to the mode of two tokens before, per sample and token.
    pub abab_rate: f64,
    /// Longest stay in one mode, in tokens.
    pub max_dwell: u32,
    /// Tokens that a sample has been in its last mode, on average.
    pub mean_dwell: f64,
    /// Entropy of the modes over samples and tokens, in bits: 0 to 3.
    pub entropy_bits: f64,
}

impl StateLoopReport {
    /// From the counts of each sample.
    fn from_counts(samples: &[Vec<u32>]) -> Self {
        let sum = |column: usize| samples.iter().map(|row| f64::from(row[column])).sum::<f64>();
        // Every watched token is in one mode.
        let modes: [f64; MODES] = std::array::from_fn(|mode| sum(4 + mode));
        let tokens: f64 = modes.iter().sum();
        let shares = modes.iter().filter(|n| **n > 0.0).map(|n| n / tokens);
        Self {
            flip_rate: sum(0) / tokens,
            abab_rate: sum(1) / tokens,
            max_dwell: samples.iter().map(|row| row[2]).max().unwrap_or(0),
            mean_dwell: sum(3) / samples.len() as f64,
            entropy_bits: shares.map(|share| -share * share.log2()).sum(),
        }
    }
}

impl StateLoop {
    /// From a row of counts for each sample.
    pub(crate) fn of_samples(counts: Tensor) -> Self {
        Self { counts }
    }

    /// Reads the counts back from the device.
    ///
    /// # Errors
    ///
    /// candle's, if the device fails.
    pub fn report(&self) -> Result<StateLoopReport> {
        Ok(StateLoopReport::from_counts(&self.counts.to_vec2()?))
    }
}

/// Collects the hidden state of each token; modes and their counts follow from all at once.
pub(super) struct ModeScores {
    watched: usize,
    directions: Tensor,
    /// `[B,D]` each.
    hidden: Vec<Tensor>,
}

impl ModeScores {
    /// None where the model's shape watches no sample.
    pub(super) fn new(model: &Od1) -> Result<Option<Self>> {
        let watched = model.shape().watched();
        if watched == 0 {
            return Ok(None);
        }
        let directions = model.mode_directions()?.clone();
        let hidden = Vec::with_capacity(model.shape().synth_len);
        Ok(Some(Self { watched, directions, hidden }))
    }

    /// Takes note of a token's hidden state `[B,D]`.
    pub(super) fn watch(&mut self, h: &Tensor) {
        self.hidden.push(h.detach());
    }

    pub(super) fn finish(self) -> Result<StateLoop> {
        let Self { watched, directions, hidden } = self;
        let tokens = hidden.len();
        // All tokens in one product: a product each would cost as much as the rest together.
        let hidden = Tensor::stack(&hidden, 0)?.narrow(1, 0, watched)?.contiguous()?;
        let scores = hidden.flatten(0, 1)?.matmul(&directions)?;
        let scores = scores.reshape((tokens, watched, MODES))?;
        let device = scores.device();
        // The mode is a label, 8 for the first direction and 1 for the last: of equal scores the
        // first has the largest label. (candle's argmax on a card may take any of them.)
        let labels = Tensor::arange_step(MODES as i64, 0, -1, device)?.to_dtype(DType::U32)?;
        let is_top = scores.broadcast_eq(&scores.max_keepdim(D::Minus1)?)?.to_dtype(DType::U32)?;
        let modes = is_top.broadcast_mul(&labels)?.max(D::Minus1)?;
        let in_mode = modes.unsqueeze(2)?.broadcast_eq(&labels)?.to_dtype(DType::U32)?;
        let counts = in_mode.sum(0)?;

        let zero = Tensor::zeros(watched, DType::U32, device)?;
        let (mut flips, mut ababs) = (zero.clone(), zero);
        let mut dwell = Tensor::ones(watched, DType::U32, device)?;
        let mut max_dwell = dwell.clone();
        if tokens > 1 {
            let from = |t: usize, len: usize| modes.narrow(0, t, len);
            let now = from(1, tokens - 1)?;
            let changed = now.ne(&from(0, tokens - 1)?)?.to_dtype(DType::U32)?;
            flips = changed.sum(0)?;
            if tokens > 2 {
                // At token 1 the mode before the last is the last: a change is no way back.
                let back = from(2, tokens - 2)?.eq(&from(0, tokens - 2)?)?.to_dtype(DType::U32)?;
                ababs = (back * changed.narrow(0, 1, tokens - 2)?)?.sum(0)?;
            }
            let stayed = now.eq(&from(0, tokens - 1)?)?.to_dtype(DType::U32)?;
            let one = dwell.clone();
            for t in 0..tokens - 1 {
                dwell = ((dwell * stayed.get(t)?)? + &one)?;
                max_dwell = max_dwell.maximum(&dwell)?;
            }
        }
        let columns = Tensor::stack(&[flips, ababs, max_dwell, dwell], 1)?;
        Ok(StateLoop { counts: Tensor::cat(&[columns, counts], 1)? })
    }
}
