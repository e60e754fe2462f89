//! Work that is spread over devices: each takes the next job when it has none.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::device::SweepDevice;

/// A device of the sweep, and its number among them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lane<'a> {
    pub(crate) number: usize,
    pub(crate) device: &'a SweepDevice,
}

/// What came of a job.
#[derive(Debug, PartialEq)]
pub(crate) enum Done<R, J> {
    /// It was done.
    Over(R),
    /// Its device has fallen away.
    GivenBack(J),
}

/// What is left to do, and who is there to do it.
struct State<J> {
    /// Jobs with their place among all.
    left: VecDeque<(usize, J)>,
    /// Jobs that are being done: they may come back.
    under_way: usize,
    /// By device, whether it is there yet.
    alive: Vec<bool>,
}

/// What there is to do, for every device.
struct Queue<'a, J> {
    devices: &'a [SweepDevice],
    suits: &'a (dyn Fn(&J, &SweepDevice) -> bool + Sync),
    state: Mutex<State<J>>,
    changed: Condvar,
}

impl<J> Queue<'_, J> {
    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first job that suits the device, or that suits none; none once all are done.
    fn take(&self, device: usize) -> Option<(usize, J)> {
        let mut state = self.state();
        loop {
            let is_for = |job: &J, of: usize| (self.suits)(job, &self.devices[of]);
            let alive = &state.alive;
            let is_mine = |(_, job): &(usize, J)| {
                is_for(job, device)
                    || !(0..alive.len()).any(|other| alive[other] && is_for(job, other))
            };
            if let Some(job) = state.left.iter().position(is_mine) {
                state.under_way += 1;
                return state.left.remove(job);
            }
            if state.left.is_empty() && state.under_way == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Gives a job back, from a device that gets no other.
    fn give_back(&self, device: usize, place: usize, job: J) {
        let mut state = self.state();
        state.alive[device] = false;
        state.left.push_front((place, job));
    }
}

/// A job that is being done.
struct UnderWay<'a, 'q, J>(&'a Queue<'q, J>);

/// A panic, too, is waited for by nobody.
impl<J> Drop for UnderWay<'_, '_, J> {
    fn drop(&mut self) {
        self.0.state().under_way -= 1;
        self.0.changed.notify_all();
    }
}

/// Does the jobs, on each device one at a time, in the order of their places that `order` is. `suits` tells whether a device is meant
/// for a job; one that suits none goes to any. A device that has fallen away gets no other job. Returns
/// what came of them, in their order; those are given back for which no device was left.
pub(crate) fn spread<J: Send, R: Send>(
    devices: &[SweepDevice],
    jobs: Vec<J>,
    order: &[usize],
    suits: &(dyn Fn(&J, &SweepDevice) -> bool + Sync),
    work: &(dyn Fn(Lane<'_>, J) -> Done<R, J> + Sync),
) -> Vec<Done<R, J>> {
    let alive = vec![true; devices.len()];
    let mut jobs: Vec<Option<J>> = jobs.into_iter().map(Some).collect();
    let left = order.iter().filter_map(|&place| Some((place, jobs[place].take()?))).collect();
    let state = Mutex::new(State { left, under_way: 0, alive });
    let queue = Queue { devices, suits, state, changed: Condvar::new() };
    let run = |number: usize| {
        let lane = Lane { number, device: &devices[number] };
        let mut done = Vec::new();
        while let Some((place, job)) = queue.take(number) {
            let _under_way = UnderWay(&queue);
            match work(lane, job) {
                Done::Over(result) => done.push((place, result)),
                Done::GivenBack(job) => {
                    queue.give_back(number, place, job);
                    break;
                }
            }
        }
        done
    };
    let mut results: Vec<(usize, Done<R, J>)> = std::thread::scope(|scope| {
        let run = &run;
        let lanes: Vec<_> =
            (0..devices.len()).map(|number| scope.spawn(move || run(number))).collect();
        let done = lanes.into_iter().flat_map(|lane| match lane.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        done.map(|(place, result)| (place, Done::Over(result))).collect()
    });
    let left = std::mem::take(&mut queue.state().left);
    results.extend(left.into_iter().map(|(place, job)| (place, Done::GivenBack(job))));
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;
    use vram_report::memory_check::Context;

    use super::Done::{GivenBack, Over};
    use super::*;

    /// In the order of the jobs.
    fn spread<J: Send, R: Send>(
        devices: &[SweepDevice],
        jobs: Vec<J>,
        suits: &(dyn Fn(&J, &SweepDevice) -> bool + Sync),
        work: &(dyn Fn(Lane<'_>, J) -> Done<R, J> + Sync),
    ) -> Vec<Done<R, J>> {
        let order: Vec<usize> = (0..jobs.len()).collect();
        super::spread(devices, jobs, &order, suits, work)
    }

    fn over<R, J>(done: Done<R, J>) -> R {
        match done {
            Over(result) => result,
            GivenBack(_) => panic!("no device was left"),
        }
    }

    fn devices(count: usize) -> Vec<SweepDevice> {
        let device = || SweepDevice { card: None, why_cpu: None, context: Context::NONE };
        (0..count).map(|_| device()).collect()
    }

    /// As many jobs as there are devices run at once: each waits for all others.
    #[test]
    fn every_device_has_a_job_at_a_time() {
        let together = Barrier::new(3);
        let work = |lane: Lane<'_>, job: u32| {
            together.wait();
            Over((lane.number, job))
        };
        let done = spread(&devices(3), vec![7, 8, 9], &|_, _| true, &work);
        let done: Vec<_> = done.into_iter().map(over).collect();
        assert_eq!(done.iter().map(|(_, job)| *job).collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!(done.iter().map(|(lane, _)| *lane).collect::<BTreeSet<_>>().len(), 3);
    }

    /// The device that has jobs left over waits for those that may come back.
    #[test]
    fn a_job_of_a_device_that_falls_away_goes_to_another() {
        let has_one = Barrier::new(2);
        let begun = AtomicUsize::new(0);
        let work = |lane: Lane<'_>, job: u32| {
            if begun.fetch_add(1, Ordering::SeqCst) < 2 {
                has_one.wait();
            }
            if lane.number == 0 { GivenBack(job) } else { Over((lane.number, job)) }
        };
        let done = spread(&devices(2), vec![1, 2], &|_, _| true, &work);
        assert_eq!(done, [Over((1, 1)), Over((1, 2))]);
        let gone =
            spread(&devices(2), vec![1, 2, 3], &|_, _| true, &|_, job| GivenBack::<u32, _>(job));
        assert_eq!(gone, [GivenBack(1), GivenBack(2), GivenBack(3)]);
    }

    #[test]
    fn a_job_goes_where_it_is_meant_to_and_one_that_suits_none_anywhere() {
        let suits = |job: &usize, device: &SweepDevice| {
            device.why_cpu.as_deref() == Some(if *job < 10 { "small" } else { "large" })
        };
        let mut two = devices(2);
        two[0].why_cpu = Some("small".to_owned());
        two[1].why_cpu = Some("large".to_owned());
        let work = |lane: Lane<'_>, _| Over(lane.number);
        let done = spread(&two, vec![11, 1, 12, 2, 13], &suits, &work);
        assert_eq!(done, [Over(1), Over(0), Over(1), Over(0), Over(1)]);
        let done = spread(&two, vec![11, 1], &|_, _| false, &work);
        assert!(done.iter().all(|done| matches!(done, Over(_))));
        // Whose device is gone suits none.
        let work = |lane: Lane<'_>, job| if lane.number == 1 { GivenBack(job) } else { Over(job) };
        assert_eq!(spread(&two, vec![11, 12], &suits, &work), [Over(11), Over(12)]);
    }

    /// Jobs are taken in the order that is asked for, and what came of them is in their own.
    #[test]
    fn an_order_changes_no_place() {
        let taken = Mutex::new(Vec::new());
        let work = |_: Lane<'_>, job: char| {
            taken.lock().unwrap().push(job);
            Over::<_, char>(job)
        };
        let done = super::spread(&devices(1), vec!['a', 'b', 'c'], &[2, 0, 1], &|_, _| true, &work);
        assert_eq!(*taken.lock().unwrap(), ['c', 'a', 'b']);
        assert_eq!(done, [Over('a'), Over('b'), Over('c')]);
    }

    #[test]
    fn a_panic_is_waited_for_by_nobody() {
        let work =
            |_: Lane<'_>, job: u32| if job == 2 { panic!("here") } else { Over::<_, u32>(job) };
        let run = || spread(&devices(2), vec![1, 2, 3, 4], &|_, _| true, &work);
        assert!(std::panic::catch_unwind(run).is_err());
    }

    proptest! {
        /// Whatever falls away when: no job is lost or done twice while a device is left.
        #[test]
        fn every_job_is_done_once(
            devices_count in 1usize..5,
            jobs in 0usize..40,
            fail_at in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let fails: BTreeSet<usize> =
                fail_at.iter().take(devices_count - 1).filter(|_| jobs > 0).map(|i| i.index(jobs)).collect();
            let tried = Mutex::new(BTreeSet::new());
            let work = |_: Lane<'_>, job: usize| {
                let first = tried.lock().unwrap().insert(job);
                if first && fails.contains(&job) { GivenBack(job) } else { Over(job) }
            };
            let done = spread(&devices(devices_count), (0..jobs).collect(), &|_, _| true, &work);
            prop_assert_eq!(done, (0..jobs).map(Over).collect::<Vec<_>>());
        }
    }
}
