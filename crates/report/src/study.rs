//! From run directories to a fit with names on it: tiers, rows, exclusions, published figures.

use std::collections::{HashMap, HashSet};

use vram_artifacts::error::with_causes;
use vram_artifacts::run_record::RunRecord;
use vram_fit::calibration::Calibration;
use vram_fit::error::FitError;
use vram_fit::fit::fit;
use vram_fit::missing::Missing;
use vram_fit::model::{Fit, Observation, RowFit, TierFit};
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;

use crate::error::ReportError;
use crate::exclusion::{Exclusion, admit};
use crate::run_ledger::reserved_by_ledger;
use crate::runs::Runs;
use crate::terms::{self, Terms};
use crate::tier::{self, Tier, TierKey};

/// Runs, fitted.
#[derive(Debug)]
pub struct Study {
    /// The model's terms.
    pub terms: Terms,
    /// The fit itself.
    pub fit: Fit,
    /// Names of the fit's tiers, in its order.
    pub tiers: Vec<Tier>,
    /// The runs behind the fit's rows, in its order.
    pub fitted: Vec<RunRecord>,
    /// Runs that are shown with their prediction and not fitted.
    pub spot_checks: Vec<(RunRecord, String)>,
    /// What stayed out, by id, and why.
    pub excluded: Vec<(String, Exclusion)>,
    /// Peak reserved that was known before a run was measured, and how, by what identifies the run: of
    /// those alone of which the fit may have nothing to say.
    beforehand: HashMap<[u8; 32], Beforehand>,
}

/// Peak reserved in bytes as it was known before a run was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Beforehand {
    /// By the step's ledger.
    Ledger(u64),
    /// By a dry run on a virtual card.
    DryRun(u64),
}

impl Beforehand {
    /// What is known of `run` among `runs`.
    pub(crate) fn of(run: &RunRecord, runs: &Runs) -> Option<Self> {
        let counted = || runs.counted_of(run)?.metrics.peak_vram_reserved_bytes;
        reserved_by_ledger(run).map(Self::Ledger).or_else(|| counted().map(Self::DryRun))
    }

    /// In bytes.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::Ledger(bytes) | Self::DryRun(bytes) => bytes,
        }
    }
}

impl Study {
    /// Fits the runs that may be fitted.
    ///
    /// # Errors
    ///
    /// Sizes that overflow, or observations that no allocator can report.
    #[tracing::instrument(level = "trace", name = "fit", skip_all)]
    pub fn new(runs: &Runs, terms: Terms) -> Result<Self, ReportError> {
        let mut fitted = Vec::new();
        let mut spot_checks = Vec::new();
        let mut excluded: Vec<_> = runs
            .unreadable
            .iter()
            .map(|(id, error)| (id.clone(), Exclusion::Unreadable(with_causes(error))))
            .collect();
        for run in &runs.records {
            match admit(run) {
                Ok(()) => fitted.push(run.clone()),
                Err(reason) => {
                    if let Exclusion::SpotCheck(what) = &reason {
                        spot_checks.push((run.clone(), what.clone()));
                    }
                    excluded.push((run.id.clone(), reason));
                }
            }
        }
        let observations =
            fitted.iter().map(|run| observe(run, terms)).collect::<Result<Vec<_>, _>>()?;
        let fit = fit_each_kind(terms, &fitted, &observations)?;
        let tiers = tier::name(&fitted, &fit);
        tracing::debug!(
            "terms {}: {} runs fitted in {} tiers, {} left out",
            terms.name(),
            fitted.len(),
            tiers.len(),
            excluded.len()
        );
        let silent: HashSet<&str> = fit
            .tiers
            .iter()
            .filter(|tier| is_silent(tier))
            .map(|tier| tier.tier.as_str())
            .collect();
        let rows = fitted.iter().zip(&fit.rows);
        let alone = rows.filter(|(_, row)| silent.contains(row.tier.as_str())).map(|(run, _)| run);
        let asked = alone.chain(spot_checks.iter().map(|(run, _)| run));
        let beforehand =
            asked.filter_map(|run| Some((run.content, Beforehand::of(run, runs)?))).collect();
        Ok(Self { terms, fit, tiers, fitted, spot_checks, excluded, beforehand })
    }

    /// Each fitted run with its row of the fit.
    pub fn rows(&self) -> impl Iterator<Item = (&RunRecord, &RowFit)> {
        self.fitted.iter().zip(&self.fit.rows)
    }

    /// What was known of a run before it was measured, where the fit may have nothing to say of it.
    pub(crate) fn beforehand(&self, run: &RunRecord) -> Option<Beforehand> {
        self.beforehand.get(&run.content).copied()
    }

    /// Predicted peak reserved of a run that was not fitted, where its tier was.
    pub fn predict(&self, run: &RunRecord) -> Option<u64> {
        let key = TierKey::of(run).to_string();
        let tier = self.fit.tiers.iter().find(|t| t.tier == key)?;
        Some(tier.predict(&self.terms.values(&run.spec).ok()?)?.reserved_bytes)
    }

