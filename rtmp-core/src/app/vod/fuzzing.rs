//! What `tests/fuzz` reaches of recorded streams.

use crate::app::stream_files::{FilesInUse, StreamFiles};
use crate::app::vod::job::{self, Outcome};
use crate::app::vod::source::Place;

/// Batches that are enough of one file: samples may overlap, so that a small file holds many.
const ENOUGH: usize = 8;

pub(crate) fn play(files: &StreamFiles, in_use: &FilesInUse, name: &str, time: u32) -> (usize, usize) {
    let (mut messages, mut largest) = (0, 0);
    for place in [
        Place::AtOrBefore(0),
        Place::AtOrBefore(time.into()),
        Place::AtOrAfter(time.into()),
    ] {
        let mut outcome = job::open_at(files, in_use, name, place);
        for _ in 0..ENOUGH {
            let (Outcome::Started { file, batch, .. } | Outcome::Read(file, batch)) = outcome else {
                break;
            };
            messages += batch.messages.len();
            largest = largest.max(batch.messages.iter().map(|message| message.body.len()).sum());
            if batch.end.is_some() {
                break;
            }
            outcome = job::read(file);
        }
    }
    (messages, largest)
}
