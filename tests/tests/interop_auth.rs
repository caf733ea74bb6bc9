//! FFmpeg logs in to our server, by both methods.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rtmp_core::{
    AcceptAll, ApplicationConfig, Engine, EngineConfig, Frame, LoginMethod, Secret, Server, ServerConfig,
    SubscribeOptions, Subscriber, Subscription,
};
use rtmp_tests::media;
use rtmp_tests::players::ffmpeg_publish;
use rtmp_tests::programs::START;

struct Frames(Sender<Frame>);

impl Subscriber for Frames {
    fn on_frame(&self, frame: &Frame) {
        let _ = self.0.send(frame.clone());
    }
}

/// A server whose application `live` lets `me` in, who has the password `s3cret`; and what is published there as `cam`.
struct Guarded {
    _subscription: Subscription,
    frames: Receiver<Frame>,
    server: Server,
    address: String,
}

fn guarded(method: LoginMethod) -> Guarded {
    let engine = Engine::new(EngineConfig::default()).expect("an engine");
    let server = Server::new(&engine, ServerConfig::default()).expect("a server");
    let mut config = ApplicationConfig::default();
    config.login = Some(method);
    let application = server
        .application("live", config, Arc::new(AcceptAll))
        .expect("an application");
    application.set_user("me", Some(Secret::Password("s3cret".to_owned())));
    let (sender, frames) = channel();
    let stream = server.instance("live").and_then(|live| live.stream("cam"));
    let subscription = stream
        .expect("a stream")
        .subscribe(SubscribeOptions::default(), Arc::new(Frames(sender)));
    let address = server.listen("127.0.0.1:0").expect("a port").to_string();
    Guarded {
        _subscription: subscription,
        frames,
        server,
        address,
    }
}

fn ffmpeg_logs_in(method: LoginMethod) {
    let guarded = guarded(method);
    let url = |user: &str| format!("rtmp://{user}@{}/live/cam", guarded.address);
    let sample = media::h264_aac();
    let mut refused = ffmpeg_publish(&sample, &url("me:wrong"));
    assert!(!refused.wait(START).success(), "a wrong password was taken");
    let mut publisher = ffmpeg_publish(&sample, &url("me:s3cret"));
    let frame = guarded.frames.recv_timeout(START);
    assert!(frame.is_ok(), "{}", publisher.log());
    publisher.terminate(START);
    guarded.server.close();
}

#[test]
fn ffmpeg_logs_in_by_adobes_method() {
    ffmpeg_logs_in(LoginMethod::Adobe);
}

#[test]
fn ffmpeg_logs_in_by_limelights_method() {
    ffmpeg_logs_in(LoginMethod::Limelight);
}
