//! Parity fixtures: inputs, initial weights and the original model's outputs for three Adam steps.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, safetensors};
use vram_presets::spec::{Precision, PtrDtype};
use vram_workload::model::od1::Od1;

use super::{Case, Inputs, SMALL};

pub struct Fixture {
    pub name: String,
    meta: HashMap<String, String>,
    tensors: HashMap<String, Tensor>,
}

impl Fixture {
    pub fn load(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = ::safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            meta: header.metadata().clone().unwrap(),
            tensors: safetensors::load_buffer(&bytes, &Device::Cpu).unwrap(),
        }
    }

    pub fn named(name: &str) -> Self {
        Self::load(&directory().join(format!("{name}.safetensors")))
    }

    /// Every fixture of `OD1_PARITY_DIR`, or of the committed ones, in order.
    pub fn all() -> Vec<Self> {
        let dir = directory();
        let mut paths: Vec<_> = std::fs::read_dir(&dir)
            .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
            .collect();
        paths.sort();
        assert!(!paths.is_empty(), "no parity fixture in {}", dir.display());
        paths.iter().map(|path| Self::load(path)).collect()
    }

    pub fn number(&self, key: &str) -> usize {
        self.meta[key].parse().unwrap()
    }

    pub fn learning_rate(&self) -> f64 {
        self.meta["lr"].parse().unwrap()
    }

    pub fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{} has no {name}", self.name))
    }

    /// The tensors whose name starts with `prefix`, by the rest of their names, in order.
    pub fn with_prefix(&self, prefix: &str) -> Vec<(&str, &Tensor)> {
        let mut found: Vec<_> = self
            .tensors
            .iter()
            .filter_map(|(name, t)| Some((name.strip_prefix(prefix)?, t)))
            .collect();
        found.sort_by_key(|(name, _)| *name);
        found
    }

    pub fn case(&self, precision: Precision, pointer: PtrDtype) -> Case {
        Case {
            batch: self.number("batch"),
            tokens: self.number("synth_len"),
            ring: self.number("ring_len"),
            width: self.number("slot_dim"),
            heads: self.number("out_dim"),
            update_every: self.number("ptr_update_every"),
            precision,
            pointer,
            ..SMALL
        }
    }

    /// A model with the fixture's initial weights on `device`, and the inputs of its first step.
    pub fn model(&self, device: &Device, precision: Precision, pointer: PtrDtype) -> (Od1, Inputs) {
        self.model_of(&self.case(precision, pointer), device)
    }

    /// As [`Fixture::model`], of a case that is this fixture's but for what changes no size.
    pub fn model_of(&self, case: &Case, device: &Device) -> (Od1, Inputs) {
        let mut weights = case.weights(device);
        let params = self.with_prefix("param.");
        assert_eq!(params.len(), weights.all_vars().len());
        for (name, value) in params {
            weights.set_one(name, value.to_device(device).unwrap()).unwrap();
        }
        let x = self.tensor("x").to_device(device).unwrap();
        let y = self.tensor("y").to_dtype(DType::U32).unwrap().to_device(device).unwrap();
        (case.model_of(&weights, device), Inputs { x, y, starts: self.starts(0, device) })
    }

    pub fn starts(&self, step: usize, device: &Device) -> Tensor {
        self.tensor(&format!("step{step}.ptr_unit")).to_device(device).unwrap()
    }
}

/// `OD1_PARITY_DIR`, or the committed fixtures.
fn directory() -> PathBuf {
    let committed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::env::var_os("OD1_PARITY_DIR").map_or_else(committed, PathBuf::from)
}
