//! Ctrl-C and SIGTERM: the row's process is ended, what is finished is kept.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use signal_hook::consts::{SIGINT, SIGTERM};

use crate::error::SweepError;

/// What ends a sweep from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C (SIGINT).
    Interrupt,
    /// SIGTERM.
    Terminate,
}

/// Whether a signal came, and the process to end when one does.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<State>);

#[derive(Debug, Default)]
struct State {
    signal: AtomicI32,
    child: Mutex<Option<u32>>,
}

impl Interrupt {
    /// Catches both signals from now on.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn catch() -> Result<Self, SweepError> {
        let interrupt = Self::default();
        let seen = interrupt.clone();
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])
            .map_err(SweepError::system("catch Ctrl-C"))?;
        std::thread::spawn(move || {
            for signal in signals.forever() {
                seen.0.signal.store(signal, Ordering::SeqCst);
                seen.end_child();
            }
        });
        Ok(interrupt)
    }

    /// The signal that came.
    pub fn signal(&self) -> Option<Signal> {
        match self.0.signal.load(Ordering::SeqCst) {
            0 => None,
            SIGTERM => Some(Signal::Terminate),
            _ => Some(Signal::Interrupt),
        }
    }

    /// The process that a signal ends, until it is over.
    pub fn watch(&self, child: Option<u32>) {
        *self.0.child.lock().unwrap_or_else(PoisonError::into_inner) = child;
        // A signal that came in between ends it, too.
        if self.signal().is_some() {
            self.end_child();
        }
    }

    /// Ends the process that is watched.
    pub fn end_child(&self) {
        let child = *self.0.child.lock().unwrap_or_else(PoisonError::into_inner);
        let pid = child.and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(pid) = pid {
            // It fails only for a process that has ended.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}
