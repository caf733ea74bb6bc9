//! MP4 files: reading and seeking come to an end, take no more memory than there is file, and yield only what is in it.

use std::io::Cursor;

use rtmp_core::media::mp4::Mp4Reader;

use super::memory;

/// What a file of any size may take: pages of tables, boxes that say more than they hold.
const FIXED: usize = 512 << 10;

/// Byte 0: where to seek; then a file.
pub fn run(data: &[u8]) {
    let (choice, file) = data
        .split_first()
        .map_or((0, data), |(first, rest)| (*first, rest));
    let ((), peak) = memory::peak(|| read(file, u32::from(choice) * 40));
    assert!(
        peak <= 16 * file.len() + FIXED,
        "{peak} bytes for a file of {}",
        file.len()
    );
}

fn read(file: &[u8], time: u32) {
    let Ok(mut reader) = Mp4Reader::new(Cursor::new(file)) else {
        return;
    };
    let _ = reader.metadata();
    let first = play(&mut reader, file.len());
    let again = reader
        .seek_before(0)
        .is_ok()
        .then(|| play(&mut reader, file.len()));
    assert!(
        again.is_none_or(|again| again == first),
        "the beginning is where it was"
    );
    if let Ok(at) = reader.seek_before(time) {
        let _ = reader.headers(at);
        play(&mut reader, file.len());
    }
    if let Ok(Some(_)) = reader.seek_after(time) {
        play(&mut reader, file.len());
    }
}

/// The times of what follows. Samples may overlap, so that a file holds more of them than bytes: some are enough.
fn play(reader: &mut Mp4Reader<Cursor<&[u8]>>, size: usize) -> Vec<u32> {
    let mut times = Vec::new();
    while times.len() < 500 {
        let Ok(Some(message)) = reader.next_message() else {
            break;
        };
        assert!(message.body.len() <= size + 16);
        times.push(message.timestamp);
    }
    times
}
