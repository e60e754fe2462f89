//! The probe contract (VRA-32), end to end, with a workload whose step takes milliseconds.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::support::{ANT, COLONY, Sandbox, probe_args};
use serde_json::{Value, json};
use vram_artifacts::events::Event;
use vram_artifacts::metrics::Status;
use vram_metrics::window::Stage;

const ARTIFACTS: [&str; 5] =
    ["run_cmd.txt", "env.json", "metrics.json", "metrics.csv", "summary.md"];

/// Keys that the original harness writes and that mean the same here.
const METRICS_KEYS: [&str; 31] = [
    "amp",
    "batch_size",
    "debug_stall_after_step",
    "debug_stall_s",
    "debug_stall_threshold_s",
    "device",
    "fail_reasons",
    "had_inf",
    "had_nan",
    "had_oom",
    "heartbeat_last_progress_age_s",
    "heartbeat_stall_detected",
    "heartbeat_stall_threshold_s",
    "measure_steps",
    "measure_wall_time_s",
    "median_step_time_s",
    "out_dim",
    "p95_step_time_s",
    "peak_vram_allocated_bytes",
    "peak_vram_reserved_bytes",
    "precision",
    "probe_id",
    "runtime_exception_msg",
    "seq_len",
    "stability_pass",
    "step_time_mode",
    "synth_len",
    "throughput_samples_per_s",
    "throughput_tokens_per_s",
    "warmup_steps",
    "workload_id",
];

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("{key} is no number: {value}"))
}

