use std::io::Cursor as Bytes;

use super::*;
use crate::media::{Frame, MediaKind, MediaMessage};

const AVC_RECORD: &[u8] = &[1, 100, 0, 10, 0xFF, 0xE0, 0];
const AAC: &[u8] = b"\0\0\0\0\x03\x16\0\0\0\x04\x11\x40\x15\0\0\0\0\0\0\0\0\0\0\0\x05\x02\x12\x10";

fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&(body.len() as u32 + 8).to_be_bytes()[..], kind, &body].concat()
}

/// A full box of 32-bit words.
fn words(kind: &[u8; 4], words: &[u32]) -> Vec<u8> {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    boxed(kind, &[&bytes])
}

/// A track of `stbl` boxes, with an edit list of one entry that begins at `shown_from`.
fn track(id: u32, is_video: bool, scale: u32, shown_from: u32, tables: &[Vec<u8>]) -> Vec<u8> {
    let tkhd = words(b"tkhd", &[7, 0, 0, id, 0, 0]);
    let elst = words(b"elst", &[0, 1, 5_000, shown_from, 0x1_0000]);
    let mdhd = words(b"mdhd", &[0, 0, 0, scale, 0, 0]);
    let handler: &[u8; 4] = if is_video { b"vide" } else { b"soun" };
    let hdlr = boxed(b"hdlr", &[&[0; 8], handler, &[0; 12], b"Handler\0"]);
    let entry = match is_video {
        true => {
            let mut fields = [0; 78];
            fields[24..28].copy_from_slice(&[0, 160, 0, 120]);
            boxed(b"avc1", &[&fields, &boxed(b"avcC", &[AVC_RECORD])])
        }
        false => {
            let mut fields = [0; 28];
            fields[17] = 2;
            boxed(b"mp4a", &[&fields, &boxed(b"esds", &[AAC])])
        }
    };
    let stsd = boxed(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1], &entry]);
    let stbl = boxed(b"stbl", &[&stsd, &tables.concat()]);
    let mdia = boxed(b"mdia", &[&mdhd, &hdlr, &boxed(b"minf", &[&stbl])]);
    boxed(b"trak", &[&tkhd, &boxed(b"edts", &[&elst]), &mdia])
}

/// Five pictures a second at 1000 units, each of `10 + n` bytes, a key picture every five, presented one later; ten sounds of
/// 3 bytes a second. Chunks of two pictures and four sounds in turn, each sample filled with its number.
fn film() -> Vec<u8> {
    let ftyp = boxed(b"ftyp", &[b"isom\0\0\0\0"]);
    let (mut data, mut pictures, mut sounds) = (Vec::new(), Vec::new(), Vec::new());
    let begin = ftyp.len() as u32 + 8;
    for chunk in 0..5_u8 {
        pictures.push(begin + data.len() as u32);
        for number in 2 * chunk..2 * chunk + 2 {
            data.extend(vec![number; 10 + usize::from(number)]);
        }
        sounds.push(begin + data.len() as u32);
        for number in 4 * chunk..4 * chunk + 4 {
            data.extend([0x80 + number; 3]);
        }
    }
    let sizes: Vec<u32> = [0, 0, 10]
        .into_iter()
        .chain((0..10).map(|number| 10 + number))
        .collect();
    let video = [
        words(b"stts", &[0, 1, 10, 200]),
        words(b"ctts", &[0, 2, 1, 400, 9, 200]),
        words(b"stss", &[0, 2, 1, 6]),
        words(b"stsc", &[0, 1, 1, 2, 1]),
        words(b"stsz", &sizes),
        words(b"stco", &[&[0, 5][..], &pictures].concat()),
    ];
    let audio = [
        words(b"stts", &[0, 2, 19, 800, 1, 100]),
        words(b"stsc", &[0, 2, 1, 4, 1, 3, 4, 1]),
        words(b"stsz", &[0, 3, 20]),
        words(b"stco", &[&[0, 5][..], &sounds].concat()),
    ];
    let mvhd = words(b"mvhd", &[0, 0, 0, 600, 1_200]);
    let tracks = [
        track(1, true, 1_000, 200, &video),
        track(2, false, 8_000, 0, &audio),
    ]
    .concat();
    [ftyp, boxed(b"mdat", &[&data]), boxed(b"moov", &[&mvhd, &tracks])].concat()
}

