//! One test body for every device.

/// A test `host`, and with the feature `cuda` a test `cuda` that needs a card, of a body that
/// takes a backend.
macro_rules! test_devices {
    ($($name:ident => $body:expr;)*) => {$(
        mod $name {
            #[allow(unused_imports, reason = "a body may need nothing but its arguments")]
            use super::*;

            #[test]
            fn host() {
                ($body)(&vram_workload::Host);
            }

            #[cfg(feature = "cuda")]
            #[test]
            fn cuda() {
                ($body)(&vram_workload::Cuda::new(0).unwrap());
            }
        }
    )*};
}
