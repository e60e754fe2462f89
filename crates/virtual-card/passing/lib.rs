//! The driver's functions, passed on to the real driver: what goes by of memory is counted and written
//! down, and nothing that a program sees changes.
//!
//! Built as the stand-in is, of which it has what is written down, and linked into a library under the
//! driver's own name that is loaded first. A function that has nothing to do with memory is a jump to
//! the driver's; those that have are here.
#![allow(non_snake_case, reason = "functions have the names of NVIDIA's headers")]

#[cfg(passing)]
#[path = "../src/protocol.rs"]
#[allow(dead_code, reason = "the reader's side uses all of it")]
mod protocol;

#[path = "../stand-in/departed.rs"]
mod departed;
#[cfg(target_arch = "x86_64")]
#[path = "../stand-in/frame_rules.rs"]
mod frame_rules;
#[path = "../stand-in/growing_file.rs"]
mod growing_file;
#[path = "../stand-in/levels.rs"]
mod levels;
#[path = "../stand-in/mixed.rs"]
mod mixed;
#[path = "../stand-in/modules.rs"]
mod modules;
#[path = "../stand-in/objects.rs"]
mod objects;
#[path = "../stand-in/record.rs"]
#[allow(dead_code, reason = "the stand-in uses all of it")]
mod record;
#[path = "../stand-in/request_log.rs"]
mod request_log;
#[path = "../stand-in/shared_file.rs"]
mod shared_file;
#[path = "../stand-in/stacks.rs"]
mod stacks;
#[path = "../stand-in/unwinder.rs"]
mod unwinder;

#[macro_use]
mod passed;

mod alive;
mod counters;
mod counts;
mod device_memory;
mod driver;
mod host_memory;
mod lookup;
mod marks;
mod names;
mod order;
mod pool_memory;
mod pools;
mod session;
