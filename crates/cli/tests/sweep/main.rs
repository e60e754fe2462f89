//! `vram sweep`, run as a user runs it, with things going wrong.
#![cfg(target_os = "linux")]

mod disk;
mod planned;
mod real;
mod redo;
mod slurm;
mod steps;
mod support;
mod survival;
mod virtual_card;
