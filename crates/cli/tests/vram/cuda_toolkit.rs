//! `vram cuda-toolkit` where none is installed: nothing is fetched. What is fetched, and what is taken
//! of an installation, `xtask/tests/toolkit.rs` shows of the same code.
#![cfg(target_os = "linux")]

use crate::support::Sandbox;

/// Exit code, standard output and standard error.
fn toolkit(
    sandbox: &Sandbox,
    args: &[&str],
    variables: &[(&str, &str)],
) -> (Option<i32>, String, String) {
    let mut command = sandbox.command(&[&["cuda-toolkit"], args].concat());
    // Nothing on the path: no compiler, and no python3 to fetch one with.
    command.env("PATH", "").env_remove("XDG_CACHE_HOME").env("HOME", sandbox.path("home"));
    for variable in ["NVCC", "CUDA_HOME", "CUDA_PATH"] {
        command.env_remove(variable);
    }
    let output = command.envs(variables.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A whole toolkit, as it lies in what was fetched.
fn fetched(sandbox: &Sandbox, dir: &str) -> String {
    let home = format!("{dir}/nvidia/cu13");
    sandbox.write(&format!("{home}/bin/nvcc"), "");
    sandbox.write(&format!("{home}/lib/stubs/libcuda.so"), "");
    for library in ["cublas", "cublasLt", "curand", "cudart", "nvrtc"] {
        sandbox.write(&format!("{home}/lib/lib{library}.so"), "");
    }
    format!("{}\n", sandbox.path(&home).display())
}

#[test]
fn one_that_was_fetched_lies_in_the_users_cache_or_in_dir() {
    let sandbox = Sandbox::new();
    let cache = sandbox.path("cache").display().to_string();
    let quiet = |home: String| (Some(0), home, String::new());
    let in_home = quiet(fetched(&sandbox, "home/.cache/vram/cuda-toolkit"));
    assert_eq!(toolkit(&sandbox, &[], &[]), in_home);
    // A relative path counts for nothing, as the specification of these variables says.
    assert_eq!(toolkit(&sandbox, &[], &[("XDG_CACHE_HOME", "cache")]), in_home);
    let in_cache = quiet(fetched(&sandbox, "cache/vram/cuda-toolkit"));
    assert_eq!(toolkit(&sandbox, &[], &[("XDG_CACHE_HOME", &cache)]), in_cache);
    let named = quiet(fetched(&sandbox, "mine"));
    assert_eq!(toolkit(&sandbox, &["--dir", "mine"], &[("XDG_CACHE_HOME", &cache)]), named);
}

#[test]
fn without_python_it_says_what_to_do() {
    let sandbox = Sandbox::new();
    let (code, stdout, stderr) = toolkit(&sandbox, &[], &[]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
    let words: Vec<&str> = stderr.split_whitespace().filter(|word| *word != "│").collect();
    let said = words.join(" ");
    for part in [
        "fetching the CUDA toolkit into ",
        "home/.cache/vram/cuda-toolkit",
        "cannot start python3, which fetches the CUDA toolkit from PyPI",
        "or install a CUDA toolkit and set CUDA_HOME to it",
    ] {
        assert!(said.contains(part), "no `{part}` in: {said}");
    }
    assert!(sandbox.contents().is_empty(), "something was written");
}
