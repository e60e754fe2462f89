//! This process on the virtual card: one state, behind one lock.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::protocol::{CARD_FILE, DIRECTORY_VARIABLE, FILL_VARIABLE, MAX_CARDS};

use super::card::{BEYOND_REGIONS, Facts, Regions};
use super::contents::Contents;
use super::fill::Fill;
use super::handles::Handles;
use super::host_ranges::HostMemory;
use super::identity;
use super::kernels::Modules;
use super::loaded;
use super::lost::LostCards;
use super::mappings::Mappings;
use super::record::Record;
use super::status::Status;

/// A card that this process sees.
#[derive(Debug)]
pub struct Visible {
    /// Its number among the run's cards.
    pub number: usize,
    /// How often its primary context is retained.
    pub retained: u32,
    /// Whether contexts and each library were counted in already.
    pub context_counted: bool,
    pub libraries_counted: Vec<&'static str>,
    /// Base addresses of its regions.
    pub default_pool: u64,
    pub current_pool: u64,
    pub direct_small: u64,
    pub direct_large: u64,
}

pub struct Session {
    pid: u32,
    pub facts: Facts,
    /// How many there are in the machine.
    pub cards: usize,
    /// Bytes of each card.
    pub memory: u64,
    pub visible: Vec<Visible>,
    pub record: Record,
    lost: LostCards,
    pub regions: Regions,
    pub contents: Contents,
    pub handles: Handles,
    pub modules: Modules,
    pub host: HostMemory,
    pub mappings: Mappings,
    /// Whether addresses of the card lie in its own memory, where a kernel may follow them.
    pub addresses_in_memory: bool,
    fill: Fill,
    /// Readings of computed memory so far, and the last of them: who reads the same again sees the same.
    readings: u64,
    last_reading: Option<(u64, usize)>,
}

static SESSION: Mutex<Option<Session>> = Mutex::new(None);

/// The process that initialised the driver; 0 for none.
static INITIALIZED_BY: AtomicU32 = AtomicU32::new(0);

/// Runs a function of the driver, if the driver is initialised, and gives its code.
pub fn answer(body: impl FnOnce() -> Result<(), Status>) -> i32 {
    match refused_in_copy() {
        Ok(()) if INITIALIZED_BY.load(Ordering::Relaxed) == 0 => Status::NOT_INITIALIZED.0,
        Ok(()) => body().map_or_else(|status| status.0, |()| 0),
        Err(status) => status.0,
    }
}

/// Refuses, as the driver does, and writes down what a copy of a process asks for that had initialised
/// the driver.
fn refused_in_copy() -> Result<(), Status> {
    let by = INITIALIZED_BY.load(Ordering::Relaxed);
    if by == 0 || by == std::process::id() {
        return Ok(());
    }
    loaded::note_in_copy(DIRECTORY_VARIABLE);
    Err(Status::NOT_INITIALIZED)
}

fn lock() -> MutexGuard<'static, Option<Session>> {
    SESSION.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Works on the state.
pub fn with<T>(work: impl FnOnce(&mut Session) -> Result<T, Status>) -> Result<T, Status> {
    refused_in_copy()?;
    lock().as_mut().map_or(Err(Status::NOT_INITIALIZED), work)
}

/// Works on the state, begun if need be, where there is a run to tell it to: for calls that are no
/// error before the driver is initialised.
pub fn note(work: impl FnOnce(&mut Session)) {
    let by = INITIALIZED_BY.load(Ordering::Relaxed);
    if by != 0 && by != std::process::id() {
        return;
    }
    if let Some(session) = begun(&mut lock()) {
        work(session);
    }
}

/// This process's state, begun if need be. That of a process of which it is a copy is not its own.
fn begun(session: &mut Option<Session>) -> Option<&mut Session> {
    if session.as_ref().is_none_or(|session| session.pid != std::process::id()) {
        *session = Session::begin();
    }
    session.as_mut()
}

/// Initialises the driver.
pub fn initialize() -> Result<(), Status> {
    refused_in_copy()?;
    let mut session = lock();
    let session = begun(&mut session).ok_or(Status::NO_DEVICE)?;
    INITIALIZED_BY.store(std::process::id(), Ordering::Relaxed);
    if session.visible.is_empty() { Err(Status::NO_DEVICE) } else { Ok(()) }
}

impl Session {
    fn begin() -> Option<Self> {
        let directory = PathBuf::from(std::env::var_os(DIRECTORY_VARIABLE)?);
        let facts = Facts::read(&directory.join(CARD_FILE)).ok()?;
        let mut record = Record::begin(&directory).ok()?;
        let program = std::env::current_exe().unwrap_or_default();
        record.event(&[&"start", &std::process::id(), &program.display()]);
        let cards = (facts.number("cards") as usize).min(MAX_CARDS);
        let mut session = Self {
            pid: std::process::id(),
            memory: facts.number("memory"),
            facts,
            cards,
            visible: Vec::new(),
            record,
            lost: LostCards::of(&directory),
            regions: Regions::default(),
            contents: Contents::default(),
            handles: Handles::default(),
            modules: Modules::default(),
            host: HostMemory::default(),
            mappings: Mappings::default(),
            addresses_in_memory: false,
            fill: Fill::parse(&std::env::var(FILL_VARIABLE).unwrap_or_default()),
            readings: 0,
            last_reading: None,
        };
        for number in
            identity::visible(cards, std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref())
        {
            let default_pool = session.regions.add_pool(number)?.base;
            let direct_small = session.regions.add_direct(number, true)?.base;
            let direct_large = session.regions.add_direct(number, false)?.base;
            session.visible.push(Visible {
                number,
                retained: 0,
                context_counted: false,
                libraries_counted: Vec::new(),
                default_pool,
                current_pool: default_pool,
                direct_small,
                direct_large,
            });
        }
        loaded::check(&mut session.record);
        Some(session)
    }

