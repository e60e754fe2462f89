//! The stand-in for NVIDIA's libraries: it computes nothing and accounts for every byte.
//!
//! Built by the package's build script as a static library without dependencies, and linked into a
//! shared one under every name that a program could look for (`names/`). Functions that matter are
//! here; what is named and not here answers that it is not supported, and is written down.
#![allow(non_snake_case, reason = "functions have the names of NVIDIA's headers")]

#[cfg(stand_in)]
#[path = "../src/pool/mod.rs"]
#[allow(dead_code, reason = "the dry run's side uses all of it")]
mod pool;
#[cfg(stand_in)]
#[path = "../src/protocol.rs"]
#[allow(dead_code, reason = "as above")]
mod protocol;

#[macro_use]
mod exported;

mod allocation;
mod blas;
mod card;
mod contents;
mod context;
mod copy;
mod departed;
mod device;
mod device_memory;
mod error_names;
mod event;
mod fill;
#[cfg(target_arch = "x86_64")]
mod frame_rules;
mod growing_file;
mod handles;
mod host_memory;
mod host_ranges;
mod identity;
mod kernels;
mod launch;
mod levels;
mod loaded;
mod lookup;
mod lost;
mod mappings;
mod mixed;
mod module;
mod modules;
mod monitor;
mod objects;
mod pointer;
mod pools;
mod ptx;
mod random;
#[allow(dead_code, reason = "what passes calls on uses the rest")]
mod record;
mod request_log;
mod runtime;
mod runtime_compiler;
mod session;
mod shared_file;
mod stacks;
mod status;
mod stream;
mod stream_order;
mod synchronize;
mod unmodelled;
mod unwinder;
mod virtual_memory;
