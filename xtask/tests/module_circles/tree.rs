//! A target's modules as syntax trees, and what a path in one of them stands for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, ExprLit, ImplItem, Item, Lit, Meta, Visibility};

use crate::syntax::{attributes, is_of_tests, uses};

/// The modules of one target, its root first.
pub struct Tree {
    pub modules: Vec<Module>,
}

/// A module: a file, or a part of one between braces.
pub struct Module {
    parent: Option<usize>,
    pub file: PathBuf,
    /// Without those of tests.
    pub items: Vec<Item>,
    names: BTreeMap<String, Vec<Binding>>,
    globs: Vec<(Vec<String>, bool)>,
}

/// What a name of a module stands for, and whether the module shows it to others.
struct Binding {
    meaning: Meaning,
    shown: bool,
}

enum Meaning {
    /// An item that the module declares.
    Item,
    Module(usize),
    /// What a `use` imports under this name.
    Import(Vec<String>),
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// An item that this module declares.
    ItemOf(usize),
    Module(usize),
    /// Something of another crate's, or of the language's.
    Elsewhere,
}

/// Imports that were followed on the way to a target: of which module, under which name.
type Followed = BTreeSet<(usize, String, usize)>;

impl Tree {
    /// The target whose root is the file `root`; `read` reads a file, if there is one.
    pub fn new(root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Self {
        let mut tree = Self { modules: Vec::new() };
        let folder = root.parent().unwrap_or(Path::new(""));
        tree.add_file(root, folder, None, read);
        tree
    }

    fn add_file(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<usize>,
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> usize {
        let text = read(file).unwrap_or_else(|| panic!("there is no {}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        self.add(file, folder, parent, parsed.items, read)
    }

    /// A module whose own modules are files in `folder`.
    fn add(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<usize>,
        mut items: Vec<Item>,
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> usize {
        items.retain(|item| !is_of_tests(attributes(item)));
        let this = self.modules.len();
        self.modules.push(Module {
            parent,
            file: file.to_owned(),
            items: Vec::new(),
            names: BTreeMap::new(),
            globs: Vec::new(),
        });
        for item in &mut items {
            if let Item::Mod(module) = item {
                let name = module.ident.to_string();
                let inner = match &mut module.content {
                    Some((_, items)) => {
                        self.add(file, &folder.join(&name), Some(this), std::mem::take(items), read)
                    }
                    None => {
                        let (file, folder) = place(file, folder, module, read);
                        self.add_file(&file, &folder, Some(this), read)
                    }
                };
                self.bind(this, name, Meaning::Module(inner), is_shown(&module.vis));
            } else if let Item::Use(item) = item {
                let shown = is_shown(&item.vis);
                for (name, path) in uses(&item.tree) {
                    match path.split_last() {
                        _ if item.leading_colon.is_some() => (),
                        Some((last, module)) if last == "*" => {
                            self.modules[this].globs.push((module.to_vec(), shown));
                        }
                        _ => self.bind(this, name, Meaning::Import(path), shown),
                    }
                }
            } else {
                for (name, shown) in declared(item) {
                    self.bind(this, name, Meaning::Item, shown);
                }
            }
        }
        self.modules[this].items = items;
        this
    }

    fn bind(&mut self, module: usize, name: String, meaning: Meaning, shown: bool) {
        let names = &mut self.modules[module].names;
        names.entry(name).or_default().push(Binding { meaning, shown });
    }

    /// What a path that a module writes leads to, every re-export followed; nothing where there is
    /// no such thing.
    pub fn resolve(&self, module: usize, path: &[String]) -> BTreeSet<Target> {
        self.follow(module, path, &mut Followed::new())
    }

    fn follow(&self, module: usize, path: &[String], followed: &mut Followed) -> BTreeSet<Target> {
        let mut at = module;
        let mut rest = path;
        match path.first().map(String::as_str) {
            None => return BTreeSet::new(),
            Some("crate") => (at, rest) = (0, &path[1..]),
            Some("self") => rest = &path[1..],
            Some("super") => (),
            Some(_) => {
                let found = self.within(at, rest, module, followed);
                return if found.is_empty() { BTreeSet::from([Target::Elsewhere]) } else { found };
            }
        }
        while let Some(("super", left)) = rest.split_first().map(|(s, left)| (s.as_str(), left)) {
            at = self.modules[at].parent.expect("`super` of a root");
            rest = left;
        }
        self.within(at, rest, module, followed)
    }

    /// What `path` leads to from inside `module`, as `viewer` sees it.
    fn within(
        &self,
        module: usize,
        path: &[String],
        viewer: usize,
        followed: &mut Followed,
    ) -> BTreeSet<Target> {
        let Some((name, rest)) = path.split_first() else {
            return BTreeSet::from([Target::Module(module)]);
        };
        if name == "*" {
            return BTreeSet::from([Target::Module(module)]);
        }
        let found = self.look_up(module, name, viewer, followed);
        if rest.is_empty() {
            return found;
        }
        let modules: Vec<usize> = found
            .iter()
            .filter_map(|target| match target {
                Target::Module(module) => Some(*module),
                Target::ItemOf(_) | Target::Elsewhere => None,
            })
            .collect();
        if modules.is_empty() {
            // What follows is a variant, a method or the like.
            return found;
        }
        modules.into_iter().flat_map(|m| self.within(m, rest, viewer, followed)).collect()
    }

    fn look_up(
        &self,
        module: usize,
        name: &str,
        viewer: usize,
        followed: &mut Followed,
    ) -> BTreeSet<Target> {
        let sees_all = self.is_in(viewer, module);
        let of = &self.modules[module];
        let mut found = BTreeSet::new();
        for (n, binding) in of.names.get(name).into_iter().flatten().enumerate() {
            match &binding.meaning {
                _ if !binding.shown && !sees_all => (),
                Meaning::Item => {
                    found.insert(Target::ItemOf(module));
                }
                Meaning::Module(inner) => {
                    found.insert(Target::Module(*inner));
                }
                Meaning::Import(path) => {
                    if followed.insert((module, name.to_owned(), n)) {
                        found.extend(self.follow(module, path, followed));
                    }
                }
            }
        }
        // A name of its own hides those of a glob.
        if found.is_empty() {
            for (n, (path, shown)) in of.globs.iter().enumerate() {
                let of_glob = format!("* {name}");
                if (*shown || sees_all) && followed.insert((module, of_glob, n)) {
                    for target in self.follow(module, path, followed) {
                        if let Target::Module(inner) = target {
                            found.extend(self.look_up(inner, name, module, followed));
                        }
                    }
                }
            }
        }
        found
    }

    /// Whether `module` is `outer` or stands somewhere in it.
    fn is_in(&self, module: usize, outer: usize) -> bool {
        let up = std::iter::successors(Some(module), |m| self.modules[*m].parent);
        up.into_iter().any(|m| m == outer)
    }
}

impl Module {
    /// Whether it declares anything itself, other than modules and imports.
    pub fn declares(&self) -> bool {
        !self.items.iter().all(|item| matches!(item, Item::Mod(_) | Item::Use(_)))
    }
}

/// The file of a module that `file` declares, and the folder of that module's own modules.
fn place(
    file: &Path,
    folder: &Path,
    module: &syn::ItemMod,
    read: &dyn Fn(&Path) -> Option<String>,
) -> (PathBuf, PathBuf) {
    let given = module.attrs.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(meta) if meta.path.is_ident("path") => match &meta.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    if let Some(given) = given {
        let given = file.parent().unwrap_or(Path::new("")).join(given);
        let folder = given.parent().unwrap_or(Path::new("")).to_owned();
        return (given, folder);
    }
    let own = folder.join(module.ident.to_string());
    let flat = own.with_extension("rs");
    if read(&flat).is_some() { (flat, own) } else { (own.join("mod.rs"), own) }
}

/// Names that an item declares, and whether the module shows them.
fn declared(item: &Item) -> Vec<(String, bool)> {
    let (name, visibility) = match item {
        Item::Struct(item) => (&item.ident, &item.vis),
        Item::Enum(item) => (&item.ident, &item.vis),
        Item::Union(item) => (&item.ident, &item.vis),
        Item::Trait(item) => (&item.ident, &item.vis),
        Item::Type(item) => (&item.ident, &item.vis),
        Item::Const(item) => (&item.ident, &item.vis),
        Item::Static(item) => (&item.ident, &item.vis),
        Item::Fn(item) => (&item.sig.ident, &item.vis),
        Item::Macro(item) => {
            let made = item.ident.as_ref().map_or_else(|| made_by(item), |n| vec![n.to_string()]);
            return made.into_iter().map(|name| (name, true)).collect();
        }
        _ => return Vec::new(),
    };
    vec![(name.to_string(), is_shown(visibility))]
}

/// Names of the structs and other items that are written out in the call of a macro.
fn made_by(item: &syn::ItemMacro) -> Vec<String> {
    let mut before = String::new();
    let mut made = Vec::new();
    for token in item.mac.tokens.clone() {
        let token = token.to_string();
        if matches!(before.as_str(), "struct" | "enum" | "const" | "static" | "fn" | "type") {
            made.push(token.clone());
        }
        before = token;
    }
    made
}

fn is_shown(visibility: &Visibility) -> bool {
    !matches!(visibility, Visibility::Inherited)
}

pub fn attributes_of_part(item: &ImplItem) -> &[Attribute] {
    match item {
        ImplItem::Const(item) => &item.attrs,
        ImplItem::Fn(item) => &item.attrs,
        ImplItem::Type(item) => &item.attrs,
        _ => &[],
    }
}
