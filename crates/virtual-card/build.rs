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

/// What they look for where calls are passed on to a real card.
const OWN_OF_TRACE: &str = "vram_trace_mark";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for watched in ["names", "passing", "stand-in", "src/pool", "src/protocol.rs"] {
        println!("cargo:rerun-if-changed={watched}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let target = |part: &str| env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    let is_linux = target("OS") == "linux" && target("ENV") == "gnu";
    let jump = match target("ARCH").as_str() {
        "x86_64" if is_linux => Jump::X86,
        "aarch64" if is_linux => Jump::Arm,
        _ => {
            for library in ["stand_in.so", "passing.so"] {
                fs::write(out.join(library), []).expect("OUT_DIR can be written");
            }
            return;
        }
    };
    let versions = out.join("versions.map");
    fs::write(&versions, version_script()).expect("OUT_DIR can be written");
    let script = format!("-Wl,--version-script={}", versions.display());
    let code = trampolines(&jump, &implemented("stand-in"));
    link(&out, ("stand-in", "stand_in"), &code, &["-Wl,-soname,libvram_virtual_card.so", &script]);
    // Who loads the driver by its name finds what has it already.
    let code = passed_on(&jump, &implemented("passing"));
    link(&out, ("passing", "passing"), &code, &["-Wl,-soname,libcuda.so.1"]);
}

/// A shared library of the sources in `directory` and of `assembly`.
fn link(out: &Path, (directory, name): (&str, &str), assembly: &str, options: &[&str]) {
    let archive = out.join(format!("lib{name}.a"));
    compile(directory, name, &archive);
    let names = out.join(format!("{name}.s"));
    fs::write(&names, assembly).expect("OUT_DIR can be written");
    let compiler = cc::Build::new().opt_level(2).get_compiler();
    run(compiler
        .to_command()
        .args(["-shared", "-Wl,--gc-sections"])
        .args(["-Wl,-Bsymbolic", "-Wl,--exclude-libs,ALL", "-Wl,-z,now", "-s"])
        .args(options)
        .arg("-o")
        .arg(out.join(format!("{name}.so")))
        .arg(&names)
        .arg("-Wl,--whole-archive")
        .arg(&archive)
        .args(["-Wl,--no-whole-archive", "-lgcc_s", "-lpthread", "-ldl", "-lm", "-lc"]));
}

/// The static library, with a panic that ends the process: there is nobody to catch it.
fn compile(directory: &str, name: &str, archive: &Path) {
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC");
    let known = format!("cfg({name})");
    run(Command::new(rustc)
        .args(["--edition", "2024", "--crate-name", name, "--crate-type", "staticlib"])
        .args(["--cfg", name, "--check-cfg", &known, "--check-cfg", "cfg(test)"])
        .args(["-C", "opt-level=2", "-C", "panic=abort", "-C", "codegen-units=1"])
        // Stacks are walked through it.
        .args(["-C", "force-unwind-tables=yes"])
        .args(["-C", "relocation-model=pic", "-D", "warnings", "--target"])
        .arg(env::var_os("TARGET").expect("cargo sets TARGET"))
        .arg(format!("{directory}/lib.rs"))
        .arg("-o")
        .arg(archive));
}

fn run(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{command:?}: {status}"),
        Err(error) => panic!("{command:?} cannot be started: {error}"),
    }
}

