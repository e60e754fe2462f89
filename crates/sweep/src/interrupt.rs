//! Ctrl-C and SIGTERM: the processes of rows are ended, what is finished is kept.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::SweepError;
use crate::process;
use crate::signal::Signal;

/// Whether a signal came, and the processes to end when one does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interrupt(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    signal: Option<Signal>,
    children: BTreeSet<u32>,
}

/// A process that a signal ends, until this is dropped.
pub(crate) struct Watched<'a> {
    interrupt: &'a Interrupt,
    child: u32,
}

impl Interrupt {
    /// What every Ctrl-C and SIGTERM to this process comes to from now on.
    pub(crate) fn caught() -> Result<Self, SweepError> {
        let interrupt = Self::default();
        let seen = interrupt.clone();
        process::on_signal(move |signal| seen.come(signal))
            .map_err(SweepError::system("catch Ctrl-C"))?;
        Ok(interrupt)
    }

    /// A signal came.
    pub(crate) fn come(&self, signal: Signal) {
        let mut state = self.state();
        state.signal = Some(signal);
        state.children.iter().copied().for_each(process::kill);
    }

    /// The signal that came.
    pub(crate) fn signal(&self) -> Option<Signal> {
        self.state().signal
    }

    /// A signal ends this process, too, from now on; one that came already does so at once.
    pub(crate) fn watch(&self, child: u32) -> Watched<'_> {
        let mut state = self.state();
        state.children.insert(child);
        if state.signal.is_some() {
            process::kill(child);
        }
        Watched { interrupt: self, child }
    }

    /// Ends a process that is watched.
    pub(crate) fn end(&self, child: u32) {
        if self.state().children.contains(&child) {
            process::kill(child);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        self.interrupt.state().children.remove(&self.child);
    }
}
