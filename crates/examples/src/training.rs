//! The training step of every program that trains.

use std::io::{Write, stderr};
use std::sync::PoisonError;

use candle_core::{DType, Tensor, Var};
use candle_nn::{Optimizer, VarMap};

use crate::Result;
use crate::arguments::TrainingArguments;
use crate::marks::Marks;

/// The variables of `map` in the order of their names. `VarMap::all_vars` gives them in another order
/// each time, and the optimizer would allocate in another order each time.
pub fn variables(map: &VarMap) -> Vec<Var> {
    let by_name = map.data().lock().unwrap_or_else(PoisonError::into_inner);
    let mut named: Vec<_> = by_name.iter().collect();
    named.sort_by_key(|(name, _)| *name);
    named.into_iter().map(|(_, variable)| variable.clone()).collect()
}

/// Takes `steps` steps, each with the marks `forward`, `backward` and `update`, from the second on
/// with the number of the step. `forward` returns the loss. The last loss is read at the end, once the
/// last mark is set: nothing in between waits for the card, unless each loss is to be read.
///
/// # Errors
///
/// Whatever goes wrong, the card being out of memory among it.
pub fn train(
    marks: &Marks,
    TrainingArguments { steps, read_loss, .. }: TrainingArguments,
    mut optimizer: impl Optimizer,
    mut forward: impl FnMut() -> candle_core::Result<Tensor>,
) -> Result<()> {
    let mut last = None;
    for step in 1..=steps.get() {
        let mark = |name: &str| match step {
            1 => marks.mark(name),
            _ => marks.mark(&format!("{name} {step}")),
        };
        let loss = forward()?;
        mark("forward")?;
        let gradients = loss.backward()?;
        mark("backward")?;
        optimizer.step(&gradients)?;
        drop(gradients);
        // Without its history, which is the step's activations.
        last = Some(loss.detach());
        drop(loss);
        mark("update")?;
        if read_loss && let Some(loss) = &last {
            say(loss)?;
        }
    }
    last.iter().try_for_each(say)
}

fn say(loss: &Tensor) -> Result<()> {
    let loss = loss.to_dtype(DType::F32)?.to_scalar::<f32>()?;
    writeln!(stderr(), "loss {loss}")?;
    Ok(())
}