/// The functions that the sources in `directory` define.
fn implemented(directory: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory).expect("the sources are there") {
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

    /// To where a row of the table says.
    fn by_row(&self, number: usize) -> String {
        let target = number * 32 + 16;
        match self {
            Self::X86 => format!("\tjmp *.Lrows+{target}(%rip)\n"),
            Self::Arm => format!(
                "\tadrp x16, .Lrows+{target}\n\tldr x16, [x16, :lo12:.Lrows+{target}]\n\tbr x16\n"
            ),
        }
    }

    /// To what finds out where a row leads.
    fn first(&self, number: usize) -> String {
        match self {
            Self::X86 => format!("\tpushq ${number}\n\tjmp .Lresolve\n"),
            Self::Arm => format!("\tmov x17, #{number}\n\tb .Lresolve\n"),
        }
    }

    /// What finds out where a row leads, with all registers that arguments are in saved, and what tells
    /// of the table before the program begins.
    fn shared(&self, count: usize) -> String {
        match self {
            Self::X86 => {
                let integers = ["rax", "rdi", "rsi", "rdx", "rcx", "r8", "r9", "r10"];
                let moves = |store: bool| {
                    let mut code = String::new();
                    let mut put = |op: &str, register: &str, at: usize| {
                        let (from, to) = (format!("%{register}"), format!("{at}(%rsp)"));
                        let (from, to) = if store { (from, to) } else { (to, from) };
                        let _ = writeln!(code, "\t{op} {from}, {to}");
                    };
                    for (i, register) in integers.iter().enumerate() {
                        put("movq", register, i * 8);
                    }
                    for i in 0..8 {
                        put("movups", &format!("xmm{i}"), 64 + i * 16);
                    }
                    code
                };
                format!(
                    ".Lresolve:\n\tsubq $208, %rsp\n{}\tmovq 208(%rsp), %rdi\n\
                     \tcall vram_trace_resolve\n\tmovq %rax, %r11\n{}\taddq $216, %rsp\n\
                     \tjmp *%r11\n\
                     .Lbegin:\n\tleaq .Lrows(%rip), %rdi\n\tmovl ${count}, %esi\n\
                     \tjmp vram_trace_rows\n",
                    moves(true),
                    moves(false)
                )
            }
            Self::Arm => {
                let moves = |op: &str| {
                    let pair = |register: char, first: usize, at: usize| {
                        format!("\t{op} {register}{first}, {register}{}, [sp, #{at}]\n", first + 1)
                    };
                    let integers = (0..10).step_by(2).map(|i| pair('x', i, 16 + i * 8));
                    let vectors = (0..8).step_by(2).map(|i| pair('q', i, 96 + i * 16));
                    integers.chain(vectors).collect::<String>()
                };
                format!(
                    ".Lresolve:\n\tstp x29, x30, [sp, #-224]!\n{}\tmov x0, x17\n\
                     \tbl vram_trace_resolve\n\tmov x16, x0\n{}\tldp x29, x30, [sp], #224\n\
                     \tbr x16\n\
                     .Lbegin:\n\tadrp x0, .Lrows\n\tadd x0, x0, :lo12:.Lrows\n\
                     \tmov x1, #{count}\n\tb vram_trace_rows\n",
                    moves("stp"),
                    moves("ldp")
                )
            }
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

/// A function for each name of the driver's, which is a jump to what is there for it, or by a table to
/// the driver's own. A row of the table is a name, a function, where it leads and what it is: 0 for a
/// jump, 1 for what is there, 2 for what allocates uncounted. It leads to `first` until it is called.
fn passed_on(jump: &Jump, implemented: &BTreeSet<String>) -> String {
    let (mut code, mut rows, mut texts) = (String::new(), String::new(), String::new());
    let list = fs::read_to_string("names/cuda.txt").expect("the list can be read");
    for (number, line) in list.lines().enumerate() {
        let (name, kind) = line.split_once(' ').unwrap_or((line, ""));
        let (body, kind) = match (implemented.contains(name), kind) {
            (true, _) => (jump.to(&format!("vram_trace_{name}")), 1),
            (false, kind) => (jump.by_row(number), if kind == "uncounted" { 2 } else { 0 }),
        };
        let _ =
            writeln!(code, "\t.globl {name}\n\t.type {name}, %function\n{name}:\n.Lentry_{name}:");
        let _ = writeln!(
            code,
            "{body}\t.size {name}, .-{name}\n.Lfirst_{name}:\n{}",
            jump.first(number)
        );
        let _ = writeln!(rows, "\t.quad .Lname_{name}, .Lentry_{name}, .Lfirst_{name}, {kind}");
        let _ = writeln!(texts, ".Lname_{name}:\n\t.asciz \"{name}\"");
    }
    let count = list.lines().count();
    let own = format!(
        "\t.globl {OWN_OF_TRACE}\n\t.type {OWN_OF_TRACE}, %function\n{OWN_OF_TRACE}:\n{}",
        jump.to(&format!("vram_trace_{OWN_OF_TRACE}"))
    );
    format!(
        "\t.section .note.GNU-stack,\"\",%progbits\n\t.text\n{own}{code}{}\
         \t.section .init_array,\"aw\",%init_array\n\t.balign 8\n\t.quad .Lbegin\n\
         \t.section .data.rel,\"aw\",%progbits\n\t.balign 8\n.Lrows:\n{rows}\
         \t.section .rodata\n{texts}",
        jump.shared(count)
    )
}

/// A node for each version, which hides the symbols that versions were given to. What has no version
/// keeps the library's own.
fn version_script() -> String {
    let versions = LIBRARIES.iter().flat_map(|library| library.versions);
    versions.fold(String::new(), |script, version| {
        script + &format!("{version} {{ local: *__{}; }};\n", version.replace('.', "_"))
    })
}
