//! All sockets' sends in one io_uring call.

use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use io_uring::{IoUring, opcode, types};

const BATCH: usize = 1024;

pub(crate) struct Ring(IoUring);

impl Ring {
    pub(crate) fn open() -> io::Result<Self> {
        Ok(Self(
            IoUring::builder()
                .setup_coop_taskrun()
                .setup_single_issuer()
                .build(BATCH as u32)?,
        ))
    }

    /// Sends the same bytes to every socket; returns how many bytes went out.
    pub(crate) fn send_all(&mut self, sockets: &[&TcpStream], data: &[u8]) -> io::Result<u64> {
        let mut sent = 0;
        for sockets in sockets.chunks(BATCH) {
            for socket in sockets {
                let fd = types::Fd(socket.as_raw_fd());
                let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
                let entry = opcode::Send::new(fd, data.as_ptr(), data.len() as u32)
                    .flags(flags)
                    .build();
                // SAFETY: data and socket are borrowed until every send has completed, which is awaited below.
                unsafe { self.0.submission().push(&entry) }.map_err(io::Error::other)?;
            }
            let mut missing = sockets.len();
            while missing > 0 {
                self.0.submit_and_wait(missing)?;
                for entry in self.0.completion() {
                    missing -= 1;
                    sent += u64::try_from(entry.result()).unwrap_or(0);
                }
            }
        }
        Ok(sent)
    }
}
