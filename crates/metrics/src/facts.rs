//! What is known of the device and of the host that a run is measured on.

use sysinfo::{
    CGroupLimits, CpuRefreshKind, MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate,
    RefreshKind, System,
};

/// What is known of the device that a run is measured on. A fact that cannot be had is `None`,
/// with a line in `errors` that says why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceFacts {
    /// The GPU's name.
    pub gpu_name: Option<String>,
    /// The processor's name.
    pub cpu_name: Option<String>,
    /// The device's memory in bytes: what the guard is held against.
    pub total_bytes: Option<u64>,
    /// Bytes that are free or can be freed now.
    pub available_bytes: Option<u64>,
    /// The driver's version.
    pub driver_version: Option<String>,
    /// The newest CUDA version that the driver supports.
    pub cuda_version: Option<String>,
    /// The card's compute capability.
    pub compute_capability: Option<String>,
    /// How the driver runs the card: `WDDM` or `TCC` on Windows, `N/A` elsewhere.
    pub driver_model: Option<String>,
    /// The card's identity.
    pub gpu_uuid: Option<String>,
    /// The operating system.
    pub os: Option<String>,
    /// Whether the card is a stand-in that computes nothing: see
    /// [`card_is_virtual`](crate::card_is_virtual).
    pub is_virtual: bool,
    /// One line per fact that is `None`.
    pub errors: Vec<String>,
}

/// Facts that only a card has.
pub(crate) const GPU_FACTS: [&str; 6] = [
    "gpu_name",
    "driver_version",
    "cuda_version",
    "compute_capability",
    "driver_model",
    "gpu_uuid",
];

impl DeviceFacts {
    /// Facts of this host as a device: its total is the physical memory, or the limit of this
    /// process's control group where that is lower.
    pub fn host() -> Self {
        let what = RefreshKind::nothing()
            .with_memory(MemoryRefreshKind::nothing().with_ram())
            .with_cpu(CpuRefreshKind::nothing());
        let mut system = System::new_with_specifics(what);
        let limits = system.as_mut().ok().and_then(control_group);
        let mut errors = Vec::new();
        let cpu_name = fact("cpu_name", &mut errors, || {
            let cpus = system.as_ref().map_err(ToString::to_string)?.cpus();
            Ok(cpus.first().map_or(String::new(), |cpu| cpu.brand().trim().to_owned()))
        });
        let os = fact("os", &mut errors, || System::long_os_version().map_err(|e| e.to_string()));
        let memory = |all: fn(&System) -> u64, limit: fn(&CGroupLimits) -> u64| {
            lowest(system.as_ref().map_or(0, all), limits.as_ref().map(limit))
        };
        let total_bytes = memory(System::total_memory, |l| l.total_memory);
        // Not `free_memory`: a group is charged for its page cache too, which can be freed.
        let available_bytes =
            memory(System::available_memory, |l| l.total_memory.saturating_sub(l.rss));
        if total_bytes.is_none() {
            errors.push("total_vram_bytes: the system does not say".to_owned());
        }
        for gpu_fact in GPU_FACTS {
            errors.push(format!("{gpu_fact}: measured on the CPU"));
        }
        Self { cpu_name, total_bytes, available_bytes, os, errors, ..Self::default() }
    }
}

/// What this process's control group, or one above it, limits.
fn control_group(system: &mut System) -> Option<CGroupLimits> {
    let this = sysinfo::get_current_pid().ok()?;
    let what = ProcessRefreshKind::nothing();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[this]), false, what);
    system.process(this)?.cgroup_limits()
}

/// A fact, or a line on why it cannot be had.
pub(crate) fn fact(
    name: &str,
    errors: &mut Vec<String>,
    ask: impl FnOnce() -> Result<String, String>,
) -> Option<String> {
    let why = match ask() {
        Ok(value) if !value.is_empty() => return Some(value),
        Ok(_) => "the system does not say".to_owned(),
        Err(why) => why,
    };
    errors.push(format!("{name}: {why}"));
    None
}

/// The lower of what the machine has and what the control group leaves; a machine that has nothing
/// does not say, a control group that leaves nothing does.
fn lowest(machine: u64, group: Option<u64>) -> Option<u64> {
    let machine = (machine > 0).then_some(machine);
    [machine, group].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_fact_has_its_reason() {
        let facts = DeviceFacts::host();
        let total = facts.total_bytes.unwrap();
        assert!(facts.available_bytes.unwrap() <= total);
        for (name, missing) in [
            ("gpu_name", facts.gpu_name.is_none()),
            ("cpu_name", facts.cpu_name.is_none()),
            ("driver_version", facts.driver_version.is_none()),
            ("cuda_version", facts.cuda_version.is_none()),
            ("compute_capability", facts.compute_capability.is_none()),
            ("driver_model", facts.driver_model.is_none()),
            ("gpu_uuid", facts.gpu_uuid.is_none()),
            ("os", facts.os.is_none()),
        ] {
            let explained = facts.errors.iter().any(|e| e.starts_with(name));
            assert_eq!(missing, explained, "{name}");
        }
    }

    #[test]
    fn a_control_group_lowers_the_total() {
        assert_eq!(lowest(100, Some(30)), Some(30));
        assert_eq!(lowest(100, Some(300)), Some(100));
        assert_eq!(lowest(100, None), Some(100));
        assert_eq!(lowest(100, Some(0)), Some(0));
        assert_eq!(lowest(0, Some(30)), Some(30));
        assert_eq!(lowest(0, None), None);
    }
}
