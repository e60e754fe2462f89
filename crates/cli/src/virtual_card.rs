//! What the subcommands on a virtual card share.

#[cfg(not(target_os = "linux"))]
pub(crate) fn only_on_linux() -> miette::Report {
    miette::miette!(
        help = "run it on Linux, in a container or in WSL 2, say",
        "a virtual card needs the loader of Linux, which puts one library in another's place"
    )
}

#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(target_os = "linux")]
mod linux {
    use std::error::Error;
    use std::ffi::OsString;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use miette::{IntoDiagnostic, Report, miette};
    use signal_hook::consts::{SIGINT, SIGTERM};
    use vram_console::exit::Exit;
    use vram_console::reply::Reply;
    use vram_console::terminal;
    use vram_sweep::signal::Signal;
    use vram_virtual_card::dry_run::Listener;
    use vram_virtual_card::error::DryRunError;
    use vram_virtual_card::run::{Invocation, Run};

    /// Tells what happens on stderr, and whether a signal came.
    pub(crate) struct Watcher {
        /// The number of the signal that came last; 0 for none.
        signal: Arc<AtomicUsize>,
        failed_shown: bool,
    }

    impl Watcher {
        pub(crate) fn new() -> miette::Result<Self> {
            let came = Arc::new(AtomicUsize::new(0));
            for signal in [SIGINT, SIGTERM] {
                signal_hook::flag::register_usize(signal, came.clone(), signal as usize)
                    .into_diagnostic()?;
            }
            Ok(Self { signal: came, failed_shown: false })
        }

        /// The reply to a run that a signal ended; other errors are refusals.
        pub(crate) fn reply(&self, error: DryRunError) -> miette::Result<Reply> {
            let signal = match self.signal.load(Ordering::Relaxed) as i32 {
                SIGTERM => Signal::Terminate,
                _ => Signal::Interrupt,
            };
            match error {
                DryRunError::Interrupted => {
                    Ok(Reply { text: String::new(), exit: Exit::from(signal) })
                }
                error => Err(refused(error)),
            }
        }
    }

    impl Listener for Watcher {
        fn begins(&mut self, number: usize, of: usize) {
            tracing::debug!("run {number} of {of}");
        }

        fn failed(&mut self, number: usize, run: &Run) {
            terminal::say(&format!(
                "run {number}, with {} in place of computed values, ended with {}",
                run.fill, run.ending
            ));
            // The same words eight times help nobody.
            if !std::mem::replace(&mut self.failed_shown, true) {
                terminal::say(String::from_utf8_lossy(&run.output).trim_end());
            }
        }

        fn is_interrupted(&self) -> bool {
            self.signal.load(Ordering::Relaxed) != 0
        }
    }

    /// What to run.
    pub(crate) fn invocation(words: &[OsString]) -> Invocation {
        let (program, arguments) =
            words.split_first().map_or((PathBuf::new(), &[][..]), |(p, a)| (PathBuf::from(p), a));
        Invocation { program, arguments: arguments.to_vec() }
    }

    /// The same for reading.
    pub(crate) fn names(words: &[OsString]) -> Vec<String> {
        words.iter().map(|word| word.to_string_lossy().into_owned()).collect()
    }

    /// Why nothing runs, and what to do.
    pub(crate) fn refused(error: DryRunError) -> Report {
        let help = match &error {
            DryRunError::UnknownCard { .. } => {
                "for another card's memory, name the nearest of these and --vram SIZE"
            }
            DryRunError::NoProgram { .. } => {
                "name a file that can be executed, or a program on the path"
            }
            DryRunError::Static { .. } => {
                "link it dynamically: rustc does for the target *-linux-gnu"
            }
            DryRunError::NotForThisMachine { .. } => "build it for this machine",
            _ => {
                let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
                return Report::msg(format!("{error}{cause}"));
            }
        };
        miette!(help = help, "{error}")
    }
}
