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
    let sweep = format!(
        "name = 's'\n[defaults]\nout_dim = 1\nprecision = 'fp32'\namp = 0\nwarmup_steps = 0\n\
         measure_steps = 1\n[[row]]\nid = 'A'\nant = '{ANT}'\ncolony = '{COLONY}'\nbatch = 1\n"
    );
    sandbox.write("s.toml", &sweep);
    let sweep = ["sweep", "--sweep", "s.toml", "--device", "cpu", "--out", "out", "-v"];
    let ran = sandbox.vram(&sweep);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for part in ["measured by ", "preflight: A needs 0.0", " GiB, by the guard: 0.92 of "] {
        assert!(ran.stderr.contains(part), "no `{part}` in {}", ran.stderr);
    }
}

/// `RUST_LOG` refines what the flags say.
#[test]
fn one_crate_alone_can_be_asked() {
    let sandbox = Sandbox::new();
    let output = sandbox
        .command(&["predict", "--ant", ANT, "--colony", COLONY])
        .env("RUST_LOG", "vram_report=debug")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("calibration h200") && !said.contains("presets:"), "{said}");
}
