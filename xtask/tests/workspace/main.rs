//! What is true of the workspace as a whole: its packages, their licences, and the picture of them in
//! the documentation.

mod architecture;
mod files;
mod packages;

use std::path::Path;

use cargo_metadata::{Metadata, MetadataCommand};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The workspace and all that it is built on.
fn metadata() -> Metadata {
    MetadataCommand::new().current_dir(root()).exec().unwrap()
}
