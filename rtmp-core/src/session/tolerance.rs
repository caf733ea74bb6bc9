//! What deviates in connect properties, audio and video; the rest is noticed where it is read.

use crate::amf::{Object, Value};
use crate::media::{FourCc, Frame, MediaKind};
use crate::wire::deviation::{Deviation, Tally};

/// The properties of connect that are texts (RTMP 1.0 7.2.1.1).
const TEXTS: [&str; 6] = ["app", "tcUrl", "tcurl", "flashVer", "swfUrl", "pageUrl"];

/// E-RTMP v2 Enhanced Video, videoFourCc.
const VIDEO: [FourCc; 6] = [
    FourCc::AVC1,
    FourCc::HVC1,
    FourCc::AV01,
    FourCc::VP09,
    FourCc::VP08,
    FourCc::VVC1,
];
/// E-RTMP v2 Enhanced Audio, audioFourCc.
const AUDIO: [FourCc; 6] = [
    FourCc::MP4A,
    FourCc::OPUS,
    FourCc::AC3,
    FourCc::EC3,
    FourCc::FLAC,
    FourCc::MP3,
];

const COMMAND_FRAME: u8 = 5;
const METADATA: u8 = 4;
const VIDEO_MULTITRACK: u8 = 6;
const AUDIO_MULTITRACK: u8 = 5;
const MOD_EX: u8 = 7;
const AUDIO_EX_HEADER: u8 = 9;

/// Some cameras put their strings in quotes, some end them with NULs, some spell `tcUrl` in small letters.
pub(super) fn note_connect(tally: &mut Tally, object: &Object, transaction_id: f64) {
    tally.note_if(transaction_id != 1.0, Deviation::ConnectTransaction);
    for text in TEXTS.iter().filter_map(|key| object.get(key)?.as_str()) {
        let bare = text.trim_end_matches('\0');
        let quote = bare
            .chars()
            .next()
            .filter(|first| matches!(first, '"' | '\'') && bare.len() > 1);
        tally.note_if(bare.len() < text.len(), Deviation::TrailingNul);
        tally.note_if(
            quote.is_some_and(|quote| bare.ends_with(quote)),
            Deviation::Quoted,
        );
    }
    let has = |key| {
        object
            .get(key)
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty())
    };
    let misspelt = !has("tcUrl") && has("tcurl");
    let app_elsewhere = !has("app") && (has("tcUrl") || has("tcurl"));
    tally.note_if(misspelt || app_elsewhere, Deviation::ConnectProperty);
}

/// Empty messages mean silence, and codecs nobody defines are passed on: both come from deployed encoders.
#[inline]
pub(super) fn note_media(tally: &mut Tally, kind: MediaKind, body: &[u8]) {
    match body.first() {
        None => tally.note(Deviation::EmptyMedia),
        Some(&first) if !is_defined(kind, first, body) => tally.note(Deviation::UnknownCodec),
        Some(_) => {}
    }
}

/// Whether FLV 10.1 (E.4.2.1, E.4.3.1) or E-RTMP v2 define the codec of a tag that begins with `first`.
#[inline]
fn is_defined(kind: MediaKind, first: u8, body: &[u8]) -> bool {
    let (high, low) = (first >> 4, first & 0x0F);
    match kind {
        MediaKind::Audio if high == AUDIO_EX_HEADER => match low {
            MOD_EX | AUDIO_MULTITRACK => is_behind_prelude(kind, body),
            _ => names_one_of(&AUDIO, body),
        },
        MediaKind::Audio => !matches!(high, 12 | 13),
        MediaKind::Video if high & 8 != 0 => match low {
            _ if high & 7 == COMMAND_FRAME && low != METADATA => true,
            MOD_EX | VIDEO_MULTITRACK => is_behind_prelude(kind, body),
            _ => names_one_of(&VIDEO, body),
        },
        MediaKind::Video => high == COMMAND_FRAME || matches!(low, 1..=7),
        MediaKind::Data => true,
    }
}

fn names_one_of(known: &[FourCc], body: &[u8]) -> bool {
    let name = body.get(1..).and_then(FourCc::from_slice);
    name.is_some_and(|name| known.contains(&name))
}

/// Rare enough to take the whole header apart.
fn is_behind_prelude(kind: MediaKind, body: &[u8]) -> bool {
    let frame = Frame::parse(kind, 0, bytes::Bytes::copy_from_slice(body));
    let known: &[FourCc] = if kind == MediaKind::Audio { &AUDIO } else { &VIDEO };
    // Several codecs in one message have no single name.
    frame.codec.is_none_or(|codec| known.contains(&codec))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defined(kind: MediaKind, body: &[u8]) -> bool {
        is_defined(kind, body[0], body)
    }

    #[test]
    fn codecs_of_both_specifications_are_known() {
        for body in [
            &[0x17, 0][..],
            &[0x22],
            &[0x16],
            b"\x90hvc1",
            b"\x81av01",
            &[0xD0],
            &[0x57],
        ] {
            assert!(defined(MediaKind::Video, body), "{body:02x?}");
        }
        for body in [
            &[0xAF, 1][..],
            &[0x2F],
            &[0xB2],
            &[0xF2],
            b"\x91Opus",
            b"\x90.mp3",
        ] {
            assert!(defined(MediaKind::Audio, body), "{body:02x?}");
        }
        // ModEx with a nanosecond offset, then coded frames of avc1 (E-RTMP v2).
        assert!(defined(MediaKind::Video, b"\x97\x02\0\0\x01\x01avc1\0\0\0"));
        // One track, coded frames, AV1, track 1.
        assert!(defined(MediaKind::Video, b"\x96\x01av01\x01"));
    }

    #[test]
    fn others_are_not() {
        for body in [
            &[0x1C][..],
            &[0x1F],
            &[0x10],
            b"\x90XXXX",
            b"\x90hv",
            b"\x96\x01XXXX\x01",
        ] {
            assert!(!defined(MediaKind::Video, body), "{body:02x?}");
        }
        for body in [&[0xCF][..], &[0xD0], b"\x90opus", b"\x91"] {
            assert!(!defined(MediaKind::Audio, body), "{body:02x?}");
        }
    }
}
