//! Samples in fragments: `moof` boxes and what they point to (ISO/IEC 14496-12 8.8).

use std::io::{Read, Seek};

use bytes::Bytes;

use super::boxes::{BoxAt, Fields, damaged};
use super::{MAX_SAMPLES, Mp4Error, Sample};
use crate::media::input::Input;

/// What a track's fragments leave out (`trex`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Defaults {
    description: u32,
    duration: u32,
    size: u32,
    flags: u32,
}

/// A place in the fragments of one track.
#[derive(Debug, Clone)]
pub(super) struct Fragments {
    track: u32,
    defaults: Defaults,
    /// Where to look for the next fragment.
    next_box: u64,
    /// The fragment begun: where it is, its body, and the runs of the track in it, the next one last.
    moof_at: u64,
    moof: Bytes,
    runs: Vec<Run>,
    dts: i64,
    /// The last fragment said when it begins.
    is_timed: bool,
}

/// A `trun` box.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    /// When it begins, if that is told.
    dts: Option<i64>,
    /// Where its entries are in the body of the `moof`, and which fields they have.
    entries: usize,
    fields: u32,
    left: u32,
    first_flags: Option<u32>,
    defaults: Defaults,
    position: u64,
}

/// A fragment's body: that of an hour in one piece is of this order.
const MAX_MOOF: u64 = 8 << 20;
const MAX_RUNS: usize = 1 << 16;
/// Samples of a run that need no bytes at all.
const MAX_EMPTY: u32 = 1 << 8;
/// Boxes passed over in search of the next fragment.
const MAX_BOXES: u32 = 1 << 20;

/// Flags of `tfhd`.
const BASE_OFFSET: u32 = 0x1;
const DESCRIPTION: u32 = 0x2;
const DURATION: u32 = 0x8;
const SIZE: u32 = 0x10;
const FLAGS: u32 = 0x20;
const BASE_IS_MOOF: u32 = 0x2_0000;
/// Flags of `trun`.
const RUN_OFFSET: u32 = 0x1;
const RUN_FIRST_FLAGS: u32 = 0x4;
const RUN_DURATION: u32 = 0x100;
const RUN_SIZE: u32 = 0x200;
const RUN_FLAGS: u32 = 0x400;
const RUN_COMPOSITION: u32 = 0x800;
/// Flag of a sample: decoding cannot start at it.
const NO_SYNC: u32 = 0x1_0000;

impl Defaults {
    /// The track and its defaults out of a `trex` body.
    pub(super) fn of_track(trex: &[u8]) -> Option<(u32, Self)> {
        let mut fields = Fields(trex);
        fields.full()?;
        let track = fields.u32()?;
        let defaults = Self {
            description: fields.u32()?,
            duration: fields.u32()?,
            size: fields.u32()?,
            flags: fields.u32()?,
        };
        Some((track, defaults))
    }
}

impl Fragments {
    /// The fragments from the box at `position` on.
    pub(super) fn new(track: u32, defaults: Defaults, position: u64) -> Self {
        Self {
            track,
            defaults,
            next_box: position,
            moof_at: position,
            moof: Bytes::new(),
            runs: Vec::new(),
            dts: 0,
            is_timed: false,
        }
    }

    /// The next sample of the track; `None` behind the last.
    pub(super) fn next<R: Read + Seek>(&mut self, input: &mut Input<R>) -> Result<Option<Sample>, Mp4Error> {
        loop {
            if let Some(run) = self.runs.last_mut() {
                if let Some(dts) = run.dts.take() {
                    self.dts = dts;
                }
                if let Some((sample, duration)) = run.next(&self.moof, self.dts) {
                    self.dts = self.dts.saturating_add(i64::from(duration));
                    return Ok(Some(sample));
                }
                self.runs.pop();
            } else if !self.next_fragment(input)? {
                return Ok(None);
            }
        }
    }

    /// Where the fragment is that the last sample was in; `None` if it does not say when it begins, so that nobody can begin there.
    pub(super) fn place(&self) -> Option<u64> {
        (self.is_timed && !self.moof.is_empty()).then_some(self.moof_at)
    }

    /// Goes to the next fragment with samples of the track; false if there is none.
    fn next_fragment<R: Read + Seek>(&mut self, input: &mut Input<R>) -> Result<bool, Mp4Error> {
        for _ in 0..MAX_BOXES {
            let found = BoxAt::read(input, self.next_box, input.length())?;
            let Some(found) = found.filter(|found| found.is_whole || found.kind != *b"moof") else {
                return Ok(false);
            };
            if found.kind != *b"moof" {
                self.next_box = found.end;
                continue;
            }
            let body = found.load_up_to(input, MAX_MOOF)?;
            self.next_box = found.end;
            self.runs = runs(&body, found.start, input.length(), self.track, self.defaults)
                .ok_or(damaged("a moof box is not what it should be", found.start))?;
            if !self.runs.is_empty() {
                self.runs.reverse();
                self.is_timed = self.runs.last().is_some_and(|run| run.dts.is_some());
                (self.moof_at, self.moof) = (found.start, body.into());
                return Ok(true);
            }
        }
        Err(damaged("far more boxes than a film has", self.next_box))
    }
}

