use serde::Deserialize;

use crate::parse::{Count, Flag, Size, Source};
use crate::{Precision, PresetError, Syntax};

/// An ordered list of datapoints to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    /// The sweep's name, part of its run directory.
    pub name: String,
    /// What it is for.
    pub notes: Option<String>,
    /// Its datapoints, in the order in which they run.
    pub rows: Vec<SweepRow>,
}

/// One datapoint: a probe's arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepRow {
    /// Name of the row, unique in its sweep: letters, digits, `_` and `-`.
    pub id: String,
    /// Ant preset, name or path.
    pub ant: String,
    /// Colony preset, name or path.
    pub colony: String,
    /// Samples per step.
    pub batch: u64,
    /// Readout heads.
    pub out_dim: u64,
    /// Precision of the step.
    pub precision: Precision,
    /// Whether the step runs under amp.
    pub amp: bool,
    /// Steps before the measurement window.
    pub warmup_steps: u64,
    /// Steps in the measurement window.
    pub measure_steps: u64,
    /// What the row is in the sweep for.
    pub note: Option<String>,
    /// Runs only when it is asked for by its id.
    pub on_demand: bool,
    /// The figures that were published for it.
    pub published: Option<Published>,
}

/// A row of a published table, as published: rounded, in GiB.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Predicted peak reserved.
    pub pred_reserved_gib: f64,
    /// Measured peak reserved.
    pub meas_reserved_gib: f64,
    /// `(predicted - measured) / measured`.
    pub err_percent: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SweepFile {
    name: Id,
    notes: Option<String>,
    defaults: Defaults,
    row: Vec<RowFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Defaults {
    out_dim: Size,
    precision: Precision,
    amp: Flag,
    warmup_steps: Count,
    measure_steps: Size,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RowFile {
    id: toml::Spanned<Id>,
    ant: String,
    colony: String,
    batch: Size,
    out_dim: Option<Size>,
    precision: Option<Precision>,
    amp: Option<Flag>,
    warmup_steps: Option<Count>,
    measure_steps: Option<Size>,
    note: Option<String>,
    #[serde(default)]
    on_demand: bool,
    published: Option<Published>,
}

/// A name that can be part of a file name on every system.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Id(String);

impl TryFrom<String> for Id {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !name.is_empty() && name.chars().all(plain) {
            Ok(Self(name))
        } else {
            Err(format!("`{name}` must be letters, digits, `_` and `-`"))
        }
    }
}

impl Sweep {
    pub(crate) fn parse(source: &Source) -> Result<Self, PresetError> {
        if source.syntax() != Syntax::Toml {
            return Err(source.error("", "a sweep is written in TOML", 0..0));
        }
        let file: SweepFile = source.parse()?;
        let mut rows: Vec<SweepRow> = Vec::with_capacity(file.row.len());
        for row in file.row {
            let span = row.id.span();
            let row = row.with(&file.defaults);
            if rows.iter().any(|r| r.id == row.id) {
                let message = format!("`{}` names two rows", row.id);
                return Err(source.error("row.id", &message, span));
            }
            rows.push(row);
        }
        Ok(Self { name: file.name.0, notes: file.notes, rows })
    }
}

impl RowFile {
    fn with(self, defaults: &Defaults) -> SweepRow {
        SweepRow {
            id: self.id.into_inner().0,
            ant: self.ant,
            colony: self.colony,
            batch: self.batch.0,
            out_dim: self.out_dim.unwrap_or(defaults.out_dim).0,
            precision: self.precision.unwrap_or(defaults.precision),
            amp: self.amp.unwrap_or(defaults.amp).0,
            warmup_steps: self.warmup_steps.unwrap_or(defaults.warmup_steps).0,
            measure_steps: self.measure_steps.unwrap_or(defaults.measure_steps).0,
            note: self.note,
            on_demand: self.on_demand,
            published: self.published,
        }
    }
}
