//! Streams that are cleared while they are recorded (A10): the recording ends, then the file is deleted.

use std::sync::mpsc::{Receiver, Sender, channel};

use parking_lot::Mutex;
use rtmp_core::{
    ApplicationHandler, Instance, MediaKind, MediaMessage, Publication, RecordOptions, Recording,
    ServerConfig, Status, Value,
};

use crate::application::{answered, instance, reply};
use crate::record::{Folder, INTER, KEY, publish, read, send, serve, tags, wait_told};
use crate::support::{PATIENCE, Served, serve_with, wait_until};

fn write(publication: &Publication, times: &[u32]) {
    for time in times {
        let body = if *time == 0 { KEY } else { INTER };
        let message = MediaMessage::new(MediaKind::Video, *time, body);
        publication.write_message(&message).unwrap();
    }
}

fn clear(served: &Served, name: &str) -> Receiver<Result<Value, Status>> {
    let (clearing, answer) = reply();
    instance(served).clear_stream(name, Some(clearing)).unwrap();
    answer
}

/// Notes codes, and at the end of a recording whether its file is there.
struct Order(Mutex<Sender<String>>);

impl ApplicationHandler for Order {
    fn on_record(&self, recording: &Recording, status: &Status) {
        let is_there = recording.path().is_some_and(|path| path.exists());
        let _ = self.0.lock().send(format!("{} {is_there}", status.code));
    }

    fn on_status(&self, _: &Instance, status: &Status) {
        let _ = self.0.lock().send(status.code.clone());
    }
}

#[test]
fn a10_a_file_that_is_recorded_is_completed_and_told_before_it_is_deleted() {
    let folder = Folder::new("clear-file");
    let (sender, told) = channel();
    let served = serve_with(
        Order(Mutex::new(sender)),
        2,
        ServerConfig::default(),
        folder.config(),
    );
    let stream = instance(&served).stream("cam").unwrap();
    let recording = stream.record(RecordOptions::default()).unwrap();
    let publication = stream.publish().unwrap();
    write(&publication, &[0, 500]);
    wait_until("two tags on disk", || recording.stats().duration_ms == 500);
    assert_eq!(answered(&clear(&served, "flv:cam")), Ok(Value::from(1.0)));
    assert!(!folder.file("cam.flv").exists() && recording.stats().ended);
    for expected in [
        "NetStream.Record.Start true",
        "NetStream.Record.Stop true",
        "NetStream.Clear.Success",
    ] {
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), expected);
    }
    // The live stream is left alone, and may be recorded anew.
    write(&publication, &[540]);
    let _again = stream.record(RecordOptions::default()).unwrap();
    assert_eq!(
        told.recv_timeout(PATIENCE).unwrap(),
        "NetStream.Record.Start true"
    );
}

#[test]
fn a10_a_publication_that_is_recorded_ends_with_its_recording_and_file() {
    let folder = Folder::new("clear-publication");
    let (served, told) = serve(folder.config());
    let mut wire = publish(&served, "rooms/cam", "record");
    wire.wait_status("NetStream.Record.Start");
    send(&mut wire, &[(0, KEY), (600, INTER)]);
    wait_until("a file", || {
        std::fs::metadata(folder.file("rooms/cam.flv")).is_ok_and(|file| file.len() > 0)
    });
    assert_eq!(answered(&clear(&served, "rooms/cam")), Ok(Value::from(2.0)));
    assert!(!folder.file("rooms/cam.flv").exists());
    wire.wait_status("NetStream.Publish.BadName");
    wait_told(&told, "NetStream.Record.Stop");
}

#[test]
fn a10_what_is_about_to_be_recorded_leaves_no_file_when_it_is_cleared() {
    let folder = Folder::new("clear-at-once");
    let (served, told) = serve(folder.config());
    for name in ["cam", "flv:cam", "cam.flv"] {
        for _ in 0..20 {
            let mut wire = publish(&served, name, "record");
            send(&mut wire, &[(0, KEY), (600, INTER)]);
            let instance = instance(&served);
            let stream = instance.stream(name).unwrap();
            wait_until("published", || stream.is_publishing());
            let (clearing, answer) = reply();
            instance.clear_streams("/", Some(clearing)).unwrap();
            assert!(answered(&answer).is_ok());
            // The recording is over, or was never begun: it may be told after the clearing, but then has no file.
            let over = ["NetStream.Record.Stop", "NetStream.Record.Failed"];
            loop {
                let (_, status) = told.recv_timeout(PATIENCE).unwrap();
                if over.contains(&status.code.as_str()) {
                    break;
                }
            }
            assert!(!folder.file("cam.flv").exists(), "{name}");
        }
    }
}

#[test]
fn a10_what_is_recorded_after_a_clearing_is_kept() {
    let folder = Folder::new("clear-before");
    let (served, told) = serve(folder.config());
    let stream = instance(&served).stream("cam").unwrap();
    for _ in 0..30 {
        let before = stream.record(RecordOptions::default()).unwrap();
        let publication = stream.publish().unwrap();
        write(&publication, &[0, 40, 80]);
        let answer = clear(&served, "cam");
        let after = stream.record(RecordOptions::default()).unwrap();
        let publication = stream.publish().unwrap();
        write(&publication, &[0, 40]);
        assert!(answered(&answer).is_ok());
        after.stop();
        wait_told(&told, "NetStream.Record.Stop");
        wait_told(&told, "NetStream.Record.Start");
        wait_told(&told, "NetStream.Record.Stop");
        assert!(before.stats().ended);
        assert_eq!(read(&folder.file("cam.flv")).1, tags(&[(0, KEY), (40, INTER)]));
    }
}
