//! Recorded streams in MP4 and MP3 files over real sockets. The files were made by FFmpeg; what they hold is what ffprobe says.

use std::fs;
use std::sync::mpsc::channel;

use rtmp_core::amf::Limits;
use rtmp_core::media::Metadata;
use rtmp_core::wire::chunk::{Message, MessageType};
use rtmp_core::wire::message::data::DataMessage;
use rtmp_core::wire::message::user_control::UserControl;
use rtmp_core::{Frame, MediaKind, Object, Value};

use crate::recorded::{BEGINNING, Library, film, info, name, told, until};
use crate::support::PATIENCE;
use crate::wire::{Wire, assert_info, members};

/// H.264 with B-frames at 10 pictures a second, a keyframe each second, and AAC at 16 kHz: 4 seconds.
const FILM: &[u8] = include_bytes!("../vectors/film.mp4");
/// The same in fragments.
const FRAGMENTS: &[u8] = include_bytes!("../vectors/fragments.mp4");
/// 156 frames of variable bit rate at 22.05 kHz, with tags.
const SONG: &[u8] = include_bytes!("../vectors/song.mp3");

fn library(test: &str) -> Library {
    let library = Library::new(test);
    for (file, bytes) in [("film.mp4", FILM), ("parts.f4v", FRAGMENTS), ("song.mp3", SONG)] {
        fs::write(library.file(file), bytes).unwrap();
    }
    library.add("film.flv", &film(400));
    library
}

fn play(wire: &mut Wire, stream: &str, rest: &[f64]) {
    let rest = rest.iter().map(|number| Value::from(*number));
    wire.command(
        1,
        "play",
        0.0,
        &std::iter::once(name(stream)).chain(rest).collect::<Vec<_>>(),
    );
}

fn append(wire: &mut Wire, stream: &str) {
    let rest = [Value::from(0.0), Value::from(-1.0), Value::from(false)];
    wire.command(1, "play", 0.0, &[&[name(stream)][..], &rest].concat());
}

/// Everything up to a data message that says that all was sent: how much, and the messages.
fn whole(wire: &mut Wire) -> (Vec<Message>, f64) {
    let mut messages = Vec::new();
    loop {
        let message = wire.next().unwrap();
        if told(&message) == "data Play.Complete" {
            let status = DataMessage::load(&message, &Limits::default()).unwrap();
            let duration = members(&status.args[0])
                .into_iter()
                .find(|(key, _)| key == "duration");
            return (messages, duration.unwrap().1.as_f64().unwrap());
        }
        messages.push(message);
    }
}

fn times(messages: &[Message], kind: MessageType) -> Vec<u32> {
    let of_kind = messages.iter().filter(|message| message.kind == kind);
    of_kind.map(|message| message.timestamp).collect()
}

#[test]
fn m4_an_mp4_file_is_played_as_its_tables_say() {
    let library = library("mp4");
    let mut wire = library.client();
    for stream in ["mp4:film", "mp4:film.mp4", "f4v:film"] {
        play(&mut wire, stream, &[0.0]);
        let (messages, duration) = whole(&mut wire);
        assert_eq!(duration, 4.0, "{stream}");
        let seen: Vec<String> = messages.iter().map(told).collect();
        let start = seen.iter().position(|told| told == "recorded").unwrap();
        assert_eq!(seen[start..start + 6], BEGINNING);
        assert_eq!(
            seen[start + 6..start + 15],
            [
                "onMetaData",
                "aac header 0",
                "avc header 0",
                "key 0",
                "inter 100",
                "sound 136",
                "inter 200",
                "sound 200",
                "sound 264",
            ]
        );
        let (pictures, sounds) = (
            times(&messages, MessageType::VIDEO),
            times(&messages, MessageType::AUDIO),
        );
        assert_eq!((pictures.len(), sounds.len()), (41, 65), "headers and all");
        assert_eq!((pictures[40], sounds[64]), (3_900, 4_168));
        let keys: Vec<_> = seen.iter().filter(|told| told.starts_with("key")).collect();
        assert_eq!(keys, ["key 0", "key 1000", "key 2000", "key 3000"]);
        assert_eq!(until(&mut wire, "eof"), ["Play.Stop", "eof"]);
    }
}

