//! Sweeps of real probes, on the CPU.

use std::fs;
use std::process::Command;

use vram_artifacts::run_record::read;

use crate::support::{ANT, COLONY, Sandbox, text};

/// The system refuses B's tape of 8 GiB, which is beyond `ulimit -v`: B says so in its artifacts,
/// and C is unharmed.
#[test]
fn a_row_that_runs_out_of_memory_harms_no_other() {
    let batch = 1 << 20;
    let sandbox =
        Sandbox::real(&[("A", ANT, COLONY, 1), ("B", ANT, COLONY, batch), ("C", ANT, COLONY, 2)]);
    let sweep = sandbox.command(&["--no-preflight"]);
    let output = Command::new("sh")
        .args(["-c", "ulimit -v 4000000; exec \"$@\"", "sh"])
        .arg(sweep.get_program())
        .args(sweep.get_args())
        .current_dir(sandbox.path(""))
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("B      FAIL (runtime_exception, oom)"), "{said}");
    for row in ["A", "C"] {
        assert!(read(&sandbox.row(row)).unwrap().metrics.stability_pass, "{said}");
    }
    let b = read(&sandbox.row("B")).unwrap().metrics;
    assert!(b.had_oom && b.runtime_exception_msg.unwrap().contains("ring tape"));
    assert!(text(&output.stdout).contains("excluded B: failed: runtime_exception, oom"));
}

/// A probe that aborts at a step, as it does where a small allocation fails.
#[test]
fn a_probe_that_aborts_is_a_crash_with_its_signal() {
    let sandbox = Sandbox::real(&[("A", ANT, COLONY, 1), ("B", ANT, COLONY, 2)]);
    fs::rename(sandbox.path("vram"), sandbox.path("probe")).unwrap();
    let script = "#!/bin/sh\ncase \"$*\" in *'--row-id A '*) \
                  set -- \"$@\" --debug-fault abort --debug-fault-at-step 1 ;; esac\n\
                  exec \"$(dirname \"$0\")/probe\" \"$@\"\n";
    sandbox.probe_by(script);
    let output = sandbox.sweep(&[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("A      LOST  crashed with SIGABRT"), "{said}");
    assert!(read(&sandbox.row("B")).unwrap().metrics.stability_pass, "{said}");
}

/// The largest batch within the guard of 48 MiB: it was measured to be within it and the next was
/// measured to be beyond, in four probes at most. Rows of one workload are searched once.
#[test]
fn the_largest_batch_is_found_by_measuring_it() {
    let ant = ANT.replace(":64,", ":256,").replace(":8,", ":32,");
    let colony = COLONY.replace("\"synth_len\":4", "\"synth_len\":32");
    let sandbox = Sandbox::real(&[("A", &ant, &colony, 1), ("B", &ant, &colony, 9)]);
    let find = ["--find-max", "--vram", "48MiB"];
    let output = sandbox.sweep(&find);
    let (said, table) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("[1/1 probe 1] A-B") && said.contains("[1/1 probe 2] A-B"), "{said}");
    let mut probes: Vec<(u64, u64)> = fs::read_dir(sandbox.path("out"))
        .unwrap()
        .filter_map(|entry| read(&entry.unwrap().path()).ok())
        .map(|run| (run.metrics.batch_size, run.metrics.peak_vram_reserved_bytes.unwrap()))
        .collect();
    probes.sort_unstable();
    let limit = (f64::from(48 << 20) * 0.92) as u64;
    let at = probes.iter().position(|(_, reserved)| *reserved > limit).unwrap();
    let ((most, within), (next, beyond)) = (probes[at - 1], probes[at]);
    assert_eq!(next, most + 1, "{probes:?}");
    assert!(within <= limit && limit < beyond, "{probes:?}");
    assert!(probes.len() <= 4, "{probes:?}");
    let cells: Vec<&str> = table.lines().nth(3).unwrap().split('┆').map(str::trim).collect();
    assert_eq!(cells[3], most.to_string(), "{table}");
    assert_eq!(cells[7].trim_end_matches('│').trim(), probes.len().to_string(), "{table}");
    assert_eq!(table.matches("│ ").count() - 1, 1, "{table}");

    // A search that is there is not begun again by mistake; continued, it asks the disk alone.
    let refused = sandbox.sweep(&find);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("is there already"), "{}", text(&refused.stderr));
    let again = sandbox.sweep(&[&find[..], &["--resume"]].concat());
    assert_eq!(text(&again.stdout), table);
    assert_eq!(text(&again.stderr).matches("finished before").count(), probes.len());
}
