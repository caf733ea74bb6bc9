//! The status codes that a server sends about live streams and connections, checked member by member on the wire.

use rtmp_core::{
    AcceptAll, ApplicationConfig, FlowLimits, FourCc, Frame, Object, ServerConfig, Takeover, Value,
};

use crate::support::{Served, serve, serve_with};
use crate::wire::{Wire, assert_info, members};

fn info(level: &str, code: &str, description: &str, details: &str) -> Vec<(&'static str, Value)> {
    let mut info = vec![
        ("level", Value::from(level)),
        ("code", Value::from(code)),
        ("description", Value::from(description)),
    ];
    if !details.is_empty() {
        info.push(("details", Value::from(details)));
    }
    info
}

/// A client with message stream 1.
fn with_stream(served: &Served) -> Wire {
    let mut wire = Wire::connected(served, "live");
    wire.command(0, "createStream", 2.0, &[]);
    assert_eq!(wire.answer(2.0), Ok(Value::from(1.0)));
    wire
}

fn publishing(served: &Served, name: &str) -> Wire {
    let mut wire = with_stream(served);
    wire.command(1, "publish", 0.0, &[Value::from(name), Value::from("live")]);
    wire.wait_status("NetStream.Publish.Start");
    wire
}

#[test]
fn netconnection_connect_success() {
    let served = serve(AcceptAll, 1);
    let mut wire = Wire::open(&served);
    wire.connect(Object::new().with("app", "live").with("objectEncoding", 0.0));
    let reply = wire.answer(1.0).unwrap();
    let members = members(&reply);
    let keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(
        keys,
        [
            "level",
            "code",
            "description",
            "objectEncoding",
            "clientid",
            "data"
        ]
    );
    assert_eq!(reply.get("level"), Some(&Value::from("status")));
    assert_eq!(
        reply.get("code"),
        Some(&Value::from("NetConnection.Connect.Success"))
    );
    assert_eq!(
        reply.get("description"),
        Some(&Value::from("Connection succeeded."))
    );
    assert_eq!(reply.get("objectEncoding"), Some(&Value::from(0.0)));
    let version = reply.get("data").and_then(|data| data.get("version")?.as_str());
    assert!(
        version.is_some_and(|version| version.contains(',')),
        "{version:?}"
    );
}

#[test]
fn netconnection_connect_invalidapp_and_call_badversion() {
    let served = serve(AcceptAll, 1);
    for (object, code) in [
        (
            Object::new().with("app", "nothing"),
            "NetConnection.Connect.InvalidApp",
        ),
        (
            Object::new().with("app", "../live"),
            "NetConnection.Connect.InvalidApp",
        ),
        (
            Object::new().with("app", "live").with("objectEncoding", 7.0),
            "NetConnection.Call.BadVersion",
        ),
    ] {
        let mut wire = Wire::open(&served);
        wire.connect(object);
        let refusal = wire.answer(1.0).unwrap_err();
        assert_eq!(refusal.get("level"), Some(&Value::from("error")));
        assert_eq!(refusal.get("code"), Some(&Value::from(code)));
        wire.wait_command("close");
        assert!(wire.next().is_none());
    }
}

#[test]
fn netconnection_call_failed() {
    let served = serve(AcceptAll, 1);
    let mut wire = Wire::connected(&served, "live");
    wire.command(0, "nothing", 2.0, &[]);
    let error = wire.answer(2.0).unwrap_err();
    assert_info(
        &members(&error),
        &info(
            "error",
            "NetConnection.Call.Failed",
            "Method not found (nothing).",
            "",
        ),
    );
}

#[test]
fn netconnection_connect_idletimeout() {
    let mut config = ApplicationConfig::default();
    config.idle_timeout_ms = 50;
    let served = serve_with(AcceptAll, 1, ServerConfig::default(), config);
    let mut wire = Wire::connected(&served, "live");
    let status = wire.wait_status("NetConnection.Connect.IdleTimeout");
    let description = "The connection was idle for too long.";
    assert_info(
        &status,
        &info("status", "NetConnection.Connect.IdleTimeout", description, ""),
    );
    assert!(wire.next().is_none());
}

