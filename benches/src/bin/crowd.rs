//! Thousands of idle clients in one application, and a call to all of them: time and memory, beside what the bare
//! sockets cost.
//!
//! `cargo run --release -p rtmp-benches --bin crowd -- [CLIENTS]` (5,000). Everything stays on 127.0.0.1.

use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtmp_benches::process::raise_descriptor_limit;
use rtmp_core::{AcceptAll, ApplicationConfig, Engine, EngineConfig, Server, ServerConfig};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The recorded session of a publisher, up to its connect command to application `live`.
const SESSION: &[u8] = include_bytes!("../../../rtmp-core/tests/vectors/publish_client.bin");
const UP_TO_CONNECT: usize = 3230;
const METHOD: &str = "onCrowd";
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let clients = std::env::args().nth(1).map_or(Ok(5000), |text| text.parse())?;
    raise_descriptor_limit();
    let bare = bare(clients)?;
    println!("{clients} bare sockets: {bare}");
    let ours = ours(clients)?;
    println!("{clients} clients of one application: {ours}");
    Ok(())
}

/// What one side showed.
struct Figures {
    connect: Duration,
    resident_kib: i64,
    call: Duration,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "connected in {:.0} ms, {} KiB of memory more, a call to all of them and read by all in {:.1} ms",
            self.connect.as_secs_f64() * 1e3,
            self.resident_kib,
            self.call.as_secs_f64() * 1e3
        )
    }
}

/// Sockets accepted and kept, and the bytes of the call written to each.
fn bare(count: usize) -> Result<Figures> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let before = resident_kib();
    let began = Instant::now();
    let mut near = Vec::new();
    let mut far = Vec::new();
    for _ in 0..count {
        far.push(connect(address)?);
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        near.push(socket);
    }
    let connect = began.elapsed();
    let resident_kib = resident_kib() - before;
    let began = Instant::now();
    for socket in &mut near {
        socket.write_all(METHOD.as_bytes())?;
    }
    for socket in &mut far {
        await_call(socket)?;
    }
    Ok(Figures {
        connect,
        resident_kib,
        call: began.elapsed(),
    })
}

/// Clients of an application, and a broadcast.
fn ours(count: usize) -> Result<Figures> {
    let engine = Engine::new(EngineConfig::default())?;
    let server = Server::new(&engine, ServerConfig::default())?;
    server.application("live", ApplicationConfig::default(), Arc::new(AcceptAll))?;
    let address = server.listen("127.0.0.1:0")?;
    let instance = server.instance("live")?;
    let before = resident_kib();
    let began = Instant::now();
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut socket = connect(address)?;
        socket.write_all(
            SESSION
                .get(..UP_TO_CONNECT)
                .ok_or("the recorded session is too short")?,
        )?;
        clients.push(socket);
    }
    while instance.stats().accepted < count as u64 {
        if began.elapsed() > PATIENCE {
            return Err(format!("{} of {count} clients connected", instance.stats().accepted).into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let connect = began.elapsed();
    let resident_kib = resident_kib() - before;
    let began = Instant::now();
    instance.broadcast(METHOD, &[]);
    for socket in &mut clients {
        await_call(socket)?;
    }
    let call = began.elapsed();
    engine.close();
    engine.join(Some(PATIENCE))?;
    Ok(Figures {
        connect,
        resident_kib,
        call,
    })
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Reads up to and with the method's name.
fn await_call(socket: &mut TcpStream) -> Result<()> {
    let mut read = Vec::new();
    let mut part = [0; 8192];
    loop {
        let count = socket.read(&mut part)?;
        if count == 0 {
            return Err("a client was disconnected".into());
        }
        read.extend_from_slice(&part[..count]);
        if read
            .windows(METHOD.len())
            .any(|window| window == METHOD.as_bytes())
        {
            return Ok(());
        }
    }
}

fn resident_kib() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or_default();
    line.split_whitespace()
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}
