//! The commands of RTMP 1.0 7.2 and the acknowledgements of 5.4.3 to 5.4.5, named after their sections: literal bytes of a
//! client, what the host is told, and what goes back.

use crate::raw::{Raw, command_of};
use rtmp_core::amf::Value;
use rtmp_core::session::{ConnectReply, PlayStart, PublishMode, ServerEvent, ServerSessionConfig};
use rtmp_core::wire::chunk::{Message, MessageType};
use rtmp_core::wire::message::command::Command;
use rtmp_core::wire::message::control::Control;
use rtmp_core::wire::message::user_control::UserControl;
use rtmp_core::wire::status::{Code, Status};

/// Sends one command's bytes on a message stream; what the host is told.
pub fn send(raw: &mut Raw, stream_id: u32, body: &[u8]) -> Vec<ServerEvent> {
    raw.peer.message(MessageType::COMMAND, stream_id, 0, body);
    raw.feed().unwrap();
    raw.events()
}

/// A connected client with message stream 1.
fn with_stream() -> Raw {
    let mut raw = Raw::connected();
    send(&mut raw, 0, b"\x02\0\x0CcreateStream\0\x40\0\0\0\0\0\0\0\x05");
    raw.replies();
    raw
}

/// A client that plays `sample` on message stream 1.
fn playing() -> Raw {
    let mut raw = with_stream();
    send(
        &mut raw,
        1,
        b"\x02\0\x04play\0\0\0\0\0\0\0\0\0\x05\x02\0\x06sample",
    );
    raw.session.accept_play(1);
    raw.replies();
    raw
}

/// Kinds and names of messages, as the memo's diagrams say them.
pub fn flow(messages: &[Message]) -> Vec<String> {
    let name = |message: &Message| match message.kind {
        MessageType::WINDOW_ACK_SIZE => "Window Acknowledgement Size".to_owned(),
        MessageType::SET_PEER_BANDWIDTH => "Set Peer Bandwidth".to_owned(),
        MessageType::SET_CHUNK_SIZE => "Set Chunk Size".to_owned(),
        MessageType::USER_CONTROL => format!("{:?}", UserControl::load(message).unwrap()),
        MessageType::COMMAND => {
            let command = command_of(message).unwrap();
            let code = command.args.iter().find_map(|value| value.get("code")?.as_str());
            [command.name.as_str(), code.unwrap_or_default()]
                .join(" ")
                .trim()
                .to_owned()
        }
        kind => format!("{kind:?}"),
    };
    messages.iter().map(name).collect()
}

/// The one command among the answers.
fn answer(raw: &mut Raw) -> Command {
    let replies = raw.replies();
    let [message] = &replies[..] else {
        panic!("{replies:?}")
    };
    command_of(message).unwrap()
}

#[test]
fn section_5_4_3_acknowledgement_and_5_4_4_window_acknowledgement_size() {
    let mut raw = Raw::connected();
    raw.peer
        .message(MessageType::WINDOW_ACK_SIZE, 0, 0, &200_000_u32.to_be_bytes());
    raw.feed().unwrap();
    raw.replies();
    // After a window's bytes the number of all bytes received so far.
    raw.peer.message(MessageType::AUDIO, 1, 0, &[0xAF; 200_000]);
    raw.feed().unwrap();
    let sequence = raw.session.bytes_received() as u32;
    let controls: Vec<_> = raw.replies().iter().map(Control::load).collect();
    assert_eq!(controls, [Ok(Control::Acknowledgement(sequence))]);
}

