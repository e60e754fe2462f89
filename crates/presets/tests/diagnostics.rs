//! What a user sees who mistyped: file, line, key and the text itself.

use std::path::Path;

use miette::{GraphicalReportHandler, GraphicalTheme};
use vram_presets::error::PresetError;
use vram_presets::library::Library;

const ANT: &str = r#"
ring_len = 2048
slot_dim = 256
ptr_dtype = "fp64"
precision = "fp32"
"#;

const COLONY_JSON: &str = r#"{"schema_version": "workload_schema_v1", "colony_spec":
  {"seq_len": 256, "synth_len": 256, "batch_size": 4, "ptr_update_every": 1, "state_loop_samples": 0}}"#;

fn render(error: &PresetError) -> String {
    let mut out = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .render_report(&mut out, error)
        .unwrap();
    out
}

/// The rendered error of an ant file in which `from` reads `to`.
fn ant(from: &str, to: &str) -> String {
    assert!(ANT.contains(from));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.toml");
    std::fs::write(&path, ANT.replace(from, to)).unwrap();
    let error = Library::built_in().ant(path.to_str().unwrap()).unwrap_err();
    render(&error).replace(&format!("{}/", dir.path().display()), "")
}

fn colony(from: &str, to: &str) -> String {
    assert!(COLONY_JSON.contains(from));
    render(&Library::built_in().colony(&COLONY_JSON.replace(from, to)).unwrap_err())
}

#[test]
fn unknown_key() {
    insta::assert_snapshot!(ant("slot_dim", "slot_dims"));
}

#[test]
fn unknown_key_in_json() {
    insta::assert_snapshot!(colony("\"seq_len\"", "\"sequence\""));
}

#[test]
fn quoted_number() {
    insta::assert_snapshot!(ant("2048", "\"2048\""));
}

#[test]
fn quoted_number_in_json() {
    insta::assert_snapshot!(colony("\"synth_len\": 256", "\"synth_len\": \"256\""));
}

#[test]
fn float() {
    insta::assert_snapshot!(ant("256", "256.0"));
}

#[test]
fn boolean() {
    insta::assert_snapshot!(colony("\"batch_size\": 4", "\"batch_size\": true"));
}

#[test]
fn padded_name() {
    insta::assert_snapshot!(ant("\"fp64\"", "\"fp64 \""));
}

#[test]
fn zero() {
    insta::assert_snapshot!(ant("2048", "0"));
}

#[test]
fn negative() {
    insta::assert_snapshot!(colony("\"state_loop_samples\": 0", "\"state_loop_samples\": -1"));
}

#[test]
fn beyond_64_bits() {
    insta::assert_snapshot!(ant("2048", "99999999999999999999"));
}

#[test]
fn missing_key() {
    insta::assert_snapshot!(ant("slot_dim = 256\n", ""));
}

#[test]
fn repeated_key() {
    insta::assert_snapshot!(ant("slot_dim = 256", "slot_dim = 256\nslot_dim = 128"));
}

#[test]
fn broken_syntax() {
    insta::assert_snapshot!(ant("= 2048", "2048"));
}

#[test]
fn another_schema_version() {
    insta::assert_snapshot!(colony("workload_schema_v1", "workload_schema_v2"));
}

#[test]
fn text_after_the_json() {
    insta::assert_snapshot!(colony("0}}", "0}} x"));
}

#[test]
fn unknown_name_with_suggestions() {
    insta::assert_snapshot!(render(&Library::built_in().ant("od1_cannon_smal").unwrap_err()));
}

#[test]
fn unknown_name_like_nothing() {
    insta::assert_snapshot!(render(&Library::built_in().sweep("q").unwrap_err()));
}

#[test]
fn a_missing_file() {
    let error = Library::built_in().ant("no/such/ant.toml").unwrap_err();
    insta::assert_snapshot!(render(&error));
}