#[test]
fn m4_pictures_keep_their_composition_time_and_their_bytes() {
    let library = library("mp4-bytes");
    let mut wire = library.client();
    play(&mut wire, "mp4:film", &[0.0]);
    let (messages, _) = whole(&mut wire);
    let pictures = messages
        .iter()
        .filter(|message| message.kind == MessageType::VIDEO)
        .skip(1);
    let frames: Vec<Frame> = pictures
        .map(|message| {
            Frame::parse(
                MediaKind::Video,
                u64::from(message.timestamp),
                message.payload.clone(),
            )
        })
        .collect();
    let told: Vec<(u64, i32, usize)> = frames[..5]
        .iter()
        .map(|frame| (frame.timestamp_ms, frame.composition_ms, frame.payload.len()))
        .collect();
    assert_eq!(
        told,
        [
            (0, 200, 1_117),
            (100, 400, 29),
            (200, 100, 21),
            (300, 100, 12),
            (400, 400, 16)
        ]
    );
    for frame in &frames {
        let at = FILM
            .windows(frame.payload.len())
            .position(|bytes| bytes == frame.payload);
        assert!(at.is_some(), "a picture as it stands in the file");
    }
    let data = messages
        .iter()
        .find(|message| message.kind == MessageType::DATA && crate::recorded::told(message) == "onMetaData");
    let metadata = Metadata::parse(&data.unwrap().payload).unwrap();
    assert_eq!(metadata.duration(), Some(4.0));
    assert_eq!(metadata.dimensions(), Some((64, 48)));
    assert_eq!(metadata.frame_rate(), Some(10.0));
    assert_eq!(metadata.sample_rate(), Some(16_000));
    assert_eq!(metadata.channels(), Some(1));
}

#[test]
fn m4_a_fragmented_file_is_played_and_sought_in() {
    let library = library("fragments");
    let mut wire = library.client();
    play(&mut wire, "mp4:parts", &[0.0]);
    let (messages, duration) = whole(&mut wire);
    assert_eq!(duration, 4.0);
    assert_eq!(times(&messages, MessageType::VIDEO).len(), 41);
    assert_eq!(times(&messages, MessageType::AUDIO).len(), 65);
    until(&mut wire, "eof");
    wire.command(1, "seek", 0.0, &[Value::from(2_900.0)]);
    let seen = until(&mut wire, "eof");
    let at = seen.iter().position(|told| told == "onMetaData").unwrap();
    assert_eq!(
        seen[at + 1..at + 5],
        ["aac header 2000", "avc header 2000", "key 2000", "sound 2056"]
    );
    assert!(!seen.contains(&"inter 1900".to_owned()));
    assert!(seen.contains(&"inter 3900".to_owned()));
}

#[test]
fn m4_an_mp4_file_is_sought_in_paused_and_played_in_part() {
    let library = library("mp4-seek");
    let mut wire = library.client();
    play(&mut wire, "mp4:film", &[0.0]);
    until(&mut wire, "eof");
    wire.command(1, "seek", 0.0, &[Value::from(1_999.0)]);
    let seen = until(&mut wire, "eof");
    let at = seen.iter().position(|told| told == "Seek.Notify").unwrap();
    assert_eq!(
        seen[at + 4..at + 9],
        [
            "onMetaData",
            "aac header 1000",
            "avc header 1000",
            "key 1000",
            "sound 1032"
        ]
    );
    wire.command(1, "seek", 0.0, &[Value::from(9_000.0)]);
    let status = wire.wait_status("NetStream.Seek.InvalidTime");
    let mut expected = info(
        "error",
        "NetStream.Seek.InvalidTime",
        "Failed to seek mp4:film: the time is beyond its end.",
        "",
    );
    expected[3].1 = Value::from(4.2);
    assert_info(&status, &expected);

    play(&mut wire, "mp4:film", &[2_500.0, 200.0]);
    let seen = until(&mut wire, "eof");
    let frames: Vec<&String> = seen
        .iter()
        .filter(|told| told.ends_with(char::is_numeric))
        .collect();
    assert_eq!(frames[2], "key 2000");
    assert_eq!(frames.last().unwrap().as_str(), "sound 2696", "{frames:?}");

    let mut slow = library.client_with(Object::new().with("app", "live"), 100);
    play(&mut slow, "mp4:film", &[0.0]);
    until(&mut slow, "key 0");
    slow.command(1, "pause", 0.0, &[Value::from(true), Value::from(0.0)]);
    until(&mut slow, "Pause.Notify");
    slow.command(0, "ping", 9.0, &[]);
    assert_eq!(until(&mut slow, "?"), ["?"], "nothing is sent while it pauses");
    slow.command(1, "pause", 0.0, &[Value::from(false), Value::from(500.0)]);
    slow.user(&UserControl::SetBufferLength {
        stream_id: 1,
        millis: 60_000,
    });
    let seen = until(&mut slow, "eof");
    let pictures: Vec<&String> = seen.iter().filter(|told| told.starts_with("inter")).collect();
    assert_eq!(pictures.last().unwrap().as_str(), "inter 3900");
    assert!(pictures.is_sorted_by_key(|told| told[6..].parse::<u32>().unwrap()));
}

