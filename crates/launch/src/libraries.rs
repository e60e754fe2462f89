//! The libraries that `vram-cuda` names and its loader looks for before anything of it runs: found
//! beforehand, so that a missing one is a message and not a loader's last word.
//!
//! They are looked for where the loader looks, in `lib` beside the executable, and in CUDA toolkits:
//! the one it was built with, those that the environment names, those in their usual places, the one
//! that `vram cuda-toolkit` fetched. What
//! lies outside the loader's own places gets into `LD_LIBRARY_PATH` of the process that is started.
//! No path is written into the executable, so that it can be carried to another machine.

use std::collections::BTreeSet;
use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use elf::abi::DT_NEEDED;
use elf::endian::AnyEndian;
use elf::{ElfStream, ParseError};
use libloading::Library;

use crate::toolkit;

/// Where the loader looks before the system's own places.
pub(crate) const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// Why an executable cannot start; [`LibraryError::advice`] says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// Libraries are nowhere.
    #[error("{} cannot start: {}", name(executable), missing(libraries))]
    Missing {
        /// What needs them.
        executable: PathBuf,
        /// Their names.
        libraries: Vec<String>,
    },

    /// A library, or the executable, is a file that cannot be loaded.
    #[error("{} cannot be loaded: {reason}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
}

impl LibraryError {
    /// What to do about it.
    pub fn advice(&self) -> String {
        match self {
            Self::Missing { executable, libraries } => {
                let (cuda, other): (Vec<&str>, Vec<&str>) =
                    libraries.iter().map(String::as_str).partition(|name| is_cuda(name));
                let mut advice = Vec::new();
                if !cuda.is_empty() {
                    advice.push(format!(
                        "take {} from the CUDA toolkit that it was built with: set CUDA_HOME to \
                         that, or copy its libraries into {}",
                        cuda.join(", "),
                        beside(executable).display()
                    ));
                }
                if !other.is_empty() {
                    advice.push(format!("install {} with the system's packages", other.join(", ")));
                }
                advice.join("; ")
            }
            Self::Broken { .. } => "copy or install it again, for this kind of machine".to_owned(),
        }
    }
}

/// Whether a library is part of the toolkit, as its name says.
fn is_cuda(library: &str) -> bool {
    let prefixes = ["libcublas", "libcudart", "libcurand", "libnv"];
    prefixes.iter().any(|prefix| library.starts_with(prefix))
}

fn missing(libraries: &[String]) -> String {
    match libraries {
        [one] => format!("{one} is nowhere to be found"),
        several => format!("{} are nowhere to be found", several.join(", ")),
    }
}

fn name(executable: &Path) -> String {
    executable.file_name().unwrap_or(executable.as_os_str()).to_string_lossy().into_owned()
}

/// Where carried libraries lie.
fn beside(executable: &Path) -> PathBuf {
    executable.with_file_name("lib")
}

/// The file beside an executable that names the home of the toolkit it was built with.
fn record(executable: &Path) -> PathBuf {
    executable.with_extension("toolkit")
}

/// Writes down which toolkit `executable` was built with.
///
/// # Errors
///
/// If the file cannot be written.
pub fn built_with(executable: &Path, home: &Path) -> std::io::Result<()> {
    fs::write(record(executable), format!("{}\n", home.display()))
}

/// The `LD_LIBRARY_PATH` that `executable` has to be started with; none where it needs no other than
/// this process's. Loads every library that it needs, and those that they need.
///
/// # Errors
///
/// [`LibraryError::Missing`] with all that are missing, or the first that is broken.
pub(crate) fn library_path(executable: &Path) -> Result<Option<OsString>, LibraryError> {
    if !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let own = env::var_os(LIBRARY_PATH).unwrap_or_default();
    let own: Vec<PathBuf> =
        env::split_paths(&own).filter(|dir| !dir.as_os_str().is_empty()).collect();
    let mut search = Search { places: places(executable, &own), ..Search::default() };
    for name in needed(executable)? {
        search.load(&name)?;
    }
    if !search.missing.is_empty() {
        let executable = executable.to_owned();
        return Err(LibraryError::Missing { executable, libraries: search.missing });
    }
    // Several ways may lead to one directory.
    let mut used = search.used;
    let more = search.places.iter().filter(|dir| used.remove(*dir) && !own.contains(dir));
    let more: Vec<&PathBuf> = more.collect();
    if more.is_empty() {
        return Ok(None);
    }
    // What holds a colon is no directory that a loader could be told of.
    Ok(env::join_paths(own.iter().chain(more)).ok())
}

