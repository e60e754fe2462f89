//! How much of a device a step may reserve: the one limit that `vram capacity`, the sweep's
//! preflight and its search for the largest batch hold predictions against.

use std::fmt;

use serde::{Serialize, Serializer};
use vram_artifacts::calibration;
use vram_metrics::facts::DeviceFacts;
use vram_presets::kind::PresetKind;
use vram_presets::library::Library;

use crate::units::gib;

/// What a process holds on a card beside its reserved memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Context {
    /// Its size; 0 on the CPU, where there is none.
    #[serde(rename = "context_bytes")]
    pub bytes: u64,
    /// Where it is from, if nobody measured it on the card that is meant.
    #[serde(rename = "context_assumed", serialize_with = "is_assumed")]
    pub assumed: Option<Assumption>,
}

/// Where a context is from that was not measured on the card that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assumption {
    /// The largest of the calibrations.
    LargestOfCalibrations,
    /// A virtual card's: what was recorded of each library on a real one.
    VirtualCard,
}

#[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
fn is_assumed<S: Serializer>(
    assumed: &Option<Assumption>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(assumed.is_some())
}

impl Context {
    /// There is none on the CPU.
    pub const NONE: Self = Self { bytes: 0, assumed: None };

    /// One that was measured on the card that is meant, in bytes.
    pub fn known(bytes: u64) -> Self {
        Self { bytes, assumed: None }
    }

    /// A virtual card's, in bytes.
    pub fn of_virtual_card(bytes: u64) -> Self {
        Self { bytes, assumed: Some(Assumption::VirtualCard) }
    }

    /// For a card of which no context is known: the largest of the library's calibrations, those
    /// that are built in among them. What cannot be read there says nothing.
    pub fn assumed(library: &Library) -> Self {
        let built_in = Library::built_in();
        let contexts = [library, &built_in].into_iter().flat_map(|library| {
            let entries = library.list().into_iter().filter(|e| e.kind == PresetKind::Calibration);
            entries.filter_map(|entry| {
                calibration::load(library, &entry.name).ok()?.spec.context_bytes
            })
        });
        Self {
            bytes: contexts.max().unwrap_or(0),
            assumed: Some(Assumption::LargestOfCalibrations),
        }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, assumed } = *self;
        let how = match assumed {
            None => "",
            Some(Assumption::LargestOfCalibrations) => ", assumed: the largest of the calibrations",
            Some(Assumption::VirtualCard) => {
                ", assumed: what was recorded of each library on an H100"
            }
        };
        write!(f, "{} GiB ({bytes} bytes){how}", gib(bytes))
    }
}

/// A device's memory, and what of it a step cannot reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceMemory {
    /// All of its bytes.
    pub total_bytes: u64,
    /// What the step's own process holds beside what it reserves.
    pub context: Context,
    /// What other processes hold now, in bytes; 0 where that is not asked about.
    pub held_bytes: u64,
}

/// Which of two bounds is the lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The part of the total that reserved may reach (VRA-30).
    Guard,
    /// What the device has beside the context and what others hold.
    Device,
}

/// The most that a step may reserve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// In bytes.
    pub bytes: u64,
    /// What it comes from.
    pub bound: Bound,
    guard: f64,
    memory: DeviceMemory,
}

impl DeviceMemory {
    /// The memory of a device of which these facts are known now; none where it tells no size.
    pub fn of(facts: &DeviceFacts, context: Context) -> Option<Self> {
        let total_bytes = facts.total_bytes.or(facts.available_bytes)?;
        let free = facts.available_bytes.unwrap_or(total_bytes);
        Some(Self { total_bytes, context, held_bytes: total_bytes.saturating_sub(free) })
    }

    /// A device of this many bytes that nobody else uses.
    pub fn unused(total_bytes: u64, context: Context) -> Self {
        Self { total_bytes, context, held_bytes: 0 }
    }

    /// Bytes that the device has left for what a step reserves.
    pub fn left_bytes(&self) -> u64 {
        self.total_bytes.saturating_sub(self.context.bytes).saturating_sub(self.held_bytes)
    }

