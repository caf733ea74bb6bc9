//! Child processes that never outlive their test, and waiting for what they say instead of for time to pass.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Ports for servers of tests: Linux takes others for outgoing connections (`ip_local_port_range`).
const PORTS: Range<u32> = 12_000..32_000;
const PORTS_OF_A_PROCESS: u32 = 61;
/// How often a condition without an event of its own (a port, an exit) is looked at.
const POLL: Duration = Duration::from_millis(10);

/// A running program, killed by its process id when dropped. Its standard output and error are collected.
pub struct Process {
    name: String,
    child: Child,
    lines: Receiver<String>,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts `command` without standard input.
    pub fn spawn(name: &str, mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {name} ({command:?}): {e}"));
        let (sender, lines) = channel();
        let log = Arc::new(Mutex::new(String::new()));
        let pipes: [Option<Box<dyn Read + Send>>; 2] = [
            child.stdout.take().map(|p| Box::new(p) as Box<dyn Read + Send>),
            child.stderr.take().map(|p| Box::new(p) as Box<dyn Read + Send>),
        ];
        let mut readers = Vec::new();
        for pipe in pipes.into_iter().flatten() {
            let (sender, log) = (sender.clone(), log.clone());
            readers.push(thread::spawn(move || {
                for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line).into_owned();
                    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                    log.push_str(&line);
                    log.push('\n');
                    drop(log);
                    // Nobody waits for lines any more: the log is still kept.
                    let _ = sender.send(line);
                }
            }));
        }
        Self {
            name: name.to_owned(),
            child,
            lines,
            log,
            readers,
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has printed so far, for a failure's message.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it prints a line that contains `text` and returns that line. Panics after `limit`.
    pub fn wait_for_line(&self, text: &str, limit: Duration) -> String {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    panic!(
                        "{} printed no line with {text:?} in {limit:?}:\n{}",
                        self.name,
                        self.log()
                    )
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("{} ended before a line with {text:?}:\n{}", self.name, self.log())
                }
            }
        }
    }

    /// Waits until `addr` accepts connections. Panics after `limit`, or when the program ends first.
    pub fn wait_for_port(&mut self, addr: SocketAddr, limit: Duration) {
        let deadline = Instant::now() + limit;
        while TcpStream::connect_timeout(&addr, Duration::from_secs(1)).is_err() {
            if let Some(status) = self.exited() {
                panic!(
                    "{} ended ({status}) before {addr} was open:\n{}",
                    self.name,
                    self.log()
                );
            }
            assert!(
                Instant::now() < deadline,
                "{}: {addr} not open in {limit:?}:\n{}",
                self.name,
                self.log()
            );
            thread::sleep(POLL);
        }
    }

    /// Waits for its end, and until [`Self::log`] holds all it printed. Panics after `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.exited() {
                for reader in self.readers.drain(..) {
                    reader.join().expect("a pipe's reader does not panic");
                }
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "{} still runs after {limit:?}:\n{}",
                self.name,
                self.log()
            );
            thread::sleep(POLL);
        }
    }

    /// Waits for its end and panics unless it succeeded.
    pub fn wait_success(&mut self, limit: Duration) {
        let status = self.wait(limit);
        assert!(
            status.success(),
            "{} failed ({status}):\n{}",
            self.name,
            self.log()
        );
    }

    /// Sends `signal` (`libc::SIGTERM`, ...).
    pub fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.child.id()).expect("process ids fit i32");
        // SAFETY: plain system call on a child that we have not reaped, so the id is still its own.
        unsafe { libc::kill(pid, signal) };
    }

    /// Asks it to end with SIGTERM and waits. Panics after `limit`.
    pub fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.signal(libc::SIGTERM);
        self.wait(limit)
    }

    /// Resident memory in bytes, from `/proc`; 0 when it has ended.
    pub fn resident_bytes(&self) -> u64 {
        status_kib(self.pid(), "VmRSS:") * 1024
    }

    /// Most resident memory it ever had, in bytes; 0 when it has ended.
    pub fn peak_resident_bytes(&self) -> u64 {
        status_kib(self.pid(), "VmHWM:") * 1024
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("waiting for a child of ours works")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- {} (pid {}) printed:\n{}", self.name, self.pid(), self.log());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on 127.0.0.1 that was free a moment ago, and that nobody is given but who asks for it by number: below the ports
/// of outgoing connections, each once in a process, and each process from a place of its own.
pub fn free_address() -> SocketAddr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let place = std::process::id().wrapping_mul(PORTS_OF_A_PROCESS);
    for _ in PORTS {
        let taken = TAKEN.fetch_add(1, Relaxed);
        let port = PORTS.start + place.wrapping_add(taken) % (PORTS.end - PORTS.start);
        let port = u16::try_from(port).expect("the ports are below 65536");
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().expect("a bound listener has an address");
        }
    }
    panic!("no port of {PORTS:?} is free on 127.0.0.1");
}

fn status_kib(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(field));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::spawn("sh", command)
    }

    #[test]
    fn a_line_of_either_pipe_is_waited_for() {
        let process = shell("echo one; echo two >&2; exec cat /dev/zero > /dev/null");
        assert_eq!(process.wait_for_line("two", Duration::from_secs(10)), "two");
        assert!(process.resident_bytes() > 0);
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let process = shell("echo up; exec cat /dev/zero > /dev/null");
        process.wait_for_line("up", Duration::from_secs(10));
        let pid = process.pid();
        drop(process);
        assert_eq!(status_kib(pid, "VmRSS:"), 0);
    }

    #[test]
    fn sigterm_ends_a_process() {
        let mut process = shell("echo up; exec cat /dev/zero > /dev/null");
        process.wait_for_line("up", Duration::from_secs(10));
        assert!(!process.terminate(Duration::from_secs(10)).success());
    }

    #[test]
    fn no_address_is_given_twice_or_to_an_outgoing_connection() {
        let ports: BTreeSet<u16> = (0..100).map(|_| free_address().port()).collect();
        assert_eq!(ports.len(), 100);
        assert!(ports.iter().all(|port| PORTS.contains(&u32::from(*port))));
    }
}