#[test]
fn m4_an_mp3_file_is_played_with_its_tags() {
    let library = library("mp3");
    let mut wire = library.client();
    play(&mut wire, "mp3:song", &[0.0]);
    let (messages, duration) = whole(&mut wire);
    assert_eq!(duration, 4.075);
    let sounds: Vec<&Message> = messages
        .iter()
        .filter(|message| message.kind == MessageType::AUDIO)
        .collect();
    assert_eq!(sounds.len(), 156);
    assert_eq!(sounds[0].payload.len(), 1 + 365);
    // MP3 at 22 kHz, 16 bits, mono; then the frame with its own header.
    assert!(
        sounds
            .iter()
            .all(|sound| sound.payload.starts_with(&[0x2A, 0xFF, 0xF3]))
    );
    let first: Vec<u32> = sounds[..4].iter().map(|sound| sound.timestamp).collect();
    assert_eq!((first, sounds[155].timestamp), (vec![0, 26, 52, 78], 4_049));
    let data = messages
        .iter()
        .filter(|message| message.kind == MessageType::DATA);
    let mut data = data.map(|message| DataMessage::load(message, &Limits::default()).unwrap());
    let tags = data.find(|data| data.name == "onId3").unwrap();
    assert_eq!(tags.args[0].get("songname"), Some(&Value::from("Song")));
    assert_eq!(tags.args[0].get("TPE1"), Some(&Value::from("Band")));
    until(&mut wire, "eof");
    wire.command(1, "seek", 0.0, &[Value::from(2_000.0)]);
    let seen = until(&mut wire, "eof");
    let at = seen.iter().position(|told| told == "onId3").unwrap();
    assert_eq!(seen[at - 1..at + 2], ["onMetaData", "onId3", "sound 1985"]);

    play(&mut wire, "id3:song", &[0.0]);
    let (messages, _) = whole(&mut wire);
    let media: Vec<String> = messages[messages.len() - 1..].iter().map(told).collect();
    assert_eq!(media, ["onId3"], "the tags alone");
    assert!(times(&messages, MessageType::AUDIO).is_empty());
}

