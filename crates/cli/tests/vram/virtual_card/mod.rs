//! `vram dry-run` and `vram max-batch`, on programs in C that lie in a sandbox.

mod browser;
mod cards;
mod dry_run;
mod max_batch;
#[path = "../../../../virtual-card/tests/virtual_card/programs.rs"]
#[allow(dead_code, reason = "the virtual card's own tests build more")]
mod programs;
mod replay;
mod signals;
mod stacks;
mod traces;

use std::fs::File;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{Ran, Sandbox};

/// A sandbox in which each of these is `./NAME`, a program in C or a script.
fn sandbox(names: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("tmp")).unwrap();
    for name in names {
        let is_script = name.ends_with(".sh");
        let file = if is_script { programs::source(name) } else { programs::program(name) };
        // Not a copy: that could not be run while another thread's child has it open for writing.
        symlink(file, sandbox.path(name)).unwrap();
    }
    sandbox
}

/// `vram` with these arguments, about to run with an input of its own and every card in sight.
fn command(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = sandbox.command(args);
    command
        .env_remove("CUDA_VISIBLE_DEVICES")
        .env("XDG_CACHE_HOME", programs::directory().join("cache"))
        .env("TMPDIR", sandbox.path("tmp"));
    command
}

/// What it left.
fn vram(sandbox: &Sandbox, args: &[&str]) -> Ran {
    sandbox.ran(command(sandbox, args).output().unwrap())
}

/// The same with the sandbox's file `input` as its stdin.
fn vram_reading(sandbox: &Sandbox, input: &str, args: &[&str]) -> Ran {
    let input = File::open(sandbox.path(input)).unwrap();
    sandbox.ran(command(sandbox, args).stdin(input).output().unwrap())
}
