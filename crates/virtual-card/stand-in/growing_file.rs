//! A file of words that grows at its end, and that outlives a kill: it is mapped, not written.

use std::ffi::{c_int, c_long, c_void};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::shared_file;

unsafe extern "C" {
    fn munmap(at: *mut c_void, bytes: usize) -> c_int;
    fn posix_fallocate(file: c_int, offset: c_long, bytes: c_long) -> c_int;
}

/// Bytes by which it grows. Entries whose words divide it do not lie across two mappings.
const CHUNK: usize = 1 << 20;

/// The part of the file that is mapped, and how much of it is taken.
pub struct GrowingFile {
    file: File,
    chunk: &'static [AtomicU64],
    taken: usize,
    chunks: usize,
}

impl GrowingFile {
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Self { file, chunk: &[], taken: 0, chunks: 0 })
    }

    /// Adds an entry. Its first word, which is no zero, is there last: what is cut short is not there.
    pub fn append<const WORDS: usize>(&mut self, words: [u64; WORDS]) -> io::Result<()> {
        const { assert!(WORDS > 0 && CHUNK.is_multiple_of(8 * WORDS)) };
        if self.taken == self.chunk.len() {
            self.next_chunk()?;
        }
        let Some(to) = self.chunk.get(self.taken..self.taken + WORDS) else { return Ok(()) };
        for (to, word) in to.iter().zip(words).skip(1) {
            to.store(word.to_le(), Ordering::Relaxed);
        }
        to[0].store(words[0].to_le(), Ordering::Release);
        self.taken += WORDS;
        Ok(())
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let offset = (self.chunks * CHUNK) as c_long;
        // A mapping of what the disk has no room for would end the program when it is written to.
        // SAFETY: a call on a file that is open.
        match unsafe { posix_fallocate(self.file.as_raw_fd(), offset, CHUNK as c_long) } {
            0 => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        let at = shared_file::map_at(&self.file, CHUNK, offset)?;
        self.unmap();
        // SAFETY: the mapping is as long, aligned to a page, and stays until `unmap`; any bytes are
        // atomic integers.
        self.chunk = unsafe { std::slice::from_raw_parts(at.cast(), CHUNK / size_of::<u64>()) };
        (self.taken, self.chunks) = (0, self.chunks + 1);
        Ok(())
    }

    fn unmap(&mut self) {
        let chunk = std::mem::take(&mut self.chunk);
        if !chunk.is_empty() {
            // SAFETY: mapped by `next_chunk`; nobody has the slice any more.
            unsafe { munmap(chunk.as_ptr().cast_mut().cast(), size_of_val(chunk)) };
        }
    }
}

impl Drop for GrowingFile {
    fn drop(&mut self) {
        self.unmap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_go_on_in_the_next_chunk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("words");
        let mut file = GrowingFile::create(&path).unwrap();
        let entries = CHUNK as u64 / 32 + 3;
        for i in 1..=entries {
            file.append([i, i * 2, i * 3, i * 4]).unwrap();
        }
        drop(file);
        let bytes = std::fs::read(path).unwrap();
        assert_eq!(bytes.len(), 2 * CHUNK);
        let words: Vec<u64> = bytes
            .chunks_exact(8)
            .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
            .collect();
        for (i, entry) in (1..=entries).zip(words.chunks_exact(4)) {
            assert_eq!(entry, [i, i * 2, i * 3, i * 4]);
        }
        assert!(words[4 * entries as usize..].iter().all(|word| *word == 0));
    }
}
