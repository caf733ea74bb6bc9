use std::io::Cursor;

use super::*;
use crate::media::{MediaKind, MediaMessage, Metadata};

/// A frame of 44.1 kHz stereo, 128 kbit/s: 417 bytes, filled with a number.
fn frame(number: u8) -> Vec<u8> {
    [&[0xFF, 0xFB, 0x90, 0x64][..], &[number; 413]].concat()
}

/// The same at 320 kbit/s: 1044 bytes.
fn large(number: u8) -> Vec<u8> {
    [&[0xFF, 0xFB, 0xE0, 0x64][..], &[number; 1_040]].concat()
}

fn frames(count: u8) -> Vec<u8> {
    (0..count).flat_map(frame).collect()
}

/// Every third frame is large.
fn variable(count: u8) -> Vec<u8> {
    (0..count)
        .flat_map(|number| {
            if number.is_multiple_of(3) {
                large(number)
            } else {
                frame(number)
            }
        })
        .collect()
}

/// A first frame that says that `count` follow.
fn info(name: &[u8; 4], count: u32) -> Vec<u8> {
    let mut first = frame(0);
    first[4..].fill(0);
    first[36..40].copy_from_slice(name);
    first[43] = 1;
    first[44..48].copy_from_slice(&count.to_be_bytes());
    first
}

fn open(file: &[u8]) -> Mp3Reader<Cursor<Vec<u8>>> {
    Mp3Reader::new(Cursor::new(file.to_vec())).unwrap()
}

fn rest(reader: &mut Mp3Reader<Cursor<Vec<u8>>>) -> Vec<MediaMessage> {
    std::iter::from_fn(|| reader.next_message().unwrap()).collect()
}

/// Times, and the numbers that frames are filled with.
fn told(messages: &[MediaMessage]) -> Vec<(u32, u8)> {
    let message = |message: &MediaMessage| (message.timestamp, *message.body.last().unwrap());
    messages.iter().map(message).collect()
}

#[test]
fn frames_come_with_the_time_that_their_samples_take() {
    let mut reader = open(&frames(5));
    assert_eq!(reader.length_ms(), 131);
    let all = rest(&mut reader);
    assert_eq!(told(&all), [(0, 0), (26, 1), (52, 2), (78, 3), (104, 4)]);
    assert_eq!(all[1].kind, MediaKind::Audio);
    assert_eq!(all[1].body[..], [&[0x2F][..], &frame(1)].concat());
    let metadata = Metadata::parse(&reader.headers(0)[0].body).unwrap();
    assert_eq!(metadata.sample_rate(), Some(44_100));
    assert_eq!(metadata.audio_rate(), Some(128.0));
    assert_eq!(metadata.audio_codec(), Some(crate::media::FourCc::MP3));
    assert_eq!(reader.headers(0).len(), 1, "no tags");
}

#[test]
fn a_first_frame_that_says_how_many_follow_is_not_played() {
    for name in [b"Xing", b"Info"] {
        let mut reader = open(&[info(name, 4), variable(4)].concat());
        assert_eq!(reader.length_ms(), 104);
        assert_eq!(told(&rest(&mut reader)), [(0, 0), (26, 1), (52, 2), (78, 3)]);
    }
    let mut vbri = frame(0);
    vbri[36..40].copy_from_slice(b"VBRI");
    vbri[50..54].copy_from_slice(&38_u32.to_be_bytes());
    assert_eq!(open(&[vbri, frames(3)].concat()).length_ms(), 993);
}

