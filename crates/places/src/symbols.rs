//! From an address of code to the functions that it lies in.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use addr2line::{Loader, demangle_auto};
use vram_virtual_card::requests::Module;

use crate::name::Name;
use crate::origin;

/// A function that was being run, or what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Its name; none where its file was stripped.
    pub name: Option<Name>,
    /// Its source and the line that called on, where there is debug information.
    pub source: Option<(PathBuf, Option<u32>)>,
    /// Its address: the file's name and the offset that the file's own symbols would have.
    pub address: String,
    /// Whether it lies in the program's executable.
    pub is_in_program: bool,
    /// Whether it is the program's own.
    pub is_own: bool,
}

impl Frame {
    /// Its name, or where it lies.
    pub fn label(&self) -> &str {
        self.name.as_ref().map_or(&self.address, |name| &name.full)
    }
}

/// The files that code was loaded from, opened as they are asked for.
pub(crate) struct Symbols<'a> {
    modules: &'a [Module],
    program: &'a Path,
    /// One for each module, none where it cannot be read.
    loaders: HashMap<usize, Option<Loader>>,
    found: HashMap<u64, Rc<[Frame]>>,
}

impl<'a> Symbols<'a> {
    /// Of the process that ran `program`.
    pub fn new(modules: &'a [Module], program: &'a Path) -> Self {
        Self { modules, program, loaders: HashMap::new(), found: HashMap::new() }
    }

    /// The functions at a return address: those that were inlined first, innermost first.
    pub fn frames(&mut self, address: u64) -> Rc<[Frame]> {
        if let Some(known) = self.found.get(&address) {
            return known.clone();
        }
        let frames: Rc<[Frame]> = self.look_up(address).into();
        self.found.insert(address, frames.clone());
        frames
    }

    fn look_up(&mut self, address: u64) -> Vec<Frame> {
        // A call is before the address that it returns to, which may be another line's or function's.
        let call = address.saturating_sub(1);
        let inside = self.modules.iter().position(|module| module.code.contains(&call));
        let Some(number) = inside else {
            return vec![unnamed(format!("0x{address:x}"), false)];
        };
        let module = &self.modules[number];
        let is_in_program = module.path == self.program;
        let offset = address.wrapping_sub(module.bias);
        let file = module.path.file_name().unwrap_or(module.path.as_os_str()).to_string_lossy();
        let shown = format!("{file}+0x{offset:x}");
        let loader = self.loaders.entry(number).or_insert_with(|| Loader::new(&module.path).ok());
        let Some(loader) = loader else { return vec![unnamed(shown, is_in_program)] };
        let call = call.wrapping_sub(module.bias);
        let symbol = loader.find_symbol(call).map(demangled);
        let mut frames = described(loader, call, symbol.as_ref(), &shown, is_in_program);
        if frames.is_empty() {
            frames.push(frame(symbol, None, shown, is_in_program));
        }
        frames
    }
}

/// The functions at an address by debug information; nothing without.
fn described(
    loader: &Loader,
    call: u64,
    symbol: Option<&Name>,
    shown: &str,
    is_in_program: bool,
) -> Vec<Frame> {
    let mut frames = Vec::new();
    // A file whose debug information is broken has none.
    let Ok(mut found) = loader.find_frames(call) else { return frames };
    while let Ok(Some(described)) = found.next() {
        let source = described.location.and_then(|at| Some((PathBuf::from(at.file?), at.line)));
        let name = described.function.as_ref().and_then(|function| function.demangle().ok());
        let name = name.map(|name| {
            let name = Name::new(&name);
            match &source {
                Some((file, _)) if is_rust(file) => {
                    name.in_source(origin::package_of(file).as_deref(), file)
                }
                _ => name,
            }
        });
        frames.push(frame(name, source, shown.to_owned(), is_in_program));
    }
    // The function that the others were inlined into has a symbol, which tells more than the debug
    // information that `line-tables-only` leaves.
    if let (Some(outermost), Some(symbol)) = (frames.last_mut(), symbol) {
        let source = outermost.source.take();
        *outermost = frame(Some(symbol.clone()), source, shown.to_owned(), is_in_program);
    }
    frames
}

fn is_rust(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rs")
}

fn demangled(symbol: &str) -> Name {
    Name::new(&demangle_auto(symbol.into(), None))
}

fn frame(
    name: Option<Name>,
    source: Option<(PathBuf, Option<u32>)>,
    address: String,
    is_in_program: bool,
) -> Frame {
    let file = source.as_ref().map(|(file, _)| file.as_path());
    let is_own = name.as_ref().is_some_and(|name| origin::is_own(name, file, is_in_program));
    Frame { name, source, address, is_in_program, is_own }
}

fn unnamed(address: String, is_in_program: bool) -> Frame {
    Frame { name: None, source: None, address, is_in_program, is_own: false }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[inline(never)]
    fn a_function_of_this_program(number: u64) -> u64 {
        std::hint::black_box(number) + 1
    }

    /// Where this program's own code lies.
    fn this_program() -> Module {
        let path = std::env::current_exe().unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let lines = maps.lines().filter(|line| line.ends_with(path.to_str().unwrap()));
        let ranges: Vec<(u64, u64)> = lines
            .map(|line| {
                let (begin, rest) = line.split_once('-').unwrap();
                let number = |text| u64::from_str_radix(text, 16).unwrap();
                (number(begin), number(rest.split(' ').next().unwrap()))
            })
            .collect();
        let (first, last) = (ranges[0], ranges[ranges.len() - 1]);
        Module { path, code: first.0..last.1, bias: first.0 }
    }

    #[test]
    fn a_function_is_known_with_its_line() {
        let module = this_program();
        let address = a_function_of_this_program as *const () as u64 + 1;
        let modules = [module];
        let mut symbols = Symbols::new(&modules, &modules[0].path);
        let frames = symbols.frames(address);
        let outermost = frames.last().unwrap();
        let name = outermost.name.as_ref().unwrap();
        assert_eq!(name.short(2), "tests::a_function_of_this_program");
        assert!(outermost.is_own && outermost.is_in_program);
        let (file, line) = outermost.source.as_ref().unwrap();
        assert!(file.ends_with("src/symbols.rs") && line.is_some(), "{file:?}");
        assert_eq!(a_function_of_this_program(1), 2);
    }

    #[test]
    fn a_file_that_cannot_be_read_has_no_names() {
        let path = PathBuf::from("/no/such/train");
        let modules = [Module { path: path.clone(), code: 0x1000..0x2000, bias: 0x800 }];
        let mut symbols = Symbols::new(&modules, &path);
        assert_eq!(symbols.frames(0x1234)[0].label(), "train+0xa34");
        assert_eq!(
            symbols.frames(0x2000)[0].label(),
            "train+0x1800",
            "a call may be the last of it"
        );
        assert_eq!(symbols.frames(0x2001)[0].label(), "0x2001");
    }
}
