//! Samples by the tables of a `stbl` box (ISO/IEC 14496-12 8.6, 8.7).

use std::io::{Read, Seek};

use super::boxes::{BoxAt, Fields, damaged};
use super::table::Table;
use super::{MAX_SAMPLES, Mp4Error, Sample};
use crate::media::input::Input;

/// The tables of one track, and the place in them where the next sample is.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    count: u32,
    sizes: Sizes,
    durations: Table,
    compositions: Table,
    /// Compositions may be below 0.
    is_signed: bool,
    chunks: Table,
    offsets: Table,
    /// Offsets have 64 bits.
    long_offsets: bool,
    /// `None`: every sample is one to start at.
    syncs: Option<Table>,
    at: Place,
}

#[derive(Debug, Clone)]
enum Sizes {
    /// All the same.
    Same(u32),
    /// Of 32, 16, 8 or 4 bits each; the table has a byte for two of the last.
    Listed(Table, u32),
}

impl Default for Sizes {
    fn default() -> Self {
        Self::Same(0)
    }
}

/// Where the next sample is.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    sample: u32,
    dts: i64,
    /// Entry of the durations, how many samples of it are left, and the duration.
    duration: Run,
    composition: Run,
    /// The entry of the chunk table that describes the chunk after `chunk`.
    next_chunks: u32,
    /// Chunks begun.
    chunk: u32,
    per_chunk: u32,
    description: u32,
    left_in_chunk: u32,
    position: u64,
    /// The entry of the next sync sample that is not before `sample`.
    sync: u32,
}

/// A run of samples that share a number.
#[derive(Debug, Clone, Copy, Default)]
struct Run {
    next_entry: u32,
    left: u32,
    value: u32,
}

impl Run {
    /// The number of the next sample; `None` behind the last entry.
    fn next<R: Read + Seek>(
        &mut self,
        table: &mut Table,
        input: &mut Input<R>,
    ) -> Result<Option<u32>, Mp4Error> {
        while self.left == 0 {
            if !self.load(table, input)? {
                return Ok(None);
            }
        }
        self.left -= 1;
        Ok(Some(self.value))
    }

    /// Goes to the next entry; false behind the last.
    fn load<R: Read + Seek>(&mut self, table: &mut Table, input: &mut Input<R>) -> Result<bool, Mp4Error> {
        let count = table.word(input, self.next_entry, 0)?;
        let value = table.word(input, self.next_entry, 1)?;
        let (Some(count), Some(value)) = (count, value) else {
            return Ok(false);
        };
        *self = Self {
            next_entry: self.next_entry.saturating_add(1),
            left: count,
            value,
        };
        Ok(true)
    }
}

impl Tables {
    /// The tables among the boxes of a `stbl`.
    pub(super) fn read<R: Read + Seek>(input: &mut Input<R>, boxes: &[BoxAt]) -> Result<Self, Mp4Error> {
        let mut tables = Self::default();
        for found in boxes {
            match &found.kind {
                b"stts" => tables.durations = listed(input, found, 8)?,
                b"ctts" => {
                    tables.compositions = listed(input, found, 8)?;
                    let mut version = [0];
                    input.read_up_to(found.body, &mut version)?;
                    tables.is_signed = version != [0];
                }
                b"stsc" => tables.chunks = listed(input, found, 12)?,
                b"stco" => (tables.offsets, tables.long_offsets) = (listed(input, found, 4)?, false),
                b"co64" => (tables.offsets, tables.long_offsets) = (listed(input, found, 8)?, true),
                b"stss" => tables.syncs = Some(listed(input, found, 4)?),
                b"stsz" | b"stz2" => (tables.count, tables.sizes) = sizes(input, found)?,
                _ => {}
            }
        }
        Ok(tables)
    }

