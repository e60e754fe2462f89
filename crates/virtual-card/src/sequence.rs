//! A sequence of calls to a pool, and what came of each: a text that anyone can write, record, and play
//! on the [model](crate::pool) or on a card.
//!
//! One call a line, `#` begins a comment:
//!
//! ```text
//! set release_threshold 0            # a setting of the pool: a number, max, on or off
//! alloc 1 1048576 on 2               # allocation 1, of 1 MiB, on stream 2; without `on`, on stream 0
//! free 1 on 2
//! event 7 on 2                       # records event 7 on stream 2
//! wait 7 on 0                        # stream 0 waits for it
//! sync on 2                          # the host waits for stream 2; or `sync all`, `sync event 7`
//! trim 33554432                      # the pool is to keep no more than it must beyond these bytes
//! ```
//!
//! What a line came to may follow it: ` = OFFSET USED RESERVED`, in bytes, the offset of an allocation
//! only, from the sequence's first.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;

use crate::pool::PoolSettings;

/// What the host waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
    /// All that was asked for on a stream.
    Stream(u64),
    /// An event.
    Event(u64),
    /// All of the card.
    All,
}

/// A setting of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Bytes that the pool may keep when the host waits.
    ReleaseThreshold(u64),
    /// Whether it reuses memory by the order of events.
    FollowEventDependencies(bool),
    /// Whether it reuses memory that the card happens to be done with.
    AllowOpportunistic(bool),
    /// Whether it inserts waits to reuse memory.
    AllowInternalDependencies(bool),
}

/// A call. Allocations, streams and events have numbers of their own; stream 0 is the default stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Allocates.
    Allocate {
        /// The allocation.
        id: u64,
        /// Its size.
        bytes: u64,
        /// In the order of this stream.
        stream: u64,
    },
    /// Frees an allocation.
    Free {
        /// The allocation.
        id: u64,
        /// In the order of this stream.
        stream: u64,
    },
    /// Records an event.
    Record {
        /// The event.
        event: u64,
        /// On this stream.
        stream: u64,
    },
    /// Lets a stream wait for an event.
    Wait {
        /// The event.
        event: u64,
        /// The stream.
        stream: u64,
    },
    /// The host waits.
    Synchronize(Awaited),
    /// Gives idle memory back.
    Trim {
        /// Bytes that stay reserved at least.
        keep: u64,
    },
    /// Sets the pool up.
    Set(Setting),
}

/// What a call came to, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Where an allocation lies, from where the sequence's first does.
    pub offset: Option<i64>,
    /// Asked for and not freed.
    pub used: u64,
    /// Held by the pool.
    pub reserved: u64,
}

/// A call, and what it came to where that was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// The call.
    pub call: Call,
    /// What it came to.
    pub seen: Option<Seen>,
}

/// Why a text is no sequence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {number}: {what}: `{line}`")]
#[non_exhaustive]
pub struct SequenceError {
    /// Of the line, from one.
    pub number: usize,
    /// The line.
    pub line: String,
    /// What is wrong with it.
    pub what: &'static str,
}

/// The sequence in `text`.
///
/// # Errors
///
/// [`SequenceError`] of the first line that is no call.
pub fn parse(text: &str) -> Result<Vec<Line>, SequenceError> {
    Ok(numbered(text)?.into_iter().map(|(_, line)| line).collect())
}

/// The same, with the number of the line in `text` that each call stands on, from one.
///
/// # Errors
///
/// [`SequenceError`] of the first line that is no call.
pub fn numbered(text: &str) -> Result<Vec<(usize, Line)>, SequenceError> {
    let lines = text.lines().enumerate().filter_map(|(i, line)| {
        let call = line.split('#').next().unwrap_or_default().trim();
        let refused = |what| SequenceError { number: i + 1, line: line.to_owned(), what };
        (!call.is_empty()).then(|| Ok((i + 1, call.parse().map_err(refused)?)))
    });
    lines.collect()
}

impl FromStr for Line {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let (call, seen) = match line.split_once('=') {
            Some((call, seen)) => (call, Some(self::seen(seen)?)),
            None => (line, None),
        };
        Ok(Self { call: call.parse()?, seen })
    }
}

const NOT_A_NUMBER: &str = "expected a whole number";

fn number(word: &str) -> Result<u64, &'static str> {
    word.parse().map_err(|_| NOT_A_NUMBER)
}

fn seen(text: &str) -> Result<Seen, &'static str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (offset, rest) = match words.as_slice() {
        [offset, rest @ ..] if rest.len() == 2 => {
            (Some(offset.parse().map_err(|_| NOT_A_NUMBER)?), rest)
        }
        rest => (None, rest),
    };
    let [used, reserved] = rest else { return Err("expected `= OFFSET USED RESERVED`") };
    Ok(Seen { offset, used: number(used)?, reserved: number(reserved)? })
}

impl FromStr for Call {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (words, stream) = match words.as_slice() {
            [words @ .., "on", stream] => (words, number(stream)?),
            words => (words, 0),
        };
        Ok(match words {
            ["alloc", id, bytes] => {
                Self::Allocate { id: number(id)?, bytes: number(bytes)?, stream }
            }
            ["free", id] => Self::Free { id: number(id)?, stream },
            ["event", event] => Self::Record { event: number(event)?, stream },
            ["wait", event] => Self::Wait { event: number(event)?, stream },
            ["sync", "all"] => Self::Synchronize(Awaited::All),
            ["sync", "event", event] => Self::Synchronize(Awaited::Event(number(event)?)),
            ["sync"] => Self::Synchronize(Awaited::Stream(stream)),
            ["trim", keep] => Self::Trim { keep: number(keep)? },
            ["set", name, value] => Self::Set(setting(name, value)?),
            _ => return Err("expected alloc, free, event, wait, sync, trim or set"),
        })
    }
}

