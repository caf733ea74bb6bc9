//! Recorded streams as a server plays them: any file under any of the names that choose a container, in little memory and to an
//! end.

use std::cell::RefCell;
use std::fs;

use rtmp_core::fuzzing;

use super::files::Folder;
use super::memory;

/// Names that players use, and the files they find.
const NAMES: [(&str, &str); 8] = [
    ("film", "film.flv"),
    ("mp4:film", "film.mp4"),
    ("mp4:film.f4v", "film.f4v"),
    ("mp4:film.m4a", "film.m4a"),
    ("mp3:film", "film.mp3"),
    ("id3:film", "film.mp3"),
    ("flv:film", "film.flv"),
    ("mp4:film.m4v", "film.m4v"),
];

/// Batches are so large, unless a single message is larger.
const BATCH: usize = 256 << 10;
/// Pages of tables, and boxes that say more than they hold.
const FIXED: usize = 1 << 20;

thread_local! {
    static FOLDER: RefCell<Option<Folder>> = const { RefCell::new(None) };
}

/// Byte 0: which name, and from where on; then a file.
pub fn run(data: &[u8]) {
    let (choice, file) = data
        .split_first()
        .map_or((0, data), |(first, rest)| (*first, rest));
    let (name, path) = NAMES[usize::from(choice % 8)];
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(|| Folder::new("recorded"));
        let streams = folder.path().join("streams/_definst_");
        fs::create_dir_all(&streams).expect("a folder for streams");
        let path = streams.join(path);
        fs::write(&path, file).expect("a file");
        let time = u32::from(choice >> 3) * 100;
        let ((_, largest), peak) = memory::peak(|| fuzzing::recorded(folder.path(), name, time));
        assert!(largest <= BATCH + file.len() + 1024, "a batch of {largest} bytes");
        let most = FIXED + 2 * BATCH + 32 * file.len();
        assert!(peak <= most, "{peak} bytes for a file of {}", file.len());
        let _ = fs::remove_file(path);
    });
}
