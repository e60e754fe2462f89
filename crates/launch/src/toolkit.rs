//! Where CUDA toolkits lie, and what one has to have: for a build, which takes its compiler from one,
//! and for a start, which takes its libraries from the same.

use std::env;
use std::path::{Path, PathBuf};

/// Where one that is fetched is put: `cargo xtask cuda-toolkit` does it below cargo's target directory,
/// `vram cuda-toolkit` in [`user_dir`].
pub const FETCHED_TO: &str = "cuda-toolkit";

/// The toolkit's home in what is fetched.
pub const FETCHED_HOME: &str = "nvidia/cu13";

/// What cudarc and candle's kernels name to the linker.
const LINKED: [&str; 6] = ["cuda", "cublas", "cublasLt", "curand", "cudart", "nvrtc"];

/// Where a toolkit is without being asked for.
const USUAL: [&str; 3] = ["/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda"];

/// The homes to look in, most wanted first: of `$NVCC`, `$CUDA_HOME`, `$CUDA_PATH`, of the compiler
/// on the path, and the usual ones. A toolkit need not be there.
pub fn homes() -> Vec<PathBuf> {
    let named = env::var_os("NVCC").and_then(|nvcc| home_of(Path::new(&nvcc)));
    let set = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(env::var_os).map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).map(|dir| compiler_in(&dir)).find(|nvcc| nvcc.is_file());
    // A link such as /usr/local/bin/nvcc lies in no toolkit, and leads to one.
    let real = on_path.as_ref().and_then(|nvcc| nvcc.canonicalize().ok());
    let found = [on_path, real].into_iter().flatten().filter_map(|nvcc| home_of(&nvcc));
    named.into_iter().chain(set).chain(found).chain(USUAL.map(PathBuf::from)).collect()
}

/// Where `vram cuda-toolkit` puts one for every project of this user: below `$XDG_CACHE_HOME`, or
/// `~/.cache` where that is no absolute path. None where the user has no home.
pub fn user_dir() -> Option<PathBuf> {
    let set = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let cache = set.or_else(|| Some(env::home_dir()?.join(".cache")))?;
    Some(cache.join("vram").join(FETCHED_TO))
}

/// `nvcc` in a directory of executables.
pub fn compiler_in(bin: &Path) -> PathBuf {
    bin.join(format!("nvcc{}", env::consts::EXE_SUFFIX))
}

/// The directories of a toolkit in which libraries lie, as far as they exist.
pub fn library_dirs(home: &Path) -> impl Iterator<Item = PathBuf> {
    let dirs = ["lib64", "lib", "targets/x86_64-linux/lib", "lib/x86_64-linux-gnu"];
    dirs.map(|dir| home.join(dir)).into_iter().filter(|dir| dir.is_dir())
}

/// What is missing in the toolkit in `home` for a build: names of files, none where it has everything.
pub fn lacks(home: &Path) -> Vec<String> {
    let dirs: Vec<PathBuf> = library_dirs(home).flat_map(|dir| [dir.join("stubs"), dir]).collect();
    let names = LINKED.map(|name| format!("lib{name}.so"));
    let mut lacks: Vec<String> =
        names.into_iter().filter(|name| !dirs.iter().any(|dir| dir.join(name).is_file())).collect();
    if !compiler_in(&home.join("bin")).is_file() {
        lacks.push("nvcc".to_owned());
    }
    lacks
}

/// `<home>/bin/nvcc`
fn home_of(nvcc: &Path) -> Option<PathBuf> {
    Some(nvcc.parent()?.parent()?.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_toolkit_lacks_what_a_build_would_miss() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path();
        let libraries = LINKED.map(|name| format!("lib{name}.so"));
        assert_eq!(lacks(home), [&libraries[..], &["nvcc".to_owned()]].concat());
        let put = |file: &str| {
            fs::create_dir_all(home.join(file).parent().unwrap()).unwrap();
            fs::write(home.join(file), "").unwrap();
        };
        // A link needs names without a version, the driver's from a folder of stubs.
        put("lib/libcublas.so.13");
        assert_eq!(lacks(home).len(), LINKED.len() + 1);
        libraries[1..].iter().for_each(|name| put(&format!("lib/{name}")));
        put("lib/stubs/libcuda.so");
        assert_eq!(lacks(home), ["nvcc"]);
        put(&format!("bin/nvcc{}", env::consts::EXE_SUFFIX));
        assert_eq!(lacks(home), Vec::<String>::new());
    }
}
