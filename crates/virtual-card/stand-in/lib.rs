//! The stand-in for NVIDIA's libraries: it computes nothing and accounts for every byte.
//!
//! Built by the package's build script as a static library without dependencies, and linked into a
//! shared one under every name that a program could look for (`names/`). Functions that matter are
//! here; what is named and not here answers that it is not supported, and is written down.
#![allow(non_snake_case, reason = "functions have the names of NVIDIA's headers")]

#[cfg(stand_in)]
#[path = "../src/pool.rs"]
#[allow(dead_code, reason = "the dry run's side uses all of it")]
mod pool;
#[cfg(stand_in)]
#[path = "../src/protocol.rs"]
#[allow(dead_code, reason = "as above")]
mod protocol;

/// Exports functions of the driver. Each body is a `Result<(), Status>`.
macro_rules! driver {
    ($($(#[$meta:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block)*) => {$(
        $(#[$meta])*
        #[unsafe(export_name = concat!("vram_card_", stringify!($name)))]
        pub extern "C" fn $name($($arg: $type),*) -> i32 {
            super::session::answer(move || -> Result<(), super::status::Status> { $body })
        }
    )*};
}

/// Exports functions as they stand: of libraries, and those that answer before the driver is there.
macro_rules! exported {
    ($($(#[$meta:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $answer:ty)? $body:block)*) => {$(
        $(#[$meta])*
        #[unsafe(export_name = concat!("vram_card_", stringify!($name)))]
        pub extern "C" fn $name($($arg: $type),*) $(-> $answer)? $body
    )*};
}

mod allocation;
mod blas;
mod card;
mod contents;
mod context;
mod copy;
mod departed;
mod device;
mod event;
mod fill;
mod handles;
mod host_memory;
mod launch;
mod loaded;
mod module;
mod monitor;
mod pointer;
mod pools;
mod ptx;
mod random;
mod record;
mod runtime;
mod runtime_compiler;
mod session;
mod shared_file;
mod status;
mod stream;
mod unmodelled;
mod virtual_memory;
