//! Names, paths, folders and inline text.

use std::fs;

use proptest::prelude::*;
use vram_presets::error::PresetError;
use vram_presets::kind::PresetKind;
use vram_presets::library::{Library, Origin, sweep_from_text, workload_from_file};
use vram_presets::step::StepKind;
use vram_presets::sweep::SweepRow;
use vram_presets::tape::TapeKind;
use vram_source::text::Syntax;

fn json(ring_len: u64, slot_dim: u64, batch: u64) -> String {
    format!(
        r#"{{"schema_version":"workload_schema_v1",
            "ant_spec":{{"slot_dim":{slot_dim},"ring_len":{ring_len},"precision":"fp16","ptr_dtype":"fp64"}},
            "colony_spec":{{"batch_size":{batch},"seq_len":8,"synth_len":8,"ptr_update_every":1,"state_loop_samples":0}}}}"#
    )
}

fn toml(ring_len: u64, slot_dim: u64, batch: u64) -> String {
    format!(
        "schema_version = \"workload_schema_v1\"\nnotes = \"mine\"\n\
         [colony_spec]\nstate_loop_samples = 0\nptr_update_every = 1\nsynth_len = 8\nseq_len = 8\n\
         batch_size = {batch}\nname = \"c\"\n\
         [ant_spec]\nname = \"a\"\nring_len = {ring_len}\nslot_dim = {slot_dim}\n\
         precision = \"fp16\"\nptr_dtype = \"fp64\"\n"
    )
}

#[test]
fn every_built_in_preset_parses() {
    let library = Library::built_in();
    for entry in library.list() {
        match entry.kind {
            PresetKind::Ant => drop(library.ant(&entry.name).unwrap()),
            PresetKind::Colony => drop(library.colony(&entry.name).unwrap()),
            PresetKind::Sweep => drop(library.sweep(&entry.name).unwrap()),
            PresetKind::Calibration => {
                assert!(!library.calibration(&entry.name).unwrap().spec.text().is_empty())
            }
        }
    }
}

#[test]
fn the_published_sweep_has_its_rows_in_order() {
    let sweep = Library::built_in().sweep("vra34").unwrap().spec;
    let ids = |on_demand: bool| {
        let rows = sweep.rows.iter().filter(|r| r.on_demand == on_demand);
        rows.map(|r| r.id.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(ids(false), ["DP1", "DP9", "DP2", "DP8", "DP3", "DP4", "DP5", "DP6"]);
    assert_eq!(ids(true), ["DP7", "DP1E16"]);
    assert!(sweep.rows.iter().all(|r| r.published.is_some() != r.on_demand));
}

#[test]
fn every_row_of_every_sweep_names_presets_that_exist() {
    let library = Library::built_in();
    let sweeps = library.list().into_iter().filter(|entry| entry.kind == PresetKind::Sweep);
    let names: Vec<String> = sweeps.map(|entry| entry.name).collect();
    assert_eq!(names.len(), 7, "{names:?}");
    for name in names {
        let rows = library.sweep(&name).unwrap().spec.rows;
        assert!(!rows.is_empty(), "{name}");
        for row in rows {
            library.ant(&row.ant).unwrap_or_else(|e| panic!("{} of {name}: {e}", row.id));
            library.colony(&row.colony).unwrap_or_else(|e| panic!("{} of {name}: {e}", row.id));
        }
    }
}

#[test]
fn a_folder_overrides_what_is_built_in_and_a_path_overrides_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let ants = dir.path().join("presets/ants");
    fs::create_dir_all(&ants).unwrap();
    let text = "ring_len = 7\nslot_dim = 8\nptr_dtype = \"fp32\"\nprecision = \"bf16\"\n";
    fs::write(ants.join("od1_canon_small.toml"), text).unwrap();
    let inside = dir.path().join("some/where");
    fs::create_dir_all(&inside).unwrap();

    let library = Library::discover(&inside);
    let ant = library.ant("od1_canon_small").unwrap();
    assert_eq!(ant.spec.ring_len, 7);
    assert_eq!(ant.origin, Origin::File(ants.join("od1_canon_small.toml")));
    // Built-in presets that the folder does not have are still there.
    assert_eq!(library.ant("od1_canon_real").unwrap().origin, Origin::BuiltIn);

    let other = dir.path().join("od1_canon_small.toml");
    fs::write(&other, text.replace('7', "9")).unwrap();
    let ant = library.ant(other.to_str().unwrap()).unwrap();
    assert_eq!((ant.spec.ring_len, ant.label.as_str()), (9, "od1_canon_small"));
}

#[test]
fn both_halves_of_a_workload_from_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("w.json"), dir.path().join("w.toml"));
    fs::write(&a, json(16, 24, 2)).unwrap();
    fs::write(&b, toml(16, 24, 2)).unwrap();
    let (a, b) = (workload_from_file(&a).unwrap(), workload_from_file(&b).unwrap());
    assert_eq!(a, b);
    assert_eq!((a.ant.ring_len, a.colony.batch_size), (16, 2));
}

