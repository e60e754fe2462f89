//! What is made of a driver's answers, and what is said of a driver that does not answer: in a process
//! that finds a driver made here, which answers what its environment says.
//!
//! With the feature, `vram-cli`'s tests have such a driver: this test may then link the real one.
#![cfg(all(target_os = "linux", not(feature = "cuda")))]
#![cfg(feature = "driver")]

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use vram_metrics::driver::{Card, Driver, DriverError};

/// Set in the process that asks: the number of the card.
const ORDINAL: &str = "VRAM_TEST_ASKS_FOR_CARD";

/// CUDA 12.0, as the driver counts.
const NEEDS: i32 = 12000;

fn ask(ordinal: usize) -> Result<(i32, Card), DriverError> {
    let driver = Driver::open()?;
    driver.supports(NEEDS)?;
    // Nobody has it, so that a caller is told and cudarc does not panic.
    let lacking = driver.requires(&["cuInit", "cuNoSuchFunction"]);
    assert!(matches!(lacking, Err(DriverError::Failed { call: "cuNoSuchFunction", .. })));
    Ok((driver.version()?, driver.card(ordinal)?))
}

/// A folder with a driver in it, for the loader.
fn driver() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_driver");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o"]);
    let built = cc.arg(dir.path().join("libcuda.so.1")).arg(fake.join("libcuda.c")).output();
    let built = built.unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    dir
}

/// What [`ask`] comes to where `dir` has the driver: this test once more, in another process.
fn answer(dir: &Path, ordinal: usize, variables: &[(&str, &str)]) -> String {
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "a_driver_is_told_by_its_answers", "--nocapture"]);
    again.env("LD_LIBRARY_PATH", dir).env_remove("CUDA_VISIBLE_DEVICES");
    again.env(ORDINAL, ordinal.to_string()).envs(variables.iter().copied());
    let output = again.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let (_, answer) = said.split_once("<answer>").expect(&said);
    answer.split_once("</answer>").unwrap().0.to_owned()
}

#[test]
#[expect(clippy::print_stdout, reason = "how the other process answers")]
fn a_driver_is_told_by_its_answers() {
    match std::env::var(ORDINAL) {
        Ok(ordinal) => {
            let answer = match ask(ordinal.parse().unwrap()) {
                Ok(answer) => format!("{answer:?}"),
                Err(error) => format!("{error}; {}", error.advice()),
            };
            println!("<answer>{answer}</answer>");
        }
        Err(_) => check(),
    }
}

fn check() {
    let dir = driver();
    let of = |ordinal, variables: &[(&str, &str)]| answer(dir.path(), ordinal, variables);

    let second = Card {
        ordinal: 1,
        name: "Fake Card".to_owned(),
        uuid: "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f".to_owned(),
        capability: (8, 9),
        total_bytes: 16 << 30,
    };
    let ada =
        [("FAKE_CARDS", "2"), ("FAKE_VERSION", "12040"), ("FAKE_MAJOR", "8"), ("FAKE_MINOR", "9")];
    assert_eq!(of(1, &ada), format!("{:?}", (12040, second)));

    let beyond = "there is no cuda:2: this process sees 2 cards, cuda:0 to cuda:1";
    let name = "name a card that `nvidia-smi -L` lists";
    assert_eq!(of(2, &ada), format!("{beyond}; {name}"));
    let limited = [("FAKE_CARDS", "1"), ("CUDA_VISIBLE_DEVICES", "3")];
    let one =
        "there is no cuda:1: this process sees one card, cuda:0 (CUDA_VISIBLE_DEVICES is `3`)";
    let unset = "unset CUDA_VISIBLE_DEVICES, or name in it a card that `nvidia-smi -L` lists";
    assert_eq!(of(1, &limited), format!("{one}; {unset}"));

    let none =
        "the NVIDIA driver shows no card to this process; see whether `nvidia-smi` shows a card";
    // As a driver says it, and as a count.
    assert_eq!(of(0, &[("FAKE_INIT", "100")]), none);
    assert_eq!(of(0, &[("FAKE_CARDS", "0")]), none);
    let broken = "cuInit failed: a fake error (CUDA error 999); \
                  see whether `nvidia-smi` works: the driver may need a restart";
    assert_eq!(of(0, &[("FAKE_INIT", "999")]), broken);

    let old = "the NVIDIA driver supports CUDA 11.8 and this build needs 12.0; \
               update the driver, or build with a CUDA toolkit of the driver's version";
    assert_eq!(of(0, &[("FAKE_VERSION", "11080")]), old);

    // The loader looks here first, whatever the machine has.
    fs::write(dir.path().join("libcuda.so.1"), "half a download").unwrap();
    let missing = of(0, &[]);
    let start = "no NVIDIA driver on this machine: libcuda.so.1 cannot be loaded (";
    let end = "); install NVIDIA's driver";
    assert!(missing.starts_with(start) && missing.ends_with(end), "{missing}");
    assert!(missing.len() > start.len() + end.len(), "no reason: {missing}");
}
