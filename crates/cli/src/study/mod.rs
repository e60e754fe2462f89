//! From run directories to a fit with names on it: tiers, rows, exclusions, published figures.

mod catalogue;
pub mod knobs;
mod ledger;
mod load;
mod table;
mod terms;
mod tier;

use std::collections::{BTreeMap, HashMap};

use vram_fit::{
    Attribute, Calibration, Exclusion, Fit, FitError, Missing, Observation, RowFit, TierFit, admit,
    fit,
};
use vram_presets::{PresetError, StepKind};

pub use catalogue::{Catalogue, calibration, workload};
pub(crate) use ledger::{ledger, reserved_by_ledger};
pub use load::Runs;
pub use table::{Line, Style, constants_table, gib, results_csv, results_table};
pub use terms::Terms;
pub use tier::{Tier, TierKey, short};
pub(crate) use tier::{step_of, unless_fused};

use crate::artifacts::RunRecord;

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
}

/// Why runs cannot be studied.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum StudyError {
    /// A run's sizes cannot be terms.
    #[error("run {id}")]
    Sizes {
        /// The run.
        id: String,
        /// What is wrong with its sizes.
        source: PresetError,
    },
    /// The fit refused.
    #[error(transparent)]
    Fit(#[from] FitError),
}

impl Study {
    /// Fits the runs that may be fitted.
    ///
    /// # Errors
    ///
    /// Sizes that overflow, or observations that no allocator can report.
    pub fn new(runs: &Runs, terms: Terms) -> Result<Self, StudyError> {
        let mut fitted = Vec::new();
        let mut spot_checks = Vec::new();
        let mut excluded: Vec<_> = runs
            .unreadable
            .iter()
            .map(|(id, error)| (id.clone(), Exclusion::Unreadable(error.with_causes())))
            .collect();
        for run in &runs.records {
            match admission(run) {
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
        let fit = fit_each_step(terms, &fitted, &observations)?;
        let tiers = tier::name(&fitted, &fit);
        Ok(Self { terms, fit, tiers, fitted, spot_checks, excluded })
    }

    /// Each fitted run with its row of the fit.
    pub fn rows(&self) -> impl Iterator<Item = (&RunRecord, &RowFit)> {
        self.fitted.iter().zip(&self.fit.rows)
    }

    /// Predicted peak reserved of a run that was not fitted, where its tier was.
    pub fn predict(&self, run: &RunRecord) -> Option<u64> {
        let key = TierKey::of(run).to_string();
        let tier = self.fit.tiers.iter().find(|t| t.tier == key)?;
        Some(tier.predict(&self.terms.values(&run.spec).ok()?)?.reserved_bytes)
    }

    /// The constants, to predict with.
    pub fn calibration(&self, source: &str) -> Calibration {
        let contexts = self.fitted.iter().filter_map(|run| run.metrics.context_bytes);
        let keys = self.fit.tiers.iter().map(|t| t.tier.as_str());
        let tiers: HashMap<&str, &Tier> = keys.zip(&self.tiers).collect();
        Calibration::new(source, contexts.max(), &self.fit, |key| {
            let tier = tiers[key];
            (tier.name.clone(), attributes(&tier.key))
        })
    }

    /// Names of tiers whose rows contradict the model, and how: they have no constants.
    pub fn contradictions(&self) -> impl Iterator<Item = (&str, &Missing)> {
        let tiers = self.fit.tiers.iter().zip(&self.tiers);
        tiers.filter_map(|(fitted, tier)| Some((tier.name.as_str(), fitted.contradiction()?)))
    }

    /// Whether there is a tier to predict with.
    pub fn predicts(&self) -> bool {
        let is_known = |t: &TierFit| {
            t.base.value.is_some() && t.coefficients.iter().all(|c| c.value.is_some())
        };
        self.fit.tiers.iter().any(is_known)
    }
}

fn attributes(key: &TierKey) -> BTreeMap<String, Attribute> {
    let integer = |name: &str, value| (name.to_owned(), Attribute::Integer(value));
    let text = |name: &str, value: &str| (name.to_owned(), Attribute::Text(value.to_owned()));
    let step = tier::step_attribute(key.step).map(|step| (tier::STEP.to_owned(), step));
    let sizes = [
        integer("ring_len", key.ring_len),
        integer("slot_dim", key.slot_dim),
        text("precision", &key.precision),
        integer("amp", u64::from(key.amp)),
        text("device", &key.device),
    ];
    sizes.into_iter().chain(step).collect()
}

/// The fits of the runs of each step, as one: steps share no constant, and lend none to each other.
/// Rows are in the order of the runs.
fn fit_each_step(
    terms: Terms,
    runs: &[RunRecord],
    observations: &[Observation],
) -> Result<Fit, FitError> {
    let (mut tiers, mut rows) = (Vec::new(), Vec::new());
    for &step in StepKind::ALL {
        let all = runs.iter().zip(observations).enumerate();
        let own = all.filter(|(_, (run, _))| run.metrics.step() == step);
        let (places, own): (Vec<usize>, Vec<Observation>) =
            own.map(|(i, (_, observation))| (i, observation.clone())).unzip();
        let fitted = fit(&terms.model(), &own)?;
        tiers.extend(fitted.tiers);
        rows.extend(places.into_iter().zip(fitted.rows));
    }
    rows.sort_by_key(|(i, _)| *i);
    Ok(Fit { model: terms.model(), tiers, rows: rows.into_iter().map(|(_, row)| row).collect() })
}

fn admission(run: &RunRecord) -> Result<(), Exclusion> {
    let m = &run.metrics;
    admit(m.stability_pass, &m.fail_reasons, m.median_step_time_s, m.max_step_time_s)?;
    if run.env.driver_model.as_deref() == Some("WDDM") {
        return Err(Exclusion::Paging("under the WDDM driver model the system pages video memory"));
    }
    let total = m.total_vram_bytes.or(run.env.total_vram_bytes);
    if m.peak_vram_reserved_bytes.zip(total).is_some_and(|(reserved, total)| reserved > total) {
        return Err(Exclusion::Paging("it reserved more than the device has"));
    }
    if let Some(moved) = m.disturbance() {
        return Err(Exclusion::Disturbed(moved));
    }
    match (m.peak_vram_allocated_bytes, m.peak_vram_reserved_bytes) {
        (None, _) | (_, None) => return Err(Exclusion::NoPeak),
        (_, Some(0)) => return Err(Exclusion::Unsound("nothing is reserved")),
        (Some(a), Some(r)) if r < a => {
            return Err(Exclusion::Unsound("reserves less than it allocates"));
        }
        _ => {}
    }
    match m.out_dim {
        1 => Ok(()),
        other => Err(Exclusion::SpotCheck(format!("out_dim {other}"))),
    }
}

fn observe(run: &RunRecord, terms: Terms) -> Result<Observation, StudyError> {
    let sizes = |source| StudyError::Sizes { id: run.id.clone(), source };
    let spec = &run.spec;
    Ok(Observation {
        id: run.id.clone(),
        tier: TierKey::of(run).to_string(),
        unit_bytes: terms::product(&[spec.ant.ring_len, spec.ant.slot_dim, 4]).map_err(sizes)?,
        terms: terms.values(spec).map_err(sizes)?,
        element_bytes: terms.element_bytes(spec),
        // `admission` has seen both peaks.
        allocated_bytes: run.metrics.peak_vram_allocated_bytes.unwrap_or_default(),
        reserved_bytes: run.metrics.peak_vram_reserved_bytes.unwrap_or_default(),
        granule_bytes: run.metrics.pool_granule_bytes,
    })
}
