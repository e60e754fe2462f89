//! Presets by name, by path or as text.

use std::path::{Path, PathBuf};

use vram_source::nearest::nearest;
use vram_source::text::{Source, Syntax};

use crate::error::PresetError;
use crate::kind::PresetKind;
use crate::parse;
use crate::spec::{AntSpec, ColonySpec, WorkloadSpec};
use crate::sweep::{Sweep, SweepRow};

/// Where a preset was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Compiled into the binary.
    BuiltIn,
    /// Read from this file.
    File(PathBuf),
    /// Given as text.
    Inline,
}

/// A parsed preset and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset<T> {
    /// The preset's name, the file's stem, or `inline`.
    pub label: String,
    /// Where it was found.
    pub origin: Origin,
    /// Its notes, no part of its identity.
    pub notes: Option<String>,
    /// What it says.
    pub spec: T,
}

/// One line of [`Library::list`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresetEntry {
    /// What it describes.
    pub kind: PresetKind,
    /// Its name.
    pub name: String,
    /// Where it was found.
    pub origin: Origin,
}

/// Resolves names, paths and inline text to presets.
///
/// Text that starts with `{` is inline JSON, which only an ant or a colony may be. A path is taken as
/// it is; a name is looked for in the `presets/` folder, then among the
/// presets compiled into the binary.
#[derive(Debug, Clone)]
pub struct Library {
    folder: Option<PathBuf>,
}

struct BuiltIn {
    kind: PresetKind,
    name: &'static str,
    text: &'static str,
}

macro_rules! built_in {
    ($($kind:ident $folder:literal: $($name:literal)*;)*) => {
        &[$($(BuiltIn {
            kind: PresetKind::$kind,
            name: $name,
            text: include_str!(concat!("../built_in/", $folder, "/", $name, ".toml")),
        },)*)*]
    };
}

const BUILT_IN: &[BuiltIn] = built_in! {
    Ant "ants": "od1_canon_small" "od1_canon_real" "od1_canon_stress"
        "smoke_narrow" "smoke_wide" "smoke_long";
    Colony "colonies": "od1_canon_small" "od1_canon_real" "od1_canon_stress"
        "smoke_short" "smoke_brief";
    Sweep "sweeps": "vra34" "smoke" "h200_large" "knobs" "held_out" "steps" "tapes";
    Calibration "calibrations": "rtx4070tisuper_published" "h200";
};

impl Library {
    /// The presets compiled into the binary, and no others.
    pub fn built_in() -> Self {
        Self { folder: None }
    }

    /// The built-in presets and those of the nearest `presets/` folder at or above `start`.
    pub fn discover(start: &Path) -> Self {
        let mut folders = start.ancestors().map(|dir| dir.join("presets"));
        Self {
            folder: folders.find(|p| PresetKind::ALL.iter().any(|k| p.join(k.folder()).is_dir())),
        }
    }

    /// The `presets/` folder that was found.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// The ant that `arg` names: a preset, a file, or inline JSON.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being found, read or parsed.
    pub fn ant(&self, arg: &str) -> Result<Preset<AntSpec>, PresetError> {
        self.preset(PresetKind::Ant, arg, parse::ant)
    }

    /// The colony that `arg` names: a preset, a file, or inline JSON.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being found, read or parsed.
    pub fn colony(&self, arg: &str) -> Result<Preset<ColonySpec>, PresetError> {
        self.preset(PresetKind::Colony, arg, parse::colony)
    }

    /// The sweep that `arg` names: a preset or a file.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being found, read or parsed.
    pub fn sweep(&self, arg: &str) -> Result<Preset<Sweep>, PresetError> {
        self.preset(PresetKind::Sweep, arg, |source| {
            let sweep = Sweep::parse(source)?;
            Ok((sweep.notes.clone(), sweep))
        })
    }

    /// The text of the sweep that `arg` names: a preset or a file.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being found or read.
    pub fn sweep_text(&self, arg: &str) -> Result<Source, PresetError> {
        self.find(PresetKind::Sweep, arg).map(|(_, _, source)| source)
    }

    /// The text of the calibration that `arg` names: a preset or a file, which has to be TOML. What
    /// it means is the fit's business.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being found or read.
    pub fn calibration(&self, arg: &str) -> Result<Preset<Source>, PresetError> {
        self.preset(PresetKind::Calibration, arg, |source| Ok((None, source.clone())))
    }

    /// The workload of a sweep's row, with its overrides.
    ///
    /// # Errors
    ///
    /// A preset that cannot be found or parsed, or a batch of zero.
    pub fn workload(&self, row: &SweepRow) -> Result<WorkloadSpec, PresetError> {
        let (ant, colony) = (self.ant(&row.ant)?.spec, self.colony(&row.colony)?.spec);
        let spec = WorkloadSpec::new(ant, colony);
        let spec = row.precision.map_or(spec, |precision| spec.with_precision(precision));
        spec.with_batch(row.batch)
    }

    /// Every preset that has a name, the ones of the folder in place of built-in ones.
    pub fn list(&self) -> Vec<PresetEntry> {
        PresetKind::ALL.iter().copied().flat_map(|kind| self.list_kind(kind)).collect()
    }

