//! The sensory path of the fused forward.

use std::ops::Range;

use super::batch::Batch;
use super::forward::Pass;
use crate::error::WorkloadError;
use crate::memory::buffer::TensorRead;
use crate::ops::copy::CopyAll;
use crate::ops::gru_forward::GruForward;
use crate::ops::matmul::LinearTanh;
use crate::ops::sensory_chain::SensoryChain;
use crate::ops::sensory_inputs::{AddDelayed, RoundAll, TokenMajor};
use crate::parameters::at;

impl Pass<'_> {
    /// The sensory path, which does not depend on the ring, and its bridge to the main cell.
    pub(super) fn sensory_forward(&mut self, batch: &Batch) -> Result<(), WorkloadError> {
        let Self { context, shape, weights, acts, .. } = self;
        let (rows, compute) = (shape.tokens(), shape.compute);
        let len = shape.batch * shape.sensory;
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
        // A state comes back as input so many tokens later: those before it have theirs.
        let shape = *shape;
        let mut first = 0;
        while first < shape.synth_len {
            let tokens = first..shape.synth_len.min(first.saturating_add(shape.sensory_delay));
            if let Some(delayed) = first.checked_sub(shape.sensory_delay) {
                let (from, to) = ((delayed + 1) * len, first * len);
                let len = tokens.len() * len;
                let delayed = self.acts.sensory.view().slice(from..from + len);
                let x = self.acts.sensory_x.view_mut().slice(to..to + len);
                self.context.run(AddDelayed { delayed, x, len, compute })?;
            }
            first = tokens.end;
            self.sensory_tokens(tokens)?;
        }
        let Self { context, shape, weights, acts, .. } = self;
        // From here on the states are operands of products only.
        let (values, all) = (acts.sensory.view_mut(), rows * shape.sensory + len);
        context.run(RoundAll { values, len: all, compute })?;
        context.run(LinearTanh {
            layer: weights.layer(at::BRIDGE)?,
            x: acts.sensory.view().slice(len..all),
            y: acts.bridged.view_mut(),
            rows,
            compute,
        })
    }

    /// Some tokens of the sensory cell, whose inputs are there: as one launch, or each for itself.
    fn sensory_tokens(&mut self, tokens: Range<usize>) -> Result<(), WorkloadError> {
        let Self { context, shape, weights, acts, .. } = self;
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