fn setting(name: &str, value: &str) -> Result<Setting, &'static str> {
    let flag = || match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("expected on or off"),
    };
    Ok(match name {
        "release_threshold" if value == "max" => Setting::ReleaseThreshold(u64::MAX),
        "release_threshold" => Setting::ReleaseThreshold(number(value)?),
        "reuse_follow_event_dependencies" => Setting::FollowEventDependencies(flag()?),
        "reuse_allow_opportunistic" => Setting::AllowOpportunistic(flag()?),
        "reuse_allow_internal_dependencies" => Setting::AllowInternalDependencies(flag()?),
        _ => return Err("there is no such setting"),
    })
}

impl Setting {
    /// That of a number of `CUmemPool_attribute`; none for those that only count, or reset a peak.
    pub fn of_attribute(attribute: u32, value: u64) -> Option<Self> {
        Some(match attribute {
            1 => Self::FollowEventDependencies(value != 0),
            2 => Self::AllowOpportunistic(value != 0),
            3 => Self::AllowInternalDependencies(value != 0),
            4 => Self::ReleaseThreshold(value),
            _ => return None,
        })
    }

    /// Makes it one of `settings`.
    pub fn apply(self, settings: &mut PoolSettings) {
        match self {
            Self::ReleaseThreshold(bytes) => settings.release_threshold = bytes,
            Self::FollowEventDependencies(set) => settings.reuse_follow_event_dependencies = set,
            Self::AllowOpportunistic(set) => settings.reuse_allow_opportunistic = set,
            Self::AllowInternalDependencies(set) => {
                settings.reuse_allow_internal_dependencies = set;
            }
        }
    }
}

impl Display for Setting {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let flag = |set: bool| if set { "on" } else { "off" };
        match *self {
            Self::ReleaseThreshold(u64::MAX) => f.write_str("release_threshold max"),
            Self::ReleaseThreshold(bytes) => write!(f, "release_threshold {bytes}"),
            Self::FollowEventDependencies(set) => {
                write!(f, "reuse_follow_event_dependencies {}", flag(set))
            }
            Self::AllowOpportunistic(set) => write!(f, "reuse_allow_opportunistic {}", flag(set)),
            Self::AllowInternalDependencies(set) => {
                write!(f, "reuse_allow_internal_dependencies {}", flag(set))
            }
        }
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let stream = match *self {
            Self::Allocate { id, bytes, stream } => {
                write!(f, "alloc {id} {bytes}")?;
                stream
            }
            Self::Free { id, stream } => {
                write!(f, "free {id}")?;
                stream
            }
            Self::Record { event, stream } => {
                write!(f, "event {event}")?;
                stream
            }
            Self::Wait { event, stream } => {
                write!(f, "wait {event}")?;
                stream
            }
            Self::Synchronize(Awaited::Stream(stream)) => {
                f.write_str("sync")?;
                stream
            }
            Self::Synchronize(Awaited::Event(event)) => return write!(f, "sync event {event}"),
            Self::Synchronize(Awaited::All) => return f.write_str("sync all"),
            Self::Trim { keep } => return write!(f, "trim {keep}"),
            Self::Set(setting) => return write!(f, "set {setting}"),
        };
        if stream == 0 { Ok(()) } else { write!(f, " on {stream}") }
    }
}

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.call.fmt(f)?;
        let Some(Seen { offset, used, reserved }) = self.seen else { return Ok(()) };
        f.write_str(" =")?;
        if let Some(offset) = offset {
            write!(f, " {offset}")?;
        }
        write!(f, " {used} {reserved}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_is_written_as_it_is_read() {
        let text = "\
            set release_threshold max\nset release_threshold 7\nset reuse_allow_opportunistic off\n\
            set reuse_follow_event_dependencies on\nset reuse_allow_internal_dependencies on\n\
            alloc 1 4096 on 2 = -512 4096 33554432\nevent 3 on 2\nwait 3\nfree 1 on 2 = 0 33554432\n\
            sync on 2\nsync\nsync event 3\nsync all\ntrim 0\n";
        let lines = parse(text).unwrap();
        assert_eq!(lines.iter().map(|line| format!("{line}\n")).collect::<String>(), text);
        let commented = format!("# a comment\n\n{text}  # another\n");
        assert_eq!(parse(&commented).unwrap(), lines);
        assert_eq!(numbered(&commented).unwrap()[0], (3, lines[0]));
    }

    #[test]
    fn what_is_no_call_is_named_with_its_line() {
        for (line, what) in [
            ("alloc 1", "expected alloc"),
            ("alloc 1 many", NOT_A_NUMBER),
            ("set reuse_allow_opportunistic 1", "expected on or off"),
            ("set colour on", "no such setting"),
            ("alloc 1 1 = 5", "OFFSET USED RESERVED"),
        ] {
            let error = parse(&format!("sync\n{line}\n")).unwrap_err();
            assert_eq!((error.number, error.line.as_str()), (2, line));
            assert!(error.to_string().contains(what), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_is_an_answer(text in "([a-z =#-]{0,8}[0-9]{0,3} ?){0,6}") {
            let _ = parse(&text);
        }
    }
}
