//! Disks that are full or read-only: a small tmpfs, mounted in a namespace of the test's own. Some
//! systems let nobody mount, and a test cannot know on which it will run: these are ignored unless
//! they are asked for, as `.ci/run` does where it can mount.
#![cfg(target_os = "linux")]

use std::fs;
use std::process::{Command, Output};

use crate::support::{Sandbox, probe_args};
use vram_artifacts::run_record::read;

/// Runs a probe into `disk/out`, on a tmpfs mounted with `options`; what is there afterwards is
/// copied to `left`.
fn on_disk(sandbox: &Sandbox, options: &str) -> Output {
    for dir in ["disk", "left"] {
        fs::create_dir(sandbox.path(dir)).unwrap();
    }
    let probe = sandbox.command(&probe_args());
    let script = format!(
        "mount -t tmpfs -o {options} none disk || exit 99; \"$@\" --output-dir disk/out -q; code=$?; \
         [ ! -d disk/out ] || cp -a disk/out/. left; exit $code"
    );
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
    command.current_dir(sandbox.path("")).env("CUDA_VISIBLE_DEVICES", "").env("NO_COLOR", "1");
    let output = command.arg(probe.get_program()).args(probe.get_args()).output().unwrap();
    assert_ne!(output.status.code(), Some(99), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// From a disk with room for one file to one with room for all: whatever does not fit, what is
/// there is whole, the exit code says so, and the message names the file.
#[test]
#[ignore = "mounts a tmpfs, which not every system allows: cargo test -- --ignored disk::"]
fn a_disk_that_is_full_leaves_no_half_of_a_file() {
    let mut codes = Vec::new();
    for pages in 1..=10 {
        let sandbox = Sandbox::new();
        let output = on_disk(&sandbox, &format!("size={}k", 4 * pages));
        let said = String::from_utf8(output.stderr).unwrap();
        let code = output.status.code().unwrap();
        let left = sandbox.path("left");
        let is_run = read(&left).is_ok();
        assert_eq!(is_run, code == 0, "{pages} pages: {said}");
        assert_eq!(left.join("metrics.json").exists(), code == 0, "{pages} pages");
        if code != 0 {
            assert!(said.contains("cannot write disk/out/"), "{pages} pages: {said}");
            assert!(said.contains("No space left on device"), "{pages} pages: {said}");
        }
        for entry in fs::read_dir(&left).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(!name.starts_with('.'), "{pages} pages left {name}");
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.ends_with('\n'), "{pages} pages: half of {name}");
        }
        codes.push(code);
    }
    // Before any compute, after it, and enough.
    codes.dedup();
    assert_eq!(codes, [2, 1, 0]);
}

#[test]
#[ignore = "mounts a tmpfs, which not every system allows: cargo test -- --ignored disk::"]
fn a_disk_that_is_read_only_is_refused_before_any_compute() {
    let sandbox = Sandbox::new();
    let output = on_disk(&sandbox, "ro,size=1m");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot write disk/out"), "{said}");
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(said.contains("check that the directory can be written"), "{said}");
    assert_eq!(fs::read_dir(sandbox.path("left")).unwrap().count(), 0);
}

/// A table that cannot be printed is a failure that is told.
#[test]
fn output_onto_a_full_disk_ends_with_1() {
    let sandbox = Sandbox::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = sandbox.command(&["presets", "list"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        said,
        "error: cannot write to standard output: No space left on device (os error 28)\n"
    );
}
