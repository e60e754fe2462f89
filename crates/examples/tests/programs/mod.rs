//! Where the programs of this package lie.

use std::path::PathBuf;

/// The executable of a program; none where its feature is off.
pub fn executable(name: &str) -> Option<PathBuf> {
    let path = match name {
        "mlp" => env!("CARGO_BIN_EXE_mlp"),
        "transformer" => env!("CARGO_BIN_EXE_transformer"),
        "conv_net" => env!("CARGO_BIN_EXE_conv_net"),
        "lstm" => env!("CARGO_BIN_EXE_lstm"),
        "mixture_of_experts" => env!("CARGO_BIN_EXE_mixture_of_experts"),
        "sampler" => env!("CARGO_BIN_EXE_sampler"),
        // Cargo names them also where their feature is off, and then they are not built.
        _ if !cfg!(feature = "transformers") => return None,
        "llama" => option_env!("CARGO_BIN_EXE_llama")?,
        "bert" => option_env!("CARGO_BIN_EXE_bert")?,
        _ => panic!("there is no program {name}"),
    };
    Some(PathBuf::from(path))
}
