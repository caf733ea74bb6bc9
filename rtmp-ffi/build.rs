//! Link settings of the shared library that plain cargo does not set: soname, no foreign symbols, never unloaded.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    if target != "linux" && target != "android" {
        return;
    }
    let part = |name: &str| env::var(name).unwrap_or_default();
    let (major, minor) = (part("CARGO_PKG_VERSION_MAJOR"), part("CARGO_PKG_VERSION_MINOR"));
    // As cargo-c counts: before 1.0 a minor version may break the ABI.
    let abi = if major == "0" { format!("0.{minor}") } else { major };
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,librtmpkit.so.{abi}");
    println!("cargo::rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
    // Threads and thread-local destructors of ours would run in memory that dlclose took away.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
