//! NVIDIA's driver, asked without linking it and without a context on the card.

use std::ffi::{CStr, c_char, c_int};

use libloading::Library;

/// The driver library, opened and initialised.
#[derive(Debug)]
pub struct Driver {
    library: Library,
}

/// A card as the driver sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its number among the cards that this process sees: the N of `cuda:N`.
    pub ordinal: usize,
    /// Its name, such as `NVIDIA H200`.
    pub name: String,
    /// Its identity, in the form that NVML and `CUDA_VISIBLE_DEVICES` use.
    pub uuid: String,
    /// Its compute capability, such as (9, 0).
    pub capability: (i32, i32),
    /// Its memory as CUDA reports it, in bytes.
    pub total_bytes: u64,
}

/// Why there is no card to run on; [`DriverError::advice`] says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// The library cannot be loaded.
    #[error("no NVIDIA driver on this machine: {library} cannot be loaded ({reason})")]
    Missing {
        /// Name of the library.
        library: &'static str,
        /// What the loader said.
        reason: String,
    },

    /// The driver is there and sees no card.
    #[error("the NVIDIA driver shows no card to this process{}", limit(.visible.as_deref()))]
    NoCard {
        /// The value of `CUDA_VISIBLE_DEVICES`.
        visible: Option<String>,
    },

    /// There is no card of this number.
    #[error(
        "there is no cuda:{ordinal}: this process sees {}{}",
        cards(*.count),
        limit(.visible.as_deref())
    )]
    NoSuchCard {
        /// The number asked for.
        ordinal: usize,
        /// Cards that are visible.
        count: usize,
        /// The value of `CUDA_VISIBLE_DEVICES`.
        visible: Option<String>,
    },

    /// The driver is older than the program.
    #[error(
        "the NVIDIA driver supports CUDA {} and this build needs {}",
        version(*.supports),
        version(*.needs)
    )]
    TooOld {
        /// What the driver supports, as it counts: 12040 is 12.4.
        supports: i32,
        /// What is needed.
        needs: i32,
    },

    /// A call failed.
    #[error("{call} failed: {reason} (CUDA error {code})")]
    Failed {
        /// The driver's function.
        call: &'static str,
        /// The driver's code.
        code: i32,
        /// What it means.
        reason: String,
    },
}

impl DriverError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "install NVIDIA's driver",
            Self::NoCard { visible: Some(_) } | Self::NoSuchCard { visible: Some(_), .. } => {
                "unset CUDA_VISIBLE_DEVICES, or name in it a card that `nvidia-smi -L` lists"
            }
            Self::NoCard { visible: None } => "see whether `nvidia-smi` shows a card",
            Self::NoSuchCard { visible: None, .. } => "name a card that `nvidia-smi -L` lists",
            Self::TooOld { .. } => {
                "update the driver, or build with a CUDA toolkit of the driver's version"
            }
            Self::Failed { .. } => "see whether `nvidia-smi` works: the driver may need a restart",
        }
    }
}

const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";

fn limit(visible: Option<&str>) -> String {
    visible.map_or(String::new(), |value| format!(" ({VISIBLE} is `{value}`)"))
}

fn cards(count: usize) -> String {
    match count {
        1 => "one card, cuda:0".to_owned(),
        _ => format!("{count} cards, cuda:0 to cuda:{}", count - 1),
    }
}

/// `13000` as `13.0`.
fn version(number: i32) -> String {
    format!("{}.{}", number / 1000, number % 1000 / 10)
}

#[cfg(windows)]
const LIBRARY: &str = "nvcuda.dll";
#[cfg(not(windows))]
const LIBRARY: &str = "libcuda.so.1";

/// `CUDA_ERROR_NO_DEVICE`.
const NO_DEVICE: i32 = 100;

/// Numbers of `CUdevice_attribute`.
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;

type Code = c_int;

impl Driver {
    /// Loads and initialises the driver.
    ///
    /// # Errors
    ///
    /// [`DriverError::Missing`] without a driver, [`DriverError::NoCard`] where it sees no card.
    pub fn open() -> Result<Self, DriverError> {
        // SAFETY: the driver's library runs no code at load time that could break this process.
        let library = unsafe { Library::new(LIBRARY) }.map_err(|error| DriverError::Missing {
            library: LIBRARY,
            reason: error.to_string(),
        })?;
        let driver = Self { library };
        driver.call("cuInit", |f: unsafe extern "C" fn(u32) -> Code| {
            // SAFETY: zero is the one flag there is.
            unsafe { f(0) }
        })?;
        Ok(driver)
    }

    /// The newest CUDA version that the driver supports, as it counts: 13000 is 13.0.
    ///
    /// # Errors
    ///
    /// [`DriverError::Failed`] if the driver does not answer.
    pub fn version(&self) -> Result<i32, DriverError> {
        let mut version = 0;
        self.call("cuDriverGetVersion", |f: unsafe extern "C" fn(*mut c_int) -> Code| {
            // SAFETY: the pointer is valid for the call.
            unsafe { f(&raw mut version) }
        })?;
        Ok(version)
    }

    /// That the driver runs what was built with CUDA `needs` (13000 is 13.0): machine code of any
    /// toolkit of its own major version or an older one.
    ///
    /// # Errors
    ///
    /// [`DriverError::TooOld`] if it does not.
    pub fn supports(&self, needs: i32) -> Result<(), DriverError> {
        let supports = self.version()?;
        if supports / 1000 < needs / 1000 {
            return Err(DriverError::TooOld { supports, needs });
        }
        Ok(())
    }

