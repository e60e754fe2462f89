//! The `vram` command, its memory metered.

use std::process::ExitCode;

#[global_allocator]
static ALLOC: vram_metrics::host::HostAllocator = vram_metrics::host::HostAllocator;

fn main() -> ExitCode {
    vram_cli::main()
}
