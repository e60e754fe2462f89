//! Stacks as programs that draw flame graphs take them: `outer;inner bytes`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

use crate::symbols::Frame;

/// A line for each distinct stack with its bytes, in the order of the stacks. Each stack is the frames
/// at its return addresses, the driver's caller first.
pub(crate) fn folded(stacks: impl Iterator<Item = (Vec<Rc<[Frame]>>, u64)>) -> String {
    let mut bytes_of: BTreeMap<String, u64> = BTreeMap::new();
    for (frames, bytes) in stacks {
        let frames: Vec<&Frame> = frames.iter().flat_map(|frames| frames.iter()).collect();
        let names: Vec<String> = frames.iter().rev().map(|frame| word(frame.label())).collect();
        let line = if names.is_empty() { "no stack".to_owned() } else { names.join(";") };
        let sum = bytes_of.entry(line).or_default();
        *sum = sum.saturating_add(bytes);
    }
    let mut text = String::new();
    for (line, bytes) in bytes_of {
        let _ = writeln!(text, "{line} {bytes}");
    }
    text
}

/// A name without what ends one: types of C arrays and of functions hold semicolons in Rust.
fn word(name: &str) -> String {
    name.chars().map(|c| if c == ';' || c.is_control() { ',' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::tests::named;

    #[test]
    fn stacks_that_are_alike_are_one_line_outermost_first() {
        let stack = |names: &[&str]| -> Vec<Rc<[Frame]>> {
            names.iter().map(|name| [named(name)].into()).collect()
        };
        let stacks = [
            (stack(&["c::alloc", "toy::f::<[u8; 2]>", "toy::main"]), 3),
            (stack(&["c::alloc", "toy::main"]), 4),
            (stack(&["c::alloc", "toy::f::<[u8; 2]>", "toy::main"]), 5),
            (stack(&[]), 1),
        ];
        assert_eq!(
            folded(stacks.into_iter()),
            "no stack 1\ntoy::main;c::alloc 4\ntoy::main;toy::f::<[u8, 2]>;c::alloc 8\n"
        );
    }
}
