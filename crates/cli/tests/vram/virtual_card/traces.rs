//! `vram trace`, with a driver that has counters and nothing else.

use std::path::Path;

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{command, programs, sandbox};
use crate::support::{Ran, Sandbox};

/// `vram trace` of `./trains` or `./traced` where the loader finds that driver.
fn trace(sandbox: &Sandbox, flags: &[&str], program: &[&str]) -> Ran {
    let driver = programs::driver();
    let mut command = command(sandbox, &[&["trace"], flags, &["--"], program].concat());
    command.env("LD_LIBRARY_PATH", driver.parent().unwrap());
    sandbox.ran(command.output().unwrap())
}

#[test]
#[cfg_attr(feature = "cuda", ignore = "vram is linked with a driver of its own here")]
fn the_drivers_counters_stand_beside_ours() {
    let sandbox = sandbox(&["traced"]);
    let ran = trace(&sandbox, &[], &["./traced", "linked"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    assert_snapshot!("trace", ran.stderr);
}

#[test]
#[cfg_attr(feature = "cuda", ignore = "vram is linked with a driver of its own here")]
fn counters_that_differ_fail_a_trace() {
    let sandbox = sandbox(&["traced"]);
    let ran = trace(&sandbox, &[], &["env", "LIES=7", "./traced", "linked"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let said = "counters        differ from the driver's by up to 7 bytes\n";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}

#[test]
#[cfg_attr(feature = "cuda", ignore = "vram is linked with a driver of its own here")]
fn a_program_that_uses_no_card_fails_a_trace() {
    let sandbox = sandbox(&["traced"]);
    let ran = trace(&sandbox, &["--html", "peak.html"], &["./traced", "nothing"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("nothing traced  the program did not call CUDA"), "{}", ran.stderr);
    assert!(sandbox.read("peak.html").contains("the program did not call CUDA"));
}

#[test]
#[cfg_attr(feature = "cuda", ignore = "vram is linked with a driver of its own here")]
fn places_of_a_trace_are_those_of_a_dry_run() {
    let sandbox = sandbox(&["traced"]);
    let flags = ["--stacks", "--folded", "peak.folded", "--format", "json"];
    let ran = trace(&sandbox, &flags, &["./traced", "linked"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["difference_bytes"], json!(0));
    assert_eq!(report["peak_used_bytes"], json!(3000));
    // Outside of the pool, too.
    assert_eq!(report["places"]["peak_bytes"], json!(8000));
    let folded = sandbox.read("peak.folded");
    assert!(folded.lines().any(|line| line.ends_with(";main 8000")), "{folded}");
}

#[test]
#[cfg_attr(feature = "cuda", ignore = "vram is linked with a driver of its own here")]
fn without_a_driver_a_trace_is_refused_with_what_to_do() {
    // Whoever has a driver is not told to install one.
    if ["/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"]
        .iter()
        .any(|directory| Path::new(directory).join("libcuda.so.1").exists())
    {
        return;
    }
    let sandbox = sandbox(&["traced"]);
    let ran = sandbox.ran(command(&sandbox, &["trace", "--", "./traced"]).output().unwrap());
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    for said in ["libcuda.so.1 cannot be loaded", "install NVIDIA's driver", "vram dry-run"] {
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
}
