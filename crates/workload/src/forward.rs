use candle_core::{Device, Tensor};

use crate::activations::Activations;
use crate::backend::Stages;
use crate::item::{Class, Item, dims};
use crate::shape::CLASSES;
use crate::{Backend, Batch, Model, Tape, WorkloadError};

/// One forward pass: its results, and everything backward needs.
#[derive(Debug)]
pub struct Forward<B: Backend> {
    pub(crate) acts: Activations<B>,
    pub(crate) tape: Tape<B>,
    /// `[B,D]`
    pub(crate) features: B::Buf<f32>,
    /// `[B,C]`
    pub(crate) logits: B::Buf<f32>,
    /// The slot each sample's pointer ends on, `[B]`.
    pub(crate) slots: B::Buf<u32>,
    /// Cross-entropy of each sample, `[B]`.
    pub(crate) losses: B::Buf<f32>,
    pub(crate) results: Results<B>,
    backend: B,
    batch: usize,
    width: usize,
}

/// What a forward pass comes to, on its device: mean loss, and mean distance moved per token.
#[derive(Debug)]
pub(crate) struct Results<B: Stages>(pub(crate) B::Buf<f64>);

const FEATURES: Item = Item::new(Class::Readout, "features", &[dims::B, dims::D]);
const LOGITS: Item = Item::new(Class::Readout, "logits", &[dims::B, dims::C]);
const SLOTS: Item = Item::new(Class::Readout, "last slots", &[dims::B]);
const LOSSES: Item = Item::new(Class::Readout, "losses", &[dims::B]);
const RESULTS: Item = Item::new(Class::Readout, "results", &[dims::TWO]);
/// Gone before forward ends.
const STARTS: Item = Item::new(Class::Inputs, "starts", &[dims::B]);

impl<B: Stages> Results<B> {
    pub(crate) fn read(&self, backend: &B) -> Result<(f32, f64), WorkloadError> {
        let values = backend.read(&self.0, 0..2)?;
        Ok((values[0] as f32, values[1]))
    }
}

impl<B: Stages> Forward<B> {
    /// Mean cross-entropy of the last token's logits.
    ///
    /// # Errors
    ///
    /// If the device does not give it out; as with every reader here.
    pub fn loss(&self) -> Result<f32, WorkloadError> {
        Ok(self.results.read(&self.backend)?.0)
    }

    /// Mean distance, in slots, that a pointer moved per token. Not part of the loss.
    ///
    /// # Errors
    ///
    /// As [`Forward::loss`].
    pub fn move_penalty(&self) -> Result<f64, WorkloadError> {
        Ok(self.results.read(&self.backend)?.1)
    }

    /// The slot each sample's pointer ends on, `[B]`.
    ///
    /// # Errors
    ///
    /// As [`Forward::loss`].
    pub fn ptr_int(&self) -> Result<Vec<u32>, WorkloadError> {
        self.backend.read(&self.slots, 0..self.batch)
    }

    /// The last token's logits, `[B,C]`, on the CPU.
    ///
    /// # Errors
    ///
    /// As [`Forward::loss`], or if candle refuses the tensor.
    pub fn logits(&self) -> Result<Tensor, WorkloadError> {
        let values = self.backend.read(&self.logits, 0..self.batch * CLASSES)?;
        Ok(Tensor::from_vec(values, (self.batch, CLASSES), &Device::Cpu)?)
    }

    /// The ring states that backward will read.
    pub fn tape(&self) -> &Tape<B> {
        &self.tape
    }

    /// The ring states that backward will read, to be changed.
    pub fn tape_mut(&mut self) -> &mut Tape<B> {
        &mut self.tape
    }

    /// The hidden state after token `t`, `[B,D]` row-major.
    ///
    /// # Errors
    ///
    /// As [`Forward::loss`].
    ///
    /// # Panics
    ///
    /// If there is no token `t`.
    pub fn hidden(&self, t: usize) -> Result<Vec<f32>, WorkloadError> {
        assert!(t < self.tape.len(), "no token {t} in this step");
        let len = self.width * self.batch;
        self.backend.read(&self.acts.hidden, (t + 1) * len..(t + 2) * len)
    }

    /// The pointers before token `t`, `[B]`, in `[0,R)`.
    ///
    /// # Errors
    ///
    /// As [`Forward::loss`].
    ///
    /// # Panics
    ///
    /// If there is no token `t`.
    pub fn pointers(&self, t: usize) -> Result<Vec<f64>, WorkloadError> {
        self.backend.read(&self.acts.pointers, t * self.batch..(t + 1) * self.batch)
    }
}

impl<B: Stages> Model<B> {
    /// Runs all tokens of `batch`; sample b's pointer starts at `starts[b] * (R - 1)`.
    ///
    /// # Errors
    ///
    /// [`WorkloadError::OutOfMemory`] if the tape or the activations do not fit,
    /// [`WorkloadError::Device`] if the device fails.
    ///
    /// # Panics
    ///
    /// If `starts` does not hold one value per sample.
    pub fn forward(
        &mut self,
        batch: &Batch<B>,
        starts: &[f64],
    ) -> Result<Forward<B>, WorkloadError> {
        assert_eq!(starts.len(), self.shape.batch, "one start per sample");
        B::cast_weights(self)?;
        let mut forward = self.allocate()?;
        B::sense(self, batch, &mut forward.acts)?;
        let starts = self.backend.upload(&STARTS, &self.shape, || Ok(starts.to_vec()))?;
        B::start(self, &starts, &mut forward)?;
        drop(starts);
        forward.tape.filled_one_more();
        B::turn(self, &mut forward, None)?;
        for t in 0..self.shape.synth_len {
            if t + 1 < self.shape.synth_len {
                self.backend.advance(&mut forward.tape, t)?;
                forward.tape.filled_one_more();
            }
            B::cell(self, &mut forward.acts, t)?;
            B::turn(self, &mut forward, Some(t))?;
        }
        B::read_out(self, batch, &mut forward)?;
        Ok(forward)
    }

    fn allocate(&self) -> Result<Forward<B>, WorkloadError> {
        let (backend, shape) = (&self.backend, &self.shape);
        let (b, d) = (shape.batch, shape.slot_dim);
        Ok(Forward {
            // First: what does not fit is most likely this.
            tape: Tape::new(backend, shape)?,
            acts: Activations::new(backend, shape)?,
            features: backend.zeroed(&FEATURES, shape)?,
            logits: backend.zeroed(&LOGITS, shape)?,
            slots: backend.zeroed(&SLOTS, shape)?,
            losses: backend.zeroed(&LOSSES, shape)?,
            results: Results(backend.zeroed(&RESULTS, shape)?),
            backend: backend.clone(),
            batch: b,
            width: d,
        })
    }
}
