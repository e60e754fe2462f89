//! A demangled name of a function, read: the crate that it is of, and what a reader calls it.

use std::path::Path;

use crate::libraries::is_library;

/// The name of a function, as its symbol or its debug information gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    /// All of it, without hashes.
    pub full: String,
    /// The crate, or the outermost namespace; none where a name has no path.
    pub package: Option<String>,
    /// What it is made of without generics and closures: modules, the type, the function. Of a method
    /// of a trait the type's path, not the trait's.
    path: Vec<String>,
}

impl Name {
    pub fn new(demangled: &str) -> Self {
        let full = without_hash(demangled).to_owned();
        let parts = segments(&full);
        let mut package = None;
        let mut path: Vec<String> = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            match inside_brackets(part) {
                // `<T as Trait>`, `<T>`, and inside of a path `<impl Trait for T>`.
                Some(inside) if i == 0 || inside.starts_with("impl ") => {
                    let (kind, of_trait) = kind_and_trait(inside);
                    let own = Self::new(plain(kind));
                    let foreign = of_trait.and_then(|name| Self::new(plain(name)).package);
                    // A parameter has no crate, and an impl for another crate's type lies with the trait.
                    let of = if own.is_library() { foreign.or(own.package) } else { own.package };
                    // What an impl is written in is a path before it.
                    package = path.first().cloned().or(of);
                    path = own.path;
                }
                // Generics: `::<f32>`.
                Some(_) => {}
                // A closure, or a shim.
                None if part.starts_with('{') => {}
                None => path.push(without_generics(part).to_owned()),
            }
        }
        if package.is_none() && path.len() > 1 {
            package = path.first().cloned();
        }
        Self { full, package, path }
    }

    /// The same for one that debug information gives without a path: with the module, and candle's tensor,
    /// that its source is named after.
    pub fn in_source(mut self, package: Option<&str>, file: &Path) -> Self {
        let stem = |path: &Path| Some(path.file_stem()?.to_str()?.replace('-', "_"));
        let is_root = |name: &String| matches!(name.as_str(), "main" | "lib" | "mod");
        // `toy/src/main.rs` is of `toy`, and `model/mod.rs` of `model`.
        let above = |path: &Path| {
            let mut folders = path.ancestors().skip(1).filter_map(stem);
            folders.find(|name| name != "src")
        };
        let module = stem(file).filter(|name| !is_root(name)).or_else(|| above(file));
        if let (1, Some(module)) = (self.path.len(), module) {
            let module = match (package, module.as_str()) {
                (Some("candle_core"), "tensor" | "backprop") => "Tensor".to_owned(),
                _ => module,
            };
            self.path.insert(0, module);
        }
        self.package = self.package.or_else(|| package.map(str::to_owned));
        self
    }

    /// Whether it is of a crate that programs are built on, or of none that is known.
    pub fn is_library(&self) -> bool {
        self.package.as_deref().is_none_or(is_library)
    }

    /// The function, without its path.
    pub fn function(&self) -> &str {
        self.path.last().map_or(&self.full, String::as_str)
    }

    /// The type that it is a method of.
    pub fn kind(&self) -> Option<&str> {
        let before = self.path.len().checked_sub(2)?;
        let kind = self.path[before].as_str();
        kind.starts_with(|c: char| c.is_uppercase()).then_some(kind)
    }

    /// Whether it is a closure whose function it does not name.
    pub fn is_closure_alone(&self) -> bool {
        self.path.is_empty()
    }

    /// The last `most` parts of the path.
    pub fn short(&self, most: usize) -> String {
        if self.path.is_empty() {
            return self.full.clone();
        }
        self.path[self.path.len().saturating_sub(most)..].join("::")
    }
}

/// Without the hash at the end of a name of the older mangling.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((rest, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            rest
        }
        _ => name,
    }
}

/// The text cut at each `::` outside of brackets. C++ names end before their parameters.
fn segments(name: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut begin, mut last) = (0_usize, 0, ' ');
    for (i, c) in name.char_indices() {
        match c {
            '(' if depth == 0 && i > begin => {
                parts.push(&name[begin..i]);
                return parts;
            }
            '<' | '(' | '[' | '{' => depth += 1,
            // Not that of `->`.
            '>' if last == '-' => {}
            '>' | ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && last == ':' => {
                parts.push(&name[begin..i - 1]);
                begin = i + 1;
                // A third colon is of what follows.
                last = ' ';
                continue;
            }
            _ => {}
        }
        last = c;
    }
    parts.push(&name[begin..]);
    parts.retain(|part| !part.is_empty());
    parts
}

/// What stands in `<...>`, where that is all.
fn inside_brackets(part: &str) -> Option<&str> {
    part.strip_prefix('<')?.strip_suffix('>')
}

fn without_generics(part: &str) -> &str {
    // An operator of C++ is a name with brackets.
    if part.starts_with("operator") { part } else { part.split('<').next().unwrap_or(part) }
}

/// The type and the trait of `T as Trait`, `impl Trait for T`, `impl T` or `T`.
fn kind_and_trait(inside: &str) -> (&str, Option<&str>) {
    if let Some(implemented) = inside.strip_prefix("impl ") {
        return match at_depth_0(implemented, " for ") {
            Some((of_trait, kind)) => (kind, Some(of_trait)),
            None => (implemented, None),
        };
    }
    match at_depth_0(inside, " as ") {
        Some((kind, of_trait)) => (kind, Some(of_trait)),
        None => (inside, None),
    }
}

