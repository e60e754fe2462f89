//! Bytes for reading.

pub(crate) const GIB: f64 = (1u64 << 30) as f64;
const MIB: f64 = (1u64 << 20) as f64;

/// Bytes as GiB, for reading.
pub fn gib(bytes: u64) -> String {
    format!("{:.3}", bytes as f64 / GIB)
}

/// Bytes as MiB, for reading.
pub fn mib(bytes: f64) -> String {
    format!("{:.1}", bytes / MIB)
}
