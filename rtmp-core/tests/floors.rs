//! The floors of the house (`docs/architecture.md`): a room imports only from its own floor or below, and the sans-I/O
//! floors never touch a socket, a thread or a clock.

use std::fs;
use std::path::{Path, PathBuf};

/// Every room, its floor, and the other rooms it may import from. `lib.rs` is the face and sees all of them.
const ROOMS: &[(&str, u8, &[&str])] = &[
    ("time", 0, &[]),
    ("amf", 1, &[]),
    ("wire", 1, &["amf"]),
    ("media", 1, &["time", "amf"]),
    ("session", 2, &["time", "amf", "wire", "media"]),
    ("error", 3, &["amf", "wire", "media", "session"]),
    ("app", 3, &["time", "amf", "wire", "media", "session", "error"]),
    (
        "engine",
        4,
        &[
            "time", "amf", "wire", "media", "session", "error", "app", "client",
        ],
    ),
    (
        "client",
        4,
        &[
            "time", "amf", "wire", "media", "session", "error", "app", "engine",
        ],
    ),
];

/// What the floors below `app` must not mention: they take bytes and the time as arguments.
const OUTSIDE: &[&str] = &[
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "std::thread",
    "Instant",
    "SystemTime",
    "mio::",
    "socket2::",
];

#[test]
fn rooms_import_only_from_their_own_floor_or_below() {
    let complaints: Vec<String> = sources()
        .iter()
        .flat_map(|(file, text)| complaints(file, text))
        .collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn the_table_of_rooms_obeys_the_floors_itself() {
    for (room, floor, allowed) in ROOMS {
        for other in *allowed {
            assert!(
                floor_of(other) <= Some(*floor),
                "{room} (floor {floor}) is allowed {other}, which is above it"
            );
        }
    }
}

#[test]
fn an_upward_import_is_noticed() {
    let wire = Path::new("wire/chunk/reader.rs");
    for bad in [
        "use crate::session::ServerSession;",
        "use crate::{amf::Value, engine::Engine};",
        "use crate::{\n    amf::{self, Value},\n    app::Application,\n};",
        "fn f() -> crate::client::NetConnection { todo!() }",
        "use crate::Engine;",
        "use super::super::super::media::Frame;",
        "use std::net::TcpStream;",
    ] {
        assert_eq!(complaints(wire, bad).len(), 1, "{bad}");
    }
    for good in [
        "use crate::amf::Value;",
        "use crate::{amf::{Object, Value}, wire::message::Message};",
        "use super::super::message::Message;",
        "/// See [`crate::engine::Engine`].",
        "mod tests {\n    use super::super::super::message::Message;\n}",
    ] {
        assert_eq!(complaints(wire, good), Vec::<String>::new(), "{good}");
    }
}

fn floor_of(room: &str) -> Option<u8> {
    ROOMS
        .iter()
        .find(|(name, ..)| *name == room)
        .map(|(_, floor, _)| *floor)
}

/// What is wrong with a source file, given by its path below `src`.
fn complaints(file: &Path, text: &str) -> Vec<String> {
    let room = room_of(file);
    let Some((_, floor, allowed)) = ROOMS.iter().find(|(name, ..)| *name == room) else {
        return vec![format!(
            "{}: room {room:?} is not in the table of floors",
            file.display()
        )];
    };
    let code = without_comments(text);
    let mut complaints = Vec::new();
    for import in crate_paths(&code) {
        if import != room && !allowed.contains(&import.as_str()) {
            let to = floor_of(&import).map_or("the face".to_owned(), |floor| format!("floor {floor}"));
            complaints.push(format!(
                "{} (floor {floor}) imports crate::{import} ({to})",
                file.display()
            ));
        }
    }
    if climbs_out(file, &code) {
        complaints.push(format!(
            "{}: `super::` leaves the room; write crate::",
            file.display()
        ));
    }
    for outside in OUTSIDE.iter().filter(|_| *floor < 3) {
        if code.contains(outside) {
            complaints.push(format!("{} (floor {floor}) mentions {outside}", file.display()));
        }
    }
    complaints
}

/// First segments of all paths that begin with `crate::`, groups in braces included.
fn crate_paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, root) in code.match_indices("crate::") {
        if code[..at].ends_with(['$', '_']) || code[..at].ends_with(char::is_alphanumeric) {
            continue;
        }
        match code[at + root.len()..].strip_prefix('{') {
            Some(group) => found.extend(group_heads(group)),
            None => found.push(identifier(&code[at + root.len()..])),
        }
    }
    found
}

/// First segments of the items of a group, given from after its opening brace.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut at_head, mut heads) = (0, true, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_head = true,
            c if at_head && !c.is_whitespace() => {
                heads.push(identifier(&group[at..]));
                at_head = false;
            }
            _ => {}
        }
    }
    heads
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

/// Whether a chain of `super::` reaches the crate's root. A module of tests is one deeper than its file.
fn climbs_out(file: &Path, code: &str) -> bool {
    let is_mod = file.file_stem().is_some_and(|stem| stem == "mod");
    let depth = file.components().count() - usize::from(is_mod);
    let tests = code.find("mod tests").unwrap_or(code.len());
    code.match_indices("super::").any(|(at, step)| {
        let chain = code.as_bytes()[at..]
            .chunks(step.len())
            .take_while(|part| part == &step.as_bytes())
            .count();
        chain >= depth + usize::from(at > tests)
    })
}

fn room_of(file: &Path) -> String {
    let first = file
        .components()
        .next()
        .map(|part| Path::new(part.as_os_str()).with_extension(""));
    first.unwrap_or_default().to_string_lossy().into_owned()
}

fn without_comments(text: &str) -> String {
    let code = |line: &str| {
        line.split_once("//")
            .map_or(line.to_owned(), |(code, _)| code.to_owned())
    };
    text.lines().map(|line| code(line) + "\n").collect()
}

/// All source files of the crate but its face and its test modules, by their path below `src`.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a source folder can be read") {
            let path = entry.expect("a source folder can be read").path();
            let below = path.strip_prefix(&root).expect("below src").to_owned();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs")
                && below != Path::new("lib.rs")
                && !is_test_module(&path)
            {
                files.push((below, fs::read_to_string(&path).expect("a source file is UTF-8")));
            }
        }
    }
    assert!(files.len() > 20, "the sources were not found: {files:?}");
    files
}

/// Whether a file is a test module: its folder's `mod.rs` declares it under `#[cfg(test)]`.
fn is_test_module(path: &Path) -> bool {
    let parent = fs::read_to_string(path.with_file_name("mod.rs")).unwrap_or_default();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    parent.contains(&format!("#[cfg(test)]\nmod {stem};"))
}
