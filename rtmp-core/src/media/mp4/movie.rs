//! The `moov` box: the tracks of a file.

use std::io::{Read, Seek};

use super::Mp4Error;
use super::boxes::{BoxAt, Fields, damaged};
use super::entry::{SampleEntry, entries};
use super::fragments::Defaults;
use super::tables::Tables;
use super::times::Scale;
use crate::media::MediaKind;
use crate::media::input::Input;

/// What a file says of itself.
#[derive(Debug, Default)]
pub(super) struct Movie {
    /// The first video track that can be played, and the first audio track.
    pub(super) video: Option<Track>,
    pub(super) audio: Option<Track>,
    /// Milliseconds; 0 if it is not told.
    pub(super) duration_ms: u64,
    /// More samples may follow in fragments.
    pub(super) is_fragmented: bool,
}

/// A track that can be played.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) id: u32,
    pub(super) kind: MediaKind,
    pub(super) scale: Scale,
    /// By their index from 1; `None` for those that cannot be played.
    pub(super) entries: Vec<Option<SampleEntry>>,
    /// What the edit list adds to all times, less `lead`, in units of the track.
    pub(super) shift: i64,
    /// How much earlier samples are decoded than the file says, so that none is presented before.
    pub(super) lead: i64,
    /// The time in the track at which it begins to be shown.
    pub(super) shown_from: i64,
    pub(super) tables: Tables,
    /// What fragments do not say.
    pub(super) defaults: Defaults,
}

/// Boxes looked at in one `moov`, and in one parent of it.
const MAX_BOXES: usize = 4_096;

/// Finds the box of a kind among the boxes of a file, and how many of another kind come before it is of no interest.
pub(super) fn find_movie<R: Read + Seek>(input: &mut Input<R>) -> Result<Option<BoxAt>, Mp4Error> {
    let mut position = 0;
    for _ in 0..MAX_BOXES {
        let Some(found) = BoxAt::read(input, position, input.length())? else {
            return Ok(None);
        };
        if found.kind == *b"moov" {
            return Ok(Some(found));
        }
        position = found.end;
    }
    Err(damaged("no moov box among thousands of others", position))
}

