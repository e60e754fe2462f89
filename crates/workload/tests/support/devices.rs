//! One test body for every device, and for both steps.
#![allow(unused_macros, reason = "each test binary uses its own part")]

/// A test `cpu`, and with the feature `cuda` a test `$card`, ignored for a reason, of a body that takes
/// a device.
macro_rules! tests_on {
    ($card:ident, $why:literal; $($name:ident => $body:expr;)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "a body may need nothing but its arguments")]
            use super::*;

            #[test]
            fn cpu() {
                ($body)(&candle_core::Device::Cpu);
            }

            #[cfg(feature = "cuda")]
            #[test]
            #[ignore = $why]
            fn $card() {
                ($body)(&candle_core::Device::new_cuda_with_stream(0).unwrap());
            }
        }
    )*};
}

/// A test `cpu`, and with the feature `cuda` a test `cuda` that needs a real card, of a body that takes
/// a device. After `on_any_card;` the second has that name, and a virtual card will do: the body looks
/// at memory and messages alone.
macro_rules! test_devices {
    (on_any_card; $($tests:tt)*) => {
        tests_on! { on_any_card, "needs a card, real or virtual"; $($tests)* }
    };
    ($($tests:tt)*) => {
        tests_on! { cuda, "compares values: needs a real card"; $($tests)* }
    };
}

/// As `test_devices!`, of a body that takes the kind of step and a device: `fused::cpu`,
/// `plain::cpu` and, with the feature, the same of a card.
macro_rules! test_steps {
    (on_any_card; $($name:ident => $body:expr;)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "a body may need nothing but its arguments")]
            use super::*;

            test_devices! {
                on_any_card;
                fused => |device: &candle_core::Device| ($body)(vram_presets::step::StepKind::Fused, device);
                plain => |device: &candle_core::Device| ($body)(vram_presets::step::StepKind::Plain, device);
            }
        }
    )*};
    ($($name:ident => $body:expr;)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "a body may need nothing but its arguments")]
            use super::*;

            test_devices! {
                fused => |device: &candle_core::Device| ($body)(vram_presets::step::StepKind::Fused, device);
                plain => |device: &candle_core::Device| ($body)(vram_presets::step::StepKind::Plain, device);
            }
        }
    )*};
}
