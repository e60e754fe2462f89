//! What the crate shows is candle's terms: no public item names a device, buffer or backend type
//! other than candle's.

#[path = "support/source.rs"]
mod source;
#[path = "support/syntax.rs"]
mod syntax;

use std::collections::BTreeSet;

use source::Source;
use syn::visit::{self, Visit};
use syn::{Fields, ImplItem, Item, ReturnType, Type, Visibility};
use syntax::uses;

/// Crates whose types a signature may have. Of candle's, what lies under it is not candle's.
const CRATES: [&str; 6] =
    ["std", "candle_core", "candle_nn", "rand", "vram_metrics", "vram_presets"];
const UNDER_CANDLE: [&str; 2] = ["cudarc", "cuda_backend"];
/// Types of those crates that are devices all the same.
const DEVICES: [&str; 3] = ["Card", "Driver", "PoolMeter"];
/// Names that need no import.
const PRELUDE: [&str; 25] = [
    "Self",
    "Option",
    "Result",
    "Vec",
    "String",
    "Box",
    "Iterator",
    "IntoIterator",
    "FnMut",
    "FnOnce",
    "Fn",
    "Send",
    "Sync",
    "From",
    "bool",
    "str",
    "u8",
    "u32",
    "u64",
    "i32",
    "usize",
    "f32",
    "f64",
    "Default",
    "Clone",
];
/// What a type of the crate's own that takes a device's or a buffer's place is called.
const PLACE_TAKERS: [&str; 12] = [
    "Device",
    "Backend",
    "Context",
    "Card",
    "Buffer",
    "Stream",
    "Slice",
    "Storage",
    "Allocator",
    "Ptr",
    "View",
    "ViewMut",
];

/// Paths that a signature names.
#[derive(Default)]
struct Names(Vec<Vec<String>>);

impl Visit<'_> for Names {
    fn visit_path(&mut self, path: &syn::Path) {
        self.0.push(path.segments.iter().map(|s| s.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, _: &syn::Attribute) {}

    fn visit_expr(&mut self, _: &syn::Expr) {}
}

struct Api<'a> {
    source: &'a Source,
    /// Module and name of everything that a public module declares or re-exports.
    exported: BTreeSet<(String, String)>,
    items: usize,
    wrong: Vec<String>,
}