#[test]
fn netstream_publish_start_badname_and_unpublish_success() {
    let served = serve(AcceptAll, 1);
    let mut first = with_stream(&served);
    first.command(
        1,
        "publish",
        0.0,
        &[Value::from("cam?key=1"), Value::from("live")],
    );
    let status = first.wait_status("NetStream.Publish.Start");
    assert!(status.iter().any(|(key, _)| key == "clientid"));
    assert_info(
        &status,
        &info(
            "status",
            "NetStream.Publish.Start",
            "cam is now published.",
            "cam",
        ),
    );

    let mut second = with_stream(&served);
    second.command(1, "publish", 0.0, &[Value::from("cam")]);
    let status = second.wait_status("NetStream.Publish.BadName");
    assert!(status.iter().any(|(key, _)| key == "clientid"));
    assert_info(
        &status,
        &info(
            "error",
            "NetStream.Publish.BadName",
            "cam is already publishing",
            "cam",
        ),
    );

    first.command(1, "closeStream", 0.0, &[]);
    let status = first.wait_status("NetStream.Unpublish.Success");
    let expected = info(
        "status",
        "NetStream.Unpublish.Success",
        "cam is now unpublished.",
        "cam",
    );
    assert_info(&status, &expected);
}

#[test]
fn netstream_publish_idle_comes_once_for_each_silence() {
    let mut config = ApplicationConfig::default();
    config.publish_idle_ms = 60;
    let served = serve_with(AcceptAll, 1, ServerConfig::default(), config);
    let mut wire = publishing(&served, "cam");
    for _ in 0..2 {
        let status = wire.wait_status("NetStream.Publish.Idle");
        assert_info(
            &status,
            &info("status", "NetStream.Publish.Idle", "cam is idle.", "cam"),
        );
        wire.message(rtmp_core::wire::chunk::MessageType::AUDIO, 1, b"\xaf\x01x");
    }
}

#[test]
fn netstream_play_reset_start_notifications_and_stop() {
    let served = serve(AcceptAll, 1);
    let mut wire = with_stream(&served);
    wire.command(1, "play", 0.0, &[Value::from("cam")]);
    let reset = wire.wait_status("NetStream.Play.Reset");
    assert_info(
        &reset,
        &info(
            "status",
            "NetStream.Play.Reset",
            "Playing and resetting cam.",
            "cam",
        ),
    );
    let start = wire.wait_status("NetStream.Play.Start");
    assert!(start.iter().any(|(key, _)| key == "clientid"));
    assert_info(
        &start,
        &info("status", "NetStream.Play.Start", "Started playing cam.", "cam"),
    );
    wire.wait_data("|RtmpSampleAccess");
    let data = wire.wait_data("onStatus");
    assert_eq!(
        data.args[0].get("code"),
        Some(&Value::from("NetStream.Data.Start"))
    );

    let publisher = publishing(&served, "cam");
    let notify = wire.wait_status("NetStream.Play.PublishNotify");
    let expected = info(
        "status",
        "NetStream.Play.PublishNotify",
        "cam is now published.",
        "cam",
    );
    assert_info(&notify, &expected);
    drop(publisher);
    let notify = wire.wait_status("NetStream.Play.UnpublishNotify");
    let expected = info(
        "status",
        "NetStream.Play.UnpublishNotify",
        "cam is now unpublished.",
        "cam",
    );
    assert_info(&notify, &expected);

    wire.command(1, "closeStream", 0.0, &[]);
    let stop = wire.wait_status("NetStream.Play.Stop");
    assert_info(
        &stop,
        &info("status", "NetStream.Play.Stop", "Stopped playing cam.", "cam"),
    );
}

