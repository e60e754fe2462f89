//! What a program had a library do: the operations that a reader knows, of all functions below its own.

use crate::libraries::is_plumbing;
use crate::name::Name;
use crate::symbols::Frame;

/// The outermost operation among the functions of libraries, and the innermost of candle's where that is
/// another. `called` begins with the driver's caller.
pub(crate) fn operations(called: &[Frame]) -> Vec<String> {
    let known: Vec<(&String, &Name)> = called
        .iter()
        .filter_map(|frame| {
            frame.name.as_ref().and_then(|name| Some((name.package.as_ref()?, name)))
        })
        .filter(|(package, name)| !is_plumbing(package) && !name.is_closure_alone())
        .collect();
    let outermost = known.last().map(|(package, name)| shown(package, name));
    let innermost = known.iter().find(|(package, name)| is_operation(package, name));
    let innermost = innermost.map(|(package, name)| shown(package, name));
    let innermost = innermost.filter(|inner| Some(inner) != outermost.as_ref());
    outermost.into_iter().chain(innermost).collect()
}

/// Whether a function of candle's is one that programs call too: a method of its tensor, or whatever is
/// built on those.
fn is_operation(package: &str, name: &Name) -> bool {
    let function = name.function();
    // What methods of a tensor share, and what operations of others come in by.
    let is_shared = function.ends_with("_impl")
        || function.ends_with("_single_group")
        || function.starts_with("apply_op");
    match package {
        "candle_core" => name.kind() == Some("Tensor") && !is_shared,
        // What makes a variable is told by whatever declares it.
        _ if matches!(name.kind(), Some("Init" | "VarMap" | "VarBuilderArgs")) => false,
        _ => package.starts_with("candle_"),
    }
}

fn shown(package: &str, name: &Name) -> String {
    let path = name.short(2);
    if name.kind().is_some() {
        // `VarBuilder` is an alias, and what is shared is called by a method of the name before it.
        let path = path.replace("VarBuilderArgs::", "VarBuilder::");
        return path.strip_suffix("_impl").unwrap_or(&path).to_owned();
    }
    match path.split_once("::") {
        // As it is exported: `candle_nn::linear`, `candle_nn::linear_no_bias`.
        Some((module, function)) if function.starts_with(module) => {
            format!("{package}::{function}")
        }
        _ => path,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::origin;

    /// A frame of this name, its source unknown.
    pub fn named(name: &str) -> Frame {
        let name = Name::new(name);
        let is_own = origin::is_own(&name, None, true);
        let address = "toy+0x1".to_owned();
        Frame { name: Some(name), source: None, address, is_in_program: true, is_own }
    }

    fn of(names: &[&str]) -> Vec<String> {
        operations(&names.iter().map(|name| named(name)).collect::<Vec<_>>())
    }

    const ALLOCATES: [&str; 4] = [
        "cudarc::driver::result::malloc_async",
        "cudarc::driver::safe::core::CudaStream::alloc",
        "<candle_core::cuda_backend::CudaStorage as candle_core::backend::BackendStorage>::matmul",
        "candle_core::storage::Storage::matmul",
    ];

    fn with(outer: &[&str]) -> Vec<String> {
        of(&[&ALLOCATES, outer].concat())
    }

    #[test]
    fn the_outermost_operation_and_the_innermost_are_named() {
        let matmul = "candle_core::tensor::Tensor::matmul";
        assert_eq!(with(&[matmul]), ["Tensor::matmul"]);
        let backward = "candle_core::backprop::<impl candle_core::tensor::Tensor>::backward";
        assert_eq!(with(&[matmul, backward]), ["Tensor::backward", "Tensor::matmul"]);
        let linear = "<candle_nn::linear::Linear as candle_core::Module>::forward";
        let called = "<&M as core::ops::function::FnOnce>::call_once";
        assert_eq!(with(&[matmul, linear, called]), ["Linear::forward", "Tensor::matmul"]);
        let inner = "candle_core::tensor::Tensor::zeros_impl";
        let var = "candle_core::variable::Var::zeros";
        let step = "<candle_nn::optim::AdamW as candle_nn::optim::Optimizer>::new";
        assert_eq!(with(&[inner, var, step]), ["AdamW::new"]);
        let init = "candle_nn::init::Init::var";
        assert_eq!(with(&[init, "candle_nn::linear::linear"]), ["candle_nn::linear"]);
        let bare = "candle_nn::linear::linear_no_bias";
        assert_eq!(with(&[bare]), ["candle_nn::linear_no_bias"]);
        assert_eq!(with(&["candle_nn::ops::softmax"]), ["ops::softmax"]);
        assert_eq!(with(&["candle_nn::var_builder::VarBuilderArgs<B>::get"]), ["VarBuilder::get"]);
    }

    #[test]
    fn what_operations_share_is_not_one() {
        let custom = "candle_core::custom_op::<impl candle_core::tensor::Tensor>::apply_op1_arc";
        let lstm = "<candle_nn::rnn::LSTM as candle_nn::rnn::RNN>::seq";
        assert_eq!(with(&[custom, "candle_nn::ops::sigmoid", lstm]), ["LSTM::seq", "ops::sigmoid"]);
        let random = "candle_core::tensor::Tensor::randn_impl";
        assert_eq!(with(&[random]), ["Tensor::randn"]);
        let conv = "candle_core::conv::<impl candle_core::tensor::Tensor>::conv2d_single_group";
        let layer = "<candle_nn::conv::Conv2d as candle_core::Module>::forward";
        assert_eq!(with(&[conv, layer]), ["Conv2d::forward"]);
    }

    #[test]
    fn without_candle_it_is_the_librarys_that_was_called() {
        assert_eq!(of(&ALLOCATES[..2]), ["CudaStream::alloc"]);
        assert!(of(&[]).is_empty());
    }
}