fn check(source: &Source) -> (usize, Vec<String>) {
    let mut api = Api { source, exported: BTreeSet::new(), items: 0, wrong: Vec::new() };
    let mut open = vec![String::new()];
    while let Some(module) = open.pop() {
        for item in &source.files[&module].items {
            match item {
                Item::Use(item) if is_public(&item.vis) => {
                    for (name, path) in uses(&item.tree) {
                        api.re_export(&module, &name, &path);
                    }
                }
                Item::Mod(item) if is_public(&item.vis) && item.content.is_none() => {
                    open.push(format!("{module}::{}", item.ident).trim_matches(':').to_owned());
                }
                item if module.is_empty() => api.item("", item, &|_| true),
                item => {
                    let shown = name_of(item).map(|name| (module.clone(), name));
                    api.exported.extend(shown.filter(|_| is_declared_public(item)));
                }
            }
        }
    }
    for (module, file) in &source.files {
        let exported = api.exported.clone();
        let shown = |name: &str| exported.contains(&(module.clone(), name.to_owned()));
        let imports = source.imports(module);
        // An impl may stand in another file than its type.
        let type_shown = |name: &str| {
            shown(name)
                || imports.get(name).is_some_and(|path| {
                    let [root, inner @ .., name] = path.as_slice() else { return false };
                    root == "crate" && exported.contains(&(inner.join("::"), name.clone()))
                })
        };
        if !module.is_empty() {
            file.items.iter().for_each(|item| api.item(module, item, &type_shown));
        }
    }
    (api.items, api.wrong)
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn name_of(item: &Item) -> Option<String> {
    match item {
        Item::Struct(item) => Some(item.ident.to_string()),
        Item::Enum(item) => Some(item.ident.to_string()),
        Item::Trait(item) => Some(item.ident.to_string()),
        Item::Type(item) => Some(item.ident.to_string()),
        Item::Const(item) => Some(item.ident.to_string()),
        Item::Static(item) => Some(item.ident.to_string()),
        Item::Fn(item) => Some(item.sig.ident.to_string()),
        _ => None,
    }
}

fn is_declared_public(item: &Item) -> bool {
    match item {
        Item::Struct(item) => is_public(&item.vis),
        Item::Enum(item) => is_public(&item.vis),
        Item::Trait(item) => is_public(&item.vis),
        Item::Type(item) => is_public(&item.vis),
        Item::Const(item) => is_public(&item.vis),
        Item::Static(item) => is_public(&item.vis),
        Item::Fn(item) => is_public(&item.vis),
        _ => false,
    }
}

impl Api<'_> {
    fn re_export(&mut self, module: &str, name: &str, path: &[String]) {
        let mut path = self.source.absolute(module, path);
        if path.first().is_some_and(|first| first == "crate") {
            path.remove(0);
        }
        let original = path.pop().unwrap();
        let of = path.join("::");
        if original == "*" || !self.source.files.contains_key(&of) {
            self.wrong.push(format!("re-export of {of}::{original}"));
        }
        self.check_name(name);
        self.exported.insert((of, original));
    }

    fn check_name(&mut self, name: &str) {
        if PLACE_TAKERS.iter().any(|word| name.ends_with(word)) {
            self.wrong.push(format!("{name} takes the place of a type of candle's"));
        }
    }

    /// Checks an item of a module, if it or the type that it is of is shown.
    fn item(&mut self, module: &str, item: &Item, shown: &dyn Fn(&str) -> bool) {
        if let Item::Impl(item) = item {
            let Type::Path(of) = &*item.self_ty else { return };
            let name = of.path.segments.last().unwrap().ident.to_string();
            if shown(&name) {
                self.of_impl(module, &name, item);
            }
            return;
        }
        let Some(name) = name_of(item).filter(|name| shown(name)) else { return };
        let mut names = Names::default();
        let generics = match item {
            Item::Struct(item) if is_public(&item.vis) => {
                public_fields(&item.fields, &mut names);
                names.visit_generics(&item.generics);
                Some(&item.generics)
            }
            Item::Enum(item) if is_public(&item.vis) => {
                names.visit_item_enum(item);
                Some(&item.generics)
            }
            Item::Trait(item) if is_public(&item.vis) => {
                names.visit_item_trait(item);
                Some(&item.generics)
            }
            Item::Type(item) if is_public(&item.vis) => {
                names.visit_item_type(item);
                Some(&item.generics)
            }
            Item::Fn(item) if is_public(&item.vis) => {
                names.visit_signature(&item.sig);
                Some(&item.sig.generics)
            }
            Item::Const(item) if is_public(&item.vis) => {
                names.visit_type(&item.ty);
                None
            }
            Item::Static(item) if is_public(&item.vis) => {
                names.visit_type(&item.ty);
                None
            }
            _ => return,
        };
        self.check_name(&name);
        self.names(module, &name, names, &parameters(generics));
    }

    fn of_impl(&mut self, module: &str, of: &str, item: &syn::ItemImpl) {
        let own = parameters(Some(&item.generics));
        if let Some((path, _)) = &item.trait_ {
            let mut names = Names::default();
            // A trait that is not shown shows nothing; its parameters could.
            path.segments.iter().for_each(|segment| names.visit_path_arguments(&segment.arguments));
            for inner in &item.items {
                if let ImplItem::Type(inner) = inner {
                    names.visit_type(&inner.ty);
                }
            }
            let trait_name = path.segments.last().unwrap().ident.to_string();
            self.names(module, &format!("{trait_name} for {of}"), names, &own);
            return;
        }
        for inner in &item.items {
            let mut names = Names::default();
            match inner {
                ImplItem::Fn(inner) if is_public(&inner.vis) => {
                    inner.sig.inputs.iter().for_each(|input| names.visit_fn_arg(input));
                    if let ReturnType::Type(_, ty) = &inner.sig.output {
                        names.visit_type(ty);
                    }
                    names.visit_generics(&inner.sig.generics);
                    let mut own = own.clone();
                    own.extend(parameters(Some(&inner.sig.generics)));
                    self.names(module, &format!("{of}::{}", inner.sig.ident), names, &own);
                }
                ImplItem::Const(inner) if is_public(&inner.vis) => {
                    names.visit_type(&inner.ty);
                    self.names(module, &format!("{of}::{}", inner.ident), names, &own);
                }
                _ => (),
            }
        }
    }

    fn names(&mut self, module: &str, item: &str, names: Names, own: &[String]) {
        self.items += 1;
        let imports = self.source.imports(module);
        for path in names.0 {
            let mut full = self.source.absolute(module, &path);
            if let Some(import) = imports.get(&full[0]) {
                full.splice(..1, import.iter().cloned());
            }
            let known = match full.as_slice() {
                [name, ..] if own.contains(name) => true,
                [root, .., last] if CRATES.contains(&root.as_str()) => {
                    let under = full.iter().any(|part| UNDER_CANDLE.contains(&part.as_str()));
                    !under && !DEVICES.contains(&last.as_str())
                }
                [root, inner @ .., last] if root == "crate" => {
                    self.exported.contains(&(inner.join("::"), last.clone()))
                }
                [name, ..] => {
                    PRELUDE.contains(&name.as_str())
                        || self.exported.contains(&(module.to_owned(), name.clone()))
                }
                [] => true,
            };
            if !known {
                self.wrong.push(format!("{item} names {}", full.join("::")));
            }
        }
    }
}

