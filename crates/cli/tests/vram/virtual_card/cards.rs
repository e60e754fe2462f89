//! What `vram-metrics` says of the cards of a machine: asked by this test once more, in a process that
//! finds four virtual cards.

use vram_metrics::driver::{Driver, DriverError};
use vram_metrics::facts::DeviceFacts;

use super::{command, sandbox};

/// Set in the process that asks.
const ASKS: &str = "VRAM_TEST_ASKS_FOR_CARDS";

/// What a machine with these cards answers, one line for each that this process sees.
fn answers(flags: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let sandbox = sandbox(&[]);
    sandbox.write("lost", "2\n");
    let this = std::env::current_exe().unwrap();
    let program = [
        "--",
        this.to_str().unwrap(),
        "--exact",
        "virtual_card::cards::every_card_of_a_machine_is_told_apart",
        "--nocapture",
    ];
    let args = [&["dry-run", "--runs", "1", "--cards", "4"], flags, &program].concat();
    let mut command = command(&sandbox, &args);
    let ran = sandbox.ran(command.env(ASKS, "1").envs(variables.iter().copied()).output().unwrap());
    let said = ran.stdout.lines().filter_map(|line| line.split_once("<card>"));
    let said: Vec<String> = said.map(|(_, card)| card.to_owned()).collect();
    assert!(!said.is_empty(), "{}{}", ran.stdout, ran.stderr);
    said
}

#[expect(clippy::print_stdout, reason = "how the other process answers")]
fn ask() {
    let driver = Driver::open().unwrap();
    for ordinal in 0.. {
        let card = match driver.card(ordinal) {
            Ok(card) => card,
            Err(DriverError::NoSuchCard { .. }) => break,
            Err(error) => panic!("{error}"),
        };
        let facts = DeviceFacts::card(&card, driver.version().unwrap());
        assert_eq!(facts.gpu_uuid.as_ref(), Some(&card.uuid));
        let free = facts.available_bytes;
        let lost = card.lost().map(|error| error.to_string());
        println!("<card>{} {} {free:?} {lost:?}", card.ordinal, card.uuid);
    }
}

/// The UUID of the machine's card of this number.
fn uuid(number: usize) -> String {
    format!("GPU-76697274-7561-6c20-6361-7264000000{number:02x}")
}

const LOST: &str = "cuda:2, NVIDIA H100 80GB HBM3, has fallen off the bus";

const FREE: &str = "Some(85017493504)";

#[test]
fn every_card_of_a_machine_is_told_apart() {
    if std::env::var_os(ASKS).is_some() {
        return ask();
    }
    let expected = [0, 1, 2, 3].map(|n| format!("{n} {} {FREE} None", uuid(n)));
    assert_eq!(answers(&[], &[]), expected);
    // NVML has them all, whichever the driver shows.
    let list = format!("{},1", uuid(3));
    let visible = [("CUDA_VISIBLE_DEVICES", list.as_str())];
    let expected = [(0, 3), (1, 1)].map(|(n, of)| format!("{n} {} {FREE} None", uuid(of)));
    assert_eq!(answers(&[], &visible), expected);
    // One that is lost keeps its number, and so do the others.
    let lost = answers(&["--lost-cards", "lost"], &[]);
    for (n, line) in (0..).zip(&lost) {
        match n {
            2 => assert_eq!(*line, format!("2 {} None Some({LOST:?})", uuid(2))),
            n => assert_eq!(*line, format!("{n} {} {FREE} None", uuid(n))),
        }
    }
    assert_eq!(lost.len(), 4);
}
