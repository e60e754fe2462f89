//! `cargo xtask cuda-toolkit` with stand-ins for Python and for an installed toolkit: nothing is
//! fetched.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Leaves in `--target` what the packages do: nothing of it has an unversioned name, and there is
/// no driver.
const PIP: &str = r#"#!/bin/sh
while [ $# -gt 0 ]; do
    case "$1" in --target) home=$2/nvidia/cu13 ;; esac
    shift
done
mkdir -p "$home/bin" "$home/lib" "$home/include"
echo > "$home/bin/nvcc"
for library in cublas.so.13 cublasLt.so.13 curand.so.10 cudart.so.13 nvrtc.so.13; do
    echo > "$home/lib/lib$library"
done
cat > "$home/include/cuda.h" <<'END'
/** \sa ::cuMemFree */
typedef struct CUctx_st *CUcontext; typedef cuuint32_t Flags;
#define cuMemAlloc cuMemAlloc_v2
CUresult CUDAAPI cuInit(unsigned int Flags);
CUresult CUDAAPI cuMemAlloc(CUdeviceptr *dptr, size_t bytesize);
END
"#;

fn toolkit(dir: &TempDir, args: &[&str], variables: &[(&str, &Path)]) -> Output {
    let bin = dir.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(bin.join("python3"), PIP).unwrap();
    fs::set_permissions(bin.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("cuda-toolkit").args(args).current_dir(dir.path());
    command.env("PATH", format!("{}:{path}", bin.display()));
    for variable in ["NVCC", "CUDA_HOME", "CUDA_PATH"] {
        command.env_remove(variable);
    }
    command.envs(variables.iter().copied()).output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_is_fetched_can_be_linked() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("mine/nvidia/cu13");
    let (stdout, stderr) = said(&toolkit(&dir, &["--dir", "mine"], &[]));
    assert_eq!(stdout, format!("{}\n", home.display()), "{stderr}");
    assert!(stderr.contains("fetching"), "{stderr}");
    let linked = |name: &str| fs::canonicalize(home.join("lib").join(name)).unwrap();
    assert_eq!(linked("libcublas.so"), home.join("lib/libcublas.so.13").canonicalize().unwrap());
    assert_eq!(linked("libcurand.so"), home.join("lib/libcurand.so.10").canonicalize().unwrap());
    // The stub has every function of the header, each under the name that a program links.
    let program = dir.path().join("program.c");
    fs::write(
        &program,
        "int cuInit(unsigned); int cuMemAlloc_v2(void *, unsigned long); int cuMemAlloc();
         int main() { return cuInit(0) + cuMemAlloc_v2(0, 0) + cuMemAlloc(); }",
    )
    .unwrap();
    let mut cc = Command::new("cc");
    cc.arg(&program).arg("-o").arg(dir.path().join("program"));
    let built = cc.arg("-L").arg(home.join("lib/stubs")).arg("-lcuda").output().unwrap();
    assert!(built.status.success(), "{}", said(&built).1);
    // Under the driver's name, so that a real one takes its place.
    let program = fs::read(dir.path().join("program")).unwrap();
    assert!(program.windows(13).any(|name| name == b"libcuda.so.1\0"));
    // It is there now.
    let (again, stderr) = said(&toolkit(&dir, &["--dir", "mine"], &[]));
    assert_eq!((again, stderr.as_str()), (stdout, ""));
}

#[test]
fn an_installed_toolkit_is_used_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("opt/cuda");
    for file in ["bin/nvcc", "lib64/stubs/libcuda.so"] {
        fs::create_dir_all(home.join(file).parent().unwrap()).unwrap();
        fs::write(home.join(file), "").unwrap();
    }
    let libraries = ["cublas", "cublasLt", "curand", "cudart", "nvrtc"];
    for library in libraries {
        fs::write(home.join(format!("lib64/lib{library}.so")), "").unwrap();
    }
    for (variable, value) in
        [("CUDA_HOME", home.clone()), ("CUDA_PATH", home.clone()), ("NVCC", home.join("bin/nvcc"))]
    {
        let (stdout, stderr) = said(&toolkit(&dir, &[], &[(variable, &value)]));
        assert_eq!((stdout, stderr.as_str()), (format!("{}\n", home.display()), ""), "{variable}");
    }
    // One that lacks what is linked is told, and not used.
    fs::remove_file(home.join("lib64/libcurand.so")).unwrap();
    let (stdout, stderr) = said(&toolkit(&dir, &["--dir", "mine"], &[("CUDA_HOME", &home)]));
    assert!(stdout.ends_with("mine/nvidia/cu13\n"), "{stdout}{stderr}");
    let told = format!("{} lacks libcurand.so", home.display());
    assert!(stderr.contains(&told), "{stderr}");
}
