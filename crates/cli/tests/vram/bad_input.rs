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
        ("--step", "Plain"),
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

const CALIBRATION: &str = include_str!("../../../../presets/calibrations/h200.toml");

/// One pass tells everything: what a user corrects once stays corrected.
#[test]
fn check_reports_every_fault_of_every_file() {
    let sandbox = Sandbox::new();
    sandbox.write("ant.toml", "ring_len = 0\nslot_dims = 32\nptr_dtype = \"fp8\"\n");
    let sweep = include_str!("../../../../presets/sweeps/smoke.toml");
    let sweep = sweep.replacen("amp = 1", "amp = 1\nmeasure_step = 3", 1);
    sandbox.write("sweep.toml", &sweep.replacen("id = \"N32\"", "id = \"n16\"\namp = 0", 1));
    let calibration =
        CALIBRATION.replace("618659840", "-1").replacen("points = 8", "points = 0", 1);
    let calibration = calibration.replacen("granule_bytes = 33554432", "granule = 1", 1);
    sandbox.write("calibration.toml", &calibration);
    let ran = sandbox.vram(&["presets", "check", "ant.toml", "sweep.toml", "calibration.toml"]);
    assert_eq!(ran.code, Some(2));
    assert_snapshot!("check_all_verdicts", ran.stdout);
    assert_snapshot!("check_all_reasons", ran.stderr);
}

