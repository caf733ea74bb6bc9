//! Recorded streams over real sockets: what a player gets, in which order, and every code about it member by member.

use std::fs;
use std::path::PathBuf;

use rtmp_core::amf::Limits;
use rtmp_core::media::Metadata;
use rtmp_core::media::flv::FlvWriter;
use rtmp_core::wire::chunk::{Message, MessageType};
use rtmp_core::wire::message::command::Command;
use rtmp_core::wire::message::data::DataMessage;
use rtmp_core::wire::message::user_control::UserControl;
use rtmp_core::{
    AcceptAll, ApplicationConfig, ApplicationHandler, MediaKind, MediaMessage, Object, ServerConfig, Value,
};

use crate::support::{Served, serve_with};
use crate::wire::{Wire, assert_info, members};

/// A server of the application `live` with recorded streams.
pub struct Library {
    pub served: Served,
    directory: PathBuf,
}

impl Library {
    pub fn new(test: &str) -> Self {
        Self::with(test, AcceptAll)
    }

    pub fn with(test: &str, handler: impl ApplicationHandler) -> Self {
        let directory = std::env::temp_dir().join(format!("rtmpkit-vod-{}-{test}", std::process::id()));
        // What an earlier run left.
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(directory.join("streams/_definst_")).unwrap();
        let mut config = ApplicationConfig::default();
        config.directory = Some(directory.clone());
        let served = serve_with(handler, 1, ServerConfig::default(), config);
        Self { served, directory }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join("streams/_definst_").join(name)
    }

    pub fn add(&self, name: &str, messages: &[MediaMessage]) {
        fs::write(self.file(name), flv(messages)).unwrap();
    }

    /// A client with message stream 1 that buffers an hour: it gets everything at once.
    pub fn client(&self) -> Wire {
        self.client_with(Object::new().with("app", "live"), 3_600_000)
    }

    pub fn client_with(&self, object: Object, buffer_ms: u32) -> Wire {
        let mut wire = Wire::open(&self.served);
        wire.connect(object);
        wire.answer(1.0).unwrap();
        wire.command(0, "createStream", 2.0, &[]);
        assert_eq!(wire.answer(2.0), Ok(Value::from(1.0)));
        wire.user(&UserControl::SetBufferLength {
            stream_id: 1,
            millis: buffer_ms,
        });
        wire
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        self.served.server.close();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn flv(messages: &[MediaMessage]) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = FlvWriter::new(&mut file, true, true).unwrap();
    for message in messages {
        writer.write(message).unwrap();
    }
    drop(writer);
    file.into_inner()
}

pub fn metadata(seconds: f64) -> MediaMessage {
    let metadata = Metadata {
        properties: Object::new().with("duration", seconds).with("width", 160.0),
    };
    MediaMessage::new(MediaKind::Data, 0, metadata.to_body())
}

const AVC_CONFIG: &[u8] = &[0x17, 0, 0, 0, 0, 1, 100, 0, 10, 0xFF];
const AAC_CONFIG: &[u8] = &[0xAF, 0, 0x12, 0x10];

fn picture(time: u32, key: bool) -> MediaMessage {
    let head = if key { 0x17 } else { 0x27 };
    MediaMessage::new(MediaKind::Video, time, vec![head, 1, 0, 0, 0, (time / 40) as u8])
}

fn sound(time: u32) -> MediaMessage {
    MediaMessage::new(MediaKind::Audio, time, vec![0xAF, 1, (time / 40) as u8])
}

/// Metadata, headers, then a picture and a sound every 40 ms, a keyframe every second.
pub fn film(millis: u32) -> Vec<MediaMessage> {
    let mut film = vec![
        metadata(f64::from(millis) / 1000.0),
        MediaMessage::new(MediaKind::Video, 0, AVC_CONFIG),
        MediaMessage::new(MediaKind::Audio, 0, AAC_CONFIG),
    ];
    for time in (0..millis).step_by(40) {
        film.push(picture(time, time % 1_000 == 0));
        film.push(sound(time));
    }
    film
}

pub fn name(value: &str) -> Value {
    Value::from(value)
}

/// A message in a word, as it is told in the order of the notes.
pub fn told(message: &Message) -> String {
    if let Ok(event) = UserControl::load(message) {
        return match event {
            UserControl::StreamBegin(_) => "begin".to_owned(),
            UserControl::StreamEof(_) => "eof".to_owned(),
            UserControl::StreamIsRecorded(_) => "recorded".to_owned(),
            other => format!("{other:?}"),
        };
    }
    let code = |value: &Value| {
        value
            .get("code")
            .and_then(Value::as_str)
            .unwrap_or("?")
            .to_owned()
    };
    match message.kind {
        MessageType::COMMAND => {
            let command = Command::load(message, &Limits::default()).unwrap();
            code(command.arg(0)).replace("NetStream.", "")
        }
        MessageType::DATA => {
            let data = DataMessage::load(message, &Limits::default()).unwrap();
            match data.name.as_str() {
                "onStatus" | "onPlayStatus" => code(&data.args[0]).replace("NetStream.", "data "),
                name => name.to_owned(),
            }
        }
        MessageType::VIDEO => {
            let what = match message.payload[..2] {
                [0x17, 0] => "avc header",
                [0x17, _] => "key",
                [0x57, 0] => "seek begins",
                [0x57, 1] => "seek ends",
                _ => "inter",
            };
            format!("{what} {}", message.timestamp)
        }
        MessageType::AUDIO if message.payload[1] == 0 => format!("aac header {}", message.timestamp),
        MessageType::AUDIO => format!("sound {}", message.timestamp),
        kind => format!("{kind:?}"),
    }
}

/// Everything up to the one that is told as `last`.
pub fn until(wire: &mut Wire, last: &str) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let message = wire
            .next()
            .unwrap_or_else(|| panic!("closed before {last}: {all:?}"));
        all.push(told(&message));
        if all.last().is_some_and(|told| told == last) {
            return all;
        }
    }
}

