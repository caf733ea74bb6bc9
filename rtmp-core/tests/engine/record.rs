//! Publishing in the modes record and append: what the publisher is told, field by field, and what the file then holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;
use rtmp_core::media::flv::FlvReader;
use rtmp_core::media::metadata::Metadata;
use rtmp_core::wire::chunk::MessageType;
use rtmp_core::{
    ApplicationConfig, ApplicationHandler, PublishOptions, PublishRequest, RecordChoice, RecordMode,
    RecordOptions, Recording, ServerConfig, Status, Takeover, Value,
};

use crate::support::{PATIENCE, Served, serve_with};
use crate::wire::{Wire, assert_info};

pub const AVC: &[u8] = b"\x17\x00\x00\x00\x00\x01\x64\x00\x1f\xff\xe0\x00";
pub const AAC: &[u8] = b"\xaf\x00\x12\x10";
pub const KEY: &[u8] = b"\x17\x01\x00\x00\x00key";
pub const INTER: &[u8] = b"\x27\x01\x00\x00\x00inter";
pub const SOUND: &[u8] = b"\xaf\x01sound";

/// A folder of a test, with an application's recorded streams in it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("rtmpkit-recording-{}-{test}", std::process::id()));
        // What an earlier run left.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join("streams/_definst_").join(name)
    }

    /// The application `live` with this folder.
    pub fn config(&self) -> ApplicationConfig {
        let mut config = ApplicationConfig::default();
        config.directory = Some(self.0.clone());
        config
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Accepts every publish in the same way, and tells of every recording.
struct Host {
    options: PublishOptions,
    told: Mutex<Sender<(Recording, Status)>>,
}

impl ApplicationHandler for Host {
    fn on_publish(&self, request: PublishRequest) {
        request.accept_as(self.options.clone());
    }

    fn on_record(&self, recording: &Recording, status: &Status) {
        // The test may be over.
        let _ = self.told.lock().send((recording.clone(), status.clone()));
    }
}

pub type Told = Receiver<(Recording, Status)>;

pub fn serve(config: ApplicationConfig) -> (Served, Told) {
    serve_as(config, PublishOptions::default())
}

fn serve_as(config: ApplicationConfig, options: PublishOptions) -> (Served, Told) {
    let (sender, told) = channel();
    let host = Host {
        options,
        told: Mutex::new(sender),
    };
    (serve_with(host, 2, ServerConfig::default(), config), told)
}

/// Waits until the host has heard of a code.
pub fn wait_told(told: &Told, code: &str) -> (Recording, Status) {
    loop {
        let (recording, status) = told
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("no {code}"));
        if status.code == code {
            return (recording, status);
        }
    }
}