fn open(file: &[u8]) -> Mp4Reader<Bytes<Vec<u8>>> {
    Mp4Reader::new(Bytes::new(file.to_vec())).unwrap()
}

fn rest<R: std::io::Read + std::io::Seek>(reader: &mut Mp4Reader<R>) -> Vec<MediaMessage> {
    std::iter::from_fn(|| reader.next_message().unwrap()).collect()
}

/// Kind, decoding and presentation time, and the byte that samples are filled with.
fn told(message: &MediaMessage) -> (char, u32, i32, u8) {
    let frame = Frame::from_message(message);
    let kind = match (message.kind, frame.is_keyframe()) {
        (MediaKind::Video, true) => 'K',
        (MediaKind::Video, false) => 'v',
        _ => 'a',
    };
    (
        kind,
        message.timestamp,
        frame.composition_ms,
        *frame.payload.last().unwrap(),
    )
}

#[test]
fn tracks_are_interleaved_by_decoding_time() {
    let mut reader = open(&film());
    assert_eq!(reader.length_ms(), 2_000);
    let all: Vec<_> = rest(&mut reader).iter().map(told).collect();
    // The first picture is shown at 0, and decoded 200 ms before.
    assert_eq!(
        all[..6],
        [
            ('K', 0, 400, 0),
            ('v', 200, 200, 1),
            ('a', 200, 0, 0x80),
            ('a', 300, 0, 0x81),
            ('v', 400, 200, 2),
            ('a', 400, 0, 0x82),
        ]
    );
    assert_eq!(all.len(), 30);
    assert!(all.is_sorted_by_key(|(_, time, ..)| *time));
    assert_eq!(all.iter().filter(|(kind, ..)| *kind == 'K').count(), 2);
    assert_eq!(all.last(), Some(&('a', 2_100, 0, 0x80 + 19)));
}

#[test]
fn samples_come_whole_behind_their_headers() {
    let mut reader = open(&film());
    let headers = reader.headers(0);
    assert_eq!(headers[1].body[..], [0xAF, 0, 0x12, 0x10]);
    assert_eq!(
        headers[2].body[..],
        [&[0x17, 0, 0, 0, 0][..], AVC_RECORD].concat()
    );
    let metadata = reader.metadata();
    assert_eq!(metadata.duration(), Some(2.0));
    assert_eq!(metadata.dimensions(), Some((160, 120)));
    assert_eq!(metadata.frame_rate(), Some(5.0));
    assert_eq!(metadata.sample_rate(), Some(44_100));
    assert_eq!(headers[0].body, metadata.to_body());
    let all = rest(&mut reader);
    assert_eq!(all[0].body[..], [&[0x17, 1, 0, 1, 0x90][..], &[0; 10]].concat());
    assert_eq!(all[1].body[..], [&[0x27, 1, 0, 0, 200][..], &[1; 11]].concat());
    assert_eq!(all[2].body[..], [0xAF, 1, 0x80, 0x80, 0x80]);
}

#[test]
fn seeking_goes_to_key_pictures_and_the_sound_from_there() {
    let mut reader = open(&film());
    for (to, at) in [
        (0, 0),
        (999, 0),
        (1_000, 1_000),
        (1_700, 1_000),
        (u32::MAX, 1_000),
    ] {
        assert_eq!(reader.seek_before(to).unwrap(), at, "{to}");
        let first: Vec<_> = rest(&mut reader)[..2].iter().map(told).collect();
        let expected = match at {
            0 => [('K', 0, 400, 0), ('v', 200, 200, 1)],
            _ => [('K', 1_000, 200, 5), ('a', 1_000, 0, 0x88)],
        };
        assert_eq!(first, expected, "{to}");
    }
    assert_eq!(reader.seek_after(1).unwrap(), Some(1_000));
    assert_eq!(
        told(&reader.next_message().unwrap().unwrap()),
        ('K', 1_000, 200, 5)
    );
    assert_eq!(reader.seek_after(0).unwrap(), Some(0));
    assert_eq!(reader.seek_after(1_001).unwrap(), None);
    assert_eq!(reader.end_ms(), 2_113, "the last sound is short");
}

