//! With the feature `cuda`: compiles `src/ops/*.cu` to machine code for one compute capability,
//! with PTX beside it for newer cards. The compiler and the capability are found as candle's kernels
//! find theirs, by the same crate: one executable is built by one compiler for one card.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cuda")]
    if let Err(why) = kernels::compile() {
        println!("cargo::error={why}");
    }
}

#[cfg(feature = "cuda")]
mod kernels {
    use std::env;
    use std::path::PathBuf;
    use std::process::Command;

    use cudaforge::{CudaToolkit, detect_compute_cap};

    pub fn compile() -> Result<(), String> {
        println!("cargo::rerun-if-changed=src/ops");
        // Not PATH, though a compiler may be found there: it differs from shell to shell.
        for variable in ["NVCC", "CUDA_HOME", "CUDA_COMPUTE_CAP"] {
            println!("cargo::rerun-if-env-changed={variable}");
        }
        let toolkit = CudaToolkit::detect().map_err(|e| {
            format!("{e}: set CUDA_HOME to a toolkit, which `vram cuda-toolkit` names or fetches")
        })?;
        let capability = detect_compute_cap()
            .map_err(|e| {
                format!("{e}: set CUDA_COMPUTE_CAP to the card's compute capability, such as 89")
            })?
            .base();
        let nvcc = &toolkit.nvcc_path;
        let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
        let output = Command::new(nvcc)
            .args(["-fatbin", "-O3", "--std=c++17"])
            .args(["-gencode", &format!("arch=compute_{capability},code=sm_{capability}")])
            .args(["-gencode", &format!("arch=compute_{capability},code=compute_{capability}")])
            .arg("-o")
            .arg(out.join("kernels.fatbin"))
            .arg("src/ops/kernels.cu")
            .output()
            .map_err(|e| format!("cannot start {}: {e}", nvcc.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).replace('\n', " / ");
            return Err(format!("{} failed: {said}", nvcc.display()));
        }
        println!("cargo::rustc-env=VRAM_COMPUTE_CAP={capability}");
        println!(
            "cargo::rustc-env=VRAM_CUDA_VERSION={}",
            driver_counts(toolkit.version.as_deref())?
        );
        Ok(())
    }

    /// `13.0` as the driver counts: 13000.
    fn driver_counts(version: Option<&str>) -> Result<u32, String> {
        let parts = version.and_then(|version| version.split_once('.'));
        let numbers =
            parts.and_then(|(a, b)| Some((a.parse::<u32>().ok()?, b.parse::<u32>().ok()?)));
        let (major, minor) = numbers.ok_or("nvcc does not say its version")?;
        Ok(1000 * major + 10 * minor)
    }
}
