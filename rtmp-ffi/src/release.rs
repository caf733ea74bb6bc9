//! The last event of every `user_data`: `on_release`, exactly once, when nothing can be called with it any more.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use rtmp_core::{Dispatch, Engine, Error, Reply, Status, Value};

use crate::error::Failure;
use crate::status::{ReplyTo, rtmpkit_reply_fn};

/// The last call with a `user_data`: nothing will be called with it again. Since 0.1.
pub type rtmpkit_release_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// The host's pointer, handed back to it and never looked at.
#[derive(Clone, Copy)]
pub(crate) struct UserData(pub(crate) *mut c_void);

// SAFETY: the library never follows the pointer; the host is told that its functions run on several threads.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

/// Where an object's callbacks run, and what ends there.
#[derive(Clone)]
pub(crate) struct Home {
    /// The engine whose threads may announce ends.
    pub(crate) engine: Engine,
    /// A queue of the host, or inline.
    pub(crate) dispatch: Dispatch,
    /// Whether `dispatch` is a queue.
    pub(crate) queued: bool,
    /// Ends on their way.
    pub(crate) pending: Arc<Pending>,
}

/// Held by everything that may call the host with a `user_data`; dropping it announces the end.
pub(crate) struct Release {
    last: Option<Last>,
    home: Home,
    armed: AtomicBool,
}

/// The call itself. It happens when this is dropped, so that a queue or thread that is gone cannot lose it.
struct Last {
    on_release: rtmpkit_release_fn,
    user_data: UserData,
}

/// Ends on their way on the engine's threads, so that `rtmpkit_engine_join` can wait for them.
#[derive(Default)]
pub(crate) struct Pending {
    count: Mutex<usize>,
    none: Condvar,
}

impl Home {
    /// Runs a job soon where callbacks run, never inside the call that is under way. A job that finds no thread any
    /// more runs its destructors right here.
    pub(crate) fn later(&self, job: impl FnOnce() + Send + 'static) {
        if self.queued {
            return self.dispatch.run(job);
        }
        let counted = Counted::new(&self.pending);
        let job = move || {
            job();
            drop(counted);
        };
        let _ = self.engine.defer(job);
    }

    /// The core's form of a host's reply function; answers come where the other callbacks do. Forget the question if
    /// the core does not take the call.
    pub(crate) fn ask(&self, function: rtmpkit_reply_fn, user_data: *mut c_void) -> (Arc<Question>, Reply) {
        let reply = Mutex::new(Some(ReplyTo::new(function, user_data)));
        let question = Arc::new(Question {
            home: self.clone(),
            reply,
        });
        let asked = Arc::clone(&question);
        (question, Box::new(move |answer| asked.settle(Some(answer))))
    }

    /// Makes a call of the core that takes a reply, or none.
    pub(crate) fn asked(
        &self,
        function: rtmpkit_reply_fn,
        user_data: *mut c_void,
        call: impl FnOnce(Option<Reply>) -> Result<(), Error>,
    ) -> Result<i32, Failure> {
        if function.is_none() {
            call(None)?;
            return Ok(0);
        }
        let (question, reply) = self.ask(function, user_data);
        call(Some(reply)).inspect_err(|_| question.forget())?;
        Ok(0)
    }
}

/// A call that waits for its answer.
pub(crate) struct Question {
    home: Home,
    reply: Mutex<Option<ReplyTo>>,
}

impl Question {
    /// Takes the question back.
    pub(crate) fn forget(&self) {
        if let Some(reply) = self.reply.lock().take() {
            reply.forget();
        }
    }

    fn settle(&self, answer: Option<Result<Value, Status>>) {
        let reply = self.reply.lock().take();
        let Some(mut reply) = reply else { return };
        if let Some(answer) = answer {
            reply.set(answer);
        }
        if self.home.queued || crate::panic::is_inside() {
            self.home.later(move || drop(reply));
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.settle(None);
    }
}

impl Release {
    /// Announces nothing until it is armed: a creation that fails has taken nothing.
    pub(crate) fn new(on_release: rtmpkit_release_fn, user_data: UserData, home: Home) -> Self {
        let armed = AtomicBool::new(false);
        Self {
            last: Some(Last {
                on_release,
                user_data,
            }),
            home,
            armed,
        }
    }

    /// The creation succeeded.
    pub(crate) fn arm(&self) {
        self.armed.store(true, Ordering::Release);
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        let Some(mut last) = self.last.take() else { return };
        if !self.armed.load(Ordering::Acquire) {
            last.on_release = None;
        }
        if last.on_release.is_some() {
            self.home.later(move || drop(last));
        }
    }
}

impl Drop for Last {
    fn drop(&mut self) {
        call_host!(self.on_release, self.user_data.0);
    }
}

struct Counted(Arc<Pending>);

impl Counted {
    fn new(pending: &Arc<Pending>) -> Self {
        *pending.count.lock() += 1;
        Self(Arc::clone(pending))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        *self.0.count.lock() -= 1;
        self.0.none.notify_all();
    }
}

impl Pending {
    /// Waits until none is on its way; false when the time ran out first. `None` waits for ever.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut count = self.count.lock();
        while *count > 0 {
            match deadline {
                None => self.none.wait(&mut count),
                Some(deadline) => {
                    if self.none.wait_until(&mut count, deadline).timed_out() {
                        return *count == 0;
                    }
                }
            }
        }
        true
    }
}
