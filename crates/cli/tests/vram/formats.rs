//! What is printed for programs, for spreadsheets and for shells, and presets from standard input.

use std::io::Write;
use std::process::Stdio;

use clap::CommandFactory;
use serde_json::{Value, json};
use vram_cli::cli::Cli;

use crate::support::{ANT, COLONY, Ran, Sandbox};

/// Runs `vram` with this standard input.
fn fed(sandbox: &Sandbox, args: &[&str], input: &str) -> Ran {
    let mut command = sandbox.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    sandbox.ran(child.wait_with_output().unwrap())
}

const ANT_TOML: &str =
    "ring_len = 256\nslot_dim = 32\nptr_dtype = \"fp64\"\nprecision = \"fp32\"\n";

#[test]
fn a_preset_is_read_from_standard_input() {
    let sandbox = Sandbox::new();
    let expected = sandbox.vram(&["predict", "--ant", ANT, "--colony", COLONY]).stdout;
    for (args, input) in [
        (["predict", "--ant", "-", "--colony", COLONY], ANT),
        (["predict", "--ant", "-", "--colony", COLONY], ANT_TOML),
        (["predict", "--ant", ANT, "--colony", "-"], COLONY),
    ] {
        let ran = fed(&sandbox, &args, input);
        assert_eq!((ran.code, ran.stdout), (Some(0), expected.clone()), "{input}: {}", ran.stderr);
    }
}

#[test]
fn a_run_whose_ant_came_from_standard_input_records_it() {
    let sandbox = Sandbox::new();
    let args = ["probe", "--ant=-", "--colony", COLONY, "--device", "cpu", "--output-dir", "run"];
    let ran = fed(&sandbox, &args, ANT_TOML);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let recorded = sandbox.json("run/run_cmd.txt");
    let ant = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(ant(recorded["ant"].as_str().unwrap()), ant(ANT));
    let word = recorded["argv"][2].as_str().unwrap().strip_prefix("--ant=").unwrap();
    assert_eq!(ant(word), ant(ANT));
}

#[test]
fn a_bad_standard_input_is_refused_with_its_place() {
    let sandbox = Sandbox::new();
    for (ant, colony, input, said) in [
        ("-", "-", "", "cannot both be standard input"),
        ("-", COLONY, "{\"ring_lem\": 7}", "did you mean `ring_len`?"),
        ("-", COLONY, "", "standard input holds no ant"),
        (ANT, "-", "synth_len = ", "standard input holds no colony"),
    ] {
        let ran = fed(&sandbox, &["predict", "--ant", ant, "--colony", colony], input);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{input}");
        assert!(ran.stderr.contains(said), "{input}: {}", ran.stderr);
    }
}

#[test]
fn tables_are_printed_as_csv() {
    let sandbox = Sandbox::new();
    let workload = ["--ant", ANT, "--colony", COLONY];
    let with = |command: &[&'static str], more: &[&'static str]| {
        [command, &workload[..], more, &["--format", "csv"]].concat()
    };
    for (args, heads) in [
        (with(&["predict"], &[]), "probe_id,step,tape,allocated_bytes,reserved_bytes,"),
        (with(&["capacity"], &["--vram", "1GiB"]), "ant,colony,ring_len,slot_dim,synth_len,"),
        (with(&["explain"], &[]), "name,class,formula,bytes,percent_of_peak,phases"),
        (vec!["capacity", "--all", "--vram", "16GiB", "--format", "csv"], "ant,colony,"),
        (vec!["presets", "list", "--format", "csv"], "kind,name,from"),
        (vec!["env", "--device", "cpu", "--format", "csv"], "fact,value"),
    ] {
        let ran = sandbox.vram(&args);
        assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
        assert!(ran.stdout.starts_with(heads), "{args:?}\n{}", ran.stdout);
        let mut reader = csv::Reader::from_reader(ran.stdout.as_bytes());
        let rows = reader.records().map(Result::unwrap).count();
        assert!(rows > 0, "{args:?}");
    }
    // A cell that holds quotes and commas is one cell.
    let ran = sandbox.vram(&with(&["capacity"], &["--vram", "1GiB"]));
    let mut reader = csv::Reader::from_reader(ran.stdout.as_bytes());
    assert_eq!(&reader.records().next().unwrap().unwrap()[0], ANT);
}

#[test]
fn a_capacity_says_what_it_was_asked_about() {
    let sandbox = Sandbox::new();
    let args = "capacity --ant od1_canon_real --colony od1_canon_real --precision fp16 --tape rows \
                --vram 16GiB --guard 0.9 --calibration h200 --format json";
    let ran = sandbox.vram(&args.split_whitespace().collect::<Vec<_>>());
    let said: Value = serde_json::from_str(&ran.stdout).unwrap();
    for (key, value) in [
        ("precision", json!("fp16")),
        ("step", json!("fused")),
        ("tape", json!("rows")),
        ("guard", json!(0.9)),
        ("safe_ratio", json!(0.85)),
        ("calibration", json!("h200")),
        ("ring_len", json!(8192)),
        ("slot_dim", json!(576)),
        ("synth_len", json!(256)),
        ("out_dim", json!(1)),
    ] {
        assert_eq!(said[key], value, "{key}\n{}", ran.stdout);
    }
    assert_eq!(said["notes"][0], "OD1 canonical real ant (VRA-31).");
}

#[test]
fn shells_complete_every_subcommand() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = sandbox.vram(&["completions", shell]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{shell}");
        for word in ["capacity", "max-batch", "safe-ratio"] {
            assert!(ran.stdout.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(sandbox.vram(&["completions", "tcsh"]).code, Some(2));
}

#[test]
fn every_subcommand_has_a_manual_page() {
    let sandbox = Sandbox::new();
    let page = sandbox.vram(&["man"]).stdout;
    assert!(page.contains(".TH vram 1"), "{page}");
    for command in subcommands(&Cli::command()) {
        let path: Vec<&str> = command.split(' ').collect();
        let ran = sandbox.vram(&[&["man"], &path[..]].concat());
        let title = format!(".TH vram-{} 1", path.join("-"));
        assert_eq!(ran.code, Some(0), "{command}: {}", ran.stderr);
        assert!(ran.stdout.contains(&title), "{command}\n{}", ran.stdout);
    }
    let ran = sandbox.vram(&["man", "prob"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("did you mean probe?"), "{}", ran.stderr);
}

/// The short help fits a screen and shows no example; the long one shows some.
#[test]
fn the_short_help_is_short_and_the_long_one_has_examples() {
    let sandbox = Sandbox::new();
    for command in subcommands(&Cli::command()) {
        let path: Vec<&str> = command.split(' ').collect();
        let help = |flag| sandbox.vram(&[&path[..], &[flag]].concat()).stdout;
        let (short, long) = (help("-h"), help("--help"));
        assert!(short.lines().count() <= 32, "{command}\n{short}");
        assert!(!short.contains("Example") && long.contains("Example"), "{command}\n{long}");
        assert!(short.lines().count() < long.lines().count(), "{command}");
    }
}

/// Each by its path: `presets list`.
fn subcommands(command: &clap::Command) -> Vec<String> {
    let below = command.get_subcommands().filter(|below| below.get_name() != "help");
    below
        .flat_map(|below| {
            let name = below.get_name();
            let deeper = subcommands(below).into_iter().map(move |path| format!("{name} {path}"));
            std::iter::once(name.to_owned()).chain(deeper)
        })
        .collect()
}
