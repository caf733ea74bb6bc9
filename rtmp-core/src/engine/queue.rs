//! A queue of events that the host serves on a thread of its own.

use std::collections::VecDeque;
use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::app::dispatch::{Dispatch, Executor};
use crate::engine::mailbox::on_library_thread;
use crate::error::{Error, Result};

/// Events waiting for the host. While there are any, [`fd`](Self::fd) is readable, so that a host's own loop can wait
/// for it; [`dispatch`](Self::dispatch) then runs the handlers on the calling thread.
///
/// The queue is bounded: when `capacity` events wait, frames are dropped to the next keyframe; all else is kept.
/// Clones name the same queue; when the host drops the last, events that wait are dropped with it, and those that come
/// later.
#[derive(Clone)]
pub struct Queue {
    inner: Arc<Inner>,
    _closer: Arc<Closer>,
}

/// Breaks the circle of a queue, the events in it, and the handlers in those that name the queue.
struct Closer(Arc<Inner>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Inner {
    capacity: usize,
    /// Jobs that wait, for those who only want to know how many.
    waiting: AtomicUsize,
    held_back: AtomicU64,
    state: Mutex<State>,
    filled: Condvar,
    reader: UnixStream,
    writer: UnixStream,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    signalled: bool,
    woken: bool,
    closed: bool,
}

type Job = Box<dyn FnOnce() + Send>;

/// Of what must not be dropped there may be this much more than the capacity, before nothing more is read.
const OVERFULL: usize = 4;
const LEAST_OVERFULL: usize = 1024;

impl Queue {
    /// A queue for `capacity` events. [`Error::InvalidArgument`] for 0, [`Error::Io`] if the system gives no descriptor.
    pub fn new(capacity: usize) -> Result<Self> {
        if capacity == 0 {
            return Err(Error::InvalidArgument("queue capacity 0".to_owned()));
        }
        let (reader, writer) =
            UnixStream::pair().map_err(|error| Error::io("make a queue's descriptor", error))?;
        for end in [&reader, &writer] {
            end.set_nonblocking(true)
                .map_err(|error| Error::io("make a queue's descriptor", error))?;
        }
        let inner = Inner {
            capacity,
            waiting: AtomicUsize::new(0),
            held_back: AtomicU64::new(0),
            state: Mutex::default(),
            filled: Condvar::new(),
            reader,
            writer,
        };
        let inner = Arc::new(inner);
        Ok(Self {
            _closer: Arc::new(Closer(Arc::clone(&inner))),
            inner,
        })
    }

    /// The choice of this queue as the place where handlers run.
    pub fn to_dispatch(&self) -> Dispatch {
        Dispatch::to(Arc::clone(&self.inner) as Arc<dyn Executor>)
    }

    /// A descriptor that is readable while events wait. It belongs to the queue: poll it, do not read or close it.
    pub fn fd(&self) -> RawFd {
        self.inner.reader.as_raw_fd()
    }

    /// Events waiting now.
    pub fn len(&self) -> usize {
        self.inner.state.lock().jobs.len()
    }

    /// How often connections were not read because too many events waited: beyond four times the capacity, and 1,024, those
    /// whose events come here wait until there are fewer. Nothing of what they send is lost.
    pub fn held_back(&self) -> u64 {
        self.inner.held_back.load(Relaxed)
    }

    /// Whether no event waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs at most `max` events on this thread, waiting up to `timeout` for the first; returns how many ran. Returns
    /// early, with 0, after [`wakeup`](Self::wakeup). [`Error::WrongThread`] on a thread of the library.
    pub fn dispatch(&self, max: usize, timeout: Duration) -> Result<usize> {
        if on_library_thread() {
            return Err(Error::WrongThread("Queue::dispatch"));
        }
        self.wait(timeout);
        let mut count = 0;
        while count < max {
            let Some(job) = self.inner.next() else { break };
            job();
            count += 1;
        }
        Ok(count)
    }

    /// Makes a waiting [`dispatch`](Self::dispatch) return.
    pub fn wakeup(&self) {
        self.inner.state.lock().woken = true;
        self.inner.filled.notify_all();
    }

    /// Drops the events that wait and all that come later; a waiting [`dispatch`](Self::dispatch) returns.
    pub fn close(&self) {
        self.inner.close();
    }

    fn wait(&self, timeout: Duration) {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.inner.state.lock();
        while state.jobs.is_empty() && !state.woken && !state.closed {
            let timed_out = match deadline {
                Some(deadline) => self.inner.filled.wait_until(&mut state, deadline).timed_out(),
                None => {
                    self.inner.filled.wait(&mut state);
                    false
                }
            };
            if timed_out {
                break;
            }
        }
        state.woken = false;
    }
}

impl Executor for Queue {
    fn run(&self, job: Job) {
        self.inner.run(job);
    }

    fn try_run(&self, job: Job) -> bool {
        self.inner.try_run(job)
    }

    fn is_overfull(&self) -> bool {
        self.inner.is_overfull()
    }
}

impl Inner {
    fn close(&self) {
        let jobs = {
            let mut state = self.state.lock();
            state.closed = true;
            state.woken = true;
            self.waiting.store(0, Relaxed);
            std::mem::take(&mut state.jobs)
        };
        self.filled.notify_all();
        drop(jobs);
    }

    /// Takes an event; the descriptor goes quiet with the last one.
    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        let job = state.jobs.pop_front();
        self.waiting.store(state.jobs.len(), Relaxed);
        if state.jobs.is_empty() && state.signalled {
            state.signalled = false;
            let mut sink = [0; 16];
            while matches!((&self.reader).read(&mut sink), Ok(1..)) {}
        }
        job
    }

    fn push(&self, state: &mut State, job: Job) {
        state.jobs.push_back(job);
        self.waiting.store(state.jobs.len(), Relaxed);
        if !state.signalled {
            state.signalled = true;
            match (&self.writer).write(&[1]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => log::error!("a queue's descriptor cannot be signalled: {error}"),
            }
        }
        self.filled.notify_one();
    }
}

