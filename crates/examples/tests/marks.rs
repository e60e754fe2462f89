//! The programs on a virtual card, held against what an H100 counted in them: every mark, to the byte.
#![cfg(target_os = "linux")]

mod programs;

use programs::Silent;
use vram_virtual_card::dry_run::{Answer, DryRun, Listener, RUNS};
use vram_virtual_card::recording::{Mark, MarkKind};
use vram_virtual_card::requests::Wanted;
use vram_virtual_card::run::Run;
use vram_virtual_card::verdict::Verdict;

/// `docs/virtual-card.md` says how it was recorded.
const RECORDED: &str = include_str!("../../../docs/results/h100/programs/marks.tsv");

/// Programs whose shapes depend on values: on another card's values, other shapes.
const BY_VALUES: [&str; 2] = ["mixture_of_experts", "sampler"];

/// A run of the recording: the program with its arguments, and for each mark its name, used, the most
/// used, reserved, and the most reserved, in bytes.
type Recorded = (Vec<String>, Vec<(String, [u64; 4])>);

fn recorded() -> Vec<Recorded> {
    let mut runs: Vec<Recorded> = Vec::new();
    for line in RECORDED.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let command: Vec<String> = fields[0].split(' ').map(str::to_owned).collect();
        let levels: Vec<u64> = fields[2..].iter().map(|field| field.parse().unwrap()).collect();
        let mark = (fields[1].to_owned(), levels.try_into().unwrap());
        match runs.last_mut().filter(|(last, _)| *last == command) {
            Some((_, marks)) => marks.push(mark),
            None => runs.push((command, vec![mark])),
        }
    }
    runs
}

fn run(command: &[String], runs: usize, listener: &mut dyn Listener) -> Option<DryRun> {
    programs::run(command, ("h100", runs), Wanted::Nothing, listener)
}

fn answer(found: &DryRun) -> &Answer {
    found.outcome.as_ref().unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

fn marks(run: &Run) -> impl Iterator<Item = &Mark> {
    run.recording.processes[0].marks.iter().filter(|mark| mark.kind == MarkKind::Mark)
}

#[test]
fn every_mark_is_the_cards_to_the_byte() {
    let mut held = 0;
    for (command, recorded) in recorded() {
        if BY_VALUES.contains(&command[0].as_str()) {
            continue;
        }
        let Some(found) = run(&command, 2, &mut Silent) else { continue };
        assert_eq!(
            answer(&found).verdict,
            Verdict::Exact,
            "{command:?}: {:?}",
            answer(&found).reasons
        );
        for run in &found.runs {
            let marks: Vec<(String, [u64; 4])> = marks(run)
                .map(|mark| {
                    let at = mark.cards[0];
                    let levels = [at.used, at.used_peak, at.reserved, at.reserved_peak];
                    (mark.name.clone(), levels)
                })
                .collect();
            assert_eq!(marks, recorded, "{command:?}");
            held += marks.len();
        }
    }
    assert!(held >= 240, "{held} marks were held against the card's");
}

#[test]
fn nothing_that_is_read_or_computed_changes_an_exact_program() {
    for name in ["mlp", "transformer", "conv_net", "lstm"] {
        let found = run(&[name.to_owned(), "8".to_owned()], RUNS, &mut Silent).unwrap();
        assert_eq!(answer(&found).verdict, Verdict::Exact, "{name}: {:?}", answer(&found).reasons);
    }
}

struct Patient;

impl Listener for Patient {
    fn begins(&mut self, _: usize, _: usize) {}

    // Values that no softmax gives may end a program: those runs count for none.
    fn failed(&mut self, _: usize, _: &Run) {}

    fn is_interrupted(&self) -> bool {
        false
    }
}

#[test]
fn shapes_that_depend_on_values_are_told_with_the_range_that_was_seen() {
    for name in BY_VALUES {
        let found = run(&[name.to_owned(), "8".to_owned()], RUNS, &mut Patient).unwrap();
        let Verdict::DependsOnValues(seen) = &answer(&found).verdict else {
            panic!("{name}: {:?}", answer(&found).verdict)
        };
        assert!(seen.least < seen.most, "{name}: {seen:?}");
        assert!(seen.parts_at.is_some(), "{name}");
    }
}
