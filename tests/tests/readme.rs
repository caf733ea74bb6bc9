//! The first programs of README.md are built and run as they stand there, but for the address: each lets a publisher in
//! who has the key and refuses one who has not.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rtmp_tests::media;
use rtmp_tests::players::limit;
use rtmp_tests::process::{Process, free_address};
use rtmp_tests::programs::{START, build, spawn_example, target_dir, workspace};

/// The address that the programs listen on in the page.
const ADDRESS: &str = "127.0.0.1:1935";

#[test]
fn the_rust_program_works() {
    let addr = free_address();
    let dir = scratch("rust");
    fs::create_dir_all(dir.join("src")).expect("the scratch folder is writable");
    write(&dir.join("src/main.rs"), &program("rust", addr));
    let core = workspace().join("rtmp-core");
    // A workspace of its own that builds with the versions and into the folder of this one.
    let manifest = format!(
        "[package]\nname = \"readme\"\nedition = \"2024\"\n[dependencies]\nrtmp-core = {{ path = {core:?} }}\n\
         [workspace]\n[profile.dev]\ndebug = \"line-tables-only\"\n"
    );
    write(&dir.join("Cargo.toml"), &manifest);
    write(&dir.join("Cargo.lock"), &read(&workspace().join("Cargo.lock")));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args(["build", "--quiet", "--offline", "--target-dir"])
        .arg(target_dir())
        .current_dir(&dir);
    run(build);
    works(Command::new(target_dir().join("debug/readme")), addr);
}

#[test]
fn the_c_program_works() {
    let addr = free_address();
    works(compiled("c", "c", &["gcc", "-std=c99"], addr), addr);
}

#[test]
fn the_cpp_program_works() {
    let addr = free_address();
    works(compiled("cpp", "cpp", &["g++", "-std=c++17"], addr), addr);
}

/// On the wheel that the Python step of `make test` installed.
#[test]
fn the_python_program_works() {
    let addr = free_address();
    let python = target_dir().join("venv/bin/python");
    let installed = Command::new(&python).args(["-c", "import rtmpkit"]).output();
    if !installed.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "the Python package is not installed in {}: not run",
            python.display()
        );
        return;
    }
    let file = scratch("python").join("first.py");
    write(&file, &program("python", addr));
    let mut command = Command::new(python);
    command.arg(file);
    works(command, addr);
}

/// Compiles a program against the header and the shared library of this workspace.
fn compiled(language: &str, extension: &str, compiler: &[&str], addr: SocketAddr) -> Command {
    let dir = scratch(language);
    let (source, binary) = (dir.join(format!("first.{extension}")), dir.join("first"));
    write(&source, &program(language, addr));
    let library = c_library();
    let mut command = Command::new(compiler[0]);
    command
        .args(&compiler[1..])
        .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror"]);
    command
        .arg("-I")
        .arg(workspace().join("include"))
        .arg(&source)
        .arg("-o")
        .arg(&binary);
    command.arg("-L").arg(&library).arg("-lrtmpkit");
    run(command);
    // The soname carries a version that only an installed copy has a file for.
    std::os::unix::fs::symlink(library.join("librtmpkit.so"), dir.join(soname(&library)))
        .expect("a fresh folder");
    let mut program = Command::new(binary);
    program.env("LD_LIBRARY_PATH", &dir);
    program
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

/// Runs a program, publishes to it with a wrong key and with the right one.
fn works(program: Command, addr: SocketAddr) {
    let mut server = Process::spawn("first program", program);
    server.wait_for_port(addr, START);
    let sample = media::h264_aac_short();
    let publish = |key: &str| {
        let url = format!("rtmp://{addr}/live/cam?key={key}");
        let mut publisher = spawn_example("publisher", &[sample.as_os_str(), url.as_ref()]);
        let status = publisher.wait(limit(media::SHORT_SECONDS));
        (status.success(), publisher.log())
    };
    let (accepted, log) = publish("guessed");
    assert!(
        !accepted && log.contains("NetStream.Publish.BadName"),
        "a wrong key: {log}"
    );
    let (accepted, log) = publish("s3cret");
    assert!(accepted, "the right key: {log}");
}

/// The page's first block in `language`, listening on `addr` instead.
fn program(language: &str, addr: SocketAddr) -> String {
    let page = read(&workspace().join("README.md"));
    let block = page
        .split(&format!("```{language}\n"))
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let block = block.unwrap_or_else(|| panic!("README.md has no program in {language}"));
    assert!(
        block.contains(ADDRESS),
        "the program in {language} listens on {ADDRESS}"
    );
    block.replace(ADDRESS, &addr.to_string())
}

fn run(mut command: Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{said}");
}

fn scratch(name: &str) -> PathBuf {
    media::scratch(&format!("readme_{name}"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
