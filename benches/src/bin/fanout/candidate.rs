//! What is measured: how each server is started, loaded and ended.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::figures::Sample;

/// A server, or the floor.
pub(crate) struct Candidate {
    pub(crate) name: String,
    kind: Kind,
}

enum Kind {
    /// The floor program with these options.
    Floor(Vec<String>),
    /// A command; `{port}` in it is replaced.
    Server(Vec<String>),
    /// nginx with its rtmp module, which wants a configuration file.
    Nginx(PathBuf),
}

/// Ends the process with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Everything there is to measure: the floors, our settings, nginx-rtmp where it is installed, and the peers named on
/// the command line as `NAME=COMMAND`.
pub(crate) fn candidates(peers: &[String]) -> Result<Vec<Candidate>, String> {
    let floor = |name: &str, options: &[&str]| Candidate {
        name: name.to_owned(),
        kind: Kind::Floor(options.iter().map(|&option| option.to_owned()).collect()),
    };
    let server = tool("examples/server")?;
    let ours = |name: &str, options: &[&str]| {
        let mut command = vec![
            server.clone(),
            "--listen".to_owned(),
            "127.0.0.1:{port}".to_owned(),
        ];
        command.extend(
            ["--workers", "1"]
                .iter()
                .chain(options)
                .map(|&option| option.to_owned()),
        );
        Candidate {
            name: name.to_owned(),
            kind: Kind::Server(command),
        }
    };
    let mut all = vec![
        floor("floor", &[]),
        floor("floor-io_uring", &["--io-uring"]),
        floor("floor-350ms", &["--window-ms", "350"]),
        ours("low_latency", &["--latency", "low_latency"]),
        ours(
            "low_latency-writev",
            &["--latency", "low_latency", "--no-io-uring"],
        ),
        ours("balanced", &["--latency", "balanced"]),
        ours("balanced-writev", &["--latency", "balanced", "--no-io-uring"]),
        ours("throughput", &["--latency", "throughput"]),
    ];
    if let Some(nginx) = nginx() {
        all.push(Candidate {
            name: "nginx-rtmp".to_owned(),
            kind: Kind::Nginx(nginx),
        });
    }
    for peer in peers {
        let (name, command) = peer
            .split_once('=')
            .ok_or_else(|| format!("{peer}: NAME=COMMAND is wanted"))?;
        let command = command.split_whitespace().map(str::to_owned).collect();
        all.push(Candidate {
            name: name.to_owned(),
            kind: Kind::Server(command),
        });
    }
    Ok(all)
}

impl Candidate {
    /// One run.
    pub(crate) fn measure(&self, players: usize, seconds: u64, bitrate: u64) -> Result<Sample, String> {
        let port = free_port()?;
        match &self.kind {
            Kind::Floor(options) => measure_floor(options, port, players, seconds, bitrate),
            Kind::Server(command) => {
                let command: Vec<String> = command
                    .iter()
                    .map(|word| word.replace("{port}", &port.to_string()))
                    .collect();
                let running = start(
                    Command::new(&command[0])
                        .args(&command[1..])
                        .stdout(Stdio::null()),
                )?;
                measure_server(running.0.id(), port, players, seconds, bitrate)
            }
            Kind::Nginx(module) => {
                let folder = std::env::temp_dir().join(format!("rtmpkit-fanout-{}", std::process::id()));
                let running = start_nginx(module, &folder, port)?;
                let result = nginx_worker(running.0.id())
                    .and_then(|pid| measure_server(pid, port, players, seconds, bitrate));
                drop(running);
                // What is left is in the system's temporary folder.
                let _ = fs::remove_dir_all(&folder);
                result
            }
        }
    }
}

fn measure_floor(
    options: &[String],
    port: u16,
    players: usize,
    seconds: u64,
    bitrate: u64,
) -> Result<Sample, String> {
    let program = tool("floor")?;
    let address = format!("127.0.0.1:{port}");
    let (players_text, seconds_text, bitrate_text) =
        (players.to_string(), seconds.to_string(), bitrate.to_string());
    let common = ["--address", &address, "--players", &players_text];
    let mut send = Command::new(&program);
    send.arg("send")
        .args(common)
        .args(["--seconds", &seconds_text, "--bitrate", &bitrate_text])
        .args(options);
    let mut sender = start(send.stdout(Stdio::piped()))?;
    let mut lines = BufReader::new(sender.0.stdout.take().ok_or("no output")?);
    let mut line = String::new();
    lines.read_line(&mut line).map_err(|error| error.to_string())?;
    let _sink = start(Command::new(&program).arg("sink").args(common))?;
    let mut rest = String::new();
    lines
        .read_to_string(&mut rest)
        .map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_str(&rest).map_err(|error| format!("{rest:?}: {error}"))?;
    let (bytes, cpu) = (number(&value, &["bytes"]), number(&value, &["cpu_seconds"]));
    let lost = number(&value, &["dropped"]);
    Ok(Sample {
        cpu_per_gb: cpu / (bytes / 1e9),
        lost,
        ..Sample::default()
    })
}

