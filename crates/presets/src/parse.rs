//! Strict parsing of TOML and of the original harness's JSON: no unknown key, no coercion, and
//! every fault at its line.

use vram_source::check::{Check, Fields};
use vram_source::text::Source;
use vram_source::value::Node;

use crate::error::PresetError;
use crate::name::preset_name;
use crate::spec::{AntSpec, ColonySpec, Precision, PtrDtype, SCHEMA_VERSION};
use crate::step::StepKind;
use crate::tape::TapeKind;

/// A spec and its notes.
pub(crate) type Noted<T> = (Option<String>, T);

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
    value.one_of(Precision::ALL.iter().copied())
}

pub(crate) fn step(value: &Node) -> Result<StepKind, String> {
    value.one_of(StepKind::ALL.iter().copied())
}

pub(crate) fn tape(value: &Node) -> Result<TapeKind, String> {
    value.one_of(TapeKind::ALL.iter().copied())
}

/// What a text says that holds specs; none of one that is not there or is faulty.
struct Specs {
    ant: Option<Noted<AntSpec>>,
    colony: Option<Noted<ColonySpec>>,
}

/// One half of a workload: where it stands in a text that holds specs, how it is read, and which of
/// the specs it is.
struct Half<T> {
    key: &'static str,
    fields: fn(&mut Fields<'_>) -> Option<Noted<T>>,
    of: fn(Specs) -> Option<Noted<T>>,
}

const ANT: Half<AntSpec> = Half { key: "ant_spec", fields: ant_fields, of: |specs| specs.ant };
const COLONY: Half<ColonySpec> =
    Half { key: "colony_spec", fields: colony_fields, of: |specs| specs.colony };

/// Keys of a text that holds specs rather than being one.
const WRAPPER_KEYS: [&str; 3] = ["schema_version", ANT.key, COLONY.key];

/// An ant: alone, or as one half of a workload.
pub(crate) fn ant(source: &Source) -> Result<Noted<AntSpec>, PresetError> {
    half(source, &ANT)
}

/// A colony: alone, or as one half of a workload.
pub(crate) fn colony(source: &Source) -> Result<Noted<ColonySpec>, PresetError> {
    half(source, &COLONY)
}

fn half<T>(source: &Source, half: &Half<T>) -> Result<Noted<T>, PresetError> {
    let check = Check::new(source);
    let document = check.document()?;
    if !WRAPPER_KEYS.iter().any(|key| document.has(key)) {
        let read = document.read(half.fields);
        return Ok(check.finish(read)?);
    }
    let is_there = document.has(half.key);
    // The other half is checked too: a file is right or it is not.
    let specs = document.read(|whole| {
        whole.optional("schema_version", |value| value.one_of([SCHEMA_VERSION]));
        name_and_notes(whole);
        let ant = whole.optional_table(ANT.key);
        let colony = whole.optional_table(COLONY.key);
        Specs {
            ant: ant.and_then(|table| table.read(ANT.fields)),
            colony: colony.and_then(|table| table.read(COLONY.fields)),
        }
    });
    if !is_there {
        // Faults first: a misspelt `ant_spec` is one.
        check.finish(Some(()))?;
        return Err(PresetError::Missing { label: source.label().to_owned(), part: half.key });
    }
    Ok(check.finish((half.of)(specs))?)
}

fn name_and_notes(fields: &mut Fields<'_>) -> Option<String> {
    fields.optional("name", preset_name);
    fields.optional("notes", Node::text)
}

fn ant_fields(fields: &mut Fields<'_>) -> Option<Noted<AntSpec>> {
    let ring_len = fields.required("ring_len", size);
    let slot_dim = fields.required("slot_dim", size);
    let ptr_dtype =
        fields.required("ptr_dtype", |value| value.one_of(PtrDtype::ALL.iter().copied()));
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
