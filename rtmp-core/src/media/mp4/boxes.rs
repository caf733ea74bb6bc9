//! Boxes: their headers in the file, and the fields of those that are in memory (ISO/IEC 14496-12 4.2).

use std::io::{Read, Seek};

use super::Mp4Error;
use crate::media::input::Input;

/// A box in the file: where its body begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BoxAt {
    pub(super) kind: [u8; 4],
    /// Where the header begins.
    pub(super) start: u64,
    pub(super) body: u64,
    pub(super) end: u64,
    /// It does not reach beyond what it is in.
    pub(super) is_whole: bool,
}

/// What boxes read whole may be long: all but the sample tables are far shorter.
const MAX_WHOLE: u64 = 1 << 20;
const SHORT_HEADER: u64 = 8;
const LONG_HEADER: u64 = 16;

impl BoxAt {
    /// The box at `position` within what ends at `limit`; `None` where no header fits any more. What reaches beyond ends there.
    pub(super) fn read<R: Read + Seek>(
        input: &mut Input<R>,
        position: u64,
        limit: u64,
    ) -> Result<Option<Self>, Mp4Error> {
        let mut header = [0; LONG_HEADER as usize];
        let room = limit.saturating_sub(position);
        if room < SHORT_HEADER {
            return Ok(None);
        }
        let have = input.read_up_to(position, &mut header)? as u64;
        let (size, kind, long) = split(&header);
        let (size, header) = match size {
            _ if have < SHORT_HEADER => return Ok(None),
            0 => (room, SHORT_HEADER),
            1 if have.min(room) < LONG_HEADER => return Ok(None),
            1 => (long, LONG_HEADER),
            size => (u64::from(size), SHORT_HEADER),
        };
        if size < header {
            return Err(damaged("a box is shorter than its header", position));
        }
        let end = position.saturating_add(size);
        Ok(Some(Self {
            kind,
            start: position,
            body: position.saturating_add(header),
            end: end.min(limit),
            is_whole: end <= limit,
        }))
    }

    /// The body, whole.
    pub(super) fn load<R: Read + Seek>(&self, input: &mut Input<R>) -> Result<Vec<u8>, Mp4Error> {
        self.load_up_to(input, MAX_WHOLE)
    }

    /// The body, whole, if it is not longer than `most`.
    pub(super) fn load_up_to<R: Read + Seek>(
        &self,
        input: &mut Input<R>,
        most: u64,
    ) -> Result<Vec<u8>, Mp4Error> {
        let size = self.end.saturating_sub(self.body);
        if size > most {
            return Err(damaged("a box is far longer than what it may hold", self.start));
        }
        let body = input.read(self.body, size)?;
        body.ok_or(damaged("a box ends behind the end of the file", self.start))
    }
}

fn split(header: &[u8; 16]) -> (u32, [u8; 4], u64) {
    let [a, b, c, d, e, f, g, h, long @ ..] = *header;
    (
        u32::from_be_bytes([a, b, c, d]),
        [e, f, g, h],
        u64::from_be_bytes(long),
    )
}

pub(super) const fn damaged(what: &'static str, position: u64) -> Mp4Error {
    Mp4Error::Damaged { what, position }
}

/// Fields one after the other; what is not there is `None`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk()?;
        self.0 = tail;
        Some(*head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn kind(&mut self) -> Option<[u8; 4]> {
        self.array()
    }

    /// Version and flags of a full box.
    pub(super) fn full(&mut self) -> Option<(u8, u32)> {
        let word = self.u32()?;
        Some(((word >> 24) as u8, word & 0x00FF_FFFF))
    }

    /// A number of 32 bits in version 0 of a box and of 64 bits in version 1.
    pub(super) fn by_version(&mut self, version: u8) -> Option<u64> {
        match version {
            0 => self.u32().map(u64::from),
            _ => self.u64(),
        }
    }

    /// The next box within: its kind and its body. A box that reaches beyond its parent is none.
    pub(super) fn child(&mut self) -> Option<([u8; 4], &'a [u8])> {
        let mut rest = *self;
        let size = rest.u32()?;
        let kind = rest.kind()?;
        let body = match size {
            0 => rest.0.len(),
            1 => usize::try_from(rest.u64()?.checked_sub(LONG_HEADER)?).ok()?,
            size => (size as usize).checked_sub(SHORT_HEADER as usize)?,
        };
        let body = rest.bytes(body)?;
        self.0 = rest.0;
        Some((kind, body))
    }

    /// The body of the first box of a kind within.
    pub(super) fn find(mut self, wanted: [u8; 4]) -> Option<&'a [u8]> {
        while let Some((kind, body)) = self.child() {
            if kind == wanted {
                return Some(body);
            }
        }
        None
    }
}
