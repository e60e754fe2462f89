//! What a step will take, before anything runs.
//!
//! Allocated comes from the step's own ledger, to the byte. Reserved is what the model of the driver's
//! pool holds for the ledger's requests, by the granule that a calibration has. A calibration without
//! one, such as the published constants, is answered from in its own way, by a line per tier.

use serde::Serialize;
use vram_artifacts::calibration;
use vram_artifacts::run_record::RunRecord;
use vram_fit::calibration::{Calibration, TierConstants};
use vram_metrics::phase::Phase;
use vram_presets::library::{Library, Preset};
use vram_presets::spec::WorkloadSpec;
use vram_presets::step::StepKind;
use vram_virtual_card::pool::Pool;
use vram_workload::device_kind::DeviceKind;
use vram_workload::ledger::Ledger;

use crate::defaults::{DEFAULT_CALIBRATION, NO_LEDGER};
use crate::error::ReportError;
use crate::memory_check::Context;
use crate::terms::Terms;
use crate::tier::{Wanted, step_of, unless_usual};
use crate::workload::Workload;

/// Predicted peaks in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Peak allocated.
    pub allocated_bytes: u64,
    /// Peak reserved.
    pub reserved_bytes: u64,
    /// Between these it will be: rounding alone, and one granule of fragmentation more. Published
    /// constants give no bounds.
    pub reserved_bounds: Option<[u64; 2]>,
    /// Reserved and the context together: what the card has to hold. None beyond 64 bits.
    pub card_bytes: Option<u64>,
    /// What a process holds beside the pool.
    #[serde(flatten)]
    pub context: Context,
    /// Where the numbers come from.
    pub source: String,
}

impl Budget {
    /// What a run of a virtual card counted, which stands for one of a real card; none where it has no
    /// peaks, or they leave 64 bits. `context` is the card's that is meant, where that is known.
    pub fn counted(run: &RunRecord, context: Option<Context>) -> Option<Self> {
        let m = &run.metrics;
        let (allocated_bytes, reserved_bytes) =
            (m.peak_vram_allocated_bytes?, m.peak_vram_reserved_bytes?);
        let context = context.or_else(|| m.context_bytes.map(Context::of_virtual_card));
        let context = context.unwrap_or(Context::of_virtual_card(0));
        // In the rows that were measured a card held as much; what other libraries free is not known.
        let most = m.pool_granule_bytes.and_then(|granule| reserved_bytes.checked_add(granule));
        Some(Self {
            allocated_bytes,
            reserved_bytes,
            reserved_bounds: most.map(|most| [reserved_bytes, most]),
            card_bytes: reserved_bytes.checked_add(context.bytes),
            context,
            source: counted_source(run),
        })
    }
}

/// How numbers of a virtual card came about, in words.
pub fn counted_source(run: &RunRecord) -> String {
    let m = &run.metrics;
    format!(
        "{NO_LEDGER}: dry run of {} + {} steps on a virtual {}; allocated is exact, reserved by \
         the model of the driver's pool",
        m.warmup_steps,
        m.measure_steps,
        run.machine()
    )
}

/// A calibration, ready to answer.
#[derive(Debug)]
pub struct LoadedCalibration {
    name: String,
    calibration: Calibration,
    granule: Option<u64>,
    context: Context,
}

/// Predicts one workload with any number of samples.
#[derive(Debug)]
pub struct Predictor<'a> {
    calibration: &'a LoadedCalibration,
    method: Method<'a>,
}

#[derive(Debug)]
enum Method<'a> {
    Ledger(Box<Forecast>),
    Constants(&'a TierConstants, WorkloadSpec, Terms),
}

/// Granule of the pools that were measured.
const USUAL_GRANULE: u64 = 32 << 20;

/// Peaks of a step with any number of samples: allocated as its ledger says, reserved as the driver's
/// pool does.
#[derive(Debug)]
pub struct Forecast {
    ledger: Ledger,
    granule: u64,
    kind: DeviceKind,
}

/// A step's buffers are asked for on one stream.
const STREAM: u64 = 0;

/// The model keeps a list of granules: from here on, in bytes, there is no card whose they could be.
const MODELLED: u64 = 1 << 44;

/// From the third step on, nothing lies elsewhere than it did.
const STEPS: usize = 3;

