//! Sweeps over four cards: peaks are those of one, and nothing is lost that a kill or a card that falls
//! away interrupts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use vram_artifacts::names;
use vram_artifacts::run_record::{RunRecord, read};
use vram_virtual_card::card::Card;

use crate::machine::{Machine, VRAM};

/// With four H100s.
fn four() -> Machine {
    Machine::with(Card::new("h100", None, 4).unwrap())
}

/// What is whole in a run directory, by row.
fn rows(dir: &Path) -> BTreeMap<String, RunRecord> {
    let entries = fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path());
    let own = entries.filter(|path| !path.to_string_lossy().contains(names::ASIDE));
    own.filter_map(|path| read(&path).ok()).map(|run| (run.id.clone(), run)).collect()
}

#[test]
fn a_row_peaks_on_each_of_four_cards_as_on_one() {
    let machines = [("cuda:all", four()), ("cuda:0", Machine::new())];
    let [several, one] = machines.map(|(device, machine)| {
        let out = machine.path("out");
        let to = out.display().to_string();
        let sweep = ["sweep", "--sweep", "smoke", "--device", device, "--out", &to];
        let (run, said) = machine.run(VRAM, &sweep);
        assert_eq!(run.ending.code(), Some(0), "{said}");
        rows(&out)
    });
    let cards: BTreeSet<_> = several.values().map(|run| run.env.gpu_uuid.clone()).collect();
    assert!(cards.len() > 1, "{cards:?}");
    let peaks = |runs: &BTreeMap<String, RunRecord>| -> Vec<_> {
        let peaks = runs.values().map(|run| {
            let m = &run.metrics;
            (run.id.clone(), m.peak_vram_allocated_bytes, m.peak_vram_reserved_bytes)
        });
        peaks.collect()
    };
    assert_eq!(peaks(&several).len(), 7);
    assert_eq!(peaks(&several), peaks(&one));
}

/// Kills sweeps at any moment and resumes them, until so many were killed: what was finished is there
/// yet, as it was, and in the end every row is.
fn kill_and_resume(kills: usize) {
    let machine = four();
    let (mut killed, mut attempts) = (0, 0);
    for sweep in 0.. {
        let out = machine.path(&format!("out{sweep}"));
        let to = out.display().to_string();
        let mut before = BTreeMap::new();
        loop {
            // Each at another moment of the quarter of a second that a sweep takes.
            let after = 0.001 * ((17 + 61 * attempts) % 250) as f64;
            attempts += 1;
            let after = if killed < kills { after.to_string() } else { "600".to_owned() };
            let timeout = ["-s", "KILL", &after, VRAM];
            let sweep = ["sweep", "--sweep", "smoke", "--device", "cuda:all", "--out", &to];
            let resume = out.join("sweep.lock").exists().then_some("--resume");
            let arguments: Vec<&str> = timeout.into_iter().chain(sweep).chain(resume).collect();
            let (run, said) = machine.run("timeout", &arguments);
            let now = rows(&out);
            for (id, run) in &before {
                let run: &RunRecord = run;
                assert_eq!(now.get(id).map(|run| run.content), Some(run.content), "{id}: {said}");
            }
            before = now;
            if run.ending.code() == Some(0) {
                break;
            }
            assert!(killed < kills, "not killed, and did not end well: {said}");
            killed += 1;
        }
        assert_eq!(before.len(), 7, "{:?}", before.keys());
        if killed >= kills {
            break;
        }
    }
}

#[test]
fn a_sweep_on_four_cards_that_is_killed_loses_nothing() {
    kill_and_resume(10);
}

#[test]
#[ignore = "takes a minute: the same with ten kills runs everywhere"]
fn two_hundred_kills_lose_nothing() {
    kill_and_resume(200);
}
