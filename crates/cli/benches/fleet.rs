//! What a sweep itself costs, of rows whose probe does nothing: `cargo bench -p vram-cli --bench fleet
//! [-- ROWS COLLECTED]`.
//!
//! The probe is this benchmark: it writes a real probe's artifacts with the row's name in them. What it
//! takes by itself is measured, too, and is no cost of the sweep's.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use vram_artifacts::names;
use vram_presets::library::Library;
use vram_sweep::planned::{self, Options};
use vram_workload::device_kind::DeviceKind;

const VRAM: &str = env!("CARGO_BIN_EXE_vram");
const ANT: &str = r#"{"ring_len":64,"slot_dim":8,"ptr_dtype":"fp64","precision":"fp32"}"#;
const COLONY: &str =
    r#"{"seq_len":4,"synth_len":4,"batch_size":1,"ptr_update_every":1,"state_loop_samples":0}"#;
const BATCHES: [u64; 3] = [1, 2, 3];
const FILES: [&str; 3] = [names::RUN_CMD, names::ENV, names::METRICS];
const TEMPLATES: &str = "templates";
const NAME: &str = "NAME-OF-THE-ROW";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| word == "probe") {
        return probe(&words);
    }
    let mut numbers = words.iter().filter_map(|word| word.parse().ok());
    let (rows, collected) = (numbers.next().unwrap_or(1000), numbers.next().unwrap_or(10_000));
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path());
    let alone = alone(dir.path(), rows);
    println!("{rows} rows whose probe does nothing, which takes {alone:.2} ms by itself");
    whole_sweep(dir.path(), rows, alone);
    tasks(dir.path(), rows, alone);
    collect(dir.path(), collected);
}

/// The probe that does nothing.
fn probe(words: &[String]) {
    let mut options = BTreeMap::new();
    for pair in words.windows(2) {
        options.insert(pair[0].as_str(), pair[1].as_str());
    }
    let own = std::env::current_exe().unwrap();
    let out = Path::new(options["--output-dir"]);
    leave(own.parent().unwrap(), options["--batch"], options["--row-id"], out);
}

/// Leaves the artifacts of a row.
fn leave(templates: &Path, batch: &str, id: &str, out: &Path) {
    fs::create_dir_all(out).unwrap();
    for file in FILES {
        let text = fs::read_to_string(templates.join(TEMPLATES).join(format!("{batch}-{file}")));
        fs::write(out.join(file), text.unwrap().replace(NAME, id)).unwrap();
    }
}

/// Artifacts of real probes, and this executable in the place of theirs.
fn prepare(dir: &Path) {
    fs::copy(VRAM, dir.join("sweeper")).unwrap();
    fs::copy(std::env::current_exe().unwrap(), dir.join("vram")).unwrap();
    fs::create_dir(dir.join(TEMPLATES)).unwrap();
    for batch in BATCHES {
        let out = dir.join(batch.to_string());
        let mut command = Command::new(VRAM);
        command.args(["probe", "--ant", ANT, "--colony", COLONY, "--device", "cpu", "--row-id"]);
        command.args([NAME, "--batch", &batch.to_string(), "--output-dir"]).arg(&out);
        done(&mut command);
        for file in FILES {
            let to = dir.join(TEMPLATES).join(format!("{batch}-{file}"));
            fs::copy(out.join(file), to).unwrap();
        }
    }
}

/// A sweep of so many rows, as a file.
fn sweep(dir: &Path, rows: usize) -> PathBuf {
    let mut text = "name = \"null\"\n[defaults]\nout_dim = 1\nprecision = \"fp32\"\n".to_owned();
    for row in 0..rows {
        let batch = BATCHES[row % BATCHES.len()];
        let row = format!("id = \"R{row}\"\nant = '{ANT}'\ncolony = '{COLONY}'\nbatch = {batch}\n");
        write!(text, "[[row]]\n{row}").unwrap();
    }
    let path = dir.join(format!("{rows}.toml"));
    fs::write(&path, text).unwrap();
    path
}

fn done(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// Milliseconds a row.
fn timed(rows: usize, work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    began.elapsed().as_secs_f64() * 1000.0 / rows as f64
}

fn alone(dir: &Path, rows: usize) -> f64 {
    timed(rows, || {
        for row in 0..rows {
            let mut command = Command::new(dir.join("vram"));
            let batch = BATCHES[row % BATCHES.len()].to_string();
            command.args(["--quiet", "probe", "--batch", &batch, "--row-id", &format!("R{row}")]);
            done(command.arg("--output-dir").arg(dir.join("alone").join(row.to_string())));
        }
    })
}

fn whole_sweep(dir: &Path, rows: usize, alone: f64) {
    let (file, out) = (sweep(dir, rows), dir.join("whole"));
    let run = |more: &[&str]| {
        let mut command = Command::new(dir.join("sweeper"));
        command.args(["sweep", "--device", "cpu", "--sweep"]).arg(&file).arg("--out").arg(&out);
        done(command.args(more));
    };
    let whole = timed(rows, || run(&[]));
    let again = timed(rows, || run(&["--resume"]));
    println!("sweep: {whole:.2} ms a row, {:.2} of them the sweep's own", whole - alone);
    println!("the same with --resume, which measures none: {again:.2} ms a row");
}

fn planned(dir: &Path, rows: usize, out: &Path) -> planned::Planned {
    let options = Options {
        sweep: sweep(dir, rows).display().to_string(),
        kind: DeviceKind::Cpu,
        only: Vec::new(),
        out: Some(out.to_owned()),
        no_preflight: false,
        row_timeout: None,
    };
    let carried = |_| Ok(vec![dir.join("vram"), dir.join(TEMPLATES)]);
    planned::write(&options, &Library::built_in(), &carried).unwrap()
}

fn tasks(dir: &Path, rows: usize, alone: f64) {
    let out = dir.join("tasks");
    planned(dir, rows, &out);
    let whole = timed(rows, || {
        for index in 0..rows {
            let mut command = Command::new(dir.join("sweeper"));
            command.args(["sweep", "--row-index", &index.to_string()]).arg(&out);
            done(&mut command);
        }
    });
    println!("tasks: {whole:.2} ms a row, {:.2} of them the task's own", whole - alone);
}

fn collect(dir: &Path, rows: usize) {
    let out = dir.join("collected");
    let began = Instant::now();
    let planned = planned(dir, rows, &out);
    println!("{rows} rows are planned in {:.2} s", began.elapsed().as_secs_f64());
    for row in &planned.rows {
        leave(dir, &row.row.batch.to_string(), &row.id, &row.dir);
    }
    let began = Instant::now();
    done(Command::new(dir.join("sweeper")).args(["sweep", "--collect"]).arg(&out));
    println!("{rows} finished rows are collected in {:.2} s", began.elapsed().as_secs_f64());
}
