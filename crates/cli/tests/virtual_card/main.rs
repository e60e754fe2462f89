//! `vram-cuda` on a virtual card: its counters against those that real cards left, and every message of
//! a card that is missing or full. Memory and messages alone: a virtual card computes nothing.
#![cfg(all(target_os = "linux", feature = "cuda"))]

mod answers;
mod cards;
mod full;
mod machine;
mod recorded;
mod repeated;
mod several_cards;
