use std::fs;
use std::path::PathBuf;

use super::*;
use crate::amf::{Object, Value};
use crate::media::flv::FlvWriter;

const AVC_CONFIG: &[u8] = &[0x17, 0, 0, 0, 0, 1, 100, 0, 10, 0xFF];
const OTHER_CONFIG: &[u8] = &[0x17, 0, 0, 0, 0, 1, 77, 0, 31, 0xFF];
const AAC_CONFIG: &[u8] = &[0xAF, 0, 0x12, 0x10];
const OTHER_AAC_CONFIG: &[u8] = &[0xAF, 0, 0x11, 0x90];

/// A file that is deleted in the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new(test: &str, bytes: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("rtmpkit-flv-{}-{test}.flv", std::process::id()));
        fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn video(time: u32, key: bool) -> MediaMessage {
    let head = if key { 0x17 } else { 0x27 };
    MediaMessage::new(MediaKind::Video, time, vec![head, 1, 0, 0, 0, 9])
}

fn audio(time: u32) -> MediaMessage {
    MediaMessage::new(MediaKind::Audio, time, vec![0xAF, 1, 9])
}

fn header(kind: MediaKind, body: &'static [u8]) -> MediaMessage {
    MediaMessage::new(kind, 0, body)
}

/// Headers, then a picture and a sound every 100 ms, a keyframe every second.
fn film(seconds: u32) -> Vec<MediaMessage> {
    let mut film = vec![
        header(MediaKind::Video, AVC_CONFIG),
        header(MediaKind::Audio, AAC_CONFIG),
    ];
    for time in (0..seconds * 1_000).step_by(100) {
        film.push(video(time, time.is_multiple_of(1_000)));
        film.push(audio(time));
    }
    film
}

fn file(messages: &[MediaMessage], metadata: Option<&Object>) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = FlvWriter::new(&mut bytes, true, true).unwrap();
    if let Some(metadata) = metadata {
        writer
            .write(&MediaMessage::new(
                MediaKind::Data,
                0,
                Metadata {
                    properties: metadata.clone(),
                }
                .to_body(),
            ))
            .unwrap();
    }
    for message in messages {
        writer.write(message).unwrap();
    }
    drop(writer);
    bytes.into_inner()
}

fn next(source: &mut FlvSource) -> (MediaKind, u32) {
    let message = source.next().unwrap().unwrap();
    (message.kind, message.timestamp)
}

#[test]
fn the_length_is_that_of_the_metadata_or_of_the_last_tag() {
    let film = film(3);
    let told = Object::new().with("duration", 7.5);
    for (name, bytes, length) in [
        ("length-told", file(&film, Some(&told)), 7_500),
        ("length-tail", file(&film, None), 2_900),
        (
            "length-nonsense",
            file(&film, Some(&Object::new().with("duration", f64::NAN))),
            2_900,
        ),
        (
            "length-cut",
            {
                let whole = file(&film, None);
                whole[..whole.len() - 6].to_vec()
            },
            2_900,
        ),
    ] {
        let temporary = Temporary::new(name, &bytes);
        assert_eq!(
            FlvSource::open(&temporary.0).unwrap().length_ms(),
            length,
            "{name}"
        );
    }
}

#[test]
fn a_seek_without_an_index_finds_the_keyframe_before() {
    let temporary = Temporary::new("seek", &file(&film(5), None));
    let mut source = FlvSource::open(&temporary.0).unwrap();
    for (to, at) in [(3_999, 3_000), (4_000, 4_000), (1_050, 1_000), (4_900, 4_000)] {
        let start = source.seek(Place::AtOrBefore(to)).unwrap();
        assert_eq!(start.at, at, "{to}");
        let headers: Vec<&[u8]> = start.headers.iter().map(|header| &header.body[..]).collect();
        assert_eq!(headers, [AAC_CONFIG, AVC_CONFIG], "{to}");
        assert!(
            start
                .headers
                .iter()
                .all(|header| u64::from(header.timestamp) == at)
        );
        assert_eq!(next(&mut source), (MediaKind::Video, at as u32));
    }
    for to in [0, 999] {
        let start = source.seek(Place::AtOrBefore(to)).unwrap();
        assert_eq!((start.at, start.headers.len()), (0, 0));
        assert_eq!(
            source.next().unwrap().unwrap().body,
            AVC_CONFIG,
            "headers come by themselves"
        );
    }
    assert!(matches!(
        source.seek(Place::AtOrBefore(5_000)),
        Err(SourceError::Beyond(4_900))
    ));
    assert_eq!(source.seek(Place::AtOrAfter(2_001)).unwrap().at, 3_000);
    assert!(matches!(
        source.seek(Place::AtOrAfter(4_001)),
        Err(SourceError::Beyond(4_900))
    ));
}

#[test]
fn sound_from_before_the_keyframe_is_passed_over() {
    let mut messages = film(2);
    let key = messages
        .iter()
        .position(|message| *message == video(1_000, true))
        .unwrap();
    messages.insert(key + 1, audio(990));
    let temporary = Temporary::new("interleaved", &file(&messages, None));
    let mut source = FlvSource::open(&temporary.0).unwrap();
    source.seek(Place::AtOrBefore(1_500)).unwrap();
    assert_eq!(next(&mut source), (MediaKind::Video, 1_000));
    assert_eq!(next(&mut source), (MediaKind::Audio, 1_000));
}

