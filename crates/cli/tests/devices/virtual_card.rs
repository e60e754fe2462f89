//! What is refused on a card that computes nothing. The stand-in here is a driver that shows a card,
//! and a library that was loaded before the program and listens to its marks.

use std::fs;
use std::process::Command;

use crate::machine::{Machine, cc, has};

/// A machine with such a card, and the listener's path.
fn machine() -> (Machine, String) {
    let machine = Machine::new(env!("CARGO_BIN_EXE_vram"));
    // It is never started: every library that it needs is there.
    fs::copy(env!("CARGO_BIN_EXE_vram"), machine.path("target/release/vram-cuda")).unwrap();
    let (source, listener) = (machine.path("listener.c"), machine.path("listener.so"));
    let mark = "void vram_virtual_card_mark(const char *name, unsigned long len) {}";
    fs::write(&source, mark).unwrap();
    cc(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&listener).arg(&source));
    let listener = listener.display().to_string();
    (machine, listener)
}

#[test]
fn no_time_is_taken_on_a_virtual_card() {
    let (machine, listener) = machine();
    for (args, said) in [
        (["bench", "--device", "cuda", "--out", "out"], "a bench times steps"),
        (["bandwidth", "--device", "cuda", "--mib", "1"], "a bandwidth is a time"),
    ] {
        let refused = machine.refused(machine.run_any(&args, &[("LD_PRELOAD", &listener)]));
        has(&refused, &[said, "the card is virtual", "`vram dry-run`", "--device cpu"]);
    }
    // The CPU beside it is no stand-in.
    let cpu = ["bandwidth", "--device", "cpu", "--mib", "1"];
    let output = machine.run_any(&cpu, &[("LD_PRELOAD", &listener)]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The stand-ins are where the loader finds them: no library of a toolkit is searched for, loaded or
/// put in their place.
#[test]
fn no_library_is_looked_for_on_a_virtual_card() {
    let (machine, listener) = machine();
    let script = "#!/bin/sh\necho \"started with $LD_LIBRARY_PATH\"\n";
    // No file that tells which libraries it needs: without a virtual card that is an error.
    let probe = machine.path("target/release/vram-cuda");
    fs::write(&probe, script).unwrap();
    has(&machine.refusal("cuda", &[]), &["vram-cuda cannot be loaded"]);
    fs::create_dir_all(machine.path("target/release/lib")).unwrap();
    fs::write(machine.path("target/release/lib/libcublas.so.13"), "half a download").unwrap();
    let output = machine.run("cuda", &[("LD_PRELOAD", &listener)]);
    let said = String::from_utf8(output.stdout).unwrap();
    let driver = machine.path("driver").display().to_string();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said, format!("started with {driver}\n"), "{complaint}");
}

/// What was counted there says so; what ran on the CPU beside it does not.
#[test]
fn a_run_on_the_cpu_is_none_of_a_virtual_card() {
    let (machine, listener) = machine();
    let output = machine.run("cpu", &[("LD_PRELOAD", &listener)]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let env = fs::read_to_string(machine.path("work/out/env.json")).unwrap();
    assert!(env.contains("\"virtual_card\": false"), "{env}");
}
