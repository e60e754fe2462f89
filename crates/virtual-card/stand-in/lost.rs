//! Cards that fall off the bus while programs run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::protocol::{LOST_FILE, lost_cards};

/// Where the run says which cards are lost; nowhere, in most.
#[derive(Debug)]
pub struct LostCards(Option<PathBuf>);

impl LostCards {
    /// Of the run in `directory`.
    pub fn of(directory: &Path) -> Self {
        let file = directory.join(LOST_FILE);
        // What it leads to need not be there yet.
        Self(fs::symlink_metadata(&file).is_ok().then_some(file))
    }

    /// Whether any card may be.
    pub fn may_be(&self) -> bool {
        self.0.is_some()
    }

    /// Whether the file names `card` now, of which so many requests were made. Who changes the file while
    /// it is read is not waited for: a word that is none of it names nothing.
    pub fn name(&self, card: usize, requests: u64) -> bool {
        let text = self.0.as_ref().and_then(|file| fs::read_to_string(file).ok());
        let text = text.unwrap_or_default();
        let mut named = lost_cards(&text).filter_map(Result::ok);
        named.any(|falls| falls.card == card && requests >= falls.at_request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_lost_once_the_file_names_it() {
        let directory = tempfile::tempdir().unwrap();
        assert!(!LostCards::of(directory.path()).may_be());
        let file = directory.path().join("named");
        std::os::unix::fs::symlink(&file, directory.path().join(LOST_FILE)).unwrap();
        let lost = LostCards::of(directory.path());
        assert!(lost.may_be() && !lost.name(2, 9));
        fs::write(&file, "2\n3@10, half@\n").unwrap();
        assert!(lost.name(2, 0) && !lost.name(0, 0));
        assert!(!lost.name(3, 9) && lost.name(3, 10));
    }
}
