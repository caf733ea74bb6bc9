//! The host as a player of a live stream, without a socket.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use parking_lot::Mutex;
use rtmp_core::{Error, Frame, SubscribeOptions, Subscriber, Subscription};

use crate::error::rtmpkit_result;
use crate::handle::{Castable, add_ref, give, unref};
use crate::host::Growing;
use crate::media::{LentMedia, rtmpkit_media};
use crate::queue::rtmpkit_queue;
use crate::release::{Home, Release, UserData, rtmpkit_release_fn};
use crate::stream::rtmpkit_stream;

/// A subscription to a live stream. Since 0.1.
pub struct rtmpkit_subscription {
    subscription: Mutex<Option<Subscription>>,
}

impl Castable for rtmpkit_subscription {
    const NAME: &'static str = "subscription";
    const TAG: u32 = 0x5355_4231;
}

/// Settings of a subscription; `rtmpkit_subscribe_options_init` fills in the defaults. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_subscribe_options {
    /// Set by `rtmpkit_subscribe_options_init`.
    pub struct_size: usize,
    /// Where callbacks run. NULL, the default: on the library's threads.
    pub queue: *mut rtmpkit_queue,
    /// 1 leaves out what the stream holds for late joiners, except sequence headers and metadata. Default: 0.
    pub skip_backlog: i32,
}

// SAFETY: `repr(C)`, `struct_size` first, integers and a raw pointer.
unsafe impl Growing for rtmpkit_subscribe_options {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            queue: ptr::null_mut(),
            skip_backlog: 0,
        }
    }
}

/// What a subscription gets, one event at a time and in order. NULL members do nothing. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_subscription_events {
    /// Set by `rtmpkit_subscription_events_init`.
    pub struct_size: usize,
    /// Somebody began to publish; comes first if somebody publishes already.
    pub on_publish: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// A media message: metadata, sequence headers and the current group of pictures first, then live.
    pub on_media: Option<unsafe extern "C" fn(user_data: *mut c_void, media: *const rtmpkit_media)>,
    /// The publisher left.
    pub on_unpublish: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Rule 7: comes after `rtmpkit_subscription_close`, after the last unref, or with the engine's end.
    pub on_release: rtmpkit_release_fn,
}

// SAFETY: `repr(C)`, `struct_size` first, optional function pointers.
unsafe impl Growing for rtmpkit_subscription_events {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            on_publish: None,
            on_media: None,
            on_unpublish: None,
            on_release: None,
        }
    }
}

/// Fills in the defaults. Pass `sizeof *options`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_subscribe_options_init(
    options: *mut rtmpkit_subscribe_options,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(options, struct_size))
}

/// Sets all members to NULL. Pass `sizeof *events`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_subscription_events_init(
    events: *mut rtmpkit_subscription_events,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(events, struct_size))
}

/// Subscribes to a stream, whether or not somebody publishes it yet. `options` may be NULL, `events` not.
/// Ownership: one reference in `*out`; the last unref closes the subscription. Errors: `RTMPKIT_ERR_CLOSED` if the
/// engine is. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_stream_subscribe(
    stream: *mut rtmpkit_stream,
    options: *const rtmpkit_subscribe_options,
    events: *const rtmpkit_subscription_events,
    user_data: *mut c_void,
    out: *mut *mut rtmpkit_subscription,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let handle = host.handle(stream)?;
        let (options, events) = (
            host.read_optional(options, "options")?,
            host.read(events, "events")?,
        );
        if handle.home.engine.is_closed() {
            return Err(Error::Closed("engine").into());
        }
        let queue = host.optional_handle(options.queue.cast_const())?;
        let home = Home {
            dispatch: queue
                .as_ref()
                .map_or_else(rtmp_core::Dispatch::inline, |queue| queue.queue.to_dispatch()),
            queued: queue.is_some(),
            ..handle.home.clone()
        };
        let mut settings = SubscribeOptions::default();
        settings.dispatch = home.dispatch.clone();
        settings.skip_backlog = options.skip_backlog != 0;
        let user_data = UserData(user_data);
        let release = Release::new(events.on_release, user_data, home);
        let handler = Arc::new(Handler {
            events,
            user_data,
            release,
        });
        handler.release.arm();
        let subscription = Mutex::new(Some(handle.stream.subscribe(settings, handler)));
        host.put(out, give(rtmpkit_subscription { subscription }), "out")?;
        Ok(0)
    })
}

/// Media messages dropped because the queue was full; 0 after close, and for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_subscription_dropped(subscription: *mut rtmpkit_subscription) -> u64 {
    entry!(|host| {
        let handle = host.handle(subscription)?;
        let dropped = handle
            .subscription
            .lock()
            .as_ref()
            .map_or(0, Subscription::dropped);
        Ok(dropped)
    })
}

/// Ends the subscription: no callback but `on_release` begins after this returned, one may be running. Closing again
/// does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_subscription_close(
    subscription: *mut rtmpkit_subscription,
) -> rtmpkit_result {
    entry!(|host| {
        let handle = host.handle(subscription)?;
        let ended = handle.subscription.lock().take();
        drop(ended);
        Ok(0)
    })
}

/// Adds a reference and returns `subscription`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_subscription_ref(
    subscription: *mut rtmpkit_subscription,
) -> *mut rtmpkit_subscription {
    entry!(|host| add_ref(&host, subscription))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_subscription_unref(subscription: *mut rtmpkit_subscription) {
    entry!(|host| unref(&host, subscription));
}

/// The host's functions as the core's subscriber.
struct Handler {
    events: rtmpkit_subscription_events,
    user_data: UserData,
    release: Release,
}

impl Subscriber for Handler {
    fn on_publish(&self) {
        call_host!(self.events.on_publish, self.user_data.0);
    }

    fn on_frame(&self, frame: &Frame) {
        let media = LentMedia::new(frame);
        call_host!(self.events.on_media, self.user_data.0, &raw const media.media);
    }

    fn on_unpublish(&self) {
        call_host!(self.events.on_unpublish, self.user_data.0);
    }
}