pub fn info(level: &str, code: &str, description: &str, details: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("level", Value::from(level)),
        ("code", Value::from(code)),
        ("description", Value::from(description)),
        ("details", Value::from(details)),
    ]
}

pub const BEGINNING: [&str; 6] = [
    "recorded",
    "begin",
    "Play.Reset",
    "Play.Start",
    "|RtmpSampleAccess",
    "data Data.Start",
];

#[test]
fn netstream_play_complete_a_file_is_played_from_beginning_to_end() {
    let library = Library::new("complete");
    let film = film(400);
    library.add("film.flv", &film);
    let mut wire = library.client();
    wire.command(1, "play", 0.0, &[name("film"), Value::from(0.0)]);
    let mut media = Vec::new();
    let mut seen = Vec::new();
    let complete = loop {
        let message = wire.next().unwrap();
        let word = told(&message);
        if word == "data Play.Complete" {
            break DataMessage::load(&message, &Limits::default()).unwrap();
        }
        if message.stream_id == 1 && seen.len() >= BEGINNING.len() {
            media.push((message.timestamp, message.payload));
        }
        seen.push(word);
    };
    assert_eq!(seen[..BEGINNING.len()], BEGINNING);
    let expected: Vec<_> = film
        .iter()
        .map(|message| (message.timestamp, message.body.clone()))
        .collect();
    assert_eq!(media, expected, "every message, unchanged");
    let bytes: usize = film.iter().map(|message| message.body.len()).sum();
    assert_eq!(complete.name, "onPlayStatus");
    assert_eq!(
        members(&complete.args[0]),
        [
            ("level".to_owned(), Value::from("status")),
            ("code".to_owned(), Value::from("NetStream.Play.Complete")),
            ("description".to_owned(), Value::from("")),
            ("duration".to_owned(), Value::from(0.4)),
            ("bytes".to_owned(), Value::from(bytes as f64)),
        ]
    );
    let stop = wire.wait_status("NetStream.Play.Stop");
    assert_info(
        &stop,
        &info("status", "NetStream.Play.Stop", "Stopped playing film.", "film"),
    );
    assert_eq!(told(&wire.next().unwrap()), "eof");
}

#[test]
fn netstream_play_streamnotfound_invalid_files_and_files_without_tracks() {
    let library = Library::new("errors");
    fs::write(library.file("text.flv"), b"this is no FLV file").unwrap();
    fs::write(library.file("cut.flv"), b"FLV\x01").unwrap();
    let garbage = [&flv(&[])[..], &[0x77; 500]].concat();
    fs::write(library.file("garbage.flv"), garbage).unwrap();
    library.add("empty.flv", &[]);
    library.add("told.flv", &[metadata(3.0)]);
    fs::write(library.file("film.mp4"), b"").unwrap();
    let mut wire = library.client();
    let invalid = "The file structure of";
    for (stream, code, description) in [
        (
            "none",
            "NetStream.Play.StreamNotFound",
            "Failed to play none; stream not found.",
        ),
        (
            "../film",
            "NetStream.Play.StreamNotFound",
            "Failed to play ../film; stream not found.",
        ),
        (
            "text",
            "NetStream.Play.FileStructureInvalid",
            &format!("{invalid} text is not valid."),
        ),
        (
            "cut",
            "NetStream.Play.FileStructureInvalid",
            &format!("{invalid} cut is not valid."),
        ),
        (
            "garbage",
            "NetStream.Play.FileStructureInvalid",
            &format!("{invalid} garbage is not valid."),
        ),
        (
            "empty",
            "NetStream.Play.NoSupportedTrackFound",
            "empty has no supported track.",
        ),
        (
            "told",
            "NetStream.Play.NoSupportedTrackFound",
            "told has no supported track.",
        ),
    ] {
        wire.command(1, "play", 0.0, &[name(stream), Value::from(0.0)]);
        let status = wire.wait_status(code);
        assert_info(&status, &info("error", code, description, stream));
        assert!(status.iter().any(|(key, _)| key == "clientid"));
    }
}

