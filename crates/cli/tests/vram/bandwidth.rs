//! `vram bandwidth`: one figure, in the unit that it names.

use crate::support::{Ran, Sandbox};

fn bandwidth(args: &[&str]) -> Ran {
    Sandbox::new().vram(&[&["bandwidth", "--device", "cpu"], args].concat())
}

/// A copy between a byte and a petabyte per second, whichever way it is printed.
fn is_a_rate(bytes_per_s: f64) -> bool {
    (1.0..1e15).contains(&bytes_per_s)
}

#[test]
fn a_table_has_the_rate_in_gb_per_second_and_says_what_it_counts() {
    let ran = bandwidth(&["--mib", "1"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let figure = ran.stdout.strip_suffix(" GB/s read plus written\n").expect(&ran.stdout);
    assert!(figure.split_once('.').is_some_and(|(_, digits)| digits.len() == 1), "{figure}");
    assert!(is_a_rate(1e9 * figure.parse::<f64>().unwrap()), "{figure}");
}

#[test]
fn json_has_the_rate_in_bytes_per_second_and_nothing_else() {
    let ran = bandwidth(&["--mib", "1", "--format", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(ran.stdout, format!("{json}\n"), "one line");
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["copy_bytes_per_s"]);
    assert!(is_a_rate(json["copy_bytes_per_s"].as_f64().unwrap()), "{json}");
}

#[test]
fn sizes_that_cannot_be_copied_are_refused() {
    for (mib, said) in [
        ("0", "invalid value '0' for '--mib <N>': 0 is not in 1..=4294967295"),
        ("-1", "unexpected argument '-1'"),
        ("4294967296", "4294967296 is not in 1..=4294967295"),
        // 4 PiB.
        ("4294967295", "out of memory: a state to copy needs 4503599626321920 bytes"),
    ] {
        let ran = bandwidth(&["--mib", mib]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{mib}");
        assert!(ran.stderr.contains(said), "{mib}: {}", ran.stderr);
    }
}