fn public_fields(fields: &Fields, names: &mut Names) {
    for field in fields.iter().filter(|field| is_public(&field.vis)) {
        names.visit_type(&field.ty);
    }
}

/// Names of a generic item's own types.
fn parameters(generics: Option<&syn::Generics>) -> Vec<String> {
    let types = generics.into_iter().flat_map(|g| g.type_params());
    types.map(|t| t.ident.to_string()).collect()
}

#[test]
fn public_items_name_candles_types_alone() {
    let (items, wrong) = check(&Source::of_crate());
    assert!(items > 80, "{items} public items were found");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_type_that_is_not_candles_is_found() {
    let wrong = |lib: &str, inner: &str| {
        check(&Source::of([
            ("", lib),
            ("inner", inner),
            ("memory", "pub struct Buffer; pub(crate) struct Context;"),
            ("outer", "pub mod shown; mod hidden;"),
            ("outer::shown", "pub struct Plain; pub fn act(b: super::hidden::Buffer) {}"),
            ("outer::hidden", "pub struct Buffer; pub struct Context;"),
        ]))
        .1
    };
    let lib = "mod inner; mod memory; pub use inner::Thing; pub use inner::act;";
    let good = "use candle_core::{Device, Tensor};
        pub struct Thing { pub at: Device, inner: crate::memory::Buffer }
        impl Thing {
            pub fn new<F: FnMut(u32)>(d: &Device, f: F) -> Option<Self> { None }
            pub(crate) fn on(c: &crate::memory::Context) {}
            fn own(&self) -> &crate::memory::Buffer { &self.inner }
        }
        pub fn act(t: &Tensor) -> candle_core::Result<Vec<Tensor>> { todo!() }";
    assert_eq!(wrong(lib, good), Vec::<String>::new());
    for (bad, names) in [
        ("use crate::memory::Context; impl Thing { pub fn on(c: &Context) {} }", "memory::Context"),
        ("impl Thing { pub fn of(self) -> crate::memory::Buffer { todo!() } }", "memory::Buffer"),
        ("pub struct Thing { pub b: super::memory::Buffer }", "memory::Buffer"),
        ("pub enum Thing { A(crate::memory::Buffer) }", "memory::Buffer"),
        (
            "use candle_core::cuda_backend::cudarc::driver::CudaStream as Queue;
             pub fn act(q: &Queue) {}",
            "CudaStream",
        ),
        ("pub fn act(s: &[cudarc::driver::CudaSlice<f32>]) {}", "CudaSlice"),
        ("use vram_metrics::driver::Card; pub fn act(c: &Card) {}", "Card"),
        ("pub trait Thing { type B; fn b(&self) -> crate::memory::Buffer; }", "memory::Buffer"),
        ("impl From<crate::memory::Buffer> for Thing {}", "memory::Buffer"),
        ("impl<B: crate::memory::Kernel> Thing { pub fn k<K: crate::Kernel>(k: K) {} }", "Kernel"),
    ] {
        let found = wrong(lib, bad);
        assert!(found.iter().any(|line| line.ends_with(names)), "{bad}: {found:?}");
    }
    for lib in [
        "mod memory; pub use memory::Buffer;",
        "mod inner; mod memory; pub use inner::Thing as Backend;",
        "mod memory; pub use memory::*;",
        "pub use cudarc::driver::CudaSlice;",
        "pub struct Context;",
        "pub mod memory;",
        "pub mod outer;",
    ] {
        assert!(!wrong(lib, "pub struct Thing;").is_empty(), "{lib}");
    }
}
