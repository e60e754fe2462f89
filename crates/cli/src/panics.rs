//! A panic is a defect here, and no message for a person: its details go to a file, and what is
//! said names that.

use std::any::Any;
use std::backtrace::Backtrace;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::path::PathBuf;

use miette::miette;

/// From now on a panic is written to its log and prints nothing.
pub(crate) fn install() {
    std::panic::set_hook(Box::new(|info| {
        // Where it cannot be written, the message alone has to do.
        let _ = std::fs::write(log(), details(info));
    }));
}

/// One log per process.
pub(crate) fn log() -> PathBuf {
    std::env::temp_dir().join(format!("vram-panic-{}.log", std::process::id()))
}

fn details(info: &PanicHookInfo<'_>) -> String {
    let backtrace = Backtrace::force_capture();
    let version = env!("CARGO_PKG_VERSION");
    format!("vram {version}\n{info}\n\n{backtrace}\n")
}

/// Does `work`; a panic in it becomes an error that names the log.
pub(crate) fn caught<T>(work: impl FnOnce() -> miette::Result<T>) -> miette::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        Err(miette!(
            help = format!("this is a defect: please report it with {}", log().display()),
            "stopped unexpectedly: {}",
            message(&*panic)
        ))
    })
}

/// `panic!` carries a literal or a formatted message.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
