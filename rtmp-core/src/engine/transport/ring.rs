//! Sends to many sockets in one call to the kernel, through io_uring. The only unsafe code of the engine.
//!
//! Sends are never left in flight: they carry `MSG_DONTWAIT`, so the kernel completes each one, with a count or with
//! "would block", while it takes them in; [`Batch::send`] returns when all have completed. Buffers are borrowed for
//! the lifetime of the batch, which ends there.
#![allow(unsafe_code)]

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::{IoUring, opcode, types};

use crate::engine::transport::Sent;

/// Sends in one batch.
pub(crate) const BATCH: usize = 1024;
/// Slices of one send.
const SLICES: usize = 64;

/// A submission queue of one thread.
pub(crate) struct Ring {
    ring: IoUring,
    headers: Vec<libc::msghdr>,
    slices: Vec<libc::iovec>,
    targets: Vec<Target>,
    results: Vec<Sent>,
}

struct Target {
    fd: i32,
    first_slice: usize,
    slices: usize,
    bytes: usize,
}

/// Sends that are being collected.
pub(crate) struct Batch<'ring, 'data> {
    ring: &'ring mut Ring,
    data: PhantomData<&'data [u8]>,
}

impl Ring {
    /// Opens a ring, where the kernel and the sandbox allow it.
    pub(crate) fn open() -> io::Result<Self> {
        let entries = u32::try_from(BATCH).unwrap_or(256);
        let ring = IoUring::builder()
            .setup_coop_taskrun()
            .setup_single_issuer()
            .build(entries)?;
        let (headers, slices) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH * 4));
        Ok(Self {
            ring,
            headers,
            slices,
            targets: Vec::with_capacity(BATCH),
            results: Vec::with_capacity(BATCH),
        })
    }

    /// Begins a batch.
    pub(crate) fn batch(&mut self) -> Batch<'_, '_> {
        self.targets.clear();
        self.slices.clear();
        self.headers.clear();
        Batch {
            ring: self,
            data: PhantomData,
        }
    }

    /// Fills the submission queue; the vectors do not move any more until all sends have completed.
    fn submit(&mut self) {
        for target in &self.targets {
            // SAFETY: msghdr is plain data for which all zeros, null pointers included, is a valid value.
            let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
            header.msg_iov = std::ptr::from_mut(&mut self.slices[target.first_slice]);
            header.msg_iovlen = target.slices as _;
            self.headers.push(header);
        }
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let mut queue = self.ring.submission();
        for (number, (target, header)) in self.targets.iter().zip(&self.headers).enumerate() {
            let fd = types::Fd(target.fd);
            let entry = if let (1, slice) = (target.slices, &self.slices[target.first_slice]) {
                let length = u32::try_from(slice.iov_len).unwrap_or(u32::MAX);
                opcode::Send::new(fd, slice.iov_base.cast(), length)
                    .flags(flags)
                    .build()
            } else {
                opcode::SendMsg::new(fd, header).flags(flags as u32).build()
            };
            // SAFETY: the entry's descriptor, buffers, slices and header outlive the operation: the first two are
            // borrowed for the batch's lifetime, the others are in vectors that stay as they are until `complete`
            // has seen the completion of every entry submitted, and the ring is dropped, which ends what it has
            // taken in, if that fails.
            if unsafe { queue.push(&entry.user_data(number as u64)) }.is_err() {
                // Never: a batch is no larger than the queue. What is not queued counts as interrupted.
                break;
            }
        }
    }

    /// Waits until every entry has completed. An error means that the ring cannot be used any more.
    fn complete(&mut self) -> io::Result<()> {
        let mut missing = self.targets.len();
        while missing > 0 {
            let submitted = self.ring.submit_and_wait(missing);
            for entry in self.ring.completion() {
                let number = usize::try_from(entry.user_data()).unwrap_or(usize::MAX);
                if let Some(sent) = self.results.get_mut(number) {
                    sent.result = entry.result();
                    missing -= 1;
                }
            }
            match submitted {
                Ok(_) => {}
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<'data> Batch<'_, 'data> {
    /// Adds a send of the first of the slices, as many as one send takes; its number is its place among the results.
    #[inline]
    pub(crate) fn add(&mut self, fd: BorrowedFd<'data>, data: impl Iterator<Item = &'data [u8]>) {
        let first_slice = self.ring.slices.len();
        let mut bytes = 0;
        for slice in data.take(SLICES) {
            bytes += slice.len();
            self.ring.slices.push(libc::iovec {
                iov_base: slice.as_ptr().cast_mut().cast(),
                iov_len: slice.len(),
            });
        }
        self.ring.targets.push(Target {
            fd: fd.as_raw_fd(),
            first_slice,
            slices: self.ring.slices.len() - first_slice,
            bytes,
        });
    }

    /// Sends everything; the outcomes come in the order of adding. An error leaves the ring unusable; sends without an
    /// outcome then count as interrupted.
    pub(crate) fn send(self, outcomes: &mut Vec<Sent>) -> io::Result<()> {
        let ring = self.ring;
        ring.results.clear();
        let not_yet = |target: &Target| Sent {
            offered: target.bytes,
            result: -libc::EINTR,
        };
        ring.results.extend(ring.targets.iter().map(not_yet));
        ring.submit();
        let completed = ring.complete();
        outcomes.clear();
        outcomes.extend_from_slice(&ring.results);
        completed
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        one.set_nonblocking(true).unwrap();
        (one, listener.accept().unwrap().0)
    }

    /// A ring, unless this kernel or sandbox has none: then there is nothing to test.
    fn ring() -> Option<Ring> {
        Ring::open().ok()
    }

    #[test]
    fn each_socket_gets_its_own_bytes_in_order() {
        let Some(mut ring) = ring() else { return };
        let mut pairs: Vec<_> = (0..100).map(|_| pair()).collect();
        let bodies: Vec<Vec<u8>> = (0..100u8).map(|number| vec![number; 1000]).collect();
        let mut outcomes = Vec::new();
        for round in 0..3u8 {
            let head = [round];
            let mut batch = ring.batch();
            for ((socket, _), body) in pairs.iter().zip(&bodies) {
                batch.add(socket.as_fd(), [&head[..], body].into_iter());
            }
            batch.send(&mut outcomes).unwrap();
            assert!(outcomes.iter().all(|sent| *sent
                == Sent {
                    offered: 1001,
                    result: 1001
                }));
        }
        for (number, (_, reader)) in (0u8..).zip(&mut pairs) {
            let mut got = vec![0; 3003];
            reader.read_exact(&mut got).unwrap();
            assert_eq!((got[0], got[1], got[1001], got[3002]), (0, number, 1, number));
        }
    }

    #[test]
    fn a_full_socket_and_a_closed_one_fail_alone() {
        let Some(mut ring) = ring() else { return };
        let ((full, _full_reader), (good, mut good_reader), (gone, gone_reader)) = (pair(), pair(), pair());
        drop(gone_reader);
        let large = vec![1; 8 << 20];
        let mut outcomes = Vec::new();
        // The second round meets the full buffer and the reset.
        for _ in 0..3 {
            let mut batch = ring.batch();
            for (socket, data) in [(&full, &large[..]), (&good, &large[..3]), (&gone, &large[..3])] {
                batch.add(socket.as_fd(), std::iter::once(data));
            }
            batch.send(&mut outcomes).unwrap();
        }
        assert_eq!(outcomes[0].result, -libc::EAGAIN);
        assert_eq!(outcomes[1].result, 3);
        assert!([-libc::EPIPE, -libc::ECONNRESET].contains(&outcomes[2].result));
        let mut got = [0; 9];
        good_reader.read_exact(&mut got).unwrap();
    }
}
