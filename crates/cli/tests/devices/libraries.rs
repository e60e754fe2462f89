//! Where `vram` finds the libraries that `vram-cuda` needs, and what it says of those it does not.
//! Both are stand-ins here, in a version that no machine has: an executable that prints how it was
//! started, and libraries without a function.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine::{Machine, cc, has};

const CUBLAS: &str = "libcublas.so.999";
/// cuBLAS needs it; the executable does not.
const BEHIND: &str = "libcublasLt.so.999";
const CUDART: &str = "libcudart.so.999";

struct Installation {
    machine: Machine,
    /// Every library once: what a test has in place is moved out of here.
    stock: PathBuf,
}

impl Installation {
    fn new() -> Self {
        let machine = Machine::new(env!("CARGO_BIN_EXE_vram"));
        let stock = machine.path("stock");
        fs::create_dir(&stock).unwrap();
        let link = |output: &Path, source: &str, more: &[&str], needs: &[&str]| {
            let file = stock.join("source.c");
            fs::write(&file, source).unwrap();
            let mut command = Command::new("cc");
            command.args(more).arg("-o").arg(output).arg(&file).arg("-Wl,--no-as-needed");
            command.arg("-L").arg(&stock);
            cc(command.args(needs.iter().map(|name| format!("-l:{name}"))));
        };
        let library = |name: &str, needs: &[&str]| {
            let soname = format!("-Wl,-soname,{name}");
            link(&stock.join(name), "", &["-shared", "-fPIC", &soname], needs);
        };
        library(BEHIND, &[]);
        library(CUDART, &[]);
        library(CUBLAS, &[BEHIND]);
        let started = "#include <stdio.h>\n#include <stdlib.h>\n\
            int main(int n, char **arguments) {\n\
                printf(\"started with %s of %d, %s\", arguments[1], n - 1, getenv(\"LD_LIBRARY_PATH\"));\n\
                return 0;\n\
            }\n";
        let rpath_link = format!("-Wl,-rpath-link,{}", stock.display());
        link(&machine.path("target/release/vram-cuda"), started, &[&rpath_link], &[CUBLAS, CUDART]);
        Self { machine, stock }
    }

    /// Puts libraries in place.
    fn put(&self, names: &[&str], dir: &str) -> PathBuf {
        let dir = self.machine.path(dir);
        fs::create_dir_all(&dir).unwrap();
        for name in names {
            fs::rename(self.stock.join(name), dir.join(name)).unwrap();
        }
        dir
    }

    /// The `LD_LIBRARY_PATH` that `vram-cuda` is started with.
    fn starts(&self, variables: &[(&str, &str)]) -> String {
        let output = self.machine.run("cuda", variables);
        let said = String::from_utf8(output.stdout).unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        let path = said.strip_prefix("started with probe of 9, ");
        path.unwrap_or_else(|| panic!("not started: {said}{complaint}")).to_owned()
    }
}

const ALL: [&str; 3] = [CUBLAS, BEHIND, CUDART];

#[test]
fn libraries_are_found_where_toolkits_and_carried_files_lie() {
    let driver = |here: &Installation| here.machine.path("driver").display().to_string();
    for dir in ["target/release/lib", "target/cuda-toolkit/nvidia/cu13/lib"] {
        let here = Installation::new();
        let put = here.put(&ALL, dir);
        assert_eq!(here.starts(&[]), format!("{}:{}", driver(&here), put.display()));
    }
    for (variable, sub) in [
        ("CUDA_HOME", "lib64"),
        ("CUDA_PATH", "lib"),
        ("CUDA_HOME", "targets/x86_64-linux/lib"),
        ("CUDA_HOME", "lib/x86_64-linux-gnu"),
    ] {
        let here = Installation::new();
        let put = here.put(&ALL, &format!("opt/cuda/{sub}"));
        let home = here.machine.path("opt/cuda").display().to_string();
        let path = here.starts(&[(variable, &home)]);
        assert_eq!(path, format!("{}:{}", driver(&here), put.display()), "{variable}/{sub}");
    }
    // By the compiler on the path.
    let here = Installation::new();
    let put = here.put(&ALL, "opt/cuda/lib64");
    let bin = here.put(&[], "opt/cuda/bin");
    fs::write(bin.join("nvcc"), "").unwrap();
    let path = here.starts(&[("PATH", &bin.display().to_string())]);
    assert_eq!(path, format!("{}:{}", driver(&here), put.display()));
    // By what `vram cuda-toolkit` fetched.
    let here = Installation::new();
    let put = here.put(&ALL, "cache/vram/cuda-toolkit/nvidia/cu13/lib");
    assert_eq!(here.starts(&[]), format!("{}:{}", driver(&here), put.display()));
    // By what the sweep wrote down of its build.
    let here = Installation::new();
    let put = here.put(&ALL, "elsewhere/lib");
    let record = here.machine.path("target/release/vram-cuda.toolkit");
    fs::write(record, format!("{}\n", here.machine.path("elsewhere").display())).unwrap();
    assert_eq!(here.starts(&[]), format!("{}:{}", driver(&here), put.display()));
}

#[test]
fn what_the_user_set_comes_first_and_is_left_as_it_is() {
    let here = Installation::new();
    let own = format!("{}:{}", here.machine.path("driver").display(), here.stock.display());
    here.put(&[], "opt/cuda/lib64");
    let home = here.machine.path("opt/cuda").display().to_string();
    assert_eq!(here.starts(&[("LD_LIBRARY_PATH", &own), ("CUDA_HOME", &home)]), own);
}

#[test]
fn libraries_may_lie_in_several_places() {
    let here = Installation::new();
    let carried = here.put(&[CUDART, BEHIND], "target/release/lib");
    let installed = here.put(&[CUBLAS], "opt/cuda/lib64");
    let home = here.machine.path("opt/cuda").display().to_string();
    let path = here.starts(&[("CUDA_HOME", &home)]);
    assert!(path.ends_with(&format!("{}:{}", carried.display(), installed.display())), "{path}");
}

#[test]
fn each_missing_library_is_named_with_what_to_do() {
    let here = Installation::new();
    let lib = here.machine.path("target/release/lib");
    let none = here.machine.refusal("cuda", &[]);
    has(&none, &["vram-cuda cannot start", CUBLAS, CUDART, "CUDA_HOME", "--device cpu"]);
    // In pieces, for a message breaks lines.
    has(&none, &["target/release/lib"]);
    here.put(&[CUBLAS, CUDART], "target/release/lib");
    let behind = here.machine.refusal("cuda", &[]);
    has(&behind, &[BEHIND, "CUDA toolkit"]);
    assert!(!behind.contains(CUBLAS) && !behind.contains(CUDART), "{behind}");
    here.put(&[BEHIND], "target/release/lib");
    assert!(here.starts(&[]).ends_with(&lib.display().to_string()));
}

#[test]
fn auto_runs_on_the_cpu_without_the_libraries() {
    let here = Installation::new();
    let output = here.machine.run("auto", &[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    has(&said, &["running on the CPU: vram-cuda cannot start", CUBLAS]);
}

#[test]
fn what_is_no_library_is_named() {
    let here = Installation::new();
    let lib = here.put(&[CUBLAS, CUDART], "target/release/lib");
    fs::write(lib.join(BEHIND), "half a downl").unwrap();
    has(&here.machine.refusal("cuda", &[]), &[BEHIND, "cannot be loaded", "--device cpu"]);
    fs::write(here.machine.path("target/release/vram-cuda"), "half a copy").unwrap();
    has(&here.machine.refusal("cuda", &[]), &["vram-cuda cannot be loaded"]);
}
