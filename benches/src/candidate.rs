//! What is measured: how each server is started and ended.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const NGINX: &str = "/usr/sbin/nginx";
const NGINX_MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";
/// How long a server may take to come up, or to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that can be started.
#[derive(Debug)]
pub struct Candidate {
    /// What the tables call it.
    pub name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Words of a command; `{port}` in them is replaced.
    Command(Vec<String>),
    /// nginx with its rtmp module, which wants a configuration file.
    Nginx,
}

/// A process that is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// The process that does the work: nginx's worker, everybody else's only process.
    pub pid: u32,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    /// Removed in the end.
    folder: Option<PathBuf>,
}

impl Candidate {
    /// Our server example with `options`, from the folder this program lies in.
    pub fn ours(name: &str, options: &[&str]) -> Result<Self, String> {
        let server = tool("examples/server")?;
        let fixed = [server.as_str(), "--listen", "127.0.0.1:{port}", "--workers", "1"];
        let words = fixed.iter().chain(options);
        Ok(Self {
            name: name.to_owned(),
            kind: Kind::Command(words.map(|&word| word.to_owned()).collect()),
        })
    }

    /// The floor program as a server, with `options`, from the folder this program lies in.
    pub fn bare(name: &str, options: &[&str]) -> Result<Self, String> {
        let floor = tool("floor")?;
        let fixed = [floor.as_str(), "serve", "--address", "127.0.0.1:{port}"];
        let words = fixed.iter().chain(options);
        Ok(Self {
            name: name.to_owned(),
            kind: Kind::Command(words.map(|&word| word.to_owned()).collect()),
        })
    }

    /// Our server example by `NAME=OPTIONS`.
    pub fn variant(text: &str) -> Result<Self, String> {
        let (name, options) = named(text)?;
        Self::ours(name, &options)
    }

    /// Any other server by `NAME=COMMAND`.
    pub fn peer(text: &str) -> Result<Self, String> {
        let (name, words) = named(text)?;
        if words.is_empty() {
            return Err(format!("{text}: the command is missing"));
        }
        Ok(Self {
            name: name.to_owned(),
            kind: Kind::Command(words.into_iter().map(str::to_owned).collect()),
        })
    }

    /// nginx-rtmp where it is installed.
    pub fn nginx() -> Option<Self> {
        let installed = Path::new(NGINX).exists() && Path::new(NGINX_MODULE).exists();
        installed.then(|| Self {
            name: "nginx-rtmp".to_owned(),
            kind: Kind::Nginx,
        })
    }

    /// Starts it on a free port and waits until it listens.
    pub fn start(&self) -> Result<Running, String> {
        self.start_under(&[])
    }

    /// Starts it as the program that `wrapper` (its words) runs.
    pub fn start_under(&self, wrapper: &[String]) -> Result<Running, String> {
        let port = free_port()?;
        let (own, folder) = match &self.kind {
            Kind::Command(words) => (words.clone(), None),
            Kind::Nginx => {
                let folder =
                    std::env::temp_dir().join(format!("rtmpkit-nginx-{}-{port}", std::process::id()));
                (nginx_words(&folder, port)?, Some(folder))
            }
        };
        let words = wrapper.iter().chain(&own);
        let words: Vec<String> = words
            .map(|word| word.replace("{port}", &port.to_string()))
            .collect();
        let mut command = Command::new(&words[0]);
        let child = quiet(command.args(&words[1..]).stdout(Stdio::null()))?;
        let mut running = Running {
            pid: child.id(),
            child,
            port,
            folder,
        };
        running.wait_for_port()?;
        if matches!(self.kind, Kind::Nginx) {
            running.pid = only_child(running.pid)?;
        }
        Ok(running)
    }
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Asks it to end and waits for that, so that what watched it can write its report.
    pub fn terminate(mut self, limit: Duration) -> Result<(), String> {
        // SAFETY: a plain system call on a child that was not waited for, so the id is still its own.
        unsafe { libc::kill(self.child.id().cast_signed(), libc::SIGTERM) };
        let deadline = Instant::now() + limit;
        while self
            .child
            .try_wait()
            .map_err(|error| error.to_string())?
            .is_none()
        {
            if Instant::now() > deadline {
                return Err("the server does not end".to_owned());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn wait_for_port(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.address()).is_err() {
            let ended = self.child.try_wait().map_err(|error| error.to_string())?;
            if let Some(status) = ended {
                return Err(format!("the server ended at once ({status})"));
            }
            if Instant::now() > deadline {
                return Err("the server does not listen".to_owned());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // nginx ends its worker when it is asked to end, not when it is killed.
        if self.pid != self.child.id() {
            // SAFETY: a plain system call on a child that was not waited for, so the id is still its own.
            unsafe { libc::kill(self.child.id().cast_signed(), libc::SIGTERM) };
            let deadline = Instant::now() + PATIENCE;
            while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < deadline {
                sleep(Duration::from_millis(10));
            }
        }
        // Gone already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(folder) = &self.folder {
            // What is left is in the system's temporary folder.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// Path of a program that lies beside this one.
pub fn tool(name: &str) -> Result<String, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = own.parent().unwrap_or(Path::new(".")).join(name);
    match path.exists() {
        true => Ok(path.to_string_lossy().into_owned()),
        false => Err(format!(
            "{} is missing: build it first, with `cargo build --release -p rtmp-core --example server -p rtmp-benches --bins`",
            path.display()
        )),
    }
}

/// Starts `command` without input, and without its complaints.
pub fn quiet(command: &mut Command) -> Result<Child, String> {
    let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    child.map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))
}

/// A port of 127.0.0.1 that was free a moment ago.
pub fn free_port() -> Result<u16, String> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    address
        .map(|address| address.port())
        .map_err(|error| error.to_string())
}

fn named(text: &str) -> Result<(&str, Vec<&str>), String> {
    let (name, words) = text
        .split_once('=')
        .ok_or_else(|| format!("{text}: NAME=... is wanted"))?;
    Ok((name, words.split_whitespace().collect()))
}

fn nginx_words(folder: &Path, port: u16) -> Result<Vec<String>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(failed)?;
    let shown = folder.display();
    let text = format!(
        "load_module {NGINX_MODULE};\ndaemon off;\nworker_processes 1;\nworker_rlimit_nofile 16384;\nuser root;\n\
         pid {shown}/pid;\nerror_log {shown}/log crit;\nevents {{ worker_connections 16000; }}\n\
         rtmp {{ server {{ listen 127.0.0.1:{port}; chunk_size 4096; application live {{ live on; }} }} }}\n",
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, text).map_err(failed)?;
    let words = [
        NGINX,
        "-p",
        &folder.to_string_lossy(),
        "-c",
        &file.to_string_lossy(),
    ];
    Ok(words.map(str::to_owned).to_vec())
}

/// nginx works in a child of the process that was started.
fn only_child(parent: u32) -> Result<u32, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let children =
            fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        let first = children.split_whitespace().next();
        if let Some(pid) = first.and_then(|text| text.parse().ok()) {
            return Ok(pid);
        }
        if Instant::now() > deadline {
            return Err("nginx has no worker".to_owned());
        }
        sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_a_name_and_a_command() {
        assert_eq!(
            Candidate::peer("other=/bin/other -p {port}").unwrap().name,
            "other"
        );
        assert!(Candidate::peer("/bin/other").is_err());
        assert!(Candidate::peer("other=").is_err());
    }

    #[test]
    fn a_command_that_ends_at_once_is_an_error() {
        let error = Candidate::peer("none=true {port}").unwrap().start().unwrap_err();
        assert!(error.contains("ended at once"), "{error}");
    }
}
