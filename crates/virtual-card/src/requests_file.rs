//! What a process asked for, read from the files that the stand-in wrote.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::error::{DryRunError, file};
use crate::protocol::{MODULES, MOST_FRAMES, REQUESTS, Request, STACKS, kind};
use crate::requests::{Memory, Module, Requests, Step};

/// Of the process whose events are in this file; `None` if nobody asked for them.
///
/// # Errors
///
/// [`DryRunError::File`] if they cannot be read, [`DryRunError::Recording`] if they are not the stand-in's.
pub(crate) fn requests(events: &Path) -> Result<Option<Requests>, DryRunError> {
    let Some(steps) = content(&events.with_extension(REQUESTS))? else { return Ok(None) };
    let stacks = content(&events.with_extension(STACKS))?.unwrap_or_default();
    let modules = content(&events.with_extension(MODULES))?.unwrap_or_default();
    let wrong = |extension, what| {
        move || DryRunError::Recording { path: events.with_extension(extension), what }
    };
    let stacks =
        read_stacks(&stacks).ok_or_else(wrong(STACKS, "a stack of impossible depth".to_owned()))?;
    Ok(Some(Requests {
        steps: read_steps(&steps, stacks.len()).map_err(|what| wrong(REQUESTS, what)())?,
        stacks,
        modules: read_modules(&modules).map_err(|what| wrong(MODULES, what)())?,
    }))
}

fn content(path: &Path) -> Result<Option<Vec<u8>>, DryRunError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file("read", path)(error)),
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.chunks_exact(8).map(|word| {
        let mut whole = [0; 8];
        whole.copy_from_slice(word);
        u64::from_le_bytes(whole)
    })
}

/// Up to the first that is zeros: the rest of the file is not written yet.
fn read_steps(bytes: &[u8], stacks: usize) -> Result<Vec<Step>, String> {
    let mut words = words(bytes);
    let mut steps = Vec::new();
    while let (Some(first @ 1..), Some(address), Some(bytes), Some(stream)) =
        (words.next(), words.next(), words.next(), words.next())
    {
        let request = Request::of_words([first, address, bytes, stream]);
        let step = step(&request, stacks);
        steps.push(step.ok_or_else(|| format!("{request:?}, after {} others", steps.len()))?);
    }
    Ok(steps)
}

/// `None` if it is of no kind, or with a stack that is not there.
fn step(request: &Request, stacks: usize) -> Option<Step> {
    let Request { kind, card, stack, address, bytes, stream } = *request;
    let card = card.into();
    let memory = match kind {
        kind::IN_POOL => Memory::Pool,
        kind::OUTSIDE => Memory::Outside,
        kind::ON_HOST => Memory::Host,
        kind::FREE => return Some(Step::Free { address, stream }),
        kind::STREAM => return Some(Step::SynchronizeStream { stream }),
        kind::CONTEXT => return Some(Step::SynchronizeContext { card }),
        kind::EVENT => return Some(Step::SynchronizeEvent { stream, until: bytes }),
        kind::WAIT => return Some(Step::Wait { stream, other: address, until: bytes }),
        kind::TRIM => return Some(Step::Trim { card, keep: bytes }),
        kind::SETTING => {
            let attribute = u32::try_from(address).ok()?;
            return Some(Step::Setting { card, attribute, value: bytes });
        }
        _ => return None,
    };
    let is_there = |stack: &u32| usize::try_from(*stack).is_ok_and(|stack| stack < stacks);
    let stack = match stack.checked_sub(1) {
        None => None,
        Some(number) => Some(Some(number).filter(is_there)?),
    };
    Some(Step::Allocate { card, memory, address, bytes, stream, stack })
}

/// The last of a process that was killed may be half a stack.
fn read_stacks(bytes: &[u8]) -> Option<Vec<Vec<u64>>> {
    let mut words = words(bytes);
    let mut stacks = Vec::new();
    while let Some(depth) = words.next() {
        let depth = usize::try_from(depth).ok().filter(|depth| *depth <= MOST_FRAMES)?;
        let stack: Vec<u64> = words.by_ref().take(depth).collect();
        if stack.len() == depth {
            stacks.push(stack);
        }
    }
    Some(stacks)
}

