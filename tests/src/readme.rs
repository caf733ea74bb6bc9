//! The programs of README.md, taken out of the page and built as its readers build them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::media;
use crate::programs::{build, target_dir, workspace};

/// The page's blocks in a language, in order, from a heading on.
pub fn blocks(heading: &str, language: &str) -> Vec<String> {
    let page = read(&workspace().join("README.md"));
    let (_, section) = page
        .split_once(&format!("{heading}\n"))
        .unwrap_or_else(|| panic!("README.md has no {heading:?}"));
    let fence = format!("```{language}\n");
    let blocks: Vec<String> = section
        .split(&fence)
        .skip(1)
        .filter_map(|rest| Some(rest.split_once("```")?.0.to_owned()))
        .collect();
    assert!(
        !blocks.is_empty(),
        "README.md has nothing in {language} after {heading:?}"
    );
    blocks
}

/// The command that runs `source`, a program in `language`: `c`, `cpp`, `rust` or `python`; `name` is of the test alone.
/// `None` where the Python step of `make test` has installed no package.
pub fn program(name: &str, language: &str, source: &str) -> Option<Command> {
    let dir = media::scratch(&format!("readme_{name}_{language}"));
    match language {
        "c" => Some(compiled(&dir, "c", &["gcc", "-std=c99"], source)),
        "cpp" => Some(compiled(&dir, "cpp", &["g++", "-std=c++17"], source)),
        "rust" => Some(crated(&dir, name, source)),
        "python" => interpreted(&dir, source),
        other => panic!("no compiler for {other}"),
    }
}

/// Compiles a program against the header and the shared library of this workspace.
fn compiled(dir: &Path, extension: &str, compiler: &[&str], program: &str) -> Command {
    let (source, binary) = (dir.join(format!("first.{extension}")), dir.join("first"));
    write(&source, program);
    let library = c_library();
    let mut command = Command::new(compiler[0]);
    command
        .args(&compiler[1..])
        .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .arg("-I")
        .arg(workspace().join("include"))
        .arg(&source)
        .arg("-o")
        .arg(&binary)
        .arg("-L")
        .arg(&library)
        .arg("-lrtmpkit");
    run(command);
    // The soname carries a version that only an installed copy has a file for.
    std::os::unix::fs::symlink(library.join("librtmpkit.so"), dir.join(soname(&library)))
        .expect("a fresh folder");
    let mut program = Command::new(binary);
    program.env("LD_LIBRARY_PATH", dir);
    program
}

/// A crate of its own that builds with the versions and into the folder of this workspace.
fn crated(dir: &Path, name: &str, program: &str) -> Command {
    fs::create_dir_all(dir.join("src")).expect("the scratch folder is writable");
    write(&dir.join("src/main.rs"), program);
    let core = workspace().join("rtmp-core");
    let name = format!("readme_{name}");
    let manifest = format!(
        "[package]\nname = {name:?}\nedition = \"2024\"\n[dependencies]\nrtmp-core = {{ path = {core:?} }}\n\
         [workspace]\n[profile.dev]\ndebug = \"line-tables-only\"\n"
    );
    write(&dir.join("Cargo.toml"), &manifest);
    write(&dir.join("Cargo.lock"), &read(&workspace().join("Cargo.lock")));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args(["build", "--quiet", "--offline", "--target-dir"])
        .arg(target_dir())
        .current_dir(dir);
    run(build);
    Command::new(target_dir().join("debug").join(name))
}

/// On the wheel that the Python step of `make test` installed.
fn interpreted(dir: &Path, program: &str) -> Option<Command> {
    let python = target_dir().join("venv/bin/python");
    let installed = Command::new(&python).args(["-c", "import rtmpkit"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        eprintln!("no Python package is installed in {}: not run", python.display());
        return None;
    }
    let file = dir.join("first.py");
    write(&file, program);
    let mut command = Command::new(python);
    command.arg("-u").arg(file);
    Some(command)
}

/// The folder of `librtmpkit.so`, built in release mode.
fn c_library() -> PathBuf {
    build(&["-p", "rtmp-ffi"]);
    target_dir().join("release")
}

fn soname(library: &Path) -> String {
    let mut readelf = Command::new("readelf");
    readelf.arg("-d").arg(library.join("librtmpkit.so"));
    let output = readelf
        .output()
        .unwrap_or_else(|error| panic!("cannot run readelf: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let name = text
        .lines()
        .find(|line| line.contains("SONAME"))
        .and_then(|line| line.split(['[', ']']).nth(1));
    name.unwrap_or_else(|| panic!("librtmpkit.so has no soname:\n{text}"))
        .to_owned()
}

fn run(mut command: Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{said}");
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
