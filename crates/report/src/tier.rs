//! What makes two runs of one tier, what a tier is called, and which tier of a calibration it is.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use vram_artifacts::run_record::RunRecord;
use vram_fit::calibration::{Attribute, Calibration, TierConstants};
use vram_fit::model::Fit;
use vram_presets::name::short;
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;

/// Names of the attributes that tell the step and the tape of a calibration's tier.
const STEP: &str = "step";
const TAPE: &str = "tape";

/// What makes two runs of one tier: rows of another precision, step, tape or device never mix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierKey {
    /// Slots of the ring.
    pub ring_len: u64,
    /// Elements of a slot.
    pub slot_dim: u64,
    /// Precision of the step.
    pub precision: String,
    /// Whether it ran under amp.
    pub amp: u8,
    /// Which step of the model it was.
    pub step: StepKind,
    /// The tape of the fused step; none of the plain one.
    pub tape: Option<TapeKind>,
    /// `cpu` or `cuda`.
    pub device: String,
    /// The device's name.
    pub machine: String,
}

/// A tier and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// The name people know it by.
    pub name: String,
    /// What makes a run one of it.
    pub key: TierKey,
}

impl TierKey {
    /// The tier of a run.
    pub fn of(run: &RunRecord) -> Self {
        Self {
            ring_len: run.spec.ant.ring_len,
            slot_dim: run.spec.ant.slot_dim,
            precision: run.metrics.precision.clone(),
            amp: run.metrics.amp,
            step: run.metrics.step(),
            tape: run.metrics.tape(),
            device: run.metrics.device.clone(),
            machine: run.machine().to_owned(),
        }
    }

    /// The key as a calibration holds it.
    pub(crate) fn attributes(&self) -> BTreeMap<String, Attribute> {
        let device = ("device", Attribute::Text(self.device.clone()));
        let step = step_attribute(self.step).map(|step| (STEP, step));
        let tape = tape_attribute(self.tape).map(|tape| (TAPE, tape));
        let all = self.wanted().attributes().into_iter().chain([device]).chain(step).chain(tape);
        all.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// What is looked for to find the tier in a calibration, whatever the device, step and tape.
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        Wanted {
            ring_len: self.ring_len,
            slot_dim: self.slot_dim,
            precision: &self.precision,
            amp: self.amp,
            step: None,
            tape: self.tape,
        }
    }
}

/// What is looked for among a calibration's tiers, whatever the device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) ring_len: u64,
    pub(crate) slot_dim: u64,
    pub(crate) precision: &'a str,
    pub(crate) amp: u8,
    /// None is any.
    pub(crate) step: Option<StepKind>,
    /// Of that step.
    pub(crate) tape: Option<TapeKind>,
}

impl Wanted<'_> {
    fn attributes(&self) -> [(&'static str, Attribute); 4] {
        [
            ("ring_len", Attribute::Integer(self.ring_len)),
            ("slot_dim", Attribute::Integer(self.slot_dim)),
            ("precision", Attribute::Text(self.precision.to_owned())),
            ("amp", Attribute::Integer(u64::from(self.amp))),
        ]
    }

    pub(crate) fn of<'a>(&self, calibration: &'a Calibration) -> Option<&'a TierConstants> {
        let wanted = self.attributes();
        let is_it = |tier: &&TierConstants| {
            let is_of_step = step_of(tier) == self.step
                && tier.attributes.get(TAPE) == tape_attribute(self.tape).as_ref();
            (self.step.is_none() || is_of_step)
                && wanted.iter().all(|(name, value)| tier.attributes.get(*name) == Some(value))
        };
        calibration.tiers.iter().find(is_it)
    }
}

impl fmt::Display for TierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ring_len, slot_dim, precision, amp, step, tape, device, machine } = self;
        let step = unless_usual(*step, *tape);
        write!(f, "{ring_len}x{slot_dim} {precision} amp{amp}{step} {device} ({machine})")
    }
}

/// Step and tape as the end of a name, where they are not those that are meant without a word.
pub(crate) fn unless_usual(step: StepKind, tape: Option<TapeKind>) -> &'static str {
    match (step, tape) {
        (StepKind::Plain, _) => " plain",
        (StepKind::Fused, Some(TapeKind::Rows)) => " rows",
        (StepKind::Fused, Some(TapeKind::Full) | None) => "",
    }
}

/// A step as an attribute of a calibration's tier. Fused has none, so that calibrations from before
/// there were two steps are read, and written, as they were.
fn step_attribute(step: StepKind) -> Option<Attribute> {
    (step != StepKind::Fused).then(|| Attribute::Text(step.to_string()))
}

/// A tape as an attribute of a calibration's tier. Full has none, for the same reason.
fn tape_attribute(tape: Option<TapeKind>) -> Option<Attribute> {
    (tape == Some(TapeKind::Rows)).then(|| Attribute::Text(TapeKind::Rows.to_string()))
}

/// The step that a calibration's tier is of; none where it is unknown here.
pub(crate) fn step_of(tier: &TierConstants) -> Option<StepKind> {
    let written = tier.attributes.get(STEP);
    StepKind::ALL.iter().copied().find(|step| step_attribute(*step).as_ref() == written)
}

/// Names for the tiers of a fit: the ant's, where all of a tier's runs share it and no other tier
/// has it, else what the key says.
pub(crate) fn name(runs: &[RunRecord], fit: &Fit) -> Vec<Tier> {
    let mut grouped: HashMap<&str, Vec<&RunRecord>> = HashMap::new();
    for (run, row) in runs.iter().zip(&fit.rows) {
        grouped.entry(&row.tier).or_default().push(run);
    }
    let of = |runs: &Vec<&RunRecord>| {
        let ant = short(&runs[0].ant).to_owned();
        let shared = !ant.contains('{') && runs.iter().all(|r| short(&r.ant) == ant);
        let key = TierKey::of(runs[0]);
        let sizes = format!("{}x{}", key.ring_len, key.slot_dim);
        let name = if shared { ant } else { sizes };
        Tier { name: name + unless_usual(key.step, key.tape), key }
    };
    let mut tiers: Vec<Tier> = fit.tiers.iter().map(|t| of(&grouped[t.tier.as_str()])).collect();
    let mut times: HashMap<String, usize> = HashMap::new();
    for tier in &tiers {
        *times.entry(tier.name.clone()).or_default() += 1;
    }
    for tier in &mut tiers {
        if times[&tier.name] > 1 {
            tier.name = tier.key.to_string();
        }
    }
    tiers
}
