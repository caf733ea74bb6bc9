//! GStreamer's own RTMP client publishes into our server and plays from it: every packet, live and recorded, by TLS and with a
//! login; and it is told what is wrong.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rtmp_core::{
    AcceptAll, ApplicationConfig, ApplicationHandler, Engine, EngineConfig, Frame, LoginMethod, PlayRequest,
    PublishRequest, Secret, Server, ServerConfig, SubscribeOptions, Subscriber, TlsIdentity,
};
use rtmp_tests::certificates::Certificates;
use rtmp_tests::gstreamer::{gstreamer_play, gstreamer_publish};
use rtmp_tests::media;
use rtmp_tests::packets::{Packet, Packets, assert_tail, assert_whole};
use rtmp_tests::players::{limit, rtmpdump_play, wait_until_playing};
use rtmp_tests::process::Process;
use rtmp_tests::programs::START;

/// Takes the key `cam` and no other, and tells when somebody plays.
struct Cam(Sender<()>);

impl ApplicationHandler for Cam {
    fn on_publish(&self, request: PublishRequest) {
        if request.stream_name() == "cam" {
            request.accept();
        }
    }

    fn on_play(&self, request: PlayRequest) {
        request.accept();
        // Nobody waits for the last players.
        let _ = self.0.send(());
    }
}

struct Frames(Sender<Frame>);

impl Subscriber for Frames {
    fn on_frame(&self, frame: &Frame) {
        // Nobody waits for the last frames.
        let _ = self.0.send(frame.clone());
    }
}

/// A server in this process with an application `live` that has a user `me`.
struct Served {
    _engine: Engine,
    server: Server,
    plays: Receiver<()>,
    dir: PathBuf,
}

impl Served {
    fn start(dir: PathBuf, login: Option<LoginMethod>, tls: Vec<TlsIdentity>) -> Self {
        let engine = Engine::new(EngineConfig::default()).expect("an engine");
        let mut config = ServerConfig::default();
        config.tls = tls;
        let server = Server::new(&engine, config).expect("a server");
        let mut config = ApplicationConfig::default();
        config.login = login;
        let (sender, plays) = channel();
        let application = server
            .application("live", config, Arc::new(Cam(sender)))
            .expect("an application");
        application.set_user("me", Some(Secret::Password("s3cret".to_owned())));
        Self {
            _engine: engine,
            server,
            plays,
            dir,
        }
    }