impl Forecast {
    /// The forecast of `workload` on a kind of device, without a calibration: a card's pool has the
    /// usual granule. None for the plain step, which has no ledger.
    ///
    /// # Errors
    ///
    /// None that a checked workload can cause.
    pub fn new(workload: &Workload, kind: DeviceKind) -> Result<Option<Self>, ReportError> {
        let granule = match kind {
            DeviceKind::Cpu => 1,
            DeviceKind::Cuda => USUAL_GRANULE,
        };
        Self::by(granule, workload, kind)
    }

    fn by(
        granule: u64,
        workload: &Workload,
        kind: DeviceKind,
    ) -> Result<Option<Self>, ReportError> {
        match workload.step {
            StepKind::Plain => Ok(None),
            StepKind::Fused => {
                let ledger = Ledger::new(&workload.shape, kind)?;
                Ok(Some(Self { ledger, granule, kind }))
            }
        }
    }

    fn allocated_bytes(&self, batch: u64) -> Option<u64> {
        self.ledger.peak_with_batch(usize::try_from(batch).ok()?)
    }

    /// Predicted peak reserved with this many samples, in bytes; none beyond 64 bits.
    pub fn reserved_bytes(&self, batch: u64) -> Option<u64> {
        match self.kind {
            // The host's allocator has no granules.
            DeviceKind::Cpu => self.allocated_bytes(batch),
            DeviceKind::Cuda => match self.allocated_bytes(batch)? {
                0..MODELLED => self.reserved_by_pool(usize::try_from(batch).ok()?),
                allocated => allocated.checked_next_multiple_of(self.granule),
            },
        }
    }

    /// What the model of the driver's pool reserves for the requests of a few steps, with a wait of the host
    /// after each, as a probe has it: what was freed before it lies elsewhere for the next.
    fn reserved_by_pool(&self, batch: usize) -> Option<u64> {
        let (entries, bytes) = (self.ledger.entries(), self.ledger.bytes_with_batch(batch)?);
        let mut pool = Pool::new(self.granule);
        let mut live: Vec<Option<u64>> = vec![None; entries.len()];
        let (mut call, mut peak) = (0, 0);
        for step in 0..STEPS {
            for asked_for in 0..=entries.len() {
                for (entry, at) in entries.iter().zip(&mut live) {
                    if entry.freed_after() == Some(asked_for)
                        && let Some(offset) = at.take()
                    {
                        pool.free(offset, STREAM, call);
                        call += 1;
                    }
                }
                let Some(entry) = entries.get(asked_for) else { continue };
                let is_set_up = entry.alive_at(Phase::Optimizer);
                // A buffer of no bytes is no request.
                if (step == 0 || !is_set_up) && bytes[asked_for] > 0 {
                    let placement = pool.place(bytes[asked_for], STREAM)?;
                    pool.take(placement);
                    live[asked_for] = Some(placement.offset);
                    peak = pool.reserved().max(peak);
                }
            }
            pool.synchronize(STREAM, u64::MAX);
        }
        Some(peak)
    }

    /// The most samples whose predicted reserved is within `limit` bytes, none being zero.
    pub fn most(&self, limit: u64) -> u64 {
        most(|batch| self.reserved_bytes(batch).is_some_and(|bytes| bytes <= limit))
    }
}

/// The largest number for which `fits`, none being zero, where it fits up to some number and not
/// beyond. Numbers past 2^63 are not asked for.
pub fn most(fits: impl Fn(u64) -> bool) -> u64 {
    let mut above = 1u64;
    while fits(above) {
        let Some(next) = above.checked_mul(2) else { return above };
        above = next;
    }
    // `below` fits, `above` does not.
    let mut below = above / 2;
    while above - below > 1 {
        let middle = below + (above - below) / 2;
        if fits(middle) {
            below = middle;
        } else {
            above = middle;
        }
    }
    below
}

impl LoadedCalibration {
    /// The calibration of this name or in this file; the usual one where none is named. Only a
    /// calibration that is named is of the card that is meant: else its context is assumed.
    ///
    /// # Errors
    ///
    /// One that cannot be found or read.
    #[tracing::instrument(level = "trace", name = "load calibration", skip_all)]
    pub fn load(library: &Library, named: Option<&str>) -> Result<Self, ReportError> {
        let arg = named.unwrap_or(DEFAULT_CALIBRATION);
        let Preset { label, spec: calibration, .. } = calibration::load(library, arg)?;
        let granule = calibration.tiers.iter().filter_map(|tier| tier.granule_bytes).max();
        let known = calibration.context_bytes.filter(|_| named.is_some()).map(Context::known);
        let context = known.unwrap_or_else(|| Context::assumed(library));
        tracing::debug!(
            "calibration {label}: {}, a granule of {}, context {context}",
            if named.is_some() { "named" } else { "the usual one, for none is named" },
            granule.map_or("unknown size".to_owned(), |bytes| format!("{bytes} bytes"))
        );
        Ok(Self { name: label, calibration, granule, context })
    }

