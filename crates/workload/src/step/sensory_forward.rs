//! The sensory path of the fused forward.

use std::ops::Range;

use super::batch::Batch;
use super::forward::Pass;
use crate::device_kind::DeviceKind;
use crate::error::WorkloadError;
use crate::memory::buffer::TensorRead;
use crate::memory::context::Context;
use crate::ops::copy::CopyAll;
use crate::ops::gru_forward::GruForward;
use crate::ops::matmul::LinearTanh;
use crate::ops::sensory_chain::SensoryChain;
use crate::ops::sensory_inputs::{AddDelayed, RoundAll, TokenMajor};
use crate::parameters::at;
use crate::shape::Compute;

/// The main cell begins after this part of the sensory path: it takes some ten times as long a token.
const EARLY: usize = 8;

impl Pass<'_> {
    /// The sensory path, which does not depend on the ring, and its bridge to the main cell. Returns
    /// for how many tokens the main cell may begin; what it needs of the others is on its way beside.
    pub(super) fn sensory_forward(&mut self, batch: &Batch) -> Result<usize, WorkloadError> {
        let Self { context, shape, weights, acts, .. } = self;
        let (rows, compute) = (shape.tokens(), shape.compute);
        let inputs = TensorRead::new("x", &batch.x)?;
        let by_token = acts.inputs.view_mut();
        context.run(TokenMajor { shape, inputs: inputs.view()?, by_token })?;
        context.run(LinearTanh {
            layer: weights.layer(at::SENSORY_IN)?,
            x: acts.inputs.view(),
            y: acts.sensory_in.view_mut(),
            rows,
            compute,
        })?;
        let (from, to) = (acts.sensory_in.view(), acts.sensory_x.view_mut());
        context.run(CopyAll { from, to, len: rows * shape.sensory })?;
        let all = shape.synth_len;
        let early = all / EARLY;
        let is_whole = early == 0 || shape.sensory_delay < all || compute == Compute::Fp32;
        if is_whole || context.kind() == DeviceKind::Cpu {
            let context = *context;
            self.sensory_states(context, 0..all)?;
            self.bridge(context, 0..all)?;
            return Ok(all);
        }
        // A token of the main cell reads the next one's input, too; and the state that the other part
        // begins with is rounded with that part.
        let (context, bridged) = (*context, early + 1);
        self.sensory_states(context, 0..bridged + 1)?;
        self.bridge(context, 0..bridged)?;
        context.fork()?;
        let beside = context.beside();
        self.sensory_states(&beside, bridged + 1..all)?;
        self.bridge(&beside, bridged..all)?;
        Ok(early)
    }

    /// The bridge to some tokens of the main cell, from the states after them.
    fn bridge(&mut self, context: &Context, tokens: Range<usize>) -> Result<(), WorkloadError> {
        let Self { shape, weights, acts, .. } = self;
        let compute = shape.compute;
        let (len, width) = (shape.batch * shape.sensory, shape.batch * shape.slot_dim);
        // From here on the states are operands of products only.
        let first = tokens.start + usize::from(tokens.start > 0);
        let states = first * len..(tokens.end + 1) * len;
        let values = acts.sensory.view_mut().slice(states.clone());
        context.run(RoundAll { values, len: states.len(), compute })?;
        let after = (tokens.start + 1) * len..(tokens.end + 1) * len;
        context.run(LinearTanh {
            layer: weights.layer(at::BRIDGE)?,
            x: acts.sensory.view().slice(after),
            y: acts.bridged.view_mut().slice(tokens.start * width..tokens.end * width),
            rows: tokens.len() * shape.batch,
            compute,
        })
    }

    /// The sensory states after some tokens.
    fn sensory_states(
        &mut self,
        context: &Context,
        all: Range<usize>,
    ) -> Result<(), WorkloadError> {
        let (shape, compute) = (self.shape, self.shape.compute);
        let len = shape.batch * shape.sensory;
        // A state comes back as input so many tokens later: those before it have theirs.
        let mut first = all.start;
        while first < all.end {
            let tokens = first..all.end.min(first.saturating_add(shape.sensory_delay));
            if let Some(delayed) = first.checked_sub(shape.sensory_delay) {
                let (from, to) = ((delayed + 1) * len, first * len);
                let len = tokens.len() * len;
                let delayed = self.acts.sensory.view().slice(from..from + len);
                let x = self.acts.sensory_x.view_mut().slice(to..to + len);
                context.run(AddDelayed { delayed, x, len, compute })?;
            }
            first = tokens.end;
            self.sensory_tokens(context, tokens)?;
        }
        Ok(())
    }

    /// Some tokens of the sensory cell, whose inputs are there: as one launch, or each for itself.
    fn sensory_tokens(
        &mut self,
        context: &Context,
        tokens: Range<usize>,
    ) -> Result<(), WorkloadError> {
        let Self { shape, weights, acts, .. } = self;
        let cell = weights.cell(at::SENSORY_GRU)?;
        let len = shape.batch * shape.sensory;
        let ran = context.run_at_once(SensoryChain {
            tokens: tokens.clone(),
            shape,
            cell,
            x: acts.sensory_x.view(),
            hidden: acts.sensory.view_mut(),
            gates: acts.sensory_gates.view_mut(),
        })?;
        if ran {
            return Ok(());
        }
        for t in tokens {
            let (hidden, next) = acts.sensory.around(t, len);
            context.run(GruForward {
                cell,
                x: acts.sensory_x.token(t, len),
                hidden,
                operand: acts.operands.sensory(),
                gates: acts.sensory_gates.token_mut(t, 4 * len),
                next,
                batch: shape.batch,
                compute: shape.compute,
            })?;
        }
        Ok(())
    }
}
