//! How a function gets out of this library: under a name that the list of names is linked to.

/// Exports functions in the driver's place.
macro_rules! passed {
    ($($(#[$meta:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block)*) => {$(
        $(#[$meta])*
        #[unsafe(export_name = concat!("vram_trace_", stringify!($name)))]
        pub extern "C" fn $name($($arg: $type),*) -> i32 $body
    )*};
}