    /// This part of the total, in whole bytes below it, as the guard compares.
    pub fn part(&self, ratio: f64) -> u64 {
        (self.total_bytes as f64 * ratio) as u64
    }

    /// The most that a step may reserve under a guard of this part of the total.
    pub fn limit(&self, guard: f64) -> Limit {
        let (allowed, left) = (self.part(guard), self.left_bytes());
        let bound = if allowed <= left { Bound::Guard } else { Bound::Device };
        Limit { bytes: allowed.min(left), bound, guard, memory: *self }
    }
}

/// What the limit comes from, in words.
impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeviceMemory { total_bytes, context, held_bytes } = self.memory;
        let total = gib(total_bytes);
        match self.bound {
            Bound::Guard => return write!(f, "the guard: {} of {total} GiB", self.guard),
            Bound::Device => write!(f, "the device: {total} GiB")?,
        }
        if context != Context::NONE {
            let assumed = if context.assumed.is_some() { "an assumed" } else { "a" };
            write!(f, ", less {assumed} context of {} GiB", gib(context.bytes))?;
        }
        if held_bytes > 0 {
            write!(f, ", less the {} GiB that others hold", gib(held_bytes))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assumed(bytes: u64) -> Context {
        Context { bytes, assumed: Some(Assumption::LargestOfCalibrations) }
    }

    fn memory(total_bytes: u64, context: u64, held_bytes: u64) -> DeviceMemory {
        DeviceMemory { total_bytes, context: assumed(context), held_bytes }
    }

    #[test]
    fn the_lower_of_two_bounds_is_the_limit_and_is_named() {
        let limit = |memory: DeviceMemory, guard| {
            let limit = memory.limit(guard);
            (limit.bytes, limit.bound)
        };
        assert_eq!(limit(memory(1000, 50, 0), 0.92), (920, Bound::Guard));
        assert_eq!(limit(memory(1000, 80, 0), 0.92), (920, Bound::Guard));
        assert_eq!(limit(memory(1000, 81, 0), 0.92), (919, Bound::Device));
        assert_eq!(limit(memory(1000, 50, 100), 0.92), (850, Bound::Device));
        assert_eq!(limit(memory(1000, 1001, 0), 0.92), (0, Bound::Device));
        assert_eq!(limit(memory(u64::MAX, 0, 0), 1.0).0, u64::MAX);
        // On the CPU there is no context.
        assert_eq!(limit(DeviceMemory::unused(1000, Context::NONE), 1.0), (1000, Bound::Guard));
    }

    #[test]
    fn a_limit_says_what_it_comes_from() {
        let gib = 1 << 30;
        let said = |memory: DeviceMemory| memory.limit(0.92).to_string();
        assert_eq!(
            said(DeviceMemory::unused(4 * gib, Context::NONE)),
            "the guard: 0.92 of 4.000 GiB"
        );
        let known = DeviceMemory { context: Context::known(gib), ..memory(4 * gib, 0, 0) };
        assert_eq!(said(known), "the device: 4.000 GiB, less a context of 1.000 GiB");
        assert_eq!(
            said(memory(4 * gib, gib, 2 * gib)),
            "the device: 4.000 GiB, less an assumed context of 1.000 GiB, less the 2.000 GiB that \
             others hold"
        );
    }

    #[test]
    fn what_others_hold_is_what_is_not_free() {
        let facts = |total_bytes, available_bytes| DeviceFacts {
            total_bytes,
            available_bytes,
            ..DeviceFacts::default()
        };
        let held = |total, free| {
            DeviceMemory::of(&facts(total, free), Context::NONE)
                .map(|r| (r.total_bytes, r.held_bytes))
        };
        assert_eq!(held(Some(1000), Some(900)), Some((1000, 100)));
        assert_eq!(held(Some(1000), None), Some((1000, 0)));
        assert_eq!(held(None, Some(900)), Some((900, 0)));
        assert_eq!(held(None, None), None);
    }

    /// 618,659,840 bytes on the H200; the published constants hold none.
    #[test]
    fn the_largest_context_of_the_calibrations_is_assumed() {
        assert_eq!(Context::assumed(&Library::built_in()), assumed(618_659_840));
    }
}
