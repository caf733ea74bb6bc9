//! Properties of the container: what is written is read again, and nothing read can panic.

use std::io::Cursor;

use proptest::collection::vec;
use proptest::prelude::*;

use super::{FlvReader, FlvWriter};
use crate::media::{MediaKind, MediaMessage};

fn message() -> impl Strategy<Value = MediaMessage> {
    let kind = prop_oneof![
        Just(MediaKind::Audio),
        Just(MediaKind::Video),
        Just(MediaKind::Data)
    ];
    let timestamp = 0..i32::MAX as u32;
    (kind, timestamp, vec(any::<u8>(), 0..64)).prop_map(|(kind, at, body)| MediaMessage::new(kind, at, body))
}

fn write(messages: &[MediaMessage]) -> Vec<u8> {
    let mut writer = FlvWriter::new(Vec::new(), true, true).unwrap();
    messages.iter().for_each(|message| writer.write(message).unwrap());
    writer.into_inner().unwrap()
}

proptest! {
    #[test]
    fn tags_survive_the_round_trip(messages in vec(message(), 0..20)) {
        let file = write(&messages);
        let read: Vec<_> = FlvReader::new(&file[..]).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(&read, &messages);
        prop_assert_eq!(write(&read), file);
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in vec(any::<u8>(), 0..300), with_header: bool) {
        let file = if with_header { [&b"FLV\x01\x05\0\0\0\x09\0\0\0\0"[..], &body].concat() } else { body };
        if let Ok(mut reader) = FlvReader::new(Cursor::new(&file)) {
            let _ = reader.by_ref().count();
            if reader.seek_to_tag(file.len() as u64 / 2).is_ok() {
                let _ = reader.count();
            }
        }
        let _ = FlvWriter::append(Cursor::new(file), |_| ()).and_then(FlvWriter::finish);
    }

    #[test]
    fn a_cut_file_yields_the_whole_tags_before_the_cut(messages in vec(message(), 1..8), cut: prop::sample::Index) {
        let file = write(&messages);
        let end = cut.index(file.len()).max(13);
        let read: Vec<_> = FlvReader::new(&file[..end]).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(&messages[..read.len()], &read[..]);
    }
}
