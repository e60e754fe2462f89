//! Runs that break: each fault is caused for real, and what the probe leaves says what it was.

use std::fs;
use std::process::Command;

use crate::support::{ANT, COLONY, Sandbox};
use serde_json::{Value, json};

/// Artifacts of a probe whose second measured step has this fault.
fn with_fault(fault: &str, precision: &str) -> Value {
    let sandbox = Sandbox::new();
    let fault = ["--debug-fault", fault, "--debug-fault-at-step", "4"];
    let more = ["--precision", precision, "--output-dir", "out"];
    let ran = sandbox.probe(&[&fault[..], &more].concat());
    assert_eq!(ran.code, Some(0), "{fault:?}: {}", ran.stderr);
    sandbox.json("out/metrics.json")
}

#[test]
fn what_is_not_finite_fails_the_run() {
    for precision in ["fp32", "fp16", "bf16"] {
        for (fault, had) in [("nan", "had_nan"), ("inf", "had_inf")] {
            let metrics = with_fault(fault, precision);
            assert_eq!(metrics["fail_reasons"], json!(["nan_or_inf"]), "{fault} {precision}");
            assert_eq!(metrics[had], true, "{fault} {precision}");
            // It ran to its end: its peaks and times are what they are.
            assert_eq!(metrics["step_times_s"].as_array().unwrap().len(), 3);
        }
    }
}

/// fp16 has a loss scale, which skips the step; the others have none.
#[test]
fn an_overflow_is_a_skipped_step_where_a_loss_scale_handles_it() {
    let scaled = with_fault("overflow", "fp16");
    assert_eq!(scaled["fail_reasons"], json!([]));
    assert_eq!(scaled["stability_pass"], true);
    // The scale is far out of range: halved by one step, it overflows the next.
    assert_eq!(scaled["skipped_steps"], 2);
    for precision in ["fp32", "bf16"] {
        let bare = with_fault("overflow", precision);
        assert_eq!(bare["fail_reasons"], json!(["nan_or_inf"]), "{precision}");
        assert_eq!(bare["skipped_steps"], 0);
    }
}

#[test]
fn a_panic_is_written_down_with_what_was_measured_and_its_log() {
    let sandbox = Sandbox::new();
    let logs = tempfile::tempdir().unwrap();
    let args = ["probe", "--ant", ANT, "--colony", COLONY, "--output-dir", "out"];
    let fault = ["--debug-fault", "panic", "--debug-fault-at-step", "4"];
    let output =
        sandbox.command(&[&args[..], &fault].concat()).env("TMPDIR", logs.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(!said.contains("panicked at"), "{said}");
    let metrics = sandbox.json("out/metrics.json");
    assert_eq!(metrics["fail_reasons"], json!(["runtime_exception"]));
    assert_eq!(metrics["step_times_s"].as_array().unwrap().len(), 1);
    assert!(metrics["peak_vram_allocated_bytes"].as_u64().unwrap() > 2 << 20);
    let log = fs::read_dir(logs.path()).unwrap().next().unwrap().unwrap().path();
    let message = metrics["runtime_exception_msg"].as_str().unwrap();
    assert!(message.contains(log.to_str().unwrap()), "{message}");
    assert!(fs::read_to_string(log).unwrap().contains("asked for by --debug-fault panic"));
}

/// A panic outside of a run, in a process of its own: this test once more.
#[test]
fn a_panic_is_told_with_its_log() {
    const HERE: &str = "VRAM_TEST_PANICS_HERE";
    if std::env::var_os(HERE).is_some() {
        let code = vram_console::run::run(|| panic!("a defect made on purpose"));
        assert_eq!(code, std::process::ExitCode::from(1));
        return;
    }
    let logs = tempfile::tempdir().unwrap();
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "faults::a_panic_is_told_with_its_log", "--nocapture"]);
    let output = again.env(HERE, "1").env("TMPDIR", logs.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("stopped unexpectedly: a defect made on purpose"), "{said}");
    assert!(said.contains("please report it with"), "{said}");
    assert!(!said.contains("panicked at"), "{said}");
    let log = fs::read_dir(logs.path()).unwrap().next().unwrap().unwrap().path();
    assert!(fs::read_to_string(log).unwrap().contains("panicked at"));
}

/// Nothing can be written any more: what is there says what was asked for, and is no run.
#[cfg(unix)]
#[test]
fn an_abort_leaves_no_run() {
    use std::os::unix::process::ExitStatusExt;

    let sandbox = Sandbox::new();
    let args = ["probe", "--ant", ANT, "--colony", COLONY, "--output-dir", "out"];
    let fault = ["--debug-fault", "abort", "--debug-fault-at-step", "2"];
    let output = sandbox.command(&[&args[..], &fault].concat()).output().unwrap();
    assert_eq!(output.status.signal(), Some(6));
    sandbox.json("out/run_cmd.txt");
    assert!(!sandbox.path("out/metrics.json").exists());
    assert!(vram_artifacts::run_record::read(&sandbox.path("out")).is_err());
}

/// The tape would be 8 GiB, and the system refuses what is beyond `ulimit -v`.
#[cfg(target_os = "linux")]
#[test]
fn a_limit_on_memory_is_met_with_artifacts() {
    let sandbox = Sandbox::new();
    let probe = sandbox.command(&["probe", "--ant", ANT, "--colony", COLONY]);
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 4000000; exec \"$@\"", "sh"])
        .arg(probe.get_program())
        .args(probe.get_args())
        .args(["--batch", "8192", "--output-dir", "out"])
        .current_dir(sandbox.path(""))
        .env("CUDA_VISIBLE_DEVICES", "")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let metrics = sandbox.json("out/metrics.json");
    assert_eq!(metrics["fail_reasons"], json!(["runtime_exception", "oom"]));
    assert!(metrics["runtime_exception_msg"].as_str().unwrap().contains("tape"));
}
