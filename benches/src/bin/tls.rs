//! What TLS and tunnels cost: one stream for some players, by each scheme in turn, and the server's CPU time per GB sent.
//!
//! `cargo run --release -p rtmp-benches --bin tls -- [PLAYERS [SECONDS]]` (50, 10). Everything stays on 127.0.0.1. The server and
//! the host that writes the stream are this process, the players another. A certificate is made by `openssl`.

use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtmp_benches::process::{Usage, raise_descriptor_limit};
use rtmp_core::{
    AcceptAll, ApplicationConfig, Engine, EngineConfig, FourCc, Frame, NetConnection, NetConnectionConfig,
    NetConnectionHandler, NetStream, NetStreamHandler, PlayOptions, Publication, Server, ServerConfig,
    TlsIdentity, TlsTrust,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SCHEMES: [&str; 4] = ["rtmp", "rtmps", "rtmpt", "rtmpts"];
/// 30 frames a second of 20 KB, a keyframe every second: 4.8 Mbit/s.
const FRAME_MS: u32 = 33;
const FRAME_BYTES: usize = 20_000;
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    raise_descriptor_limit();
    if let [role, url, players] = args.as_slice()
        && role == "play"
    {
        return play(url, players.parse()?);
    }
    let number = |at: usize, default| args.get(at).map_or(Ok(default), |text| text.parse::<u64>());
    let (players, seconds) = (number(0, 50)?, number(1, 10)?);
    println!("scheme   GB sent   CPU s   CPU s per GB");
    for scheme in SCHEMES {
        let (bytes, usage) = measure(scheme, players, Duration::from_secs(seconds))?;
        let (gigabytes, cpu) = (bytes as f64 / 1e9, usage.cpu.as_secs_f64());
        println!(
            "{scheme:<8} {gigabytes:>7.3} {cpu:>7.2} {:>14.2}",
            cpu / gigabytes
        );
    }
    Ok(())
}

/// Bytes sent and what this process used for that, once all play.
fn measure(scheme: &str, players: u64, time: Duration) -> Result<(u64, Usage)> {
    let engine = Engine::new(EngineConfig::default())?;
    let mut config = ServerConfig::default();
    if scheme.ends_with('s') {
        config.tls = vec![identity()?];
    }
    let server = Server::new(&engine, config)?;
    server.application("live", ApplicationConfig::default(), Arc::new(AcceptAll))?;
    let address = server.listen(&format!("{scheme}://127.0.0.1:0"))?;
    let stream = server.instance("live")?.stream("film")?;
    let publication = stream.publish()?;
    let mut child = players_of(&format!("{scheme}://{address}/live"), players)?;
    let mut film = Film {
        publication,
        number: 0,
        began: Instant::now(),
    };
    while (stream.stats().players as u64) < players {
        if film.began.elapsed() > PATIENCE {
            child.kill()?;
            return Err(format!("{} of {players} play by {scheme}", stream.stats().players).into());
        }
        film.next()?;
    }
    let begins = Instant::now();
    let (sent, used) = (server.stats().traffic.bytes_out, Usage::of(std::process::id()));
    while begins.elapsed() < time {
        film.next()?;
    }
    let sent = server.stats().traffic.bytes_out - sent;
    let used = Usage::of(std::process::id()).since(used);
    child.kill()?;
    child.wait()?;
    engine.close();
    engine.join(Some(PATIENCE))?;
    Ok((sent, used))
}

/// A stream in its own time.
struct Film {
    publication: Publication,
    number: u32,
    began: Instant,
}

impl Film {
    fn next(&mut self) -> Result<()> {
        let at = self.number * FRAME_MS;
        let due = self.began + Duration::from_millis(at.into());
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let is_key = self.number.is_multiple_of(30);
        self.publication.write(&Frame::video(
            FourCc::AVC1,
            at.into(),
            is_key,
            0,
            &[0x5A; FRAME_BYTES],
        ))?;
        self.number += 1;
        Ok(())
    }
}

fn players_of(url: &str, players: u64) -> Result<Child> {
    let program = std::env::current_exe()?;
    let mut command = Command::new(program);
    command.args(["play", url, &players.to_string()]);
    Ok(command.stdin(Stdio::null()).spawn()?)
}

/// A certificate for 127.0.0.1 that is its own issuer.
fn identity() -> Result<TlsIdentity> {
    let folder = std::env::temp_dir().join(format!("rtmpkit-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-days", "2", "-subj", "/CN=127.0.0.1", "-nodes"])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        .args([Path::new("-keyout"), &key, Path::new("-out"), &cert])
        .stderr(Stdio::null())
        .status()?;
    if !made.success() {
        return Err("openssl makes no certificate".into());
    }
    let identity = TlsIdentity::from_files(&cert, &key)?;
    std::fs::remove_dir_all(&folder)?;
    Ok(identity)
}

struct Nothing;

impl NetConnectionHandler for Nothing {}
impl NetStreamHandler for Nothing {}

/// Plays until it is ended.
fn play(url: &str, players: usize) -> Result<()> {
    let engine = Engine::new(EngineConfig::default())?;
    let mut all = Vec::new();
    for _ in 0..players {
        let mut config = NetConnectionConfig::default();
        config.tls_trust = TlsTrust::InsecureAcceptAny;
        let connection = NetConnection::new(&engine, config, Arc::new(Nothing))?;
        connection.connect(url, &[])?;
        let stream = NetStream::new(&connection, Arc::new(Nothing))?;
        stream.play(PlayOptions::new("film"))?;
        all.push((connection, stream));
    }
    loop {
        std::thread::park();
    }
}
