//! Status codes stand in one table: nowhere else does the source spell one out.

use std::fs;
use std::path::{Path, PathBuf};

const FAMILIES: [&str; 4] = [
    "\"NetConnection.",
    "\"NetStream.",
    "\"SharedObject.",
    "\"Application.",
];

#[test]
fn no_code_is_spelt_out_outside_of_the_table() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut complaints = Vec::new();
    for file in sources(&src) {
        let path = file.strip_prefix(&src).unwrap_or(&file).display().to_string();
        if path.starts_with("wire/status") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file can be read");
        complaints.extend(spelt_out(&text).into_iter().map(|line| format!("{path}:{line}")));
    }
    assert!(complaints.is_empty(), "use `Code`:\n{}", complaints.join("\n"));
}

#[test]
fn a_code_in_a_literal_is_noticed() {
    let text = "let a = \"NetStream.Play.Start\";\n// \"NetStream.Play.Stop\"\n/// \"Application.X\"";
    assert_eq!(spelt_out(text), ["1: let a = \"NetStream.Play.Start\";"]);
    assert!(spelt_out("#[cfg(test)]\nmod tests { \"NetStream.Play.Start\" }").is_empty());
}

/// Lines with a code, but for comments and the unit tests at the end of a file, which spell out what peers send.
fn spelt_out(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .filter(|(_, line)| FAMILIES.iter().any(|family| line.contains(family)))
        .map(|(number, line)| format!("{}: {}", number + 1, line.trim()))
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the source folder can be read");
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry of the source folder").path()) {
        if path.ends_with("tests") || path.ends_with("tests.rs") {
            continue;
        }
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
