//! What is printed on terminals of several widths, and in a pipe.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::Sandbox;

const WIDTHS: [u16; 4] = [60, 80, 100, 120];

/// What a command prints on a terminal that is so wide.
fn on_terminal(sandbox: &Sandbox, args: &[&str], columns: u16) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let program: OwnedFd = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let mut command = sandbox.command(args);
    command.stdout(program).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The last one that holds the program's side, so that its end is an end.
    drop(command);
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        // When nobody writes any more, reading fails on Linux.
        let _ = File::from(terminal).read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    });
    assert!(child.wait().unwrap().success(), "{args:?}");
    reader.join().unwrap().replace("\r\n", "\n")
}

/// Borders are straight, no line of a table is wider than the terminal, and what was left out is named.
fn check(text: &str, columns: u16) {
    let is_border = |line: &&str| line.starts_with(['┌', '│', '╞', '├', '└']);
    let mut width = 0;
    for line in text.lines().filter(is_border) {
        let wide = line.chars().count();
        if line.starts_with('┌') {
            width = wide;
        }
        assert_eq!(wide, width, "{columns}: {line}\n{text}");
        assert!(wide <= usize::from(columns), "{columns}: {line}\n{text}");
    }
}

/// The original harness's runs.
fn torch() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../artifacts/tests/data/torch_h200")
}

#[test]
fn tables_fit_the_terminal() {
    let sandbox = Sandbox::new();
    let torch = torch();
    let torch = torch.to_str().unwrap();
    let workload = "--ant od1_canon_small --colony od1_canon_real --batch 16 --precision fp16";
    for (name, command) in [
        ("fit", format!("fit {torch}")),
        ("fit_pooled", format!("fit --terms ring,state,token {torch}")),
        ("explain", format!("explain {workload}")),
        ("capacity", "capacity --all --vram 16GiB --precision fp16 -q".to_owned()),
        ("presets_list", "presets list".to_owned()),
        ("presets_show", "presets show smoke".to_owned()),
        ("predict", format!("predict {workload}")),
    ] {
        let args: Vec<&str> = command.split(' ').collect();
        for columns in WIDTHS {
            let text = on_terminal(&sandbox, &args, columns);
            check(&text, columns);
            insta::assert_snapshot!(format!("{name}_{columns}"), text);
        }
    }
}

/// In a pipe there is no width: nothing is left out.
#[test]
fn in_a_pipe_tables_are_whole() {
    let sandbox = Sandbox::new();
    let ran = sandbox.vram(&["fit", torch().to_str().unwrap()]);
    assert!(ran.stdout.contains("published base / overhead MiB"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("no room for"), "{}", ran.stdout);
}

#[test]
fn explain_shows_what_makes_the_peak_and_all_of_it_when_asked() {
    let sandbox = Sandbox::new();
    let explain = |more: &[&str]| {
        let args = ["explain", "--ant", "od1_canon_small", "--colony", "od1_canon_real"];
        sandbox.vram(&[&args[..], more].concat()).stdout
    };
    let rows = |text: &str| text.lines().filter(|line| line.starts_with('│')).count() - 1;
    let (short, all) = (explain(&[]), explain(&["--all"]));
    assert!(rows(&short) < rows(&all), "{short}");
    let line = short.lines().find(|line| line.contains(" more, ")).unwrap();
    assert!(line.ends_with("not alive at the peak: --all"), "{line}");
    assert!(!all.contains(" more, "), "{all}");
    let of_csv = explain(&["--format", "csv"]);
    assert_eq!(of_csv.lines().count() - 1, rows(&all));
}
