//! How a program ends that cannot go on.

use std::error::Error;
use std::fmt;

/// What ended a program. An error that `main` returns is printed by its `Debug`, which of this one is
/// the message, and the exit code is 1.
pub struct Failure(Box<dyn Error>);

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