#[test]
fn inline_json_is_one_half_or_a_bare_object() {
    let library = Library::built_in();
    let wrapped = library.ant(&json(16, 24, 2)).unwrap();
    let bare = r#"{"ring_len":16,"slot_dim":24,"precision":"fp16","ptr_dtype":"fp64","notes":"n"}"#;
    let bare = library.ant(bare).unwrap();
    assert_eq!(wrapped.spec, bare.spec);
    assert_eq!((bare.label.as_str(), bare.origin), ("inline", Origin::Inline));
    assert_eq!(bare.notes.as_deref(), Some("n"));
}

/// Specs alone have a JSON form: another file is no sweep, and is not listed as one.
#[test]
fn a_sweep_in_json_is_refused_and_not_listed() {
    let dir = tempfile::tempdir().unwrap();
    let sweeps = dir.path().join("presets/sweeps");
    fs::create_dir_all(&sweeps).unwrap();
    let path = sweeps.join("mine.json");
    fs::write(&path, "{}").unwrap();
    let library = Library::discover(dir.path());
    let error = library.sweep(path.to_str().unwrap()).unwrap_err();
    assert!(error.to_string().ends_with(":1: a sweep is written in TOML"), "{error}");
    assert!(library.list().iter().all(|entry| entry.name != "mine"));
}

proptest! {
    /// Names, notes, key order and syntax are no part of a workload's identity; its sizes are.
    #[test]
    fn the_id_depends_on_the_spec_alone(
        ring_len in 1u64..1 << 40, slot_dim in 1u64..1 << 40, batch in 1u64..1 << 40
    ) {
        let dir = tempfile::tempdir().unwrap();
        let id = |name: &str, text: String| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            workload_from_file(&path).unwrap().workload_id()
        };
        let a = id("w.json", json(ring_len, slot_dim, batch));
        prop_assert_eq!(&a, &id("w.toml", toml(ring_len, slot_dim, batch)));
        prop_assert_ne!(&a, &id("x.json", json(ring_len + 1, slot_dim, batch)));
    }

    /// Hostile text is an error, never a panic.
    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        let library = Library::built_in();
        let dir = tempfile::tempdir().unwrap();
        let inline = format!("{{{text}");
        prop_assert!(library.ant(&inline).is_err());
        for name in ["t.toml", "t.json"] {
            let path = dir.path().join(name);
            fs::write(&path, &text).unwrap();
            prop_assert!(library.colony(path.to_str().unwrap()).is_err());
            prop_assert!(library.sweep(path.to_str().unwrap()).is_err());
        }
    }

    /// As above, near valid text: single characters replaced.
    #[test]
    fn nearly_valid_text_never_panics(at in 0usize..300, with in any::<char>()) {
        let mut text: Vec<char> = json(16, 24, 2).chars().collect();
        let at = at % text.len();
        text[at] = with;
        let text: String = text.into_iter().collect();
        match Library::built_in().ant(&text) {
            Ok(_) | Err(PresetError::Parse { .. } | PresetError::Missing { .. }) => {}
            Err(PresetError::Unknown { .. } | PresetError::Read { .. }) if at == 0 => {}
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }
}

/// The rows of vra34, each with the one step and then with the other, and otherwise alike.
#[test]
fn the_sweep_of_both_steps_is_the_published_one_twice() {
    let library = Library::built_in();
    let published = library.sweep("vra34").unwrap().spec.rows;
    assert!(published.iter().all(|r| r.step == StepKind::Fused));
    let expected = published.into_iter().filter(|r| !r.on_demand).flat_map(|row| {
        let fused = SweepRow { note: None, published: None, ..row };
        let id = format!("{}_plain", fused.id);
        [fused.clone(), SweepRow { id, step: StepKind::Plain, tape: None, ..fused }]
    });
    let steps = library.sweep("steps").unwrap().spec.rows;
    assert_eq!(steps, expected.collect::<Vec<_>>());
}

