//! Parity fixtures: inputs, initial weights and the original model's outputs for three Adam steps.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, safetensors};
use rand::SeedableRng;
use rand::rngs::StdRng;
use vram_presets::{AntSpec, ColonySpec, Precision, PtrDtype, WorkloadSpec};
use vram_workload::{Backend, Batch, Model, Shape};

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

    pub fn number(&self, key: &str) -> u64 {
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

    pub fn shape(&self, precision: Precision, ptr_dtype: PtrDtype) -> Shape {
        let ant = AntSpec {
            ring_len: self.number("ring_len"),
            slot_dim: self.number("slot_dim"),
            ptr_dtype,
            precision,
        };
        let colony = ColonySpec {
            seq_len: self.number("synth_len"),
            synth_len: self.number("synth_len"),
            batch_size: self.number("batch"),
            ptr_update_every: self.number("ptr_update_every"),
            state_loop_samples: 0,
        };
        let amp = precision != Precision::Fp32;
        Shape::new(&WorkloadSpec::new(ant, colony), self.number("out_dim"), amp).unwrap()
    }

    /// A model with the fixture's initial weights, and its inputs.
    pub fn model<B: Backend>(
        &self,
        backend: &B,
        precision: Precision,
        ptr_dtype: PtrDtype,
    ) -> (Model<B>, Batch<B>) {
        let shape = self.shape(precision, ptr_dtype);
        let batch = Batch::new(&shape, self.tensor("x"), self.tensor("y"), backend).unwrap();
        let mut model = Model::new(shape, &mut StdRng::seed_from_u64(0), backend).unwrap();
        let params = self.with_prefix("param.");
        assert_eq!(params.len(), model.parameters().unwrap().len());
        for (name, value) in params {
            model.set_parameter(name, value).unwrap();
        }
        (model, batch)
    }

    pub fn starts(&self, step: u64) -> Vec<f64> {
        self.tensor(&format!("step{step}.ptr_unit")).to_vec1().unwrap()
    }
}

/// `OD1_PARITY_DIR`, or the committed fixtures.
fn directory() -> PathBuf {
    let committed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::env::var_os("OD1_PARITY_DIR").map_or_else(committed, PathBuf::from)
}

pub fn values(t: &Tensor) -> Vec<f64> {
    let t = t.to_dtype(candle_core::DType::F64).unwrap();
    t.flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest absolute difference, and the largest absolute entry of `want`.
pub fn distance(got: &[f64], want: &[f64]) -> (f64, f64) {
    assert_eq!(got.len(), want.len());
    let worst = got.iter().zip(want).map(|(g, w)| (g - w).abs());
    let worst = worst.fold(0.0, |a: f64, b| if b.is_nan() { f64::NAN } else { a.max(b) });
    (worst, want.iter().fold(0.0, |a: f64, w| a.max(w.abs())))
}