/// Kind, time and body of the tags after the metadata, and the metadata.
pub fn read(file: &Path) -> (Metadata, Vec<(u8, u32, Vec<u8>)>) {
    let file = fs::File::open(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut reader = FlvReader::new(std::io::BufReader::new(file)).unwrap();
    let first = reader.next().unwrap().unwrap();
    let tags = reader.map(Result::unwrap);
    let tags = tags.map(|tag| (tag.kind.type_id(), tag.timestamp, tag.body.to_vec()));
    (Metadata::parse(&first.body).unwrap(), tags.collect())
}

pub fn tags(expected: &[(u32, &[u8])]) -> Vec<(u8, u32, Vec<u8>)> {
    let tag = |(time, body): &(u32, &[u8])| (kind(body).0, *time, body.to_vec());
    expected.iter().map(tag).collect()
}

fn kind(body: &[u8]) -> MessageType {
    match body[0] {
        0xaf => MessageType::AUDIO,
        _ => MessageType::VIDEO,
    }
}

/// A client with message stream 1 that asks to publish there.
pub fn publish(served: &Served, name: &str, mode: &str) -> Wire {
    let mut wire = Wire::connected(served, "live");
    wire.command(0, "createStream", 2.0, &[]);
    assert_eq!(wire.answer(2.0), Ok(Value::from(1.0)));
    wire.command(1, "publish", 0.0, &[Value::from(name), Value::from(mode)]);
    wire
}

pub fn send(wire: &mut Wire, messages: &[(u32, &[u8])]) {
    for (time, body) in messages {
        wire.message_at(*time, kind(body), 1, body);
    }
}

/// The next status, whatever it is, checked field by field.
fn expect(wire: &mut Wire, level: &str, code: &str, description: &str, details: &str) {
    let command = wire.wait_command("onStatus");
    let members = crate::wire::members(command.arg(0));
    assert!(members.iter().any(|(key, _)| key == "clientid"));
    let expected = [
        ("level", Value::from(level)),
        ("code", Value::from(code)),
        ("description", Value::from(description)),
        ("details", Value::from(details)),
    ];
    assert_info(&members, &expected);
}

fn expect_published(wire: &mut Wire, name: &str) {
    let description = format!("{name} is now published.");
    expect(wire, "status", "NetStream.Publish.Start", &description, name);
}

fn expect_recording(wire: &mut Wire, name: &str) {
    expect_published(wire, name);
    let description = format!("Recording {name}.");
    expect(wire, "status", "NetStream.Record.Start", &description, name);
}

fn expect_stopped(wire: &mut Wire, name: &str) {
    let description = format!("Stopped recording {name}.");
    expect(wire, "status", "NetStream.Record.Stop", &description, name);
}

fn expect_unpublished(wire: &mut Wire, name: &str) {
    let description = format!("{name} is now unpublished.");
    expect(wire, "status", "NetStream.Unpublish.Success", &description, name);
}

fn unpublish(wire: &mut Wire, name: &str) {
    wire.command(1, "closeStream", 0.0, &[]);
    expect_stopped(wire, name);
    expect_unpublished(wire, name);
}

#[test]
fn netstream_record_start_and_stop_and_the_file_holds_what_was_published() {
    let folder = Folder::new("start");
    let (served, told) = serve(folder.config());
    let mut wire = publish(&served, "rooms/cam?key=1", "record");
    expect_recording(&mut wire, "rooms/cam");
    let metadata = b"\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData\x08\0\0\0\x01\0\x05width\0\x40\x84\0\0\0\0\0\0\0\0\x09";
    wire.message(MessageType::DATA, 1, metadata);
    send(
        &mut wire,
        &[
            (0, AVC),
            (0, AAC),
            (700, KEY),
            (710, SOUND),
            (740, INTER),
            (5740, KEY),
        ],
    );
    unpublish(&mut wire, "rooms/cam");
    let file = folder.file("rooms/cam.flv");
    let (metadata, found) = read(&file);
    let expected: [(u32, &[u8]); 6] = [
        (0, AVC),
        (0, AAC),
        (0, KEY),
        (10, SOUND),
        (40, INTER),
        (5040, KEY),
    ];
    assert_eq!(found, tags(&expected));
    assert_eq!(metadata.duration(), Some(5.04));
    assert_eq!(metadata.dimensions().map(|(width, _)| width), None, "no height");
    assert_eq!(metadata.properties.get("width"), Some(&Value::from(640.0)));
    let times: Vec<f64> = metadata.keyframes().iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [0.0, 5.04]);

    let (recording, _) = wait_told(&told, "NetStream.Record.Stop");
    assert_eq!(recording.path().unwrap(), fs::canonicalize(&file).unwrap());
    let stats = recording.stats();
    assert_eq!(
        (
            stats.recording,
            stats.ended,
            stats.bytes,
            stats.duration_ms,
            stats.dropped
        ),
        (false, true, fs::metadata(file).unwrap().len(), 5040, 0)
    );
}

