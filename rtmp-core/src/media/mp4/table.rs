//! A table of fixed-size entries in the file, of which one page is in memory.

use std::io::{Read, Seek};

use super::boxes::{BoxAt, damaged};
use super::{MAX_SAMPLES, Mp4Error};
use crate::media::input::Input;

/// The entries of one box.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    position: u64,
    entry_size: u64,
    count: u32,
    page: Vec<u8>,
    /// Where in the file the page begins.
    page_at: u64,
}

/// A page of every table of every film that plays: short.
const PAGE: u64 = 2 << 10;

impl Table {
    /// A table of `count` entries of `entry_size` bytes at `position` in a box.
    pub(super) fn new(within: &BoxAt, position: u64, count: u32, entry_size: u64) -> Result<Self, Mp4Error> {
        let size = u64::from(count).saturating_mul(entry_size);
        if size > within.end.saturating_sub(position) {
            return Err(damaged(
                "a table has more entries than it has room for",
                within.start,
            ));
        }
        if count > MAX_SAMPLES {
            return Err(damaged(
                "a table has more entries than can be looked through",
                within.start,
            ));
        }
        Ok(Self {
            position,
            entry_size,
            count,
            ..Self::default()
        })
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The entry at an index, as many bytes as entries have; `None` behind the last, and where the file ends before.
    pub(super) fn entry<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
        index: u32,
    ) -> Result<Option<&[u8]>, Mp4Error> {
        if index >= self.count {
            return Ok(None);
        }
        let offset = u64::from(index).saturating_mul(self.entry_size);
        let at = self.position.saturating_add(offset);
        let held = self.page_at.saturating_add(self.page.len() as u64);
        if self.page.is_empty() || at < self.page_at || at.saturating_add(self.entry_size) > held {
            self.load(input, at, offset)?;
        }
        let start = usize::try_from(at.saturating_sub(self.page_at)).unwrap_or(usize::MAX);
        let end = start.saturating_add(self.entry_size as usize);
        Ok(self.page.get(start..end))
    }

    /// Reads the page that begins at an entry.
    fn load<R: Read + Seek>(&mut self, input: &mut Input<R>, at: u64, offset: u64) -> Result<(), Mp4Error> {
        let size = u64::from(self.count).saturating_mul(self.entry_size);
        let wanted = PAGE.min(size.saturating_sub(offset)) as usize;
        self.page.resize(wanted, 0);
        let have = input.read_up_to(at, &mut self.page)?;
        self.page.truncate(have);
        self.page_at = at;
        Ok(())
    }

    /// The number of 32 bits at word `word` of an entry.
    pub(super) fn word<R: Read + Seek>(
        &mut self,
        input: &mut Input<R>,
        index: u32,
        word: usize,
    ) -> Result<Option<u32>, Mp4Error> {
        let entry = self.entry(input, index)?;
        let bytes = entry.and_then(|entry| entry.get(word * 4..)?.first_chunk());
        Ok(bytes.map(|bytes| u32::from_be_bytes(*bytes)))
    }
}
