//! The sending end.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use rtmp_benches::source::{Source, Synthetic};
use rtmp_core::media::{MediaKind, MediaMessage};

use crate::ring::Ring;
use crate::{Args, Mode};

/// Waits for all sockets, sends for the time given, prints one JSON object.
pub(crate) fn run(args: &Args) -> io::Result<()> {
    let listener = TcpListener::bind(&args.address)?;
    println!("listening on {}", listener.local_addr()?);
    let sockets = (0..args.players)
        .map(|_| accept(&listener))
        .collect::<io::Result<Vec<_>>>()?;
    let sockets: Vec<_> = sockets.iter().collect();
    let mut sender = Sender::new(args.mode)?;
    let mut source = Source::Synthetic(Synthetic::new(args.bits_per_second));
    let (began, cpu) = (Instant::now(), cpu_time());
    let end = Duration::from_secs(args.seconds);
    let mut waiting = Vec::new();
    let mut flush_at = args.window;
    loop {
        let message = source.next();
        let due = Duration::from_millis(u64::from(message.timestamp));
        if due > end {
            break;
        }
        if due > flush_at && !waiting.is_empty() {
            sleep_until(began + flush_at);
            sender.send(&sockets, &waiting)?;
            waiting.clear();
            flush_at += args.window.max(Duration::from_millis(1));
        }
        append(&mut waiting, &message);
        if args.window.is_zero() {
            sleep_until(began + due);
            sender.send(&sockets, &waiting)?;
            waiting.clear();
        }
    }
    let cpu = cpu_time().saturating_sub(cpu);
    println!(
        "{{\"bytes\": {}, \"dropped\": {}, \"cpu_seconds\": {:.6}, \"seconds\": {:.3}}}",
        sender.sent,
        sender.dropped,
        cpu.as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (socket, _) = listener.accept()?;
    socket.set_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn sleep_until(time: Instant) {
    std::thread::sleep(time.saturating_duration_since(Instant::now()));
}

/// The message as one chunk: a header of twelve bytes and the body.
pub(crate) fn append(waiting: &mut Vec<u8>, message: &MediaMessage) {
    let kind = if message.kind == MediaKind::Audio { 8 } else { 9 };
    let length = message.body.len() as u32;
    waiting.push(6);
    waiting.extend_from_slice(&message.timestamp.to_be_bytes()[1..]);
    waiting.extend_from_slice(&length.to_be_bytes()[1..]);
    waiting.extend_from_slice(&[kind, 1, 0, 0, 0]);
    waiting.extend_from_slice(&message.body);
}

/// Sends the same bytes to many sockets, one way or the other, and counts.
pub(crate) struct Sender {
    ring: Option<Ring>,
    pub(crate) sent: u64,
    /// Bytes that a socket which was full did not take.
    pub(crate) dropped: u64,
}

impl Sender {
    pub(crate) fn new(mode: Mode) -> io::Result<Self> {
        Ok(Self {
            ring: (mode == Mode::Ring).then(Ring::open).transpose()?,
            sent: 0,
            dropped: 0,
        })
    }

    pub(crate) fn send(&mut self, sockets: &[&TcpStream], data: &[u8]) -> io::Result<()> {
        let sent = match &mut self.ring {
            Some(ring) => ring.send_all(sockets, data)?,
            None => send_each(sockets, data),
        };
        self.sent += sent;
        self.dropped += (sockets.len() * data.len()) as u64 - sent;
        Ok(())
    }
}

/// What a socket does not take, because it is full or its player is gone, is dropped.
fn send_each(sockets: &[&TcpStream], data: &[u8]) -> u64 {
    let write = |mut socket: &TcpStream| socket.write(data).unwrap_or(0) as u64;
    sockets.iter().map(|socket| write(socket)).sum()
}

/// User and system time of this process.
fn cpu_time() -> Duration {
    // SAFETY: rusage is plain data for which all zeros is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: getrusage fills the struct it is given.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &raw mut usage) };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    time(usage.ru_utime) + time(usage.ru_stime)
}
