//! A capacity as it is printed: lines or a table for reading, fields for programs.

use serde::Serialize;
use serde_json::{Value, json};
use vram_console::list_format::FORMATS;
use vram_presets::name::short;
use vram_presets::spec::{Precision, WorkloadSpec};
use vram_presets::step::StepKind;
use vram_presets::tape::TapeKind;
use vram_report::csv_text::csv_of;
use vram_report::memory_check::{Bound, Context, DeviceMemory};
use vram_report::table::{Style, Table, or_dash};
use vram_report::units::gib;
use vram_report::workload::Workload;
use vram_source::escape;

/// What fits. Sizes in bytes.
#[derive(Debug, Serialize)]
pub(super) struct Capacity {
    pub(super) ant: String,
    pub(super) colony: String,
    /// What the presets say of themselves, the ant first.
    pub(super) notes: Vec<String>,
    #[serde(flatten)]
    pub(super) sizes: Sizes,
    /// Part of the memory that reserved may reach.
    pub(super) guard: f64,
    /// Part of the memory that a safe start leaves reserved within.
    pub(super) safe_ratio: f64,
    /// The calibration that answers, by name.
    pub(super) calibration: String,
    /// Largest batch whose reserved stays within the limit; 0 where not one sample fits.
    pub(super) max_batch: u64,
    /// Largest batch whose reserved stays within the safe limit; never above the maximum.
    pub(super) safe_batch: u64,
    /// The lower one of the next two.
    pub(super) limit_bytes: u64,
    pub(super) limited_by: Bound,
    /// `guard * total`.
    pub(super) guard_limit_bytes: u64,
    /// The total without the context and what others hold.
    pub(super) device_limit_bytes: u64,
    /// `safe_ratio * total`, or the limit where that is lower.
    pub(super) safe_limit_bytes: u64,
    pub(super) total_bytes: u64,
    #[serde(flatten)]
    pub(super) context: Context,
    /// What others hold now, where the device that is here was asked.
    pub(super) held_by_others_bytes: u64,
    /// Predicted reserved of the maximum batch.
    pub(super) reserved_bytes: Option<u64>,
    /// Predicted reserved of one sample more, which breaks the limit.
    pub(super) next_reserved_bytes: Option<u64>,
    pub(super) source: String,
}

/// What the step is that was asked about.
#[derive(Debug, Serialize)]
pub(super) struct Sizes {
    pub(super) ring_len: u64,
    pub(super) slot_dim: u64,
    pub(super) synth_len: u64,
    pub(super) out_dim: u64,
    pub(super) precision: Precision,
    pub(super) amp: bool,
    pub(super) step: StepKind,
    pub(super) tape: Option<TapeKind>,
}

impl Sizes {
    pub(super) fn of(workload: &Workload) -> Self {
        let WorkloadSpec { ant, colony } = &workload.spec;
        Self {
            ring_len: ant.ring_len,
            slot_dim: ant.slot_dim,
            synth_len: colony.synth_len,
            out_dim: workload.out_dim,
            precision: ant.precision,
            amp: workload.amp,
            step: workload.step,
            tape: workload.tape,
        }
    }
}

/// Columns of CSV: what JSON has under these names.
const COLUMNS: [&str; 26] = [
    "ant",
    "colony",
    "ring_len",
    "slot_dim",
    "synth_len",
    "out_dim",
    "precision",
    "amp",
    "step",
    "tape",
    "max_batch",
    "safe_batch",
    "reserved_bytes",
    "next_reserved_bytes",
    "limit_bytes",
    "limited_by",
    "guard_limit_bytes",
    "device_limit_bytes",
    "safe_limit_bytes",
    "total_bytes",
    "context_bytes",
    "held_by_others_bytes",
    "guard",
    "safe_ratio",
    "calibration",
    "source",
];

pub(super) fn csv(found: &[Capacity]) -> String {
    let records: Vec<Value> = found.iter().map(|capacity| json!(capacity)).collect();
    csv_of(&COLUMNS, &records)
}

pub(super) fn lines(found: &Capacity, memory: DeviceMemory) -> String {
    let size = |bytes: Option<u64>| bytes.map_or("beyond 64 bits".to_owned(), |b| gib(b) + " GiB");
    let limit = memory.limit(found.guard);
    let next = size(found.next_reserved_bytes);
    let mut text = match found.max_batch {
        0 => format!(
            "maximum batch  0: one sample reserves {next}, and {} GiB may be\n",
            gib(limit.bytes)
        ),
        most => format!(
            "maximum batch  {most}: reserves {} of the {} GiB that it may; {} would reserve {next}\n",
            size(found.reserved_bytes),
            gib(limit.bytes),
            most + 1,
        ),
    };
    text += &format!(
        "limited by     {limit}\nsafe batch     {} (within {} of the memory, and the maximum)\n\
         device         {} GiB ({} bytes), guard {}\n",
        found.safe_batch,
        found.safe_ratio,
        gib(found.total_bytes),
        found.total_bytes,
        found.guard,
    );
    text += &beside(memory);
    text + &format!("source         {}\n", escape::line(&found.source))
}

/// What is held on the device beside what a step reserves.
fn beside(memory: DeviceMemory) -> String {
    let mut text = match memory.context {
        Context::NONE => String::new(),
        context => format!("context        {context}\n"),
    };
    if memory.held_bytes > 0 {
        text += &format!(
            "held by others {} GiB ({} bytes)\n",
            gib(memory.held_bytes),
            memory.held_bytes
        );
    }
    text
}

pub(super) fn table(found: &[Capacity], memory: DeviceMemory, guard: f64) -> String {
    let heads = ["ant", "colony", "max batch", "safe batch", "reserved GiB", "next GiB"];
    let size = |bytes: Option<u64>| or_dash(bytes, gib);
    let rows = found.iter().map(|capacity| {
        [
            short(&capacity.ant).to_owned(),
            short(&capacity.colony).to_owned(),
            capacity.max_batch.to_string(),
            capacity.safe_batch.to_string(),
            size(capacity.reserved_bytes.filter(|_| capacity.max_batch > 0)),
            size(capacity.next_reserved_bytes),
        ]
    });
    let table =
        Table::new(heads).numbers_from(2).with_rows(rows).also_as(FORMATS).draw(Style::Terminal);
    let limit = memory.limit(guard);
    format!(
        "{table}max batch: reserved within {} GiB; next: one sample more\nlimited by     {limit}\n{}",
        gib(limit.bytes),
        beside(memory)
    )
}