#[test]
fn m4_play_lists_and_transitions_go_between_kinds_of_files() {
    let library = library("kinds");
    let mut wire = library.client_with(Object::new().with("app", "live"), 0);
    let pause =
        |wire: &mut Wire, on: bool| wire.command(1, "pause", 0.0, &[Value::from(on), Value::from(0.0)]);
    play(&mut wire, "film", &[0.0]);
    until(&mut wire, "key 0");
    pause(&mut wire, true);
    for stream in ["mp4:film", "mp3:song", "mp4:parts"] {
        append(&mut wire, stream);
    }
    wire.command(0, "ping", 9.0, &[]);
    until(&mut wire, "?");
    wire.user(&UserControl::SetBufferLength {
        stream_id: 1,
        millis: 60_000,
    });
    pause(&mut wire, false);
    let seen = until(&mut wire, "eof");
    let landmarks = [
        "data Play.Switch",
        "onId3",
        "key 3000",
        "sound 4049",
        "inter 360",
        "data Play.Complete",
    ];
    let order: Vec<&str> = seen
        .iter()
        .map(String::as_str)
        .filter(|told| landmarks.contains(told))
        .collect();
    assert_eq!(
        order,
        [
            "inter 360",
            "data Play.Switch",
            "key 3000",
            "data Play.Switch",
            "onId3",
            "sound 4049",
            "data Play.Switch",
            "key 3000",
            "data Play.Complete"
        ]
    );

    let mut wire = library.client_with(Object::new().with("app", "live"), 300);
    fs::write(library.file("high.mp4"), FRAGMENTS).unwrap();
    play(&mut wire, "mp4:film", &[0.0]);
    until(&mut wire, "key 0");
    let switch = Object::new()
        .with("streamName", "mp4:high")
        .with("transition", "switch");
    wire.command(1, "play2", 0.0, &[switch.into()]);
    let seen = until(&mut wire, "data Play.TransitionComplete");
    let order: Vec<&str> = seen.iter().map(String::as_str).collect();
    assert_eq!(
        order[order.len() - 5..],
        [
            "onMetaData",
            "aac header 1000",
            "avc header 1000",
            "key 1000",
            "data Play.TransitionComplete"
        ]
    );
    assert_eq!(order.iter().filter(|told| told.starts_with("key")).count(), 1);
}

#[test]
fn m4_what_is_wrong_with_mp4_and_mp3_files_is_told() {
    let library = library("wrong");
    let moov = FILM.windows(4).position(|kind| kind == b"moov").unwrap();
    let mut silent = FILM.to_vec();
    for at in 0..silent.len() - 4 {
        if matches!(&silent[at..at + 4], b"avc1" | b"mp4a") && at > moov {
            silent[at..at + 4].copy_from_slice(b"none");
        }
    }
    for (file, bytes) in [
        ("unfinished.mp4", &FILM[..moov]),
        ("text.mp4", b"this is no film"),
        ("empty.mp4", b""),
        ("silent.mp4", &silent),
        ("text.mp3", b"this is no song"),
    ] {
        fs::write(library.file(file), bytes).unwrap();
    }
    let mut wire = library.client();
    for (stream, code, description) in [
        (
            "mp4:none",
            "NetStream.Play.StreamNotFound",
            "Failed to play mp4:none; stream not found.",
        ),
        (
            "mp3:film",
            "NetStream.Play.StreamNotFound",
            "Failed to play mp3:film; stream not found.",
        ),
        (
            "mp4:unfinished",
            "NetStream.Play.FileStructureInvalid",
            "The file structure of mp4:unfinished is not valid.",
        ),
        (
            "mp4:text",
            "NetStream.Play.FileStructureInvalid",
            "The file structure of mp4:text is not valid.",
        ),
        (
            "mp4:empty",
            "NetStream.Play.FileStructureInvalid",
            "The file structure of mp4:empty is not valid.",
        ),
        (
            "mp4:silent",
            "NetStream.Play.NoSupportedTrackFound",
            "mp4:silent has no supported track.",
        ),
        (
            "mp3:text",
            "NetStream.Play.FileStructureInvalid",
            "The file structure of mp3:text is not valid.",
        ),
    ] {
        play(&mut wire, stream, &[0.0]);
        let status = wire.wait_status(code);
        assert_info(&status, &info("error", code, description, stream));
    }
}

#[test]
fn c8_mp4_and_mp3_files_have_a_length() {
    let library = library("lengths");
    let instance = library.served.server.instance("live").unwrap();
    let (sender, lengths) = channel();
    for (stream, expected) in [
        ("mp4:film", 4.0),
        ("mp4:parts.f4v", 4.0),
        ("mp3:song", 4.075),
        ("mp4:song", 0.0),
        ("film", 0.4),
    ] {
        let sender = sender.clone();
        instance
            .stream_length(stream, Box::new(move |length| sender.send(length).unwrap()))
            .unwrap();
        let length = lengths.recv_timeout(PATIENCE).unwrap();
        assert_eq!(length, Ok(Value::from(expected)), "{stream}");
    }
}
