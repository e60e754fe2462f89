//! What `vram` says of the driver, its cards and the second executable.

use crate::machine::{Machine, has};

#[test]
fn vram_says_what_is_missing() {
    let machine = Machine::new(env!("CARGO_BIN_EXE_vram"));
    let none = machine.refusal("cuda", &[("FAKE_INIT", "100")]);
    has(&none, &["shows no card to this process", "nvidia-smi", "--device cpu"]);
    let hidden = machine.refusal("cuda", &[("FAKE_INIT", "100"), ("CUDA_VISIBLE_DEVICES", "")]);
    has(&hidden, &["CUDA_VISIBLE_DEVICES is ``", "unset CUDA_VISIBLE_DEVICES"]);
    let third = machine.refusal("cuda:2", &[("FAKE_CARDS", "2")]);
    has(&third, &["there is no cuda:2: this process sees 2 cards, cuda:0 to cuda:1"]);
    let broken = machine.refusal("cuda", &[("FAKE_INIT", "999")]);
    has(&broken, &["cuInit failed: a fake error (CUDA error 999)", "nvidia-smi"]);
    let unbuilt = machine.refusal("cuda", &[]);
    has(&unbuilt, &["no CUDA probe", "vram-cuda is not there", "cargo xtask sweep"]);
}

/// A driver that lacks a function ends in a message too, whichever way it is called.
#[test]
fn a_broken_driver_is_said_to_be_broken() {
    let machine = Machine::new(env!("CARGO_BIN_EXE_vram"));
    let source = machine.path("driver/part.c");
    std::fs::write(&source, "int cuInit(unsigned flags) { (void)flags; return 0; }").unwrap();
    machine.link_driver(&[source]);
    let broken = machine.refusal("cuda", &[]);
    has(&broken, &["cuDriverGetVersion failed: ", "undefined symbol", "nvidia-smi"]);
    std::fs::write(machine.path("driver/libcuda.so.1"), "no library").unwrap();
    let none = machine.refusal("cuda", &[]);
    has(
        &none,
        &[
            "no NVIDIA driver on this machine: libcuda.so.1 cannot be loaded (",
            "file too short",
            "install",
        ],
    );
}

#[test]
fn auto_falls_back_to_the_cpu_and_says_why() {
    let machine = Machine::new(env!("CARGO_BIN_EXE_vram"));
    let output = machine.run("auto", &[("FAKE_INIT", "100")]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    has(&said, &["running on the CPU: the NVIDIA driver shows no card to this process"]);
}
