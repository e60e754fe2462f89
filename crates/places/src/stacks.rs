//! The stacks of a process, with names.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::rc::Rc;

use vram_virtual_card::requests::Requests;

use crate::class::{Between, class};
use crate::place::Place;
use crate::symbols::{Frame, Symbols};

/// Innermost code that more than this part of all stacks have is shared by what a reader tells apart.
const PART_THAT_SHARES: usize = 8;

pub(crate) struct Stacks<'a> {
    stacks: &'a [Vec<u64>],
    symbols: Symbols<'a>,
    /// Of stacks that have them, how many innermost addresses are shared.
    shared: HashMap<u32, usize>,
}

impl<'a> Stacks<'a> {
    /// Of the process that ran `program`, of whose stacks these are used.
    pub fn new(requests: &'a Requests, program: &'a Path, used: impl Iterator<Item = u32>) -> Self {
        let stacks = &requests.stacks;
        let used: BTreeSet<u32> = used.collect();
        let addresses = |number: u32| Some((number, stacks.get(number as usize)?.as_slice()));
        let shared = shared(used.into_iter().filter_map(addresses).collect());
        Self { stacks, symbols: Symbols::new(&requests.modules, program), shared }
    }

    /// The frames at each of its return addresses.
    pub fn frames(&mut self, stack: Option<u32>) -> Vec<Rc<[Frame]>> {
        let addresses = stack.and_then(|stack| self.stacks.get(stack as usize));
        let addresses = addresses.map_or(&[][..], Vec::as_slice);
        addresses.iter().map(|address| self.symbols.frames(*address)).collect()
    }

    pub fn place(&mut self, stack: Option<u32>, between: Between<'_>) -> Place {
        let by_address = self.frames(stack);
        let shared = stack.and_then(|stack| self.shared.get(&stack)).copied().unwrap_or(0);
        let shared = by_address.iter().take(shared).map(|frames| frames.len()).sum();
        let frames: Vec<Frame> = by_address.iter().flat_map(|frames| frames.to_vec()).collect();
        Place::of(&frames, class(&frames, between), shared)
    }
}

/// How many innermost addresses of each stack many others have, too.
fn shared(stacks: Vec<(u32, &[u64])>) -> HashMap<u32, usize> {
    let all = stacks.len();
    let mut depths = HashMap::new();
    let mut left = stacks;
    for depth in 1.. {
        let mut with: HashMap<&[u64], Vec<(u32, &[u64])>> = HashMap::new();
        for (number, stack) in left.drain(..) {
            if let Some(inner) = stack.get(..depth) {
                with.entry(inner).or_default().push((number, stack));
            }
        }
        with.retain(|_, same| same.len() > 1 && same.len() * PART_THAT_SHARES > all);
        left = with.into_values().flatten().collect();
        if left.is_empty() {
            break;
        }
        depths.extend(left.iter().map(|(number, _)| (*number, depth)));
    }
    depths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_many_stacks_end_in_is_shared() {
        let stacks: [&[u64]; 4] = [&[1, 2, 3], &[1, 2, 4], &[1, 5], &[6]];
        let numbered = (0..).zip(stacks).collect();
        assert_eq!(shared(numbered), HashMap::from([(0, 2), (1, 2), (2, 1)]));
        assert!(shared(vec![(0, &[1, 2])]).is_empty(), "one shares with nobody");
        assert!(shared(Vec::new()).is_empty());
    }
}
