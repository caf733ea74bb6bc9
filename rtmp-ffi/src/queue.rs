//! Queues: callbacks on the host's own thread.

use std::sync::Arc;
use std::time::Duration;

use rtmp_core::Queue;

use crate::engine::rtmpkit_engine;
use crate::error::{rtmpkit_result, waited_in};
use crate::handle::{Castable, add_ref, give, unref};
use crate::log::{self, Sink};

/// Events that wait for a thread of the host. An object whose configuration names a queue has its callbacks run by
/// `rtmpkit_queue_dispatch`. Keep the queue until their `on_release` came: with the last unref, events that wait are
/// dropped (requests are refused), and each `on_release` comes at once, on the thread that drops it. Since 0.1.
pub struct rtmpkit_queue {
    pub(crate) queue: Queue,
    sink: Option<Arc<Sink>>,
}

impl Castable for rtmpkit_queue {
    const NAME: &'static str = "queue";
    const TAG: u32 = 0x5155_4531;
}

impl Drop for rtmpkit_queue {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// Makes a queue. When `capacity` events wait, media is dropped to the next keyframe; everything else is kept. Who plays gets
/// seconds of media at once, from a recording and as a late joiner: take some thousands then. What was dropped is counted, by
/// `rtmpkit_subscription_dropped` and `rtmpkit_net_stream_stats`.
/// Ownership: one reference in `*out`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for capacity 0, `RTMPKIT_ERR_IO`.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_queue_create(
    engine: *mut rtmpkit_engine,
    capacity: usize,
    out: *mut *mut rtmpkit_queue,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let sink = host.handle(engine)?.sink.clone();
        let queue = Queue::new(capacity)?;
        host.put(out, give(rtmpkit_queue { queue, sink }), "out")?;
        Ok(0)
    })
}

/// A descriptor that is readable while events wait, for `poll` and the like. Ownership: the queue's; do not read or
/// close it. Errors: negative. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_queue_fd(queue: *mut rtmpkit_queue) -> i32 {
    entry!(|host| Ok(host.handle(queue)?.queue.fd()))
}

/// Runs at most `max` events on this thread, waiting up to `timeout_ms` for the first (0 not at all, negative for
/// ever). `*count`, if `count` is not NULL, is how many ran.
/// Threads: one at a time; not one of the library's. Errors: `RTMPKIT_ERR_WRONG_THREAD`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_queue_dispatch(
    queue: *mut rtmpkit_queue,
    max: usize,
    timeout_ms: i32,
    count: *mut usize,
) -> rtmpkit_result {
    entry!(|host| {
        let queue = host.handle(queue)?;
        let _logging = queue.sink.as_ref().map(log::enter);
        let timeout = u64::try_from(timeout_ms).map_or(Duration::MAX, Duration::from_millis);
        let ran = queue.queue.dispatch(max, timeout);
        let ran = ran.map_err(waited_in("rtmpkit_queue_dispatch"))?;
        host.put_optional(count, ran)?;
        Ok(0)
    })
}

/// Makes a waiting `rtmpkit_queue_dispatch` return, or the next one not wait. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_queue_wakeup(queue: *mut rtmpkit_queue) -> rtmpkit_result {
    entry!(|host| {
        host.handle(queue)?.queue.wakeup();
        Ok(0)
    })
}

/// Adds a reference and returns `queue`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_queue_ref(queue: *mut rtmpkit_queue) -> *mut rtmpkit_queue {
    entry!(|host| add_ref(&host, queue))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_queue_unref(queue: *mut rtmpkit_queue) {
    entry!(|host| unref(&host, queue));
}
