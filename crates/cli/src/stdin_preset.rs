//! `-` in place of an ant or a colony: the preset that standard input holds.

use std::ffi::OsString;
use std::io;

use miette::{Context, IntoDiagnostic, miette};
use serde::Serialize;
use vram_presets::error::PresetError;
use vram_presets::kind::PresetKind;
use vram_presets::library::{ant_from_text, colony_from_text};
use vram_source::file::LIMIT_BYTES;
use vram_source::text::Syntax;

use crate::bounded;

/// What stands for standard input.
const STDIN: &str = "-";

/// An ant and a colony as the library takes them. What standard input held is inline JSON here, so that
/// a recorded command says it, and whoever takes over needs no second look at what was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PresetPair {
    pub(crate) ant: String,
    pub(crate) colony: String,
}

impl PresetPair {
    /// What a command line gave, one `-` of it read.
    ///
    /// # Errors
    ///
    /// Two of them, or a standard input that cannot be read or holds no such preset.
    pub(crate) fn given(ant: &str, colony: &str) -> miette::Result<Self> {
        let (mut ant, mut colony) = (ant.to_owned(), colony.to_owned());
        match (ant == STDIN, colony == STDIN) {
            (true, true) => {
                return Err(miette!(
                    help = "give one of them as a preset, a file or inline JSON",
                    "--ant and --colony cannot both be standard input"
                ));
            }
            (true, false) => ant = inline(PresetKind::Ant, ant_from_text)?,
            (false, true) => colony = inline(PresetKind::Colony, colony_from_text)?,
            (false, false) => {}
        }
        Ok(Self { ant, colony })
    }

    /// The process's arguments, its own name left out, with what was read in place of a `-`.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        self.in_place(std::env::args_os().skip(1))
    }

    fn in_place(&self, arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
        let mut flag = None;
        let replaced = arguments.into_iter().map(|word| {
            let text = match (flag.take(), word.to_str()) {
                (Some(text), Some(STDIN)) => Some(OsString::from(text)),
                (_, Some("--ant")) => {
                    flag = Some(&self.ant);
                    None
                }
                (_, Some("--colony")) => {
                    flag = Some(&self.colony);
                    None
                }
                (_, Some("--ant=-")) => Some(format!("--ant={}", self.ant).into()),
                (_, Some("--colony=-")) => Some(format!("--colony={}", self.colony).into()),
                _ => None,
            };
            text.unwrap_or(word)
        });
        replaced.collect()
    }
}

/// What standard input holds, as inline JSON.
fn inline<T: Serialize>(
    kind: PresetKind,
    parse: impl FnOnce(&str, Syntax) -> Result<T, PresetError>,
) -> miette::Result<String> {
    let text = bounded::text(io::stdin().lock(), LIMIT_BYTES)
        .into_diagnostic()
        .wrap_err_with(|| format!("cannot read the {kind} from standard input"))?;
    let is_json = text.trim_start().starts_with('{');
    let syntax = if is_json { Syntax::Json } else { Syntax::Toml };
    let spec = parse(&text, syntax)
        .map_err(miette::Report::new)
        .wrap_err_with(|| format!("standard input holds no {kind}"))?;
    serde_json::to_string(&spec).into_diagnostic()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dash_of_a_preset_is_replaced() {
        let pair = PresetPair { ant: "{1}".to_owned(), colony: "{2}".to_owned() };
        let replaced = |words: &[&str]| pair.in_place(words.iter().map(OsString::from));
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(
            replaced(&["probe", "--ant", "-", "--colony", "x", "--row-id", "-"]),
            words(&["probe", "--ant", "{1}", "--colony", "x", "--row-id", "-"])
        );
        assert_eq!(replaced(&["--ant=a", "--colony=-"]), words(&["--ant=a", "--colony={2}"]));
    }
}
