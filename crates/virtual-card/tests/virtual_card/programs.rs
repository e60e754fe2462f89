//! Programs: how they are built without NVIDIA's libraries. The tests of the command build them too.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// This package, also for one beside it.
fn here() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../virtual-card"))
}

/// Where everything lies that is built here.
pub fn directory() -> &'static Path {
    Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/virtual_card"))
}

/// What was built already, by its name.
static DONE: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);

/// What `build` makes under `name`, once.
fn built(name: &str, build: impl FnOnce(&Path)) -> PathBuf {
    // A test that failed to build something else is no reason to fail here.
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    let done = done.get_or_insert_default();
    if let Some(path) = done.get(name) {
        return path.clone();
    }
    let path = directory().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    build(&path);
    done.insert(name.to_owned(), path.clone());
    path
}

/// Runs the C compiler. `output` is there whole or not at all: another process may build the same.
fn cc(output: &Path, arguments: &[&str]) {
    let beside = tempfile::Builder::new().tempfile_in(output.parent().unwrap()).unwrap();
    let beside = beside.into_temp_path();
    let mut command = Command::new("cc");
    command.args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&beside).args(arguments);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    beside.persist(output).unwrap();
}

/// A library of which programs that are linked with it learn names, and what it needs for it: what a
/// toolkit's `stubs` are. Its functions fail, should a program reach them after all.
pub fn stub(library: &str, list: &str, version: Option<&str>) -> PathBuf {
    built(&format!("stubs/{library}"), |output| {
        let names = here().join(format!("names/{list}.txt"));
        let mut code = String::new();
        for line in fs::read_to_string(names).unwrap().lines() {
            let name = line.split(' ').next().unwrap();
            let _ = writeln!(code, "int {name}(void);\nint {name}(void) {{ return 998; }}");
        }
        let sources = tempfile::tempdir().unwrap();
        let source = sources.path().join("stub.c");
        fs::write(&source, code).unwrap();
        let soname = format!("-Wl,-soname,{library}");
        let mut arguments = vec!["-shared", "-fPIC", &soname, source.to_str().unwrap()];
        let script = sources.path().join("versions.map");
        let option = format!("-Wl,--version-script={}", script.display());
        if let Some(version) = version {
            fs::write(&script, format!("{version} {{ global: *; }};\n")).unwrap();
            arguments.push(&option);
        }
        cc(output, &arguments);
    })
}

/// The source of a program.
pub fn source(name: &str) -> PathBuf {
    here().join("tests/programs").join(name)
}

/// A program of `tests/programs`, linked as programs that use CUDA are: with the driver by its name.
pub fn program(name: &str) -> PathBuf {
    let driver = stub("libcuda.so.1", "cuda", None);
    linked(name, name, &[driver])
}

/// A program of `tests/programs` under another name, linked with these libraries.
pub fn linked(name: &str, output: &str, libraries: &[PathBuf]) -> PathBuf {
    built(output, |output| {
        let source = source(&format!("{name}.c"));
        let mut arguments = vec![source.to_str().unwrap(), "-pthread", "-ldl"];
        arguments.extend(libraries.iter().map(|library| library.to_str().unwrap()));
        cc(output, &arguments);
    })
}

/// A program of `tests/programs` with debug information.
#[allow(dead_code, reason = "the tests of `vram` take this file, too")]
pub fn with_lines(name: &str) -> PathBuf {
    let driver = stub("libcuda.so.1", "cuda", None);
    built(&format!("lines/{name}"), |output| {
        let source = source(&format!("{name}.c"));
        cc(output, &["-g", source.to_str().unwrap(), driver.to_str().unwrap()]);
    })
}

/// A program of `tests/programs` without its symbols.
pub fn stripped(name: &str) -> PathBuf {
    let whole = program(name);
    built(&format!("{name}_stripped"), |output| {
        let made = Command::new("strip").arg("-o").arg(output).arg(&whole).status().unwrap();
        assert!(made.success());
    })
}

/// A driver that has counters and nothing else, where no program finds it by its name.
pub fn driver() -> PathBuf {
    built("driver/libcuda.so.1", |output| {
        let source = source("driver.c");
        let soname = "-Wl,-soname,libcuda.so.1";
        cc(output, &["-shared", "-fPIC", soname, source.to_str().unwrap(), "-pthread", "-ldl"]);
    })
}

/// A library of `tests/programs`.
pub fn library(name: &str) -> PathBuf {
    built(&format!("lib{name}.so"), |output| {
        cc(output, &["-shared", "-fPIC", source(&format!("{name}.c")).to_str().unwrap()]);
    })
}

/// A library without a function, under a name that says whose it is.
pub fn empty_library(name: &str) -> PathBuf {
    built(name, |output| {
        let soname = format!("-Wl,-soname,{name}");
        cc(output, &["-shared", "-fPIC", &soname, "-x", "c", "/dev/null"]);
    })
}

/// A program that is linked statically; it needs no libc.
pub fn static_program(name: &str) -> PathBuf {
    built(name, |output| {
        let source = source(&format!("{name}.c"));
        cc(output, &["-static", "-nostdlib", "-ffreestanding", source.to_str().unwrap()]);
    })
}
