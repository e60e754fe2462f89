//! The places in the transformer that hold the peak, held against its source.
#![cfg(target_os = "linux")]

mod programs;

use std::cmp::Reverse;

use programs::Silent;
use vram_places::class::Class;
use vram_places::profile::{Profile, SetMark};
use vram_virtual_card::recording::MarkKind;
use vram_virtual_card::requests::Wanted;

fn transformer() -> Profile {
    let command = ["transformer", "8"].map(str::to_owned);
    let found = programs::run(&command, ("h100", 1), Wanted::Stacks, &mut Silent).unwrap();
    let process = &found.runs[0].recording.processes[0];
    let marks = process.marks.iter().filter(|mark| mark.kind == MarkKind::Mark);
    let marks: Vec<_> = marks.map(|mark| SetMark { name: &mark.name, steps: mark.steps }).collect();
    Profile::new(process.requests.as_ref().unwrap(), &process.program, &marks)
}

/// Each is (8, 8, 128, 128) scores or (8, 128, 1024) hidden values of four bytes: what a layer makes in
/// the order of `Attention::forward` and of `Layer::forward`, and the first of the next layer. Where a
/// function of the model was inlined, and there is no debug information, it is its caller's.
#[test]
fn the_ten_largest_allocations_at_the_peak_are_where_the_source_makes_them() {
    let profile = transformer();
    let mut alive: Vec<_> = profile.alive_at(profile.peak_request).collect();
    alive.sort_by_key(|allocation| (Reverse(allocation.bytes), allocation.made));
    let made_by = [
        "Tensor::matmul",
        "Tensor::affine",
        "Tensor::broadcast_add → Tensor::add",
        "ops::softmax → Tensor::sub",
        "ops::softmax → Tensor::exp",
        "ops::softmax → Tensor::div",
        "Linear::forward → Tensor::matmul",
        "Linear::forward → Tensor::add",
        "Tensor::gelu",
        "Tensor::matmul",
    ];
    for (allocation, made_by) in alive.iter().zip(made_by) {
        let place = &profile.places[allocation.place];
        assert_eq!(allocation.bytes, 8 * 8 * 128 * 128 * 4, "{}", place.label());
        assert_eq!(place.class, Class::Activations, "{}", place.label());
        let function = place.function.as_deref().unwrap();
        let of_model =
            ["Transformer", "Layer", "Attention"].map(|of| format!("transformer::{of}::forward"));
        assert!(of_model.iter().any(|of| of == function), "{}", place.label());
        assert_eq!(place.operations.join(" → "), made_by, "request {}", allocation.made);
    }
}

#[test]
fn parameters_gradients_and_the_optimizers_state_are_told_apart() {
    let profile = transformer();
    let held = |class: Class| -> u64 {
        profile.at_peak().iter().filter(|share| share.place.class == class).map(|s| s.bytes).sum()
    };
    // Two moments of every parameter, of which the mask and the tokens are none.
    let moments = held(Class::Optimizer);
    let declared: u64 = profile
        .at_peak()
        .iter()
        .filter(|share| share.place.operations.iter().any(|name| name.starts_with("candle_nn::")))
        .map(|share| share.bytes)
        .sum();
    assert_eq!(moments, 2 * declared);
    assert_eq!(held(Class::Other), 0);
    assert!(held(Class::Activations) > held(Class::Gradients));
    assert!(held(Class::Gradients) > 0);
}
