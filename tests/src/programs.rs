//! rtmpkit's own programs as other processes: the example programs and the load tool, built on first use.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::process::{Process, free_address};

/// How long a program may take to come up on a busy machine.
pub const START: Duration = Duration::from_secs(20);

/// The workspace's folder.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the tests are a member of the workspace")
}

/// Cargo's target folder: `CARGO_TARGET_DIR`, or `target` in the workspace.
pub fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// Path of the Rust example `name` (`server`, `publisher`, `player`, ...), built in release mode, which we measure too.
pub fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| build(&["--examples", "-p", "rtmp-core"]));
    target_dir().join("release/examples").join(name)
}

/// Path of the load tool, built in release mode.
pub fn load_tool() -> PathBuf {
    bench("load")
}

/// Path of the measuring program `name` (`load`, `fanout`, `ingest`, ...), built in release mode.
pub fn bench(name: &str) -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| build(&["--bins", "-p", "rtmp-benches"]));
    target_dir().join("release").join(name)
}

/// Starts our client program `example` with `args`.
pub fn spawn_example<A: AsRef<OsStr>>(name: &str, args: &[A]) -> Process {
    let mut command = Command::new(example(name));
    command.args(args);
    Process::spawn(name, command)
}

/// The server example, listening on a free port of 127.0.0.1.
pub struct Server {
    /// The program.
    pub process: Process,
    /// Where it listens.
    pub addr: SocketAddr,
    scheme: String,
}

impl Server {
    /// Starts it with as many workers as it likes.
    pub fn start() -> Self {
        Self::with_args(&[])
    }

    /// Starts it with `workers` worker threads.
    pub fn with_workers(workers: usize) -> Self {
        Self::with_args(&["--workers", &workers.to_string()])
    }

    /// URL of stream `name` in application `live`.
    pub fn url(&self, name: &str) -> String {
        format!("{}://{}/live/{name}", self.scheme, self.addr)
    }

    fn with_args(args: &[&str]) -> Self {
        Self::with_scheme("rtmp", args)
    }

    /// Starts it for another scheme than `rtmp`, with further arguments.
    pub fn with_scheme(scheme: &str, args: &[&str]) -> Self {
        let addr = free_address();
        let mut command = Command::new(example("server"));
        command
            .args(["--listen", &format!("{scheme}://{addr}")])
            .args(args);
        let mut process = Process::spawn("server example", command);
        process.wait_for_port(addr, START);
        let scheme = scheme.to_owned();
        Self {
            process,
            addr,
            scheme,
        }
    }
}

/// Builds in release mode.
pub fn build(args: &[&str]) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(workspace())
        .args(["build", "--release", "--quiet"])
        .args(args);
    let status = command
        .status()
        .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"));
    assert!(status.success(), "{command:?} failed ({status})");
}
