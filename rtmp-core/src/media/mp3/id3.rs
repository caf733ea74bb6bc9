//! Tags: ID3v2 before the frames, ID3v1 behind them.

use crate::amf::Object;

/// Bytes of the header of an ID3v2 tag, and of its footer.
pub(super) const HEADER: usize = 10;
/// Bytes of an ID3v1 tag.
pub(super) const OLD_SIZE: usize = 128;
/// What is read of a tag: text stands at its beginning, pictures are not wanted.
pub(super) const MAX_READ: u64 = 256 << 10;
/// What is kept of a text, and how many are.
const MAX_TEXT: usize = 1_024;
const MAX_TEXTS: usize = 64;

/// How the names in the versions of ID3 are called by those who play an MP3 stream.
const NAMES: [(&str, &str, &str); 7] = [
    ("TIT2", "TT2", "songname"),
    ("TPE1", "TP1", "artist"),
    ("TALB", "TAL", "album"),
    ("TYER", "TYE", "year"),
    ("TDRC", "TDRC", "year"),
    ("TCON", "TCO", "genre"),
    ("TRCK", "TRK", "track"),
];

/// The size of the tag that begins with `header`, header and footer included; `None` if it is no tag.
pub(super) fn tag_size(header: &[u8]) -> Option<u64> {
    let [b'I', b'D', b'3', major, minor, flags, a, b, c, d] = *header.first_chunk::<HEADER>()? else {
        return None;
    };
    if major == 0xFF || minor == 0xFF || (a | b | c | d) & 0x80 != 0 {
        return None;
    }
    let footer = if flags & 0x10 != 0 { HEADER } else { 0 };
    Some(u64::from(syncsafe([a, b, c, d])) + (HEADER + footer) as u64)
}

/// The texts of an ID3v2 tag, of which the beginning may be all there is: by the names of their frames, and by those that
/// players know.
pub(super) fn read_tag(tag: &[u8]) -> Object {
    let mut texts = Object::new();
    let (Some(&[_, _, _, major, _, flags, ..]), Some(body)) =
        (tag.first_chunk::<HEADER>(), tag.get(HEADER..))
    else {
        return texts;
    };
    let whole;
    let mut body = body;
    if flags & 0x80 != 0 && major < 4 {
        whole = synchronised(body);
        body = &whole;
    }
    if flags & 0x40 != 0 && major > 2 {
        let size = body.first_chunk().copied().unwrap_or_default();
        let size = if major > 3 {
            syncsafe(size)
        } else {
            u32::from_be_bytes(size).saturating_add(4)
        };
        body = usize::try_from(size)
            .ok()
            .and_then(|size| body.get(size..))
            .unwrap_or_default();
    }
    while let Some((name, frame, rest)) = next_frame(major, body) {
        body = rest;
        if texts.len() >= MAX_TEXTS {
            break;
        }
        let text = match name {
            "COMM" | "COM" => comment(&frame),
            name if name.starts_with('T') && name != "TXXX" && name != "TXX" => text(&frame),
            _ => None,
        };
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            continue;
        };
        let known = NAMES.iter().find(|(new, old, _)| name == *new || name == *old);
        let called = match name {
            "COMM" | "COM" => Some("comment"),
            _ => known.map(|(.., called)| *called),
        };
        if let Some(called) = called.filter(|called| !texts.contains_key(called)) {
            texts.insert(called, text.as_str());
        }
        if !texts.contains_key(name) {
            texts.insert(name, text.as_str());
        }
    }
    texts
}

