//! NVIDIA's driver, asked without linking it and without a context on the card.

use std::error::Error;
#[cfg(target_os = "linux")]
use std::path::PathBuf;

use cudarc::driver::result::{self, device};
use cudarc::driver::sys::{self, CUdevice_attribute as Attribute, CUresult};
use libloading::Library;

/// The driver library, opened and initialised.
#[derive(Debug)]
pub struct Driver {
    /// Kept, so that it is not loaded again.
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

    /// The card was there and is lost: see [`Card::is_lost`].
    #[error("cuda:{ordinal}, {name}, has fallen off the bus")]
    Lost {
        /// Its number.
        ordinal: usize,
        /// Its name.
        name: String,
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
    /// What the driver's function `call` failed with.
    pub fn of(call: &'static str, error: result::DriverError) -> Self {
        match error.0 {
            CUresult::CUDA_ERROR_NO_DEVICE => Self::NoCard { visible: std::env::var(VISIBLE).ok() },
            code => Self::Failed { call, code: code as i32, reason: meaning(error) },
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "install NVIDIA's driver",
            Self::NoCard { visible: Some(_) } | Self::NoSuchCard { visible: Some(_), .. } => {
                "unset CUDA_VISIBLE_DEVICES, or name in it a card that `nvidia-smi -L` lists"
            }
            Self::NoCard { visible: None } => "see whether `nvidia-smi` shows a card",
            Self::NoSuchCard { visible: None, .. } => "name a card that `nvidia-smi -L` lists",
            Self::Lost { .. } => {
                "restart the machine, or name another card that `nvidia-smi -L` lists"
            }
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
pub(crate) fn version(number: i32) -> String {
    format!("{}.{}", number / 1000, number % 1000 / 10)
}

#[cfg(windows)]
const LIBRARY: &str = "nvcuda.dll";
#[cfg(not(windows))]
const LIBRARY: &str = "libcuda.so.1";

/// Every function that is called here. cudarc looks a function up when it is first called, and
/// panics where the library has none of that name.
const FUNCTIONS: [&str; 9] = [
    "cuInit",
    "cuDriverGetVersion",
    "cuDeviceGetCount",
    "cuDeviceGet",
    "cuDeviceGetName",
    "cuDeviceGetUuid",
    "cuDeviceGetAttribute",
    "cuDeviceTotalMem_v2",
    "cuGetErrorString",
];

impl Driver {
    /// Loads and initialises the driver.
    ///
    /// # Errors
    ///
    /// [`DriverError::Missing`] without a driver, [`DriverError::NoCard`] where it sees no card,
    /// [`DriverError::Failed`] if it lacks a function or does not start.
    pub fn open() -> Result<Self, DriverError> {
        let driver = Self { library: library()? };
        driver.requires(&FUNCTIONS)?;
        answer("cuInit", result::init())?;
        Ok(driver)
    }

    /// That the driver has these functions: whoever calls others than this crate's asks beforehand, for
    /// cudarc panics at the call of one that is not there.
    ///
    /// # Errors
    ///
    /// [`DriverError::Failed`] with the first that it lacks.
    pub fn requires(&self, functions: &[&'static str]) -> Result<(), DriverError> {
        for &call in functions {
            // SAFETY: it is looked up, and not called.
            unsafe { self.library.get::<unsafe extern "C" fn()>(call) }
                .map_err(|e| DriverError::Failed { call, code: 0, reason: loader_said(&e) })?;
        }
        Ok(())
    }

    /// The file that the loader takes for the driver's library, by its absolute path. The driver is not
    /// initialised.
    ///
    /// # Errors
    ///
    /// [`DriverError::Missing`] without a driver, [`DriverError::Failed`] if the library does not say
    /// where it lies.
    #[cfg(target_os = "linux")]
    pub fn file() -> Result<PathBuf, DriverError> {
        let call = FUNCTIONS[0];
        let failed = |reason: String| DriverError::Failed { call, code: 0, reason };
        let library = library()?;
        // SAFETY: it is looked up, and not called.
        let function = unsafe { library.get::<unsafe extern "C" fn()>(call) }
            .map_err(|error| failed(loader_said(&error)))?;
        let address = *function as usize;
        let maps = std::fs::read_to_string("/proc/self/maps").map_err(|e| failed(e.to_string()))?;
        let file = maps.lines().find_map(|line| mapped_at(line, address));
        file.ok_or_else(|| failed("it is mapped from no file".to_owned()))
    }

    /// The newest CUDA version that the driver supports, as it counts: 13000 is 13.0.
    ///
    /// # Errors
    ///
    /// [`DriverError::Failed`] if the driver does not answer.
    pub fn version(&self) -> Result<i32, DriverError> {
        let mut version = 0;
        // SAFETY: the pointer is valid for the call.
        let asked = unsafe { sys::cuDriverGetVersion(&raw mut version) }.result();
        answer("cuDriverGetVersion", asked)?;
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

    /// How many cards this process sees.
    ///
    /// # Errors
    ///
    /// [`DriverError::Failed`] if the driver does not answer.
    pub fn count(&self) -> Result<usize, DriverError> {
        let count = answer("cuDeviceGetCount", device::get_count())?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// The card of this number.
    ///
    /// # Errors
    ///
    /// [`DriverError::NoSuchCard`] if there are not so many, [`DriverError::NoCard`] without any.
    pub fn card(&self, ordinal: usize) -> Result<Card, DriverError> {
        let count = self.count()?;
        if ordinal >= count {
            let visible = std::env::var(VISIBLE).ok();
            return Err(match count {
                0 => DriverError::NoCard { visible },
                _ => DriverError::NoSuchCard { ordinal, count, visible },
            });
        }
        let card = answer("cuDeviceGet", device::get(ordinal as i32))?;
        let attribute = |of: Attribute| {
            // SAFETY: the driver gave the device out.
            answer("cuDeviceGetAttribute", unsafe { device::get_attribute(card, of) })
        };
        // SAFETY: as above.
        let total = answer("cuDeviceTotalMem_v2", unsafe { device::total_mem(card) })?;
        Ok(Card {
            ordinal,
            name: answer("cuDeviceGetName", device::get_name(card))?,
            uuid: uuid(answer("cuDeviceGetUuid", device::get_uuid(card))?.bytes.map(|b| b as u8)),
            capability: (
                attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            ),
            total_bytes: total as u64,
        })
    }
}

fn library() -> Result<Library, DriverError> {
    // SAFETY: the driver's library runs no code at load time that could break this process.
    unsafe { Library::new(LIBRARY) }
        .map_err(|error| DriverError::Missing { library: LIBRARY, reason: loader_said(&error) })
}

/// The file of a line of `/proc/self/maps` (`begin-end rights offset device inode file`) that has an
/// address.
#[cfg(target_os = "linux")]
fn mapped_at(line: &str, address: usize) -> Option<PathBuf> {
    let (range, rest) = line.split_once(' ')?;
    let (begin, end) = range.split_once('-')?;
    let number = |text| usize::from_str_radix(text, 16).ok();
    let file = &rest[rest.find('/')?..];
    (number(begin)?..number(end)?).contains(&address).then(|| PathBuf::from(file))
}

/// What the system's loader said, which libloading keeps as the cause of its own words.
fn loader_said(error: &libloading::Error) -> String {
    error.source().unwrap_or(error).to_string()
}

fn uuid(bytes: [u8; 16]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    format!("GPU-{}", parts.join("-"))
}

/// What the driver's function `call` came to.
fn answer<T>(
    call: &'static str,
    answered: Result<T, result::DriverError>,
) -> Result<T, DriverError> {
    answered.map_err(|error| DriverError::of(call, error))
}

fn meaning(error: result::DriverError) -> String {
    match error.error_string() {
        Ok(text) => text.to_string_lossy().into_owned(),
        Err(_) => "an error that the driver does not explain".to_owned(),
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

    #[cfg(target_os = "linux")]
    #[test]
    fn the_file_of_an_address_is_the_one_that_is_mapped_there() {
        let line = "7f00-7fff r-xp 00001000 08:01 42     /usr/lib/a b/libcuda.so.580";
        let file = PathBuf::from("/usr/lib/a b/libcuda.so.580");
        assert_eq!(mapped_at(line, 0x7f00), Some(file));
        assert_eq!(mapped_at(line, 0x7fff), None);
        assert_eq!(mapped_at("7f00-7fff rw-p 00000000 00:00 0 [heap]", 0x7f00), None);
        match Driver::file() {
            Ok(file) => assert!(file.is_absolute() && file.is_file(), "{file:?}"),
            Err(error) => assert!(matches!(error, DriverError::Missing { .. }), "{error}"),
        }
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
