//! Whose a function is: the program's own, or that of a library that it is built on.

use std::path::Path;

use crate::libraries::is_library;
use crate::name::Name;

/// The crate of the registry, or of cargo's git checkouts, that a source lies in; none of another.
pub(crate) fn package_of(file: &Path) -> Option<String> {
    let text = file.to_str()?;
    let (_, inside) =
        text.split_once("/registry/src/").or_else(|| text.split_once("/git/checkouts/"))?;
    // The registry's own name, or the repository's.
    let folder = inside.split('/').nth(1)?;
    // `candle-core-0.11.1`
    let name = match folder.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => name,
        _ => folder,
    };
    Some(name.replace('-', "_"))
}

/// Whether a source is a library's, as where it lies tells; none where it does not.
fn library_source(file: &Path) -> Option<bool> {
    let text = file.to_str()?;
    let libraries =
        ["/registry/src/", "/git/checkouts/", "/rustlib/src/rust/", "/usr/include/", "/usr/lib/"];
    if text.starts_with("/rustc/") || libraries.iter().any(|part| text.contains(part)) {
        return Some(true);
    }
    // A path that was made short when it was built says nothing.
    file.is_absolute().then_some(false)
}

/// Whether a function is the program's own: by where its source lies, and where that is not known by
/// the crate that its name begins with. A name without a path is one of C: the program's own in its
/// executable.
pub(crate) fn is_own(name: &Name, file: Option<&Path>, is_in_program: bool) -> bool {
    if let Some(is_library) = file.and_then(library_source) {
        return !is_library;
    }
    match &name.package {
        Some(package) => !is_library(package) && is_in_program,
        // What starts a program is the C library's, in every executable.
        None => is_in_program && !matches!(name.full.as_str(), "_start" | "__libc_start_main"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(name: &str, file: &str) -> bool {
        let file = Some(Path::new(file)).filter(|file| file.as_os_str() != "");
        is_own(&Name::new(name), file, true)
    }

    #[test]
    fn a_source_tells_whose_a_function_is() {
        let cargo = "/home/a/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        assert!(!own("toy::main", &format!("{cargo}/candle-core-0.11.1/src/tensor.rs")));
        assert!(!own("f", "/home/a/.cargo/git/checkouts/candle-1a/0b1c/candle-nn/src/optim.rs"));
        assert!(!own("core::ops::call", "/rustc/0123/library/core/src/ops/function.rs"));
        assert!(own("candle_core::tensor::Tensor::matmul", "/home/a/candle/candle-core/tensor.rs"));
        assert!(own("call_once<toy::main::{closure_env#0}>", "/home/a/toy/src/main.rs"));
    }

    #[test]
    fn without_a_source_the_name_tells() {
        assert!(own("toy::main", "") && own("main", "") && !own("_start", ""));
        assert!(own("toy::main", "src/main.rs"), "a path that was made short tells nothing");
        assert!(
            !own("candle_nn::optim::AdamW::step", "") && !own("cudarc::driver::result::alloc", "")
        );
        assert!(!own("<T as core::convert::Into<U>>::into", ""));
        assert!(!is_own(&Name::new("malloc"), None, false), "of another file than the program's");
    }

    #[test]
    fn a_source_in_the_registry_names_its_crate() {
        let file =
            "/c/registry/src/index.crates.io-1949cf8c6b5b557f/candle-core-0.11.1/src/tensor.rs";
        assert_eq!(package_of(Path::new(file)).as_deref(), Some("candle_core"));
        assert_eq!(package_of(Path::new("/home/a/toy/src/main.rs")), None);
    }
}
