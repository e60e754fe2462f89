//! The way to a card: the executable that runs there takes over.

use std::ffi::OsString;

use miette::IntoDiagnostic;
#[cfg(not(unix))]
use vram_console::exit::Exit;
use vram_console::reply::Reply;
use vram_launch::choice::DeviceChoice;
use vram_launch::device::Place;
use vram_launch::executable::{Executable, cuda_executable_name, own_dir};

/// Where a command runs.
pub(crate) fn place(choice: DeviceChoice) -> miette::Result<Place> {
    let executable = own_dir().into_diagnostic()?.join(cuda_executable_name());
    Ok(choice.resolve(&executable)?)
}

/// Lets `executable` do what this process was asked for.
pub(crate) fn exec(executable: &Executable) -> miette::Result<Reply> {
    exec_with(executable, std::env::args_os().skip(1))
}

/// Lets `executable` do what these arguments ask for: in this process's place where the system allows,
/// as a child otherwise.
pub(crate) fn exec_with(
    executable: &Executable,
    arguments: impl IntoIterator<Item = OsString>,
) -> miette::Result<Reply> {
    let mut command = executable.command();
    command.args(arguments);
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let error = command.exec();
        Err(miette::miette!("cannot start {}: {error}", executable.path().display()))
    }
    #[cfg(not(unix))]
    {
        let status = command.status().into_diagnostic()?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        let exit = Exit::ALL.iter().find(|exit| Some(exit.code()) == code).copied();
        Ok(Reply { text: String::new(), exit: exit.unwrap_or(Exit::Failed) })
    }
}