#[test]
fn a_file_that_breaks_off_is_played_as_far_as_it_goes_and_damage_within_is_told() {
    let library = Library::new("damaged");
    let whole = flv(&film(400));
    fs::write(library.file("cut.flv"), &whole[..whole.len() - 9]).unwrap();
    let damaged = [&whole[..], &[0; 4_000]].concat();
    fs::write(library.file("damaged.flv"), damaged).unwrap();
    let mut wire = library.client();
    wire.command(1, "play", 0.0, &[name("cut"), Value::from(0.0)]);
    let seen = until(&mut wire, "eof");
    assert_eq!(
        seen[seen.len() - 4..],
        [
            "key 360".replace("key", "inter").as_str(),
            "data Play.Complete",
            "Play.Stop",
            "eof"
        ]
    );
    wire.command(1, "play", 0.0, &[name("damaged"), Value::from(0.0)]);
    let status = wire.wait_status("NetStream.Play.FileStructureInvalid");
    let description = "The file structure of damaged is not valid.";
    assert_info(
        &status,
        &info(
            "error",
            "NetStream.Play.FileStructureInvalid",
            description,
            "damaged",
        ),
    );
    wire.wait_status("NetStream.Play.Stop");
}

#[test]
fn netstream_seek_notify_goes_to_the_keyframe_before() {
    let library = Library::new("seek");
    library.add("film.flv", &film(4_000));
    let mut wire = library.client();
    wire.command(1, "play", 0.0, &[name("film"), Value::from(0.0)]);
    until(&mut wire, "eof");
    // All was sent, but the client still plays what it buffers.
    wire.command(1, "seek", 0.0, &[Value::from(2_500.0)]);
    let seen = until(&mut wire, "eof");
    assert_eq!(
        seen[..14],
        [
            "recorded",
            "begin",
            "Seek.Notify",
            "Play.Start",
            "|RtmpSampleAccess",
            "data Data.Start",
            "onMetaData",
            "aac header 2000",
            "avc header 2000",
            "key 2000",
            "sound 2000",
            "inter 2040",
            "sound 2040",
            "inter 2080",
        ]
    );
    assert_eq!(seen[seen.len() - 3..], ["data Play.Complete", "Play.Stop", "eof"]);
    wire.command(1, "seek", 0.0, &[Value::from(0.0)]);
    let status = wire.wait_status("NetStream.Seek.Notify");
    let description = "Seeking 0 (stream ID: 1).";
    assert_info(
        &status,
        &info("status", "NetStream.Seek.Notify", description, "film"),
    );
    assert!(until(&mut wire, "eof").contains(&"key 0".to_owned()));
}

#[test]
fn netstream_seek_invalidtime_tells_the_last_time_and_goes_on() {
    let library = Library::new("invalid-time");
    library.add("film.flv", &film(2_000));
    let mut wire = library.client_with(Object::new().with("app", "live"), 100);
    wire.command(1, "play", 0.0, &[name("film"), Value::from(0.0)]);
    until(&mut wire, "key 0");
    wire.command(1, "seek", 0.0, &[Value::from(9_000.0)]);
    let status = wire.wait_status("NetStream.Seek.InvalidTime");
    let description = "Failed to seek film: the time is beyond its end.";
    let mut expected = info("error", "NetStream.Seek.InvalidTime", description, "");
    expected[3].1 = Value::from(2.0);
    assert_info(&status, &expected);
    wire.user(&UserControl::SetBufferLength {
        stream_id: 1,
        millis: 60_000,
    });
    let seen = until(&mut wire, "eof");
    assert!(seen.contains(&"inter 1960".to_owned()), "{seen:?}");
    assert!(
        !seen.contains(&"key 0".to_owned()),
        "nothing comes twice: {seen:?}"
    );
}

#[test]
fn clients_that_can_are_led_up_to_the_place_they_sought() {
    let library = Library::new("lead-in");
    library.add("film.flv", &film(3_000));
    let able = Object::new().with("app", "live").with("videoFunction", 1.0);
    let mut wire = library.client_with(able, 3_600_000);
    wire.command(1, "play", 0.0, &[name("film"), Value::from(1_080.0)]);
    let seen = until(&mut wire, "eof");
    let at = seen.iter().position(|told| told == "avc header 1000").unwrap();
    assert_eq!(
        seen[at + 1..at + 10],
        [
            "seek begins 1000",
            "key 1000",
            "sound 1000",
            "inter 1040",
            "sound 1040",
            "seek ends 1080",
            "inter 1080",
            "sound 1080",
            "inter 1120",
        ]
    );
}

