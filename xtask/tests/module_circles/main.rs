//! Files of a crate use one another in one direction: a file can be read without what is built on
//! it. A path counts as a use of the file that declares what it leads to, whatever re-exports it
//! leads through. What is used without being named, as a method is, is not seen.

mod graph;
#[path = "../../../crates/workload/tests/support/syntax.rs"]
mod syntax;
mod tree;

use std::path::Path;

use cargo_metadata::{MetadataCommand, TargetKind};
use graph::Graph;
use tree::Tree;

#[test]
fn no_files_of_any_crate_use_each_other_in_a_circle() {
    let metadata = MetadataCommand::new().no_deps().exec().unwrap();
    let root = metadata.workspace_root.as_std_path();
    let read = |file: &Path| std::fs::read_to_string(root.join(file)).ok();
    let (mut files, mut edges) = (0, 0);
    let mut wrong = String::new();
    let mut lost = Vec::new();
    for package in metadata.workspace_packages() {
        for target in &package.targets {
            let is_source = target.kind.iter().any(|kind| {
                matches!(kind, TargetKind::Lib | TargetKind::ProcMacro | TargetKind::Bin)
            });
            if !is_source {
                continue;
            }
            let src = target.src_path.as_std_path();
            let graph = Graph::new(&Tree::new(src.strip_prefix(root).unwrap(), &read));
            files += graph.uses.len();
            edges += graph.uses.values().map(|to| to.len()).sum::<usize>();
            for circle in graph.circles() {
                wrong += &format!("{} ({}):\n{circle}", package.name, target.name);
            }
            lost.extend(graph.lost);
        }
    }
    assert_eq!(lost, Vec::<String>::new(), "paths that lead nowhere");
    assert!(files > 100 && edges > 300, "{files} files, {edges} uses");
    assert!(wrong.is_empty(), "files that use each other in a circle:\n{wrong}");
}

/// Circles of a crate of these files.
fn circles(files: &[(&str, &str)]) -> Vec<String> {
    let read = |path: &Path| {
        let file = files.iter().find(|(name, _)| Path::new(name) == path);
        file.map(|(_, text)| (*text).to_owned())
    };
    let graph = Graph::new(&Tree::new(Path::new("lib.rs"), &read));
    assert_eq!(graph.lost, Vec::<String>::new());
    graph.circles()
}

/// The one circle of a crate of these files is of `a.rs` and `b.rs`.
fn is_found(files: &[(&str, &str)]) {
    let found = circles(files);
    let [circle] = found.as_slice() else { panic!("{found:?} in {files:?}") };
    let ways: Vec<&str> = circle.lines().filter_map(|line| line.split(" as ").next()).collect();
    let named: Vec<String> = ways.iter().map(|way| way.replace("c/", "")).collect();
    assert_eq!(named, ["  a.rs uses b.rs", "  b.rs uses a.rs"], "{files:?}");
}

#[test]
fn a_direct_circle_is_found() {
    let a = ("a.rs", "use crate::b::B; pub struct A(B);");
    for b in [
        "use crate::a::A; pub struct B;",
        "use super::{a}; pub struct B;",
        "pub struct B; fn c(_: crate::a::A) {}",
        "pub struct B; fn c() { super::a::A::f(); }",
        "pub struct B; mod inner { use crate::a::A; }",
        "pub struct B; fn c() { use super::a::A; }",
        "pub struct B; fn c() { println!(\"{}\", crate::a::A); }",
        "pub struct B; #[serde(with = \"crate::a::A\")] struct C;",
        "pub struct B; macro_rules! c { () => { $crate::a::A }; }",
        "made! { struct B { a: crate::a::A } }",
        "pub(crate) use crate::a::*; pub struct B;",
    ] {
        is_found(&[("lib.rs", "mod a; mod b;"), a, ("b.rs", b)]);
    }
}

#[test]
fn a_circle_through_re_exports_is_found() {
    let a = ("a.rs", "use crate::b::B; pub struct A(B);");
    for (lib, b) in [
        // Flat, by glob, renamed, and one re-export of another.
        ("mod a; mod b; pub use a::A;", "use crate::A; pub struct B;"),
        ("mod a; mod b; pub use a::*;", "pub struct B; fn c(_: crate::A) {}"),
        ("mod a; mod b; pub use a::A as First;", "use super::First; pub struct B;"),
        ("mod a; mod b; use a::A;", "use super::*; pub struct B; fn c(_: A) {}"),
        (
            "mod a; mod b; mod c { pub use crate::a::*; } pub use c::A;",
            "use crate::A; pub struct B;",
        ),
        ("mod a; mod b; pub use a as first;", "use crate::first::A; pub struct B;"),
    ] {
        is_found(&[("lib.rs", lib), a, ("b.rs", b)]);
    }
    // Of a nested module that re-exports its child's.
    is_found(&[
        ("lib.rs", "mod a; mod c;"),
        ("c/mod.rs", "mod b; pub use b::B;"),
        ("a.rs", "use crate::c::B; pub struct A(B);"),
        ("c/b.rs", "use crate::a::A; pub struct B;"),
    ]);
}

#[test]
fn a_parent_and_its_child_are_a_circle() {
    let child = ("a/b.rs", "use super::A; pub struct B(A);");
    let found = circles(&[("lib.rs", "mod a;"), ("a.rs", "mod b; use b::B; pub struct A;"), child]);
    assert!(found.len() == 1 && found[0].contains("a/b.rs uses a.rs as super::A"), "{found:?}");
    // To declare a module is not to use it.
    let declared = circles(&[("lib.rs", "mod a;"), ("a.rs", "mod b; pub struct A;"), child]);
    assert_eq!(declared, Vec::<String>::new());
}

#[test]
fn files_in_one_direction_are_no_circle() {
    for (lib, a, b) in [
        ("mod a; mod b; pub use a::A;", "use crate::b::B; pub struct A(B);", "pub struct B;"),
        // What it re-exports is not declared in it.
        (
            "mod a; mod b; pub use b::B; pub use a::A;",
            "use crate::B; pub struct A(B);",
            "pub struct B;",
        ),
        (
            "mod a; mod b; pub use b::*; pub use a::*;",
            "use super::*; pub struct A(B);",
            "pub struct B;",
        ),
        // Tests may use what is built on a file.
        (
            "mod a; mod b;",
            "use crate::b::B; pub struct A(B);",
            "pub struct B; #[cfg(test)] mod tests { use crate::a::A; } impl B { #[cfg(test)] fn c(_: crate::a::A) {} }",
        ),
        // A variable may be called as a module is, and another crate's item as one of this one's.
        (
            "mod a; mod b;",
            "use crate::b::B; pub struct A(B);",
            "use other::a::A; pub struct B; fn c(a: u8) -> u8 { a }",
        ),
    ] {
        assert_eq!(circles(&[("lib.rs", lib), ("a.rs", a), ("b.rs", b)]), Vec::<String>::new());
    }
}
