//! `include/rtmpkit.h` is what cbindgen makes of the sources now, and every declaration in it is documented.
//! `UPDATE_HEADER=1 cargo test -p rtmp-ffi --test header` writes it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn header_path() -> PathBuf {
    folder().join("../include/rtmpkit.h")
}

/// The version macros come from Cargo.toml, so that they cannot disagree with it.
fn version_macros() -> String {
    let mut text = String::from("\n/* The version of this header; compare with rtmpkit_version(). */\n");
    let parts = [
        ("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")),
        ("MINOR", env!("CARGO_PKG_VERSION_MINOR")),
        ("PATCH", env!("CARGO_PKG_VERSION_PATCH")),
    ];
    for (name, number) in parts {
        writeln!(text, "#define RTMPKIT_VERSION_{name} {number}").unwrap();
    }
    writeln!(
        text,
        "#define RTMPKIT_VERSION_STRING \"{}\"",
        env!("CARGO_PKG_VERSION")
    )
    .unwrap();
    let number = "((RTMPKIT_VERSION_MAJOR << 16) | (RTMPKIT_VERSION_MINOR << 8) | RTMPKIT_VERSION_PATCH)";
    writeln!(text, "#define RTMPKIT_VERSION {number}").unwrap();
    text
}

fn generate() -> String {
    let mut config = cbindgen::Config::from_file(folder().join("cbindgen.toml")).unwrap();
    config.header = Some(
        fs::read_to_string(folder().join("header.txt"))
            .unwrap()
            .trim_end()
            .to_owned(),
    );
    config.after_includes = Some(version_macros());
    let bindings = cbindgen::Builder::new()
        .with_crate(folder())
        .with_config(config)
        .generate()
        .unwrap();
    let mut text = Vec::new();
    bindings.write(&mut text);
    one_line_comments(&String::from_utf8(text).unwrap())
}

/// Comments of one line stand on one line.
fn one_line_comments(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let indent = &line[..line.len() - line.trim_start().len()];
        let mut rest = lines.clone();
        let (body, end) = (rest.next().unwrap_or(""), rest.next().unwrap_or(""));
        if line.trim() == "/**" && end.trim() == "*/" {
            writeln!(
                out,
                "{indent}/** {} */",
                body.trim_start().trim_start_matches("* ")
            )
            .unwrap();
            lines = rest;
        } else {
            writeln!(out, "{line}").unwrap();
        }
    }
    out
}

#[test]
fn the_committed_header_is_fresh() {
    let now = generate();
    if std::env::var_os("UPDATE_HEADER").is_some() {
        fs::write(header_path(), &now).unwrap();
    }
    let committed = fs::read_to_string(header_path()).unwrap_or_default();
    assert!(
        committed == now,
        "include/rtmpkit.h is stale: run UPDATE_HEADER=1 cargo test -p rtmp-ffi --test header"
    );
}

#[test]
fn every_declaration_says_since_when_it_exists() {
    let header = generate();
    let mut comment = "";
    let mut missing = Vec::new();
    for block in header.split("\n\n").skip(1) {
        let declares = block
            .lines()
            .any(|line| line.contains(" rtmpkit_") && !line.trim_start().starts_with('*'));
        comment = if block.contains("/*") { block } else { comment };
        if declares && block.contains("/*") && !comment.contains("Since 0.") && !block.contains("VERSION") {
            missing.push(block.to_owned());
        }
        if declares && !block.contains("/*") && !block.starts_with('#') {
            missing.push(block.to_owned());
        }
    }
    assert!(missing.is_empty(), "not documented: {missing:#?}");
}
