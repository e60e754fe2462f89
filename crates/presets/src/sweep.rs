//! Sweeps: ordered lists of datapoints.

use std::collections::HashSet;

use vram_source::check::{Check, Fields};
use vram_source::fault::{Fault, Faults};
use vram_source::text::{Source, Syntax};
use vram_source::value::Node;

use crate::error::PresetError;
use crate::name;
use crate::parse::{count, flag, precision, size, step, tape};
use crate::spec::{Precision, WorkloadSpec};
use crate::step::StepKind;
use crate::tape::TapeKind;

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
    /// Name of the row, unique in its sweep whatever the case: letters, digits, `_` and `-`.
    pub id: String,
    /// Ant preset: name, path or inline JSON.
    pub ant: String,
    /// Colony preset: name, path or inline JSON.
    pub colony: String,
    /// Samples per step.
    pub batch: u64,
    /// Readout heads.
    pub out_dim: u64,
    /// Precision of the step; none is the ant's own.
    pub precision: Option<Precision>,
    /// Whether the step runs under amp; none is what goes with its precision.
    pub amp: Option<bool>,
    /// Which step of the model it takes; fused where neither it nor the defaults say.
    pub step: StepKind,
    /// The tape of the fused step, full where neither it nor the defaults say; none of the plain one.
    pub tape: Option<TapeKind>,
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

/// Steps before the measurement window, where nothing else is said.
pub const WARMUP_STEPS: u64 = 2;

/// Steps in the measurement window, where nothing else is said.
pub const MEASURE_STEPS: u64 = 3;

impl SweepRow {
    /// Whether its step runs under amp, of its workload after overrides.
    pub fn amp_of(&self, spec: &WorkloadSpec) -> bool {
        self.amp.unwrap_or(spec.ant.precision.default_amp())
    }
}

/// A row of a published table, as published: rounded, in GiB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// Predicted peak reserved.
    pub pred_reserved_gib: f64,
    /// Measured peak reserved.
    pub meas_reserved_gib: f64,
    /// `(predicted - measured) / measured`.
    pub err_percent: f64,
}

/// What rows have that do not say it themselves.
#[derive(Default)]
struct Defaults {
    out_dim: Option<u64>,
    precision: Option<Precision>,
    amp: Option<bool>,
    step: Option<StepKind>,
    tape: Option<TapeKind>,
    warmup_steps: Option<u64>,
    measure_steps: Option<u64>,
}

impl Sweep {
    pub(crate) fn parse(source: &Source) -> Result<Self, PresetError> {
        if source.syntax() != Syntax::Toml {
            let fault = Fault::new(source, 0..0, "a sweep is written in TOML".to_owned());
            return Err(Faults::from(fault).into());
        }
        let check = Check::new(source);
        let sweep = check.document()?.read(|fields| {
            let name = fields.required("name", name::id);
            let notes = fields.optional("notes", Node::text);
            let defaults = fields.optional_table("defaults").map(|table| table.read(defaults));
            let defaults = defaults.unwrap_or_default();
            let tables = fields.required_tables("row")?;
            let mut ids = HashSet::new();
            let rows: Vec<Option<SweepRow>> = tables
                .into_iter()
                .map(|table| table?.read(|f| row(f, &defaults, &mut ids)))
                .collect();
            Some(Self { name: name?, notes, rows: rows.into_iter().collect::<Option<_>>()? })
        });
        Ok(check.finish(sweep)?)
    }
}

fn defaults(fields: &mut Fields<'_>) -> Defaults {
    let defaults = Defaults {
        out_dim: fields.optional("out_dim", size),
        precision: fields.optional("precision", precision),
        amp: fields.optional("amp", flag),
        step: fields.optional("step", step),
        tape: fields.optional("tape", tape),
        warmup_steps: fields.optional("warmup_steps", count),
        measure_steps: fields.optional("measure_steps", size),
    };
    check_amp(fields, "amp", defaults.precision, defaults.amp);
    check_tape(fields, defaults.step, defaults.tape);
    defaults
}

