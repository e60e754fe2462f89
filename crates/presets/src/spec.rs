//! What a workload is: its ant, its colony and its id.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use strum::VariantArray;

use crate::error::PresetError;

/// Version of the workload schema (VRA-31), part of every workload id.
pub const SCHEMA_VERSION: &str = "workload_schema_v1";

/// Numbers of a workload's step. `fp64` and `amp` have ids but no runnable mode.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    strum::Display,
    strum::IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Precision {
    /// Double precision.
    Fp64,
    /// Single precision.
    Fp32,
    /// Half precision.
    Fp16,
    /// Brain floating point.
    Bf16,
    /// Unspecified mixed precision.
    Amp,
}

impl Precision {
    /// Every precision of the schema.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Name in specs and ids.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Bytes of an element, as VRA-34's ring term counts them; `amp` names no element.
    pub fn bytes_per_elem(self) -> Option<u64> {
        match self {
            Self::Fp64 => Some(8),
            Self::Fp32 => Some(4),
            Self::Fp16 | Self::Bf16 => Some(2),
            Self::Amp => None,
        }
    }

    /// Whether a probe of this precision runs under amp unless told otherwise.
    pub fn default_amp(self) -> bool {
        matches!(self, Self::Fp16 | Self::Bf16)
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|p| p.name() == s);
        found.ok_or_else(|| format!("`{s}` is not one of fp64, fp32, fp16, bf16, amp"))
    }
}

/// Numbers of the pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, strum::Display, VariantArray)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum PtrDtype {
    /// Double precision, as in every OD1 preset.
    Fp64,
    /// Single precision.
    Fp32,
    /// Half precision: valid in a spec, not runnable.
    Fp16,
    /// Brain floating point: valid in a spec, not runnable.
    Bf16,
}

impl PtrDtype {
    /// Every pointer's numbers.
    pub const ALL: &[Self] = Self::VARIANTS;
}

/// The model's side of a workload: its ring and its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AntSpec {
    /// Precision of the step; a probe may override it.
    pub precision: Precision,
    /// Numbers of the pointer.
    pub ptr_dtype: PtrDtype,
    /// Slots of the ring, at least 1.
    pub ring_len: u64,
    /// Elements of a slot, at least 1.
    pub slot_dim: u64,
}

/// The data's side of a workload: its lengths and its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ColonySpec {
    /// Samples per step, at least 1; a probe may override it.
    pub batch_size: u64,
    /// The pointer moves at every token whose index this divides, at least 1.
    pub ptr_update_every: u64,
    /// Tokens per sample that throughput counts, at least 1.
    pub seq_len: u64,
    /// Samples of the state loop; 0 where there is none.
    pub state_loop_samples: u64,
    /// Tokens per sample that the step computes, at least 1.
    pub synth_len: u64,
}

/// A whole workload: what a `workload_id` identifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkloadSpec {
    /// The model's side.
    pub ant: AntSpec,
    /// The data's side.
    pub colony: ColonySpec,
}

impl WorkloadSpec {
    /// Joins both sides.
    pub fn new(ant: AntSpec, colony: ColonySpec) -> Self {
        Self { ant, colony }
    }

    /// The same workload with another batch.
    ///
    /// # Errors
    ///
    /// [`PresetError::Value`] if `batch` is zero.
    pub fn with_batch(mut self, batch: u64) -> Result<Self, PresetError> {
        if batch == 0 {
            return Err(PresetError::Value {
                key: "batch",
                value: "0".to_owned(),
                expected: "an integer of at least 1",
            });
        }
        self.colony.batch_size = batch;
        Ok(self)
    }

