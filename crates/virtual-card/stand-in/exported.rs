//! How a function gets out of this library: under a name that the list of names is linked to.

/// Exports functions of the driver. Each body is a `Result<(), Status>`.
macro_rules! driver {
    ($($(#[$meta:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block)*) => {$(
        $(#[$meta])*
        #[unsafe(export_name = concat!("vram_card_", stringify!($name)))]
        pub extern "C" fn $name($($arg: $type),*) -> i32 {
            super::session::answer(move || -> Result<(), super::status::Status> { $body })
        }
    )*};
}

/// Exports functions as they stand: of libraries, and those that answer before the driver is there.
macro_rules! exported {
    ($($(#[$meta:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $answer:ty)? $body:block)*) => {$(
        $(#[$meta])*
        #[unsafe(export_name = concat!("vram_card_", stringify!($name)))]
        pub extern "C" fn $name($($arg: $type),*) $(-> $answer)? $body
    )*};
}