#[test]
fn append_and_append_with_gap_go_on_with_what_is_there() {
    let folder = Folder::new("append");
    let (served, _told) = serve(folder.config());
    for mode in ["append", "append", "appendWithGap"] {
        let mut wire = publish(&served, "flv:cam", mode);
        expect_recording(&mut wire, "flv:cam");
        send(&mut wire, &[(0, AVC), (300, KEY), (340, INTER)]);
        unpublish(&mut wire, "flv:cam");
    }
    let (metadata, found) = read(&folder.file("cam.flv"));
    let expected = [(0, AVC), (0, KEY), (40, INTER), (60, KEY), (100, INTER)];
    assert_eq!(found[..5], tags(&expected));
    // As long after that as it took to get here: at least a step.
    let begin = found[5].1;
    assert!((120..60_000).contains(&begin), "{begin}");
    assert_eq!(found[5..], tags(&[(begin, KEY), (begin + 40, INTER)]));
    assert_eq!(metadata.duration(), Some(f64::from(begin + 40) / 1000.0));
}

#[test]
fn p6_times_count_on_where_timestamps_wrap() {
    let folder = Folder::new("wrap");
    let (served, _told) = serve(folder.config());
    let mut wire = publish(&served, "cam", "record");
    expect_recording(&mut wire, "cam");
    send(
        &mut wire,
        &[(0xffff_ff00, KEY), (0xffff_fff0, INTER), (0x20, INTER)],
    );
    unpublish(&mut wire, "cam");
    let (metadata, found) = read(&folder.file("cam.flv"));
    assert_eq!(found, tags(&[(0, KEY), (0xf0, INTER), (0x120, INTER)]));
    assert_eq!(metadata.duration(), Some(0.288));
}

#[test]
fn the_same_stream_may_record_again_at_once() {
    let folder = Folder::new("again");
    let (served, _told) = serve(folder.config());
    let mut wire = publish(&served, "cam", "record");
    expect_recording(&mut wire, "cam");
    send(&mut wire, &[(0, KEY), (40, INTER)]);
    // All of it without waiting: the first is completed before the second begins.
    wire.command(1, "publish", 0.0, &[Value::from("cam"), Value::from("record")]);
    send(&mut wire, &[(0, KEY)]);
    expect_stopped(&mut wire, "cam");
    expect_unpublished(&mut wire, "cam");
    expect_recording(&mut wire, "cam");
    unpublish(&mut wire, "cam");
    assert_eq!(read(&folder.file("cam.flv")).1, tags(&[(0, KEY)]));
    // Another connection need not wait for the end of the first either.
    let mut wire = publish(&served, "cam", "append");
    expect_recording(&mut wire, "cam");
    send(&mut wire, &[(0, KEY)]);
    drop(wire);
    let mut wire = loop {
        let mut wire = publish(&served, "cam", "append");
        let command = wire.wait_command("onStatus");
        let members = crate::wire::members(command.arg(0));
        // Until the server has seen that the one before is gone.
        if members
            .iter()
            .any(|(_, value)| value.as_str() == Some("NetStream.Publish.Start"))
        {
            break wire;
        }
    };
    expect(
        &mut wire,
        "status",
        "NetStream.Record.Start",
        "Recording cam.",
        "cam",
    );
    send(&mut wire, &[(0, KEY)]);
    unpublish(&mut wire, "cam");
    assert_eq!(
        read(&folder.file("cam.flv")).1,
        tags(&[(0, KEY), (20, KEY), (40, KEY)])
    );
}

