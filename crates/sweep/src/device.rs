//! Where a sweep's rows run, and what measures them there.

use std::path::Path;

use vram_launch::choice::DeviceChoice;
use vram_launch::device::{Place, facts};
use vram_launch::executable::{Executable, cuda_executable_name};
use vram_metrics::driver::Card;
use vram_presets::library::Library;
use vram_report::memory_check::{Context, DeviceMemory};
use vram_workload::device_kind::DeviceKind;

use crate::error::SweepError;

/// Where the executable that measures comes from.
#[derive(Clone, Copy)]
pub enum Executables<'a> {
    /// This directory: `vram` for the CPU, `vram-cuda` for cards.
    In(&'a Path),
    /// It is built for this card, or for the CPU, once nothing can be refused any more.
    Built(&'a dyn Fn(Option<&Card>) -> Result<Executable, SweepError>),
}

/// Where rows run.
#[derive(Debug)]
pub struct SweepDevice {
    /// None is the CPU.
    pub card: Option<Card>,
    /// Why it is the CPU, where that was not asked for.
    pub why_cpu: Option<String>,
    /// What a process holds on the device beside what it reserves.
    pub context: Context,
    /// None where it is built when it is needed.
    carried: Option<Executable>,
}

impl SweepDevice {
    /// The device that `choice` means. A card's context is assumed from the library's calibrations.
    ///
    /// # Errors
    ///
    /// A card that was asked for and cannot be used, or an executable that is not there.
    pub fn choose(
        choice: DeviceChoice,
        executables: Executables<'_>,
        library: &Library,
    ) -> Result<Self, SweepError> {
        let (card, why_cpu, carried) = match executables {
            Executables::Built(_) => match choice.card()? {
                Ok(card) => (Some(card), None, None),
                Err(why) => (None, why, None),
            },
            Executables::In(dir) => match choice.resolve(&dir.join(cuda_executable_name()))? {
                Place::Cuda(card, executable) => (Some(card), None, Some(executable)),
                Place::Cpu(why) => {
                    let path = dir.join(format!("vram{}", std::env::consts::EXE_SUFFIX));
                    if !path.is_file() {
                        return Err(SweepError::NotThere { path });
                    }
                    (None, why, Some(Executable::plain(path)))
                }
            },
        };
        let context = card.as_ref().map_or(Context::NONE, |_| Context::assumed(library));
        Ok(Self { card, why_cpu, context, carried })
    }

    /// Its memory now; none where it tells no size.
    pub fn memory(&self) -> Option<DeviceMemory> {
        DeviceMemory::of(&facts(self.card.as_ref()), self.context)
    }

    /// The kind of device, as a ledger knows it.
    pub fn kind(&self) -> DeviceKind {
        if self.card.is_some() { DeviceKind::Cuda } else { DeviceKind::Cpu }
    }

    /// What the executable is told to run on.
    pub fn choice(&self) -> DeviceChoice {
        self.card.as_ref().map_or(DeviceChoice::Cpu, |card| DeviceChoice::Cuda(card.ordinal))
    }

    /// The executable with the libraries that it needs, built if it was not carried along.
    pub(crate) fn executable(
        &self,
        executables: Executables<'_>,
    ) -> Result<Executable, SweepError> {
        let executable = match (&self.carried, executables) {
            (Some(executable), _) => executable.clone(),
            (None, Executables::Built(build)) => build(self.card.as_ref())?,
            (None, Executables::In(dir)) => Err(SweepError::NotThere { path: dir.to_owned() })?,
        };
        tracing::debug!("measured by {executable}");
        Ok(executable)
    }
}
