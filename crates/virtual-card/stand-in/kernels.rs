//! Modules that are loaded, and the kernels that were looked up in them.

use std::collections::HashMap;

use super::handles::Handle;
use super::ptx::Arguments;

/// A module: its kernels, where they can be read. Machine code is not looked into.
#[derive(Debug)]
pub struct Module {
    pub kernels: Option<HashMap<String, Arguments>>,
}

/// A kernel that the program looked up.
#[derive(Debug)]
pub struct Function {
    pub module: Handle,
    pub name: String,
    /// Widths of its arguments in bytes, where they are known.
    pub arguments: Option<Arguments>,
}

/// Those that are loaded.
#[derive(Debug, Default)]
pub struct Modules {
    pub modules: HashMap<Handle, Module>,
    pub functions: HashMap<Handle, Function>,
    pub by_name: HashMap<(Handle, String), Handle>,
}

impl Modules {
    pub fn function(&self, handle: Handle) -> Option<&Function> {
        self.functions.get(&handle)
    }
}
