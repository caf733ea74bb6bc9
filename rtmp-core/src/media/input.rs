//! A file read by position, for containers that say where things are.

use std::io::{ErrorKind, Read, Result, Seek, SeekFrom};

/// The bytes of a file.
#[derive(Debug)]
pub(super) struct Input<R> {
    file: R,
    position: u64,
    length: u64,
}

impl<R: Read + Seek> Input<R> {
    pub(super) fn new(mut file: R) -> Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        Ok(Self {
            file,
            position: length,
            length,
        })
    }

    /// How long the file was when that was last looked at.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Looks how long the file is now: it may be written still.
    pub(super) fn measure(&mut self) -> Result<()> {
        self.length = self.file.seek(SeekFrom::End(0))?;
        self.position = self.length;
        Ok(())
    }

    /// Reads bytes at a position, as many as there are and fit; how many.
    pub(super) fn read_up_to(&mut self, position: u64, bytes: &mut [u8]) -> Result<usize> {
        match i64::try_from(i128::from(position) - i128::from(self.position)) {
            Ok(0) => {}
            // Keeps what a `BufReader` holds.
            Ok(distance) => self.file.seek_relative(distance)?,
            Err(_) => drop(self.file.seek(SeekFrom::Start(position))?),
        }
        self.position = position;
        let mut have = 0;
        while let Some(rest) = bytes.get_mut(have..).filter(|rest| !rest.is_empty()) {
            match self.file.read(rest) {
                Ok(0) => break,
                Ok(count) => have += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.position = self.position.saturating_add(have as u64);
        Ok(have)
    }

    /// Reads `size` bytes at a position; `None` if the file ends before. Takes no more memory than there is file.
    pub(super) fn read(&mut self, position: u64, size: u64) -> Result<Option<Vec<u8>>> {
        let end = position.checked_add(size).filter(|end| *end <= self.length);
        let (Some(_), Ok(size)) = (end, usize::try_from(size)) else {
            return Ok(None);
        };
        let mut bytes = vec![0; size];
        let have = self.read_up_to(position, &mut bytes)?;
        Ok((have == size).then_some(bytes))
    }
}