/// What can be parsed and cannot run, or names what cannot be found.
#[test]
fn check_tries_the_rows_of_a_sweep() {
    let sandbox = Sandbox::new();
    let sweep = include_str!("../../../../presets/sweeps/smoke.toml");
    let sweep = sweep.replace("smoke_narrow", "smoke_narow");
    sandbox.write("named.toml", &sweep);
    let fp64 = "precision = \"fp64\"\namp = 0";
    let sweep = include_str!("../../../../presets/sweeps/smoke.toml");
    sandbox.write("fp64.toml", &sweep.replacen("precision = \"fp16\"\namp = 1", fp64, 1));
    let sweep = include_str!("../../../../presets/sweeps/smoke.toml");
    let long = sweep.replacen("measure_steps = 3", "measure_steps = 250000", 1);
    sandbox.write("long.toml", &long);
    let ran = sandbox.vram(&["presets", "check", "named.toml", "fp64.toml", "long.toml"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stdout);
    assert!(
        ran.stderr.contains("2 warm-up and 250000 measured steps: a run has"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stderr.matches("unknown ant `smoke_narow`").count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("fp64"), "{}", ran.stderr);
}

/// A calibration with faults is shown like an ant wherever it is read.
#[test]
fn a_bad_calibration_is_shown_where_it_is_wrong() {
    let sandbox = Sandbox::new();
    sandbox.write("mine.toml", &CALIBRATION.replacen("[0.9999932990690278, ", "[\"1.0\", ", 1));
    let args = ["predict", "--ant", ANT, "--colony", COLONY, "--calibration", "mine.toml"];
    let ran = sandbox.vram(&args);
    assert_eq!(ran.code, Some(2));
    assert_snapshot!("bad_calibration", ran.stderr);
}

/// The file names that nobody would give a file, and those that some system refuses.
#[test]
fn check_refuses_names_that_no_file_has() {
    let sandbox = Sandbox::new();
    let ant = "ring_len = 256\nslot_dim = 32\nptr_dtype = \"fp64\"\nprecision = \"fp32\"\n";
    for name in ["con", "a:b", "a|b", "end.", "end ", "\u{1b}[31mred"] {
        let file = format!("{name}.toml");
        sandbox.write(&file, ant);
        let ran = sandbox.vram(&["presets", "check", &file]);
        assert_eq!(ran.code, Some(2), "{name}");
        assert!(ran.stderr.contains("the preset's name"), "{}", ran.stderr);
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        }
    }
}

/// A pipe without a writer, a device without an end, a directory and a file of gigabytes.
#[cfg(unix)]
#[test]
fn only_regular_files_of_some_size_are_read() {
    let sandbox = Sandbox::new();
    let made = std::process::Command::new("mkfifo").arg(sandbox.path("pipe.toml")).status();
    assert!(made.unwrap().success());
    std::os::unix::fs::symlink("/dev/zero", sandbox.path("zero.toml")).unwrap();
    std::fs::create_dir(sandbox.path("folder.toml")).unwrap();
    std::fs::File::create(sandbox.path("huge.toml")).unwrap().set_len(4 << 30).unwrap();
    for (file, what) in [
        ("pipe.toml", "it is a pipe"),
        ("zero.toml", "it is a device"),
        ("folder.toml", "it is a directory"),
        ("huge.toml", "it is larger than 8 MiB"),
    ] {
        for args in [
            &["presets", "check", file][..],
            &["workload-id", file],
            &["probe", "--ant", file, "--colony", COLONY, "--output-dir", "out"],
            &["probe", "--ant", ANT, "--colony", file, "--output-dir", "out"],
            &["predict", "--ant", ANT, "--colony", COLONY, "--calibration", file],
        ] {
            let ran = sandbox.vram(args);
            assert_eq!(ran.code, Some(2), "{args:?}");
            assert!(ran.stderr.contains(what), "{args:?}: {}", ran.stderr);
        }
    }
}

#[test]
fn a_long_line_makes_a_short_message() {
    let sandbox = Sandbox::new();
    sandbox.write("long.toml", &format!("{} = 1\n", "x".repeat(200 * 1024)));
    sandbox.write("long.json", &format!("{{\"{}\": 1}}", "\u{7}".repeat(200 * 1024)));
    let ran = sandbox.vram(&["presets", "check", "long.toml", "long.json"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.len() < 16 * 1024, "{}", ran.stderr.len());
}

/// What inline JSON can name: an ant, a colony, and nothing else.
#[test]
fn inline_json_is_an_ant_or_a_colony() {
    let sandbox = Sandbox::new();
    let whole = format!("{{\"ant_spec\":{ANT},\"colony_spec\":{COLONY}}}");
    let half = format!("{{\"schema_version\":\"workload_schema_v1\",\"ant_spec\":{ANT}}}");
    let id = sandbox.vram(&["workload-id", "--ant", ANT, "--colony", COLONY]).stdout;
    for ant in [&whole, &half, &format!(" {ANT}")] {
        let ran = sandbox.vram(&["workload-id", "--ant", ant, "--colony", &whole]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), id.as_str()), "{}", ran.stderr);
    }
    let args = ["predict", "--ant", ANT, "--colony", COLONY, "--calibration", "{\"tier\":[]}"];
    let calibration = sandbox.vram(&args);
    assert_eq!(calibration.code, Some(2));
    let message = &calibration.stderr;
    assert!(message.contains("a calibration is a name or a file, not inline JSON"), "{message}");
}

/// A tier's name comes from a file: it makes no line of its own, and colours nothing.
#[test]
fn a_hostile_calibration_is_only_shown() {
    let sandbox = Sandbox::new();
    let published = include_str!("../../../../presets/calibrations/rtx4070tisuper_published.toml");
    let hostile = published.replace("\"small\"", "\"a\\n\\u001b[31mreserved 0\"");
    sandbox.write("mine.toml", &hostile);
    let args = ["--colony", "od1_canon_real", "--precision", "fp16", "--calibration", "mine.toml"];
    let ran = sandbox.vram(&[&["predict", "--ant", "od1_canon_small"], &args[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("tier a\\n\\u001b[31mreserved 0 in mine"), "{}", ran.stdout);
    sandbox.write("mine.toml", &hostile.replace("[2.0398]", "[2.0398, 1.0]"));
    let ran = sandbox.vram(&["presets", "check", "mine.toml"]);
    assert!(ran.stderr.contains("tier a\\n\\u001b[31m"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
}