/// The rows of vra34, each with the one tape and then with the other, and otherwise alike.
#[test]
fn the_sweep_of_both_tapes_is_the_published_one_twice() {
    let library = Library::built_in();
    let published = library.sweep("vra34").unwrap().spec.rows;
    assert!(published.iter().all(|r| r.tape == Some(TapeKind::Full)));
    let expected = published.into_iter().filter(|r| !r.on_demand).flat_map(|row| {
        let full = SweepRow { note: None, published: None, ..row };
        let id = format!("{}_rows", full.id);
        [full.clone(), SweepRow { id, tape: Some(TapeKind::Rows), ..full }]
    });
    let tapes = library.sweep("tapes").unwrap().spec.rows;
    assert_eq!(tapes, expected.collect::<Vec<_>>());
}

/// What neither a row nor the defaults say is what a probe has: the ant's own precision, what goes with
/// it, one head, two steps and three.
#[test]
fn a_sweep_needs_no_defaults() {
    let row = |more: &str| {
        let text = format!(
            "name = \"s\"\n[[row]]\nid = \"a\"\nant = \"smoke_narrow\"\n\
             colony = \"smoke_brief\"\nbatch = 1\n{more}"
        );
        sweep_from_text(&text, Syntax::Toml).unwrap().rows[0].clone()
    };
    let bare = row("");
    assert_eq!((bare.precision, bare.amp, bare.out_dim), (None, None, 1));
    assert_eq!((bare.warmup_steps, bare.measure_steps), (2, 3));
    let library = Library::built_in();
    let spec = library.workload(&bare).unwrap();
    assert_eq!(spec.ant, library.ant("smoke_narrow").unwrap().spec);
    assert_eq!(bare.amp_of(&spec), spec.ant.precision.default_amp());
    let half = row("precision = \"fp16\"\n");
    assert!(half.amp_of(&library.workload(&half).unwrap()));
    let some = row("[defaults]\nwarmup_steps = 7\n");
    assert_eq!((some.warmup_steps, some.measure_steps), (7, 3));
}

/// A sweep of one row, with these lines among the defaults and in the row.
fn one_row(defaults: &str, row: &str) -> Result<SweepRow, PresetError> {
    let text = format!(
        "name = \"s\"\n[defaults]\nout_dim = 1\nprecision = \"fp32\"\namp = 0\n{defaults}\
         warmup_steps = 0\nmeasure_steps = 1\n\
         [[row]]\nid = \"a\"\nant = \"x\"\ncolony = \"y\"\nbatch = 1\n{row}"
    );
    sweep_from_text(&text, Syntax::Toml).map(|sweep| sweep.rows[0].clone())
}

#[test]
fn a_row_takes_the_tape_of_the_defaults_unless_it_has_its_own_or_none() {
    let (full, rows, plain) = ("tape = \"full\"\n", "tape = \"rows\"\n", "step = \"plain\"\n");
    for (defaults, row, expected) in [
        ("", "", Some(TapeKind::Full)),
        (rows, "", Some(TapeKind::Rows)),
        (rows, full, Some(TapeKind::Full)),
        (full, rows, Some(TapeKind::Rows)),
        (rows, plain, None),
        (plain, "", None),
    ] {
        assert_eq!(one_row(defaults, row).unwrap().tape, expected, "{defaults} {row}");
    }
    let both = format!("{plain}{rows}");
    for (defaults, row) in [(both.as_str(), ""), ("", &both), (plain, full)] {
        let error = one_row(defaults, row).unwrap_err().to_string();
        assert!(error.contains("its tape is autograd's"), "{error}");
    }
    let wrong = one_row("", "tape = \"Rows\"\n").unwrap_err().to_string();
    assert!(wrong.contains("tape") && wrong.contains("one of full, rows"), "{wrong}");
}

#[test]
fn a_row_takes_the_step_of_the_defaults_unless_it_has_its_own() {
    let steps = |defaults: &str, row: &str| one_row(defaults, row).map(|row| row.step);
    let (fused, plain) = ("step = \"fused\"\n", "step = \"plain\"\n");
    for (defaults, row, expected) in [
        ("", "", StepKind::Fused),
        (plain, "", StepKind::Plain),
        (plain, fused, StepKind::Fused),
        (fused, plain, StepKind::Plain),
    ] {
        assert_eq!(steps(defaults, row).unwrap(), expected, "{defaults} {row}");
    }
    let wrong = steps("", "step = \"Plain\"\n").unwrap_err().to_string();
    assert!(wrong.contains("step") && wrong.contains("one of fused, plain"), "{wrong}");
}
