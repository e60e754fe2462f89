//! A sweep onto a disk that fills up: a small tmpfs, mounted in a namespace of the test's own. Some
//! systems let nobody mount, and a test cannot know on which it will run: it is ignored unless it is
//! asked for, as `.ci/run` does where it can mount.

use std::fs;
use std::process::Command;

use crate::support::{Sandbox, text};

/// Room for one row. The sweep goes on to the end, prints what it has, and continues once there is
/// room.
#[test]
#[ignore = "mounts a tmpfs, which not every system allows: cargo test -- --ignored disk::"]
fn a_full_disk_loses_the_rows_that_do_not_fit() {
    let sandbox = Sandbox::scripted();
    fs::create_dir(sandbox.path("out")).unwrap();
    let sweep = "./sweeper sweep --device cpu --sweep mine.toml --out out";
    let script = format!(
        "mount -t tmpfs -o size=28k none out || exit 99
         {sweep} >table1 2>said1; echo $? >codes
         {sweep} --resume >table2 2>said2; echo $? >>codes
         mount -o remount,size=1m out
         {sweep} --resume >table3 2>said3; echo $? >>codes
         find out -name '.*' >hidden"
    );
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", &script])
        .current_dir(sandbox.path(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let read = |name: &str| text(&fs::read(sandbox.path(name)).unwrap());
    assert_eq!(
        read("codes"),
        "1\n1\n0\n",
        "{}\n{}\n{}",
        read("said1"),
        read("said2"),
        read("said3")
    );
    // A is finished; B and C say why they are not, and so does the report.
    assert!(read("table1").contains("│ A "), "{}", read("table1"));
    assert!(read("said1").contains("B      LOST  "), "{}", read("said1"));
    assert!(read("said1").contains("No space left on device"), "{}", read("said1"));
    assert!(read("said1").contains("--out out --resume"), "{}", read("said1"));
    assert!(read("said2").contains("A      finished before"), "{}", read("said2"));
    let said3 = read("said3");
    assert!(said3.contains("A      finished before") && said3.contains("report: "), "{said3}");
    assert_eq!(read("hidden"), "", "a part of a file was left behind");
    assert_eq!(sandbox.ran(), ["A", "B", "C", "B", "C", "B", "C"]);
}