    /// How many samples there are.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The next sample; `None` behind the last, or where a table ends before.
    pub(super) fn next<R: Read + Seek>(&mut self, input: &mut Input<R>) -> Result<Option<Sample>, Mp4Error> {
        if self.at.sample >= self.count {
            return Ok(None);
        }
        let Some(size) = self.size(input, self.at.sample)? else {
            return Ok(None);
        };
        let Some(duration) = self.at.duration.next(&mut self.durations, input)? else {
            return Ok(None);
        };
        let composition = self.at.composition.next(&mut self.compositions, input)?;
        while self.at.left_in_chunk == 0 {
            if !self.begin_chunk(input)? {
                return Ok(None);
            }
        }
        let sample = Sample {
            dts: self.at.dts,
            // Version 0 of the box has no sign, but who writes it often means one.
            composition: i64::from(composition.unwrap_or(0).cast_signed()),
            position: self.at.position,
            size,
            is_sync: self.is_sync(input)?,
            description: self.at.description,
        };
        self.at.left_in_chunk -= 1;
        self.at.position = self.at.position.saturating_add(u64::from(size));
        self.at.dts = self.at.dts.saturating_add(i64::from(duration));
        self.at.sample += 1;
        Ok(Some(sample))
    }

    /// Goes to a sample, by its index from 0.
    pub(super) fn go_to<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
        sample: u32,
    ) -> Result<(), Mp4Error> {
        // A table of sync samples may name one that there is not.
        let sample = sample.min(self.count);
        let mut at = Place {
            sample,
            ..Place::default()
        };
        let mut before = sample;
        while let Some(passed) = pass(&mut at.duration, &mut self.durations, input, before)? {
            at.dts = at
                .dts
                .saturating_add(i64::from(passed).saturating_mul(i64::from(at.duration.value)));
            before -= passed;
        }
        before = sample;
        while let Some(passed) = pass(&mut at.composition, &mut self.compositions, input, before)? {
            before -= passed;
        }
        at.sync = match self.sync_after(input, sample)? {
            Some((entry, _)) => entry,
            None => self.syncs.as_ref().map_or(0, Table::count),
        };
        self.at = at;
        self.find_chunk(input, sample)
    }

    /// The least presentation time against the decoding time, or 0 if none is below.
    pub(super) fn least_composition<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
    ) -> Result<i64, Mp4Error> {
        let mut least = 0;
        let (mut run, entries) = (Run::default(), &mut self.compositions);
        while self.is_signed && run.load(entries, input)? {
            least = least.min(run.value.cast_signed());
        }
        Ok(i64::from(least))
    }

    /// The last sample whose time is not after `time`, or the first; `None` if there is none at all.
    pub(super) fn at_time<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
        time: i64,
    ) -> Result<Option<u32>, Mp4Error> {
        let (mut run, mut first, mut dts) = (Run::default(), 0_u32, 0_i64);
        let mut best = 0;
        while first < self.count && dts <= time && run.load(&mut self.durations, input)? {
            let ahead = match run.value {
                0 => run.left,
                duration => u32::try_from((time - dts) / i64::from(duration))
                    .map_or(u32::MAX, |n| n.saturating_add(1)),
            };
            let within = ahead.min(run.left);
            if within > 0 {
                best = first.saturating_add(within - 1);
            }
            let length = i64::from(run.left).saturating_mul(i64::from(run.value));
            (first, dts) = (first.saturating_add(run.left), dts.saturating_add(length));
        }
        Ok(self.count.checked_sub(1).map(|last| best.min(last)))
    }

    /// The last sample to start at that is not after a sample, or the first of all.
    pub(super) fn sync_before<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
        sample: u32,
    ) -> Result<u32, Mp4Error> {
        let Some(syncs) = &mut self.syncs else {
            return Ok(sample);
        };
        let after = partition(syncs, input, |number| number.saturating_sub(1) <= sample)?;
        let Some(entry) = after.checked_sub(1) else {
            return Ok(0);
        };
        Ok(syncs.word(input, entry, 0)?.unwrap_or(1).saturating_sub(1))
    }

    /// The first sample to start at that is not before a sample, and its entry in the table; `None` if there is none.
    pub(super) fn sync_after<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
        sample: u32,
    ) -> Result<Option<(u32, u32)>, Mp4Error> {
        let Some(syncs) = &mut self.syncs else {
            return Ok((sample < self.count).then_some((0, sample)));
        };
        let entry = partition(syncs, input, |number| number.saturating_sub(1) < sample)?;
        let number = syncs.word(input, entry, 0)?;
        Ok(number.map(|number| (entry, number.saturating_sub(1))))
    }

    /// When the next sample is decoded.
    pub(super) fn dts(&self) -> i64 {
        self.at.dts
    }

    fn size<R: Read + Seek>(&mut self, input: &mut Input<R>, sample: u32) -> Result<Option<u32>, Mp4Error> {
        Ok(match &mut self.sizes {
            Sizes::Same(size) => Some(*size),
            Sizes::Listed(table, 4) => {
                let byte = table
                    .entry(input, sample / 2)?
                    .and_then(|entry| entry.first().copied());
                byte.map(|byte| {
                    u32::from(if sample.is_multiple_of(2) {
                        byte >> 4
                    } else {
                        byte & 15
                    })
                })
            }
            Sizes::Listed(table, _) => {
                let entry = table.entry(input, sample)?;
                entry.map(|entry| entry.iter().fold(0, |size, byte| size << 8 | u32::from(*byte)))
            }
        })
    }

    fn is_sync<R: Read + Seek>(&mut self, input: &mut Input<R>) -> Result<bool, Mp4Error> {
        let Some(syncs) = &mut self.syncs else {
            return Ok(true);
        };
        let number = self.at.sample.saturating_add(1);
        // Entries that go back are passed over with those that were met.
        while let Some(next) = syncs.word(input, self.at.sync, 0)? {
            if next >= number {
                return Ok(next == number);
            }
            self.at.sync += 1;
        }
        Ok(false)
    }

    /// Goes to the next chunk; false behind the last.
    fn begin_chunk<R: Read + Seek>(&mut self, input: &mut Input<R>) -> Result<bool, Mp4Error> {
        let Some(position) = self.offset(input, self.at.chunk)? else {
            return Ok(false);
        };
        self.at.position = position;
        self.at.chunk += 1;
        while let Some(first) = self.chunks.word(input, self.at.next_chunks, 0)? {
            if first > self.at.chunk {
                break;
            }
            self.at.per_chunk = self.chunks.word(input, self.at.next_chunks, 1)?.unwrap_or(0);
            self.at.description = self.chunks.word(input, self.at.next_chunks, 2)?.unwrap_or(0);
            self.at.next_chunks += 1;
        }
        self.at.left_in_chunk = self.at.per_chunk;
        Ok(true)
    }

    fn offset<R: Read + Seek>(&mut self, input: &mut Input<R>, chunk: u32) -> Result<Option<u64>, Mp4Error> {
        if !self.long_offsets {
            return Ok(self.offsets.word(input, chunk, 0)?.map(u64::from));
        }
        let entry = self.offsets.entry(input, chunk)?;
        Ok(entry.and_then(|entry| Some(u64::from_be_bytes(*entry.first_chunk()?))))
    }

    /// Goes to the chunk of a sample, and to the sample in it.
    fn find_chunk<R: Read + Seek>(&mut self, input: &mut Input<R>, sample: u32) -> Result<(), Mp4Error> {
        let mut before = u64::from(sample);
        let mut entry = 0;
        while let Some(first) = self.chunks.word(input, entry, 0)? {
            let per_chunk = self.chunks.word(input, entry, 1)?.unwrap_or(0);
            let next = self.chunks.word(input, entry.saturating_add(1), 0)?;
            let end = next.unwrap_or(self.offsets.count().saturating_add(1));
            let chunks = end.saturating_sub(first.max(1));
            let samples = u64::from(chunks).saturating_mul(u64::from(per_chunk));
            if before < samples || next.is_none() {
                let whole = u32::try_from(before / u64::from(per_chunk.max(1))).unwrap_or(u32::MAX);
                self.at.chunk = first.max(1).saturating_sub(1).saturating_add(whole);
                self.at.next_chunks = entry;
                if self.begin_chunk(input)? {
                    let within = before.saturating_sub(u64::from(whole).saturating_mul(u64::from(per_chunk)));
                    self.skip_in_chunk(input, sample, within)?;
                }
                return Ok(());
            }
            before -= samples;
            entry += 1;
        }
        Ok(())
    }

    fn skip_in_chunk<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
        sample: u32,
        count: u64,
    ) -> Result<(), Mp4Error> {
        let count = u32::try_from(count)
            .unwrap_or(u32::MAX)
            .min(self.at.left_in_chunk)
            .min(sample);
        self.at.left_in_chunk -= count;
        if let Sizes::Same(size) = self.sizes {
            let bytes = u64::from(size).saturating_mul(u64::from(count));
            self.at.position = self.at.position.saturating_add(bytes);
            return Ok(());
        }
        for index in sample - count..sample {
            let size = self.size(input, index)?.unwrap_or(0);
            self.at.position = self.at.position.saturating_add(u64::from(size));
        }
        Ok(())
    }
}

