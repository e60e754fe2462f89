//! The `vram` binary, run as a user runs it.

mod bad_input;
mod bandwidth;
mod browser;
mod commands;
mod cuda_toolkit;
mod disk;
mod faults;
mod formats;
mod one_run;
mod probe;
mod replay;
mod steps;
mod studies;
mod support;
mod tapes;
mod verbosity;
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod virtual_card;
#[cfg(target_os = "linux")]
mod widths;
