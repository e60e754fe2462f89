//! Backward of the bridge and of the sensory path.

use std::mem::swap;
use std::ops::Range;

use super::activations::Activations;
use super::backward::{Done, Pass};
use super::forward::Forward;
use super::workspace::Workspace;
use crate::error::WorkloadError;
use crate::memory::context::Context;
use crate::ops::backward_chain::AfterSamples;
use crate::ops::gru_backward::GruBackward;
use crate::ops::matmul::InputGradient;
use crate::ops::sensory_backward_chain::SensoryBackwardChain;
use crate::ops::sensory_step_backward::SensoryStepBackward;
use crate::parameters::at;
use crate::shape::Shape;

/// Parts of the tokens that are left when the sensory path follows the main cell: it takes a fifth of
/// the time a token, so that each part is over when the main cell comes to the next.
const PARTS_LEFT: [usize; 2] = [3, 16];

impl Pass<'_> {
    /// Goes back over the last tokens of the sensory path beside the chain of the main cell's, as it
    /// comes to their inputs. Returns how many tokens are left.
    pub(super) fn sensory_beside(
        &mut self,
        forward: &mut Forward,
        is_chained: bool,
    ) -> Result<usize, WorkloadError> {
        let shape = self.shape;
        let all = shape.synth_len;
        // A state that came back has a gradient from tokens after it.
        if !is_chained || shape.sensory_delay < all {
            return Ok(all);
        }
        let mut left = all;
        for part in PARTS_LEFT {
            let first = all / part;
            if first == 0 {
                break;
            }
            let samples = (all - first + 1) * shape.batch;
            self.context.run_at_once(AfterSamples { samples })?;
            self.sensory_backward(&self.context.beside(), forward, first..left)?;
            left = first;
        }
        Ok(left)
    }

    /// Backward of the bridge and of the sensory path, of some tokens, those after them gone back over.
    pub(super) fn sensory_backward(
        &mut self,
        context: &Context,
        forward: &mut Forward,
        tokens: Range<usize>,
    ) -> Done {
        let shape = self.shape;
        let len = shape.batch * shape.sensory;
        let acts = &mut forward.acts;
        let of =
            |width: usize| tokens.start * shape.batch * width..tokens.end * shape.batch * width;
        context.run(InputGradient {
            layer: self.weights.layer(at::BRIDGE)?,
            dy: acts.bridged.view().slice(of(shape.slot_dim)),
            dx: self.work.d_sensory.view_mut().slice(of(shape.sensory)),
            rows: tokens.len() * shape.batch,
            compute: shape.compute,
        })?;
        let cell = self.weights.cell(at::SENSORY_GRU)?;
        let step = Self::sensory_step(shape, &mut self.work, acts, tokens.end.checked_sub(1));
        let chain = SensoryBackwardChain { step, cell, tokens: tokens.clone() };
        if context.run_at_once(chain)? {
            return Ok(());
        }
        for t in tokens.clone().rev() {
            context.run(Self::sensory_step(shape, &mut self.work, acts, Some(t)))?;
            let work = &mut self.work;
            context.run(GruBackward {
                cell,
                gates: acts.sensory_gates.token(t, 4 * len),
                dx: work.d_sensory_x.view_mut(),
                dh_before: work.d_sensory_before.view_mut(),
                batch: shape.batch,
                compute: shape.compute,
            })?;
            swap(&mut work.d_sensory_state, &mut work.d_sensory_before);
        }
        if tokens.start == 0 {
            context.run(Self::sensory_step(shape, &mut self.work, acts, None))?;
        }
        Ok(())
    }

    /// Gradients of the bridge, of the sensory cell and of the layer before it, from all tokens.
    pub(super) fn sensory_weight_grads(&mut self, forward: &mut Forward) -> Done {
        let len = self.shape.batch * self.shape.sensory;
        let Forward { acts, grads, .. } = forward;
        let states = acts.sensory.len();
        let after = acts.sensory.view().slice(len..states);
        self.layer_weight_grads(grads, at::BRIDGE, (acts.bridged.view(), after))?;
        let before = acts.sensory.view().slice(0..states - len);
        let operands = (acts.sensory_gates.view(), acts.sensory_x.view(), before);
        self.cell_weight_grads(grads, at::SENSORY_GRU, operands)?;
        let operands = (acts.sensory_in.view(), acts.inputs.view());
        self.layer_weight_grads(grads, at::SENSORY_IN, operands)
    }

    /// What the sensory path does between a token and the one before it, `from`.
    fn sensory_step<'a>(
        shape: &'a Shape,
        work: &'a mut Workspace,
        acts: &'a mut Activations,
        from: Option<usize>,
    ) -> SensoryStepBackward<'a> {
        SensoryStepBackward {
            shape,
            from,
            dx: work.d_sensory_x.view(),
            inputs: acts.sensory_in.view_mut(),
            d_states: work.d_sensory.view_mut(),
            states: acts.sensory.view(),
            d_state: work.d_sensory_state.view_mut(),
            d_before: work.d_sensory_before.view_mut(),
            gates: acts.sensory_gates.view_mut(),
        }
    }
}
