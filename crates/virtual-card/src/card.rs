//! Cards whose facts were recorded, and the card of a run.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{self, DryRunError};
use crate::protocol::{Falls, MAX_CARDS, lost_cards};

/// Each was written by `vram_card_facts` on the card that it names (`docs/virtual-card.md`).
const RECORDED: [(&str, &str); 2] =
    [("h100", include_str!("../cards/h100.toml")), ("h200", include_str!("../cards/h200.toml"))];

/// A card's model, as it was recorded.
#[derive(Debug, Clone, Deserialize)]
pub struct Model {
    /// As the driver names it.
    pub name: String,
    /// What CUDA reports as its memory, in bytes.
    pub total_bytes: u64,
    /// The driver that it was recorded with.
    pub driver_version: String,
    /// The newest CUDA version of that driver: 13000 is 13.0.
    pub cuda_version: u32,
    /// What lies on the card outside pools.
    pub libraries: Libraries,
    /// By their numbers in `CUdevice_attribute`.
    attributes: BTreeMap<String, i32>,
}

/// What a process takes of a card besides its allocations, in bytes, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub struct Libraries {
    /// The context, with the modules of kernels that candle's programs load.
    pub context: u64,
    /// A cuBLAS handle.
    pub blas_handle: u64,
    /// What cuBLAS takes at the first product.
    pub blas_workspace: u64,
    /// A cuRAND generator.
    pub random_generator: u64,
}

/// The virtual card, or several that are alike.
#[derive(Debug, Clone)]
pub struct Card {
    model: Model,
    /// Memory of each, in bytes.
    memory_bytes: u64,
    count: usize,
    /// Names those that have fallen off the bus.
    lost: Option<PathBuf>,
}

impl Card {
    /// `count` cards of the recorded model `name`, each with `memory_bytes` in place of the model's
    /// own memory where it is given.
    ///
    /// # Errors
    ///
    /// [`DryRunError::UnknownCard`] and [`DryRunError::CardCount`].
    pub fn new(name: &str, memory_bytes: Option<u64>, count: usize) -> Result<Self, DryRunError> {
        let recorded = RECORDED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let (_, text) = recorded.ok_or_else(|| DryRunError::UnknownCard {
            name: name.to_owned(),
            known: RECORDED.map(|(name, _)| name.to_owned()).to_vec(),
        })?;
        if !(1..=MAX_CARDS).contains(&count) {
            return Err(DryRunError::CardCount { cards: count, most: MAX_CARDS });
        }
        let model: Model = toml::from_str(text).expect("a test reads every recorded card");
        Ok(Self {
            memory_bytes: memory_bytes.unwrap_or(model.total_bytes),
            model,
            count,
            lost: None,
        })
    }

    /// The same cards, of which those have fallen off the bus that `file` names: `2` one that is gone,
    /// `2@1000` one that goes at the 1000th request for memory of it, counted over the processes of a run;
    /// between them are spaces, commas or lines. It is read again at every call that needs a card, and need
    /// not be there before. A card that is lost is lost for the rest of the run.
    ///
    /// # Errors
    ///
    /// [`DryRunError::LostCards`] if there is something else in it, [`DryRunError::File`] if it is there
    /// and cannot be read.
    pub fn with_lost(self, file: &Path) -> Result<Self, DryRunError> {
        let failed = error::file("read", file);
        let text = match std::fs::read_to_string(file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            text => text.unwrap_or_default(),
        };
        let cards = self.count;
        let refused = |word: &str| {
            let (path, word) = (file.to_owned(), word.to_owned());
            Err(DryRunError::LostCards { path, word, cards })
        };
        for falls in lost_cards(&text) {
            match falls {
                Ok(Falls { card, .. }) if card < cards => {}
                Ok(Falls { card, .. }) => return refused(&card.to_string()),
                Err(word) => return refused(word),
            }
        }
        // Programs run in directories of their own choice.
        let lost = std::path::absolute(file).map_err(error::file("find", file))?;
        Ok(Self { lost: Some(lost), ..self })
    }

    /// The file that names cards that have fallen off the bus.
    pub(crate) fn lost(&self) -> Option<&Path> {
        self.lost.as_deref()
    }

    /// Names of the models that there are.
    pub fn names() -> impl Iterator<Item = &'static str> {
        RECORDED.iter().map(|(name, _)| *name)
    }

    /// What was recorded of its model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Memory of each card, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Whether that is the recorded model's.
    pub fn has_recorded_memory(&self) -> bool {
        self.memory_bytes == self.model.total_bytes
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The same with this much memory.
    #[must_use]
    pub fn with_memory(&self, memory_bytes: u64) -> Self {
        Self { memory_bytes, ..self.clone() }
    }

    /// What the stand-in is told: a fact a line.
    pub(crate) fn facts(&self) -> String {
        let Model { name, driver_version, cuda_version, libraries, attributes, .. } = &self.model;
        let mut facts = format!(
            "name\t{name}\ncards\t{}\nmemory\t{}\ndriver_version\t{driver_version}\n\
             cuda_version\t{cuda_version}\n",
            self.count, self.memory_bytes
        );
        let Libraries { context, blas_handle, blas_workspace, random_generator } = libraries;
        for (key, bytes) in [
            ("context", context),
            ("blas_handle", blas_handle),
            ("blas_workspace", blas_workspace),
            ("random_generator", random_generator),
        ] {
            let _ = writeln!(facts, "{key}\t{bytes}");
        }
        for (id, value) in attributes {
            let _ = writeln!(facts, "attribute.{id}\t{value}");
        }
        facts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recorded_card_can_be_read() {
        for name in Card::names() {
            let card = Card::new(name, None, 1).unwrap();
            assert!(card.model.name.to_lowercase().contains(name), "{name}");
            // Compute capability, and that it has pools.
            for attribute in ["75", "76", "115"] {
                assert!(card.model.attributes.contains_key(attribute), "{name}: {attribute}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        let error = Card::new("h300", None, 1).unwrap_err().to_string();
        assert_eq!(error, "there is no card `h300`; recorded are h100, h200");
        assert!(Card::new("H100", None, 0).is_err());
        assert!(Card::new("h100", None, MAX_CARDS + 1).is_err());
    }

    #[test]
    fn a_file_of_lost_cards_names_cards_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("lost");
        let of = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Card::new("h100", None, 4).unwrap().with_lost(&file).map_err(|e| e.to_string())
        };
        let named = of("0, 3@1000\n\n2\n").unwrap();
        assert!(named.lost().unwrap().is_absolute());
        for (text, word) in [("1 4", "4"), ("2@", "2@"), ("two", "two"), ("-1", "-1")] {
            let error = of(text).unwrap_err();
            assert!(error.starts_with(&format!("`{word}` in /")), "{error}");
            assert!(error.ends_with("/lost is no card of the run, which has 4"), "{error}");
        }
        std::fs::remove_file(&file).unwrap();
        assert!(Card::new("h100", None, 4).unwrap().with_lost(&file).is_ok(), "it may come yet");
        let error = Card::new("h100", None, 1).unwrap().with_lost(directory.path()).unwrap_err();
        assert!(matches!(error, DryRunError::File { .. }), "{error}");
    }
}