    /// The card of this number.
    ///
    /// # Errors
    ///
    /// [`DriverError::NoSuchCard`] if there are not so many, [`DriverError::NoCard`] without any.
    pub fn card(&self, ordinal: usize) -> Result<Card, DriverError> {
        let mut count: c_int = 0;
        self.call("cuDeviceGetCount", |f: unsafe extern "C" fn(*mut c_int) -> Code| {
            // SAFETY: the pointer is valid for the call.
            unsafe { f(&raw mut count) }
        })?;
        let count = usize::try_from(count).unwrap_or(0);
        if ordinal >= count {
            let visible = std::env::var(VISIBLE).ok();
            return Err(match count {
                0 => DriverError::NoCard { visible },
                _ => DriverError::NoSuchCard { ordinal, count, visible },
            });
        }
        let mut device: c_int = 0;
        self.call("cuDeviceGet", |f: unsafe extern "C" fn(*mut c_int, c_int) -> Code| {
            // SAFETY: the pointer is valid for the call.
            unsafe { f(&raw mut device, ordinal as c_int) }
        })?;
        Ok(Card {
            ordinal,
            name: self.name(device)?,
            uuid: self.uuid(device)?,
            capability: (
                self.attribute(device, CAPABILITY_MAJOR)?,
                self.attribute(device, CAPABILITY_MINOR)?,
            ),
            total_bytes: self.total_bytes(device)?,
        })
    }

    fn name(&self, device: c_int) -> Result<String, DriverError> {
        let mut name = [0 as c_char; 256];
        self.call(
            "cuDeviceGetName",
            |f: unsafe extern "C" fn(*mut c_char, c_int, c_int) -> Code| {
                // SAFETY: the buffer is as long as is said.
                unsafe { f(name.as_mut_ptr(), 255, device) }
            },
        )?;
        // SAFETY: the last byte is left zero.
        Ok(unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
    }

    fn uuid(&self, device: c_int) -> Result<String, DriverError> {
        let mut uuid = [0u8; 16];
        self.call("cuDeviceGetUuid", |f: unsafe extern "C" fn(*mut u8, c_int) -> Code| {
            // SAFETY: a UUID has sixteen bytes.
            unsafe { f(uuid.as_mut_ptr(), device) }
        })?;
        let hex: String = uuid.iter().map(|byte| format!("{byte:02x}")).collect();
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        Ok(format!("GPU-{}", parts.join("-")))
    }

    fn attribute(&self, device: c_int, attribute: c_int) -> Result<i32, DriverError> {
        let mut value: c_int = 0;
        self.call(
            "cuDeviceGetAttribute",
            |f: unsafe extern "C" fn(*mut c_int, c_int, c_int) -> Code| {
                // SAFETY: the pointer is valid for the call.
                unsafe { f(&raw mut value, attribute, device) }
            },
        )?;
        Ok(value)
    }

    fn total_bytes(&self, device: c_int) -> Result<u64, DriverError> {
        let mut bytes = 0usize;
        self.call("cuDeviceTotalMem_v2", |f: unsafe extern "C" fn(*mut usize, c_int) -> Code| {
            // SAFETY: the pointer is valid for the call.
            unsafe { f(&raw mut bytes, device) }
        })?;
        Ok(bytes as u64)
    }

    /// Looks `call` up and makes it; `F` must be its signature.
    fn call<F: Copy>(
        &self,
        call: &'static str,
        make: impl FnOnce(F) -> Code,
    ) -> Result<(), DriverError> {
        // SAFETY: the callers name each function with the signature that cuda.h gives it.
        let function = unsafe { self.library.get::<F>(call) }.map_err(|e| DriverError::Failed {
            call,
            code: 0,
            reason: e.to_string(),
        })?;
        match make(*function) {
            0 => Ok(()),
            NO_DEVICE => Err(DriverError::NoCard { visible: std::env::var(VISIBLE).ok() }),
            code => Err(DriverError::Failed { call, code, reason: self.meaning(code) }),
        }
    }

    fn meaning(&self, code: i32) -> String {
        type Describe = unsafe extern "C" fn(Code, *mut *const c_char) -> Code;
        let mut text: *const c_char = std::ptr::null();
        // SAFETY: the signature is the one of cuda.h; the text is the driver's own constant.
        unsafe {
            let known = self.library.get::<Describe>("cuGetErrorString");
            match known.map(|describe| describe(code, &raw mut text)) {
                Ok(0) if !text.is_null() => CStr::from_ptr(text).to_string_lossy().into_owned(),
                _ => "an error that the driver does not explain".to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_is_missing_and_what_to_do() {
        let visible = || Some("0,1".to_owned());
        let hidden = DriverError::NoCard { visible: Some(String::new()) };
        assert_eq!(
            hidden.to_string(),
            "the NVIDIA driver shows no card to this process (CUDA_VISIBLE_DEVICES is ``)"
        );
        assert!(hidden.advice().starts_with("unset CUDA_VISIBLE_DEVICES"));
        let none = DriverError::NoCard { visible: None };
        assert!(none.advice().contains("nvidia-smi"));
        let second = DriverError::NoSuchCard { ordinal: 2, count: 2, visible: visible() };
        assert_eq!(
            second.to_string(),
            "there is no cuda:2: this process sees 2 cards, cuda:0 to cuda:1 \
             (CUDA_VISIBLE_DEVICES is `0,1`)"
        );
        let old = DriverError::TooOld { supports: 12040, needs: 13000 };
        assert_eq!(
            old.to_string(),
            "the NVIDIA driver supports CUDA 12.4 and this build needs 13.0"
        );
    }

    /// With a driver or without: an answer, and no panic.
    #[test]
    fn a_machine_without_a_card_is_told_apart() {
        match Driver::open() {
            Ok(driver) => assert!(driver.version().unwrap() > 0),
            Err(error) => assert!(
                matches!(error, DriverError::Missing { .. } | DriverError::NoCard { .. }),
                "{error}"
            ),
        }
    }
}