#[test]
fn headers_are_those_that_hold_at_the_place() {
    let mut messages = film(4);
    let key = messages
        .iter()
        .position(|message| *message == video(2_000, true))
        .unwrap();
    messages.insert(key, MediaMessage::new(MediaKind::Video, 2_000, OTHER_CONFIG));
    let temporary = Temporary::new("changed", &file(&messages, None));
    let mut source = FlvSource::open(&temporary.0).unwrap();
    for (to, config) in [(3_000, OTHER_CONFIG), (1_500, AVC_CONFIG), (2_000, OTHER_CONFIG)] {
        let start = source.seek(Place::AtOrBefore(to)).unwrap();
        assert_eq!(start.headers[1].body, config, "{to}");
    }
}

/// A film with an index, of keyframes at these places.
fn indexed(positions: &[f64]) -> Object {
    let list = |numbers: &[f64]| {
        numbers
            .iter()
            .map(|number| Value::from(*number))
            .collect::<Vec<_>>()
    };
    let keyframes = Object::new()
        .with("times", list(&[0.0, 1.0, 2.0, 3.0, 4.0]))
        .with("filepositions", list(positions));
    Object::new().with("keyframes", keyframes)
}

fn keyframe_positions(path: &std::path::Path) -> Vec<f64> {
    let mut reader = FlvReader::new(fs::File::open(path).unwrap()).unwrap();
    let mut positions = Vec::new();
    while let Some(message) = reader.next() {
        if inspect(MediaKind::Video, &message.unwrap().body).contains(FrameFlags::KEYFRAME) {
            positions.push(reader.last_tag_position() as f64);
        }
    }
    positions
}

/// Five seconds whose headers change at the third: that of pictures before its keyframe, that of sound a while after it.
fn changing_film() -> Vec<MediaMessage> {
    let mut film = film(5);
    for (before, kind, body) in [
        (video(2_000, true), MediaKind::Video, OTHER_CONFIG),
        (audio(2_300), MediaKind::Audio, OTHER_AAC_CONFIG),
    ] {
        let at = film.iter().position(|message| *message == before).unwrap();
        film.insert(at, MediaMessage::new(kind, before.timestamp, body));
    }
    film
}

fn assert_headers_in_force(source: &mut FlvSource) {
    for (to, pictures, sound) in [
        (4_500, OTHER_CONFIG, OTHER_AAC_CONFIG),
        (1_500, AVC_CONFIG, AAC_CONFIG),
        (2_200, OTHER_CONFIG, AAC_CONFIG),
        (3_000, OTHER_CONFIG, OTHER_AAC_CONFIG),
    ] {
        let start = source.seek(Place::AtOrBefore(to)).unwrap();
        assert_eq!(start.at, to / 1_000 * 1_000);
        let of_codecs = start
            .headers
            .iter()
            .filter(|header| header.kind != MediaKind::Data);
        let headers: Vec<&[u8]> = of_codecs.map(|header| &header.body[..]).collect();
        assert_eq!(headers, [sound, pictures], "{to}");
        assert_eq!(next(source), (MediaKind::Video, start.at as u32));
    }
}

#[test]
fn a_seek_by_an_index_misses_no_header_that_changes_on_the_way() {
    let film = changing_film();
    let blank = Temporary::new(
        "changing-blank",
        &file(&film, Some(&indexed(&[1.0, 2.0, 3.0, 4.0, 5.0]))),
    );
    let positions = keyframe_positions(&blank.0);
    let temporary = Temporary::new("changing", &file(&film, Some(&indexed(&positions))));
    let mut source = FlvSource::open(&temporary.0).unwrap();
    assert!(!source.headers_told);
    assert_headers_in_force(&mut source);
}

#[test]
fn the_headers_of_a_recording_are_known_without_looking_through_it() {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = FlvWriter::new(&mut bytes, true, true).unwrap();
    writer.write_metadata(&Object::new(), 16).unwrap();
    changing_film()
        .iter()
        .for_each(|message| writer.write(message).unwrap());
    writer.finish().unwrap();
    let bytes = bytes.into_inner();
    let temporary = Temporary::new("told", &bytes);
    let mut source = FlvSource::open(&temporary.0).unwrap();
    assert!(source.headers_told);
    let looked_to = source.looked_to;
    assert_headers_in_force(&mut source);
    assert_eq!(source.looked_to, looked_to, "what lies between was not looked at");

    // One that was changed by somebody else is looked through.
    let temporary = Temporary::new("told-longer", &[&bytes[..], &[0]].concat());
    let mut source = FlvSource::open(&temporary.0).unwrap();
    assert!(!source.headers_told);
    assert_headers_in_force(&mut source);
}

