//! Sweeps over four cards: peaks are those of one, and nothing is lost that a kill or a card that falls
//! away interrupts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use vram_artifacts::names;
use vram_artifacts::run_record::{RunRecord, read};
use vram_virtual_card::card::Card;

use crate::machine::{Machine, VRAM};

/// With so many H100s.
fn cards(count: usize) -> Machine {
    Machine::with(Card::new("h100", None, count).unwrap())
}

/// What is whole in a run directory, by row.
fn rows(dir: &Path) -> BTreeMap<String, RunRecord> {
    let entries = fs::read_dir(dir).into_iter().flatten().map(|entry| entry.unwrap().path());
    let own = entries.filter(|path| !path.to_string_lossy().contains(names::ASIDE));
    own.filter_map(|path| read(&path).ok()).map(|run| (run.id.clone(), run)).collect()
}

#[test]
fn a_row_peaks_on_each_of_four_cards_as_on_one() {
    let machines = [("cuda:all", cards(4)), ("cuda:0", Machine::new())];
    let [several, one] = machines.map(|(device, machine)| swept(&machine, device, 0).1);
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

/// The third card goes in its first row, at the 100th request for memory of it.
#[test]
fn a_card_that_falls_away_leaves_its_rows_to_the_others() {
    let machine = cards(4).losing("2@100");
    let (said, runs) = swept(&machine, "cuda:all", 0);
    assert!(said.contains("cuda:2 has fallen off the bus; the row goes to another"), "{said}");
    let passed = |run: &&RunRecord| run.metrics.stability_pass;
    assert_eq!(runs.values().filter(passed).count(), 7, "{said}");
    let cards: BTreeSet<_> = runs.values().map(|run| run.env.gpu_uuid.clone()).collect();
    assert!(cards.len() <= 3, "{said}");
}

#[test]
fn rows_without_a_card_are_lost_with_the_reason_and_resumed_elsewhere() {
    let machine = cards(2).losing("0@300 1@300");
    let (said, runs) = swept(&machine, "cuda:all", 1);
    let why = "no card is left to run it: cuda:0, cuda:1 have fallen off the bus";
    assert!(said.contains(why), "{said}");
    assert!(!runs.is_empty() && runs.len() < 7, "{said}");
    fs::remove_file(machine.path("lost")).unwrap();
    let (said, all) = swept(&machine, "cuda:1", 0);
    assert_eq!(all.len(), 7, "{said}");
    for (id, run) in runs {
        assert_eq!(all[&id].content, run.content, "{said}");
    }
}

/// Whichever rows are under way: all of them are ended, and done again.
#[test]
fn ctrl_c_ends_the_rows_of_all_cards() {
    let machine = cards(4);
    let to = machine.path("out").display().to_string();
    let interrupt = ["--preserve-status", "-s", "INT", "0.06", VRAM];
    let sweep = ["sweep", "--sweep", "smoke", "--device", "cuda:all", "--out", &to];
    let (run, said) = machine.run("timeout", &[&interrupt[..], &sweep].concat());
    // By itself, or by the signal where that came before it was asked for.
    let code = run.ending.code();
    assert!(code == Some(130) || code.is_none(), "{code:?}: {said}");
    let before = rows(&machine.path("out"));
    assert!(before.len() < 7, "{said}");
    fs::create_dir_all(machine.path("out")).unwrap();
    fs::write(machine.path("out/sweep.lock"), "").unwrap();
    let (said, after) = swept(&machine, "cuda:all", 0);
    assert_eq!(after.len(), 7, "{said}");
    assert!(before.iter().all(|(id, run)| after[id].content == run.content), "{said}");
}

/// The largest row has no room on any of them.
#[test]
fn a_card_without_room_fails_its_row_and_goes_on() {
    let machine = Machine::with(Card::new("h100", Some(1 << 30), 4).unwrap());
    let out = machine.path("out");
    let to = out.display().to_string();
    let sweep = ["sweep", "--sweep", "smoke", "--device", "cuda:all", "--out", &to];
    let (run, said) = machine.run(VRAM, &[&sweep[..], &["--no-preflight"]].concat());
    assert_eq!(run.ending.code(), Some(1), "{said}");
    assert!(!said.contains("fallen off the bus"), "{said}");
    let rows = rows(&out);
    let failed: Vec<_> = rows.values().filter(|run| !run.metrics.stability_pass).collect();
    assert_eq!(rows.len(), 7, "{said}");
    assert_eq!(failed.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), ["N32"], "{said}");
    assert!(failed[0].metrics.had_oom, "{said}");
}

/// Sweeps, resumes if it was swept before, and ends with this code: what it says, and the rows that are
/// whole.
fn swept(machine: &Machine, device: &str, code: i32) -> (String, BTreeMap<String, RunRecord>) {
    let out = machine.path("out");
    let to = out.display().to_string();
    let sweep = ["sweep", "--sweep", "smoke", "--device", device, "--out", &to];
    let resume = out.exists().then_some("--resume");
    let (run, said) = machine.run(VRAM, &sweep.into_iter().chain(resume).collect::<Vec<_>>());
    assert_eq!(run.ending.code(), Some(code), "{said}");
    (said, rows(&out))
}

/// Kills sweeps at any moment and resumes them, until so many were killed: what was finished is there
/// yet, as it was, and in the end every row is.
fn kill_and_resume(kills: usize) {
    let machine = cards(4);
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
