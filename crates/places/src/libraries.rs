//! Names of crates that programs are built on, for functions whose source is not known.

/// Crates and namespaces of libraries, for functions whose source is not known.
const LIBRARIES: &[&str] = &[
    "alloc",
    "anyhow",
    "backtrace",
    "bytemuck",
    "candle",
    "clap",
    "clap_builder",
    "core",
    "crossbeam",
    "crossbeam_channel",
    "crossbeam_deque",
    "crossbeam_epoch",
    "crossbeam_utils",
    "cudarc",
    "cudnn",
    "either",
    "eyre",
    "float8",
    "futures",
    "gemm",
    "gimli",
    "half",
    "hashbrown",
    "hf_hub",
    "image",
    "indexmap",
    "itertools",
    "libloading",
    "log",
    "memmap2",
    "miette",
    "ndarray",
    "num_cpus",
    "num_traits",
    "once_cell",
    "parking_lot",
    "proc_macro",
    "pulp",
    "rand",
    "rand_chacha",
    "rand_core",
    "rand_distr",
    "rayon",
    "rayon_core",
    "regex",
    "safetensors",
    "serde",
    "serde_json",
    "smallvec",
    "std",
    "std_detect",
    "test",
    "thiserror",
    "tokenizers",
    "tokio",
    "toml",
    "tracing",
    "tracing_core",
    "ug",
    "yoke",
    "zip",
    "__gnu_cxx",
];

/// Families of crates, by how their names begin.
const FAMILIES: &[&str] = &["candle_", "cudarc_", "futures_", "gemm_", "tokio_", "tracing_"];

/// Whether a crate or namespace of this name is a library.
pub(crate) fn is_library(package: &str) -> bool {
    LIBRARIES.contains(&package) || FAMILIES.iter().any(|family| package.starts_with(family))
}

/// Whether a library has no operations of its own: what calls through it is what a reader looks for.
pub(crate) fn is_plumbing(package: &str) -> bool {
    matches!(package, "core" | "std" | "alloc" | "rayon" | "rayon_core" | "__gnu_cxx")
        || package.starts_with("crossbeam")
}