    fn listen(&self, scheme: &str) -> String {
        let address = self.server.listen(&format!("{scheme}://127.0.0.1:0"));
        address.expect("a port").to_string()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// GStreamer plays `url` into this file, and was let.
    fn player(&self, url: &str, name: &str, options: &[&str]) -> (Process, PathBuf) {
        let file = self.file(name);
        let player = gstreamer_play(url, &file, options);
        let played = self.plays.recv_timeout(START);
        assert!(played.is_ok(), "{}", player.log());
        (player, file)
    }

    /// Publishes the short sample and returns what was sent.
    fn publish(&self, url: &str, name: &str, options: &[&str]) -> Packets {
        let sent = self.file(name);
        let mut publisher = gstreamer_publish(&media::h264_aac_short(), url, &sent, options);
        publisher.wait_success(limit(media::SHORT_SECONDS));
        Packets::of(&sent)
    }

    fn is_refused(&self, url: &str, options: &[&str], why: &str) {
        let sent = self.file("refused.flv");
        let mut publisher = gstreamer_publish(&media::h264_aac_short(), url, &sent, options);
        assert!(!publisher.wait(START).success(), "{url} was taken");
        assert!(publisher.log().contains(why), "{url}: {}", publisher.log());
    }
}

/// What was sent once and then again, as one recording.
fn in_turn(mut first: Packets, second: Packets) -> Packets {
    first.packets.extend(second.packets);
    first
}

fn payloads<'a>(packets: &'a Packets, kind: &'a str) -> Vec<&'a str> {
    let of_kind = packets.of_kind(kind);
    of_kind.map(|packet: &Packet| packet.hash.as_str()).collect()
}

#[test]
fn gstreamer_publishes_and_plays_every_packet_and_comes_again() {
    let served = Served::start(media::scratch("interop_gstreamer"), None, Vec::new());
    let url = format!("rtmp://{}/live/cam", served.listen("rtmp"));
    let (mut stays, all) = served.player(&url, "all.flv", &[]);
    let dump = served.file("rtmpdump.flv");
    let mut rtmpdump = rtmpdump_play(&url, &dump);
    wait_until_playing(&rtmpdump);
    let first = served.publish(&url, "first.flv", &[]);
    rtmpdump.wait_success(START);
    assert_whole(&first, &Packets::of(&dump));

    // The first was by chunks of 128 bytes; these have whole messages.
    let second = served.publish(&url, "second.flv", &["chunk-size=1000000"]);
    served.server.close();
    stays.wait_success(START);
    let (sent, got) = (in_turn(first, second), Packets::of(&all));
    assert_eq!(sent.streams, got.streams);
    for kind in ["video", "audio"] {
        assert_eq!(payloads(&sent, kind), payloads(&got, kind), "{kind}");
    }
}

#[test]
fn gstreamer_plays_from_a_key_frame_when_it_comes_late() {
    let served = Served::start(media::scratch("interop_gstreamer_late"), None, Vec::new());
    let url = format!("rtmp://{}/live/cam", served.listen("rtmp"));
    let sent = served.file("sent.flv");
    let (frames, passed) = channel();
    let stream = served.server.instance("live").and_then(|live| live.stream("cam"));
    let options = SubscribeOptions::default();
    let subscription = stream
        .expect("a stream")
        .subscribe(options, Arc::new(Frames(frames)));
    let mut publisher = gstreamer_publish(&media::h264_aac_short(), &url, &sent, &[]);
    // The second key frame comes after two seconds.
    while passed
        .recv_timeout(START)
        .expect("a frame of GStreamer")
        .timestamp_ms
        < 2_500
    {}
    let (mut late, out) = served.player(&url, "late.flv", &[]);
    publisher.wait_success(limit(media::SHORT_SECONDS));
    drop(subscription);
    served.server.close();
    late.wait_success(START);
    let missing = assert_tail(&Packets::of(&sent), &Packets::of(&out));
    assert!(missing.video > 0 && missing.audio > 0, "{missing:?}");
}

#[test]
fn gstreamer_plays_every_packet_of_a_file() {
    let dir = media::scratch("interop_gstreamer_vod");
    let sample = media::h264_aac_short();
    let folder = dir.join("vod/streams/_definst_");
    fs::create_dir_all(&folder).expect("a folder");
    fs::copy(&sample, folder.join("film.flv")).expect("a copy");
    let served = Served::start(dir, None, Vec::new());
    let mut config = ApplicationConfig::default();
    config.directory = Some(served.file("vod"));
    let vod = served.server.application("vod", config, Arc::new(AcceptAll));
    vod.expect("an application");
    let url = format!("rtmp://{}/vod/film", served.listen("rtmp"));
    let out = served.file("out.flv");
    // It ends by itself when the whole file was sent.
    gstreamer_play(&url, &out, &[]).wait_success(START);
    assert_whole(&Packets::of(&sample), &Packets::of(&out));
}

#[test]
fn gstreamer_is_told_that_a_key_or_an_application_is_wrong() {
    let served = Served::start(media::scratch("interop_gstreamer_key"), None, Vec::new());
    let address = served.listen("rtmp");
    served.is_refused(
        &format!("rtmp://{address}/live/other"),
        &[],
        "NetStream.Publish.BadName",
    );
    served.is_refused(
        &format!("rtmp://{address}/none/cam"),
        &[],
        "NetConnection.Connect.InvalidApp",
    );
}

#[test]
fn gstreamer_logs_in_by_adobes_method() {
    let login = Some(LoginMethod::Adobe);
    let served = Served::start(media::scratch("interop_gstreamer_login"), login, Vec::new());
    let address = served.listen("rtmp");
    let url = |who: &str| format!("rtmp://{who}{address}/live/cam");
    served.is_refused(&url("me:wrong@"), &[], "authentication failed");
    served.is_refused(&url(""), &[], "no username");
    let (mut player, out) = served.player(&url("me:s3cret@"), "out.flv", &[]);
    let sent = served.publish(&url("me:s3cret@"), "sent.flv", &[]);
    served.server.close();
    player.wait_success(START);
    assert_whole(&sent, &Packets::of(&out));
}

#[test]
fn gstreamer_passes_every_packet_by_tls() {
    let dir = media::scratch("interop_gstreamer_tls");
    let certificates = Certificates::make(&dir);
    let identity = TlsIdentity::from_files(&certificates.cert, &certificates.key).expect("an identity");
    let served = Served::start(dir, None, vec![identity]);
    let url = format!("rtmps://{}/live/cam", served.listen("rtmps"));
    served.is_refused(&url, &[], "certificate");
    // All is checked but the issuer, which this machine does not know.
    let checks = ["tls-validation-flags=bad-identity+not-activated+expired+revoked+insecure+generic-error"];
    let (mut player, out) = served.player(&url, "out.flv", &checks);
    let sent = served.publish(&url, "sent.flv", &checks);
    served.server.close();
    player.wait_success(START);
    assert_whole(&sent, &Packets::of(&out));
}
