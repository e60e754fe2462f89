//! Programs in C on the virtual card: each does one thing, and what is said of it is held here.
#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

mod beside;
mod cards;
mod exported;
mod frees;
mod libraries;
mod max_batch;
mod pools;
mod processes;
mod programs;
mod reasons;
mod requests;
mod sizes;
mod support;
mod threads;
mod traced;
mod values;
