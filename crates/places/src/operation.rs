//! What a program had a library do: the operations that a reader knows, of all functions below its own.

use crate::libraries::is_plumbing;
use crate::name::Name;
use crate::symbols::Frame;

/// The outermost operation among the functions of libraries, and the innermost of a tensor where that
/// is another. `called` begins with the driver's caller.
pub(crate) fn operations(called: &[Frame]) -> Vec<String> {
    let known: Vec<(&String, &Name)> = called
        .iter()
        .filter_map(|frame| {
            frame.name.as_ref().and_then(|name| Some((name.package.as_ref()?, name)))
        })
        .filter(|(package, name)| !is_plumbing(package) && !name.is_closure_alone())
        .collect();
    let outermost = known.last().map(|(package, name)| shown(package, name));
    let of_tensor = known.iter().find(|(package, name)| {
        *package == "candle_core" && name.kind() == Some("Tensor") && !is_internal(name.function())
    });
    let innermost = of_tensor.map(|(package, name)| shown(package, name));
    let innermost = innermost.filter(|inner| Some(inner) != outermost.as_ref());
    outermost.into_iter().chain(innermost).collect()
}

/// Whether a method of candle's tensor is a step of another.
fn is_internal(function: &str) -> bool {
    function.ends_with("_impl")
}

fn shown(package: &str, name: &Name) -> String {
    if name.kind().is_some() {
        // `VarBuilder` is an alias.
        return name.short(2).replace("VarBuilderArgs::", "VarBuilder::");
    }
    let path = name.short(2);
    match path.split_once("::") {
        // As it is exported: `candle_nn::linear`.
        Some((module, function)) if module == function => format!("{package}::{function}"),
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
    fn the_outermost_operation_and_the_innermost_of_a_tensor_are_named() {
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
        assert_eq!(with(&["candle_nn::linear::linear"]), ["candle_nn::linear"]);
        assert_eq!(with(&["candle_nn::ops::softmax"]), ["ops::softmax"]);
        assert_eq!(with(&["candle_nn::var_builder::VarBuilderArgs<B>::get"]), ["VarBuilder::get"]);
    }

    #[test]
    fn without_candle_it_is_the_librarys_that_was_called() {
        assert_eq!(of(&ALLOCATES[..2]), ["CudaStream::alloc"]);
        assert!(of(&[]).is_empty());
    }
}