#[test]
fn netstream_record_diskquotaexceeded_and_publishing_goes_on() {
    let folder = Folder::new("quota");
    let mut config = folder.config();
    config.record_max_duration_ms = 100;
    let (served, told) = serve(config);
    let mut wire = publish(&served, "cam", "record");
    expect_recording(&mut wire, "cam");
    send(&mut wire, &[(0, KEY), (99, INTER), (600, INTER)]);
    expect(
        &mut wire,
        "status",
        "NetStream.Record.DiskQuotaExceeded",
        "The recording of cam has reached its limit.",
        "cam",
    );
    expect_stopped(&mut wire, "cam");
    wait_told(&told, "NetStream.Record.Stop");
    // The publication is as alive as before, and there is nothing more to stop.
    let stream = served.server.instance("live").unwrap().stream("cam").unwrap();
    assert!(stream.is_publishing());
    wire.command(1, "closeStream", 0.0, &[]);
    expect_unpublished(&mut wire, "cam");
    let (metadata, found) = read(&folder.file("cam.flv"));
    assert_eq!(found, tags(&[(0, KEY), (99, INTER)]));
    assert_eq!(metadata.duration(), Some(0.099));
}

#[test]
fn netstream_record_diskquotaexceeded_by_size() {
    let folder = Folder::new("size");
    let mut config = folder.config();
    config.record_max_bytes = 4096;
    let (served, _told) = serve(config);
    let mut wire = publish(&served, "cam", "record");
    expect_recording(&mut wire, "cam");
    let mut body = KEY.to_vec();
    body.resize(1500, 0);
    for time in 0..10 {
        wire.message_at(time * 100, MessageType::VIDEO, 1, &body);
    }
    wire.wait_status("NetStream.Record.DiskQuotaExceeded");
    expect_stopped(&mut wire, "cam");
    let length = fs::metadata(folder.file("cam.flv")).unwrap().len();
    assert!((2500..=4096).contains(&length), "{length}");
}

#[test]
fn netstream_record_failed_and_publishing_goes_on() {
    let folder = Folder::new("failed");
    fs::create_dir_all(folder.file("taken.flv")).unwrap();
    let (served, told) = serve(folder.config());
    for (name, why) in [
        ("taken", "\"taken\" is in the way"),
        ("mp4:film", "mp4: files cannot be recorded, only flv: files"),
        ("nul", "\"nul\" is no name for a file"),
    ] {
        let mut wire = publish(&served, name, "record");
        expect_published(&mut wire, name);
        let description = format!("Failed to record {name}: {why}.");
        expect(&mut wire, "error", "NetStream.Record.Failed", &description, name);
        wait_told(&told, "NetStream.Record.Failed");
        send(&mut wire, &[(0, KEY)]);
        wire.command(1, "closeStream", 0.0, &[]);
        expect_unpublished(&mut wire, name);
    }
}

#[test]
fn netstream_record_failed_without_a_directory() {
    let (served, _told) = serve(ApplicationConfig::default());
    let mut wire = publish(&served, "cam", "record");
    expect_published(&mut wire, "cam");
    expect(
        &mut wire,
        "error",
        "NetStream.Record.Failed",
        "Failed to record cam: the application has no directory for recordings.",
        "cam",
    );
}

#[test]
fn netstream_record_noaccess_for_a_read_only_file() {
    let folder = Folder::new("noaccess");
    let file = folder.file("cam.flv");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, b"kept").unwrap();
    let mut permissions = fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions).unwrap();
    let (served, _told) = serve(folder.config());
    let mut wire = publish(&served, "cam", "record");
    expect_published(&mut wire, "cam");
    expect(
        &mut wire,
        "error",
        "NetStream.Record.NoAccess",
        "No access to record cam: the file is read-only.",
        "cam",
    );
    send(&mut wire, &[(0, KEY)]);
    wire.command(1, "closeStream", 0.0, &[]);
    expect_unpublished(&mut wire, "cam");
    assert_eq!(fs::read(&file).unwrap(), b"kept");
}

