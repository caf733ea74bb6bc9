//! A track's samples in order: those of its tables, then those of fragments.

use std::io::{Read, Seek};

use super::fragments::Fragments;
use super::movie::Track;
use super::{MAX_SAMPLES, Mp4Error, Sample};
use crate::media::MediaKind;
use crate::media::input::Input;

/// Where one track is played. Times are milliseconds as the edit list puts them.
#[derive(Debug)]
pub(super) struct Cursor {
    pub(super) track: Track,
    fragments: Option<Fragments>,
    next: Option<Sample>,
    /// The description that the client was told last.
    pub(super) told: u32,
}

/// Where fragments are that decoding can start in.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// When, and where the fragment is.
    places: Vec<(i64, u64)>,
    gap: i64,
    /// When the last sample ends.
    pub(super) end: i64,
    /// The earliest presentation time against the decoding time, in units of the track.
    least_composition: i64,
    /// Samples seen.
    pub(super) samples: u32,
}

/// Samples passed over in a row that are empty or cannot be played; then nothing follows.
const MAX_SKIPPED: u32 = 1 << 16;
/// Places kept; then every second goes.
const MAX_STARTS: usize = 4_096;
const FIRST_GAP: i64 = 500;
/// What is decoded earlier than presented, at most, in seconds.
const MAX_LEAD: i64 = 10;
/// Sound from before the film begins that decoders need to begin with, in fractions of a second.
const LEAD_IN: i64 = 10;

/// What a search does about a sample.
enum Verdict {
    Pass,
    /// This one, unless a better one comes.
    Good,
    /// This one.
    Found,
    Over,
}

impl Cursor {
    /// A track at its beginning.
    pub(super) fn new<R: Read + Seek>(
        input: &mut Input<R>,
        track: Track,
        is_fragmented: bool,
    ) -> Result<Self, Mp4Error> {
        let fragments = is_fragmented.then(|| Fragments::new(track.id, track.defaults, 0));
        let told = track.first_entry().map_or(0, |(number, _)| number);
        let mut cursor = Self {
            track,
            fragments,
            next: None,
            told,
        };
        cursor.rewind(input, None)?;
        Ok(cursor)
    }

    /// The next sample, without taking it.
    pub(super) fn peek(&self) -> Option<&Sample> {
        self.next.as_ref()
    }

    /// When the next sample is decoded.
    pub(super) fn ms(&self) -> Option<i64> {
        self.next.map(|sample| self.track.ms(sample.dts))
    }

    /// Nothing follows: the file ends.
    pub(super) fn end(&mut self) {
        self.next = None;
    }

    /// Goes on to the next sample that has bytes and can be played.
    pub(super) fn advance<R: Read + Seek>(&mut self, input: &mut Input<R>) -> Result<(), Mp4Error> {
        self.next = None;
        for _ in 0..MAX_SKIPPED {
            let sample = match (self.track.tables.next(input)?, &mut self.fragments) {
                (None, Some(fragments)) => fragments.next(input)?,
                (sample, _) => sample,
            };
            let Some(sample) = sample else { break };
            if sample.size > 0 && self.track.entry(sample.description).is_some() {
                self.next = Some(sample);
                break;
            }
        }
        Ok(())
    }

