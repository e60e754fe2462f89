//! Walks up a stack. libgcc's way asks the loader and reads a table for each frame, each time; where a
//! program allocates for the thousandth time, the same addresses come by, and how their frames are left
//! is kept.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};

use super::mixed::ByMixed;

#[cfg(target_arch = "x86_64")]
use super::frame_rules::{Rule, rule};

type Visit = unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int;

unsafe extern "C" {
    fn _Unwind_Backtrace(visit: Visit, data: *mut c_void) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

/// Of `_Unwind_Reason_Code`.
const NO_REASON: c_int = 0;
const END_OF_STACK: c_int = 5;

/// What is told of each return address; `false` ends the walk.
type Show<'a> = &'a mut dyn FnMut(usize) -> bool;

unsafe extern "C" fn visit(context: *mut c_void, show: *mut c_void) -> c_int {
    // SAFETY: `slow` passes a function, and the unwinder a context.
    let (show, address) = unsafe { (&mut *show.cast::<Show>(), _Unwind_GetIP(context)) };
    if address != 0 && show(address) { NO_REASON } else { END_OF_STACK }
}

/// As libgcc does it.
fn slow(mut show: Show) {
    // SAFETY: `visit` takes the function that is passed.
    unsafe { _Unwind_Backtrace(visit, (&raw mut show).cast()) };
}

/// How frames are left, by the return addresses in them.
#[derive(Default)]
pub struct Unwinder {
    #[cfg(target_arch = "x86_64")]
    rules: HashMap<usize, Rule, ByMixed>,
    #[cfg(not(target_arch = "x86_64"))]
    rules: HashMap<usize, (), ByMixed>,
}

impl Unwinder {
    /// Forgets what was kept: other code may lie there now.
    pub fn forget(&mut self) {
        self.rules.clear();
    }

    /// Fills `frames` with return addresses, from that of the first caller outside of `own` on. Returns
    /// how many there are.
    pub fn walk(&mut self, frames: &mut [u64], own: &std::ops::Range<usize>) -> usize {
        let mut taken = 0;
        let mut take = |taken: &mut usize, address: usize| {
            // Ours, which the program called, are the first.
            if *taken == 0 && own.contains(&address) {
                return true;
            }
            let Some(to) = frames.get_mut(*taken) else { return false };
            *to = address as u64;
            *taken += 1;
            true
        };
        if !self.fast(&mut |address| take(&mut taken, address)) {
            taken = 0;
            slow(&mut |address| take(&mut taken, address));
        }
        taken
    }

    /// Whether all frames are of the usual kind; if not, what was shown means nothing.
    #[cfg(target_arch = "x86_64")]
    #[inline(never)]
    fn fast(&mut self, show: Show) -> bool {
        let (mut address, mut stack, mut frame): (usize, usize, usize);
        // SAFETY: reads three registers.
        unsafe {
            std::arch::asm!(
                "lea {}, [rip]",
                "mov {}, rsp",
                "mov {}, rbp",
                out(reg) address,
                out(reg) stack,
                out(reg) frame,
                options(nomem, nostack, preserves_flags),
            );
        }
        loop {
            // A call may be the last of its function: what comes after it is another's.
            let rule = *self.rules.entry(address).or_insert_with(|| rule(address - 1));
            let Rule::Usual { by_frame_pointer, above, saved } = rule else {
                return rule == Rule::Last;
            };
            let base = if by_frame_pointer { frame } else { stack };
            let caller = base.wrapping_add_signed(above as isize);
            // Stacks grow down, and by words.
            if caller <= stack || !caller.is_multiple_of(8) {
                return false;
            }
            // SAFETY: the tables say that both were saved there, in frames of this thread's that are
            // not left yet.
            unsafe {
                if let Some(saved) = saved {
                    frame = *(caller.wrapping_add_signed(saved as isize) as *const usize);
                }
                address = *((caller - 8) as *const usize);
            }
            stack = caller;
            if address == 0 || !show(address) {
                return true;
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn fast(&mut self, _show: Show) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Return addresses both ways, from the caller of this on.
    #[inline(never)]
    fn both(unwinder: &mut Unwinder) -> (Vec<usize>, Vec<usize>) {
        let (mut fast, mut slowly) = (Vec::new(), Vec::new());
        let whole = unwinder.fast(&mut |address| {
            fast.push(address);
            true
        });
        assert!(whole || cfg!(not(target_arch = "x86_64")));
        slow(&mut |address| {
            slowly.push(address);
            true
        });
        (fast, slowly)
    }

    #[inline(never)]
    fn nested(unwinder: &mut Unwinder, depth: u32) -> (Vec<usize>, Vec<usize>) {
        let found = match depth {
            0 => both(unwinder),
            1 => [()].map(|()| both(unwinder)).into_iter().next().unwrap(),
            _ => nested(unwinder, depth - 1),
        };
        std::hint::black_box(found)
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_walk_is_the_one_that_libgcc_makes() {
        let mut unwinder = Unwinder::default();
        for depth in [0, 1, 2, 30, 30] {
            let (fast, slow) = nested(&mut unwinder, depth);
            // The first are `both` and what it calls.
            let common = fast.iter().rev().zip(slow.iter().rev()).take_while(|(a, b)| a == b);
            let common = common.count();
            assert!(common + 3 >= slow.len() && common + 2 >= fast.len(), "{fast:x?} {slow:x?}");
            assert!(common > depth as usize, "{common}");
        }
    }
}