/// A row, with the defaults for what it leaves out, and what a probe has for what those leave out. `ids` are those of the rows before it.
fn row(
    fields: &mut Fields<'_>,
    defaults: &Defaults,
    ids: &mut HashSet<String>,
) -> Option<SweepRow> {
    let id = fields.required("id", name::id);
    let ant = fields.required("ant", Node::text);
    let colony = fields.required("colony", Node::text);
    let batch = fields.required("batch", size);
    let out_dim = fields.optional("out_dim", size);
    let own_precision = fields.optional("precision", precision);
    let own_amp = fields.optional("amp", flag);
    let own_step = fields.optional("step", step);
    let own_tape = fields.optional("tape", tape);
    let warmup_steps = fields.optional("warmup_steps", count);
    let measure_steps = fields.optional("measure_steps", size);
    let note = fields.optional("note", Node::text);
    let on_demand = fields.optional("on_demand", Node::boolean);
    let published = fields.optional_table("published").and_then(|table| table.read(published));
    let precision = own_precision.or(defaults.precision);
    let amp = own_amp.or(defaults.amp);
    // Where both are the defaults', the fault is theirs.
    if own_amp.is_some() {
        check_amp(fields, "amp", precision, amp);
    } else if own_precision.is_some() {
        check_amp(fields, "precision", precision, amp);
    }
    let step = own_step.or(defaults.step);
    check_tape(fields, step, own_tape);
    let step = step.unwrap_or_default();
    let id = id?;
    // Where a file system makes no difference between `a` and `A`, one would be written over.
    if !ids.insert(id.to_ascii_lowercase()) {
        let message = format!("`{id}` names two rows, or two that differ only in case");
        fields.fault("id", fields.span("id"), &message);
    }
    Some(SweepRow {
        id,
        ant: ant?,
        colony: colony?,
        batch: batch?,
        out_dim: out_dim.or(defaults.out_dim).unwrap_or(1),
        precision,
        amp,
        step,
        tape: step.tape(own_tape.or(defaults.tape)),
        warmup_steps: warmup_steps.or(defaults.warmup_steps).unwrap_or(WARMUP_STEPS),
        measure_steps: measure_steps.or(defaults.measure_steps).unwrap_or(MEASURE_STEPS),
        note,
        on_demand: on_demand.unwrap_or(false),
        published,
    })
}

/// Notes a precision that does not go with amp. What has no runnable mode at all is the row's, not
/// the sweep's.
fn check_amp(fields: &Fields<'_>, key: &str, precision: Option<Precision>, amp: Option<bool>) {
    let Some((precision, amp)) = precision.zip(amp) else { return };
    let has_mode = matches!(precision, Precision::Fp32 | Precision::Fp16 | Precision::Bf16);
    if has_mode && amp != precision.default_amp() {
        let message = format!(
            "precision {precision} with amp {} is no mode: fp32 goes with amp 0, fp16 and bf16 go \
             with amp 1",
            u8::from(amp)
        );
        fields.fault(key, fields.span(key), &message);
    }
}

/// Notes a tape that goes with the plain step.
fn check_tape(fields: &Fields<'_>, step: Option<StepKind>, tape: Option<TapeKind>) {
    if let Err(error) = step.unwrap_or_default().check_tape(tape) {
        fields.fault("tape", fields.span("tape"), &error.to_string());
    }
}

fn published(fields: &mut Fields<'_>) -> Option<Published> {
    let finite = |value: &Node| {
        let number = value.number()?;
        if number.is_finite() { Ok(number) } else { Err(value.expected("a number")) }
    };
    let size = |value: &Node| {
        let number = finite(value)?;
        if number >= 0.0 { Ok(number) } else { Err(value.expected("a size of at least 0")) }
    };
    let pred_reserved_gib = fields.required("pred_reserved_gib", size);
    let meas_reserved_gib = fields.required("meas_reserved_gib", size);
    let err_percent = fields.required("err_percent", finite);
    Some(Published {
        pred_reserved_gib: pred_reserved_gib?,
        meas_reserved_gib: meas_reserved_gib?,
        err_percent: err_percent?,
    })
}