    /// Goes to the last sample that decoding can start at and that is not after `ms`, or to the beginning.
    pub(super) fn go_before<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
        ms: i64,
        starts: &Starts,
    ) -> Result<(), Mp4Error> {
        if self.fragments.is_some() {
            let found = self.search(input, starts.before(ms), |at, is_sync| match at > ms {
                true => Verdict::Over,
                false if is_sync => Verdict::Good,
                false => Verdict::Pass,
            })?;
            return if found { Ok(()) } else { self.rewind(input, None) };
        }
        let first = self.first_sample(input)?;
        let time = self.track.scale.last_of(ms).saturating_sub(self.track.shift);
        let sample = self.track.tables.at_time(input, time)?.unwrap_or(0);
        let sync = self.track.tables.sync_before(input, sample)?;
        self.go_to(input, sync.max(first))
    }

    /// Goes to the first sample that decoding can start at and that is not before `ms`; false if there is none.
    pub(super) fn go_after<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
        ms: i64,
        starts: &Starts,
    ) -> Result<bool, Mp4Error> {
        if self.fragments.is_some() {
            return self.search(input, starts.before(ms), |at, is_sync| {
                match is_sync && at >= ms {
                    true => Verdict::Found,
                    false => Verdict::Pass,
                }
            });
        }
        let sample = self.sample_from(input, ms)?;
        let Some((_, sync)) = self.track.tables.sync_after(input, sample)? else {
            return Ok(false);
        };
        let first = self.first_sample(input)?;
        self.go_to(input, sync.max(first))?;
        Ok(self.next.is_some())
    }

    /// Goes to the first sample that is not before `ms`, whether decoding can start there or not.
    pub(super) fn go_from<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
        ms: i64,
        starts: &Starts,
    ) -> Result<(), Mp4Error> {
        if self.fragments.is_some() {
            // One place earlier: sound may stand in fragments of its own, before those of the pictures.
            let place = starts
                .before(ms)
                .and_then(|(at, _)| starts.before(at.saturating_sub(1)));
            let found = self.search(input, place, |at, _| match at >= ms {
                true => Verdict::Found,
                false => Verdict::Pass,
            })?;
            if !found {
                self.end();
            }
            return Ok(());
        }
        let sample = self.sample_from(input, ms)?;
        let first = self.first_sample(input)?;
        self.go_to(input, sample.max(first))
    }

    /// When the track ends by its tables.
    pub(super) fn tables_end<R: Read + Seek>(&mut self, input: &mut Input<R>) -> Result<i64, Mp4Error> {
        let mut tables = self.track.tables.clone();
        tables.go_to(input, tables.count())?;
        Ok(self.track.ms(tables.dts()))
    }

    /// Decodes earlier, so that no sample is presented before it is decoded, as RTMP players want it.
    pub(super) fn lead<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
        starts: &Starts,
    ) -> Result<bool, Mp4Error> {
        let least = self
            .track
            .tables
            .least_composition(input)?
            .min(starts.least_composition);
        let most = i64::from(self.track.scale.per_second()).saturating_mul(MAX_LEAD);
        let lead = least.saturating_neg();
        let leads = (1..=most).contains(&lead);
        if leads {
            self.track.lead = lead;
            self.track.shift = self.track.shift.saturating_sub(lead);
        }
        Ok(leads)
    }

    /// Looks through all samples for where decoding can start, from the beginning; stays at the end.
    pub(super) fn find_starts<R: Read + Seek>(&mut self, input: &mut Input<R>) -> Result<Starts, Mp4Error> {
        let mut starts = Starts {
            gap: FIRST_GAP,
            ..Starts::default()
        };
        let mut before = self.ms().unwrap_or(0);
        while let (Some(sample), Some(fragments)) = (self.next, &self.fragments) {
            let at = self.track.ms(sample.dts);
            if sample.is_sync
                && let Some(place) = fragments.place()
            {
                starts.add(at, place);
            }
            let duration = at.saturating_sub(before);
            (before, starts.end) = (at, starts.end.max(at.saturating_add(duration.max(0))));
            starts.least_composition = starts.least_composition.min(sample.composition);
            starts.samples += 1;
            if starts.samples >= MAX_SAMPLES {
                break;
            }
            self.advance(input)?;
        }
        Ok(starts)
    }

    /// Goes to the beginning, or to the fragment at a place.
    pub(super) fn rewind<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
        place: Option<(i64, u64)>,
    ) -> Result<(), Mp4Error> {
        let sample = match place {
            Some(_) => self.track.tables.count(),
            None => self.first_sample(input)?,
        };
        if let Some(fragments) = &mut self.fragments {
            let position = place.map_or(0, |(_, position)| position);
            *fragments = Fragments::new(self.track.id, self.track.defaults, position);
        }
        self.go_to(input, sample)
    }

    fn go_to<R: Read + Seek>(&mut self, input: &mut Input<R>, sample: u32) -> Result<(), Mp4Error> {
        self.track.tables.go_to(input, sample)?;
        self.advance(input)
    }

    /// Goes to the sample found from a place on; false if there is none.
    fn search<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
        place: Option<(i64, u64)>,
        mut judge: impl FnMut(i64, bool) -> Verdict,
    ) -> Result<bool, Mp4Error> {
        self.rewind(input, place)?;
        let mut best = None;
        for steps in 0..MAX_SAMPLES {
            let Some(sample) = self.next else { break };
            match judge(self.track.ms(sample.dts), sample.is_sync) {
                Verdict::Pass => {}
                Verdict::Good => best = Some(steps),
                Verdict::Found => return Ok(true),
                Verdict::Over => break,
            }
            self.advance(input)?;
        }
        let Some(steps) = best else { return Ok(false) };
        self.rewind(input, place)?;
        for _ in 0..steps {
            self.advance(input)?;
        }
        Ok(true)
    }

    /// Where the film begins by its edit list: with the pictures that the first one shown is decoded from, and a little sound.
    fn first_sample<R: Read + Seek>(&mut self, input: &mut Input<R>) -> Result<u32, Mp4Error> {
        let shown_from = self.track.shown_from;
        if shown_from == 0 {
            return Ok(0);
        }
        let lead_in = match self.track.kind {
            MediaKind::Video => 0,
            _ => i64::from(self.track.scale.per_second()) / LEAD_IN,
        };
        let tables = &mut self.track.tables;
        let sample = tables.at_time(input, shown_from.saturating_sub(lead_in))?;
        tables.sync_before(input, sample.unwrap_or(0))
    }

    /// The first sample in the tables that is not before `ms`; their count if there is none.
    fn sample_from<R: Read + Seek>(&mut self, input: &mut Input<R>, ms: i64) -> Result<u32, Mp4Error> {
        let last_before = self
            .track
            .scale
            .first_of(ms)
            .saturating_sub(self.track.shift)
            .saturating_sub(1);
        if last_before < 0 {
            return Ok(0);
        }
        let sample = self.track.tables.at_time(input, last_before)?;
        Ok(sample.map_or(0, |sample| sample.saturating_add(1)))
    }
}

impl Starts {
    fn add(&mut self, at: i64, place: u64) {
        let fits = self
            .places
            .last()
            .is_none_or(|(last, position)| place > *position && at >= last.saturating_add(self.gap));
        if !fits {
            return;
        }
        if self.places.len() >= MAX_STARTS {
            let mut keep = false;
            self.places.retain(|_| {
                keep = !keep;
                keep
            });
            self.gap = self.gap.saturating_mul(2);
        }
        self.places.push((at, place));
    }

    /// The last place that is not after `ms`.
    fn before(&self, ms: i64) -> Option<(i64, u64)> {
        let after = self.places.partition_point(|(at, _)| *at <= ms);
        after
            .checked_sub(1)
            .and_then(|index| self.places.get(index))
            .copied()
    }
}
