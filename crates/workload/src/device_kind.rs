//! The kinds of device that a step runs on.

/// Kind of device that a ledger is of: they keep some buffers differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum DeviceKind {
    /// The host's memory, through the metered allocator.
    Cpu,
    /// A card's memory pool.
    Cuda,
}

impl DeviceKind {
    /// Its name in artifacts and on the command line.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
