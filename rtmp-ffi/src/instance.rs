//! Application instances.

use std::ffi::{CString, c_char, c_void};

use rtmp_core::Instance;

use crate::application::rtmpkit_application;
use crate::client::rtmpkit_client;
use crate::error::{Failure, rtmpkit_result};
use crate::handle::{Castable, add_ref, give, unref};
use crate::host::Growing;
use crate::release::Home;
use crate::server::rtmpkit_traffic;
use crate::status::rtmpkit_reply_fn;
use crate::stream::rtmpkit_stream;
use crate::string::c_string;
use crate::value::rtmpkit_value;

/// One instance of an application, for example `live/room`. It lives while it has a client, a stream or a handle.
/// Since 0.1.
pub struct rtmpkit_instance {
    pub(crate) instance: Instance,
    pub(crate) home: Home,
    name: CString,
}

impl Castable for rtmpkit_instance {
    const NAME: &'static str = "instance";
    const TAG: u32 = 0x494e_5331;
}

impl rtmpkit_instance {
    pub(crate) fn new(instance: Instance, home: Home) -> Self {
        Self {
            name: c_string(instance.name()),
            instance,
            home,
        }
    }
}

/// What an instance counts; `rtmpkit_instance_counters_init` sets the size. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_instance_counters {
    /// Set by `rtmpkit_instance_counters_init`.
    pub struct_size: usize,
    /// Clients connected now.
    pub clients: u64,
    /// Connections accepted since the instance started.
    pub accepted: u64,
    /// Connections refused since the instance started.
    pub rejected: u64,
    /// Streams with a publisher, a player or a handle now.
    pub streams: u64,
    /// Sums over all clients, those that left included.
    pub traffic: rtmpkit_traffic,
}

// SAFETY: `repr(C)`, `struct_size` first, integers.
unsafe impl Growing for rtmpkit_instance_counters {
    fn defaults() -> Self {
        let traffic = rtmpkit_traffic::default();
        Self {
            struct_size: 0,
            clients: 0,
            accepted: 0,
            rejected: 0,
            streams: 0,
            traffic,
        }
    }
}

/// Sets the size. Pass `sizeof *counters`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_counters_init(
    counters: *mut rtmpkit_instance_counters,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(counters, struct_size))
}

/// Finds an instance, or brings it to life. NULL or "" is the default instance; for the application `*` the name is
/// `app/instance`. Ownership: one reference in `*out`. Errors: `RTMPKIT_ERR_CLOSED`, `RTMPKIT_ERR_INVALID_ARGUMENT`.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_get(
    application: *mut rtmpkit_application,
    name: *const c_char,
    out: *mut *mut rtmpkit_instance,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let application = host.handle(application)?;
        let name = host.optional_text(name, "name")?.unwrap_or("");
        let instance = application.application()?.instance(name)?;
        host.put(
            out,
            give(rtmpkit_instance::new(instance, application.home.clone())),
            "out",
        )?;
        Ok(0)
    })
}

/// Application and instance name, `live/_definst_` for the default one. Ownership: the handle's. Errors: NULL.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_name(instance: *mut rtmpkit_instance) -> *const c_char {
    entry!(|host| Ok(host.handle(instance)?.name.as_ptr()))
}

/// Calls a method of every client connected now; no result is asked for. `args` may be NULL if `count` is 0. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_broadcast(
    instance: *mut rtmpkit_instance,
    method: *const c_char,
    args: *const *const rtmpkit_value,
    count: usize,
) -> rtmpkit_result {
    entry!(|host| {
        let args = host.values(args, count)?;
        host.handle(instance)?
            .instance
            .broadcast(host.text(method, "method")?, &args);
        Ok(0)
    })
}

/// Lists the clients connected now: fills `out` with at most `capacity` handles; `*count` is how many there are, which
/// may be more. `out` may be NULL if `capacity` is 0. Ownership: one reference in each. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_clients(
    instance: *mut rtmpkit_instance,
    out: *mut *mut rtmpkit_client,
    capacity: usize,
    count: *mut usize,
) -> rtmpkit_result {
    entry!(|host| {
        let instance = host.handle(instance)?;
        if capacity > 0 {
            host.want(out, "out")?;
        }
        let clients = instance.instance.clients();
        host.put(count, clients.len(), "count")?;
        if capacity > 0 {
            let handles = clients.into_iter().take(capacity);
            let handles = handles.map(|client| give(rtmpkit_client::new(client, instance.home.clone())));
            host.put_all(out, handles.collect(), "out")?;
        }
        Ok(0)
    })
}