#[test]
fn a_run_leaves_every_artifact() {
    let sandbox = Sandbox::new();
    let ran = sandbox.probe(&["--output-dir", "a/new/dir", "--row-id", "R1", "--quiet"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let at = |name: &str| format!("a/new/dir/{name}");
    let left = fs::read_dir(sandbox.path("a/new/dir")).unwrap().count();
    assert_eq!(left, ARTIFACTS.len(), "a temporary file was left behind");
    assert_eq!(ran.stdout, sandbox.read(&at("summary.md")));
    assert!(ran.stdout.contains("- status: PASS\n"), "{}", ran.stdout);

    let metrics = sandbox.json(&at("metrics.json"));
    let missing: Vec<_> = METRICS_KEYS.iter().filter(|k| metrics.get(**k).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(metrics["stability_pass"], true);
    assert_eq!(metrics["step_time_mode"], "wall_clock");
    // The tape alone is 2 MiB.
    let allocated = metrics["peak_vram_allocated_bytes"].as_u64().unwrap();
    let reserved = metrics["peak_vram_reserved_bytes"].as_u64().unwrap();
    assert!(allocated > 2 << 20 && reserved >= allocated, "{allocated} {reserved}");
    let phases = metrics["phase_marks"].as_array().unwrap().iter().map(|m| m["phase"].clone());
    let phases: Vec<_> = phases.collect();
    assert_eq!(
        json!(phases),
        json!(["start", "parameters", "optimizer", "forward_end", "backward_peak", "step_end"])
    );
    assert_eq!(metrics["step_times_s"].as_array().unwrap().len(), 3);
    assert_eq!(metrics["warmup_step_times_s"].as_array().unwrap().len(), 2);
    // VRA-30: 3 steps * 2 samples over the window's seconds, and seq_len 64 tokens a sample.
    let samples_per_s = number(&metrics, "throughput_samples_per_s");
    assert_eq!(samples_per_s, 6.0 / number(&metrics, "measure_wall_time_s"));
    assert_eq!(number(&metrics, "throughput_tokens_per_s"), samples_per_s * 64.0);

    let run_cmd = sandbox.json(&at("run_cmd.txt"));
    assert_eq!(run_cmd["argv"][0], "vram");
    assert_eq!(run_cmd["row_id"], "R1");
    assert_eq!(run_cmd["canonical_spec"]["ant_spec"], serde_json::from_str::<Value>(ANT).unwrap());
    let id = sandbox.vram(&["workload-id", "--ant", ANT, "--colony", COLONY]).stdout;
    assert_eq!(run_cmd["workload_id"], id.trim());
    assert_eq!(metrics["probe_id"], format!("{}__E1__fp32_amp0", id.trim()));

    let csv = sandbox.read(&at("metrics.csv"));
    assert!(csv.starts_with("batch_size,seq_len,warmup_steps,measure_steps,"), "{csv}");
    assert_eq!(csv.lines().count(), 2);

    let env = sandbox.json(&at("env.json"));
    assert_eq!((&env["precision"], &env["amp"]), (&json!("fp32"), &json!(0)));
    assert_eq!(env["virtual_card"], false);
}

#[test]
fn the_same_run_twice_has_the_same_peak() {
    let sandbox = Sandbox::new();
    let peak = |dir: &str| {
        assert_eq!(sandbox.probe(&["--output-dir", dir]).code, Some(0));
        number(&sandbox.json(&format!("{dir}/metrics.json")), "peak_vram_allocated_bytes")
    };
    let (first, second) = (peak("a"), peak("b"));
    assert!((first - second).abs() <= 1e-4 * first, "{first} {second}");
}

#[test]
fn overrides_come_before_the_id() {
    let sandbox = Sandbox::new();
    let more =
        ["--batch", "3", "--precision", "fp16", "--warmup-steps", "0", "--measure-steps", "1"];
    let ran = sandbox.probe(&[&more[..], &["--output-dir", "out"]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let spec = &sandbox.json("out/run_cmd.txt")["resolved_spec"];
    assert_eq!(spec["colony_spec"]["batch_size"], 3);
    assert_eq!(spec["ant_spec"]["precision"], "fp16");
    let metrics = sandbox.json("out/metrics.json");
    assert_eq!((&metrics["amp"], &metrics["warmup_steps"]), (&json!(1), &json!(0)));
    assert_eq!(metrics["fail_reasons"], json!([]));
}

/// The tape would be 2^20 tokens * 2^22 slots * 2^3 elements * 4 bytes = 2^47 bytes: more than a
/// process can address.
#[test]
fn memory_that_is_refused_is_a_failed_run_not_a_failed_probe() {
    let sandbox = Sandbox::new();
    let ant = ANT.replace("256", "4194304").replace("32,", "8,");
    let colony = COLONY.replace("32", "1048576").replace("\"batch_size\":2", "\"batch_size\":1");
    let ran = sandbox.vram(&["probe", "--ant", &ant, "--colony", &colony, "--output-dir", "out"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("- status: FAIL\n"), "{}", ran.stdout);
    // It was told before.
    assert!(ran.stderr.contains("the step needs 131") && ran.stderr.contains("are free now"));
    let metrics = sandbox.json("out/metrics.json");
    assert_eq!(metrics["fail_reasons"], json!(["runtime_exception", "oom"]));
    assert_eq!(metrics["had_oom"], true);
    assert_eq!(metrics["median_step_time_s"], Value::Null);
    let message = metrics["runtime_exception_msg"].as_str().unwrap();
    assert!(message.contains(&(1u64 << 47).to_string()), "{message}");
    assert!(ARTIFACTS.iter().all(|name| sandbox.path("out").join(name).exists()));
}

/// The recurrent weights alone would be 12 * 2^40 elements: the run fails before the first step, and
/// is a failed run all the same.
#[test]
fn a_model_that_does_not_fit_is_a_failed_run() {
    let sandbox = Sandbox::new();
    let ant = ANT.replace("32,", "1048576,");
    let ran = sandbox.vram(&["probe", "--ant", &ant, "--colony", COLONY, "--output-dir", "out"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let metrics = sandbox.json("out/metrics.json");
    assert_eq!(metrics["fail_reasons"], json!(["runtime_exception", "oom"]));
    assert_eq!(metrics["warmup_step_times_s"], json!([]));
}

#[test]
fn events_tell_the_run_as_it_happens() {
    let sandbox = Sandbox::new();
    let ran = sandbox.probe(&["--output-dir", "out", "--events", "json"]);
    let events = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    let events: Vec<Event> = events.collect();
    let [Event::Started(started), steps @ .., Event::Finished(finished)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(started.steps_total, 5);
    let steps: Vec<_> = steps
        .iter()
        .map(|event| match event {
            Event::Step(step) => (step.stage, step.step, step.of),
            other => panic!("{other:?}"),
        })
        .collect();
    let (warmup, measure) = (Stage::Warmup, Stage::Measure);
    assert_eq!(
        steps,
        [(warmup, 1, 5), (warmup, 2, 5), (measure, 3, 5), (measure, 4, 5), (measure, 5, 5)]
    );
    assert_eq!(finished.status, Status::Pass);
    let metrics = sandbox.json("out/metrics.json");
    assert_eq!(finished.peak_allocated_bytes, metrics["peak_vram_allocated_bytes"].as_u64());
    assert_eq!(started.probe_id, metrics["probe_id"].as_str().unwrap());
}

/// A probe that cannot go on until the test has read what it says: steps enough to fill a pipe.
fn held_probe(sandbox: &Sandbox) -> (std::process::Child, BufReader<std::process::ChildStdout>) {
    let steps = ["--output-dir", "out", "--events", "json", "--measure-steps", "2000", "-q"];
    let colony = COLONY.replace("\"synth_len\":32", "\"synth_len\":1");
    let args = ["probe", "--ant", ANT, "--colony", &colony];
    let mut command = sandbox.command(&[&args, &steps[..]].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    stdout.read_line(&mut first).unwrap();
    assert!(matches!(serde_json::from_str(&first).unwrap(), Event::Started(_)), "{first}");
    (child, stdout)
}

#[test]
fn what_was_asked_for_is_on_disk_before_any_compute() {
    let sandbox = Sandbox::new();
    let (child, mut stdout) = held_probe(&sandbox);
    sandbox.json("out/run_cmd.txt");
    sandbox.json("out/env.json");
    assert!(!sandbox.path("out/metrics.json").exists());
    stdout.read_to_string(&mut String::new()).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    assert!(sandbox.path("out/metrics.json").exists());
}

#[test]
fn results_that_cannot_be_written_end_with_1() {
    let sandbox = Sandbox::new();
    let (child, mut stdout) = held_probe(&sandbox);
    fs::remove_dir_all(sandbox.path("out")).unwrap();
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!rest.contains("\"finished\""), "{rest}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot write out/"));
}

#[test]
fn a_probe_outlives_its_reader() {
    let sandbox = Sandbox::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let args = [&probe_args()[..], &["--output-dir", "out", "--events", "json"]].concat();
    let status = sandbox.command(&args).stdout(writer).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(sandbox.json("out/metrics.json")["stability_pass"], true);
}

fn reasons(metrics: &Value) -> Vec<&str> {
    metrics["fail_reasons"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

/// The step never returns in time: the watchdog writes what there is and ends the process.
#[test]
fn a_stall_is_written_down_by_the_watchdog() {
    let sandbox = Sandbox::new();
    let began = std::time::Instant::now();
    let stall = ["--debug-stall-after-step", "0", "--debug-stall-s", "600"];
    let more = ["--debug-stall-threshold-s", "0.3", "--output-dir", "out"];
    let ran = sandbox.probe(&[&stall[..], &more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(began.elapsed().as_secs() < 60);
    let metrics = sandbox.json("out/metrics.json");
    assert_eq!(metrics["stability_pass"], false);
    assert!(reasons(&metrics).contains(&"heartbeat_stall"), "{metrics}");
    assert_eq!(metrics["heartbeat_stall_detected"], true);
    assert_eq!(metrics["heartbeat_stall_threshold_s"], 0.3);
    // Two steps of warm-up and one measured were heard of.
    assert_eq!(metrics["warmup_step_times_s"].as_array().unwrap().len(), 2);
    assert_eq!(metrics["step_times_s"].as_array().unwrap().len(), 1);
    assert!(metrics["peak_vram_allocated_bytes"].as_u64().unwrap() > 2 << 20);
}

/// Measured steps are counted from 0, whatever the warm-up; the last one has nothing after it and
/// is a step all the same. What was asked for is repeated.
#[test]
fn a_stall_comes_after_the_measured_step_that_is_named() {
    for (warmup, measured, after) in [("1", "100", 0), ("0", "3", 1), ("3", "3", 2)] {
        let sandbox = Sandbox::new();
        let steps = ["--warmup-steps", warmup, "--measure-steps", measured];
        let at = after.to_string();
        let stall = ["--debug-stall-after-step", &at, "--debug-stall-s", "2"];
        let more = ["--debug-stall-threshold-s", "1", "--output-dir", "out"];
        let ran = sandbox.probe(&[&steps[..], &stall, &more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let metrics = sandbox.json("out/metrics.json");
        assert!(reasons(&metrics).contains(&"heartbeat_stall"), "{metrics}");
        assert_eq!(metrics["step_times_s"].as_array().unwrap().len(), after + 1);
        assert_eq!(metrics["debug_stall_after_step"], after);
        assert_eq!(metrics["debug_stall_s"], 2.0);
        assert_eq!(metrics["debug_stall_threshold_s"], 1.0);
    }
}

/// -1 and 0, as the original harness writes them where nothing was asked for.
#[test]
fn no_stall_is_the_default_and_can_be_said() {
    let sandbox = Sandbox::new();
    let said = ["--debug-stall-after-step", "-1", "--debug-stall-s", "0"];
    let said = [&said[..], &["--debug-stall-threshold-s", "0.0", "--output-dir", "said"]].concat();
    for (args, out) in [(&said[..], "said"), (&["--output-dir", "silent"], "silent")] {
        assert_eq!(sandbox.probe(args).code, Some(0));
        let metrics = sandbox.json(&format!("{out}/metrics.json"));
        assert_eq!(metrics["stability_pass"], true);
        assert_eq!(metrics["debug_stall_after_step"], -1);
        assert_eq!(metrics["debug_stall_s"], 0.0);
        assert_eq!(metrics["debug_stall_threshold_s"], 0.0);
        assert_eq!(metrics["heartbeat_stall_threshold_s"], 60.0);
    }
}

/// A silence that is shorter than the threshold is none.
#[test]
fn a_short_pause_is_no_stall() {
    let sandbox = Sandbox::new();
    let pause = ["--debug-stall-after-step", "0", "--debug-stall-s", "0.5", "--output-dir", "out"];
    assert_eq!(sandbox.probe(&pause).code, Some(0));
    let metrics = sandbox.json("out/metrics.json");
    assert_eq!(metrics["stability_pass"], true, "{metrics}");
    // The pause is part of no step.
    assert!(metrics["max_step_time_s"].as_f64().unwrap() < 0.5, "{metrics}");
}
