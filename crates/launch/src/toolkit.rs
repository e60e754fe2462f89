//! Where CUDA toolkits lie: for a build, which takes its compiler from one, and for a start, which
//! takes its libraries from the same.

use std::env;
use std::path::{Path, PathBuf};

/// Where `cargo xtask cuda-toolkit` puts one, below cargo's target directory.
pub const FETCHED_TO: &str = "cuda-toolkit";

/// The toolkit's home in what is fetched.
pub const FETCHED_HOME: &str = "nvidia/cu13";

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

/// `nvcc` in a directory of executables.
pub fn compiler_in(bin: &Path) -> PathBuf {
    bin.join(format!("nvcc{}", env::consts::EXE_SUFFIX))
}

/// The directories of a toolkit in which libraries lie, as far as they exist.
pub fn library_dirs(home: &Path) -> impl Iterator<Item = PathBuf> {
    let dirs = ["lib64", "lib", "targets/x86_64-linux/lib", "lib/x86_64-linux-gnu"];
    dirs.map(|dir| home.join(dir)).into_iter().filter(|dir| dir.is_dir())
}

/// `<home>/bin/nvcc`
fn home_of(nvcc: &Path) -> Option<PathBuf> {
    Some(nvcc.parent()?.parent()?.to_owned())
}
