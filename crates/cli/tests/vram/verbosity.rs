//! `-v` says what is decided and why, `-vv` how long it took, `-q` nothing; results stay the same.

use crate::support::{ANT, COLONY, Sandbox};

/// Runs of another machine.
const RUNS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../artifacts/tests/data/torch_h200");

/// Every subcommand, with what `-v` tells of it.
fn commands() -> Vec<(Vec<&'static str>, &'static str)> {
    let workload = ["--ant", ANT, "--colony", COLONY];
    let with = |words: &[&'static str]| [words, &workload].concat();
    vec![
        (with(&["predict"]), "calibration h200: the usual one"),
        (with(&["capacity", "--vram", "1GiB"]), "1073741824 bytes"),
        (with(&["explain"]), "ant inline"),
        (with(&["workload-id"]), "hashed: {"),
        (vec!["fit", RUNS], "8 runs fitted in 3 tiers, 0 left out"),
        (vec!["report", RUNS, "--out-dir", "report"], "8 runs read, 0 that cannot be"),
        (vec!["presets", "check"], "presets: those that are built in"),
        (vec!["env", "--device", "cpu"], "device: the CPU, as asked for"),
        (vec!["bandwidth", "--mib", "1", "--device", "cpu"], "device: the CPU"),
    ]
}

#[test]
fn every_command_says_more_when_it_is_asked_to() {
    let sandbox = Sandbox::new();
    for (words, told) in commands() {
        let said = |flag: &[&str]| {
            let ran = sandbox.vram(&[&words[..], flag].concat());
            assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.stderr);
            ran.stderr
        };
        let (usual, more, most) = (said(&[]), said(&["-v"]), said(&["-vv"]));
        assert_eq!(said(&["-qq"]), "", "{words:?}");
        assert!(!usual.contains("DEBUG"), "{words:?}: {usual}");
        assert!(more.contains(told), "{words:?}: {more}");
        assert!(!more.contains("time.busy="), "{words:?}: {more}");
        assert!(most.contains(told) && most.contains("close time.busy="), "{words:?}: {most}");
    }
}

#[test]
fn a_probe_and_a_sweep_say_what_they_decide() {
    let sandbox = Sandbox::new();
    let probe = sandbox.probe(&["--device", "cpu", "--output-dir", "runs/two", "-v"]);
    assert!(probe.stderr.contains("device: the CPU, as asked for"), "{}", probe.stderr);
    sandbox.write("s.toml", &sweep(1));
    let sweep = ["sweep", "--sweep", "s.toml", "--device", "cpu", "--out", "out", "-v"];
    let ran = sandbox.vram(&sweep);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for part in ["measured by ", "preflight: A needs 0.0", " GiB, by the "] {
        assert!(ran.stderr.contains(part), "no `{part}` in {}", ran.stderr);
    }
}

/// A sweep's own lines are progress: they go with `-q`, and what is wrong stays.
#[test]
fn a_quiet_sweep_and_a_quiet_bench_say_what_is_wrong_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("s.toml", &sweep(1));
    let quiet = |words: &[&str]| sandbox.vram(&[words, &["--device", "cpu", "-q"]].concat());
    let passed = quiet(&["sweep", "--sweep", "s.toml", "--out", "a"]);
    assert_eq!((passed.code, passed.stderr.as_str()), (Some(0), ""));
    assert!(passed.stdout.contains("│ A "), "{}", passed.stdout);
    let benched = quiet(&["bench", "--sweep", "s.toml", "--steps", "1", "--out", "b"]);
    assert_eq!((benched.code, benched.stderr.as_str()), (Some(0), ""));
    // A tape of 64 TiB.
    sandbox.write("s.toml", &sweep(1 << 26));
    let words = ["sweep", "--sweep", "s.toml", "--out", "c", "--no-preflight"];
    let failed = quiet(&words);
    assert_eq!(failed.code, Some(1), "{}", failed.stderr);
    for part in ["A      FAIL (runtime_exception, oom)", "failed A: ", "the finished rows are kept"]
    {
        assert!(failed.stderr.contains(part), "no `{part}` in {}", failed.stderr);
    }
}

/// A sweep of one row with this batch.
fn sweep(batch: u64) -> String {
    format!(
        "name = 's'\n[defaults]\nout_dim = 1\nprecision = 'fp32'\namp = 0\nwarmup_steps = 0\n\
         measure_steps = 1\n[[row]]\nid = 'A'\nant = '{ANT}'\ncolony = '{COLONY}'\n\
         batch = {batch}\n"
    )
}

/// `RUST_LOG` refines what the flags say: of one crate more, and of the others what they said.
#[test]
fn one_crate_alone_can_be_asked_for_more() {
    let sandbox = Sandbox::new();
    let said = |flag: &str, rust_log: &str| {
        let mut command = sandbox.command(&["predict", "--ant", ANT, "--colony", COLONY, flag]);
        let output = command.env("RUST_LOG", rust_log).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let more = said("-v", "vram_report=trace");
    assert!(more.contains("presets: ") && more.contains("calibration h200"), "{more}");
    assert!(more.contains("load calibration: close time.busy="), "{more}");
    assert!(!more.contains("find presets: close"), "{more}");
    let one = said("-q", "vram_report=debug");
    assert!(one.contains("calibration h200") && !one.contains("presets: "), "{one}");
}
