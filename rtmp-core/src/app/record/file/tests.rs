//! Recorded files, tag by tag.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::media::flv::FlvReader;

const AVC: &[u8] = b"\x17\x00\x00\x00\x00\x01\x64\x00\x1f\xff\xe0\x00";
const AVC_SMALL: &[u8] = b"\x17\x00\x00\x00\x00\x01\x42\x00\x0a\xff\xe0\x00";
const AAC: &[u8] = b"\xaf\x00\x12\x10";
const KEY: &[u8] = b"\x17\x01\x00\x00\x00key";
const INTER: &[u8] = b"\x27\x01\x00\x00\x00inter";
const SOUND: &[u8] = b"\xaf\x01sound";

struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("rtmpkit-record-{}-{test}", std::process::id()));
        // What an earlier run left.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("cam.flv")
    }

    fn open(&self, mode: RecordMode) -> RecordingFile {
        RecordingFile::open(&self.file(), mode, Limits::default()).unwrap()
    }

    /// Kind, time and body of what is in the file, and the metadata it begins with.
    fn read(&self) -> (Object, Vec<(u8, u32, Vec<u8>)>) {
        let file = File::open(self.file()).unwrap();
        let mut reader = FlvReader::new(io::BufReader::new(file)).unwrap();
        let first = reader.next().unwrap().unwrap();
        let rest = reader.map(Result::unwrap);
        let rest = rest.map(|message| (message.kind.type_id(), message.timestamp, message.body.to_vec()));
        (properties(&first).unwrap(), rest.collect())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn message(timestamp: u32, body: &'static [u8]) -> LiveMessage {
    let kind = match body[0] {
        0xaf => MediaKind::Audio,
        2 => MediaKind::Data,
        _ => MediaKind::Video,
    };
    LiveMessage::new(0, kind, timestamp, Bytes::from_static(body), false)
}

fn metadata(width: f64) -> LiveMessage {
    let properties = Object::new().with("width", width).with("duration", 0.0);
    LiveMessage::new(0, MediaKind::Data, 0, Metadata { properties }.to_body(), true)
}

fn put(file: &mut RecordingFile, messages: &[(u32, &'static [u8])]) {
    for (timestamp, body) in messages {
        file.write(&message(*timestamp, body)).unwrap();
    }
    file.flush().unwrap();
}

fn tags(expected: &[(u32, &[u8])]) -> Vec<(u8, u32, Vec<u8>)> {
    let kind = |body: &[u8]| if body[0] == 0xaf { 8 } else { 9 };
    expected
        .iter()
        .map(|(timestamp, body)| (kind(body), *timestamp, body.to_vec()))
        .collect()
}

fn number(object: &Object, key: &str) -> Option<f64> {
    object.get(key).and_then(Value::as_f64)
}

#[test]
fn a_recording_begins_at_zero_with_metadata_and_headers() {
    let folder = Folder::new("begin");
    let mut file = folder.open(RecordMode::Record);
    file.write(&metadata(640.0)).unwrap();
    put(
        &mut file,
        &[
            (0, AAC),
            (0, AVC),
            (5000, KEY),
            (4990, SOUND),
            (5040, INTER),
            (5060, SOUND),
        ],
    );
    // Whole so far, whatever happens to the process.
    assert_eq!(folder.read().1.len(), 6);
    file.finish(false).unwrap();
    let (metadata, found) = folder.read();
    let expected = [(0, AAC), (0, AVC), (0, KEY), (0, SOUND), (40, INTER), (60, SOUND)];
    assert_eq!(found, tags(&expected));
    assert_eq!(number(&metadata, "width"), Some(640.0));
    assert_eq!(number(&metadata, "duration"), Some(0.06));
    let length = fs::metadata(folder.file()).unwrap().len();
    assert_eq!(number(&metadata, "filesize"), Some(length as f64));
    assert_eq!(Metadata { properties: metadata }.keyframes().len(), 1);
}

#[test]
fn an_older_recording_is_replaced_when_the_first_frame_comes() {
    let folder = Folder::new("replace");
    let mut file = folder.open(RecordMode::Record);
    put(&mut file, &[(0, KEY), (40, INTER), (80, INTER)]);
    file.finish(false).unwrap();
    let mut file = folder.open(RecordMode::Record);
    put(&mut file, &[(0, AVC)]);
    assert_eq!(folder.read().1.len(), 3);
    put(&mut file, &[(7, KEY)]);
    file.finish(false).unwrap();
    assert_eq!(folder.read().1, tags(&[(0, AVC), (0, KEY)]));
}

#[test]
fn a_recording_of_nothing_leaves_nothing() {
    let folder = Folder::new("nothing");
    let mut file = folder.open(RecordMode::Append);
    put(&mut file, &[(0, AVC)]);
    assert!(folder.file().exists());
    file.finish(false).unwrap();
    assert!(!folder.file().exists());
}

#[test]
fn appending_goes_on_after_the_last_tag_with_the_headers_that_changed() {
    let folder = Folder::new("append");
    let mut file = folder.open(RecordMode::Append);
    file.write(&metadata(640.0)).unwrap();
    put(&mut file, &[(0, AVC), (0, AAC), (0, KEY), (40, INTER)]);
    file.finish(false).unwrap();
    let mut file = folder.open(RecordMode::Append);
    file.write(&metadata(640.0)).unwrap();
    put(&mut file, &[(900, AVC), (900, AAC), (900, KEY), (940, INTER)]);
    file.finish(false).unwrap();
    let mut expected = vec![(0, AVC), (0, AAC), (0, KEY), (40, INTER), (60, KEY), (100, INTER)];
    assert_eq!(folder.read().1, tags(&expected));
    let mut file = folder.open(RecordMode::Append);
    put(&mut file, &[(0, AVC_SMALL), (0, AAC), (3, KEY)]);
    // The picture changes once more while it is recorded.
    put(&mut file, &[(43, AVC), (43, KEY)]);
    file.finish(false).unwrap();
    expected.extend([(120, AVC_SMALL), (120, KEY), (160, AVC), (160, KEY)]);
    let (metadata, found) = folder.read();
    assert_eq!(found, tags(&expected));
    assert_eq!(number(&metadata, "duration"), Some(0.16));
    let keyframes = Metadata { properties: metadata }.keyframes();
    let times: Vec<f64> = keyframes.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [0.0, 0.06, 0.12, 0.16]);
}

#[test]
fn metadata_that_says_something_new_is_kept_when_appending() {
    let folder = Folder::new("metadata");
    for width in [640.0, 320.0] {
        let mut file = folder.open(RecordMode::Append);
        file.write(&metadata(width)).unwrap();
        put(&mut file, &[(0, KEY)]);
        file.finish(false).unwrap();
    }
    let (first, found) = folder.read();
    assert_eq!(number(&first, "width"), Some(640.0));
    let second = Metadata::parse(&found[1].2).unwrap();
    assert_eq!((found[1].0, found[1].1), (18, 20));
    assert_eq!(number(&second.properties, "width"), Some(320.0));
}

#[test]
fn appending_with_gap_leaves_out_the_time_between() {
    let folder = Folder::new("gap");
    let mut file = folder.open(RecordMode::AppendWithGap);
    put(&mut file, &[(0, KEY), (1000, INTER)]);
    file.finish(false).unwrap();
    let written = SystemTime::now() - Duration::from_secs(3600);
    let handle = File::options().write(true).open(folder.file()).unwrap();
    handle.set_modified(written).unwrap();
    let mut file = folder.open(RecordMode::AppendWithGap);
    put(&mut file, &[(7, KEY)]);
    file.finish(false).unwrap();
    let at = folder.read().1[2].1;
    assert!((3_601_000..3_700_000).contains(&at), "{at}");
}

#[test]
fn a_file_cut_off_in_its_last_tag_is_appended_to_where_it_is_whole() {
    let folder = Folder::new("torn");
    let mut file = folder.open(RecordMode::Record);
    put(&mut file, &[(0, KEY), (40, INTER), (80, INTER)]);
    // Never finished, and cut.
    drop(file);
    let length = fs::metadata(folder.file()).unwrap().len();
    File::options()
        .write(true)
        .open(folder.file())
        .unwrap()
        .set_len(length - 6)
        .unwrap();
    let mut file = folder.open(RecordMode::Append);
    put(&mut file, &[(0, KEY)]);
    file.finish(false).unwrap();
    let (metadata, found) = folder.read();
    assert_eq!(found, tags(&[(0, KEY), (40, INTER), (60, KEY)]));
    assert_eq!(number(&metadata, "duration"), Some(0.06));
    let length = fs::metadata(folder.file()).unwrap().len();
    assert_eq!(number(&metadata, "filesize"), Some(length as f64));
}

#[test]
fn appending_to_a_file_without_frames_is_recording() {
    let folder = Folder::new("empty");
    for before in [&b""[..], b"FLV\x01\x05\0\0\0\x09\0\0\0\0"] {
        fs::write(folder.file(), before).unwrap();
        let mut file = folder.open(RecordMode::Append);
        put(&mut file, &[(500, KEY)]);
        file.finish(false).unwrap();
        assert_eq!(folder.read().1, tags(&[(0, KEY)]));
    }
}

#[test]
fn what_is_no_flv_file_is_not_appended_to() {
    let folder = Folder::new("other");
    fs::write(folder.file(), b"\0\0\0\x18ftypisom").unwrap();
    let error = RecordingFile::open(&folder.file(), RecordMode::Append, Limits::default()).unwrap_err();
    assert!(
        matches!(error, NotOpened::Failed(FlvError::NotFlv { .. })),
        "{error:?}"
    );
    assert_eq!(fs::read(folder.file()).unwrap(), b"\0\0\0\x18ftypisom");
}

#[test]
fn times_count_on_where_timestamps_wrap() {
    let folder = Folder::new("wrap");
    let mut file = folder.open(RecordMode::Record);
    put(
        &mut file,
        &[(0xffff_ff00, KEY), (0xffff_fff0, INTER), (0x20, INTER)],
    );
    assert_eq!(file.size().1, 0x120);
    file.finish(false).unwrap();
    assert_eq!(folder.read().1, tags(&[(0, KEY), (0xf0, INTER), (0x120, INTER)]));
}

#[test]
fn another_publisher_goes_on_where_the_one_before_stopped() {
    let folder = Folder::new("restart");
    let mut file = folder.open(RecordMode::Record);
    put(&mut file, &[(100, AVC), (100, KEY), (140, INTER)]);
    file.restart();
    put(&mut file, &[(9000, AVC), (9000, KEY), (9040, INTER)]);
    file.finish(false).unwrap();
    let expected = [(0, AVC), (0, KEY), (40, INTER), (60, KEY), (100, INTER)];
    assert_eq!(folder.read().1, tags(&expected));
}

#[test]
fn a_file_is_full_at_its_limits() {
    let folder = Folder::new("limits");
    let limits = Limits {
        duration_ms: 100,
        bytes: 0,
    };
    let mut file = RecordingFile::open(&folder.file(), RecordMode::Record, limits).unwrap();
    put(&mut file, &[(1000, KEY), (1040, INTER), (1099, INTER)]);
    let full = file.write(&message(1100, INTER)).unwrap_err();
    assert!(matches!(full, Full::Limit));
    file.finish(false).unwrap();
    assert_eq!(folder.read().1.len(), 3);

    let limits = Limits {
        duration_ms: 0,
        bytes: 2000,
    };
    let mut file = RecordingFile::open(&folder.file(), RecordMode::Record, limits).unwrap();
    let mut taken = 0;
    while file.write(&message(taken * 40, KEY)).is_ok() {
        taken += 1;
    }
    file.finish(false).unwrap();
    let length = fs::metadata(folder.file()).unwrap().len();
    assert!((1900..=2000).contains(&length), "{length}");
    assert_eq!(folder.read().1.len(), taken as usize);
}

#[test]
fn a_read_only_file_is_left_alone() {
    let folder = Folder::new("readonly");
    fs::write(folder.file(), b"x").unwrap();
    let mut permissions = fs::metadata(folder.file()).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(folder.file(), permissions).unwrap();
    for mode in [RecordMode::Record, RecordMode::Append] {
        let error = RecordingFile::open(&folder.file(), mode, Limits::default()).unwrap_err();
        assert!(matches!(error, NotOpened::ReadOnly));
    }
}

#[test]
fn what_a_disk_took_before_it_failed_is_completed() {
    let folder = Folder::new("salvage");
    let mut file = folder.open(RecordMode::Record);
    file.write(&metadata(640.0)).unwrap();
    put(&mut file, &[(0, AVC), (0, KEY), (40, INTER), (80, KEY)]);
    file.flush().unwrap();
    file.salvage();
    let (metadata, tags) = folder.read();
    assert_eq!(metadata.get("duration"), Some(&Value::from(0.08)));
    assert_eq!(tags.len(), 4);
    // The end of a tag did not fit any more.
    let whole = fs::metadata(folder.file()).unwrap().len();
    let mut file = folder.open(RecordMode::Append);
    put(&mut file, &[(0, INTER)]);
    file.flush().unwrap();
    File::options()
        .write(true)
        .open(folder.file())
        .unwrap()
        .set_len(whole + 14)
        .unwrap();
    file.salvage();
    let (metadata, tags) = folder.read();
    assert_eq!(
        (metadata.get("duration"), tags.len()),
        (Some(&Value::from(0.08)), 4)
    );
    assert_eq!(
        metadata.get("filesize").and_then(Value::as_f64),
        Some(whole as f64)
    );
}

#[test]
fn a_file_that_a_disk_took_nothing_of_is_removed() {
    let folder = Folder::new("nothing");
    let mut file = folder.open(RecordMode::Record);
    put(&mut file, &[(0, KEY)]);
    file.flush().unwrap();
    File::options()
        .write(true)
        .open(folder.file())
        .unwrap()
        .set_len(0)
        .unwrap();
    file.salvage();
    assert!(!folder.file().exists());
}
