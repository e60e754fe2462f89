//! Artifacts that nobody wrote: whatever lies in a run directory is read or refused, never a panic.

mod support;

use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::{FILES, original, run_with};
use vram_artifacts::error::ArtifactError;
use vram_artifacts::run_dir::RunDir;
use vram_artifacts::run_record::read;
use vram_artifacts::steps::MOST_STEPS;

/// Deeper than any stack, in each artifact.
#[test]
fn nesting_is_refused_before_the_stack_ends() {
    for which in FILES {
        for part in ["[", "{\"resolved_spec\":"] {
            let (_dir, run) = run_with(which, part.repeat(100_000).as_bytes());
            assert!(matches!(read(&run), Err(ArtifactError::Parse { .. })));
        }
    }
}

/// An artifact, a change to it, and what the refusal says.
type Edit = (&'static str, fn(&mut Value), &'static [&'static str]);

/// A real artifact with a change.
fn changed(name: &str, edit: fn(&mut Value)) -> String {
    let mut value: Value = serde_json::from_slice(&original(name)).unwrap();
    edit(&mut value);
    value.to_string()
}

/// A peak that is filed under the sizes of another run is worse than none.
#[test]
fn artifacts_that_disagree_are_refused_with_both_values() {
    let edits: [Edit; 13] = [
        (
            "metrics.json",
            |m| m["batch_size"] = json!(17),
            &["batch_size is `17` in metrics.json", "`16` in run_cmd.txt"],
        ),
        ("metrics.json", |m| m["seq_len"] = json!(1), &["seq_len is `1`", "`256` in run_cmd.txt"]),
        ("metrics.json", |m| m["synth_len"] = json!(1), &["synth_len is `1`", "`256`"]),
        (
            "metrics.json",
            |m| m["precision"] = json!("fp32"),
            &["precision is `fp32` in metrics.json", "`fp16` in run_cmd.txt"],
        ),
        ("metrics.json", |m| m["amp"] = json!(0), &["_amp1`", "_amp0` in metrics.json"]),
        ("metrics.json", |m| m["amp"] = json!(2), &["_amp1`", "_amp2` in metrics.json"]),
        ("metrics.json", |m| m["out_dim"] = json!(2), &["__E1__", "__E2__"]),
        (
            "metrics.json",
            |m| m["workload_id"] = json!("wl_v1_0"),
            &["`wl_v1_0` in metrics.json", "`wl_v1_831069834653`"],
        ),
        (
            "metrics.json",
            |m| m["warmup_steps"] = json!(9),
            &["--warmup-steps is `2` in run_cmd.txt (argv)", "`9` in metrics.json"],
        ),
        (
            "env.json",
            |e| e["precision"] = json!("bf16"),
            &["`bf16` in env.json", "`fp16` in metrics.json"],
        ),
        (
            "run_cmd.txt",
            |r| r["canonical_spec"]["ant_spec"]["ring_len"] = json!(4),
            &["run_cmd.txt (canonical_spec)", "run_cmd.txt (resolved_spec)"],
        ),
        (
            "run_cmd.txt",
            |r| r["ant"] = json!("mine"),
            &["--ant is `", "` in run_cmd.txt (argv)", "and `mine` in run_cmd.txt"],
        ),
        (
            "run_cmd.txt",
            |r| r["argv"][8] = json!("15"),
            &["--batch is `15`", "`16` in metrics.json"],
        ),
    ];
    for (name, edit, said) in edits {
        let (_dir, run) = run_with(name, changed(name, edit).as_bytes());
        let message = read(&run).unwrap_err().to_string();
        for part in said {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}

/// Only a card that computes nothing has steps without times; artifacts from before there was one
/// have no key for it.
#[test]
fn step_times_are_null_on_a_virtual_card_alone() {
    let untimed = |m: &mut Value| {
        for key in ["median_step_time_s", "step_times_s", "warmup_step_times_s", "phase_times_s"] {
            m[key] = Value::Null;
        }
    };
    let (_dir, run) = run_with("metrics.json", changed("metrics.json", untimed).as_bytes());
    let message = read(&run).unwrap_err().to_string();
    let said =
        "virtual_card is `true` in metrics.json (step times are null) and `false` in env.json";
    assert!(message.contains(said), "{message}");
    let virtual_card = changed("env.json", |e| e["virtual_card"] = json!(true));
    fs::write(run.join("env.json"), virtual_card).unwrap();
    let record = read(&run).unwrap();
    assert!(record.env.virtual_card && record.metrics.untimed());
    assert_eq!(record.metrics.peak_vram_reserved_bytes, Some(8_868_855_808));
    let (_dir, run) = run_with("env.json", &original("env.json"));
    let record = read(&run).unwrap();
    assert!(!record.env.virtual_card && !record.metrics.untimed());
    for no_answer in [json!(null), json!("no"), json!(0)] {
        let mut env: Value = serde_json::from_slice(&original("env.json")).unwrap();
        env["virtual_card"] = no_answer;
        let (_dir, run) = run_with("env.json", env.to_string().as_bytes());
        assert!(matches!(read(&run), Err(ArtifactError::Parse { .. })), "{env}");
    }
}

/// What names the presets of a run is a key; where it is missing, the command line.
#[test]
fn presets_are_keys_and_else_what_the_command_line_says() {
    let (_dir, run) = run_with("env.json", &original("env.json"));
    let old = read(&run).unwrap();
    let named = changed("run_cmd.txt", |r| {
        r["ant"] = json!("mine");
        r["colony"] = json!("presets/colonies/ours.toml");
        r["argv"] = json!(["vram", "probe"]);
    });
    let (_dir, run) = run_with("run_cmd.txt", named.as_bytes());
    let new = read(&run).unwrap();
    assert_eq!((new.ant.as_str(), new.colony.as_str()), ("mine", "presets/colonies/ours.toml"));
    assert_eq!((old.ant.as_str(), old.colony.as_str()), ("od1_canon_small", "od1_canon_real"));
    let without = changed("run_cmd.txt", |r| r["argv"] = json!(["vram", "probe"]));
    let (_dir, run) = run_with("run_cmd.txt", without.as_bytes());
    assert!(read(&run).unwrap_err().to_string().contains("argv has no --ant"));
}

/// The longest numbers that a clock could give, once for each step.
#[test]
fn the_longest_run_is_read_again() {
    let (_dir, run) = run_with("metrics.json", &original("metrics.json"));
    let mut metrics = read(&run).unwrap().metrics;
    metrics.step_times_s = Some(vec![1.234_567_890_123_456_7e-100; MOST_STEPS as usize]);
    for file in FILES {
        fs::remove_file(run.join(file)).unwrap();
    }
    RunDir::create(&run).unwrap().write_results(&metrics).unwrap();
    let text = vram_source::file::read_text(&run.join("metrics.json")).unwrap();
    let room = vram_source::file::LIMIT_BYTES - text.len() as u64;
    assert!(room > 1 << 19, "{room} bytes are left for messages");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_no_run(
        which in 0..FILES.len(),
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let (_dir, run) = run_with(FILES[which], &bytes);
        prop_assert!(read(&run).is_err());
    }

    #[test]
    fn a_truncated_artifact_is_never_read_as_whole(which in 0..FILES.len(), part in 0.0..1.0f64) {
        let whole = String::from_utf8(original(FILES[which])).unwrap();
        let whole = whole.trim_end();
        let cut = (whole.len() as f64 * part) as usize;
        let (_dir, run) = run_with(FILES[which], &whole.as_bytes()[..cut]);
        prop_assert!(read(&run).is_err());
    }
}