#[test]
fn netstream_pause_seek_and_invalidarg() {
    let served = serve(AcceptAll, 1);
    let mut wire = with_stream(&served);
    wire.command(1, "seek", 0.0, &[Value::from(5.0)]);
    wire.wait_status("NetStream.Seek.Failed");
    wire.command(1, "play", 0.0, &[Value::from("cam")]);
    wire.wait_status("NetStream.Play.Start");
    wire.command(1, "pause", 0.0, &[Value::from(true), Value::from(0.0)]);
    let status = wire.wait_status("NetStream.Pause.Notify");
    assert_info(
        &status,
        &info("status", "NetStream.Pause.Notify", "Pausing cam.", "cam"),
    );
    wire.command(1, "pause", 0.0, &[Value::from(false), Value::from(0.0)]);
    let status = wire.wait_status("NetStream.Unpause.Notify");
    assert_info(
        &status,
        &info("status", "NetStream.Unpause.Notify", "Unpausing cam.", "cam"),
    );
    wire.command(1, "seek", 0.0, &[Value::from(5.0)]);
    let status = wire.wait_status("NetStream.Seek.Failed");
    let expected = info(
        "error",
        "NetStream.Seek.Failed",
        "A live stream cannot be sought.",
        "cam",
    );
    assert_info(&status, &expected);
    wire.command(1, "seek", 0.0, &[Value::from("asdasdas")]);
    let status = wire.wait_status("NetStream.InvalidArg");
    assert_eq!(status[0], ("level".to_owned(), Value::from("error")));
}

#[test]
fn netstream_failed_for_a_stream_that_was_never_created() {
    let mut config = ServerConfig::default();
    config.session.lenient_streams = false;
    let served = serve_with(AcceptAll, 1, config, ApplicationConfig::default());
    let mut wire = Wire::connected(&served, "live");
    wire.command(5, "play", 0.0, &[Value::from("cam")]);
    let status = wire.wait_status("NetStream.Failed");
    assert_info(
        &status,
        &info("error", "NetStream.Failed", "There is no such stream.", ""),
    );
}

#[test]
fn netstream_play_streamnotfound_and_failed() {
    let served = serve(AcceptAll, 1);
    let mut wire = with_stream(&served);
    wire.command(1, "play", 0.0, &[Value::from("film"), Value::from(0.0)]);
    let status = wire.wait_status("NetStream.Play.StreamNotFound");
    let description = "Failed to play film; stream not found.";
    assert_info(
        &status,
        &info("error", "NetStream.Play.StreamNotFound", description, "film"),
    );
    served.server.instance("live").unwrap().clients()[0].set_access("", "");
    wire.command(1, "play", 0.0, &[Value::from("cam")]);
    let status = wire.wait_status("NetStream.Play.Failed");
    let description = "Failed to play cam; access denied.";
    assert_info(
        &status,
        &info("error", "NetStream.Play.Failed", description, "cam"),
    );
    wire.command(1, "publish", 0.0, &[Value::from("cam"), Value::from("record")]);
    let status = wire.wait_status("NetStream.Publish.BadName");
    let description = "Failed to publish cam; access denied.";
    assert_info(
        &status,
        &info("error", "NetStream.Publish.BadName", description, "cam"),
    );
}

#[test]
fn netstream_play_insufficientbw_comes_when_frames_are_dropped() {
    let mut config = ServerConfig::default();
    config.player_limits = FlowLimits {
        bytes: 200_000,
        millis: 60_000,
    };
    let served = serve_with(AcceptAll, 1, config, ApplicationConfig::default());
    let mut wire = with_stream(&served);
    wire.command(1, "play", 0.0, &[Value::from("cam")]);
    wire.wait_status("NetStream.Play.Start");
    let live = served.server.instance("live").unwrap().stream("cam").unwrap();
    let out = live.publish_as(Takeover::REFUSE).unwrap();
    // More than sockets hold, while nobody reads.
    for number in 0..600 {
        out.write(&Frame::video(
            FourCc::AVC1,
            number * 40,
            number % 10 == 0,
            0,
            &[1; 50_000],
        ))
        .unwrap();
    }
    let status = wire.wait_status("NetStream.Play.InsufficientBW");
    let description = "Insufficient bandwidth for cam.";
    assert_info(
        &status,
        &info("warning", "NetStream.Play.InsufficientBW", description, "cam"),
    );
    let stats = served.server.instance("live").unwrap().clients()[0].client_stats();
    assert!(stats.dropped_video.messages > 0 && stats.dropped_video.bytes > 50_000);
    assert_eq!(stats.dropped_video.messages, stats.traffic.messages_dropped);
    assert_eq!(stats.dropped_audio.messages, 0);
}