#[test]
fn section_5_4_5_set_peer_bandwidth() {
    // Answered by a window that differs from the one told last, and by nothing the second time.
    let mut raw = Raw::connected();
    let mut ask = |size: u32| {
        let payload = [&size.to_be_bytes()[..], &[2]].concat();
        raw.peer.message(MessageType::SET_PEER_BANDWIDTH, 0, 0, &payload);
        raw.feed().unwrap();
        raw.replies()
            .iter()
            .map(|message| Control::load(message).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(ask(500_000), [Control::WindowAckSize(500_000)]);
    assert_eq!(ask(500_000), []);
}

#[test]
fn section_7_2_1_1_connect() {
    let mut raw = Raw::new(ServerSessionConfig::default());
    let body = b"\x02\0\x07connect\0\x3F\xF0\0\0\0\0\0\0\x03\
        \0\x03app\x02\0\x11testapp/instance1\
        \0\x08flashVer\x02\0\x08FMSc/1.0\
        \0\x06swfUrl\x02\0\x15file://C:/FlvPlayer.s\
        \0\x05tcUrl\x02\0\x25rtmp://localhost:1935/testapp/instance\
        \0\x04fpad\x01\0\
        \0\x0BaudioCodecs\0\x40\xAF\xFE\0\0\0\0\0\
        \0\x0BvideoCodecs\0\x40\x6F\xE0\0\0\0\0\0\
        \0\x0DvideoFunction\0\x3F\xF0\0\0\0\0\0\0\
        \0\x07pageUrl\x02\0\x1Ahttp://somehost/sample.html\
        \0\x0EobjectEncoding\0\x40\x08\0\0\0\0\0\0\
        \0\0\x09\x02\0\x05extra";
    // The lengths in front of three of these strings are counted here rather than above.
    let body = with_lengths(
        body,
        &[
            "rtmp://localhost:1935/testapp/instance",
            "http://somehost/sample.html",
        ],
    );
    let events = send(&mut raw, 0, &body);
    let [ServerEvent::Connect(request)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (request.app.as_str(), request.instance.as_str()),
        ("testapp", "instance1")
    );
    assert_eq!(
        (request.flash_ver.as_str(), request.object_encoding),
        ("FMSc/1.0", 3)
    );
    assert_eq!(request.swf_url, "file://C:/FlvPlayer.s");
    assert_eq!(request.page_url, "http://somehost/sample.html");
    assert_eq!(request.tc_url, "rtmp://localhost:1935/testapp/instance");
    // SUPPORT_SND_ALL, SUPPORT_VID_ALL, SUPPORT_VID_CLIENT_SEEK.
    let flag = |key: &str| request.object.get(key).and_then(Value::as_f64);
    assert_eq!(flag("audioCodecs"), Some(f64::from(0x0FFF)));
    assert_eq!(flag("videoCodecs"), Some(f64::from(0x00FF)));
    assert_eq!(flag("videoFunction"), Some(1.0));
    assert_eq!(request.object.get("fpad"), Some(&false.into()));
    assert_eq!(request.args, ["extra".into()]);
}

/// Puts the right length in front of strings.
fn with_lengths(body: &[u8], texts: &[&str]) -> Vec<u8> {
    let mut body = body.to_vec();
    for text in texts {
        let at = body
            .windows(text.len())
            .position(|window| window == text.as_bytes())
            .unwrap();
        body[at - 2..at].copy_from_slice(&(text.len() as u16).to_be_bytes());
    }
    body
}

#[test]
fn section_7_2_1_1_message_flow_of_connect() {
    let mut raw = Raw::new(ServerSessionConfig::default());
    send(
        &mut raw,
        0,
        b"\x02\0\x07connect\0\x3F\xF0\0\0\0\0\0\0\x03\0\x03app\x02\0\x07testapp\0\0\x09",
    );
    assert_eq!(raw.replies(), []);
    raw.session.accept_connect(ConnectReply::default());
    let replies = raw.replies();
    let flow = flow(&replies);
    let flow: Vec<&str> = flow
        .iter()
        .map(String::as_str)
        .filter(|name| *name != "Set Chunk Size")
        .collect();
    let expected = [
        "Window Acknowledgement Size",
        "Set Peer Bandwidth",
        "StreamBegin(0)",
        "_result NetConnection.Connect.Success",
    ];
    assert_eq!(flow, expected);
    let result = command_of(replies.last().unwrap()).unwrap();
    assert_eq!(result.transaction_id, 1.0);
    assert!(result.object.get("fmsVer").is_some());
    for key in ["level", "code", "description", "objectEncoding"] {
        assert!(result.args[0].get(key).is_some(), "{key}");
    }
}

#[test]
fn section_7_2_1_1_a_refused_connect_is_an_error_of_transaction_1() {
    let mut raw = Raw::new(ServerSessionConfig::default());
    send(
        &mut raw,
        0,
        b"\x02\0\x07connect\0\x3F\xF0\0\0\0\0\0\0\x03\0\x03app\x02\0\x07testapp\0\0\x09",
    );
    raw.session.reject_connect(Status::new(Code::ConnectRejected));
    let (name, transaction, code) = raw.reply_commands().remove(0);
    assert_eq!((name.as_str(), transaction), ("_error", 1.0));
    assert_eq!(code, "NetConnection.Connect.Rejected");
}

#[test]
fn section_7_2_1_2_call() {
    let mut raw = Raw::connected();
    let events = send(
        &mut raw,
        0,
        b"\x02\0\x03add\0\x40\x14\0\0\0\0\0\0\x05\0\x40\0\0\0\0\0\0\0\0\x40\x08\0\0\0\0\0\0",
    );
    let [
        ServerEvent::Call {
            transaction_id,
            name,
            object,
            args,
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(
        (name.as_str(), *transaction_id, &args[..]),
        ("add", 5.0, &[2.into(), 3.into()][..])
    );
    assert!(object.is_null());
    raw.session.reply_call(5.0, Ok(5.into()));
    let reply = raw.replies().remove(0);
    assert_eq!(
        reply.payload[..],
        b"\x02\0\x07_result\0\x40\x14\0\0\0\0\0\0\x05\0\x40\x14\0\0\0\0\0\0"[..]
    );
}

#[test]
fn section_7_2_1_3_create_stream() {
    let mut raw = Raw::connected();
    send(&mut raw, 0, b"\x02\0\x0CcreateStream\0\x40\x10\0\0\0\0\0\0\x05");
    let reply = raw.replies().remove(0);
    assert_eq!((reply.kind, reply.stream_id), (MessageType::COMMAND, 0));
    assert_eq!(
        reply.payload[..],
        b"\x02\0\x07_result\0\x40\x10\0\0\0\0\0\0\x05\0\x3F\xF0\0\0\0\0\0\0"[..]
    );
}

#[test]
fn section_7_2_2_on_status() {
    let mut raw = with_stream();
    raw.session
        .send_status(1, Status::new(Code::PlayStart).with_description("Go."));
    let status = answer(&mut raw);
    assert_eq!((status.name.as_str(), status.transaction_id), ("onStatus", 0.0));
    assert!(status.object.is_null());
    let info = status.args[0].as_object().unwrap();
    let text = |key: &str| info.get(key).and_then(Value::as_str);
    assert_eq!(
        (text("level"), text("code"), text("description")),
        (Some("status"), Some("NetStream.Play.Start"), Some("Go."))
    );
}

/// `play` of `sample` with more arguments.
fn play(arguments: &[u8]) -> (PlayStart, Option<u64>, bool) {
    let mut raw = with_stream();
    let body = [
        &b"\x02\0\x04play\0\0\0\0\0\0\0\0\0\x05\x02\0\x0Emp4:sample.m4v"[..],
        arguments,
    ]
    .concat();
    let events = send(&mut raw, 1, &body);
    let [
        ServerEvent::Play {
            stream_id: 1,
            name,
            start,
            duration,
            reset,
            ..
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(name, "mp4:sample.m4v");
    (*start, *duration, *reset)
}

#[test]
fn section_7_2_2_1_play() {
    assert_eq!(play(b""), (PlayStart::Any, None, true));
    assert_eq!(play(b"\0\xC0\0\0\0\0\0\0\0"), (PlayStart::Any, None, true));
    assert_eq!(play(b"\0\xBF\xF0\0\0\0\0\0\0"), (PlayStart::Live, None, true));
    assert_eq!(
        play(b"\0\0\0\0\0\0\0\0\0\0\xBF\xF0\0\0\0\0\0\0"),
        (PlayStart::Recorded(0), None, true)
    );
    // A negative duration other than -1 is -1.
    assert_eq!(play(b"\0\0\0\0\0\0\0\0\0\0\xC0\x14\0\0\0\0\0\0").1, None);
    assert!(!play(b"\0\xC0\0\0\0\0\0\0\0\0\xBF\xF0\0\0\0\0\0\0\x01\0").2);
}

#[test]
fn section_7_2_2_1_message_flow_of_play() {
    let mut raw = with_stream();
    send(
        &mut raw,
        1,
        b"\x02\0\x04play\0\0\0\0\0\0\0\0\0\x05\x02\0\x06sample",
    );
    raw.session.stream_is_recorded(1);
    raw.session.accept_play(1);
    let flow = flow(&raw.replies());
    let commands: Vec<&str> = flow
        .iter()
        .map(String::as_str)
        .filter(|name| *name != "Data")
        .collect();
    // The chunk size was set when the client connected.
    let expected = [
        "StreamIsRecorded(1)",
        "StreamBegin(1)",
        "onStatus NetStream.Play.Reset",
        "onStatus NetStream.Play.Start",
    ];
    assert_eq!(commands, expected);
}

#[test]
fn section_7_2_2_1_a_stream_that_is_not_found() {
    let mut raw = with_stream();
    send(
        &mut raw,
        1,
        b"\x02\0\x04play\0\0\0\0\0\0\0\0\0\x05\x02\0\x06sample",
    );
    raw.session.reject_play(1, Status::new(Code::PlayStreamNotFound));
    assert_eq!(flow(&raw.replies()), ["onStatus NetStream.Play.StreamNotFound"]);
}

#[test]
fn section_7_2_2_2_play2() {
    let mut raw = playing();
    let events = send(
        &mut raw,
        1,
        b"\x02\0\x05play2\0\0\0\0\0\0\0\0\0\x05\x03\0\x0DoldStreamName\x02\0\x06sample\
          \0\x0AstreamName\x02\0\x05other\0\x0Atransition\x02\0\x06switch\0\0\x09",
    );
    let [
        ServerEvent::Play2 {
            stream_id: 1,
            options,
        },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!(options.get("streamName"), Some(&"other".into()));
    assert_eq!(options.get("transition"), Some(&"switch".into()));
}

#[test]
fn section_7_2_2_3_delete_stream() {
    let mut raw = with_stream();
    send(
        &mut raw,
        1,
        b"\x02\0\x07publish\0\0\0\0\0\0\0\0\0\x05\x02\0\x01a\x02\0\x04live",
    );
    raw.session.accept_publish(1);
    raw.replies();
    let events = send(
        &mut raw,
        0,
        b"\x02\0\x0CdeleteStream\0\0\0\0\0\0\0\0\0\x05\0\x3F\xF0\0\0\0\0\0\0",
    );
    assert!(
        matches!(events[..], [ServerEvent::Unpublish { stream_id: 1 }]),
        "{events:?}"
    );
    // Nothing answers the command; that publishing ended is a status of the stream.
    assert_eq!(flow(&raw.replies()), ["onStatus NetStream.Unpublish.Success"]);
}

/// `receiveAudio` or `receiveVideo` of a player; the event, and the codes that answer it.
fn receive(name: &[u8], on: u8) -> (ServerEvent, Vec<String>) {
    let mut raw = playing();
    let body = [
        &[2, 0, name.len() as u8][..],
        name,
        b"\0\0\0\0\0\0\0\0\0\x05\x01",
        &[on],
    ]
    .concat();
    let mut events = send(&mut raw, 1, &body);
    (events.remove(0), flow(&raw.replies()))
}

#[test]
fn section_7_2_2_4_receive_audio_and_7_2_2_5_receive_video() {
    let statuses = ["onStatus NetStream.Seek.Notify", "onStatus NetStream.Play.Start"];
    let (event, answers) = receive(b"receiveAudio", 0);
    assert!(matches!(
        event,
        ServerEvent::ReceiveAudio {
            stream_id: 1,
            on: false
        }
    ));
    assert!(answers.is_empty(), "{answers:?}");
    let (event, answers) = receive(b"receiveAudio", 1);
    assert!(matches!(
        event,
        ServerEvent::ReceiveAudio {
            stream_id: 1,
            on: true
        }
    ));
    assert_eq!(answers, statuses);
    let (event, answers) = receive(b"receiveVideo", 0);
    assert!(matches!(
        event,
        ServerEvent::ReceiveVideo {
            stream_id: 1,
            on: false
        }
    ));
    assert!(answers.is_empty(), "{answers:?}");
    let (event, answers) = receive(b"receiveVideo", 1);
    assert!(matches!(
        event,
        ServerEvent::ReceiveVideo {
            stream_id: 1,
            on: true
        }
    ));
    assert_eq!(answers, statuses);
}

#[test]
fn section_7_2_2_6_publish() {
    for (kind, wanted) in [
        ("live", PublishMode::Live),
        ("record", PublishMode::Record),
        ("append", PublishMode::Append),
    ] {
        let mut raw = with_stream();
        let head = b"\x02\0\x07publish\0\0\0\0\0\0\0\0\0\x05\x02\0\x04test\x02\0";
        let body = [&head[..], &[kind.len() as u8], kind.as_bytes()].concat();
        let events = send(&mut raw, 1, &body);
        let [
            ServerEvent::Publish {
                stream_id: 1,
                name,
                mode,
                ..
            },
        ] = &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!((name.as_str(), *mode), ("test", wanted));
        raw.session.accept_publish(1);
        assert_eq!(
            flow(&raw.replies()),
            ["StreamBegin(1)", "onStatus NetStream.Publish.Start"]
        );
    }
}

#[test]
fn section_7_2_2_7_seek() {
    let mut raw = playing();
    let events = send(
        &mut raw,
        1,
        b"\x02\0\x04seek\0\0\0\0\0\0\0\0\0\x05\0\x40\x8F\x40\0\0\0\0\0",
    );
    assert!(
        matches!(
            events[..],
            [ServerEvent::Seek {
                stream_id: 1,
                millis: 1000
            }]
        ),
        "{events:?}"
    );
    raw.session.send_status(1, Status::new(Code::SeekNotify));
    assert_eq!(flow(&raw.replies()), ["onStatus NetStream.Seek.Notify"]);
}

#[test]
fn section_7_2_2_8_pause() {
    for (flag, code, name) in [
        (1, Code::PauseNotify, "onStatus NetStream.Pause.Notify"),
        (0, Code::UnpauseNotify, "onStatus NetStream.Unpause.Notify"),
    ] {
        let mut raw = playing();
        let body = [
            &b"\x02\0\x05pause\0\0\0\0\0\0\0\0\0\x05\x01"[..],
            &[flag],
            b"\0\x40\x8F\x40\0\0\0\0\0",
        ]
        .concat();
        let events = send(&mut raw, 1, &body);
        let [
            ServerEvent::Pause {
                stream_id: 1,
                pause,
                millis: 1000,
            },
        ] = events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!(pause, Some(flag == 1));
        raw.session.send_status(1, Status::new(code));
        assert_eq!(flow(&raw.replies()), [name]);
    }
}
