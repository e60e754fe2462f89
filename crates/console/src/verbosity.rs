//! `-v` and `-q`: how much is said on stderr.

use std::io::{self, IsTerminal};

use clap_verbosity_flag::{LogLevel, VerbosityFilter};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format;
use tracing_subscriber::fmt::format::FmtSpan;

/// The flags, to be flattened into a command line.
pub type Verbosity = clap_verbosity_flag::Verbosity<DefaultLevel>;

/// What is said without a flag: what happens, and nothing of why.
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultLevel;

impl LogLevel for DefaultLevel {
    fn default_filter() -> VerbosityFilter {
        VerbosityFilter::Info
    }

    fn verbose_help() -> Option<&'static str> {
        Some("Say what is decided and why on stderr (twice: how long each part took)")
    }

    fn verbose_long_help() -> Option<&'static str> {
        None
    }

    fn quiet_help() -> Option<&'static str> {
        Some("Say nothing on stderr but warnings and errors (twice: errors alone)")
    }

    fn quiet_long_help() -> Option<&'static str> {
        None
    }
}

/// From now on messages go to stderr, in colour only for a terminal that wants it. `RUST_LOG`
/// refines `-v` and `-q`.
pub fn init(verbosity: &Verbosity) {
    let level = verbosity.tracing_level_filter();
    // What `RUST_LOG` says of a crate goes before what the flags say of all.
    let refined = std::env::var("RUST_LOG").unwrap_or_default();
    let filter = EnvFilter::builder().parse_lossy(format!("{level},{refined}"));
    let colour =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let spans = if filter.max_level_hint() == Some(LevelFilter::TRACE) {
        FmtSpan::CLOSE
    } else {
        FmtSpan::NONE
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Lines have no time of day; what a span took is told all the same.
        .event_format(format().without_time().with_target(false))
        .with_span_events(spans)
        .with_writer(io::stderr)
        .with_ansi(colour)
        // It would report a closed stderr on stderr, and panic.
        .log_internal_errors(false)
        .init();
}
