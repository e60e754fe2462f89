//! Threads that allocate at once.

use vram_virtual_card::verdict::{Reason, Verdict};

use crate::support::{answer, process, run};

#[test]
fn threads_at_once_add_up_and_are_told() {
    let found = run("threads", &[]);
    for run in &found.runs {
        let [process] = &run.recording.processes[..] else { panic!("{:?}", run.recording) };
        assert_eq!(process.tally.requests, 8 * (16 + 200));
        assert_eq!((process.leaked, process.leaked_bytes), (0, 0));
        assert_eq!(process.cards[0].used, 16 * 1000 * (1..=8).sum::<u64>());
        let end = process.marks.last().unwrap();
        assert_eq!(end.cards[0].used, 0);
    }
    assert_eq!(process(&found).wrong, [""; 0]);
    assert_eq!(answer(&found).reasons, [Reason::Threads(8)]);
    assert_eq!(answer(&found).verdict, Verdict::SameUnderFills { fills: 2 });
}
