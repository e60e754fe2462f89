//! The exit codes as the documentation has them.

use vram_console::exit::Exit;

#[test]
fn the_documented_codes_are_these() {
    let documented = include_str!("../../../docs/reliability.md");
    for exit in Exit::ALL {
        let line = format!("| {} | {} |", exit.code(), exit.meaning());
        assert!(documented.contains(&line), "docs/reliability.md lacks {line}");
    }
}
