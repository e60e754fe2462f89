//! Which file uses which, and the circles among them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use proc_macro2::{TokenStream, TokenTree};
use syn::Item;
use syn::visit::{self, Visit};

use crate::syntax::{attributes, is_of_tests, uses};
use crate::tree::{Target, Tree, attributes_of_part};

/// Per file, the files that declare what it uses, and one path by which it does.
pub struct Graph {
    pub uses: BTreeMap<PathBuf, BTreeMap<PathBuf, String>>,
    /// Paths within the crate that lead nowhere.
    pub lost: Vec<String>,
}

impl Graph {
    pub fn new(tree: &Tree) -> Self {
        let mut graph = Self { uses: BTreeMap::new(), lost: Vec::new() };
        for (n, module) in tree.modules.iter().enumerate() {
            graph.uses.entry(module.file.clone()).or_default();
            let mut paths = Paths::default();
            for item in &module.items {
                // A module within is visited by itself.
                if !matches!(item, Item::Mod(_)) {
                    paths.visit_item(item);
                }
            }
            let imported = paths.imported.iter().map(|path| (path, true));
            for (path, imported) in imported.chain(paths.named.iter().map(|path| (path, false))) {
                graph.add(tree, n, path, imported);
            }
        }
        graph
    }

    fn add(&mut self, tree: &Tree, module: usize, path: &[String], imported: bool) {
        let own = &tree.modules[module].file;
        let targets = tree.resolve(module, path);
        let within = ["crate", "self", "super"].iter().any(|root| path[0] == *root);
        if within && path.len() > 1 && targets.is_empty() {
            self.lost.push(format!("{}: {}", own.display(), path.join("::")));
        }
        for target in targets {
            let declares = match target {
                Target::ItemOf(module) => module,
                // What has a module's name and is no import is a variable.
                Target::Module(module) if imported && tree.modules[module].declares() => module,
                Target::Module(_) | Target::Elsewhere => continue,
            };
            let file = &tree.modules[declares].file;
            if file != own {
                let to = self.uses.entry(own.clone()).or_default();
                to.entry(file.clone()).or_insert_with(|| path.join("::"));
            }
        }
    }

    /// Every set of files that use one another in a circle, with the uses that make it one.
    pub fn circles(&self) -> Vec<String> {
        let mut graph = DiGraphMap::<&Path, ()>::new();
        for (from, to) in &self.uses {
            graph.add_node(from);
            to.keys().for_each(|to| _ = graph.add_edge(from, to, ()));
        }
        let circles = tarjan_scc(&graph).into_iter().filter(|files| files.len() > 1);
        circles
            .map(|files| {
                let files: BTreeSet<&Path> = files.into_iter().collect();
                let lines = files.iter().flat_map(|from| {
                    let within = self.uses[*from].iter().filter(|(to, _)| files.contains(&***to));
                    within.map(|(to, path)| {
                        format!("  {} uses {} as {path}\n", from.display(), to.display())
                    })
                });
                lines.collect()
            })
            .collect()
    }
}

/// Paths that a module writes.
#[derive(Default)]
struct Paths {
    imported: Vec<Vec<String>>,
    named: Vec<Vec<String>>,
}

impl Visit<'_> for Paths {
    fn visit_item(&mut self, item: &Item) {
        if !is_of_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item(&mut self, item: &syn::ImplItem) {
        if !is_of_tests(attributes_of_part(item)) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        if item.leading_colon.is_none() {
            self.imported.extend(uses(&item.tree).into_iter().map(|(_, path)| path));
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        if path.leading_colon.is_none() {
            self.named.push(path.segments.iter().map(|s| s.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    /// `pub(crate)` uses nothing of the crate's root.
    fn visit_visibility(&mut self, _: &syn::Visibility) {}

    /// What stands between a macro's brackets is not a syntax tree yet; its paths are paths.
    fn visit_macro(&mut self, made: &syn::Macro) {
        self.visit_path(&made.path);
        self.tokens(made.tokens.clone());
    }

    fn visit_meta_list(&mut self, list: &syn::MetaList) {
        self.tokens(list.tokens.clone());
    }
}

impl Paths {
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        // Colons after the last name of the path.
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    path.push(name.to_string());
                }
                TokenTree::Group(group) => {
                    self.end(&mut path);
                    self.tokens(group.stream());
                }
                TokenTree::Literal(text) => {
                    self.end(&mut path);
                    // As in `#[serde(with = "crate::shown")]`.
                    let text: syn::Result<syn::LitStr> = syn::parse_str(&text.to_string());
                    if let Some(named) = text.ok().and_then(|text| text.parse().ok()) {
                        self.visit_path(&named);
                    }
                }
                TokenTree::Punct(_) => self.end(&mut path),
            }
            colons = 0;
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        if !path.is_empty() {
            self.named.push(std::mem::take(path));
        }
    }
}
