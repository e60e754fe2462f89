//! What is known of a card, and of the host that it is in.

use crate::driver::{Card, version};
use crate::facts::{DeviceFacts, GPU_FACTS, fact};
use crate::listener::card_is_virtual;
use crate::nvml::Monitor;

impl DeviceFacts {
    /// Facts of `card`, and of the host that it is in. `driver` is the newest CUDA version that
    /// the driver supports, as it counts: 13000 is 13.0.
    pub fn card(card: &Card, driver: i32) -> Self {
        let host = Self::host();
        let ours = |line: &String| !GPU_FACTS.iter().any(|fact| line.starts_with(fact));
        let mut errors: Vec<String> = host.errors.into_iter().filter(ours).collect();
        errors.retain(|line| !line.starts_with("total_vram_bytes"));
        let monitor = Monitor::open(card);
        let ask = |question: fn(&Monitor) -> Result<String, String>| {
            monitor.as_ref().map_err(Clone::clone).and_then(question)
        };
        let driver_version = fact("driver_version", &mut errors, || ask(Monitor::driver_version));
        let driver_model = fact("driver_model", &mut errors, || ask(Monitor::driver_model));
        let usage = monitor.as_ref().map_err(Clone::clone).and_then(Monitor::usage);
        let free = usage.map(|usage| usage.free).map_err(|why| {
            errors.push(format!("free memory of the card: {why}"));
        });
        Self {
            gpu_name: Some(card.name.clone()),
            total_bytes: Some(card.total_bytes),
            // NVML's total exceeds CUDA's.
            available_bytes: free.ok().map(|free| free.min(card.total_bytes)),
            driver_version,
            cuda_version: Some(version(driver)),
            compute_capability: Some(format!("{}.{}", card.capability.0, card.capability.1)),
            driver_model,
            gpu_uuid: Some(card.uuid.clone()),
            cpu_name: host.cpu_name,
            os: host.os,
            is_virtual: card_is_virtual(),
            errors,
        }
    }
}