    /// A card by its number in this process.
    pub fn card(&mut self, device: i32) -> Result<&mut Visible, Status> {
        let index = usize::try_from(device).map_err(|_| Status::INVALID_DEVICE)?;
        self.visible.get_mut(index).ok_or(Status::INVALID_DEVICE)
    }

    /// Whether a card of the machine has fallen off the bus. It does not come back.
    pub fn is_lost(&mut self, number: usize) -> bool {
        if !self.lost.may_be() {
            return false;
        }
        let is_lost =
            self.record.is_lost(number) || self.lost.name(number, self.record.requests_of(number));
        if is_lost {
            self.record.lose(number);
        }
        is_lost
    }

    /// That a card of the machine is there, for a call that needs it.
    pub fn need(&mut self, number: usize) -> Result<(), Status> {
        if !self.is_lost(number) {
            return Ok(());
        }
        let mut visible = self.visible.iter();
        match visible.any(|card| card.number == number && card.context_counted) {
            true => Err(Status::UNKNOWN),
            false => Err(Status::DEVICE_UNAVAILABLE),
        }
    }

    /// The same for a request for memory, which a card may fall at.
    pub fn need_for_request(&mut self, number: usize) -> Result<(), Status> {
        if self.lost.may_be() {
            self.record.count_request(number);
        }
        self.need(number)
    }

    /// Whether a card has `bytes` more for this process, with what killed processes held if need be.
    pub fn fits(&self, card: usize, bytes: u64) -> bool {
        let fits = || {
            let held = self.record.held(card).checked_add(bytes);
            held.is_some_and(|held| held <= self.memory)
        };
        fits() || {
            self.record.give_back_departed();
            fits()
        }
    }

    /// Counts in what a library or a context takes of a card for itself, once. What does not fit is not
    /// refused: whether a library fails of it, and how, is not known.
    pub fn count_library(&mut self, device: i32, library: &'static str) {
        let bytes = self.facts.number(library);
        let Ok(card) = self.card(device) else { return };
        if card.libraries_counted.contains(&library) {
            return;
        }
        card.libraries_counted.push(library);
        let number = card.number;
        self.record.grow(number, |c| &c.held, bytes);
    }

    /// The host reads memory of the card. What is not known reads as the run's fill, and is counted.
    pub fn read(&mut self, address: u64, to: &mut [u8]) {
        let fill = self.fill;
        let nonce = match self.last_reading {
            Some(last) if last == (address, to.len()) => self.readings,
            _ => self.readings + 1,
        };
        let missing =
            self.contents.read(address, to, |part, offset| fill.fill(part, offset, nonce));
        if missing > 0 {
            self.readings = nonce;
            self.last_reading = Some((address, to.len()));
            self.record.tally(|t| &t.computed_bytes_read, missing);
        }
    }

    /// The host writes memory of the card.
    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        self.contents.write(address, bytes);
        // Tables of addresses are short.
        if !self.addresses_in_memory && bytes.len() <= 1 << 16 {
            let mut words = bytes.chunks_exact(8).map(|word| {
                u64::from_le_bytes([
                    word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7],
                ])
            });
            self.addresses_in_memory = words
                .any(|word| self.regions.allocation(word).is_some() || self.mappings.hold(word));
        }
    }

    /// A kernel or a library may have written into what lies at `address`, and nothing else.
    pub fn written(&mut self, address: u64) {
        self.last_reading = None;
        if let Some((start, bytes)) = self.regions.allocation(address) {
            self.contents.forget(start, bytes);
        }
        // Nothing tells how far a mapping reaches for a kernel: the next may be one with it.
        if address >= BEYOND_REGIONS {
            self.contents.forget(BEYOND_REGIONS, u64::MAX - BEYOND_REGIONS);
        }
    }

    /// A kernel or a library may have written anywhere.
    pub fn written_anywhere(&mut self) {
        self.last_reading = None;
        self.contents.forget_all();
    }
}

/// How often the state is asked for at the end of the process, and how long is waited in between: a
/// thread that is still at work lets it go, one that was stopped never does.
const TRIES: u32 = 1000;
const WAIT: Duration = Duration::from_micros(100);

/// The end of the process, as far as it comes to one by itself: after the program's own destructors.
extern "C" fn at_exit() {
    for _ in 0..TRIES {
        let Ok(mut session) = SESSION.try_lock() else {
            std::thread::sleep(WAIT);
            continue;
        };
        if let Some(session) = session.as_mut().filter(|s| s.pid == std::process::id()) {
            loaded::check(&mut session.record);
            session.record.mark("end", "");
            session.record.end();
        }
        return;
    }
}

#[cfg(stand_in)]
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = at_exit;
