//! This process, as far as it is written down: one state, behind one lock.

use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::c_int;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::protocol::DIRECTORY_VARIABLE;

use super::counters::counters;
use super::counts::Counts;
use super::driver::{self, Driver, Handle};
use super::mixed::ByMixed;
use super::record::Record;

/// What an event was recorded after: a stream, and as many steps.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    pub stream: Handle,
    pub steps: u64,
}

pub struct Session {
    pub record: Record,
    pub counts: Counts,
    pub events: HashMap<Handle, Order, ByMixed>,
    /// Whether anything was allocated, freed or set since the last mark.
    pub changed: bool,
    /// Whether they are asked when the program comes to its end, and what the driver's counters said then.
    is_asked_at_exit: bool,
    last: Option<String>,
}

static SESSION: Mutex<Option<Session>> = Mutex::new(None);

/// Whether this process is a copy of one that was written down, which is not.
static IS_COPY: AtomicBool = AtomicBool::new(false);

/// Whether steps are written down one by one.
static IS_LOGGED: AtomicBool = AtomicBool::new(true);

thread_local! {
    /// Whether the thread is in a function that is counted: what is called from there is the driver's own.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

unsafe extern "C" {
    fn pthread_atfork(
        before: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
    ) -> c_int;
    fn atexit(function: extern "C" fn()) -> c_int;
}

extern "C" fn is_copied() {
    IS_COPY.store(true, Ordering::Relaxed);
}

/// Held while a thread is in a function that is counted.
pub struct Inside(());

impl Inside {
    /// `None` where nothing is counted: in a copy, and within another such function.
    pub fn enter() -> Option<Self> {
        if IS_COPY.load(Ordering::Relaxed) {
            return None;
        }
        match INSIDE.try_with(|inside| inside.replace(true)) {
            Ok(false) => Some(Self(())),
            _ => None,
        }
    }

    /// The state, begun if need be.
    fn lock(&self) -> MutexGuard<'static, Option<Session>> {
        let mut session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
        if session.is_none() && !IS_COPY.load(Ordering::Relaxed) {
            *session = Session::begin();
        }
        if let Some(session) = session.as_mut() {
            session.ask_at_exit();
        }
        session
    }

    /// Works on the state.
    pub fn with<T>(&self, work: impl FnOnce(&mut Session, &'static Driver) -> T) -> Option<T> {
        self.lock().as_mut().map(|session| work(session, driver::get()))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INSIDE.try_with(|inside| inside.set(false));
    }
}

/// Calls the driver and then counts what came of it, as one: for what it does under a lock of its own,
/// so that both are in the same order.
pub fn at_once(
    call: impl FnOnce(&Driver) -> i32,
    count: impl FnOnce(&mut Session, &'static Driver, i32),
) -> i32 {
    let Some(inside) = Inside::enter() else { return call(driver::get()) };
    let mut session = inside.lock();
    let code = call(driver::get());
    if let Some(session) = session.as_mut() {
        count(session, driver::get(), code);
    }
    code
}

/// Calls the driver and then counts what came of it: for what may wait for the card or another thread.
pub fn after(
    call: impl FnOnce(&Driver) -> i32,
    count: impl FnOnce(&mut Session, &'static Driver, i32),
) -> i32 {
    let Some(inside) = Inside::enter() else { return call(driver::get()) };
    let code = call(driver::get());
    inside.with(|session, driver| count(session, driver, code));
    code
}

/// Whether steps are written down one by one, as far as is known.
pub fn is_logged() -> bool {
    IS_LOGGED.load(Ordering::Relaxed)
}

/// Writes down that there is no driver.
pub fn note_no_driver() {
    if let Some(inside) = Inside::enter() {
        // It is among the first that is written.
        inside.with(|_, _| ());
    }
}

/// Writes down, once, that a function was called which allocates what is not counted.
pub fn note_uncounted(name: &str) {
    if let Some(inside) = Inside::enter() {
        inside.with(|session, _| session.record.event_once("uncounted", name));
    }
}

impl Session {
    fn begin() -> Option<Self> {
        let directory = PathBuf::from(std::env::var_os(DIRECTORY_VARIABLE)?);
        let mut record = Record::begin(&directory).ok()?;
        let program = std::env::current_exe().unwrap_or_default();
        record.event(&[&"start", &std::process::id(), &program.display()]);
        IS_LOGGED.store(record.is_logged(), Ordering::Relaxed);
        // SAFETY: a function that takes nothing and stays.
        unsafe { pthread_atfork(None, None, Some(is_copied)) };
        let mut driver_version = 0;
        let driver = driver::get();
        if !driver.is_there() {
            record.event(&[&"no_driver"]);
        }
        // SAFETY: a place to write a number to.
        unsafe { (driver.cuDriverGetVersion)(&raw mut driver_version) };
        record.event(&[&"driver", &driver_version]);
        let (counts, events) = (Counts::default(), HashMap::default());
        Some(Self { record, counts, events, changed: false, is_asked_at_exit: false, last: None })
    }

    /// Has the counters asked at the program's end, before the driver's own: what was registered last
    /// runs first, and the driver has registered its end when there is a context.
    fn ask_at_exit(&mut self) {
        if !self.is_asked_at_exit && driver::get().current_device().is_some() {
            self.is_asked_at_exit = true;
            // SAFETY: a function that takes nothing and stays.
            unsafe { atexit(at_exit) };
        }
    }
}

/// How often the state is asked for at the end of the process, and how long is waited in between: a
/// thread that is still at work lets it go, one that was stopped never does.
const TRIES: u32 = 1000;
const WAIT: Duration = Duration::from_micros(100);

fn at_the_end(work: impl FnOnce(&mut Session)) {
    let Some(_inside) = Inside::enter() else { return };
    for _ in 0..TRIES {
        if let Ok(mut session) = SESSION.try_lock() {
            return session.as_mut().map_or((), work);
        }
        std::thread::sleep(WAIT);
    }
}

/// While the driver still answers.
extern "C" fn at_exit() {
    at_the_end(|session| {
        let Session { record, counts, last, .. } = session;
        *last = Some(counters(record, counts, driver::get(), true));
    });
}

/// After the program's own destructors.
extern "C" fn at_end() {
    at_the_end(|session| {
        let last = session.last.take().unwrap_or_default();
        session.record.mark_beside("end", "", &last);
        session.record.end();
    });
}

#[cfg(passing)]
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_END: extern "C" fn() = at_end;