impl Executor for Inner {
    fn run(&self, job: Job) {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            return drop(job);
        }
        self.push(&mut state, job);
    }

    fn try_run(&self, job: Job) -> bool {
        let mut state = self.state.lock();
        let room = state.jobs.len() < self.capacity && !state.closed;
        if room {
            self.push(&mut state, job);
        }
        room
    }

    fn is_overfull(&self) -> bool {
        let most = self.capacity.saturating_mul(OVERFULL).max(LEAST_OVERFULL);
        let overfull = self.waiting.load(Relaxed) > most;
        if overfull {
            self.held_back.fetch_add(1, Relaxed);
        }
        overfull
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue")
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Queue({} of {})", self.len(), self.inner.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    fn readable(queue: &Queue) -> bool {
        let mut byte = [std::mem::MaybeUninit::new(0)];
        matches!(socket2::SockRef::from(&queue.inner.reader).peek(&mut byte), Ok(1))
    }

    #[test]
    fn events_run_in_order_and_the_descriptor_is_readable_while_any_wait() {
        let queue = Queue::new(8).unwrap();
        let ran = Arc::new(Mutex::new(Vec::new()));
        assert!(!readable(&queue));
        for number in 0..3 {
            let ran = Arc::clone(&ran);
            queue.run(Box::new(move || ran.lock().push(number)));
        }
        assert!(readable(&queue));
        assert_eq!(queue.dispatch(2, Duration::ZERO).unwrap(), 2);
        assert!(readable(&queue));
        assert_eq!(queue.dispatch(9, Duration::ZERO).unwrap(), 1);
        assert!(!readable(&queue));
        assert_eq!(*ran.lock(), [0, 1, 2]);
    }

    #[test]
    fn a_full_queue_refuses_frames_and_takes_the_rest() {
        let queue = Queue::new(1).unwrap();
        let ran = Arc::new(AtomicUsize::new(0));
        let job = |ran: &Arc<AtomicUsize>| -> Job {
            let ran = Arc::clone(ran);
            Box::new(move || {
                ran.fetch_add(1, SeqCst);
            })
        };
        assert!(queue.try_run(job(&ran)));
        assert!(!queue.try_run(job(&ran)));
        queue.run(job(&ran));
        assert_eq!(queue.dispatch(10, Duration::ZERO).unwrap(), 2);
        assert_eq!(ran.load(SeqCst), 2);
    }

    #[test]
    fn a_closed_queue_drops_events_and_waits_no_more() {
        let queue = Queue::new(8).unwrap();
        let held = Arc::new(());
        for _ in 0..2 {
            let held = Arc::clone(&held);
            queue.run(Box::new(move || drop(held)));
            queue.close();
        }
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(queue.dispatch(1, Duration::from_secs(3600)).unwrap(), 0);
    }

    #[test]
    fn events_that_name_their_queue_do_not_keep_it() {
        let queue = Queue::new(8).unwrap();
        let held = Arc::new(());
        let (dispatch, kept) = (queue.to_dispatch(), Arc::clone(&held));
        let inside = dispatch.clone();
        dispatch.run(move || drop((inside, kept)));
        drop(queue);
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(!dispatch.try_run(|| ()));
    }

    #[test]
    fn wakeup_ends_a_wait() {
        let queue = Queue::new(1).unwrap();
        queue.wakeup();
        assert_eq!(queue.dispatch(1, Duration::from_secs(3600)).unwrap(), 0);
    }
}
