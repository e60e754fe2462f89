//! Several cards.

use vram_virtual_card::card::Card;
use vram_virtual_card::verdict::{Reason, Verdict};

use crate::support::{
    GRANULE, MIB, answer, context_bytes, ends_well, linked, options, process, run_any, stub,
};

fn four() -> Card {
    Card::new("h100", None, 4).unwrap()
}

fn libraries() -> [std::path::PathBuf; 3] {
    [
        stub("libcuda.so.1", "cuda", None),
        stub("libcudart.so.13", "cudart", Some("libcudart.so.13")),
        stub("libnvidia-ml.so.1", "nvml", None),
    ]
}

#[test]
fn each_card_is_told_apart_and_holds_what_is_its_own() {
    let mut options = options(linked("cards", "cards", &libraries()), &[]);
    options.card = four();
    let found = run_any(&options);
    found.runs.iter().for_each(ends_well);
    let [none, first, idle, second] = answer(&found).cards[..] else {
        panic!("{:?}", answer(&found).cards)
    };
    assert_eq!((none.held, idle.held), (0, 0));
    let of_first = (first.used, first.reserved, first.outside, first.held);
    assert_eq!(of_first, (5000, GRANULE, 0, GRANULE + context_bytes()));
    let of_second = (second.used, second.reserved, second.outside, second.held);
    assert_eq!(of_second, (0, 0, 64 * MIB, 64 * MIB + context_bytes()));
    // NVML was asked.
    assert!(matches!(answer(&found).reasons[..], [Reason::FreeMemoryRead(_)]));
    assert_eq!(answer(&found).verdict, Verdict::SameUnderFills { fills: 2 });
    // By number, whichever are in use.
    let marked = &process(&found).marks.iter().find(|mark| mark.name == "both").unwrap().cards;
    let used: Vec<(u64, u64)> = marked.iter().map(|card| (card.used, card.outside)).collect();
    assert_eq!(used, [(0, 0), (5000, 0), (0, 0), (0, 64 * MIB)]);
}
