//! A file that is read once and then written, with a buffer for both.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

/// A buffered file for reading and writing.
#[derive(Debug)]
pub(super) struct DiskFile(BufWriter<Reader>);

#[derive(Debug)]
struct Reader(BufReader<File>);

const BUFFER: usize = 256 << 10;

impl DiskFile {
    pub(super) fn new(file: File) -> Self {
        Self(BufWriter::with_capacity(BUFFER, Reader(BufReader::new(file))))
    }

    /// Has what was flushed survive the machine.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.get_ref().0.get_ref().sync_data()
    }
}

impl Read for DiskFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.0.buffer().is_empty() {
            self.0.flush()?;
        }
        self.0.get_mut().0.read(buffer)
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Seek for DiskFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl Write for Reader {
    /// What was read ahead is forgotten first, so that bytes go where reading has come to.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.0.buffer().is_empty() {
            self.0
                .stream_position()
                .and_then(|at| self.0.seek(SeekFrom::Start(at)))?;
        }
        self.0.get_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_after_reading_goes_where_it_should() {
        let path = std::env::temp_dir().join(format!("rtmpkit-disk-file-{}", std::process::id()));
        std::fs::write(&path, b"0123456789").unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let mut file = DiskFile::new(file);
        let mut two = [0; 2];
        file.read_exact(&mut two).unwrap();
        file.write_all(b"ab").unwrap();
        file.flush().unwrap();
        file.seek(SeekFrom::Start(8)).unwrap();
        file.write_all(b"cd").unwrap();
        file.read_exact(&mut two).unwrap_err();
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), b"01ab4567cd");
        std::fs::remove_file(path).unwrap();
    }
}
