//! What a command has to say, and how its process then ends.

use crate::exit::Exit;

/// What a command has to say on stdout, and how the process then ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Everything that goes to stdout, with its last newline.
    pub text: String,
    /// How the process ends.
    pub exit: Exit,
}

impl Reply {
    /// A command that did what it was asked for.
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), exit: Exit::Done }
    }
}
