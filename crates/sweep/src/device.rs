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

/// What measures, once nothing can be refused any more.
pub(crate) enum Probe<'a> {
    Carried(Executable),
    Built(&'a dyn Fn(Option<&Card>) -> Result<Executable, SweepError>),
}

impl Probe<'_> {
    /// The executable with the libraries that it needs, built if it was not carried along.
    pub(crate) fn executable(self, device: &SweepDevice) -> Result<Executable, SweepError> {
        let executable = match self {
            Self::Carried(executable) => executable,
            Self::Built(build) => build(device.card.as_ref())?,
        };
        tracing::debug!("measured by {executable}");
        Ok(executable)
    }
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
}

impl SweepDevice {
    /// The device that `choice` means, and what measures on it. A card's context is assumed from the
    /// library's calibrations.
    ///
    /// # Errors
    ///
    /// A card that was asked for and cannot be used, or an executable that is not there.
    pub(crate) fn choose<'a>(
        choice: DeviceChoice,
        executables: Executables<'a>,
        library: &Library,
    ) -> Result<(Self, Probe<'a>), SweepError> {
        let (place, probe) = match executables {
            Executables::Built(build) => (choice.place(|_| Ok(()))?, Probe::Built(build)),
            Executables::In(dir) => match choice.resolve(&dir.join(cuda_executable_name()))? {
                Place::Cuda(card, executable) => {
                    (Place::Cuda(card, ()), Probe::Carried(executable))
                }
                Place::Cpu(why) => {
                    let path = dir.join(format!("vram{}", std::env::consts::EXE_SUFFIX));
                    if !path.is_file() {
                        return Err(SweepError::NotThere { path });
                    }
                    (Place::Cpu(why), Probe::Carried(Executable::plain(path)))
                }
            },
        };
        let (card, why_cpu) = match place {
            Place::Cuda(card, ()) => (Some(card), None),
            Place::Cpu(why) => (None, why),
        };
        let context = card.as_ref().map_or(Context::NONE, |_| Context::assumed(library));
        Ok((Self { card, why_cpu, context }, probe))
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
}