#[test]
fn an_index_is_used_where_it_is_right_and_else_the_tags() {
    let film = film(5);
    // Where the keyframes really are, by an index of the same size.
    let blank = Temporary::new(
        "index-blank",
        &file(&film, Some(&indexed(&[1.0, 2.0, 3.0, 4.0, 5.0]))),
    );
    let positions = keyframe_positions(&blank.0);
    assert_eq!(positions.len(), 5);
    let shifted: Vec<f64> = positions.iter().map(|position| position + 3.0).collect();
    let beyond = [1e3, 1e6, 1e9, 1e12, 1e15];
    for (name, positions) in [
        ("right", &positions[..]),
        ("shifted", &shifted),
        ("beyond", &beyond),
    ] {
        let temporary = Temporary::new(&format!("index-{name}"), &file(&film, Some(&indexed(positions))));
        let mut source = FlvSource::open(&temporary.0).unwrap();
        assert_eq!(source.seek(Place::AtOrBefore(3_500)).unwrap().at, 3_000, "{name}");
        assert_eq!(next(&mut source), (MediaKind::Video, 3_000), "{name}");
    }
}

#[test]
fn times_count_on_where_timestamps_wrap() {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = FlvWriter::new(&mut bytes, false, true).unwrap();
    writer.write_metadata(&Object::new(), 16).unwrap();
    writer.write(&header(MediaKind::Video, AVC_CONFIG)).unwrap();
    for time in [0, 1 << 30, 2 << 30, 3 << 30, 0xFFFF_FF00, 0x100] {
        writer.write(&video(time, true)).unwrap();
    }
    for time in [0x128, 0x150] {
        writer.write(&video(time, false)).unwrap();
    }
    writer.finish().unwrap();
    let temporary = Temporary::new("wraps", &bytes.into_inner());
    let wrap = 1_u64 << 32;
    for is_told in [true, false] {
        let mut source = FlvSource::open(&temporary.0).unwrap();
        if !is_told {
            source.index.distrust();
        }
        assert_eq!(source.length_ms(), wrap + 0x150);
        for (place, at) in [
            (Place::AtOrBefore(wrap + 0x50), wrap - 0x100),
            (Place::AtOrBefore(wrap + 0x140), wrap + 0x100),
            (Place::AtOrAfter(wrap + 1), wrap + 0x100),
            (Place::AtOrBefore(0x9000_0000), 2 << 30),
            (Place::AtOrAfter(0xD000_0000), wrap - 0x100),
        ] {
            assert_eq!(source.seek(place).unwrap().at, at, "{place:?}");
            assert_eq!(next(&mut source), (MediaKind::Video, at as u32));
        }
        assert!(matches!(
            source.seek(Place::AtOrBefore(wrap + 0x151)),
            Err(SourceError::Beyond(end)) if end == wrap + 0x150
        ));
        source.seek(Place::AtOrBefore(0)).unwrap();
        let rest: Vec<u32> = std::iter::from_fn(|| source.next().unwrap())
            .filter(|message| message.kind == MediaKind::Video)
            .map(|message| message.timestamp)
            .collect();
        assert_eq!(rest[5..], [0xFFFF_FF00, 0x100, 0x128, 0x150]);
    }
}

#[test]
fn sound_alone_is_sought_by_its_frames() {
    let messages: Vec<MediaMessage> = std::iter::once(header(MediaKind::Audio, AAC_CONFIG))
        .chain((0..50).map(|number| audio(number * 100)))
        .collect();
    let temporary = Temporary::new("sound", &file(&messages, None));
    let mut source = FlvSource::open(&temporary.0).unwrap();
    assert_eq!(source.seek(Place::AtOrBefore(2_050)).unwrap().at, 2_000);
    assert_eq!(next(&mut source), (MediaKind::Audio, 2_000));
}

#[test]
fn a_file_that_grows_is_longer_than_it_was() {
    let whole = file(&film(6), None);
    let part = file(&film(3), None);
    let temporary = Temporary::new("grows", &whole[..part.len()]);
    let mut source = FlvSource::open(&temporary.0).unwrap();
    assert!(matches!(
        source.seek(Place::AtOrBefore(4_500)),
        Err(SourceError::Beyond(2_900))
    ));
    fs::write(&temporary.0, &whole).unwrap();
    assert_eq!(source.seek(Place::AtOrBefore(4_500)).unwrap().at, 4_000);
}

#[test]
fn whatever_is_in_a_file_opening_and_seeking_end() {
    let whole = file(&film(2), Some(&Object::new().with("duration", 1e300)));
    let mut number = 7_u32;
    for round in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..4 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = 13 + number as usize % (bytes.len() - 13);
            bytes[at] = (number >> 24) as u8;
        }
        let temporary = Temporary::new("hostile", &bytes);
        let Ok(mut source) = FlvSource::open(&temporary.0) else {
            continue;
        };
        for place in [
            Place::AtOrBefore(1_500),
            Place::AtOrAfter(1),
            Place::AtOrBefore(u64::MAX),
        ] {
            let _ = source.seek(place);
            let mut messages = 0;
            while let Ok(Some(_)) = source.next() {
                messages += 1;
                assert!(messages < 1_000, "round {round}");
            }
        }
    }
}