#[test]
fn a_file_that_is_cut_off_ends_where_it_ends() {
    let mut film = film();
    let moov = film.windows(4).position(|kind| kind == b"moov").unwrap() - 4;
    let movie = film.split_off(moov);
    // The other way round: the description first, and its places are where they were.
    film[..16].copy_from_slice(&boxed(b"ftyp", &[b"isom\0\0\0\0"]));
    let whole = [&film[..], &movie].concat();
    let mut reader = open(&whole);
    assert_eq!(rest(&mut reader).len(), 30);
    assert!(matches!(
        Mp4Reader::new(Bytes::new(&film)),
        Err(Mp4Error::Damaged { .. })
    ));
    assert!(matches!(
        Mp4Reader::new(Bytes::new(&whole[..whole.len() - 1])),
        Err(Mp4Error::Damaged { .. })
    ));
    let silent = boxed(b"moov", &[&words(b"mvhd", &[0, 0, 0, 600, 1_200])]);
    assert!(matches!(
        Mp4Reader::new(Bytes::new(&silent)),
        Err(Mp4Error::NoTracks)
    ));
}

/// A film in fragments of a second: tracks in one `moof`, or each in its own, with the clock of a stream that began long ago.
fn fragmented(apart: bool) -> Vec<u8> {
    const BEGAN: u32 = 50_000;
    let tables = [
        words(b"stts", &[0, 0]),
        words(b"stsc", &[0, 0]),
        words(b"stsz", &[0, 0, 0]),
        words(b"stco", &[0, 0]),
    ];
    let trex = [
        words(b"trex", &[0, 1, 1, 200, 0, 0x1_0000]),
        words(b"trex", &[0, 2, 1, 800, 3, 0]),
    ]
    .concat();
    let mvhd = words(b"mvhd", &[0, 0, 0, 600, 0]);
    let tracks = [
        track(1, true, 1_000, 0, &tables),
        track(2, false, 8_000, 0, &tables),
    ]
    .concat();
    let mut file = boxed(b"moov", &[&mvhd, &tracks, &boxed(b"mvex", &[&trex])]);
    for second in 0..3_u32 {
        let moof = |offset: u32, video: bool, audio: bool| {
            let first = [0x2_0000, 1, 0x2_0000, 2];
            let of_video = boxed(
                b"traf",
                &[
                    &words(b"tfhd", &first[..2]),
                    &words(b"tfdt", &[0, BEGAN + 1_000 * second]),
                    // The first is a key picture; sizes and compositions.
                    &words(b"trun", &[0xA05, 5, offset, 0, 4, 0, 4, 0, 4, 0, 4, 0, 4, 200]),
                ],
            );
            let of_audio = boxed(
                b"traf",
                &[
                    &words(b"tfhd", &first[2..]),
                    &words(b"tfdt", &[0, 8 * (BEGAN + 1_000 * second)]),
                    &words(b"trun", &[1, 10, offset + if video { 20 } else { 0 }]),
                ],
            );
            let parts = [(video, of_video), (audio, of_audio)];
            let parts: Vec<u8> = parts
                .into_iter()
                .filter(|(is, _)| *is)
                .flat_map(|(_, part)| part)
                .collect();
            boxed(b"moof", &[&parts])
        };
        let number = second as u8;
        let (pictures, sounds) = ([number; 20], [0x80 + number; 30]);
        let parts: &[(bool, bool, Vec<u8>)] = &match apart {
            true => vec![(true, false, pictures.to_vec()), (false, true, sounds.to_vec())],
            false => vec![(true, true, [&pictures[..], &sounds].concat())],
        };
        for (video, audio, data) in parts {
            let offset = moof(0, *video, *audio).len() as u32 + 8;
            file.extend(moof(offset, *video, *audio));
            file.extend(boxed(b"mdat", &[data]));
        }
    }
    file
}

