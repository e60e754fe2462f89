//! What memory is for, as far as stacks and marks tell.

use serde::Serialize;

use crate::symbols::Frame;

/// What an allocation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Class {
    /// Parameters, data and whatever else is set up once.
    Parameters,
    /// What a forward pass made.
    Activations,
    /// What a backward pass made: gradients, and what they were computed from on the way.
    Gradients,
    /// What an optimizer made: its state, and what it computes a step with.
    Optimizer,
    /// What lies beside the card's pools: what libraries take for themselves, and what is asked for with
    /// `cuMemAlloc`.
    Outside,
    /// Neither stack nor mark tells.
    Other,
}

impl Class {
    /// Every class.
    pub const ALL: &[Self] = &[
        Self::Parameters,
        Self::Activations,
        Self::Gradients,
        Self::Optimizer,
        Self::Outside,
        Self::Other,
    ];

    /// Its name, for reading.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parameters => "parameters",
            Self::Activations => "activations",
            Self::Gradients => "gradients",
            Self::Optimizer => "optimizer",
            Self::Outside => "outside pools",
            Self::Other => "other",
        }
    }
}

/// The marks around an allocation.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Between<'a> {
    /// Whether a mark was set before it.
    pub after_a_mark: bool,
    /// The name of the next mark after it.
    pub next: Option<&'a str>,
}

/// The class of an allocation: its stack's, or else that of the phase that the next mark ends.
pub(crate) fn class(frames: &[Frame], between: Between<'_>) -> Class {
    by_stack(frames)
        .or_else(|| by_mark(between))
        .or_else(|| by_forward(frames))
        .unwrap_or(Class::Other)
}

fn by_stack(frames: &[Frame]) -> Option<Class> {
    let any = |is: fn(Option<&str>, &str) -> bool| {
        frames.iter().filter_map(|frame| frame.name.as_ref()).any(|n| is(n.kind(), n.function()))
    };
    let optimizes = |kind: Option<&str>, _: &str| {
        kind.is_some_and(|kind| {
            matches!(kind, "AdamW" | "Adam" | "SGD" | "ParamsAdamW") || kind.ends_with("Optimizer")
        })
    };
    let goes_back =
        |kind: Option<&str>, function: &str| kind == Some("Tensor") && function == "backward";
    let declares = |kind: Option<&str>, _: &str| {
        kind.is_some_and(|kind| matches!(kind, "Var" | "VarMap" | "VarBuilderArgs"))
    };
    // An optimizer may go back itself (`backward_step`), and its state is variables.
    match () {
        () if any(goes_back) => Some(Class::Gradients),
        () if any(optimizes) => Some(Class::Optimizer),
        () if any(declares) => Some(Class::Parameters),
        () => None,
    }
}

fn by_mark(Between { after_a_mark, next }: Between<'_>) -> Option<Class> {
    let next = next?.to_lowercase();
    let begins = |words: &[&str]| words.iter().any(|word| next.starts_with(word));
    match () {
        () if begins(&["backward"]) => Some(Class::Gradients),
        () if begins(&["update", "step", "optimizer"]) => Some(Class::Optimizer),
        // Before any mark the model was set up, too.
        () if begins(&["forward"]) && after_a_mark => Some(Class::Activations),
        () if begins(&["start", "parameters", "model", "weights", "data"]) => {
            Some(Class::Parameters)
        }
        () => None,
    }
}

/// Without a mark that tells: what a function of the name that models have made.
fn by_forward(frames: &[Frame]) -> Option<Class> {
    let mut names = frames.iter().filter_map(|frame| frame.name.as_ref());
    names.any(|n| matches!(n.function(), "forward" | "forward_t")).then_some(Class::Activations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::tests::named;

    fn of(names: &[&str], after_a_mark: bool, next: Option<&str>) -> Class {
        let frames: Vec<_> = names.iter().map(|name| named(name)).collect();
        class(&frames, Between { after_a_mark, next })
    }

    #[test]
    fn a_stack_tells_before_a_mark_does() {
        let matmul = "candle_core::tensor::Tensor::matmul";
        let backward = "candle_core::backprop::<impl candle_core::tensor::Tensor>::backward";
        let var = "candle_core::variable::Var::zeros";
        let adam = "<candle_nn::optim::AdamW as candle_nn::optim::Optimizer>::new";
        let own = "toy::LionOptimizer::step";
        assert_eq!(of(&[matmul, backward], true, Some("forward")), Class::Gradients);
        assert_eq!(of(&[var, adam], false, None), Class::Optimizer);
        assert_eq!(of(&[matmul, own], false, None), Class::Optimizer);
        assert_eq!(of(&[var, "toy::main"], true, Some("forward")), Class::Parameters);
    }

    #[test]
    fn a_mark_ends_the_phase_that_it_names() {
        let mark = |after, name| of(&["toy::main"], after, Some(name));
        assert_eq!(mark(true, "backward 2"), Class::Gradients);
        assert_eq!(mark(true, "update"), Class::Optimizer);
        assert_eq!(mark(true, "Forward"), Class::Activations);
        assert_eq!(mark(false, "forward"), Class::Other, "the model was set up there as well");
        assert_eq!(mark(false, "parameters"), Class::Parameters);
        assert_eq!(mark(true, "evaluated"), Class::Other);
    }

    #[test]
    fn without_marks_only_a_stack_tells() {
        assert_eq!(of(&["toy::Net::forward", "toy::main"], false, None), Class::Activations);
        assert_eq!(of(&["toy::main"], false, None), Class::Other);
        assert_eq!(of(&[], false, None), Class::Other);
    }
}
