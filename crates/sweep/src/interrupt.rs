//! Ctrl-C and SIGTERM: the row's process is ended, what is finished is kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::process;
use crate::signal::Signal;

/// Whether a signal came, and the process to end when one does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    signal: Option<Signal>,
    child: Option<u32>,
}

impl Interrupt {
    /// A signal came.
    pub(crate) fn come(&self, signal: Signal) {
        self.state().signal = Some(signal);
        self.end_child();
    }

    /// The signal that came.
    pub(crate) fn signal(&self) -> Option<Signal> {
        self.state().signal
    }

    /// The process that a signal ends, until it is over.
    pub(crate) fn watch(&self, child: Option<u32>) {
        self.state().child = child;
        // A signal that came in between ends it, too.
        if self.signal().is_some() {
            self.end_child();
        }
    }

    /// Ends the process that is watched.
    pub(crate) fn end_child(&self) {
        if let Some(id) = self.state().child {
            process::kill(id);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
