//! The crate's sources as syntax trees, by module, without their tests.

use std::collections::BTreeMap;
use std::path::Path;

use syn::{File, Item};

use crate::syntax::{attributes, is_of_tests, uses};

/// Files by the path of their module: `""` is lib.rs, `ops::adam` is ops/adam.rs.
pub struct Source {
    pub files: BTreeMap<String, File>,
}

impl Source {
    pub fn of_crate() -> Self {
        let mut files = Vec::new();
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        read(&src, "", &mut files);
        Self::of(files.iter().map(|(module, text)| (module.as_str(), text.as_str())))
    }

    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let parse = |(module, text): (&str, &str)| {
            let mut file = syn::parse_file(text).unwrap_or_else(|e| panic!("{module}: {e}"));
            file.items.retain(|item| !is_of_tests(attributes(item)));
            (module.to_owned(), file)
        };
        Self { files: files.into_iter().map(parse).collect() }
    }

    /// What each name that a module imports stands for, from `crate` or from another crate's root.
    pub fn imports(&self, module: &str) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        for item in &self.files[module].items {
            if let Item::Use(item) = item {
                for (name, path) in uses(&item.tree) {
                    found.insert(name, self.absolute(module, &path));
                }
            }
        }
        found
    }

    /// A path as a module writes it, from `crate` where it begins with `self`, `super` or a module
    /// within.
    pub fn absolute(&self, module: &str, path: &[String]) -> Vec<String> {
        let mut at: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
        let mut rest = path;
        match path.first().map(String::as_str) {
            Some("self") => rest = &rest[1..],
            Some("super") => {
                while rest.first().is_some_and(|part| part == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            Some(first) => {
                let within: Vec<&str> = at.iter().copied().chain([first]).collect();
                if !self.files.contains_key(&within.join("::")) {
                    return path.to_vec();
                }
            }
            None => return Vec::new(),
        }
        let all = ["crate"].into_iter().chain(at).map(str::to_owned);
        all.chain(rest.iter().cloned()).collect()
    }
}

fn read(folder: &Path, module: &str, to: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let inner = if module.is_empty() { stem.clone() } else { format!("{module}::{stem}") };
        if path.is_dir() {
            read(&path, &inner, to);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let own = matches!(stem.as_str(), "lib" | "mod");
            let name = if own { module.to_owned() } else { inner };
            to.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}
