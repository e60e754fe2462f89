//! Where a sweep's rows run, and what measures them there.

use std::path::Path;

use vram_launch::choice::{DeviceChoice, DevicesChoice};
use vram_launch::device::{DeviceError, Place, card, facts, ordinals};
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
    /// It is built for this card and those that can do more, or for the CPU, once nothing can be refused
    /// any more.
    Built(&'a dyn Fn(Option<&Card>) -> Result<Executable, SweepError>),
}

/// What measures, once nothing can be refused any more.
pub(crate) enum Probe<'a> {
    Carried(Executable),
    Built(&'a dyn Fn(Option<&Card>) -> Result<Executable, SweepError>),
}

impl Probe<'_> {
    /// The executable with the libraries that it needs, built if it was not carried along.
    pub(crate) fn executable(self, devices: &[SweepDevice]) -> Result<Executable, SweepError> {
        let executable = match self {
            Self::Carried(executable) => executable,
            Self::Built(build) => {
                let cards = devices.iter().filter_map(|device| device.card.as_ref());
                // What is built for the least of them runs on the others, too.
                build(cards.min_by_key(|card| card.capability))?
            }
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

    /// The devices that `choice` means, one or more, and what measures on them.
    ///
    /// # Errors
    ///
    /// As [`SweepDevice::choose`].
    pub(crate) fn choose_each<'a>(
        choice: &DevicesChoice,
        executables: Executables<'a>,
        library: &Library,
    ) -> Result<(Vec<Self>, Probe<'a>), SweepError> {
        let (first, others) = match choice {
            DevicesChoice::One(choice) => (*choice, Vec::new()),
            DevicesChoice::Cards(cards) => {
                let others = cards.iter().skip(1).copied().collect();
                (DeviceChoice::Cuda(cards.first().copied().unwrap_or(0)), others)
            }
            DevicesChoice::AllCards => {
                let all = ordinals().map_err(DeviceError::from)?;
                (DeviceChoice::Cuda(0), all.skip(1).collect())
            }
        };
        let (first, probe) = Self::choose(first, executables, library)?;
        let context = first.context;
        let mut devices = vec![first];
        for ordinal in others {
            // One executable measures on all of them.
            let card = card(ordinal).map_err(DeviceError::from)?;
            devices.push(Self { card: Some(card), why_cpu: None, context });
        }
        Ok((devices, probe))
    }

    /// Its memory now; none where it tells no size.
    pub fn memory(&self) -> Option<DeviceMemory> {
        DeviceMemory::of(&facts(self.card.as_ref()), self.context)
    }

    /// Its memory without what others hold of it; none where it tells no size.
    pub(crate) fn unused(&self) -> Option<DeviceMemory> {
        let card = self.card.as_ref()?;
        Some(DeviceMemory::unused(card.total_bytes, self.context))
    }

    /// Whether it is a card that has fallen off the bus.
    pub(crate) fn is_lost(&self) -> bool {
        self.card.as_ref().is_some_and(Card::is_lost)
    }

    /// Its name among devices, such as `cuda:2`.
    pub fn label(&self) -> String {
        self.choice().to_string()
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