    /// The same workload with another precision.
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.ant.precision = precision;
        self
    }

    /// The workload as the original harness's JSON object.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "ant_spec": self.ant,
            "colony_spec": self.colony,
            "schema_version": SCHEMA_VERSION,
        })
    }

    /// The JSON that the id hashes: ASCII, keys sorted, no spaces (VRA-31).
    pub fn canonical_json(&self) -> String {
        // serde_json keeps an object's keys sorted, and writes no spaces.
        self.to_json().to_string()
    }

    /// `wl_v1_` and the first 12 hex digits of the canonical JSON's SHA-256.
    pub fn workload_id(&self) -> String {
        format!("wl_v1_{}", short_hash(&self.canonical_json()))
    }

    /// The workload as JSON without its batch: what rows of one combination share (VRA-35).
    pub fn json_without_batch(&self) -> serde_json::Value {
        let mut json = self.to_json();
        if let Some(colony) = json["colony_spec"].as_object_mut() {
            colony.remove("batch_size");
        }
        json
    }

    /// `combo_v1_` and the first 12 hex digits of the SHA-256 of [`Self::json_without_batch`], written as
    /// for a workload's id (VRA-35).
    pub fn combo_key(&self) -> String {
        format!("combo_v1_{}", short_hash(&self.json_without_batch().to_string()))
    }

    /// `<workload_id>__E<out_dim>__<precision>_amp<0|1>`.
    pub fn probe_id(&self, out_dim: u64, amp: bool) -> String {
        let (id, precision) = (self.workload_id(), self.ant.precision);
        format!("{id}__E{out_dim}__{precision}_amp{}", u8::from(amp))
    }

    /// VRA-34's dominant term, in bytes:
    /// `batch_size * synth_len * ring_len * slot_dim * bytes_per_elem(precision)`.
    ///
    /// # Errors
    ///
    /// [`PresetError::Overflow`] if the product exceeds 64 bits, [`PresetError::Value`] for
    /// precision `amp`, which names no element size.
    pub fn ring_buf_bytes(&self) -> Result<u64, PresetError> {
        let element = self.ant.precision.bytes_per_elem().ok_or(PresetError::Value {
            key: "precision",
            value: self.ant.precision.to_string(),
            expected: "a precision with an element size: fp64, fp32, fp16 or bf16",
        })?;
        let (ant, colony) = (&self.ant, &self.colony);
        product(
            "batch_size * synth_len * ring_len * slot_dim * bytes_per_elem",
            &[colony.batch_size, colony.synth_len, ant.ring_len, ant.slot_dim, element],
        )
    }
}

/// The first 12 hex digits of a text's SHA-256.
fn short_hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(6).map(|b| format!("{b:02x}")).collect()
}

/// A checked product of sizes.
fn product(what: &'static str, factors: &[u64]) -> Result<u64, PresetError> {
    let checked = factors.iter().try_fold(1u64, |acc, &f| acc.checked_mul(f));
    checked.ok_or_else(|| PresetError::Overflow { what, factors: factors.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Library;

    fn workload(ant: &str, colony: &str) -> WorkloadSpec {
        let library = Library::built_in();
        WorkloadSpec::new(library.ant(ant).unwrap().spec, library.colony(colony).unwrap().spec)
    }

    /// The vectors that VRA-31 publishes.
    #[test]
    fn workload_ids_match_the_published_vectors() {
        let template = |size: &str| {
            let name = format!("od1_canon_{size}");
            workload(&name, &name).workload_id()
        };
        assert_eq!(template("small"), "wl_v1_37d4c849bed8");
        assert_eq!(template("real"), "wl_v1_a87a40941a4c");
        assert_eq!(template("stress"), "wl_v1_ab3432401162");
        let fp16 = |ant: &str, batch| {
            workload(ant, "od1_canon_real")
                .with_precision(Precision::Fp16)
                .with_batch(batch)
                .unwrap()
        };
        let dp1 = fp16("od1_canon_small", 16);
        assert_eq!(dp1.workload_id(), "wl_v1_831069834653");
        assert_eq!(dp1.probe_id(1, true), "wl_v1_831069834653__E1__fp16_amp1");
        assert_eq!(fp16("od1_canon_small", 32).workload_id(), "wl_v1_7f2bd54d8f30");
        assert_eq!(fp16("od1_canon_stress", 1).workload_id(), "wl_v1_7fd1b9fb8e53");
    }

    /// The vectors of VRA-35. Of another batch the key is the same.
    #[test]
    fn combo_keys_match_the_published_vectors() {
        let key = |ant: &str, batch| {
            let spec = workload(ant, "od1_canon_real").with_precision(Precision::Fp16);
            spec.with_batch(batch).unwrap().combo_key()
        };
        assert_eq!(key("od1_canon_small", 16), "combo_v1_91710b8befec");
        assert_eq!(key("od1_canon_small", 1), "combo_v1_91710b8befec");
        assert_eq!(key("od1_canon_real", 2), "combo_v1_33ffd4841493");
    }

    #[test]
    fn the_ring_term_is_checked() {
        let dp1 = workload("od1_canon_small", "od1_canon_real").with_precision(Precision::Fp16);
        // 16 * 256 * 2048 * 256 * 2
        assert_eq!(dp1.ring_buf_bytes().unwrap(), 4_294_967_296);
        let mut huge = dp1;
        huge.ant.ring_len = 1 << 62;
        assert!(matches!(huge.ring_buf_bytes(), Err(PresetError::Overflow { .. })));
        assert!(matches!(
            dp1.with_precision(Precision::Amp).ring_buf_bytes(),
            Err(PresetError::Value { key: "precision", .. })
        ));
    }

    #[test]
    fn a_batch_of_zero_is_refused() {
        let spec = workload("od1_canon_small", "od1_canon_small");
        assert!(matches!(spec.with_batch(0), Err(PresetError::Value { key: "batch", .. })));
    }
}
