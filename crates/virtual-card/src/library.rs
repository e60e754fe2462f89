//! The stand-in on disk, under every name that a program may look for.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{DryRunError, file};

/// Empty where it is not built.
static STAND_IN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stand_in.so"));

/// The name under which it is loaded first.
const FILE: &str = "libvram_virtual_card.so";

/// Libraries and the versions of their files. cudarc tries names with the version among others, and
/// takes the first that is there.
const NAMES: [(&str, &[&str]); 7] = [
    ("libcuda.so", &["1"]),
    ("libcublas.so", &["12", "13"]),
    ("libcublasLt.so", &["12", "13"]),
    ("libcurand.so", &["10"]),
    ("libnvrtc.so", &["12", "13"]),
    ("libcudart.so", &["12", "13"]),
    ("libnvidia-ml.so", &["1"]),
];

/// The directory of the stand-in, made if it is not there: named by its content, and nobody else's to
/// write.
pub(crate) fn unpacked() -> Result<Unpacked, DryRunError> {
    if STAND_IN.is_empty() {
        return Err(DryRunError::NotBuilt);
    }
    let hash: String = Sha256::digest(STAND_IN)[..8].iter().map(|b| format!("{b:02x}")).collect();
    let directory = home().join(format!("virtual-card-{hash}"));
    if !is_whole(&directory) {
        unpack(&directory).map_err(file("unpack the virtual card into", &directory))?;
    }
    Ok(Unpacked { library: directory.join(FILE), directory })
}

/// Where it lies.
pub(crate) struct Unpacked {
    /// What is loaded before anything else.
    pub library: PathBuf,
    /// Where its other names are found.
    pub directory: PathBuf,
}

/// The user's own place for what can be made again.
fn home() -> PathBuf {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    match cache {
        Some(cache) if fs::create_dir_all(cache.join("vram")).is_ok() => cache.join("vram"),
        // Nobody else's name, and nobody else can write in it (`is_whole`).
        _ => std::env::temp_dir().join(format!("vram-{}", rustix::process::getuid().as_raw())),
    }
}

/// Whether `directory` is this user's alone to write, and holds what it should.
fn is_whole(directory: &Path) -> bool {
    let is_ours = |path: &Path| {
        fs::symlink_metadata(path)
            .is_ok_and(|m| m.uid() == rustix::process::getuid().as_raw() && m.mode() & 0o022 == 0)
    };
    is_ours(directory)
        && directory.parent().is_some_and(is_ours)
        && fs::read(directory.join(FILE)).is_ok_and(|bytes| bytes == STAND_IN)
}

/// Made beside where it belongs and moved there whole.
fn unpack(directory: &Path) -> io::Result<()> {
    let parent = directory.parent().ok_or(ErrorKind::InvalidInput)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    let made = tempfile::Builder::new().prefix(".virtual-card").tempdir_in(parent)?;
    fs::write(made.path().join(FILE), STAND_IN)?;
    for (name, versions) in NAMES {
        symlink(FILE, made.path().join(name))?;
        for version in versions {
            symlink(FILE, made.path().join(format!("{name}.{version}")))?;
        }
    }
    // What is there and not whole is of a unpacking that was cut short, or somebody changed it.
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    match fs::rename(made.path(), directory) {
        // Another process was faster.
        Err(error) if !is_whole(directory) => Err(error),
        Err(_) => Ok(()),
        Ok(()) => {
            let _ = made.keep();
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_short_is_unpacked_again() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("card");
        unpack(&directory).unwrap();
        assert!(is_whole(&directory));
        assert!(directory.join("libcublas.so.12").exists());
        fs::write(directory.join(FILE), "short").unwrap();
        assert!(!is_whole(&directory));
        unpack(&directory).unwrap();
        assert!(is_whole(&directory));
    }
}
