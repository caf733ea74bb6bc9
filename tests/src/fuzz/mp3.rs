//! MP3 files: reading and seeking come to an end, and times go up.

use std::io::Cursor;

use rtmp_core::media::mp3::Mp3Reader;

use super::memory;

/// Byte 0: where to seek; then a file.
pub fn run(data: &[u8]) {
    let (choice, file) = data
        .split_first()
        .map_or((0, data), |(first, rest)| (*first, rest));
    let ((), peak) = memory::peak(|| read(file, u32::from(choice) * 20));
    assert!(
        peak <= 32 * file.len() + (64 << 10),
        "{peak} bytes for a file of {}",
        file.len()
    );
}

fn read(file: &[u8], time: u32) {
    let Ok(mut reader) = Mp3Reader::new(Cursor::new(file)) else {
        return;
    };
    let _ = reader.headers(0);
    let first = play(&mut reader, file.len());
    if reader.seek_before(0).is_ok() {
        assert_eq!(
            play(&mut reader, file.len()),
            first,
            "the beginning is where it was"
        );
    }
    if let Ok(at) = reader.seek_before(time) {
        assert!(at <= time);
        let rest = play(&mut reader, file.len());
        assert!(first.ends_with(&rest), "what is sought is what was played there");
    }
    if let Ok(Some(at)) = reader.seek_after(time) {
        assert!(at >= time);
        assert_eq!(play(&mut reader, file.len()).first(), Some(&at));
    }
}

fn play(reader: &mut Mp3Reader<Cursor<&[u8]>>, size: usize) -> Vec<u32> {
    let mut times = Vec::new();
    while let Ok(Some(message)) = reader.next_message() {
        times.push(message.timestamp);
        assert!(times.len() <= size, "a frame has bytes");
    }
    assert!(times.is_sorted());
    times
}
