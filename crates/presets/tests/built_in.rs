//! What is compiled in is a copy, for a package cannot reach outside of its folder. People edit
//! `presets/` at the repository's root; here the copy is held to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use vram_presets::library::{Library, Origin};

const UPDATE: &str = "to update it, at the repository's root:\n    \
    rm -r crates/presets/built_in && cp -R presets crates/presets/built_in\n\
    and name a new file in BUILT_IN of crates/presets/src/library.rs";

/// Every file below `dir`, by its path in it.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for kind in fs::read_dir(dir).unwrap() {
        for file in fs::read_dir(kind.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            found.insert(path.strip_prefix(dir).unwrap().to_owned(), bytes);
        }
    }
    found
}

#[test]
fn what_is_compiled_in_is_the_repositorys_presets() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (original, copy) = (files(&here.join("../../presets")), files(&here.join("built_in")));
    let names = original.keys().chain(copy.keys());
    for name in names {
        let same = original.get(name) == copy.get(name);
        assert!(same, "crates/presets/built_in/{} is no copy: {UPDATE}", name.display());
    }
    let named = Library::built_in().list().into_iter();
    let mut named: Vec<PathBuf> =
        named.map(|e| Path::new(e.kind.folder()).join(e.name + ".toml")).collect();
    named.sort();
    assert_eq!(named, copy.into_keys().collect::<Vec<_>>(), "{UPDATE}");
}

/// The copy has no name by which a command that is run beside it takes it for a user's presets.
#[test]
fn a_command_in_this_folder_finds_the_original() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let original = here.join("../../presets").canonicalize().unwrap();
    for entry in Library::discover(here).list() {
        let Origin::File(found) = &entry.origin else { panic!("{entry:?}") };
        assert!(found.canonicalize().unwrap().starts_with(&original), "{entry:?}");
    }
}
