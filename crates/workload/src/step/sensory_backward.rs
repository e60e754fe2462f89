//! Backward of the bridge and of the sensory path.

use std::mem::swap;

use super::activations::Activations;
use super::backward::{Done, Pass};
use super::forward::Forward;
use super::workspace::Workspace;
use crate::ops::gru_backward::GruBackward;
use crate::ops::matmul::InputGradient;
use crate::ops::sensory_backward_chain::SensoryBackwardChain;
use crate::ops::sensory_step_backward::SensoryStepBackward;
use crate::parameters::at;
use crate::shape::Shape;

impl Pass<'_> {
    /// Backward of the bridge and of the sensory path.
    pub(super) fn sensory_backward(&mut self, forward: &mut Forward) -> Done {
        let shape = self.shape;
        let (b, rows, len) = (shape.batch, shape.tokens(), shape.batch * shape.sensory);
        let Forward { acts, grads, .. } = forward;
        let states = acts.sensory.len();
        let after = acts.sensory.view().slice(len..states);
        self.layer_weight_grads(grads, at::BRIDGE, (acts.bridged.view(), after))?;
        self.context.run(InputGradient {
            layer: self.weights.layer(at::BRIDGE)?,
            dy: acts.bridged.view(),
            dx: self.work.d_sensory.view_mut(),
            rows,
            compute: shape.compute,
        })?;
        let cell = self.weights.cell(at::SENSORY_GRU)?;
        let last = Some(shape.synth_len - 1);
        let step = Self::sensory_step(shape, &mut self.work, acts, last);
        if !self.context.run_at_once(SensoryBackwardChain { step, cell })? {
            for from in (0..shape.synth_len).rev().map(Some).chain([None]) {
                self.context.run(Self::sensory_step(shape, &mut self.work, acts, from))?;
                let Some(t) = from else { break };
                let work = &mut self.work;
                self.context.run(GruBackward {
                    cell,
                    gates: acts.sensory_gates.token(t, 4 * len),
                    dx: work.d_sensory_x.view_mut(),
                    dh_before: work.d_sensory_before.view_mut(),
                    batch: b,
                    compute: shape.compute,
                })?;
                swap(&mut work.d_sensory_state, &mut work.d_sensory_before);
            }
        }
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
