//! Whether a card is there still.

use crate::driver::{Card, DriverError};
use crate::nvml::Monitor;

impl Card {
    /// Whether the card has fallen off the bus, or was taken from the driver, since it was found: NVML
    /// says that it is lost, or has it no more. To be asked when something on the card failed, for what
    /// CUDA answers then does not tell. `false` where NVML itself does not answer: nothing is known.
    pub fn is_lost(&self) -> bool {
        Monitor::open(self).is_ok_and(|monitor| monitor.is_lost())
    }

    /// [`DriverError::Lost`] if it is lost.
    pub fn lost(&self) -> Option<DriverError> {
        let lost = || DriverError::Lost { ordinal: self.ordinal, name: self.name.clone() };
        self.is_lost().then(lost)
    }
}
