//! `vram max-batch`, on a program that holds A + N*B bytes.

use insta::assert_snapshot;
use serde_json::{Value, json};

use super::{programs, sandbox, vram};
use crate::support::{Ran, Sandbox};

/// A sandbox in which it is `./batch`; it is linked with cuBLAS as well.
fn with_batch() -> Sandbox {
    let sandbox = sandbox(&[]);
    let libraries = [
        programs::stub("libcuda.so.1", "cuda", None),
        programs::stub("libcublas.so.13", "cublas", Some("libcublas.so.13")),
    ];
    let program = programs::linked("batch", "batch", &libraries);
    std::os::unix::fs::symlink(program, sandbox.path("batch")).unwrap();
    sandbox
}

/// Of a program that holds 100 MB and 50 MB for each one, and does this.
fn max_batch(flags: &[&str], does: &str) -> Ran {
    let sandbox = with_batch();
    let program = ["--vram", "4GiB", "--", "./batch", "100000000", "50000000", does, "{}"];
    let args = [&["max-batch"], flags, &program].concat();
    vram(&sandbox, &args)
}

#[test]
fn the_number_is_on_stdout_and_the_way_to_it_on_stderr() {
    let ran = max_batch(&[], "holds");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_snapshot!("max_batch", ran.stdout);
    assert_snapshot!("max_batch_progress", ran.stderr);
    let quiet = max_batch(&["-q"], "holds");
    assert_eq!((quiet.stdout, quiet.stderr.as_str()), (ran.stdout, ""));
}

#[test]
fn as_json_it_has_every_figure() {
    let ran = max_batch(&["--guard", "0.5", "--format", "json"], "asks");
    let found: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(found["largest"]["number"], 40);
    assert_eq!(found["next"]["number"], 41);
    assert_eq!(found["next"]["bound"], json!({ "kind": "guard", "what": 1u64 << 31 }));
    assert_eq!((&found["reads_free_memory"], &found["guard"]), (&json!(true), &json!(0.5)));
    assert_eq!(found["memory_bytes"], 1u64 << 32);
}

#[test]
fn a_search_without_an_answer_is_told_why() {
    for (does, said) in [
        (
            "breaks",
            "error: with 8 the program ended with exit code 3, and no allocation had failed\nmore than 5 is broken",
        ),
        (
            "stays",
            "error: the program's memory does not grow with the number: 1 and 32 peak alike\n",
        ),
        ("adapts", "alike; it asks how much memory is free, and may size itself by the answer"),
    ] {
        let ran = max_batch(&["--guard", "1"], does);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{does}: {}", ran.stderr);
    }
    let ran = max_batch(&["--guard", "0.01"], "holds");
    assert_eq!((ran.code, ran.stdout.starts_with("not even 1 fits\n")), (Some(1), true));
}
