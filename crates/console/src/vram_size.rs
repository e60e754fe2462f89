//! `--vram`: a device's memory.

use std::str::FromStr;

use bytesize::ByteSize;

/// A device's memory, as a command line says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VramSize {
    /// That of the device that is here.
    Auto,
    /// This many bytes.
    Bytes(u64),
}

impl FromStr for VramSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => match text.parse::<ByteSize>() {
                Ok(size) if size.as_u64() > 0 => Ok(Self::Bytes(size.as_u64())),
                _ => Err("expected a size such as 16GiB, a number of bytes, or auto".to_owned()),
            },
        }
    }
}