/// Takes up to `most` samples out of a run, and none only if none are wanted or left.
fn pass<R: Read + Seek>(
    run: &mut Run,
    table: &mut Table,
    input: &mut Input<R>,
    most: u32,
) -> Result<Option<u32>, Mp4Error> {
    if most == 0 {
        return Ok(None);
    }
    while run.left == 0 {
        if !run.load(table, input)? {
            return Ok(None);
        }
    }
    let passed = run.left.min(most);
    run.left -= passed;
    Ok(Some(passed))
}

/// How many entries at the beginning of a sorted table are as wanted.
fn partition<R: Read + Seek>(
    table: &mut Table,
    input: &mut Input<R>,
    wanted: impl Fn(u32) -> bool,
) -> Result<u32, Mp4Error> {
    let (mut low, mut high) = (0, table.count());
    while low < high {
        let middle = low + (high - low) / 2;
        match table.word(input, middle, 0)? {
            Some(number) if wanted(number) => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// A table behind version, flags and count.
fn listed<R: Read + Seek>(input: &mut Input<R>, found: &BoxAt, entry_size: u64) -> Result<Table, Mp4Error> {
    let mut head = [0; 8];
    input.read_up_to(found.body, &mut head)?;
    let mut fields = Fields(&head);
    fields.u32();
    let count = fields.u32().unwrap_or(0);
    Table::new(found, found.body.saturating_add(8), count, entry_size)
}

fn sizes<R: Read + Seek>(input: &mut Input<R>, found: &BoxAt) -> Result<(u32, Sizes), Mp4Error> {
    let mut head = [0; 12];
    input.read_up_to(found.body, &mut head)?;
    let mut fields = Fields(&head);
    fields.u32();
    let (size, count) = (fields.u32().unwrap_or(0), fields.u32().unwrap_or(0));
    if count > MAX_SAMPLES {
        return Err(damaged(
            "a track has more samples than can be looked through",
            found.start,
        ));
    }
    let position = found.body.saturating_add(12);
    let bits = match (&found.kind, size & 0xFF) {
        // No more than there is file for: only this says so many without a table.
        (b"stsz", _) if size != 0 => {
            let most = u32::try_from(input.length() / u64::from(size)).unwrap_or(u32::MAX);
            return Ok((count.min(most), Sizes::Same(size)));
        }
        (b"stsz", _) => 32,
        (_, bits @ (4 | 8 | 16)) => bits,
        _ => return Err(damaged("samples have sizes of unknown width", found.start)),
    };
    let table = match bits {
        4 => Table::new(found, position, count.div_ceil(2), 1)?,
        bits => Table::new(found, position, count, u64::from(bits / 8))?,
    };
    Ok((count, Sizes::Listed(table, bits)))
}
