//! With the feature `cuda`: compiles `src/kernels/*.cu` to machine code for one compute capability,
//! with PTX beside it for newer cards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_CUDA").is_none() {
        return;
    }
    println!("cargo::rerun-if-changed=src/kernels");
    for variable in ["NVCC", "CUDA_HOME", "CUDA_PATH", "CUDA_COMPUTE_CAP", "PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    if let Err(why) = compile() {
        println!("cargo::error={why}");
    }
}

fn compile() -> Result<(), String> {
    let nvcc = nvcc()?;
    let capability = compute_capability()?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let output = Command::new(&nvcc)
        .args(["-fatbin", "-O3", "--std=c++17"])
        .args(["-gencode", &format!("arch=compute_{capability},code=sm_{capability}")])
        .args(["-gencode", &format!("arch=compute_{capability},code=compute_{capability}")])
        .arg("-o")
        .arg(out.join("kernels.fatbin"))
        .arg("src/kernels/kernels.cu")
        .output()
        .map_err(|e| format!("cannot start {}: {e}", nvcc.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).replace('\n', " / ");
        return Err(format!("{} failed: {said}", nvcc.display()));
    }
    println!("cargo::rustc-env=VRAM_COMPUTE_CAP={capability}");
    println!("cargo::rustc-env=VRAM_CUDA_VERSION={}", toolkit_version(&nvcc)?);
    Ok(())
}

/// `$NVCC`, the one of `$CUDA_HOME` or `$CUDA_PATH`, the one on the path, the usual place.
fn nvcc() -> Result<PathBuf, String> {
    if let Some(nvcc) = env::var_os("NVCC") {
        return Ok(nvcc.into());
    }
    let homes = ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(env::var_os);
    let homes = homes.map(|home| PathBuf::from(home).join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = Path::new("/usr/local/cuda/bin").to_path_buf();
    let places = homes.chain(env::split_paths(&path)).chain([usual]);
    let name = format!("nvcc{}", env::consts::EXE_SUFFIX);
    places.map(|dir| dir.join(&name)).find(|nvcc| nvcc.is_file()).ok_or_else(|| {
        "no nvcc found to compile the CUDA kernels with: set CUDA_HOME to a CUDA toolkit, or fetch \
         one with `cargo xtask cuda-toolkit`"
            .to_owned()
    })
}

/// `$CUDA_COMPUTE_CAP`, or the first card's, as `90`.
fn compute_capability() -> Result<String, String> {
    let text = match env::var("CUDA_COMPUTE_CAP") {
        Ok(text) => text,
        Err(_) => {
            let query = ["--query-gpu=compute_cap", "--format=csv,noheader"];
            let output = Command::new("nvidia-smi").args(query).output();
            let said = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
            said.unwrap_or_default().lines().next().unwrap_or_default().to_owned()
        }
    };
    let digits: String = text.trim().chars().filter(|c| *c != '.').collect();
    if digits.len() >= 2 && digits.chars().all(|c| c.is_ascii_digit()) {
        return Ok(digits);
    }
    Err(format!(
        "which card to compile for? No card answered, and CUDA_COMPUTE_CAP is `{text}`: set it to \
         the card's compute capability, such as 89 or 9.0"
    ))
}

/// As `13000` for 13.0, the driver's own way to count versions.
fn toolkit_version(nvcc: &Path) -> Result<String, String> {
    let header = nvcc.parent().and_then(Path::parent).map(|home| home.join("include/cuda.h"));
    let text = header.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("#define CUDA_VERSION "));
    if let Some(version) = line {
        return Ok(version.trim().to_owned());
    }
    // Without headers beside it: `Cuda compilation tools, release 13.0, V13.0.88`.
    let output = Command::new(nvcc).arg("--version").output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let release = said.split("release ").nth(1).and_then(|rest| rest.split(',').next());
    let parts = release.and_then(|release| release.split_once('.'));
    let (major, minor) = parts.ok_or("nvcc does not say its version")?;
    Ok(format!("{major}0{minor}0"))
}