fn read_modules(bytes: &[u8]) -> Result<Vec<Module>, String> {
    let whole =
        bytes.split_inclusive(|byte| *byte == 0).filter_map(|entry| entry.strip_suffix(&[0]));
    whole
        .map(|entry| {
            module(entry).ok_or_else(|| format!("the entry `{}`", String::from_utf8_lossy(entry)))
        })
        .collect()
}

fn module(entry: &[u8]) -> Option<Module> {
    let mut fields = entry.splitn(4, |byte| *byte == b'\t');
    let mut number = || u64::from_str_radix(std::str::from_utf8(fields.next()?).ok()?, 16).ok();
    let (begin, end, bias) = (number()?, number()?, number()?);
    Some(Module { path: OsStr::from_bytes(fields.next()?).into(), code: begin..end, bias })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(requests: &[Request]) -> Vec<u8> {
        let words = requests.iter().flat_map(|request| request.to_words());
        words.flat_map(u64::to_le_bytes).collect()
    }

    const REQUEST: Request = Request {
        kind: kind::IN_POOL,
        card: 3,
        stack: 2,
        address: 1 << 60,
        bytes: 1000,
        stream: 7,
    };

    #[test]
    fn steps_are_read_as_they_were_written_up_to_the_half_one() {
        let free = Request { kind: kind::FREE, stack: 0, ..REQUEST };
        let mut written = bytes(&[REQUEST, free, REQUEST]);
        written.truncate(written.len() - 1);
        let (address, bytes, stream) = (1 << 60, 1000, 7);
        let allocate = Step::Allocate {
            card: 3,
            memory: Memory::Pool,
            address,
            bytes,
            stream,
            stack: Some(1),
        };
        let expected = [allocate, Step::Free { address, stream }];
        assert_eq!(read_steps(&written, 2).unwrap(), expected);
        written.truncate(32);
        written.extend([0; 64]);
        assert_eq!(read_steps(&written, 2).unwrap(), [allocate]);
    }

    #[test]
    fn a_stack_that_is_not_there_and_an_unknown_kind_are_errors() {
        assert!(read_steps(&bytes(&[REQUEST]), 1).unwrap_err().contains("stack: 2"));
        let unknown = Request { kind: 99, ..REQUEST };
        assert!(read_steps(&bytes(&[REQUEST, unknown]), 2).unwrap_err().contains("after 1 others"));
    }

    #[test]
    fn a_module_has_any_path_that_a_file_may_have() {
        let written = b"1000\t2000\tff\t/a\tb\xff\nc\x003000\t";
        let [module] = &read_modules(written).unwrap()[..] else { panic!("one is whole") };
        assert_eq!((module.code.clone(), module.bias), (0x1000..0x2000, 0xff));
        assert_eq!(module.path.as_os_str().as_bytes(), b"/a\tb\xff\nc");
        assert!(read_modules(b"x\t2\t3\t/a\0").is_err());
    }

    #[test]
    fn half_a_stack_is_none() {
        let words: Vec<u8> = [2u64, 10, 11, 3, 12].into_iter().flat_map(u64::to_le_bytes).collect();
        assert_eq!(read_stacks(&words).unwrap(), [[10, 11]]);
        assert_eq!(read_stacks(&u64::MAX.to_le_bytes()), None);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_in_the_files_is_an_answer(
            steps: Vec<u8>,
            stacks: Vec<u8>,
            modules: Vec<u8>,
        ) {
            let directory = tempfile::tempdir().unwrap();
            let events = directory.path().join("1.events");
            for (extension, content) in [(REQUESTS, steps), (STACKS, stacks), (MODULES, modules)] {
                fs::write(events.with_extension(extension), content).unwrap();
            }
            let _ = requests(&events);
        }

        #[test]
        fn any_words_are_a_request(words: [u64; Request::WORDS]) {
            let request = Request::of_words(words);
            proptest::prop_assert_eq!(Request::of_words(request.to_words()), request);
            let _ = step(&request, 1);
        }
    }
}