/// The texts of an ID3v1 tag that are not among `texts` yet; nothing if it is none.
pub(super) fn read_old_tag(tag: &[u8; OLD_SIZE], texts: &mut Object) {
    if !tag.starts_with(b"TAG") {
        return;
    }
    let mut add = |name: &str, text: String| {
        if !text.is_empty() && !texts.contains_key(name) {
            texts.insert(name, text.as_str());
        }
    };
    for (name, range) in [
        ("songname", 3..33),
        ("artist", 33..63),
        ("album", 63..93),
        ("year", 93..97),
        ("comment", 97..125),
    ] {
        let bytes = tag.get(range).unwrap_or_default();
        add(name, latin(bytes).trim_end().to_owned());
    }
    let [.., zero, track, genre] = *tag;
    if zero == 0 && track != 0 {
        add("track", track.to_string());
    }
    if genre != 0xFF {
        add("genre", format!("({genre})"));
    }
}

/// The next frame: its name, its content, and what follows.
fn next_frame(major: u8, body: &[u8]) -> Option<(&str, Vec<u8>, &[u8])> {
    let name_size = if major < 3 { 3 } else { 4 };
    let (name, rest) = body.split_at_checked(name_size)?;
    let name = std::str::from_utf8(name).ok()?;
    if !name
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    {
        return None;
    }
    let (size, flags, rest) = match (major, rest) {
        (0..=2, [a, b, c, rest @ ..]) => (u32::from_be_bytes([0, *a, *b, *c]), 0, rest),
        (3, [a, b, c, d, _, flags, rest @ ..]) => {
            // Compressed, encrypted, grouped.
            let unreadable = if flags & 0xE0 != 0 { 1 } else { 0 };
            (u32::from_be_bytes([*a, *b, *c, *d]), unreadable, rest)
        }
        (_, [a, b, c, d, _, flags, rest @ ..]) => {
            let unreadable = if flags & 0x4D != 0 { 1 } else { flags & 2 };
            (syncsafe([*a, *b, *c, *d]), unreadable, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(usize::try_from(size).ok()?)?;
    let content = match flags {
        1 => Vec::new(),
        0 => content
            .get(..content.len().min(4 * MAX_TEXT))
            .unwrap_or_default()
            .to_vec(),
        _ => synchronised(content.get(..content.len().min(4 * MAX_TEXT)).unwrap_or_default()),
    };
    Some((name, content, rest))
}

/// What a text frame says: its encoding, then the text; more of them are separated by zeros, and the first counts.
fn text(frame: &[u8]) -> Option<String> {
    let (encoding, bytes) = frame.split_first()?;
    let text = match encoding {
        0 => latin(bytes),
        1 | 2 => utf16(bytes, *encoding == 2),
        3 => {
            let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(bytes.get(..end)?).into_owned()
        }
        _ => return None,
    };
    Some(text.chars().take(MAX_TEXT).collect())
}

/// What a comment frame says: encoding, language, a short description, and the text.
fn comment(frame: &[u8]) -> Option<String> {
    let (encoding, rest) = frame.split_first()?;
    let rest = rest.get(3..)?;
    let text_at = match encoding {
        1 | 2 => {
            let pairs = rest.chunks_exact(2).position(|pair| pair == [0, 0])?;
            pairs * 2 + 2
        }
        _ => rest.iter().position(|byte| *byte == 0)? + 1,
    };
    text(&[&[*encoding], rest.get(text_at..)?].concat())
}

fn latin(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take_while(|byte| **byte != 0)
        .map(|byte| char::from(*byte))
        .collect()
}

/// UTF-16 with a byte order mark, or big-endian without.
fn utf16(bytes: &[u8], big: bool) -> String {
    let (big, bytes) = match bytes {
        [0xFF, 0xFE, rest @ ..] => (false, rest),
        [0xFE, 0xFF, rest @ ..] => (true, rest),
        _ => (big, bytes),
    };
    let unit = |pair: &[u8]| match *pair {
        [a, b] if big => u16::from_be_bytes([a, b]),
        [a, b] => u16::from_le_bytes([a, b]),
        _ => 0,
    };
    let units = bytes.chunks_exact(2).map(unit).take_while(|unit| *unit != 0);
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Bytes without the zeros that keep players from taking them for frames (ID3v2.4 structure 6.1).
fn synchronised(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut after_sync = false;
    for byte in bytes {
        if !(after_sync && *byte == 0) {
            out.push(*byte);
        }
        after_sync = *byte == 0xFF;
    }
    out
}

fn syncsafe(bytes: [u8; 4]) -> u32 {
    bytes
        .iter()
        .fold(0, |size, byte| size << 7 | u32::from(byte & 0x7F))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::Value;

    fn texts(object: &Object) -> Vec<(&str, &str)> {
        let members = object.iter();
        members
            .map(|(name, value)| (name, value.as_str().unwrap()))
            .collect()
    }

    #[test]
    fn texts_of_all_versions_and_encodings_are_read() {
        let v3 = b"ID3\x03\0\0\0\0\0\x40TIT2\0\0\0\x05\0\0\0SongTPE1\0\0\0\x07\0\0\x01\xFF\xFEM\0\xFC\0TXXX\0\0\0\x02\0\0\0xCOMM\0\0\0\x0A\0\0\0eng\0hello\0\0\0\0";
        assert_eq!(
            texts(&read_tag(v3)),
            [
                ("songname", "Song"),
                ("TIT2", "Song"),
                ("artist", "M\u{fc}"),
                ("TPE1", "M\u{fc}"),
                ("comment", "hello"),
                ("COMM", "hello")
            ]
        );
        let v4 = b"ID3\x04\0\0\0\0\0\x20TDRC\0\0\0\x05\0\0\x032026TRCK\0\0\0\x04\0\x02\x031\xFF\0";
        let read = read_tag(v4);
        assert_eq!(read.get("year"), Some(&Value::from("2026")));
        let v2 = b"ID3\x02\0\0\0\0\0\x10TAL\0\0\x06\0AlbumTCO\0\0\x05\x02\0R\0B";
        assert_eq!(
            texts(&read_tag(v2)),
            [
                ("album", "Album"),
                ("TAL", "Album"),
                ("genre", "RB"),
                ("TCO", "RB")
            ]
        );
    }

    #[test]
    fn sizes_have_seven_bits_a_byte_and_a_footer() {
        assert_eq!(tag_size(b"ID3\x04\0\0\0\0\x02\x01more"), Some(267));
        assert_eq!(tag_size(b"ID3\x04\0\x10\0\0\0\0"), Some(20));
        assert_eq!(tag_size(b"ID3\x04\0\0\0\0\x80\0"), None);
        assert_eq!(tag_size(b"TAG\x04\0\0\0\0\0\0"), None);
        assert_eq!(tag_size(b"ID3"), None);
    }

    #[test]
    fn the_old_tag_adds_what_the_new_one_does_not_say() {
        let mut tag = [0; OLD_SIZE];
        tag[..7].copy_from_slice(b"TAGSong");
        tag[33..39].copy_from_slice(b"Singer");
        tag[93..97].copy_from_slice(b"1999");
        (tag[126], tag[127]) = (5, 17);
        let mut object = Object::new().with("artist", "Other");
        read_old_tag(&tag, &mut object);
        assert_eq!(
            texts(&object),
            [
                ("artist", "Other"),
                ("songname", "Song"),
                ("year", "1999"),
                ("track", "5"),
                ("genre", "(17)")
            ]
        );
    }

    #[test]
    fn damaged_tags_are_read_as_far_as_they_go() {
        for tag in [
            &b"ID3\x03\0\x40\0\0\0\x40\xFF\xFF\xFF\xFF"[..],
            b"ID3\x03\0\0\0\0\0\x40TIT2\xFF\xFF\xFF\xFF\0\0x",
            b"ID3\x04\0\0\0\0\0\x40TIT2\0\0\0\0\0\0TIT2\0\0\0\x01\0\0\x01COMM\0\0\0\x03\0\0\x01en",
            b"ID3\x09\0\xFF\0\0\0\x40",
            b"ID3",
        ] {
            assert_eq!(read_tag(tag).len(), 0);
        }
    }
}
