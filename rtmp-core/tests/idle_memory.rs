//! What a player that is connected, plays and receives nothing costs in heap memory.
#![cfg(feature = "engine")]
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rtmp_core::{AcceptAll, ApplicationConfig, Engine, EngineConfig, Server, ServerConfig};

struct Counting;

static HELD: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size().cast_signed(), Relaxed);
        // SAFETY: the caller's promises are the ones asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size().cast_signed(), Relaxed);
        // SAFETY: the caller's promises are the ones asked for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PLAYERS: usize = 400;

/// The recorded session of a player of stream `test` in application `vod`, up to its play command.
const SESSION: &[u8] = include_bytes!("vectors/play_client.bin");

fn join(address: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.write_all(&SESSION[..3369]).unwrap();
    socket
}

/// A ping (RTMP 1.0 7.1.7) and its answer: what the server was at before is done then, replies are sent and their room
/// is given back.
fn ping(mut socket: &TcpStream, number: u8) {
    socket
        .write_all(&[2, 0, 0, 0, 0, 0, 6, 4, 0, 0, 0, 0, 0, 6, 0, 0, 0, number])
        .unwrap();
    let (mut read, mut part) = (Vec::new(), [0; 8192]);
    while !read.ends_with(&[0, 7, 0, 0, 0, number]) {
        let count = socket.read(&mut part).unwrap();
        assert!(count > 0, "disconnected");
        read.extend_from_slice(&part[..count]);
    }
}

#[test]
fn an_idle_player_holds_less_than_four_kib() {
    let mut config = EngineConfig::default();
    config.workers = 1;
    let engine = Engine::new(config).unwrap();
    let server = Server::new(&engine, ServerConfig::default()).unwrap();
    server
        .application("vod", ApplicationConfig::default(), Arc::new(AcceptAll))
        .unwrap();
    let address = server.listen("127.0.0.1:0").unwrap().to_string();
    let stream = server.instance("vod").unwrap().stream("test").unwrap();
    let settle = |players: usize, sockets: &[TcpStream]| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while stream.stats().players < players {
            assert!(
                Instant::now() < deadline,
                "{} of {players} players",
                stream.stats().players
            );
            std::thread::yield_now();
        }
        ping(&sockets[0], 1);
        ping(&sockets[0], 2);
        HELD.load(Relaxed)
    };
    // The first ones fill what all share: tables, buffers, the allocator's own.
    let mut sockets: Vec<TcpStream> = Vec::with_capacity(2 * PLAYERS);
    sockets.extend((0..PLAYERS).map(|_| join(&address)));
    let before = settle(PLAYERS, &sockets);
    sockets.extend((0..PLAYERS).map(|_| join(&address)));
    let after = settle(2 * PLAYERS, &sockets);
    let each = (after - before) / PLAYERS.cast_signed();
    println!("{each} bytes per idle player");
    assert!(each < 4 * 1024, "{each} bytes per idle player");
}