    /// The constants as a calibration file, with where they come from: `machine` and the runs.
    ///
    /// # Errors
    ///
    /// Constants that TOML cannot hold.
    pub fn calibration_file(&self, machine: &str) -> Result<String, ReportError> {
        let ids: Vec<&str> = self.fitted.iter().map(|run| run.id.as_str()).collect();
        let source = format!("vram fit on {machine}: {}", ids.join(", "));
        Ok(self.calibration(&source).to_toml()?)
    }

    /// The constants, to predict with.
    pub fn calibration(&self, source: &str) -> Calibration {
        let contexts = self.fitted.iter().filter_map(|run| run.metrics.context_bytes);
        let keys = self.fit.tiers.iter().map(|t| t.tier.as_str());
        let tiers: HashMap<&str, &Tier> = keys.zip(&self.tiers).collect();
        Calibration::new(source, contexts.max(), &self.fit, |key| {
            let tier = tiers[key];
            (tier.name.clone(), tier.key.attributes())
        })
    }

    /// Names of tiers whose rows contradict the model, and how: they have no constants.
    pub(crate) fn contradictions(&self) -> impl Iterator<Item = (&str, &Missing)> {
        let tiers = self.fit.tiers.iter().zip(&self.tiers);
        tiers.filter_map(|(fitted, tier)| Some((tier.name.as_str(), fitted.contradiction()?)))
    }

    /// Whether every tier has possible constants and there is a run to fit at all. What is not so is
    /// logged.
    pub fn is_whole(&self) -> bool {
        let mut whole = true;
        for (name, why) in self.contradictions() {
            tracing::error!("tier {name}: {why}; it has no constants");
            whole = false;
        }
        if self.fitted.is_empty() {
            let left_out = self.excluded.len();
            tracing::error!("nothing is fitted: every run is left out ({left_out} of them)");
            whole = false;
        }
        whole
    }

    /// Whether there is a tier to predict with.
    pub fn predicts(&self) -> bool {
        let is_known = |t: &TierFit| {
            t.base.value.is_some() && t.coefficients.iter().all(|c| c.value.is_some())
        };
        self.fit.tiers.iter().any(is_known)
    }
}

/// Whether a fit has nothing to say of a tier's only row: what it gives for that is the row's own
/// measurement.
fn is_silent(tier: &TierFit) -> bool {
    tier.anchored && tier.coefficients.iter().any(|c| c.value.is_none())
}

/// What has constants of its own: they share none, and lend none to each other.
type Kind<'a> = (StepKind, Option<TapeKind>, &'a str, &'a str);

/// Step, tape, kind of device and the device's name.
fn kind(run: &RunRecord) -> Kind<'_> {
    (run.metrics.step(), run.metrics.tape(), &run.metrics.device, run.machine())
}

/// The fits of the runs of each kind, as one. Rows are in the order of the runs.
fn fit_each_kind(
    terms: Terms,
    runs: &[RunRecord],
    observations: &[Observation],
) -> Result<Fit, FitError> {
    let (mut tiers, mut rows) = (Vec::new(), Vec::new());
    let steps = [
        (StepKind::Fused, Some(TapeKind::Full)),
        (StepKind::Fused, Some(TapeKind::Rows)),
        (StepKind::Plain, None),
    ];
    let mut devices: Vec<(&str, &str)> = Vec::new();
    for (_, _, device, machine) in runs.iter().map(kind) {
        if !devices.contains(&(device, machine)) {
            devices.push((device, machine));
        }
    }
    let kinds = steps.iter().flat_map(|(step, tape)| {
        devices.iter().map(move |(device, machine)| (*step, *tape, *device, *machine))
    });
    for own_kind in kinds {
        let all = runs.iter().zip(observations).enumerate();
        let own = all.filter(|(_, (run, _))| kind(run) == own_kind);
        let (places, own): (Vec<usize>, Vec<Observation>) =
            own.map(|(i, (_, observation))| (i, observation.clone())).unzip();
        let fitted = fit(&terms.model(), &own)?;
        tiers.extend(fitted.tiers);
        rows.extend(places.into_iter().zip(fitted.rows));
    }
    rows.sort_by_key(|(i, _)| *i);
    Ok(Fit { model: terms.model(), tiers, rows: rows.into_iter().map(|(_, row)| row).collect() })
}

fn observe(run: &RunRecord, terms: Terms) -> Result<Observation, ReportError> {
    let sizes = |source| ReportError::Sizes { id: run.id.clone(), source: Box::new(source) };
    let spec = &run.spec;
    Ok(Observation {
        id: run.id.clone(),
        tier: TierKey::of(run).to_string(),
        unit_bytes: terms::product(&[spec.ant.ring_len, spec.ant.slot_dim, 4]).map_err(sizes)?,
        terms: terms.values(spec).map_err(sizes)?,
        element_bytes: terms.element_bytes(spec),
        // `admit` has seen both peaks.
        allocated_bytes: run.metrics.peak_vram_allocated_bytes.unwrap_or_default(),
        reserved_bytes: run.metrics.peak_vram_reserved_bytes.unwrap_or_default(),
        granule_bytes: run.metrics.pool_granule_bytes,
    })
}
