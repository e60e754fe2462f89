//! `--device`: where a command runs.

use vram_launch::choice::DeviceChoice;

/// The flag, to be flattened into a command line.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct DeviceFlag {
    /// Where to run: auto (a card if there is one), cpu, cuda or cuda:N
    #[arg(long, default_value_t, value_parser = str::parse::<DeviceChoice>)]
    pub device: DeviceChoice,
}
