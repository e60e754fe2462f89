//! One test body for every device, and for both steps.
#![allow(unused_macros, reason = "each test binary uses its own part")]

/// A test `cpu`, and with the feature `cuda` a test `cuda` that needs a card, of a body that takes a
/// device.
macro_rules! test_devices {
    ($($name:ident => $body:expr;)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "a body may need nothing but its arguments")]
            use super::*;

            #[test]
            fn cpu() {
                ($body)(&candle_core::Device::Cpu);
            }

            #[cfg(feature = "cuda")]
            #[test]
            #[ignore = "needs a card"]
            fn cuda() {
                ($body)(&candle_core::Device::new_cuda_with_stream(0).unwrap());
            }
        }
    )*};
}

/// As `test_devices!`, of a body that takes the kind of step and a device: `fused::cpu`,
/// `plain::cpu` and, with the feature, the same of `cuda`.
macro_rules! test_steps {
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