/// Lists the streams that have a publisher, a player or a handle, as `rtmpkit_instance_clients` lists clients.
/// Ownership: one reference in each. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_streams(
    instance: *mut rtmpkit_instance,
    out: *mut *mut rtmpkit_stream,
    capacity: usize,
    count: *mut usize,
) -> rtmpkit_result {
    entry!(|host| {
        let instance = host.handle(instance)?;
        if capacity > 0 {
            host.want(out, "out")?;
        }
        let streams = instance.instance.streams();
        host.put(count, streams.len(), "count")?;
        if capacity > 0 {
            let handles = streams.into_iter().take(capacity);
            let handles = handles.map(|stream| give(rtmpkit_stream::new(stream, instance.home.clone())));
            host.put_all(out, handles.collect(), "out")?;
        }
        Ok(0)
    })
}

/// Clears a stream: takes it from whoever publishes it, and deletes the files of its name; with a type prefix (`flv:`,
/// `mp4:`, `mp3:`) the file of that kind alone. `reply` takes how many streams and files there were, or
/// `NetStream.Clear.Failed`; NULL asks for none.
/// Errors: `RTMPKIT_ERR_INVALID_ARGUMENT`, `RTMPKIT_ERR_CLOSED`; `reply` is then not called. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_clear_stream(
    instance: *mut rtmpkit_instance,
    name: *const c_char,
    reply: rtmpkit_reply_fn,
    user_data: *mut c_void,
) -> rtmpkit_result {
    entry!(|host| {
        let (handle, name) = (host.handle(instance)?, host.text(name, "name")?);
        let instance = &handle.instance;
        handle
            .home
            .asked(reply, user_data, |reply| instance.clear_stream(name, reply))
    })
}

/// Clears the streams that a path names, live and recorded: `/` all, `/a/b` one, `/a/` all below `a`; in the last segment
/// `*` stands for any characters and `?` for one. That there is none is no failure. Otherwise as
/// `rtmpkit_instance_clear_stream`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_clear_streams(
    instance: *mut rtmpkit_instance,
    path: *const c_char,
    reply: rtmpkit_reply_fn,
    user_data: *mut c_void,
) -> rtmpkit_result {
    entry!(|host| {
        let (handle, path) = (host.handle(instance)?, host.text(path, "path")?);
        let instance = &handle.instance;
        handle
            .home
            .asked(reply, user_data, |reply| instance.clear_streams(path, reply))
    })
}

/// Looks up how long a stream is: `reply` takes a number of seconds, as long as the file of its name, with a type prefix
/// (`flv:`, `mp4:`, `mp3:`) that of its kind; 0 while it is published, and where there is no file. NetStream.Failed if the file
/// cannot be read. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for a NULL `reply`, `RTMPKIT_ERR_FULL`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_stream_length(
    instance: *mut rtmpkit_instance,
    name: *const c_char,
    reply: rtmpkit_reply_fn,
    user_data: *mut c_void,
) -> rtmpkit_result {
    entry!(|host| {
        let (handle, name) = (host.handle(instance)?, host.text(name, "name")?);
        if reply.is_none() {
            return Err(Failure::invalid(
                "reply is NULL: there would be nobody to tell".to_owned(),
            ));
        }
        handle.home.asked(reply, user_data, |reply| match reply {
            Some(reply) => handle.instance.stream_length(name, reply),
            None => Ok(()),
        })
    })
}

/// Lets go of the streams and shared objects that nobody uses, and stores the shared objects that changed. They go by
/// themselves within seconds: this is for a host that cannot wait. Returns how many were let go. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_collect(instance: *mut rtmpkit_instance) -> rtmpkit_result {
    entry!(|host| {
        let gone = host.handle(instance)?.instance.collect();
        Ok(i32::try_from(gone).unwrap_or(i32::MAX))
    })
}

/// Ends an instance: its clients get NetConnection.Connect.AppShutdown and are disconnected, shared objects are stored, and
/// `on_instance_stop` follows. Who connects next starts a new instance of the name. Returns 1, or 0 if it was unloaded
/// before. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_unload(instance: *mut rtmpkit_instance) -> rtmpkit_result {
    entry!(|host| Ok(host.handle(instance)?.instance.unload().into()))
}

/// Whether `rtmpkit_instance_unload` was called, or the application closed. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_is_unloaded(instance: *mut rtmpkit_instance) -> bool {
    entry!(|host| Ok(host.handle(instance)?.instance.is_unloaded()))
}

/// Reads counters. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_stats(
    instance: *mut rtmpkit_instance,
    counters: *mut rtmpkit_instance_counters,
) -> rtmpkit_result {
    entry!(|host| {
        let stats = host.handle(instance)?.instance.stats();
        let value = rtmpkit_instance_counters {
            struct_size: 0,
            clients: stats.clients as u64,
            accepted: stats.accepted,
            rejected: stats.rejected,
            streams: stats.streams as u64,
            traffic: stats.traffic.into(),
        };
        host.fill(counters, value, "counters")
    })
}

/// Adds a reference and returns `instance`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_ref(instance: *mut rtmpkit_instance) -> *mut rtmpkit_instance {
    entry!(|host| add_ref(&host, instance))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_instance_unref(instance: *mut rtmpkit_instance) {
    entry!(|host| unref(&host, instance));
}
