//! The shared library exports the functions of the header and nothing else, under the soname that packagers expect.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

mod support;

/// The library that cargo built beside this test.
fn library() -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    let found = [folder.join("librtmpkit.so"), folder.join("../librtmpkit.so")]
        .into_iter()
        .find(|path| path.exists());
    found.expect("cargo builds librtmpkit.so with the tests")
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .arg(library())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn exported_symbols_are_the_functions_of_the_header() {
    let listing = output("nm", &["-D", "--defined-only"]);
    let exported: BTreeSet<&str> = listing
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .collect();
    let functions = support::functions();
    let declared: BTreeSet<&str> = functions.iter().map(|function| &*function.name).collect();
    assert_eq!(exported, declared);
}

#[test]
fn the_soname_is_the_one_of_this_version() {
    let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    let abi = if major == "0" {
        format!("0.{minor}")
    } else {
        major.to_owned()
    };
    let dynamic = output("readelf", &["-d"]);
    assert!(
        dynamic.contains(&format!("soname: [librtmpkit.so.{abi}]")),
        "{dynamic}"
    );
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}
