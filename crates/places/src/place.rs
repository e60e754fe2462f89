//! A place in a program: its own function that asked for memory, and what it had a library do.

use std::path::PathBuf;

use serde::Serialize;

use crate::class::Class;
use crate::operation::operations;
use crate::symbols::Frame;

/// Parts of a path that are shown of a function: `transformer::Attention::forward`.
const PARTS: usize = 3;

/// Where allocations come from. Allocations of different [classes](Class) are at different places.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Place {
    /// The innermost function of the program's own, or where its code lies (`train+0x1a2b`) where the
    /// program was stripped; none where none of its functions had called.
    pub function: Option<String>,
    /// The source of that function.
    pub file: Option<PathBuf>,
    /// The line in it that called a library, or the driver.
    pub line: Option<u32>,
    /// What it called: the library's outermost operation, and candle's innermost where that is
    /// another.
    pub operations: Vec<String>,
    /// What the memory is for.
    pub class: Class,
}

impl Place {
    /// Of a stack, the driver's caller first. Where the program has no names, the first `shared` frames
    /// are passed over: they allocate for others.
    pub(crate) fn of(frames: &[Frame], class: Class, shared: usize) -> Self {
        let own = frames.iter().position(|frame| frame.is_own);
        let nameless = |frame: &Frame| frame.name.is_none() && frame.is_in_program;
        let own = own
            .or_else(|| Some(shared + frames.get(shared..)?.iter().position(nameless)?))
            .or_else(|| frames.iter().position(nameless));
        let called = &frames[..own.unwrap_or(frames.len())];
        let operations = operations(called);
        let Some(own) = own else {
            return Self { function: None, file: None, line: None, operations, class };
        };
        let function = match &function_of(&frames[own..]).name {
            Some(name) => name.short(PARTS),
            None => frames[own].address.clone(),
        };
        let (file, line) =
            frames[own].source.clone().map_or((None, None), |(file, at)| (Some(file), at));
        Self { function: Some(function), file, line, operations, class }
    }

    /// `transformer::Attention::forward → Tensor::matmul`.
    pub fn label(&self) -> String {
        let function = self.function.as_deref().unwrap_or("outside of the program's functions");
        let parts = std::iter::once(function).chain(self.operations.iter().map(String::as_str));
        parts.collect::<Vec<_>>().join(" → ")
    }

    /// `attention.rs:93`, empty where that is not known.
    pub fn at(&self) -> String {
        let name = self.file.as_ref().and_then(|file| file.file_name());
        let name = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        match self.line {
            Some(line) if !name.is_empty() => format!("{name}:{line}"),
            _ => name,
        }
    }
}

/// The function of the innermost of these frames: of a closure that was inlined, and names no function,
/// the next one out of the same source that does.
fn function_of(frames: &[Frame]) -> &Frame {
    let source = |frame: &Frame| frame.source.as_ref().map(|(file, _)| file.clone());
    let innermost = &frames[0];
    let is_function = |frame: &&Frame| {
        frame.is_own
            && source(frame) == source(innermost)
            && frame.name.as_ref().is_some_and(|name| !name.is_closure_alone())
    };
    frames.iter().find(is_function).unwrap_or(innermost)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::operation::tests::named;

    #[test]
    fn the_innermost_function_of_the_programs_own_is_the_place() {
        let mut frames = [
            "cudarc::driver::result::malloc_async",
            "candle_core::tensor::Tensor::matmul",
            "transformer::model::Attention::forward::{{closure}}",
            "transformer::main",
        ]
        .map(named);
        frames[2].source = Some((PathBuf::from("/home/a/src/attention.rs"), Some(93)));
        let place = Place::of(&frames, Class::Activations, 0);
        assert_eq!(place.label(), "model::Attention::forward → Tensor::matmul");
        assert_eq!((place.at().as_str(), place.line), ("attention.rs:93", Some(93)));
        assert_eq!(place.file.as_deref(), Some(Path::new("/home/a/src/attention.rs")));
    }

    #[test]
    fn a_closure_that_was_inlined_is_its_functions() {
        let mut frames = ["{closure#1}", "core::iter::map", "toy::Net::forward"].map(named);
        for frame in &mut frames {
            frame.source = Some((PathBuf::from("/home/a/src/net.rs"), Some(4)));
            frame.is_own = frame.label() != "core::iter::map";
        }
        frames[0].source = Some((PathBuf::from("/home/a/src/net.rs"), Some(5)));
        let place = Place::of(&frames, Class::Other, 0);
        assert_eq!((place.label().as_str(), place.line), ("toy::Net::forward", Some(5)));
    }

    #[test]
    fn a_thread_of_a_library_has_no_place_of_the_programs() {
        let frames = ["candle_core::tensor::Tensor::zeros", "std::thread::start"].map(named);
        let place = Place::of(&frames, Class::Other, 0);
        assert_eq!(place.label(), "outside of the program's functions → Tensor::zeros");
        assert_eq!(place.at(), "");
    }

    #[test]
    fn a_stripped_program_is_told_by_module_and_offset() {
        let frame = |at: &str| Frame { name: None, address: format!("toy+{at}"), ..named("x::y") };
        let frames = ["0x1", "0x2", "0x3"].map(|at| Frame { is_own: false, ..frame(at) });
        let place = Place::of(&frames, Class::Other, 1);
        assert_eq!(place.label(), "toy+0x2");
        let place = Place::of(&frames, Class::Other, 3);
        assert_eq!(place.label(), "toy+0x1", "all of it is shared");
    }
}
