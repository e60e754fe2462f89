//! Every way in which a card, its driver or a library can be missing, on a machine that has none of
//! them: each is one message that says what to do, exit code 2, and nothing written.
#![cfg(target_os = "linux")]

mod machine;

// `vram` is built without CUDA: with the feature it would link what it looks for here.
#[cfg(not(feature = "cuda"))]
mod libraries;
#[cfg(not(feature = "cuda"))]
mod virtual_card;
#[cfg(not(feature = "cuda"))]
mod vram;
#[cfg(feature = "cuda")]
mod vram_cuda;