/// The directories to look in before the system's own, in this order.
fn places(executable: &Path, own: &[PathBuf]) -> Vec<PathBuf> {
    let recorded = fs::read_to_string(record(executable)).ok();
    let recorded = recorded.map(|home| PathBuf::from(home.trim_end()));
    // target/release/vram-cuda
    let target = executable.parent().and_then(Path::parent);
    let fetched = target.map(|t| t.join(toolkit::FETCHED_TO).join(toolkit::FETCHED_HOME));
    let users = toolkit::user_dir().map(|dir| dir.join(toolkit::FETCHED_HOME));
    let homes = recorded.into_iter().chain(fetched).chain(toolkit::homes()).chain(users);
    let mut places = own.to_vec();
    places.push(beside(executable));
    places.extend(homes.flat_map(|home| toolkit::library_dirs(&home).collect::<Vec<_>>()));
    places
}

/// The names of the libraries that a file asks its loader for.
fn needed(path: &Path) -> Result<Vec<String>, LibraryError> {
    let broken = |reason: String| LibraryError::Broken { path: path.to_owned(), reason };
    let file = File::open(path).map_err(|error| broken(error.to_string()))?;
    names(file)
        .map_err(|error| broken(format!("it is no ELF file of a program or library ({error})")))
}

fn names(file: File) -> Result<Vec<String>, ParseError> {
    let mut elf = ElfStream::<AnyEndian, _>::open_stream(file)?;
    let entries = elf.dynamic()?.into_iter().flat_map(|table| table.iter());
    let offsets: Vec<u64> =
        entries.filter(|entry| entry.d_tag == DT_NEEDED).map(|entry| entry.d_val()).collect();
    let Some(section) = elf.section_header_by_name(".dynstr")?.copied() else {
        return Ok(Vec::new());
    };
    let strings = elf.section_data_as_strtab(&section)?;
    offsets.iter().map(|offset| Ok(strings.get(*offset as usize)?.to_owned())).collect()
}

/// The loader's search, done beforehand.
#[derive(Default)]
struct Search {
    places: Vec<PathBuf>,
    seen: BTreeSet<String>,
    used: BTreeSet<PathBuf>,
    missing: Vec<String>,
    /// Kept until the end: a library finds those that it needs among those that are loaded.
    loaded: Vec<Library>,
}

impl Search {
    /// Loads what `name` needs, and then itself.
    fn load(&mut self, name: &str) -> Result<(), LibraryError> {
        if !self.seen.insert(name.to_owned()) {
            return Ok(());
        }
        let found = self.places.iter().find(|dir| dir.join(name).is_file()).cloned();
        let Some(dir) = found else {
            match open(Path::new(name)) {
                Ok(library) => self.loaded.push(library),
                Err(_) => self.missing.push(name.to_owned()),
            }
            return Ok(());
        };
        let path = dir.join(name);
        for other in needed(&path)? {
            self.load(&other)?;
        }
        match open(&path) {
            Ok(library) => self.loaded.push(library),
            // It cannot be loaded without those, which are told.
            Err(_) if !self.missing.is_empty() => {}
            Err(error) => return Err(LibraryError::Broken { path, reason: loader_said(&error) }),
        }
        self.used.insert(dir);
        Ok(())
    }
}

fn open(path: &Path) -> Result<Library, libloading::Error> {
    // SAFETY: what runs as it is loaded is what would run in the process that is about to start.
    unsafe { Library::new(path) }
}

/// What the system's loader said, which libloading keeps as the cause of its own words.
fn loader_said(error: &libloading::Error) -> String {
    error.source().unwrap_or(error).to_string()
}