#[test]
fn the_other_half_of_a_workload() {
    insta::assert_snapshot!(render(&Library::built_in().ant(COLONY_JSON).unwrap_err()));
}

fn sweep(from: &str, to: &str) -> String {
    let text = include_str!("../../../presets/sweeps/smoke.toml");
    assert!(text.contains(from));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.toml");
    std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
    let error = Library::discover(Path::new("/")).sweep(path.to_str().unwrap()).unwrap_err();
    render(&error).replace(&format!("{}/", dir.path().display()), "")
}

#[test]
fn a_row_named_twice() {
    insta::assert_snapshot!(sweep("id = \"N32\"", "id = \"N16\""));
}

#[test]
fn a_row_that_cannot_name_a_folder() {
    insta::assert_snapshot!(sweep("id = \"N32\"", "id = \"../N32\""));
}

#[test]
fn an_amp_that_is_no_flag() {
    insta::assert_snapshot!(sweep("amp = 1", "amp = 2"));
}

/// Who corrects a file is told of everything at once.
#[test]
fn every_fault_of_an_ant() {
    let text = ANT.replace("2048", "0").replace("slot_dim", "slot_dims").replace("fp32", "fp31");
    insta::assert_snapshot!(ant(ANT, &text));
}

#[test]
fn every_fault_of_a_sweep() {
    let text = "name = \"../x\"\nnote = 1\n[defaults]\nout_dim = 1\nprecision = \"fp32\"\namp = 1\n\
                warmup_steps = 0\nmeasure_steps = 1.5\n[[row]]\nid = \"CON\"\nant = \"a\"\n\
                colony = \"b\"\nbtch = 1\n[[row]]\nid = \"a1\"\nant = \"a\"\ncolony = \"b\"\n\
                batch = 1\n[[row]]\nid = \"A1\"\nant = \"a\"\ncolony = \"b\"\nbatch = 1\n\
                precision = \"fp16\"\namp = 0\n";
    let PresetError::Parse(faults) =
        vram_presets::library::sweep_from_text(text, vram_source::text::Syntax::Toml).unwrap_err()
    else {
        panic!("it is parsed to its end");
    };
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn an_fp32_row_under_amp() {
    insta::assert_snapshot!(sweep("id = \"N32\"", "id = \"N32\"\nprecision = \"fp32\""));
}

#[test]
fn rows_that_differ_only_in_case() {
    insta::assert_snapshot!(sweep("id = \"N32\"", "id = \"n16\""));
}

#[test]
fn a_name_that_no_file_has() {
    insta::assert_snapshot!(ant("ring_len", "name = \"a/b\"\nring_len"));
}

/// However long a line is, an excerpt is what is near.
#[test]
fn a_long_line_makes_a_short_diagnostic() {
    let long = "x".repeat(200 * 1024);
    for text in [
        ANT.replace("ring_len", &long),
        ANT.replace("\"fp64\"", &format!("\"{long}\"")),
        ANT.replace("2048", &"9".repeat(200 * 1024)),
        ANT.replace("2048", &"[".repeat(50)),
        format!("{ANT}\n{}", "a = [1, ".repeat(20_000)),
        format!("{ANT}{}", "x = 1\n".repeat(2)),
    ] {
        let rendered = ant(ANT, &text);
        assert!(rendered.len() < 16 * 1024, "{} bytes: {rendered:.2000}", rendered.len());
    }
}

#[test]
fn thousands_of_faults_are_counted_and_twenty_are_shown() {
    let keys: String = (0..5000).map(|i| format!("key{i} = 1\n")).collect();
    let error = vram_presets::library::ant_from_text(
        &format!("{ANT}{keys}"),
        vram_source::text::Syntax::Toml,
    );
    let Err(PresetError::Parse(faults)) = error else { panic!("{error:?}") };
    assert_eq!((faults.total(), faults.iter().count()), (5000, 20));
    assert!(faults.to_string().ends_with("(and 4999 more)"), "{faults}");
}
