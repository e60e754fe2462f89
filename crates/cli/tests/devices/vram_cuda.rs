//! What `vram-cuda` says by itself: it may be started without `vram`. It links the driver, so the one
//! here has every function that it names; those that the fake does not answer fail. This test itself
//! must start without one: it uses nothing of `vram_cli`.

use std::fs::File;
use std::path::{Path, PathBuf};

use elf::ElfStream;
use elf::endian::AnyEndian;

use crate::machine::{Machine, has};

const VRAM_CUDA: &str = env!("CARGO_BIN_EXE_vram-cuda");

/// A machine with the toolkit's libraries, and their place for the loader.
fn machine() -> (Machine, String) {
    let machine = Machine::new(VRAM_CUDA);
    // Weak: where the fake answers, it does.
    let failing = driver_functions(VRAM_CUDA)
        .iter()
        .map(|name| format!("__attribute__((weak)) int {name}(void) {{ return 999; }}\n"))
        .collect::<String>();
    machine.install_driver(&failing);
    let set = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(std::env::var_os);
    let homes = set.map(PathBuf::from).chain([PathBuf::from("/usr/local/cuda")]);
    let dirs = homes.flat_map(|home| [home.join("lib64"), home.join("lib")]);
    let path = std::env::join_paths([machine.path("driver")].into_iter().chain(dirs)).unwrap();
    (machine, path.into_string().unwrap())
}

/// The driver's functions that an executable asks for.
fn driver_functions(executable: &str) -> Vec<String> {
    let file = File::open(Path::new(executable)).unwrap();
    let mut elf = ElfStream::<AnyEndian, _>::open_stream(file).unwrap();
    let (symbols, strings) = elf.dynamic_symbol_table().unwrap().unwrap();
    let wanted = symbols.iter().filter(|symbol| symbol.is_undefined());
    let names = wanted.map(|symbol| strings.get(symbol.st_name as usize).unwrap().to_owned());
    let driver = names.filter(|name| {
        name.strip_prefix("cu").is_some_and(|rest| rest.starts_with(|c: char| c.is_uppercase()))
    });
    let driver: Vec<String> = driver.collect();
    assert!(driver.iter().any(|name| name == "cuInit"), "the driver is not linked: {driver:?}");
    driver
}

#[test]
fn vram_cuda_refuses_what_it_cannot_run_on() {
    let (machine, path) = machine();
    let refusal = |device, variables: &[(&str, &str)]| {
        machine.refusal(device, &[&[("LD_LIBRARY_PATH", path.as_str())], variables].concat())
    };
    let old = refusal("cuda", &[("FAKE_VERSION", "11040")]);
    has(&old, &["the NVIDIA driver supports CUDA 11.4 and this build needs", "update the driver"]);
    let newer = refusal("cuda", &[("FAKE_MAJOR", "5"), ("FAKE_MINOR", "2")]);
    has(&newer, &["this build is for cards of compute capability", "Fake Card has 5.2"]);
    has(&newer, &["cargo xtask sweep --compute-cap 5.2"]);
    let cpu = refusal("cpu", &[]);
    has(&cpu, &["vram-cuda does not run on the CPU"]);
    let third = refusal("cuda:1", &[]);
    has(&third, &["there is no cuda:1: this process sees one card, cuda:0"]);
    // A card that answers who it is, and nothing else.
    let shut = refusal("cuda", &[("FAKE_VERSION", "99000")]);
    has(&shut, &["failed: a fake error"]);
}

/// A plain row has no ledger: a virtual card counts it before it runs, on whatever card is there. This
/// one answers who it is, and runs nothing.
#[test]
fn a_plain_row_is_counted_before_it_is_measured() {
    let (machine, path) = machine();
    let sweep = r#"
        name = "mine"
        [defaults]
        out_dim = 1
        precision = "fp32"
        amp = 0
        warmup_steps = 0
        measure_steps = 1
        [[row]]
        id = "P"
        ant = '{"ring_len":64,"slot_dim":8,"ptr_dtype":"fp64","precision":"fp32"}'
        colony = '{"seq_len":4,"synth_len":4,"batch_size":1,"ptr_update_every":1,"state_loop_samples":0}'
        batch = 2
        step = "plain"
    "#;
    std::fs::write(machine.path("work/mine.toml"), sweep).unwrap();
    let arguments = ["sweep", "--device", "cuda", "--sweep", "mine.toml", "--out", "swept"];
    let output = machine.run_any(&arguments, &[("LD_LIBRARY_PATH", &path)]);
    let said = String::from_utf8(output.stderr).unwrap();
    has(&said, &["[1/1] P      0.031 GiB by a dry run on a virtual card", "LOST"]);
    let table = String::from_utf8(output.stdout).unwrap();
    let line = table.lines().find(|line| line.contains("│ P ")).expect(&table);
    has(line, &["plain", "0.031"]);
    let swept = std::fs::read_dir(machine.path("work/swept")).unwrap();
    let names = swept.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let counted = names.filter(|name| name.ends_with(".counted")).collect::<Vec<_>>();
    let [counted] = &counted[..] else { panic!("{counted:?}") };
    let env = machine.path("work/swept").join(counted).join("env.json");
    has(&std::fs::read_to_string(env).unwrap(), &["\"virtual_card\": true"]);
}
