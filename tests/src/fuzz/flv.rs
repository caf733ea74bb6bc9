//! FLV files: read to their end or an error, and what was read is written and read again unchanged.

use std::io::Cursor;

use rtmp_core::media::flv::{FlvReader, FlvWriter};
use rtmp_core::media::{MediaKind, MediaMessage};

use super::memory;

/// A file.
pub fn run(data: &[u8]) {
    let (messages, peak) = memory::peak(|| read(data));
    // A body of unknown length begins with 64 KiB.
    assert!(
        peak <= 8 * data.len() + (128 << 10),
        "{peak} bytes for a file of {}",
        data.len()
    );
    let Some(messages) = messages else { return };
    let mut writer = FlvWriter::new(Cursor::new(Vec::new()), true, true).expect("memory takes it");
    for message in &messages {
        writer.write(message).expect("a body that came from a file");
    }
    let file = writer.finish().expect("memory takes it").into_inner();
    assert_eq!(read(&file).as_ref(), Some(&messages));
    append(data, &messages);
    seek(data);
}

fn read(data: &[u8]) -> Option<Vec<MediaMessage>> {
    let mut reader = FlvReader::new(data).ok()?;
    let mut messages = Vec::new();
    while let Some(Ok(message)) = reader.next() {
        assert!(reader.last_tag_position() < data.len() as u64);
        messages.push(message);
    }
    assert!(reader.next().is_none());
    Some(messages)
}

/// Appending to any file keeps what it held.
fn append(data: &[u8], before: &[MediaMessage]) {
    let Ok(mut writer) = FlvWriter::append(Cursor::new(data.to_vec()), |_| ()) else {
        return;
    };
    let more = MediaMessage::new(MediaKind::Audio, writer.last_timestamp(), vec![0xAF, 1, 2]);
    writer.write(&more).expect("memory takes it");
    let length = writer.bytes_written();
    let mut file = writer.finish().expect("memory takes it").into_inner();
    file.truncate(usize::try_from(length).expect("what memory holds"));
    let after = read(&file).expect("still a file");
    assert_eq!(after.len(), before.len() + 1);
    assert!(
        after
            .iter()
            .zip(before)
            .all(|(after, before)| after.kind == before.kind)
    );
}

fn seek(data: &[u8]) {
    let Ok(mut reader) = FlvReader::new(Cursor::new(data)) else {
        return;
    };
    let position = data.iter().map(|byte| u64::from(*byte)).sum();
    if reader.seek_to_tag(position).is_ok() {
        assert!(reader.take(data.len() + 1).count() <= data.len());
    }
}
