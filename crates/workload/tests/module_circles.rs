//! Files of the crate use one another in one direction: a file that can be read without what is
//! built on it.

#[path = "support/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};

use source::{Source, uses};
use syn::visit::{self, Visit};

/// Paths from `crate` that a file names, in imports and in its code.
struct Paths<'a> {
    source: &'a Source,
    module: &'a str,
    found: Vec<Vec<String>>,
}

impl Visit<'_> for Paths<'_> {
    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        let paths = uses(&item.tree).into_iter();
        let paths = paths.map(|(_, path)| self.source.absolute(self.module, &path));
        self.found.extend(paths);
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        self.found.push(self.source.absolute(self.module, &names));
        visit::visit_path(self, path);
    }

    /// `pub(crate)` uses nothing of the crate's root.
    fn visit_visibility(&mut self, _: &syn::Visibility) {}

    fn visit_item_mod(&mut self, item: &syn::ItemMod) {
        // A module within a file: its `super` is the file.
        if let Some((_, items)) = &item.content {
            let inner = format!("{}::{}", self.module, item.ident);
            let module = inner.trim_start_matches("::");
            let mut paths = Paths { source: self.source, module, found: Vec::new() };
            items.iter().for_each(|item| paths.visit_item(item));
            self.found.append(&mut paths.found);
        }
    }
}

/// The files that each file uses.
fn graph(source: &Source) -> BTreeMap<&str, BTreeSet<&str>> {
    let file_of = |path: &[String]| {
        let [root, rest @ ..] = path else { return None };
        if root != "crate" {
            return None;
        }
        let longest = (0..=rest.len()).rev();
        longest.map(|n| rest[..n].join("::")).find_map(|m| source.files.get_key_value(&m))
    };
    let edges = |module: &str| {
        let mut paths = Paths { source, module, found: Vec::new() };
        paths.visit_file(&source.files[module]);
        let files = paths.found.iter().filter_map(|path| file_of(path));
        files.map(|(name, _)| name.as_str()).filter(|name| *name != module).collect()
    };
    source.files.keys().map(|module| (module.as_str(), edges(module))).collect()
}

/// A circle of files, from one back to itself.
fn circle(source: &Source) -> Option<Vec<String>> {
    let graph = graph(source);
    let mut done = BTreeSet::new();
    fn walk<'a>(
        at: &'a str,
        graph: &BTreeMap<&'a str, BTreeSet<&'a str>>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> bool {
        if let Some(start) = way.iter().position(|m| *m == at) {
            way.drain(..start);
            way.push(at);
            return true;
        }
        if !done.insert(at) {
            return false;
        }
        way.push(at);
        if graph[at].iter().any(|next| walk(next, graph, way, done)) {
            return true;
        }
        way.pop();
        false
    }
    let mut way = Vec::new();
    let found = graph.keys().any(|module| walk(module, &graph, &mut way, &mut done));
    found.then(|| way.into_iter().map(str::to_owned).collect())
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let source = Source::of_crate();
    let edges: usize = graph(&source).values().map(BTreeSet::len).sum();
    assert!(source.files.len() > 50 && edges > 150, "{} files, {edges} uses", source.files.len());
    assert_eq!(circle(&source), None);
}

#[test]
fn a_circle_is_found() {
    let lib = ("", "mod a; mod b; mod c; pub use a::A;");
    let way = |b: &str, c: &str| {
        circle(&Source::of([lib, ("a", "use crate::b::B; pub struct A(B);"), ("b", b), ("c", c)]))
    };
    assert_eq!(way("pub struct B;", ""), None);
    assert_eq!(way("use super::c::C; pub struct B(C);", "pub struct C;"), None);
    // By imports, by a path in the code, by the crate's own name for it, from a module within.
    for back in [
        "use crate::a::A;",
        "use super::{a, b};",
        "fn c(_: crate::a::A) {}",
        "fn c() { super::a::f(); }",
        "use crate::A;",
        "mod inner { use crate::a::A; }",
        "pub(crate) use crate::a::*;",
    ] {
        let found = way("use super::c::C; pub struct B(C);", back);
        assert!(found.is_some_and(|way| way.len() > 2), "{back}");
    }
    // Tests may use what is built on a file.
    let tests = "#[cfg(test)] mod tests { use crate::a::A; }";
    assert_eq!(way("use super::c::C; pub struct B(C);", tests), None);
}
