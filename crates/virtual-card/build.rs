//! Builds the stand-in for NVIDIA's libraries: a static library without dependencies, linked into a
//! shared one that has every function of the lists in `names/`, with the versions that programs ask for.
//!
//! Nothing that cargo makes would do: a dependency's `cdylib` is left where its user cannot name it,
//! `cargo install` installs executables alone, and rustc gives an exported function no version, without
//! which the loader of a program that asks for one stops it.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A library: its list of names, what its functions answer for what is not supported, and its versions,
/// oldest first. The driver and NVML have none.
struct Library {
    list: &'static str,
    not_supported: u32,
    versions: &'static [&'static str],
}

const LIBRARIES: [Library; 7] = [
    Library { list: "cuda", not_supported: 801, versions: &[] },
    Library { list: "nvml", not_supported: 3, versions: &[] },
    Library {
        list: "cublas",
        not_supported: 15,
        versions: &["libcublas.so.12", "libcublas.so.13"],
    },
    Library {
        list: "cublasLt",
        not_supported: 15,
        versions: &["libcublasLt.so.12", "libcublasLt.so.13"],
    },
    Library { list: "curand", not_supported: 999, versions: &["libcurand.so.10"] },
    Library { list: "nvrtc", not_supported: 11, versions: &["libnvrtc.so.12", "libnvrtc.so.13"] },
    Library {
        list: "cudart",
        not_supported: 801,
        versions: &["libcudart.so.12", "libcudart.so.13"],
    },
];

/// What this project's own programs look for.
const OWN: &str = "vram_virtual_card_mark";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for watched in ["names", "stand-in", "src/pool", "src/protocol.rs"] {
        println!("cargo:rerun-if-changed={watched}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let shared = out.join("stand_in.so");
    let target = |part: &str| env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    let jump = match target("ARCH").as_str() {
        "x86_64" => Jump::X86,
        "aarch64" => Jump::Arm,
        _ => return fs::write(shared, []).expect("OUT_DIR can be written"),
    };
    if target("OS") != "linux" || target("ENV") != "gnu" {
        return fs::write(shared, []).expect("OUT_DIR can be written");
    }
    let archive = out.join("libstand_in.a");
    compile(&archive);
    let (assembly, versions) = (out.join("names.s"), out.join("versions.map"));
    fs::write(&assembly, trampolines(&jump, &implemented())).expect("OUT_DIR can be written");
    fs::write(&versions, version_script()).expect("OUT_DIR can be written");
    let compiler = cc::Build::new().opt_level(2).get_compiler();
    run(compiler
        .to_command()
        .args(["-shared", "-Wl,-soname,libvram_virtual_card.so", "-Wl,--gc-sections"])
        .args(["-Wl,-Bsymbolic", "-Wl,--exclude-libs,ALL", "-Wl,-z,now", "-s"])
        .arg(format!("-Wl,--version-script={}", versions.display()))
        .arg("-o")
        .arg(&shared)
        .arg(&assembly)
        .arg("-Wl,--whole-archive")
        .arg(&archive)
        .args(["-Wl,--no-whole-archive", "-lgcc_s", "-lpthread", "-ldl", "-lm", "-lc"]));
}

/// The static library, with a panic that ends the process: there is nobody to catch it.
fn compile(archive: &Path) {
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC");
    run(Command::new(rustc)
        .args(["--edition", "2024", "--crate-name", "stand_in", "--crate-type", "staticlib"])
        .args(["--cfg", "stand_in", "--check-cfg", "cfg(stand_in)", "--check-cfg", "cfg(test)"])
        .args(["-C", "opt-level=2", "-C", "panic=abort", "-C", "codegen-units=1"])
        .args(["-C", "relocation-model=pic", "-D", "warnings", "--target"])
        .arg(env::var_os("TARGET").expect("cargo sets TARGET"))
        .args(["stand-in/lib.rs", "-o"])
        .arg(archive));
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{command:?}: {status}"),
        Err(error) => panic!("{command:?} cannot be started: {error}"),
    }
}

