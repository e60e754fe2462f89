//! The program to run: where it is, and whether libraries can stand in for those that it loads.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use elf::ElfStream;
use elf::abi::{EM_AARCH64, EM_X86_64, PT_INTERP};
use elf::endian::AnyEndian;

use crate::error::DryRunError;

/// The file that `name` runs, as a shell finds it.
pub(crate) fn find(name: &Path) -> Result<PathBuf, DryRunError> {
    let none = || DryRunError::NoProgram { program: name.to_owned() };
    if name.components().count() > 1 || name.is_absolute() {
        return if is_executable(name) { Ok(name.to_owned()) } else { Err(none()) };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|p| is_executable(p))
        .ok_or_else(none)
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// That the loader will take our libraries for this program. A script's interpreter is not looked at:
/// what it starts may be anything.
pub(crate) fn check(program: &Path) -> Result<(), DryRunError> {
    let Ok(open) = fs::File::open(program) else { return Ok(()) };
    let Ok(file) = ElfStream::<AnyEndian, _>::open_stream(open) else { return Ok(()) };
    let machine = if cfg!(target_arch = "x86_64") { EM_X86_64 } else { EM_AARCH64 };
    if file.ehdr.e_machine != machine {
        let why = "it is built for another processor";
        return Err(DryRunError::NotForThisMachine { program: program.to_owned(), why });
    }
    if !file.segments().iter().any(|segment| segment.p_type == PT_INTERP) {
        return Err(DryRunError::Static { program: program.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() {
        assert!(find(Path::new("sh")).unwrap().is_absolute());
        assert!(check(&find(Path::new("sh")).unwrap()).is_ok());
        let error = find(Path::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "there is no program `no-such-program`");
        assert!(find(Path::new("./Cargo.toml")).is_err(), "it is not executable");
    }
}