    /// The preset's name, or the file's stem.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a process holds beside its reserved memory on the card that is meant.
    pub fn context(&self) -> Context {
        self.context
    }

    /// The same, where the calibration that was named tells it.
    pub fn known_context(&self) -> Option<Context> {
        Some(self.context).filter(|context| context.assumed.is_none())
    }

    /// A predictor of `workload`.
    ///
    /// # Errors
    ///
    /// A calibration without the workload's tier, for what no ledger answers: the plain step, or a
    /// card of which no granule is known.
    #[tracing::instrument(level = "trace", name = "choose predictor", skip_all)]
    pub fn predictor(&self, workload: &Workload) -> Result<Predictor<'_>, ReportError> {
        let forecast = match self.granule {
            Some(granule) => Forecast::by(granule, workload, DeviceKind::Cuda)?,
            None => None,
        };
        let method = match forecast {
            Some(forecast) => {
                tracing::debug!(
                    "{}: allocated by the step's ledger, reserved by the granule",
                    workload.probe_id()
                );
                Method::Ledger(Box::new(forecast))
            }
            None => {
                let terms = Terms::of(&self.calibration.terms).ok_or_else(|| {
                    let terms = self.calibration.terms.clone();
                    ReportError::UnknownTerms { name: self.name.clone(), terms }
                })?;
                let tier = self.tier(workload)?;
                tracing::debug!(
                    "{}: by the constants of tier {}, for no ledger answers",
                    workload.probe_id(),
                    tier.name
                );
                Method::Constants(tier, workload.spec, terms)
            }
        };
        Ok(Predictor { calibration: self, method })
    }

    fn tier(&self, workload: &Workload) -> Result<&TierConstants, ReportError> {
        let ant = &workload.spec.ant;
        let wanted = Wanted {
            ring_len: ant.ring_len,
            slot_dim: ant.slot_dim,
            precision: ant.precision.name(),
            amp: u8::from(workload.amp),
            step: Some(workload.step),
            tape: workload.tape,
        };
        wanted.of(&self.calibration).ok_or_else(|| {
            let Wanted { ring_len, slot_dim, precision, amp, .. } = wanted;
            let step = unless_usual(workload.step, workload.tape);
            ReportError::NoTier {
                name: self.name.clone(),
                wanted: format!("ring {ring_len} x {slot_dim} in {precision} with amp {amp}{step}"),
                step: workload.step,
                tiers: self.calibration.tiers.iter().map(|t| t.name.clone()).collect(),
            }
        })
    }
}

impl Predictor<'_> {
    /// The budget of a step with this many samples; none where a size leaves 64 bits.
    pub fn budget(&self, batch: u64) -> Option<Budget> {
        let (allocated_bytes, reserved_bytes, reserved_bounds, source) = match &self.method {
            Method::Ledger(forecast) => {
                let granule = forecast.granule;
                let allocated = forecast.allocated_bytes(batch)?;
                let rounded = forecast.reserved_bytes(batch)?;
                let source = format!(
                    "the step's ledger; reserved by the {granule}-byte granule of {}",
                    self.calibration.name
                );
                (allocated, rounded, Some([rounded, rounded.checked_add(granule)?]), source)
            }
            Method::Constants(tier, spec, terms) => {
                let spec = spec.with_batch(batch).ok()?;
                let predicted = tier.predict(&terms.values(&spec).ok()?).ok()?;
                let why = match step_of(tier) {
                    Some(StepKind::Plain) => format!("{NO_LEDGER}: "),
                    _ => String::new(),
                };
                let source = format!(
                    "{why}constants of tier {} in {}, fitted and not exact: base + k * ring + \
                     overhead",
                    tier.name, self.calibration.name
                );
                (predicted.allocated_bytes, predicted.reserved_bytes, None, source)
            }
        };
        let context = self.calibration.context;
        Some(Budget {
            allocated_bytes,
            reserved_bytes,
            reserved_bounds,
            card_bytes: reserved_bytes.checked_add(context.bytes),
            context,
            source,
        })
    }

    /// The most samples whose predicted reserved is within `limit` bytes, none being zero.
    pub fn most(&self, limit: u64) -> u64 {
        most(|batch| self.budget(batch).is_some_and(|b| b.reserved_bytes <= limit))
    }
}