impl Movie {
    pub(super) fn read<R: Read + Seek>(input: &mut Input<R>, moov: &BoxAt) -> Result<Self, Mp4Error> {
        let mut movie = Self::default();
        let mut scale = None;
        let mut defaults = Vec::new();
        let mut budget = MAX_BOXES;
        let boxes = children(input, moov, &mut budget)?;
        for found in &boxes {
            match &found.kind {
                b"mvhd" => {
                    let body = found.load(input)?;
                    let (units, duration) = header_times(&body).ok_or(short(found))?;
                    scale = Scale::new(units);
                    movie.duration_ms = duration_ms(duration, scale);
                }
                b"mvex" => {
                    movie.is_fragmented = true;
                    for found in children(input, found, &mut budget)? {
                        match &found.kind {
                            b"trex" => defaults.extend(Defaults::of_track(&found.load(input)?)),
                            b"mehd" => {
                                let body = found.load(input)?;
                                let mut fields = Fields(&body);
                                let duration =
                                    fields.full().and_then(|(version, _)| fields.by_version(version));
                                movie.duration_ms =
                                    movie.duration_ms.max(duration_ms(duration.unwrap_or(0), scale));
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        for found in boxes.iter().filter(|found| found.kind == *b"trak") {
            let Some(mut track) = Track::read(input, found, scale, &mut budget)? else {
                continue;
            };
            let of_track = defaults.iter().find(|(id, _)| *id == track.id);
            track.defaults = of_track.map(|(_, defaults)| *defaults).unwrap_or_default();
            match track.kind {
                MediaKind::Video => movie.video.get_or_insert(track),
                _ => movie.audio.get_or_insert(track),
            };
        }
        Ok(movie)
    }
}

impl Track {
    /// A track; `None` if it has nothing that can be played.
    fn read<R: Read + Seek>(
        input: &mut Input<R>,
        trak: &BoxAt,
        movie: Option<Scale>,
        budget: &mut usize,
    ) -> Result<Option<Self>, Mp4Error> {
        let boxes = children(input, trak, budget)?;
        let find = |boxes: &[BoxAt], kind: &[u8; 4]| boxes.iter().find(|found| found.kind == *kind).copied();
        let (Some(tkhd), Some(mdia)) = (find(&boxes, b"tkhd"), find(&boxes, b"mdia")) else {
            return Ok(None);
        };
        let id = track_id(&tkhd.load(input)?).ok_or(short(&tkhd))?;
        let media = children(input, &mdia, budget)?;
        let (Some(mdhd), Some(hdlr), Some(minf)) = (
            find(&media, b"mdhd"),
            find(&media, b"hdlr"),
            find(&media, b"minf"),
        ) else {
            return Ok(None);
        };
        let kind = match hdlr.load(input)?.get(8..12) {
            Some(b"vide") => MediaKind::Video,
            Some(b"soun") => MediaKind::Audio,
            _ => return Ok(None),
        };
        let (units, _) = header_times(&mdhd.load(input)?).ok_or(short(&mdhd))?;
        let scale = Scale::new(units).ok_or(damaged("a track has no time scale", mdhd.start))?;
        let Some(stbl) = find(&children(input, &minf, budget)?, b"stbl") else {
            return Ok(None);
        };
        let boxes_of_samples = children(input, &stbl, budget)?;
        let Some(stsd) = find(&boxes_of_samples, b"stsd") else {
            return Ok(None);
        };
        let entries = entries(&stsd.load(input)?, kind);
        if entries.iter().all(Option::is_none) {
            return Ok(None);
        }
        let edits = match find(&boxes, b"edts") {
            Some(edts) => find(&children(input, &edts, budget)?, b"elst"),
            None => None,
        };
        let (delay, shown_from) = match edits {
            Some(elst) => first_edit(&elst.load(input)?),
            None => (0, 0),
        };
        let delay = movie.map_or(0, |movie| movie.convert(delay, scale));
        Ok(Some(Self {
            id,
            kind,
            scale,
            entries,
            shift: delay.saturating_sub(shown_from),
            lead: 0,
            shown_from,
            tables: Tables::read(input, &boxes_of_samples)?,
            defaults: Defaults::default(),
        }))
    }

    /// The entry of a sample's description.
    pub(super) fn entry(&self, description: u32) -> Option<&SampleEntry> {
        let index = usize::try_from(description.checked_sub(1)?).ok()?;
        self.entries.get(index)?.as_ref()
    }

    /// The first description that can be played.
    pub(super) fn first_entry(&self) -> Option<(u32, &SampleEntry)> {
        let mut numbered = (1..).zip(&self.entries);
        numbered.find_map(|(number, entry)| Some((number, entry.as_ref()?)))
    }

    /// A time of the track as players see it, in milliseconds.
    pub(super) fn ms(&self, time: i64) -> i64 {
        self.scale.to_ms(time.saturating_add(self.shift))
    }
}

fn children<R: Read + Seek>(
    input: &mut Input<R>,
    parent: &BoxAt,
    budget: &mut usize,
) -> Result<Vec<BoxAt>, Mp4Error> {
    let mut all = Vec::new();
    let mut position = parent.body;
    while let Some(found) = BoxAt::read(input, position, parent.end)? {
        position = found.end;
        all.push(found);
        *budget = budget
            .checked_sub(1)
            .ok_or(damaged("a moov box of thousands of boxes", parent.start))?;
    }
    Ok(all)
}

fn short(found: &BoxAt) -> Mp4Error {
    damaged("a box ends before its fields do", found.start)
}

fn duration_ms(duration: u64, scale: Option<Scale>) -> u64 {
    let units = i64::try_from(duration)
        .ok()
        .filter(|units| *units < i64::from(u32::MAX) << 20);
    let ms = units.and_then(|units| Some(scale?.to_ms(units))).unwrap_or(0);
    // All bits set says that it is not known.
    if duration == u64::from(u32::MAX) {
        0
    } else {
        ms.unsigned_abs()
    }
}

/// Time scale and duration of an `mvhd` or `mdhd` box.
fn header_times(body: &[u8]) -> Option<(u32, u64)> {
    let mut fields = Fields(body);
    let (version, _) = fields.full()?;
    fields.by_version(version)?;
    fields.by_version(version)?;
    Some((fields.u32()?, fields.by_version(version)?))
}

fn track_id(tkhd: &[u8]) -> Option<u32> {
    let mut fields = Fields(tkhd);
    let (version, _) = fields.full()?;
    fields.by_version(version)?;
    fields.by_version(version)?;
    fields.u32()
}

/// What stands empty before a track, in units of the movie, and where in the track it begins, in its own. Edits after the
/// first are not followed: the track is played on.
fn first_edit(elst: &[u8]) -> (u64, i64) {
    let mut fields = Fields(elst);
    let mut delay = 0_u64;
    let Some((version, _)) = fields.full() else {
        return (0, 0);
    };
    fields.u32();
    let mut next = || {
        let duration = fields.by_version(version)?;
        let time = match version {
            0 => i64::from(fields.u32()?.cast_signed()),
            _ => fields.u64()?.cast_signed(),
        };
        fields.u32()?;
        Some((duration, time))
    };
    while let Some((duration, time)) = next() {
        if time >= 0 {
            return (delay, time);
        }
        delay = delay.saturating_add(duration);
    }
    (delay, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_edits_delay_and_the_first_other_trims() {
        let entry = |duration: u32, time: i32| {
            [&duration.to_be_bytes()[..], &time.to_be_bytes(), &[0, 1, 0, 0]].concat()
        };
        let list = |entries: &[Vec<u8>]| [&[0, 0, 0, 0, 0, 0, 0, 9][..], &entries.concat()].concat();
        assert_eq!(first_edit(&list(&[entry(100, 1_024)])), (0, 1_024));
        assert_eq!(
            first_edit(&list(&[entry(80, -1), entry(100, 7), entry(5, 9)])),
            (80, 7)
        );
        assert_eq!(first_edit(&list(&[entry(80, -1)])), (80, 0));
        assert_eq!(first_edit(&list(&[])), (0, 0));
        assert_eq!(first_edit(&[1, 0]), (0, 0));
        let long = b"\x01\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x64\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\x01\0\0";
        assert_eq!(first_edit(long), (100, 0));
    }

    #[test]
    fn headers_tell_their_times_in_both_versions() {
        let short = b"\0\0\0\0\0\0\0\x01\0\0\0\x02\0\0\x03\xE8\0\0\0\x05";
        assert_eq!(header_times(short), Some((1_000, 5)));
        let long = b"\x01\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\x03\xE8\0\0\0\x01\0\0\0\0";
        assert_eq!(header_times(long), Some((1_000, 1 << 32)));
        assert_eq!(header_times(&short[..18]), None);
        assert_eq!(duration_ms(u64::MAX, Scale::new(1)), 0);
        assert_eq!(duration_ms(u64::from(u32::MAX), Scale::new(1)), 0);
        assert_eq!(duration_ms(90_000, Scale::new(30_000)), 3_000);
    }
}
