//! RTMPE over sockets.

use std::io::Cursor;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};

use parking_lot::Mutex;
use rtmp_core::media::flv::FlvReader;
use rtmp_core::{AcceptAll, ApplicationConfig, ApplicationHandler, PlayRequest, PublishMode, ServerConfig};

use crate::live::{everybody_gets_everything, film};
use crate::support::{PATIENCE, Served, code, connect, connected, serve, serve_with, stream, wait_status};

fn by_rtmpe(mut served: Served) -> Served {
    served.url = served.url.replace("rtmp://", "rtmpe://");
    served
}

#[test]
fn what_a_client_publishes_encrypted_every_player_gets_unchanged() {
    let mut config = ServerConfig::default();
    config.session.accept_encryption = true;
    let served = serve_with(AcceptAll, 2, config, ApplicationConfig::default());
    everybody_gets_everything(&by_rtmpe(served));
}

#[test]
fn a_server_without_encryption_is_left() {
    let served = by_rtmpe(serve(AcceptAll, 1));
    let (_connection, statuses) = connect(&served.engine, &served.url);
    let code = code(&statuses);
    assert!(
        code == "NetConnection.Connect.Failed" || code == "NetConnection.Connect.Closed",
        "{code}"
    );
}

/// Accepts players and says when one came.
struct TellsPlayers(Mutex<Sender<()>>);

impl ApplicationHandler for TellsPlayers {
    fn on_play(&self, request: PlayRequest) {
        request.accept();
        let _ = self.0.lock().send(());
    }
}

#[test]
fn rtmpdump_reads_an_encrypted_stream() {
    rtmpdump_reads("rtmp", "rtmpe");
}

#[test]
fn p3_rtmpdump_reads_an_encrypted_stream_in_a_tunnel() {
    rtmpdump_reads("rtmpt", "rtmpte");
}

/// rtmpdump over librtmp, where it is installed: another implementation of the ciphers.
fn rtmpdump_reads(listened: &str, scheme: &str) {
    let (sender, players) = channel();
    let mut config = ServerConfig::default();
    config.session.accept_encryption = true;
    let handler = TellsPlayers(Mutex::new(sender));
    let served = serve_with(handler, 1, config, ApplicationConfig::default());
    let (publisher, _statuses) = connected(&served.engine, &served.url);
    let (out, events) = stream(&publisher);
    out.publish("cam", PublishMode::Live).unwrap();
    wait_status(&events, "NetStream.Publish.Start");
    let address = served
        .server
        .listen(&format!("{listened}://127.0.0.1:0"))
        .unwrap();
    let url = format!("{scheme}://{address}/live/cam");
    let dump = Command::new("rtmpdump")
        .args(["--live", "-r", &url, "-o", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(dump) = dump else {
        eprintln!("rtmpdump is not installed: nothing to compare with");
        return;
    };
    players.recv_timeout(PATIENCE).expect("rtmpdump plays");
    let film = film(50);
    for frame in &film {
        out.write(frame).unwrap();
    }
    out.close();
    let recording = dump.wait_with_output().unwrap().stdout;
    let reader = FlvReader::new(Cursor::new(recording)).unwrap();
    let bodies: Vec<_> = reader.map_while(Result::ok).map(|message| message.body).collect();
    for frame in &film {
        assert!(bodies.contains(&frame.body), "at {} ms", frame.timestamp_ms);
    }
}
