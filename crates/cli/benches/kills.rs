//! Kills a sweep of real probes at random moments, again and again, and continues it each time:
//! `cargo bench -p vram-cli --bench kills [-- KILLS]`, after `cargo build --release`.
//!
//! A benchmark and no test, because no finite number of moments proves that there is no bad one.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

#[path = "../tests/sweep/support.rs"]
#[allow(dead_code, reason = "the tests need more of it")]
mod support;

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use support::{ANT, COLONY, Sandbox, text};
use vram_artifacts::names;
use vram_artifacts::run_record::read;

const SEED: u64 = 6;
const ROWS: [(&str, &str, &str, u64); 3] =
    [("A", ANT, COLONY, 1), ("B", ANT, COLONY, 2), ("C", ANT, COLONY, 3)];

#[derive(Debug, Default)]
struct Tally {
    kills: u32,
    /// Sweeps that were over before their kill came.
    too_late: u32,
    sweeps: u32,
    attempts_aside: u32,
    temporary_files: u32,
}

fn main() {
    let kills = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1000);
    let sandbox = Sandbox::real(&ROWS);
    let began = Instant::now();
    let undisturbed = sweep(&sandbox, false);
    let whole = began.elapsed();
    let table = text(&undisturbed.stdout);
    assert_eq!(undisturbed.status.code(), Some(0), "{}", text(&undisturbed.stderr));
    println!("undisturbed: {:.3} s\n{table}", whole.as_secs_f64());

    let mut rng = StdRng::seed_from_u64(SEED);
    let mut tally = Tally::default();
    let began = Instant::now();
    while tally.kills < kills {
        fs::remove_dir_all(sandbox.path("out")).unwrap();
        let mut resume = false;
        // Half of the sweeps that continue are killed in their turn.
        loop {
            kill_within(&sandbox, resume, whole.mul_f64(rng.random::<f64>()), &mut tally);
            resume = sandbox.path("out").exists();
            if tally.kills == kills || rng.random() {
                break;
            }
        }
        let last = sweep(&sandbox, resume);
        assert_eq!(last.status.code(), Some(0), "{}", text(&last.stderr));
        assert_eq!(text(&last.stdout), table, "after {} kills", tally.kills);
        check(&sandbox.path("out"), &mut tally);
        tally.sweeps += 1;
    }
    println!(
        "{tally:#?}\nin {:.0} s: every table is the undisturbed one",
        began.elapsed().as_secs_f64()
    );
}

fn command(sandbox: &Sandbox, resume: bool) -> std::process::Command {
    let mut command = sandbox.command(if resume { &["--resume"] } else { &[] });
    // One thread takes the same memory every time; several do not, to the byte.
    command.env("RAYON_NUM_THREADS", "1");
    command
}

fn sweep(sandbox: &Sandbox, resume: bool) -> Output {
    command(sandbox, resume).output().unwrap()
}

fn kill_within(sandbox: &Sandbox, resume: bool, delay: Duration, tally: &mut Tally) {
    let mut sweep = command(sandbox, resume).spawn().unwrap();
    std::thread::sleep(delay);
    if sweep.try_wait().unwrap().is_some() {
        tally.too_late += 1;
        return;
    }
    sweep.kill().unwrap();
    sweep.wait().unwrap();
    tally.kills += 1;
}

/// No row is lost, and what is there, in attempts that were set aside too, is whole.
fn check(out: &Path, tally: &mut Tally) {
    let mut rows = 0;
    for entry in fs::read_dir(out).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !path.is_dir() {
            tally.temporary_files += u32::from(name.starts_with('.'));
            continue;
        }
        if name.contains(names::ASIDE) {
            tally.attempts_aside += 1;
        } else {
            read(&path).unwrap();
            rows += 1;
        }
        for file in fs::read_dir(&path).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            tally.temporary_files += u32::from(name.starts_with('.'));
            if [names::METRICS, names::ENV, names::RUN_CMD].contains(&name.as_str()) {
                let text = fs::read_to_string(&file).unwrap();
                serde_json::from_str::<serde_json::Value>(&text).unwrap();
            }
        }
    }
    assert_eq!(rows, ROWS.len());
}
