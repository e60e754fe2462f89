//! The stand-in under the names and versions that programs look for.

use vram_virtual_card::card::Libraries;
use vram_virtual_card::verdict::Verdict;

use crate::support::{
    GRANULE, answer, card, ends_well, linked, options, process, program, run, run_any, stub,
};

/// A program that is linked with the driver and with this version of cuBLAS.
fn a_product(library: &str) {
    let stubs = [stub("libcuda.so.1", "cuda", None), stub(library, "cublas", Some(library))];
    let program = linked("product", &format!("product_{library}"), &stubs);
    let found = run_any(&options(program, &[]));
    found.runs.iter().for_each(ends_well);
    assert_eq!(process(&found).libraries, [""; 0]);
    assert_eq!(answer(&found).verdict, Verdict::Exact);
    // What a handle and the first product take was counted: the calls came here.
    let Libraries { context, blas_handle, blas_workspace, .. } = card(None).model().libraries;
    assert_eq!(answer(&found).cards[0].held, context + blas_handle + blas_workspace + GRANULE);
}

#[test]
fn a_program_linked_with_cuda_12_finds_its_versions() {
    a_product("libcublas.so.12");
}

#[test]
fn a_program_linked_with_cuda_13_finds_its_versions() {
    a_product("libcublas.so.13");
}

/// As cudarc, libloading and Python's ctypes look.
#[test]
fn every_name_that_is_looked_for_is_the_stand_in() {
    let versioned = [
        ("libcuda.so", &["1"][..]),
        ("libcublas.so", &["12", "13"]),
        ("libcublasLt.so", &["12", "13"]),
        ("libcurand.so", &["10"]),
        ("libnvrtc.so", &["12", "13"]),
        ("libcudart.so", &["12", "13"]),
        ("libnvidia-ml.so", &["1"]),
    ];
    let mut names = vec!["stand-in".to_owned()];
    for (name, versions) in versioned {
        names.push(name.to_owned());
        names.extend(versions.iter().map(|version| format!("{name}.{version}")));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = run_any(&options(program("loads"), &names));
    found.runs.iter().for_each(ends_well);
    assert_eq!(process(&found).libraries, [""; 0]);
    assert_eq!(answer(&found).verdict, Verdict::Exact);
}

/// As cudart and CUDA's Python packages look: before anything else, and for the version that they were
/// built with.
#[test]
fn functions_are_found_by_the_driver_in_the_version_that_is_asked_for() {
    let found = run("by_address", &[]);
    assert_eq!(process(&found).unmodelled, [""; 0]);
    assert_eq!(answer(&found).verdict, Verdict::Exact);
    assert_eq!(answer(&found).cards[0].outside, 2 << 20);
}
