//! `presets`, `workload-id`, `env` and what `--help` says.

use crate::support::{ANT, COLONY, Sandbox};
use insta::assert_snapshot;
use serde_json::Value;

fn stdout(sandbox: &Sandbox, args: &[&str]) -> String {
    let ran = sandbox.vram(args);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args:?}");
    ran.stdout
}

#[test]
fn help_names_the_contracts_and_the_exit_codes() {
    let sandbox = Sandbox::new();
    assert_snapshot!("help_vram", stdout(&sandbox, &["--help"]));
    for command in [
        "probe",
        "presets",
        "workload-id",
        "env",
        "sweep",
        "bench",
        "fit",
        "cuda-toolkit",
        "dry-run",
        "trace",
        "max-batch",
        "replay",
    ] {
        assert_snapshot!(format!("help_{command}"), stdout(&sandbox, &[command, "--help"]));
    }
}

#[test]
fn presets_are_listed_for_reading_and_for_programs() {
    let sandbox = Sandbox::new();
    assert_snapshot!("presets_list", stdout(&sandbox, &["presets", "list"]));
    let json = stdout(&sandbox, &["presets", "list", "--format", "json"]);
    let list: Vec<Value> = serde_json::from_str(&json).unwrap();
    let vra34 = serde_json::json!({ "kind": "sweep", "name": "vra34", "from": "built-in" });
    assert!(list.contains(&vra34), "{json}");
}

#[test]
fn a_name_shows_every_kind_that_has_it() {
    let sandbox = Sandbox::new();
    assert_snapshot!("show_small", stdout(&sandbox, &["presets", "show", "od1_canon_small"]));
    assert_snapshot!("show_smoke", stdout(&sandbox, &["presets", "show", "smoke"]));
}

#[test]
fn a_presets_folder_overrides_what_is_built_in() {
    let sandbox = Sandbox::new();
    let ant = "ring_len = 7\nslot_dim = 8\nptr_dtype = \"fp64\"\nprecision = \"bf16\"\n";
    sandbox.write("presets/ants/od1_canon_small.toml", ant);
    let shown = stdout(&sandbox, &["presets", "show", "od1_canon_small"]);
    assert!(shown.starts_with("# ant od1_canon_small ([dir]/presets/ants/od1_canon_small.toml)\n"));
    assert!(shown.contains("ring_len = 7\n"), "{shown}");
}

#[test]
fn every_built_in_preset_is_valid() {
    let sandbox = Sandbox::new();
    let verdicts = stdout(&sandbox, &["presets", "check"]);
    assert!(verdicts.lines().all(|line| line.starts_with("ok   ")), "{verdicts}");
    assert!(verdicts.contains("ok   calibration rtx4070tisuper_published\n"), "{verdicts}");
}

/// Each kind, in a file that no folder names: what it is shows in its keys.
#[test]
fn files_are_checked_as_what_they_hold() {
    let sandbox = Sandbox::new();
    let shown = stdout(&sandbox, &["presets", "show", "rtx4070tisuper_published"]);
    sandbox.write("calibration.toml", &shown);
    sandbox.write("workload.json", WORKLOAD);
    sandbox.write(
        "sweep.toml",
        "name = 's'\n[defaults]\nout_dim = 1\nprecision = 'fp16'\namp = 1\nwarmup_steps = 2\n\
         measure_steps = 3\n[[row]]\nid = 'A'\nant = 'smoke_wide'\ncolony = 'nowhere'\nbatch = 1\n",
    );
    let files = ["calibration.toml", "workload.json"];
    let verdicts = stdout(&sandbox, &[&["presets", "check"], &files[..]].concat());
    assert_eq!(verdicts, "ok   calibration.toml\nok   workload.json\n");
    let ran = sandbox.vram(&["presets", "check", "sweep.toml"]);
    assert_eq!(ran.code, Some(2));
    assert_snapshot!("check_sweep", ran.stderr);
}

/// The original harness's form of od1_canon_small × od1_canon_real, batch 16, fp16.
const WORKLOAD: &str = r#"{
  "schema_version": "workload_schema_v1",
  "ant_spec": {"ring_len": 2048, "slot_dim": 256, "ptr_dtype": "fp64", "precision": "fp16"},
  "colony_spec": {"seq_len": 256, "synth_len": 256, "batch_size": 16, "ptr_update_every": 1,
    "state_loop_samples": 0}
}"#;

/// The vectors that VRA-31 publishes.
#[test]
fn workload_ids_are_printed_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("workload.json", WORKLOAD);
    let id = |args: &[&str]| stdout(&sandbox, &[&["workload-id"], args].concat());
    assert_eq!(id(&["workload.json"]), "wl_v1_831069834653\n");
    assert_eq!(id(&["workload.json", "--batch", "32"]), "wl_v1_7f2bd54d8f30\n");
    let preset =
        |ant, colony, more: &[&str]| id(&[&["--ant", ant, "--colony", colony], more].concat());
    assert_eq!(preset("od1_canon_small", "od1_canon_small", &[]), "wl_v1_37d4c849bed8\n");
    let stress = ["--batch", "1", "--precision", "fp16"];
    assert_eq!(preset("od1_canon_stress", "od1_canon_real", &stress), "wl_v1_7fd1b9fb8e53\n");
    // A precision that cannot run has an id all the same.
    let fp64 = preset("od1_canon_small", "od1_canon_small", &["--precision", "fp64"]);
    assert!(fp64.starts_with("wl_v1_"), "{fp64}");
}

/// The package's page shows a command and what it prints.
#[test]
fn the_readmes_example_prints_what_it_says() {
    let readme = include_str!("../../README.md");
    let (_, shown) = readme.split_once("```console\n$ vram ").unwrap();
    let (command, printed) = shown.split_once("```").unwrap().0.split_once('\n').unwrap();
    let args: Vec<&str> = command.split_whitespace().collect();
    assert_eq!(stdout(&Sandbox::new(), &args), printed);
}

#[test]
fn a_fact_that_is_missing_has_its_reason() {
    let sandbox = Sandbox::new();
    let json = stdout(&sandbox, &["env", "--format", "json"]);
    let env: Value = serde_json::from_str(&json).unwrap();
    let errors: Vec<&str> =
        env["errors"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for fact in [
        "gpu_name",
        "total_vram_bytes",
        "driver_version",
        "cuda_version",
        "torch_version",
        "os",
        "git_commit",
    ] {
        let explained = errors.iter().any(|e| e.starts_with(fact));
        assert_eq!(env[fact].is_null(), explained, "{fact}: {json}");
    }
    let table = stdout(&sandbox, &["env"]);
    assert!(table.contains("total_vram_bytes "), "{table}");
}

#[test]
fn a_reader_that_has_read_enough_is_no_error() {
    let sandbox = Sandbox::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = sandbox.command(&["presets", "list"]).stdout(writer).output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

/// Where no card is, what is held against what is said, not only where the size comes from.
#[test]
fn capacity_without_a_card_says_what_it_assumes() {
    let sandbox = Sandbox::new();
    let args = ["capacity", "--ant", ANT, "--colony", COLONY, "--vram", "auto", "--format", "json"];
    let ran = sandbox.vram(&args);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let said = "the memory of this host counts, without a context, and what a step would reserve \
                on a card";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&found["context_bytes"], &found["context_assumed"]), (&0.into(), &false.into()));
}
