//! Strict parsing of TOML and of the original harness's JSON: no unknown key, no coercion, and
//! every fault at its line.

use vram_source::{Check, Fields, Node, Source};

use crate::error::PresetError;
use crate::name::preset_name;
use crate::spec::SCHEMA_VERSION;
use crate::spec::{AntSpec, ColonySpec, Precision, PtrDtype};
use crate::step::StepKind;

/// A spec and its notes.
pub(crate) type Noted<T> = (Option<String>, T);

/// Keys of a text that holds specs rather than being one.
const WRAPPER_KEYS: [&str; 3] = ["schema_version", "ant_spec", "colony_spec"];

/// An integer of at least 1; nothing else is taken for one.
pub(crate) fn size(value: &Node) -> Result<u64, String> {
    value.integer(1, u64::MAX)
}

/// An integer of at least 0.
pub(crate) fn count(value: &Node) -> Result<u64, String> {
    value.integer(0, u64::MAX)
}

/// `0` or `1`.
pub(crate) fn flag(value: &Node) -> Result<bool, String> {
    value.integer(0, 1).map(|v| v == 1)
}

pub(crate) fn precision(value: &Node) -> Result<Precision, String> {
    value.one_of(Precision::ALL)
}

pub(crate) fn step(value: &Node) -> Result<StepKind, String> {
    value.one_of(StepKind::ALL)
}

/// An ant: alone, or as one half of a workload.
pub(crate) fn ant(source: &Source) -> Result<Noted<AntSpec>, PresetError> {
    half(source, "ant_spec", ant_fields)
}

/// A colony: alone, or as one half of a workload.
pub(crate) fn colony(source: &Source) -> Result<Noted<ColonySpec>, PresetError> {
    half(source, "colony_spec", colony_fields)
}

fn half<T>(
    source: &Source,
    part: &'static str,
    fields: impl Fn(&mut Fields<'_>) -> Option<Noted<T>>,
) -> Result<Noted<T>, PresetError> {
    let check = Check::new(source);
    let document = check.document()?;
    if !WRAPPER_KEYS.iter().any(|key| document.has(key)) {
        let read = document.read(&fields);
        return Ok(check.finish(read)?);
    }
    let is_there = document.has(part);
    // The other half is checked too: a file is right or it is not.
    let read = document.read(|whole| {
        whole.optional("schema_version", |value| value.one_of([SCHEMA_VERSION]));
        name_and_notes(whole);
        let ant = whole.optional_table("ant_spec");
        let colony = whole.optional_table("colony_spec");
        let (mine, other) = if part == "ant_spec" { (ant, colony) } else { (colony, ant) };
        match other {
            Some(table) if part == "ant_spec" => drop(table.read(colony_fields)),
            Some(table) => drop(table.read(ant_fields)),
            None => {}
        }
        mine.map(|table| table.read(&fields))
    });
    if !is_there {
        // Faults first: a misspelt `ant_spec` is one.
        check.finish(Some(()))?;
        return Err(PresetError::Missing { label: source.label().to_owned(), part });
    }
    Ok(check.finish(read.flatten())?)
}

fn name_and_notes(fields: &mut Fields<'_>) -> Option<String> {
    fields.optional("name", preset_name);
    fields.optional("notes", Node::text)
}

fn ant_fields(fields: &mut Fields<'_>) -> Option<Noted<AntSpec>> {
    let ring_len = fields.required("ring_len", size);
    let slot_dim = fields.required("slot_dim", size);
    let ptr_dtype = fields.required("ptr_dtype", |value| value.one_of(PtrDtype::ALL));
    let precision = fields.required("precision", precision);
    let notes = name_and_notes(fields);
    let spec = AntSpec {
        precision: precision?,
        ptr_dtype: ptr_dtype?,
        ring_len: ring_len?,
        slot_dim: slot_dim?,
    };
    Some((notes, spec))
}

fn colony_fields(fields: &mut Fields<'_>) -> Option<Noted<ColonySpec>> {
    let seq_len = fields.required("seq_len", size);
    let synth_len = fields.required("synth_len", size);
    let batch_size = fields.required("batch_size", size);
    let ptr_update_every = fields.required("ptr_update_every", size);
    let state_loop_samples = fields.required("state_loop_samples", count);
    let notes = name_and_notes(fields);
    let spec = ColonySpec {
        batch_size: batch_size?,
        ptr_update_every: ptr_update_every?,
        seq_len: seq_len?,
        state_loop_samples: state_loop_samples?,
        synth_len: synth_len?,
    };
    Some((notes, spec))
}
