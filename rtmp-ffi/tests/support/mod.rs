//! What the header declares.
#![allow(dead_code, reason = "each test uses a part")]

use std::fs;
use std::path::Path;

/// A function of the header.
pub struct Function {
    pub returns: String,
    pub name: String,
}

/// The committed header without its comments.
pub fn header() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/rtmpkit.h");
    let text = fs::read_to_string(path).unwrap();
    let mut code = String::new();
    for (number, part) in text.split("/*").enumerate() {
        code.push_str(if number == 0 {
            part
        } else {
            part.split_once("*/").unwrap().1
        });
    }
    code
}

/// The functions in the order of the header.
pub fn functions() -> Vec<Function> {
    let header = header();
    let declarations = header
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
    let declarations = declarations.filter(|line| !line.starts_with("typedef") && line.contains('('));
    let parse = |line: &str| {
        let before = line.split_once('(').unwrap().0;
        let at = before.rfind("rtmpkit_").unwrap();
        Function {
            returns: before[..at].trim().to_owned(),
            name: before[at..].to_owned(),
        }
    };
    declarations.map(parse).collect()
}