/// The text on both sides of `word`, outside of brackets.
fn at_depth_0<'a>(text: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    text.match_indices(word).map(|(i, _)| (&text[..i], &text[i + word.len()..])).find(
        |(before, _)| {
            let arrows = before.matches("->").count();
            before.matches('<').count() == before.matches('>').count() - arrows
        },
    )
}

/// A type without what refers to it.
fn plain(kind: &str) -> &str {
    let mut kind = kind.trim();
    loop {
        let shorter = ["&", "*const ", "*mut ", "mut ", "dyn ", "("];
        match shorter.iter().find_map(|prefix| kind.strip_prefix(prefix)) {
            Some(rest) => kind = rest.trim_start(),
            None => return kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(demangled: &str) -> (String, Option<String>) {
        let name = Name::new(demangled);
        (name.path.join("::"), name.package)
    }

    #[test]
    fn both_manglings_of_rust_are_read_alike() {
        for (demangled, path, package) in [
            (
                "candle_core::tensor::Tensor::matmul::h0123456789abcdef",
                "candle_core::tensor::Tensor::matmul",
                "candle_core",
            ),
            (
                "<candle_core::tensor::Tensor>::matmul",
                "candle_core::tensor::Tensor::matmul",
                "candle_core",
            ),
            (
                "candle_core::backprop::<impl candle_core::tensor::Tensor>::backward",
                "candle_core::tensor::Tensor::backward",
                "candle_core",
            ),
            (
                "<transformer::Transformer as candle_core::Module>::forward",
                "transformer::Transformer::forward",
                "transformer",
            ),
            (
                "candle_core::tensor::<impl core::ops::arith::Mul<f64> for &candle_core::tensor::Tensor>::mul",
                "candle_core::tensor::Tensor::mul",
                "candle_core",
            ),
            ("toy::main::{closure#0}::{closure#1}", "toy::main", "toy"),
            ("toy::main::{{closure}}", "toy::main", "toy"),
            ("toy::map::<fn(u8) -> a::B, [c::D; 2]>", "toy::map", "toy"),
            (
                "core::ops::function::FnOnce::call_once{{vtable.shim}}",
                "core::ops::function::FnOnce::call_once{{vtable.shim}}",
                "core",
            ),
        ] {
            assert_eq!(read(demangled), (path.to_owned(), Some(package.to_owned())), "{demangled}");
        }
    }

    #[test]
    fn an_impl_is_of_whoever_wrote_it() {
        let package = |name: &str| Name::new(name).package.unwrap();
        // Of a parameter, of another crate's type, and of the standard library's on one's own.
        assert_eq!(package("<T as core::convert::Into<U>>::into"), "core");
        assert_eq!(package("<&M as candle_core::Module>::forward"), "candle_core");
        assert_eq!(package("<candle_core::tensor::Tensor as toy::Extended>::twice"), "toy");
        assert_eq!(package("<toy::Net as core::clone::Clone>::clone"), "toy");
        assert_eq!(
            package(
                "<alloc::vec::Vec<T> as alloc::vec::spec_from_iter::SpecFromIter<T,I>>::from_iter"
            ),
            "alloc"
        );
    }

    #[test]
    fn names_are_shown_as_a_reader_wants_them() {
        let name = Name::new("candle_nn::optim::AdamW::step");
        assert_eq!((name.kind(), name.function()), (Some("AdamW"), "step"));
        assert_eq!(name.short(2), "AdamW::step");
        let free = Name::new("candle_nn::linear::linear");
        assert_eq!((free.kind(), free.short(9)), (None, "candle_nn::linear::linear".to_owned()));
        let c = Name::new("main");
        assert_eq!((c.package.clone(), c.short(3)), (None, "main".to_owned()));
        let cpp = Name::new("net::Layer::forward(std::vector<int> const&)");
        assert_eq!((cpp.kind(), cpp.short(2).as_str()), (Some("Layer"), "Layer::forward"));
    }

    #[test]
    fn a_name_without_a_path_has_that_of_its_source() {
        let short = |name: &str, package: Option<&str>, file: &str| {
            let name = Name::new(name).in_source(package, Path::new(file));
            (name.short(3), name.package)
        };
        assert_eq!(short("f<u8>", None, "/a/toy/src/main.rs"), ("toy::f".to_owned(), None));
        assert_eq!(short("f", None, "/a/src/model/mod.rs").0, "model::f");
        assert_eq!(short("f", None, "/a/src/bin/transformer.rs").0, "transformer::f");
        let tensor = ("Tensor::matmul".to_owned(), Some("candle_core".to_owned()));
        assert_eq!(short("matmul", Some("candle_core"), "/c/candle-core/src/tensor.rs"), tensor);
        assert_eq!(short("{closure#0}", None, "/a/src/model.rs").0, "{closure#0}");
    }

    proptest::proptest! {
        /// Symbols are bytes of a file that anyone may have made.
        #[test]
        fn any_name_is_read(name in "[<>:(){}\\[\\]&a-zA-Z -]{0,40}") {
            let name = Name::new(&name);
            let _ = (name.short(2), name.kind(), name.function(), name.is_library());
        }
    }
}