fn measure_server(pid: u32, port: u16, players: usize, seconds: u64, bitrate: u64) -> Result<Sample, String> {
    wait_for_port(port)?;
    let idle = resident_kib(pid);
    let url = format!("rtmp://127.0.0.1:{port}/live/s");
    let output = Command::new(tool("load")?)
        .args([
            "--url",
            &url,
            "--json",
            "--players",
            &players.to_string(),
            "--seconds",
            &seconds.to_string(),
        ])
        .args([
            "--synthetic-bitrate",
            &bitrate.to_string(),
            "--server-pid",
            &pid.to_string(),
        ])
        .stderr(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let value: Value =
        serde_json::from_slice(&output.stdout).map_err(|error| format!("the load tool: {error}"))?;
    let cpu = number(&value, &["server", "cpu_percent"]) / 100.0 * number(&value, &["measured_seconds"]);
    let bytes = number(&value, &["players", "mib"]) * 1_048_576.0;
    let resident = number(&value, &["server", "rss_mib"]) * 1024.0;
    Ok(Sample {
        cpu_per_gb: cpu / (bytes / 1e9),
        memory_per_player_kib: (resident - idle) / players.max(1) as f64,
        latency_p50_ms: number(&value, &["players", "latency_p50_ms"]),
        latency_p99_ms: number(&value, &["players", "latency_p99_ms"]),
        join_p50_ms: number(&value, &["players", "join_p50_ms"]),
        join_p99_ms: number(&value, &["players", "join_p99_ms"]),
        lost: number(&value, &["players", "lost_video"]),
    })
}

fn number(value: &Value, path: &[&str]) -> f64 {
    path.iter()
        .try_fold(value, |value, key| value.get(key))
        .and_then(Value::as_f64)
        .unwrap_or(f64::NAN)
}

fn start(command: &mut Command) -> Result<Running, String> {
    let running = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
    running
        .map(Running)
        .map_err(|error| format!("{:?}: {error}", command.get_program()))
}

/// A program that lies beside this one.
fn tool(name: &str) -> Result<String, String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let path = own.parent().unwrap_or(Path::new(".")).join(name);
    match path.exists() {
        true => Ok(path.to_string_lossy().into_owned()),
        false => Err(format!("{}: build it first (see --help)", path.display())),
    }
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener
        .local_addr()
        .map(|address| address.port())
        .map_err(|error| error.to_string())
}

fn wait_for_port(port: u16) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > deadline {
            return Err("the server does not listen".to_owned());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn resident_kib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    line.split_whitespace()
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0.0)
}

/// The rtmp module of an installed nginx.
fn nginx() -> Option<PathBuf> {
    let module = PathBuf::from("/usr/lib/nginx/modules/ngx_rtmp_module.so");
    (module.exists() && Path::new("/usr/sbin/nginx").exists()).then_some(module)
}

fn start_nginx(module: &Path, folder: &Path, port: u16) -> Result<Running, String> {
    fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let text = format!(
        "load_module {};\ndaemon off;\nworker_processes 1;\nuser root;\npid {}/pid;\nerror_log {}/log crit;\n\
         events {{ worker_connections 4096; }}\n\
         rtmp {{ server {{ listen 127.0.0.1:{port}; chunk_size 4096; application live {{ live on; }} }} }}\n",
        module.display(),
        folder.display(),
        folder.display(),
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, text).map_err(|error| error.to_string())?;
    start(
        Command::new("/usr/sbin/nginx")
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&file),
    )
}

/// nginx works in a child of the process that was started.
fn nginx_worker(master: u32) -> Result<u32, String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let children =
            fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap_or_default();
        if let Some(pid) = children
            .split_whitespace()
            .next()
            .and_then(|text| text.parse().ok())
        {
            return Ok(pid);
        }
        if Instant::now() > deadline {
            return Err("nginx has no worker".to_owned());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