    fn list_kind(&self, kind: PresetKind) -> Vec<PresetEntry> {
        let files = self.files(kind).into_iter().filter_map(|path| {
            let name = path.file_stem()?.to_str()?.to_owned();
            let origin = Origin::File(path);
            Some(PresetEntry { kind, name, origin })
        });
        let mut entries: Vec<PresetEntry> = files.collect();
        for b in BUILT_IN.iter().filter(|b| b.kind == kind) {
            if entries.iter().all(|e| e.name != b.name) {
                entries.push(PresetEntry {
                    kind,
                    name: b.name.to_owned(),
                    origin: Origin::BuiltIn,
                });
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries
    }

    /// The files of a kind in the presets folder.
    fn files(&self, kind: PresetKind) -> Vec<PathBuf> {
        let Some(folder) = &self.folder else {
            return Vec::new();
        };
        let entries = std::fs::read_dir(folder.join(kind.folder()));
        let paths = entries.into_iter().flatten().flatten().map(|e| e.path());
        let is_one = |path: &PathBuf| {
            path.extension().is_some_and(|e| e == "toml" || (e == "json" && kind.may_be_json()))
        };
        paths.filter(is_one).collect()
    }

    fn preset<T>(
        &self,
        kind: PresetKind,
        arg: &str,
        parse: impl FnOnce(&Source) -> Result<(Option<String>, T), PresetError>,
    ) -> Result<Preset<T>, PresetError> {
        let (label, origin, source) = self.find(kind, arg)?;
        let (notes, spec) = parse(&source)?;
        Ok(Preset { label, origin, notes, spec })
    }

    fn find(&self, kind: PresetKind, arg: &str) -> Result<(String, Origin, Source), PresetError> {
        if arg.trim_start().starts_with('{') {
            if !kind.may_be_json() {
                return Err(PresetError::NotInline { kind });
            }
            return Ok(("inline".to_owned(), Origin::Inline, Source::inline(arg, Syntax::Json)));
        }
        let path = Path::new(arg);
        let is_path = path.components().count() > 1
            || path.extension().is_some_and(|e| e == "toml" || e == "json");
        if is_path {
            return from_file(path.to_owned());
        }
        let file =
            self.files(kind).into_iter().find(|p| p.file_stem().is_some_and(|stem| stem == arg));
        if let Some(path) = file {
            return from_file(path);
        }
        match BUILT_IN.iter().find(|b| b.kind == kind && b.name == arg) {
            Some(b) => {
                let label = format!("presets/{}/{}.toml", kind.folder(), b.name);
                let source = Source::labelled(&label, b.text);
                Ok((b.name.to_owned(), Origin::BuiltIn, source))
            }
            None => Err(self.unknown(kind, arg)),
        }
    }

    fn unknown(&self, kind: PresetKind, name: &str) -> PresetError {
        let known: Vec<String> = self.list_kind(kind).into_iter().map(|e| e.name).collect();
        let near = nearest(name, known.iter().map(String::as_str));
        let nearest = near.into_iter().map(str::to_owned).collect();
        PresetError::Unknown { kind, name: name.to_owned(), nearest, known }
    }
}

fn from_file(path: PathBuf) -> Result<(String, Origin, Source), PresetError> {
    let source = read(&path)?;
    let label = path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned());
    Ok((label, Origin::File(path), source))
}

fn read(path: &Path) -> Result<Source, PresetError> {
    Source::read(path).map_err(|source| PresetError::Read { path: path.to_owned(), source })
}

/// An ant from text: alone, or as one half of a workload.
///
/// # Errors
///
/// Whatever keeps it from being parsed, or [`PresetError::Missing`] for the other half.
pub fn ant_from_text(text: &str, syntax: Syntax) -> Result<AntSpec, PresetError> {
    Ok(parse::ant(&Source::inline(text, syntax))?.1)
}

/// A colony from text: alone, or as one half of a workload.
///
/// # Errors
///
/// Whatever keeps it from being parsed, or [`PresetError::Missing`] for the other half.
pub fn colony_from_text(text: &str, syntax: Syntax) -> Result<ColonySpec, PresetError> {
    Ok(parse::colony(&Source::inline(text, syntax))?.1)
}

/// A sweep from text, which has to be TOML.
///
/// # Errors
///
/// Whatever keeps it from being parsed.
pub fn sweep_from_text(text: &str, syntax: Syntax) -> Result<Sweep, PresetError> {
    Sweep::parse(&Source::inline(text, syntax))
}

/// A whole workload from text.
///
/// # Errors
///
/// Whatever keeps it from being parsed, or [`PresetError::Missing`] for half a workload.
pub fn workload_from_text(text: &str, syntax: Syntax) -> Result<WorkloadSpec, PresetError> {
    whole(&Source::inline(text, syntax))
}

fn whole(source: &Source) -> Result<WorkloadSpec, PresetError> {
    Ok(WorkloadSpec::new(parse::ant(source)?.1, parse::colony(source)?.1))
}

/// A whole workload from one file: `ant_spec` and `colony_spec` in TOML tables or in the original
/// harness's JSON.
///
/// # Errors
///
/// Whatever keeps it from being read or parsed, or [`PresetError::Missing`] for half a workload.
pub fn workload_from_file(path: &Path) -> Result<WorkloadSpec, PresetError> {
    whole(&read(path)?)
}