impl Run {
    /// The next sample of a run, and how long it is.
    fn next(&mut self, moof: &[u8], dts: i64) -> Option<(Sample, u32)> {
        self.left = self.left.checked_sub(1)?;
        let mut entry = Fields(moof.get(self.entries..)?);
        self.entries = self.entries.saturating_add(entry_size(self.fields));
        let mut field = |flag: u32| match self.fields & flag {
            0 => Some(None),
            _ => entry.u32().map(Some),
        };
        let duration = field(RUN_DURATION)?.unwrap_or(self.defaults.duration);
        let size = field(RUN_SIZE)?.unwrap_or(self.defaults.size);
        let flags = field(RUN_FLAGS)?;
        let composition = field(RUN_COMPOSITION)?.unwrap_or(0);
        let flags = self.first_flags.take().or(flags).unwrap_or(self.defaults.flags);
        let sample = Sample {
            dts,
            composition: i64::from(composition.cast_signed()),
            position: self.position,
            size,
            is_sync: flags & NO_SYNC == 0,
            description: self.defaults.description,
        };
        self.position = self.position.saturating_add(u64::from(size));
        Some((sample, duration))
    }

    /// Where the bytes of the run end.
    fn end(&self, moof: &[u8]) -> u64 {
        if self.fields & RUN_SIZE == 0 {
            let bytes = u64::from(self.left).saturating_mul(u64::from(self.defaults.size));
            return self.position.saturating_add(bytes);
        }
        let mut run = self.clone();
        while run.next(moof, 0).is_some() {}
        run.position
    }
}

fn entry_size(fields: u32) -> usize {
    let fields = fields & (RUN_DURATION | RUN_SIZE | RUN_FLAGS | RUN_COMPOSITION);
    fields.count_ones() as usize * 4
}

/// The runs of a track in the body of a `moof` that begins at `start`; `None` if it is damaged.
fn runs(moof: &[u8], start: u64, length: u64, track: u32, defaults: Defaults) -> Option<Vec<Run>> {
    let mut runs = Vec::new();
    let mut boxes = Fields(moof);
    let mut data_end = start;
    while let Some((kind, traf)) = boxes.child() {
        if kind != *b"traf" {
            continue;
        }
        let mut header = Fields(Fields(traf).find(*b"tfhd")?);
        let (_, flags) = header.full()?;
        let is_ours = header.u32()? == track;
        let base = match flags {
            flags if flags & BASE_OFFSET != 0 => header.u64()?,
            flags if flags & BASE_IS_MOOF != 0 => start,
            _ => data_end,
        };
        let mut field = |flag: u32, default: u32| match flags & flag {
            0 => Some(default),
            _ => header.u32(),
        };
        let defaults = Defaults {
            description: field(DESCRIPTION, defaults.description)?,
            duration: field(DURATION, defaults.duration)?,
            size: field(SIZE, defaults.size)?,
            flags: field(FLAGS, defaults.flags)?,
        };
        let mut dts = None;
        data_end = base;
        let mut inner = Fields(traf);
        while let Some((kind, body)) = inner.child() {
            match &kind {
                b"tfdt" => {
                    let mut fields = Fields(body);
                    let (version, _) = fields.full()?;
                    dts = Some(i64::try_from(fields.by_version(version)?).ok()?);
                }
                b"trun" => {
                    let mut run = run(body, moof, (base, data_end, length), defaults)?;
                    data_end = run.end(moof);
                    if is_ours {
                        run.dts = dts.take();
                        runs.push(run);
                    }
                }
                _ => {}
            }
        }
        if runs.len() > MAX_RUNS {
            return None;
        }
    }
    Some(runs)
}

/// A `trun` body, which is a part of `moof`; where its data is counted from and would go on, and how long the file is.
fn run(
    body: &[u8],
    moof: &[u8],
    (base, data_end, length): (u64, u64, u64),
    defaults: Defaults,
) -> Option<Run> {
    let mut fields = Fields(body);
    let (_, flags) = fields.full()?;
    let count = fields.u32()?;
    let position = match flags & RUN_OFFSET {
        0 => data_end,
        _ => base.checked_add_signed(i64::from(fields.u32()?.cast_signed()))?,
    };
    let first_flags = match flags & RUN_FIRST_FLAGS {
        0 => None,
        _ => Some(fields.u32()?),
    };
    let needed = entry_size(flags).checked_mul(usize::try_from(count).ok()?)?;
    if needed > fields.0.len() || count > MAX_SAMPLES {
        return None;
    }
    // Samples that need no bytes here need some in the file, and no more than it has.
    let alike = match u64::from(defaults.size) {
        0 => MAX_EMPTY,
        size => u32::try_from(length / size).unwrap_or(u32::MAX),
    };
    Some(Run {
        dts: None,
        entries: fields.0.as_ptr().addr().checked_sub(moof.as_ptr().addr())?,
        fields: flags,
        left: if needed > 0 { count } else { count.min(alike) },
        first_flags,
        defaults,
        position,
    })
}
