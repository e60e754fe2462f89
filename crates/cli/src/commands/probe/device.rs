//! What a probe measures on: a device with its meter, its clock and its facts.

use candle_core::Device;
use vram_metrics::clock::{StepClock, WallClock};
use vram_metrics::facts::DeviceFacts;
use vram_metrics::host::HostMeter;
use vram_metrics::meter::{Meter, MeterError};
use vram_workload::device_kind::DeviceKind;
use vram_workload::threads::start_threads;

use miette::IntoDiagnostic;

/// A device, opened.
pub(super) trait ProbeDevice: Sync {
    fn device(&self) -> &Device;
    fn meter(&self) -> &dyn Meter;
    fn clock(&self) -> Box<dyn StepClock>;
    fn facts(&self) -> &DeviceFacts;

    /// What kind of device it is, as a ledger knows it.
    fn kind(&self) -> DeviceKind;

    /// How the clock takes its times, as artifacts say it.
    fn step_time_mode(&self) -> &'static str;

    /// What the allocator reserves in multiples of; none where it has no such size.
    fn granule_bytes(&self) -> Option<u64>;

    /// What the process holds on the device outside what the meter counts; none where there is
    /// nothing of the kind.
    fn context_bytes(&self) -> Option<Result<u64, MeterError>>;
}

/// The host's memory and processors.
pub(super) struct Cpu {
    meter: HostMeter,
    facts: DeviceFacts,
}

impl Cpu {
    pub(super) fn open() -> miette::Result<Self> {
        let meter = HostMeter::new().into_diagnostic()?;
        start_threads();
        Ok(Self { meter, facts: DeviceFacts::host() })
    }
}

impl ProbeDevice for Cpu {
    fn device(&self) -> &Device {
        &Device::Cpu
    }

    fn meter(&self) -> &dyn Meter {
        &self.meter
    }

    fn clock(&self) -> Box<dyn StepClock> {
        Box::<WallClock>::default()
    }

    fn facts(&self) -> &DeviceFacts {
        &self.facts
    }

    fn kind(&self) -> DeviceKind {
        DeviceKind::Cpu
    }

    fn step_time_mode(&self) -> &'static str {
        "wall_clock"
    }

    fn granule_bytes(&self) -> Option<u64> {
        None
    }

    fn context_bytes(&self) -> Option<Result<u64, MeterError>> {
        None
    }
}

#[cfg(feature = "cuda")]
pub(crate) use card::OpenCard;

#[cfg(feature = "cuda")]
mod card {
    use candle_core::{CudaDevice, Device};
    use miette::{IntoDiagnostic, WrapErr, miette};
    use vram_launch::choice::DeviceChoice;
    use vram_launch::device::DeviceError;
    use vram_metrics::clock::StepClock;
    use vram_metrics::cuda::events::EventClock;
    use vram_metrics::cuda::pool::PoolMeter;
    use vram_metrics::driver::{Card, Driver};
    use vram_metrics::facts::DeviceFacts;
    use vram_metrics::meter::{Meter, MeterError};
    use vram_workload::build;
    use vram_workload::device_kind::DeviceKind;

    use super::ProbeDevice;

    /// A card with a context on it.
    pub(crate) struct OpenCard {
        pub(crate) device: Device,
        /// The same.
        cuda: CudaDevice,
        meter: PoolMeter,
        granule: u64,
        pub(crate) facts: DeviceFacts,
    }

    impl OpenCard {
        /// Opens the card that is meant, after checking that this build runs on it.
        pub(crate) fn open(choice: DeviceChoice) -> miette::Result<Self> {
            let ordinal = match choice {
                DeviceChoice::Cuda(ordinal) => ordinal,
                DeviceChoice::Auto => 0,
                DeviceChoice::Cpu => {
                    return Err(miette!(help = "use vram", "vram-cuda does not run on the CPU"));
                }
            };
            let driver = Driver::open().map_err(DeviceError::from)?;
            let card = driver.card(ordinal).map_err(DeviceError::from)?;
            // What CUDA says of a card that is lost helps nobody.
            Self::on(&driver, &card)
                .map_err(|error| card.lost().map_or(error, |lost| DeviceError::from(lost).into()))
        }

        fn on(driver: &Driver, card: &Card) -> miette::Result<Self> {
            let ordinal = card.ordinal;
            let built_with = build::CUDA_VERSION.parse().into_diagnostic()?;
            driver.supports(built_with).map_err(DeviceError::from)?;
            runs_on(card)?;
            let facts = DeviceFacts::card(card, driver.version().map_err(DeviceError::from)?);
            // Before the context: what it costs is the difference.
            let meter = PoolMeter::new(card).into_diagnostic()?;
            let opened = Device::new_cuda_with_stream(ordinal).into_diagnostic();
            let device = opened.wrap_err_with(|| {
                let free = facts.available_bytes.map_or_else(
                    || "unknown".to_owned(),
                    |bytes| format!("{} GiB", vram_report::units::gib(bytes)),
                );
                format!(
                    "cannot open cuda:{ordinal}, {} ({free} free): is another process using it \
                     exclusively, or all of its memory? See `nvidia-smi`, or name another card \
                     with --device cuda:N",
                    card.name
                )
            })?;
            let cuda = device.as_cuda_device().into_diagnostic()?.clone();
            let granule = meter.granule_bytes(&cuda.cuda_stream()).into_diagnostic()?;
            Ok(Self { device, cuda, meter, granule, facts })
        }
    }

    /// Machine code runs on cards of its own capability and, through its PTX, on newer ones.
    fn runs_on(card: &Card) -> miette::Result<()> {
        let digits: i32 = build::COMPUTE_CAPABILITY.parse().into_diagnostic()?;
        let (major, minor) = card.capability;
        if major * 10 + minor >= digits {
            return Ok(());
        }
        Err(miette!(
            help =
                format!("build it for this card: cargo xtask sweep --compute-cap {major}.{minor}"),
            "this build is for cards of compute capability {}.{} and newer; {} has {major}.{minor}",
            digits / 10,
            digits % 10,
            card.name
        ))
    }

    impl ProbeDevice for OpenCard {
        fn device(&self) -> &Device {
            &self.device
        }

        fn meter(&self) -> &dyn Meter {
            &self.meter
        }

        fn clock(&self) -> Box<dyn StepClock> {
            Box::new(EventClock::new(self.cuda.cuda_stream()))
        }

        fn facts(&self) -> &DeviceFacts {
            &self.facts
        }

        fn kind(&self) -> DeviceKind {
            DeviceKind::Cuda
        }

        fn step_time_mode(&self) -> &'static str {
            "cuda_events"
        }

        fn granule_bytes(&self) -> Option<u64> {
            Some(self.granule)
        }

        fn context_bytes(&self) -> Option<Result<u64, MeterError>> {
            Some(self.meter.context_bytes())
        }
    }

    impl OpenCard {
        /// What the process holds on the card outside the pool.
        pub(crate) fn context(&self) -> Result<u64, MeterError> {
            self.meter.context_bytes()
        }
    }
}