#[test]
fn fragments_are_played_and_sought_in() {
    for apart in [false, true] {
        let file = fragmented(apart);
        let mut reader = open(&file);
        assert_eq!(reader.length_ms(), 3_000);
        let all: Vec<_> = rest(&mut reader).iter().map(told).collect();
        assert_eq!(all.len(), 45);
        assert!(all.is_sorted_by_key(|(_, time, ..)| *time));
        assert_eq!(all[..3], [('K', 0, 0, 0), ('a', 0, 0, 0x80), ('a', 100, 0, 0x80)]);
        assert_eq!(all[30..32], [('K', 2_000, 0, 2), ('a', 2_000, 0, 0x82)]);
        for (to, at) in [(2_999, 2_000), (2_000, 2_000), (1_999, 1_000), (1, 0)] {
            assert_eq!(reader.seek_before(to).unwrap(), at, "{to}");
            assert_eq!(told(&reader.next_message().unwrap().unwrap()).1, at);
            let sound = rest(&mut reader)
                .iter()
                .map(told)
                .find(|(kind, ..)| *kind == 'a')
                .unwrap();
            assert_eq!(sound.1, at, "the sound begins there too");
        }
        assert_eq!(reader.seek_after(1_001).unwrap(), Some(2_000));
        assert_eq!(reader.seek_after(2_001).unwrap(), None);
    }
}

#[test]
fn a_file_that_grows_is_played_on() {
    let whole = fragmented(false);
    let last = whole.windows(4).rposition(|kind| kind == b"moof").unwrap() - 4;
    for cut in [last, last + 30, whole.len() - 60] {
        let mut reader = Mp4Reader::new(Bytes::new(whole[..cut].to_vec())).unwrap();
        let before = rest(&mut reader).len();
        assert!((30..45).contains(&before), "{before} in {cut} bytes");
    }
}

#[test]
fn presentation_before_decoding_is_made_up_for() {
    let mut film = film();
    let ctts = film.windows(4).position(|kind| kind == b"ctts").unwrap();
    // Version 1, and all 200 less: the second picture and those after it are presented as they are decoded, less 100.
    film[ctts + 4] = 1;
    film[ctts + 16..ctts + 20].copy_from_slice(&200_u32.to_be_bytes());
    film[ctts + 24..ctts + 28].copy_from_slice(&(-100_i32).to_be_bytes());
    let all: Vec<_> = rest(&mut open(&film)).iter().map(told).collect();
    assert_eq!(
        all[..3],
        [('K', 0, 300, 0), ('v', 200, 0, 1), ('a', 300, 0, 0x80)]
    );
}

#[test]
fn whatever_is_in_a_file_reading_ends() {
    let mut number = 7_u32;
    let mut random = || {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (number >> 8) as usize
    };
    for whole in [film(), fragmented(false), fragmented(true)] {
        for round in 0..500 {
            let mut file = whole.clone();
            for _ in 0..1 + round % 5 {
                let at = random() % file.len();
                file[at] = [0, 1, 0x7F, 0x80, 0xFF, random() as u8][random() % 6];
            }
            let Ok(mut reader) = Mp4Reader::new(Bytes::new(&file)) else {
                continue;
            };
            let mut messages = 0;
            for to in [0, 1_100, u32::MAX] {
                let _ = reader.seek_before(to);
                let _ = reader.headers(to);
                while let Ok(Some(message)) = reader.next_message() {
                    messages += 1;
                    assert!(
                        message.body.len() <= file.len() + 16 && messages < 5_000,
                        "round {round}"
                    );
                }
                let _ = reader.seek_after(to);
            }
        }
    }
}
