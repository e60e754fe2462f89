//! The terms that a peak is explained by.

use strum::{EnumString, IntoStaticStr, VariantArray};
use vram_fit::model::{Model, Pooling, Reserve};
use vram_presets::error::PresetError;
use vram_presets::spec::WorkloadSpec;

/// What a peak is explained by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, EnumString, IntoStaticStr, VariantArray)]
pub enum Terms {
    /// The published model: one slope per tier on `B*synth_len*ring_len*slot_dim` elements of the
    /// run's precision.
    #[default]
    #[strum(serialize = "ring")]
    Ring,
    /// Tape, whole ring states and activations per token, one coefficient each over all tiers.
    #[strum(serialize = "ring,state,token")]
    RingStateToken,
}

/// The ring state is fp32 in every mode.
const STATE_BYTES: u64 = 4;

impl Terms {
    /// Every choice.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its name on the command line: the terms, with commas between.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The terms of these names.
    pub fn of(names: &[String]) -> Option<Self> {
        names.join(",").parse().ok()
    }

    /// The model that takes these terms.
    pub fn model(self) -> Model {
        Model {
            terms: self.name().split(',').map(str::to_owned).collect(),
            pooling: match self {
                Self::Ring => Pooling::PerTier,
                Self::RingStateToken => Pooling::Pooled,
            },
            reserve: match self {
                Self::Ring => Reserve::Overhead,
                Self::RingStateToken => Reserve::Granule,
            },
        }
    }

    /// Bytes of one element as the terms of a workload count it; 0 where its precision names none.
    pub fn element_bytes(self, spec: &WorkloadSpec) -> u64 {
        match self {
            Self::Ring => spec.ant.precision.bytes_per_elem().unwrap_or(0),
            Self::RingStateToken => STATE_BYTES,
        }
    }

    /// The terms of a workload in bytes.
    ///
    /// # Errors
    ///
    /// [`PresetError::Overflow`] where a product exceeds 64 bits.
    pub fn values(self, spec: &WorkloadSpec) -> Result<Vec<u64>, PresetError> {
        let (b, t) = (spec.colony.batch_size, spec.colony.synth_len);
        let (r, d) = (spec.ant.ring_len, spec.ant.slot_dim);
        match self {
            Self::Ring => Ok(vec![spec.ring_buf_bytes()?]),
            Self::RingStateToken => Ok(vec![
                product(&[b, t, r, d, STATE_BYTES])?,
                product(&[b, r, d, STATE_BYTES])?,
                product(&[b, t, d, STATE_BYTES])?,
            ]),
        }
    }
}

/// A checked product of sizes.
pub(crate) fn product(factors: &[u64]) -> Result<u64, PresetError> {
    let checked = factors.iter().try_fold(1u64, |acc, &f| acc.checked_mul(f));
    checked.ok_or_else(|| PresetError::Overflow {
        what: "a term of the fit",
        factors: factors.to_vec(),
    })
}