#[test]
fn seeking_is_exact_whatever_the_bit_rate() {
    let mut reader = open(&variable(200));
    let all = told(&rest(&mut reader));
    assert_eq!(all.len(), 200);
    assert_eq!(reader.length_ms(), 5_224);
    for (to, index) in [
        (0, 0),
        (25, 0),
        (26, 1),
        (1_000, 38),
        (5_223, 199),
        (u32::MAX, 199),
    ] {
        assert_eq!(reader.seek_before(to).unwrap(), all[index].0, "{to}");
        assert_eq!(told(&rest(&mut reader)), all[index..], "{to}");
    }
    assert_eq!(reader.seek_after(1_000).unwrap(), Some(1_019));
    assert_eq!(told(&rest(&mut reader))[0], all[39]);
    assert_eq!(reader.seek_after(0).unwrap(), Some(0));
    assert_eq!(reader.seek_after(5_210).unwrap(), None);
}

#[test]
fn tags_are_told_and_passed_over() {
    let tag = b"ID3\x03\0\0\0\0\0\x10TIT2\0\0\0\x05\0\0\0Song\0";
    let mut old = [0; 128];
    old[..3].copy_from_slice(b"TAG");
    old[33..39].copy_from_slice(b"Singer");
    old[127] = 0xFF;
    let ape = [&b"APETAGEX\xD0\x07\0\0\x20\0\0\0\0\0\0\0"[..], &[0; 12]].concat();
    let file = [&tag[..], b"\0", &frames(3), &ape, &old].concat();
    let mut reader = open(&file);
    assert_eq!(rest(&mut reader).len(), 3);
    let headers = reader.headers(7);
    let expected = b"\x02\0\x05onId3\x03\0\x08songname\x02\0\x04Song\0\x04TIT2\x02\0\x04Song\0\x06artist\x02\0\x06Singer\0\0\x09";
    assert_eq!((headers[1].timestamp, &headers[1].body[..]), (7, &expected[..]));
}

#[test]
fn what_is_no_frame_is_passed_over() {
    let file = [
        &[0xFF, 0xFB, 0x90, 0x64, 1, 2, 3][..],
        &frames(2),
        &[0x55; 900],
        &frames(2),
        &[0xFF, 0xFB],
    ]
    .concat();
    assert_eq!(told(&rest(&mut open(&file))), [(0, 0), (26, 1), (52, 0), (78, 1)]);
    let cut = &frames(3)[..1_000];
    assert_eq!(rest(&mut open(cut)).len(), 2);
}

#[test]
fn other_files_are_refused_and_garbage_within_is_told() {
    for file in [
        &b""[..],
        b"ID3\x03\0\0\0\0\0\0",
        &[0x55; 10_000],
        &frame(1)[..400],
        &vec![0; 300 << 10],
    ] {
        assert!(matches!(
            Mp3Reader::new(Cursor::new(file.to_vec())),
            Err(Mp3Error::NoFrames(_))
        ));
    }
    let damaged = [info(b"Xing", 9), frames(2), vec![0; 300 << 10], frames(2)].concat();
    let mut reader = open(&damaged);
    assert!(reader.next_message().unwrap().is_some() && reader.next_message().unwrap().is_some());
    assert!(matches!(reader.next_message(), Err(Mp3Error::NoFrames(_))));
}

#[test]
fn whatever_is_in_a_file_reading_ends() {
    let tag = b"ID3\x04\0\0\0\0\0\x20TDRC\0\0\0\x05\0\0\x032026TRCK\0\0\0\x04\0\x02\x031\xFF\0";
    let whole = [&tag[..], &info(b"Xing", 20), &variable(20), &[b'T'; 128]].concat();
    let mut number = 7_u32;
    for _ in 0..500 {
        let mut file = whole.clone();
        for _ in 0..6 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = (number >> 8) as usize % file.len();
            file[at] = number as u8;
        }
        let Ok(mut reader) = Mp3Reader::new(Cursor::new(file)) else {
            continue;
        };
        for to in [0, 200, u32::MAX] {
            let _ = reader.seek_before(to);
            let mut count = 0;
            while let Ok(Some(_)) = reader.next_message() {
                count += 1;
                assert!(count < 1_000);
            }
            let _ = reader.seek_after(to);
        }
    }
}
