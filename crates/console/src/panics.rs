//! A panic is a defect here, and no message for a person: its details go to a file, and what is
//! said names that.

use std::any::Any;
use std::backtrace::Backtrace;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::path::PathBuf;

/// A panic that was caught.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
#[error("stopped unexpectedly: {message}")]
#[diagnostic(help("this is a defect: please report it with {}", log.display()))]
pub struct Panic {
    /// What it said.
    pub message: String,
    /// Where its details are.
    pub log: PathBuf,
}

/// From now on a panic is written to its log and prints nothing.
pub(crate) fn install() {
    std::panic::set_hook(Box::new(|info| {
        // Where it cannot be written, the message alone has to do.
        let _ = std::fs::write(log(), details(info));
    }));
}

/// One log per process.
fn log() -> PathBuf {
    std::env::temp_dir().join(format!("vram-panic-{}.log", std::process::id()))
}

fn details(info: &PanicHookInfo<'_>) -> String {
    let backtrace = Backtrace::force_capture();
    let version = env!("CARGO_PKG_VERSION");
    format!("vram {version}\n{info}\n\n{backtrace}\n")
}

/// Does `work`.
///
/// # Errors
///
/// A panic in it.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panic> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|panic| Panic { message: message(&*panic).to_owned(), log: log() })
}

/// `panic!` carries a literal or a formatted message.
fn message(panic: &(dyn Any + Send)) -> &str {
    let literal = panic.downcast_ref::<&str>().copied();
    literal.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_caught_with_its_message() {
        let literal = caught(|| panic!("broken")).unwrap_err();
        assert_eq!(literal.message, "broken");
        let formatted = caught(|| panic!("broken at {}", 7)).unwrap_err();
        assert_eq!(formatted.to_string(), "stopped unexpectedly: broken at 7");
        assert_eq!(caught(|| 7), Ok(7));
    }
}
