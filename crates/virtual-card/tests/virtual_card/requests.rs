//! What is written down of a run, request by request.

use std::path::Path;

use vram_virtual_card::dry_run::DryRun;
use vram_virtual_card::recording::MarkKind;
use vram_virtual_card::requests::{Memory, Requests, Step, Wanted};
use vram_virtual_card::verdict::Verdict;

use crate::support::{
    answer, ends_well, library, options, process, program, run_any, stripped, symbol,
};

fn run(wanted: Wanted, arguments: &[&str]) -> DryRun {
    let mut options = options(program("requests"), arguments);
    options.requests = wanted;
    run_any(&options)
}

fn requests(found: &DryRun) -> &Requests {
    process(found).requests.as_ref().unwrap()
}

/// Each allocation's bytes and stack.
fn allocations(requests: &Requests) -> Vec<(u64, Option<&[u64]>)> {
    let stack = |number: Option<u32>| number.map(|number| &*requests.stacks[number as usize]);
    let allocated = requests.steps.iter().filter_map(|step| match *step {
        Step::Allocate { bytes, stack: number, .. } => Some((bytes, stack(number))),
        _ => None,
    });
    allocated.collect()
}

#[test]
fn every_kind_of_call_is_a_step_in_its_place() {
    let found = run(Wanted::Calls, &["all"]);
    found.runs.iter().for_each(ends_well);
    let Requests { steps, stacks, .. } = requests(&found);
    assert!(stacks.is_empty());
    let [
        Step::Setting { card: 0, attribute: 4, value: u64::MAX },
        Step::Allocate { card: 0, memory: Memory::Pool, address, bytes: 1000, stream, stack: None },
        Step::Wait { stream: 0, other, until: 2 },
        Step::Free { address: freed, stream: 0 },
        Step::Allocate {
            memory: Memory::Outside, address: outside, bytes: 3000, stream: 0, ..
        },
        Step::Free { address: outside_freed, stream: 0 },
        Step::Allocate { memory: Memory::Host, address: host, bytes: 5000, stream: 0, .. },
        Step::Free { address: host_freed, stream: 0 },
        Step::SynchronizeStream { stream: synchronized },
        Step::SynchronizeEvent { stream: recorded_on, until: 2 },
        Step::SynchronizeContext { card: 0 },
        Step::Trim { card: 0, keep: 7 },
    ] = steps[..]
    else {
        panic!("{steps:?}");
    };
    assert_eq!((address, outside, host), (freed, outside_freed, host_freed));
    assert_eq!([stream; 3], [other, synchronized, recorded_on]);
    let marks: Vec<_> = process(&found).marks.iter().map(|mark| (mark.kind, mark.steps)).collect();
    assert_eq!(
        marks,
        [(MarkKind::Mark, 4), (MarkKind::Sync, 9), (MarkKind::End, 12)],
        "a synchronisation before which nothing happened is no mark"
    );
    assert!(found.runs[1..].iter().all(|run| run.recording.processes[0].requests.is_none()));
    assert!(!matches!(answer(&found).verdict, Verdict::DiffersBetweenEqualRuns(_)));
}

#[test]
fn nothing_is_written_down_that_nobody_wants() {
    let found = run(Wanted::Nothing, &["all"]);
    assert!(process(&found).requests.is_none());
}

/// Of each address, the file and the symbol that it lies in.
fn functions(requests: &Requests, stack: &[u64]) -> Vec<(String, String)> {
    let place = |address: &u64| {
        // The call, not what comes after it.
        let address = address - 1;
        let module = requests.modules.iter().find(|module| module.code.contains(&address)).unwrap();
        let name = module.path.file_name().unwrap().to_string_lossy().into_owned();
        (name, symbol(&module.path, address - module.bias))
    };
    stack.iter().map(place).collect()
}

#[test]
fn a_stack_begins_where_the_program_calls_the_driver() {
    let found = run(Wanted::Stacks, &["nested"]);
    found.runs.iter().for_each(ends_well);
    let requests = requests(&found);
    let [(1000, Some(stack))] = allocations(requests)[..] else { panic!("{requests:?}") };
    let called: Vec<String> = functions(requests, stack)
        .into_iter()
        .filter(|(file, _)| file == "requests")
        .map(|(_, function)| function)
        .collect();
    // `allocated` is inlined, or one more.
    let nested: Vec<&str> =
        called.iter().map(String::as_str).filter(|name| *name != "allocated").collect();
    assert_eq!(nested[..4], ["inner", "middle", "outer", "main"], "{called:?}");
}

#[test]
fn a_stack_is_written_once_and_so_deep() {
    let found = run(Wanted::Stacks, &["many", "50000"]);
    let many = requests(&found);
    assert_eq!(many.steps.len(), 100_000);
    assert_eq!(many.stacks.len(), 1);
    let found = run(Wanted::Stacks, &["deep"]);
    assert_eq!(requests(&found).stacks[0].len(), 256);
}

#[test]
fn a_program_without_symbols_has_places_in_its_file() {
    let stripped = stripped("requests");
    let mut options = options(stripped.clone(), &["nested"]);
    options.requests = Wanted::Stacks;
    let found = run_any(&options);
    let requests = requests(&found);
    let [(1000, Some(stack))] = allocations(requests)[..] else { panic!("{requests:?}") };
    let whole = program("requests");
    let in_it: Vec<String> = stack
        .iter()
        .filter_map(|address| {
            let of_it = |path: &Path| path.canonicalize().ok() == stripped.canonicalize().ok();
            let module = requests.modules.iter().find(|m| m.code.contains(&(address - 1)))?;
            // Stripping moves nothing.
            of_it(&module.path).then(|| symbol(&whole, address - 1 - module.bias))
        })
        .collect();
    for function in ["inner", "middle", "outer", "main"] {
        assert!(in_it.iter().any(|name| name == function), "{function} in {in_it:?}");
    }
}

#[test]
fn a_library_that_is_loaded_on_the_way_is_a_module() {
    let library = library("calls");
    let found = run(Wanted::Stacks, &["loads", library.to_str().unwrap()]);
    found.runs.iter().for_each(ends_well);
    let requests = requests(&found);
    let [(4000, Some(stack))] = allocations(requests)[..] else { panic!("{requests:?}") };
    let first = functions(requests, &stack[..1]);
    assert_eq!(first, [("libcalls.so".to_owned(), "calls".to_owned())]);
}

#[test]
fn threads_write_whole_steps() {
    let found = run(Wanted::Stacks, &["threads"]);
    found.runs.iter().for_each(ends_well);
    let requests = requests(&found);
    assert_eq!(requests.steps.len(), 2 * 8 * 2000);
    let mut live = std::collections::HashSet::new();
    for step in &requests.steps {
        match step {
            Step::Allocate { address, .. } => assert!(live.insert(*address)),
            Step::Free { address, .. } => assert!(live.remove(address)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_a_killed_process_asked_for_is_there() {
    let found = run(Wanted::Stacks, &["killed"]);
    assert_eq!(found.runs[0].ending.signal(), Some(9));
    let requests = requests(&found);
    let [(1000, Some(stack))] = allocations(requests)[..] else { panic!("{requests:?}") };
    assert!(functions(requests, stack).iter().any(|(_, function)| function == "main"));
}
