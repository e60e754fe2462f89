//! Bad input: exit 2, one message that names the file and the key, nothing written, nothing lost.

use crate::support::{ANT, COLONY, Sandbox};
use insta::assert_snapshot;

/// Files of a user who makes mistakes.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let ant = "ring_len = 256\nslot_dim = 32\nptr_dtype = \"fp64\"\nprecision = \"fp32\"\n";
    sandbox.write("unknown_key.toml", &ant.replace("slot_dim", "slot_dims"));
    sandbox.write("quoted.toml", &ant.replace("256", "\"256\""));
    sandbox.write("huge.toml", &ant.replace("256", "4611686018427387904"));
    sandbox.write("colony.json", &COLONY.replace("\"synth_len\":32", "\"synth_len\":-32"));
    sandbox.write("taken", "a file, not a directory");
    sandbox
}

/// The message of a command that is refused without a trace.
fn refused(args: &[&str]) -> String {
    let sandbox = sandbox();
    let before = sandbox.contents();
    let ran = sandbox.vram(args);
    assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
    assert_eq!(ran.stdout, "", "{args:?}");
    assert_eq!(sandbox.contents(), before, "{args:?} wrote something");
    ran.stderr
}

fn probe(ant: &str, colony: &str, more: &[&str]) -> String {
    let args = ["probe", "--ant", ant, "--colony", colony, "--output-dir", "out"];
    refused(&[&args, more].concat())
}

#[test]
fn presets_that_cannot_be_found_or_parsed() {
    assert_snapshot!("unknown_preset", probe("od1_cannon_small", COLONY, &[]));
    assert_snapshot!("unknown_key", probe("unknown_key.toml", COLONY, &[]));
    assert_snapshot!("quoted_number", probe("quoted.toml", COLONY, &[]));
    assert_snapshot!("negative_size", probe(ANT, "colony.json", &[]));
    let zero = ANT.replace("256", "0");
    assert_snapshot!("zero_size_inline", probe(&zero, COLONY, &[]));
    assert_snapshot!("missing_file", probe("no/such.toml", COLONY, &[]));
}

#[test]
fn workloads_that_cannot_run() {
    assert_snapshot!("overflow", probe("huge.toml", COLONY, &[]));
    assert_snapshot!("amp_mismatch", probe(ANT, COLONY, &["--amp", "1"]));
    assert_snapshot!(
        "amp_mismatch_fp16",
        probe(ANT, COLONY, &["--precision", "fp16", "--amp", "0"])
    );
    assert_snapshot!("fp64", probe(ANT, COLONY, &["--precision", "fp64"]));
    assert_snapshot!("amp_precision", probe(ANT, COLONY, &["--precision", "amp"]));
    assert_snapshot!("half_pointer", probe(&ANT.replace("fp64", "fp16"), COLONY, &[]));
    let looped = COLONY.replace("\"state_loop_samples\":0", "\"state_loop_samples\":1");
    assert_snapshot!("state_loop", probe(ANT, &looped, &[]));
    // What is missing depends on the machine; what to do does not.
    let cuda = probe(ANT, COLONY, &["--device", "cuda:1"]);
    assert!(cuda.contains("or run on the CPU: --device cpu"), "{cuda}");
}

#[test]
fn arguments_out_of_range() {
    let flag = |flag, value| probe(ANT, COLONY, &[flag, value]);
    assert_snapshot!("batch_0", flag("--batch", "0"));
    for (name, value) in [
        ("--batch", "-3"),
        ("--batch", "2.5"),
        ("--batch", "18446744073709551616"),
        ("--out-dim", "0"),
        ("--warmup-steps", "-1"),
        ("--measure-steps", "0"),
        ("--precision", "FP16"),
        ("--amp", "2"),
        ("--device", "tpu"),
        ("--events", "xml"),
        ("--seed", "x"),
    ] {
        let message = flag(name, value);
        assert!(message.contains(name) && message.contains(value), "{name} {value}: {message}");
    }
    let steps = ["--warmup-steps", "18446744073709551615"];
    assert_snapshot!("too_many_steps", probe(ANT, COLONY, &steps));
}

#[test]
fn an_incomplete_command_line() {
    for args in [
        &["probe", "--ant", ANT, "--colony", COLONY][..],
        &["probe", "--ant", ANT, "--output-dir", "out"],
        &["workload-id"],
        &["workload-id", "--ant", ANT],
        &["workload-id", "w.json", "--ant", ANT, "--colony", COLONY],
        &["prob"],
    ] {
        let message = refused(args);
        assert!(message.starts_with("error: "), "{args:?}: {message}");
    }
}

#[test]
fn output_directories_that_cannot_be_made() {
    let probe = |dir| refused(&["probe", "--ant", ANT, "--colony", COLONY, "--output-dir", dir]);
    assert_snapshot!("below_a_file", probe("taken/out"));
    assert_snapshot!("a_file", probe("taken"));
}

#[test]
fn a_directory_that_holds_a_run_is_left_as_it_is() {
    for artifact in ["env.json", "metrics.json", "summary.md"] {
        let sandbox = Sandbox::new();
        sandbox.write(&format!("out/{artifact}"), "an earlier run");
        sandbox.write("out/run_cmd.txt", "its arguments");
        let before = sandbox.contents();
        let ran = sandbox.probe(&["--output-dir", "out"]);
        assert_eq!(ran.code, Some(2));
        assert!(
            ran.stderr.contains(&format!("out already holds a run: {artifact}")),
            "{}",
            ran.stderr
        );
        assert_eq!(sandbox.contents(), before);
    }
}

#[test]
fn check_reports_every_bad_file() {
    let sandbox = sandbox();
    let ran = sandbox.vram(&["presets", "check", "unknown_key.toml", "huge.toml", "colony.json"]);
    assert_eq!(ran.code, Some(2));
    assert_snapshot!("check_verdicts", ran.stdout);
    assert_snapshot!("check_reasons", ran.stderr);
}

#[test]
fn unknown_names_have_suggestions() {
    assert_snapshot!("show_unknown", refused(&["presets", "show", "vra3"]));
    assert_snapshot!("show_nothing_like_it", refused(&["presets", "show", "xyzzy"]));
}
