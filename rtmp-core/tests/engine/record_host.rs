//! Recordings of the host: over publishers that come and go, with limits of their own, and complete when the server ends.

use std::cell::Cell;
use std::fs;

use rtmp_core::{Error, MediaKind, MediaMessage, Publication, RecordMode, RecordOptions};

use crate::record::{AVC, Folder, INTER, KEY, read, serve, tags, wait_told};
use crate::support::{PATIENCE, wait_until};

fn write(publication: &Publication, messages: &[(u32, &'static [u8])]) {
    for (time, body) in messages {
        let message = MediaMessage::new(MediaKind::Video, *time, *body);
        publication.write_message(&message).unwrap();
    }
}

#[test]
fn a_recording_begins_late_with_headers_and_keyframe_and_outlasts_the_publisher() {
    let folder = Folder::new("late");
    let (served, told) = serve(folder.config());
    let stream = served.server.instance("live").unwrap().stream("cam").unwrap();
    let publication = stream.publish().unwrap();
    write(
        &publication,
        &[(0, AVC), (0, KEY), (40, INTER), (5000, KEY), (5040, INTER)],
    );
    let recording = stream.record(RecordOptions::default()).unwrap();
    write(&publication, &[(5080, INTER)]);
    drop(publication);
    let publication = stream.publish().unwrap();
    write(&publication, &[(70, AVC), (70, KEY), (110, INTER)]);
    recording.stop();
    // After the end.
    write(&publication, &[(150, INTER)]);
    let (same, status) = wait_told(&told, "NetStream.Record.Stop");
    assert_eq!(status.description, "Stopped recording cam.");
    assert_eq!(same.stats(), recording.stats());
    let expected: [(u32, &[u8]); 6] = [
        (0, AVC),
        (0, KEY),
        (40, INTER),
        (80, INTER),
        (100, KEY),
        (140, INTER),
    ];
    assert_eq!(read(&folder.file("cam.flv")).1, tags(&expected));
    assert!(stream.is_publishing());
}

#[test]
fn the_file_is_there_while_it_is_recorded_and_ends_with_the_last_handle() {
    let folder = Folder::new("handle");
    let (served, told) = serve(folder.config());
    let stream = served.server.instance("live").unwrap().stream("cam").unwrap();
    let mut options = RecordOptions::new(RecordMode::Record);
    options.name = Some("other/name".to_owned());
    let recording = stream.record(options).unwrap();
    let (given, _) = wait_told(&told, "NetStream.Record.Start");
    assert!(given.stats().recording);
    let publication = stream.publish().unwrap();
    write(&publication, &[(0, KEY), (500, INTER)]);
    crate::support::wait_until("two tags on disk", || recording.stats().duration_ms == 500);
    let file = folder.file("other/name.flv");
    assert_eq!(read(&file).1, tags(&[(0, KEY), (500, INTER)]));
    assert_eq!(recording.stats().bytes, fs::metadata(&file).unwrap().len());
    let clone = recording.clone();
    drop(recording);
    drop(clone);
    wait_told(&told, "NetStream.Record.Stop");
    assert_eq!(read(&file).0.duration(), Some(0.5));
}

#[test]
fn what_cannot_be_recorded_is_told_at_once_or_by_a_status() {
    let folder = Folder::new("cannot");
    let (served, told) = serve(folder.config());
    let stream = served.server.instance("live").unwrap().stream("cam").unwrap();
    let first = stream.record(RecordOptions::default()).unwrap();
    wait_told(&told, "NetStream.Record.Start");
    let second = stream.record(RecordOptions::default()).unwrap();
    let (recording, _) = wait_told(&told, "NetStream.Record.AlreadyExists");
    assert!(recording.stats().ended && recording.path().is_none());
    assert!(second.stats().ended);
    let mut options = RecordOptions::default();
    options.name = Some("../escape".to_owned());
    let _third = stream.record(options).unwrap();
    let (_, status) = wait_told(&told, "NetStream.Record.Failed");
    assert_eq!(
        status.description,
        "Failed to record cam: \"../escape\" is no name for a file."
    );
    first.stop();
    wait_told(&told, "NetStream.Record.Stop");
    assert!(!folder.file("cam.flv").exists(), "nothing was published");

    let (served, _told) = serve(rtmp_core::ApplicationConfig::default());
    let stream = served.server.instance("live").unwrap().stream("cam").unwrap();
    let error = stream.record(RecordOptions::default()).unwrap_err();
    assert!(matches!(error, Error::WrongState(_)), "{error}");
}

#[test]
fn unloading_and_closing_complete_recordings() {
    for how in ["unload", "server", "engine"] {
        let folder = Folder::new(how);
        let (served, told) = serve(folder.config());
        let instance = served.server.instance("live").unwrap();
        let stream = instance.stream("cam").unwrap();
        let recording = stream.record(RecordOptions::default()).unwrap();
        let publication = stream.publish().unwrap();
        write(&publication, &[(0, KEY), (40, INTER)]);
        match how {
            "unload" => assert!(instance.unload()),
            "server" => served.server.close(),
            _ => drop(recording),
        }
        served.engine.close();
        served.engine.join(Some(PATIENCE)).unwrap();
        wait_told(&told, "NetStream.Record.Stop");
        let (metadata, found) = read(&folder.file("cam.flv"));
        assert_eq!(found, tags(&[(0, KEY), (40, INTER)]), "{how}");
        assert_eq!(metadata.duration(), Some(0.04), "{how}");
    }
}

#[test]
fn m3_what_is_recorded_survives_the_machine_if_it_is_to() {
    let folder = Folder::new("durable");
    let mut config = folder.config();
    config.record_sync_ms = 1;
    for (config, is_durable) in [(config, true), (folder.config(), false)] {
        let (served, told) = serve(config);
        let stream = served.server.instance("live").unwrap().stream("cam").unwrap();
        let recording = stream.record(RecordOptions::default()).unwrap();
        let publication = stream.publish().unwrap();
        let mut picture = KEY.to_vec();
        picture.resize(100_000, 1);
        let time = Cell::new(0);
        wait_until("nothing is written, or synchronised", || {
            let message =
                MediaMessage::new(MediaKind::Video, time.replace(time.get() + 500), picture.clone());
            publication.write_message(&message).unwrap();
            let stats = recording.stats();
            stats.bytes > 0 && (stats.durable_bytes > 0 || !is_durable) && stats.recording
        });
        recording.stop();
        wait_told(&told, "NetStream.Record.Stop");
        let length = std::fs::metadata(folder.file("cam.flv")).unwrap().len();
        let stats = recording.stats();
        let expected = if is_durable { length } else { 0 };
        assert_eq!((stats.bytes, stats.durable_bytes), (length, expected));
    }
}
