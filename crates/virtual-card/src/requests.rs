//! What a process asked of the driver's memory, call by call, and the stacks that asked.

use std::path::PathBuf;

/// What is written down of a run, request by request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wanted {
    /// Nothing.
    #[default]
    Nothing,
    /// Every call that bears on memory.
    Calls,
    /// The stack of every allocation as well.
    Stacks,
}

/// Where an allocation lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// In a pool of the driver's (`cuMemAllocAsync`).
    Pool,
    /// On the card beside the pools (`cuMemAlloc`, managed and mapped memory).
    Outside,
    /// On the host, page-locked: none of the card's.
    Host,
}

/// One call, or what it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An allocation that succeeded.
    Allocate {
        /// The card's number.
        card: u32,
        /// Where it lies.
        memory: Memory,
        /// Its address.
        address: u64,
        /// Bytes that were asked for.
        bytes: u64,
        /// The stream in whose order it is there; 0 for none.
        stream: u64,
        /// Its stack: an index of [`Requests::stacks`], where stacks were asked for.
        stack: Option<u32>,
    },
    /// An allocation that goes.
    Free {
        /// Its address.
        address: u64,
        /// The stream in whose order it goes; 0 for none.
        stream: u64,
    },
    /// The host waited for a stream.
    SynchronizeStream {
        /// The stream.
        stream: u64,
    },
    /// The host waited for all of a card's streams.
    SynchronizeContext {
        /// The card's number.
        card: u32,
    },
    /// The host waited for an event.
    SynchronizeEvent {
        /// The stream that the event was recorded on.
        stream: u64,
        /// Steps that were taken when it was recorded: an index of [`Requests::steps`].
        until: u64,
    },
    /// A stream waits for an event of another.
    Wait {
        /// The stream that waits.
        stream: u64,
        /// The stream that the event was recorded on.
        other: u64,
        /// Steps that were taken when it was recorded: an index of [`Requests::steps`].
        until: u64,
    },
    /// A pool was told to give back what it may (`cuMemPoolTrimTo`).
    Trim {
        /// The card's number.
        card: u32,
        /// Bytes that it may keep.
        keep: u64,
    },
    /// A pool was set up (`cuMemPoolSetAttribute`).
    Setting {
        /// The card's number.
        card: u32,
        /// The number of the attribute in `CUmemPool_attribute`.
        attribute: u32,
        /// Its value.
        value: u64,
    },
}

/// A file that code was loaded from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// The file.
    pub path: PathBuf,
    /// Addresses at which its code lay.
    pub code: std::ops::Range<u64>,
    /// What is taken from an address to get the one that the file's symbols have.
    pub bias: u64,
}

/// What one process asked for.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    /// In the order of the calls.
    pub steps: Vec<Step>,
    /// Return addresses, that of the driver's caller first. Each stack is there once.
    pub stacks: Vec<Vec<u64>>,
    /// What the addresses of stacks lie in.
    pub modules: Vec<Module>,
}
