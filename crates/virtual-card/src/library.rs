//! Our libraries on disk, under every name that a program may look for.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{DryRunError, file};

/// A library of ours.
#[derive(Debug)]
pub(crate) struct Library {
    /// Empty where it is not built.
    bytes: &'static [u8],
    /// How the directory's name begins.
    directory: &'static str,
    /// The name under which it is loaded first.
    file: &'static str,
    /// Libraries that it stands in for, and the versions of their files. cudarc tries names with the
    /// version among others, and takes the first that is there.
    names: &'static [(&'static str, &'static [&'static str])],
}

/// What computes nothing and accounts for every byte.
pub(crate) static STAND_IN: Library = Library {
    bytes: include_bytes!(concat!(env!("OUT_DIR"), "/stand_in.so")),
    directory: "virtual-card",
    file: "libvram_virtual_card.so",
    names: &[
        ("libcuda.so", &["1"]),
        ("libcublas.so", &["12", "13"]),
        ("libcublasLt.so", &["12", "13"]),
        ("libcurand.so", &["10"]),
        ("libnvrtc.so", &["12", "13"]),
        ("libcudart.so", &["12", "13"]),
        ("libnvidia-ml.so", &["1"]),
    ],
};

/// What passes every call on to the real driver.
pub(crate) static PASSING: Library = Library {
    bytes: include_bytes!(concat!(env!("OUT_DIR"), "/passing.so")),
    directory: "trace",
    file: "libvram_trace.so",
    names: &[("libcuda.so", &["1"])],
};

/// The loader takes its lists of paths apart at these, and puts other words in the place of `$`.
const NOT_IN_LISTS: &[u8] = b" :;$\t\n";

/// The directory of a library, made if it is not there: named by its content, and nobody else's to write.
pub(crate) fn unpacked(library: &Library) -> Result<Unpacked, DryRunError> {
    if library.bytes.is_empty() {
        return Err(DryRunError::NotBuilt);
    }
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
    // Nobody else's name.
    let ours = format!("vram-{}", rustix::process::getuid().as_raw());
    unpacked_in(library, cache.map(|cache| cache.join("vram")), &std::env::temp_dir().join(ours))
}

/// In the user's own place for what can be made again, or in `otherwise` where that cannot be.
fn unpacked_in(
    library: &Library,
    cache: Option<PathBuf>,
    otherwise: &Path,
) -> Result<Unpacked, DryRunError> {
    let fits = |home: &Path| !home.as_os_str().as_bytes().iter().any(|b| NOT_IN_LISTS.contains(b));
    let home = match cache {
        Some(cache) if fits(&cache) && make_private(&cache).is_ok() => cache,
        _ if fits(otherwise) => otherwise.to_owned(),
        _ => return Err(DryRunError::NotInLists { directory: otherwise.to_owned() }),
    };
    let hash: String =
        Sha256::digest(library.bytes)[..8].iter().map(|b| format!("{b:02x}")).collect();
    let directory = home.join(format!("{}-{hash}", library.directory));
    let made = make_private(&home).and_then(|()| match is_whole(library, &directory) {
        true => Ok(()),
        false => unpack(library, &directory),
    });
    made.map_err(file("unpack the virtual card into", &directory))?;
    Ok(Unpacked { library: directory.join(library.file), directory })
}

/// Where it lies.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// What is loaded before anything else.
    pub library: PathBuf,
    /// Where its other names are found.
    pub directory: PathBuf,
}

/// Makes a directory that nobody else can write in. Where a user's files are the group's as well, one
/// that is there already may be.
fn make_private(directory: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let found = fs::symlink_metadata(directory)?;
    if found.uid() != rustix::process::getuid().as_raw() || !found.is_dir() {
        return Err(ErrorKind::PermissionDenied.into());
    }
    if found.mode() & 0o022 != 0 {
        fs::set_permissions(directory, Permissions::from_mode(found.mode() & 0o755))?;
    }
    Ok(())
}

/// Whether `directory` is this user's alone to write, and holds what it should.
fn is_whole(library: &Library, directory: &Path) -> bool {
    fs::symlink_metadata(directory)
        .is_ok_and(|m| m.uid() == rustix::process::getuid().as_raw() && m.mode() & 0o022 == 0)
        && fs::read(directory.join(library.file)).is_ok_and(|bytes| bytes == library.bytes)
}

/// Made beside where it belongs and moved there whole.
fn unpack(library: &Library, directory: &Path) -> io::Result<()> {
    let parent = directory.parent().ok_or(ErrorKind::InvalidInput)?;
    let made = tempfile::Builder::new().prefix(".virtual-card").tempdir_in(parent)?;
    fs::write(made.path().join(library.file), library.bytes)?;
    for (name, versions) in library.names {
        symlink(library.file, made.path().join(name))?;
        for version in *versions {
            symlink(library.file, made.path().join(format!("{name}.{version}")))?;
        }
    }
    // It stays where another process was faster: a program that was started with it may be loading it.
    // What is there and not whole is of an unpacking that was cut short, or somebody changed it.
    if fs::rename(made.path(), directory).is_err() {
        if is_whole(library, directory) {
            return Ok(());
        }
        fs::remove_dir_all(directory)?;
        fs::rename(made.path(), directory)?;
    }
    let _ = made.keep();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(directory: &Path) -> u64 {
        fs::metadata(directory.join(STAND_IN.file)).unwrap().ino()
    }

    #[test]
    fn what_another_process_unpacked_meanwhile_stays() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("card");
        unpack(&STAND_IN, &directory).unwrap();
        let first = number(&directory);
        unpack(&STAND_IN, &directory).unwrap();
        assert_eq!(number(&directory), first);
    }

    #[test]
    fn what_is_cut_short_is_unpacked_again() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("card");
        unpack(&STAND_IN, &directory).unwrap();
        assert!(is_whole(&STAND_IN, &directory));
        assert!(directory.join("libcublas.so.12").exists());
        fs::write(directory.join(STAND_IN.file), "short").unwrap();
        assert!(!is_whole(&STAND_IN, &directory));
        unpack(&STAND_IN, &directory).unwrap();
        assert!(is_whole(&STAND_IN, &directory));
    }

    /// As with a umask of 2.
    #[test]
    fn a_directory_that_a_group_can_write_in_is_made_private() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join("vram");
        fs::create_dir(&cache).unwrap();
        fs::set_permissions(&cache, Permissions::from_mode(0o775)).unwrap();
        let first = unpacked_in(&STAND_IN, Some(cache.clone()), home.path()).unwrap();
        assert_eq!(fs::metadata(&cache).unwrap().mode() & 0o777, 0o755);
        let inode = number(&first.directory);
        let second = unpacked_in(&STAND_IN, Some(cache), home.path()).unwrap();
        assert_eq!((number(&second.directory), second.library), (inode, first.library));
    }

    #[test]
    fn a_path_that_the_loader_takes_apart_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let plain = home.path().join("plain");
        for name in ["a space", "a:colon", "a;semicolon", "$ORIGIN"] {
            let cache = home.path().join(name);
            let found = unpacked_in(&STAND_IN, Some(cache.clone()), &plain).unwrap();
            assert!(found.directory.starts_with(&plain), "{name}");
            let error = unpacked_in(&STAND_IN, None, &cache).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("XDG_CACHE_HOME"), "{error}");
        }
    }
}
