//! What NVML knows of a card: it answers without a context on it.

use nvml_wrapper::Nvml;
#[cfg(feature = "cuda")]
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;

use crate::driver::Card;

/// NVML's view of one card.
#[derive(Debug)]
pub(crate) struct Monitor {
    nvml: Nvml,
    uuid: String,
}

/// Memory in use, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    #[cfg(feature = "cuda")]
    pub(crate) used: u64,
    pub(crate) free: u64,
}

impl Monitor {
    pub(crate) fn open(card: &Card) -> Result<Self, String> {
        let nvml = Nvml::init().or_else(|first| {
            // Without the development package the library has only its versioned name.
            Nvml::builder().lib_path("libnvidia-ml.so.1".as_ref()).init().map_err(|_| first)
        });
        let nvml = nvml.map_err(|e| format!("NVML: {e}"))?;
        Ok(Self { nvml, uuid: card.uuid.clone() })
    }

    pub(crate) fn driver_version(&self) -> Result<String, String> {
        self.nvml.sys_driver_version().map_err(|e| format!("NVML: {e}"))
    }

    /// `WDDM` or `TCC` on Windows.
    pub(crate) fn driver_model(&self) -> Result<String, String> {
        #[cfg(windows)]
        {
            use nvml_wrapper::enum_wrappers::device::DriverModel;
            let state = self.device()?.driver_model().map_err(|e| format!("NVML: {e}"))?;
            return Ok(match state.current {
                DriverModel::WDDM => "WDDM".to_owned(),
                DriverModel::WDM => "TCC".to_owned(),
            });
        }
        #[cfg(not(windows))]
        Ok("N/A".to_owned())
    }

    pub(crate) fn usage(&self) -> Result<Usage, String> {
        let info = self.device()?.memory_info().map_err(|e| format!("NVML: {e}"))?;
        Ok(Usage {
            #[cfg(feature = "cuda")]
            used: info.used,
            free: info.free,
        })
    }

    /// Whether NVML says that the card is lost, or has it no more. The cards are gone through one by one:
    /// a search by UUID may fail of another card that is lost.
    pub(crate) fn is_lost(&self) -> bool {
        let Ok(count) = self.nvml.device_count() else { return false };
        let (mut says_lost, mut is_unclear) = (false, false);
        for index in 0..count {
            let device = self.nvml.device_by_index(index);
            match device.and_then(|device| Ok((device.uuid()?, device))) {
                Ok((uuid, device)) if uuid == self.uuid => {
                    return matches!(device.memory_info(), Err(NvmlError::GpuLost));
                }
                Ok(_) => {}
                // The second is what newer drivers say of a card that has fallen off the bus.
                Err(NvmlError::GpuLost | NvmlError::Unknown) => says_lost = true,
                Err(_) => is_unclear = true,
            }
        }
        says_lost || !is_unclear
    }

    /// What this process holds on the card, where processes can be told apart.
    #[cfg(feature = "cuda")]
    pub(crate) fn of_this_process(&self) -> Option<u64> {
        let processes = self.device().ok()?.running_compute_processes().ok()?;
        let this = processes.into_iter().find(|p| p.pid == std::process::id())?;
        match this.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => Some(bytes),
            UsedGpuMemory::Unavailable => None,
        }
    }

    fn device(&self) -> Result<nvml_wrapper::Device<'_>, String> {
        self.nvml
            .device_by_uuid(self.uuid.as_str())
            .map_err(|error: NvmlError| format!("NVML knows no card {}: {error}", self.uuid))
    }
}