#[test]
fn netstream_record_noaccess_for_a_file_that_is_played() {
    let folder = Folder::new("played");
    let (served, _told) = serve(folder.config());
    let mut wire = publish(&served, "cam", "record");
    expect_recording(&mut wire, "cam");
    send(&mut wire, &[(0, KEY), (60_000, KEY)]);
    unpublish(&mut wire, "cam");
    let before = fs::read(folder.file("cam.flv")).unwrap();

    let mut player = Wire::connected(&served, "live");
    player.command(0, "createStream", 2.0, &[]);
    player.answer(2.0).unwrap();
    player.command(1, "play", 0.0, &[Value::from("cam"), Value::from(0.0)]);
    player.wait_status("NetStream.Play.Start");
    for mode in ["record", "append"] {
        wire.command(1, "publish", 0.0, &[Value::from("cam"), Value::from(mode)]);
        expect_published(&mut wire, "cam");
        expect(
            &mut wire,
            "error",
            "NetStream.Record.NoAccess",
            "No access to record cam: it is being played.",
            "cam",
        );
        wire.command(1, "closeStream", 0.0, &[]);
        expect_unpublished(&mut wire, "cam");
    }
    assert_eq!(fs::read(folder.file("cam.flv")).unwrap(), before);
}

#[test]
fn netstream_record_alreadyexists_for_a_file_that_another_records() {
    let folder = Folder::new("exists");
    let (served, _told) = serve(folder.config());
    let mut first = publish(&served, "cam", "record");
    expect_recording(&mut first, "cam");
    // Another stream, the same file.
    let mut second = publish(&served, "flv:cam", "append");
    expect_published(&mut second, "flv:cam");
    expect(
        &mut second,
        "status",
        "NetStream.Record.AlreadyExists",
        "Another stream is recording to the file of flv:cam.",
        "flv:cam",
    );
    send(&mut first, &[(0, KEY)]);
    unpublish(&mut first, "cam");
    assert_eq!(read(&folder.file("cam.flv")).1, tags(&[(0, KEY)]));
}

#[test]
fn the_host_decides_whether_and_how_a_publication_is_recorded() {
    let folder = Folder::new("host");
    let mut options = RecordOptions::new(RecordMode::Append);
    options.name = Some("archive/all".to_owned());
    options.max_duration_ms = Some(1_000);
    let options = PublishOptions {
        record: RecordChoice::As(options),
        ..PublishOptions::default()
    };
    let (served, _told) = serve_as(folder.config(), options);
    for name in ["one", "two"] {
        let mut wire = publish(&served, name, "live");
        expect_recording(&mut wire, name);
        send(&mut wire, &[(0, KEY)]);
        unpublish(&mut wire, name);
    }
    assert_eq!(
        read(&folder.file("archive/all.flv")).1,
        tags(&[(0, KEY), (20, KEY)])
    );

    let options = PublishOptions {
        record: RecordChoice::Never,
        ..PublishOptions::default()
    };
    let (served, _told) = serve_as(folder.config(), options);
    let mut wire = publish(&served, "three", "record");
    expect_published(&mut wire, "three");
    wire.command(1, "closeStream", 0.0, &[]);
    expect_unpublished(&mut wire, "three");
    assert!(!folder.file("three.flv").exists());
}

#[test]
fn a_publisher_that_takes_a_stream_records_after_the_one_before() {
    let folder = Folder::new("takeover");
    let mut config = folder.config();
    config.takeover = Takeover::REPLACE;
    let (served, told) = serve(config);
    let mut first = publish(&served, "cam", "record");
    expect_recording(&mut first, "cam");
    send(&mut first, &[(0, KEY)]);
    // It is there before another takes the stream.
    let stream = served.server.instance("live").unwrap().stream("cam").unwrap();
    crate::support::wait_until("the first frame", || stream.stats().messages == 1);
    let mut second = publish(&served, "cam", "append");
    expect_recording(&mut second, "cam");
    send(&mut second, &[(0, KEY)]);
    unpublish(&mut second, "cam");
    for _ in 0..2 {
        wait_told(&told, "NetStream.Record.Stop");
    }
    let found = read(&folder.file("cam.flv")).1;
    assert_eq!(found, tags(&[(0, KEY), (20, KEY)]));
}