#[test]
fn play_takes_a_start_and_a_duration() {
    let library = Library::new("range");
    library.add("film.flv", &film(4_000));
    let mut wire = library.client();
    wire.command(
        1,
        "play",
        0.0,
        &[name("film"), Value::from(2_000.0), Value::from(100.0)],
    );
    let seen = until(&mut wire, "eof");
    assert_eq!(
        seen[9..],
        [
            "key 2000",
            "sound 2000",
            "inter 2040",
            "sound 2040",
            "inter 2080",
            "sound 2080",
            "data Play.Complete",
            "Play.Stop",
            "eof",
        ]
    );
    // A duration of nothing is one picture.
    wire.command(
        1,
        "play",
        0.0,
        &[name("film"), Value::from(1_000.0), Value::from(0.0)],
    );
    let seen = until(&mut wire, "eof");
    assert_eq!(seen[9..], ["key 1000", "data Play.Complete", "Play.Stop", "eof"]);
    // After its end there is nothing.
    wire.command(1, "play", 0.0, &[name("film"), Value::from(60_000.0)]);
    let seen = until(&mut wire, "eof");
    assert_eq!(seen[6..], ["data Play.Complete", "Play.Stop", "eof"]);
}

#[test]
fn a_player_gets_what_it_buffers_ahead_and_no_more_while_it_pauses() {
    let library = Library::new("pause");
    library.add("film.flv", &film(60_000));
    let mut wire = library.client_with(Object::new().with("app", "live"), 1_000);
    wire.command(1, "play", 0.0, &[name("film"), Value::from(0.0)]);
    until(&mut wire, "inter 960");
    wire.command(1, "pause", 0.0, &[Value::from(true), Value::from(400.0)]);
    let before = until(&mut wire, "Pause.Notify");
    assert!(before.len() < 100, "as time goes by: {before:?}");
    wire.command(0, "ping", 9.0, &[]);
    let quiet = until(&mut wire, "?");
    assert_eq!(quiet.len(), 1, "nothing while it pauses: {quiet:?}");
    // It says that it has seen up to 400 ms: what it was sent behind that comes again.
    wire.command(1, "pause", 0.0, &[Value::from(false), Value::from(400.0)]);
    let after = until(&mut wire, "inter 1200");
    assert_eq!(
        after[..3],
        ["Unpause.Notify", "inter 440", "sound 440"],
        "{after:?}"
    );
}

#[test]
fn p9_a_player_is_told_when_its_buffer_is_filled_and_when_the_next_begins() {
    let library = Library::new("buffers");
    library.add("film.flv", &film(60_000));
    let mut wire = library.client_with(Object::new().with("app", "live"), 1_000);
    wire.command(1, "play", 0.0, &[name("film"), Value::from(0.0)]);
    let first = until(&mut wire, "BufferEmpty(1)");
    assert!(
        first.contains(&"inter 960".to_owned()),
        "a second at once: {first:?}"
    );
    assert!(
        !first.contains(&"BufferReady(1)".to_owned()),
        "not for the first: {first:?}"
    );
    let held = until(&mut wire, "BufferReady(1)");
    assert_eq!(
        held.len(),
        1,
        "nothing before it has played half of that: {held:?}"
    );
    let paced = until(&mut wire, "BufferEmpty(1)");
    let pictures = paced
        .iter()
        .filter(|told| told.starts_with("inter") || told.starts_with("key"));
    assert!(
        (10..=25).contains(&pictures.count()),
        "what it has played since: {paced:?}"
    );
}

#[test]
fn a_seek_while_pausing_shows_one_picture() {
    let library = Library::new("paused-seek");
    library.add("film.flv", &film(4_000));
    let mut wire = library.client();
    wire.command(1, "play", 0.0, &[name("film"), Value::from(0.0)]);
    until(&mut wire, "eof");
    wire.command(1, "pause", 0.0, &[Value::from(true), Value::from(100.0)]);
    until(&mut wire, "Pause.Notify");
    wire.command(1, "seek", 0.0, &[Value::from(3_000.0)]);
    until(&mut wire, "key 3000");
    wire.command(0, "ping", 9.0, &[]);
    assert_eq!(until(&mut wire, "?").len(), 1);
    wire.command(1, "pause", 0.0, &[Value::from(false), Value::from(3_000.0)]);
    let seen = until(&mut wire, "eof");
    assert_eq!(seen[..3], ["Unpause.Notify", "sound 3000", "inter 3040"]);
}