/// The functions that the sources define.
fn implemented() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir("stand-in").expect("the sources are there") {
        let text = fs::read_to_string(entry.expect("the sources can be listed").path());
        for line in text.expect("the sources can be read").lines() {
            if let Some((name, _)) = line.strip_prefix("    fn ").and_then(|l| l.split_once('(')) {
                names.insert(name.to_owned());
            }
        }
    }
    names
}

/// How an architecture jumps.
enum Jump {
    X86,
    Arm,
}

impl Jump {
    fn to(&self, symbol: &str) -> String {
        match self {
            Self::X86 => format!("\tjmp {symbol}\n"),
            Self::Arm => format!("\tb {symbol}\n"),
        }
    }

    /// To the function that writes a name down and returns `code`.
    fn to_unmodelled(&self, name: &str, code: u32) -> String {
        match self {
            Self::X86 => format!(
                "\tleaq .Lname_{name}(%rip), %rdi\n\tmovl ${code}, %esi\n{}",
                self.to("vram_card_unmodelled")
            ),
            Self::Arm => format!(
                "\tadrp x0, .Lname_{name}\n\tadd x0, x0, :lo12:.Lname_{name}\n\tmov x1, #{code}\n{}",
                self.to("vram_card_unmodelled")
            ),
        }
    }
}

/// The implementation of a name: its own, or that of the same function for the thread's own stream.
fn implementation<'a>(name: &'a str, implemented: &BTreeSet<String>) -> Option<&'a str> {
    let per_thread = name.strip_suffix("_ptsz").or_else(|| name.strip_suffix("_ptds"));
    [Some(name), per_thread].into_iter().flatten().find(|name| implemented.contains(*name))
}

/// A function for each name of each list, under each of its library's versions.
fn trampolines(jump: &Jump, implemented: &BTreeSet<String>) -> String {
    let mut code = String::from("\t.section .note.GNU-stack,\"\",%progbits\n");
    let mut texts = String::from("\t.section .rodata\n");
    code.push_str("\t.text\n");
    let mut define = |symbol: &str, body: &str| {
        let _ = write!(
            code,
            "\t.globl {symbol}\n\t.type {symbol}, %function\n{symbol}:\n{body}\t.size {symbol}, .-{symbol}\n"
        );
        code.len()
    };
    define(OWN, &jump.to(&format!("vram_card_{OWN}")));
    let mut versioned = String::new();
    for library in &LIBRARIES {
        let list = fs::read_to_string(format!("names/{}.txt", library.list));
        for line in list.expect("the lists can be read").lines() {
            let (name, kind) = line.split_once(' ').unwrap_or((line, ""));
            let body = match (implementation(name, implemented), kind) {
                (Some(function), _) => jump.to(&format!("vram_card_{function}")),
                (None, "writes" | "multiplies" | "keeps") => jump.to(&format!("vram_card_{kind}")),
                (None, _) => {
                    let _ = writeln!(texts, ".Lname_{name}:\n\t.asciz \"{name}\"");
                    let code = if kind == "null" { 0 } else { library.not_supported };
                    jump.to_unmodelled(name, code)
                }
            };
            let Some((newest, older)) = library.versions.split_last() else {
                define(name, &body);
                continue;
            };
            for (version, at) in older.iter().map(|v| (v, "@")).chain([(newest, "@@")]) {
                let symbol = format!("{name}__{}", version.replace('.', "_"));
                define(&symbol, &body);
                let _ = writeln!(versioned, "\t.symver {symbol}, {name}{at}{version}");
            }
        }
    }
    code + &versioned + &texts
}

/// A node for each version, which hides the symbols that versions were given to. What has no version
/// keeps the library's own.
fn version_script() -> String {
    let versions = LIBRARIES.iter().flat_map(|library| library.versions);
    versions.fold(String::new(), |script, version| {
        script + &format!("{version} {{ local: *__{}; }};\n", version.replace('.', "_"))
    })
}
