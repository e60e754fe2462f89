//! Files of text, read within bounds.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// The most that a file may hold: presets and artifacts are far smaller.
pub const LIMIT_BYTES: u64 = 8 << 20;

/// Why a file cannot be read as text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The system refused.
    #[error(transparent)]
    System(#[from] io::Error),

    /// A directory, a pipe, a device.
    #[error("it is {0}, and only a regular file is read")]
    NotRegular(&'static str),

    /// More than [`LIMIT_BYTES`].
    #[error("it is larger than {} MiB, the most that is read", LIMIT_BYTES >> 20)]
    TooLarge,

    /// Bytes that are no text.
    #[error("it is not UTF-8 text: line {line} has a byte that no character begins with")]
    NotText {
        /// Line of the first such byte, counted from 1.
        line: usize,
    },
}

/// The text of a regular file of at most [`LIMIT_BYTES`], or of what a link to one leads to.
///
/// # Errors
///
/// [`ReadError`]. A pipe without a writer is refused, not waited for.
pub fn read_text(path: &Path) -> Result<String, ReadError> {
    let file = open(path)?;
    // Of what is open, so that nothing can be put in its place after the look.
    if let Some(kind) = other_than_a_file(&file.metadata()?.file_type()) {
        return Err(ReadError::NotRegular(kind));
    }
    let mut bytes = Vec::new();
    // A file may grow while it is read.
    file.take(LIMIT_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIMIT_BYTES {
        return Err(ReadError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|e| {
        let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        ReadError::NotText { line: 1 + before.iter().filter(|&&b| b == b'\n').count() }
    })
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Else opening a pipe waits for its writer.
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    options.open(path)
}

/// What it is, where it is no regular file.
fn other_than_a_file(kind: &std::fs::FileType) -> Option<&'static str> {
    if kind.is_file() {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return Some("a pipe");
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Some("a device");
        }
    }
    Some(if kind.is_dir() { "a directory" } else { "something else than a file" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let limit = usize::try_from(LIMIT_BYTES).unwrap();
        std::fs::write(&path, "x".repeat(limit)).unwrap();
        assert_eq!(read_text(&path).unwrap().len(), limit);
        std::fs::write(&path, "x".repeat(limit + 1)).unwrap();
        let error = read_text(&path).unwrap_err();
        assert!(error.to_string().contains("larger than 8 MiB"), "{error}");
        std::fs::write(&path, b"one\ntwo \xff").unwrap();
        assert!(matches!(read_text(&path), Err(ReadError::NotText { line: 2 })));
        assert!(matches!(read_text(dir.path()), Err(ReadError::NotRegular("a directory"))));
        let none = read_text(&dir.path().join("none"));
        assert!(matches!(none, Err(ReadError::System(e)) if e.kind() == io::ErrorKind::NotFound));
    }

    #[cfg(unix)]
    #[test]
    fn what_never_ends_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(matches!(read_text(&pipe), Err(ReadError::NotRegular("a pipe"))));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert!(matches!(read_text(&link), Err(ReadError::NotRegular("a device"))));
    }
}
