//! What the shared library offers, against the lists of names: a program that asks for a version that
//! is not there is stopped by the loader, and a symbol too many would answer for somebody else's.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use elf::ElfBytes;
use elf::abi::{SHN_UNDEF, VER_FLG_BASE};
use elf::endian::AnyEndian;

static STAND_IN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stand_in.so"));
static PASSING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/passing.so"));

/// Lists, and the versions that each of their names has, the newest last.
const VERSIONS: [(&str, &[&str]); 7] = [
    ("cuda", &[]),
    ("nvml", &[]),
    ("cublas", &["libcublas.so.12", "libcublas.so.13"]),
    ("cublasLt", &["libcublasLt.so.12", "libcublasLt.so.13"]),
    ("curand", &["libcurand.so.10"]),
    ("nvrtc", &["libnvrtc.so.12", "libnvrtc.so.13"]),
    ("cudart", &["libcudart.so.12", "libcudart.so.13"]),
];

/// A symbol that is offered: its name, its version, and whether it is taken by who names no version.
type Offered = (String, Option<String>, bool);

fn parsed(library: &'static [u8]) -> ElfBytes<'static, AnyEndian> {
    ElfBytes::minimal_parse(library).unwrap()
}

fn offered() -> BTreeSet<Offered> {
    let file = parsed(STAND_IN);
    let (symbols, texts) = file.dynamic_symbol_table().unwrap().unwrap();
    let versions = file.symbol_version_table().unwrap().unwrap();
    let mut found = BTreeSet::new();
    for (i, symbol) in symbols.iter().enumerate().filter(|(_, s)| s.st_shndx != SHN_UNDEF) {
        let definition = versions.get_definition(i).unwrap();
        let is_default = definition.as_ref().is_none_or(|definition| !definition.hidden);
        let version = definition
            .filter(|d| d.flags & VER_FLG_BASE == 0)
            .map(|mut definition| definition.names.next().unwrap().unwrap().to_owned());
        let name = texts.get(symbol.st_name as usize).unwrap().to_owned();
        found.insert((name, version, is_default));
    }
    found
}

fn listed() -> BTreeSet<Offered> {
    let mut expected = BTreeSet::from([("vram_virtual_card_mark".to_owned(), None, true)]);
    for (list, versions) in VERSIONS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("names/{list}.txt"));
        for line in fs::read_to_string(path).unwrap().lines() {
            let name = line.split(' ').next().unwrap().to_owned();
            if versions.is_empty() {
                expected.insert((name.clone(), None, true));
            }
            for version in versions {
                let is_newest = Some(version) == versions.last();
                expected.insert((name.clone(), Some((*version).to_owned()), is_newest));
            }
        }
    }
    expected
}

/// Neither the helpers that versions are given to nor anything of Rust's is among them.
#[test]
fn every_listed_name_is_offered_in_each_of_its_versions_and_nothing_else() {
    let (offered, listed) = (offered(), listed());
    let missing: Vec<_> = listed.difference(&offered).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let more: Vec<_> = offered.difference(&listed).collect();
    // A version is a symbol of its own, without a place.
    let more: Vec<_> =
        more.into_iter().filter(|(name, version, _)| Some(name) != version.as_ref()).collect();
    assert!(more.is_empty(), "{more:?}");
    assert!(listed.len() > 3000, "{}", listed.len());
}

/// Whoever looks for the driver by its name has found this, and all that the headers name of it.
#[test]
fn what_passes_calls_on_is_the_driver_by_its_name_and_its_functions() {
    let file = parsed(PASSING);
    let (symbols, texts) = file.dynamic_symbol_table().unwrap().unwrap();
    let offered: BTreeSet<&str> = symbols
        .iter()
        .filter(|symbol| symbol.st_shndx != SHN_UNDEF)
        .map(|symbol| texts.get(symbol.st_name as usize).unwrap())
        .collect();
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("names/cuda.txt");
    let list = fs::read_to_string(list).unwrap();
    let mut listed: BTreeSet<&str> =
        list.lines().map(|line| line.split(' ').next().unwrap()).collect();
    listed.insert("vram_trace_mark");
    assert_eq!(offered, listed);
    let dynamic = file.dynamic().unwrap().unwrap();
    let name = dynamic.iter().find(|entry| entry.d_tag == elf::abi::DT_SONAME).unwrap();
    assert_eq!(texts.get(name.d_val() as usize).unwrap(), "libcuda.so.1");
}

#[test]
fn they_need_nothing_that_a_machine_with_glibc_lacks() {
    for library in [STAND_IN, PASSING] {
        needs_nothing_more(&parsed(library));
    }
}

fn needs_nothing_more(file: &ElfBytes<'static, AnyEndian>) {
    let (_, texts) = file.dynamic_symbol_table().unwrap().unwrap();
    let dynamic = file.dynamic().unwrap().unwrap();
    let needed: BTreeSet<&str> = dynamic
        .iter()
        .filter(|entry| entry.d_tag == elf::abi::DT_NEEDED)
        .map(|entry| texts.get(entry.d_val() as usize).unwrap())
        .collect();
    let loader =
        if cfg!(target_arch = "x86_64") { "ld-linux-x86-64.so.2" } else { "ld-linux-aarch64.so.1" };
    let known =
        ["libc.so.6", "libgcc_s.so.1", "libm.so.6", "libpthread.so.0", "libdl.so.2", loader];
    assert!(needed.iter().all(|name| known.contains(name)), "{needed:?}");
}
