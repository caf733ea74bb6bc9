//! Shared objects: those of an instance of this server, and those of another server that a connection joins.

use std::ffi::{CString, c_char, c_void};
use std::mem::size_of;
use std::ptr;
use std::sync::Arc;

use rtmp_core::{
    Client, RemoteSharedObject, SharedObject, SharedObjectHandler, SlotChange, SlotChangeKind, Status, Value,
};

use crate::client::rtmpkit_client;
use crate::error::{Failure, rtmpkit_result};
use crate::handle::{Castable, Lent, add_ref, give, unref};
use crate::host::Growing;
use crate::instance::rtmpkit_instance;
use crate::net_connection::rtmpkit_net_connection;
use crate::release::{Home, Release, UserData, rtmpkit_release_fn};
use crate::status::{LentStatus, rtmpkit_status};
use crate::string::c_string;
use crate::value::{LentValues, rtmpkit_value};

/// Named slots that several hosts and clients change together. Local: made by `rtmpkit_shared_object_open`, of an
/// instance of this server. Remote: made by `rtmpkit_shared_object_connect`, a copy that follows the server's. Since 0.1.
pub struct rtmpkit_shared_object {
    pub(crate) object: Side,
    pub(crate) home: Home,
    name: CString,
    /// The host made this handle: letting go of it closes the object.
    own: bool,
}

/// Which end of a shared object a handle is.
#[derive(Clone)]
pub(crate) enum Side {
    Local(SharedObject),
    Remote(RemoteSharedObject),
}

impl Castable for rtmpkit_shared_object {
    const NAME: &'static str = "shared object";
    const TAG: u32 = 0x534f_4231;
}

impl Side {
    fn name(&self) -> &str {
        match self {
            Self::Local(object) => object.name(),
            Self::Remote(object) => object.name(),
        }
    }

    fn close(&self) {
        match self {
            Self::Local(object) => object.close(),
            Self::Remote(object) => object.close(),
        }
    }
}

impl From<&SharedObject> for Side {
    fn from(object: &SharedObject) -> Self {
        Self::Local(object.clone())
    }
}

impl From<&RemoteSharedObject> for Side {
    fn from(object: &RemoteSharedObject) -> Self {
        Self::Remote(object.clone())
    }
}

impl rtmpkit_shared_object {
    fn new(object: Side, home: Home, own: bool) -> Self {
        Self {
            name: c_string(object.name()),
            object,
            home,
            own,
        }
    }
}

impl Drop for rtmpkit_shared_object {
    fn drop(&mut self) {
        if self.own {
            self.object.close();
        }
    }
}

/// Names of what became of a slot. Since 0.1.
#[repr(C)]
pub enum rtmpkit_slot_changes {
    /// Somebody else set it.
    RTMPKIT_SLOT_CHANGE = 1,
    /// Somebody removed it.
    RTMPKIT_SLOT_DELETE = 2,
    /// The server accepted the change that this side asked for. Remote objects only.
    RTMPKIT_SLOT_SUCCESS = 3,
    /// The server refused the change that this side asked for; the slot is as `new_value` says. Remote objects only.
    RTMPKIT_SLOT_REJECT = 4,
}

/// A changed slot. It belongs to the library and is valid until the callback returns. Since 0.1.
#[repr(C)]
pub struct rtmpkit_slot_change {
    /// Size of this struct in the library that runs.
    pub struct_size: usize,
    /// One of `rtmpkit_slot_changes`.
    pub kind: i32,
    /// The slot's name. Never NULL.
    pub name: *const c_char,
    /// What it was; NULL if it did not exist.
    pub old_value: *const rtmpkit_value,
    /// What it is; NULL if it does not exist any more.
    pub new_value: *const rtmpkit_value,
}

/// What happens to a shared object, one event at a time and in order, where the application's or the connection's
/// callbacks run. What a handle does itself is not reported to it. NULL members do nothing. `object` is lent; a
/// reference to it does not keep the object open. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_shared_object_events {
    /// Set by `rtmpkit_shared_object_events_init`.
    pub struct_size: usize,
    /// Slots changed, all at once: `changes` points to `count` pointers. A remote object hears it also, with as many
    /// changes as there are slots, when the server let it join.
    pub on_sync: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            object: *mut rtmpkit_shared_object,
            changes: *const *const rtmpkit_slot_change,
            count: usize,
        ),
    >,
    /// Somebody sent a message to the object's users. `sender` is the client if it is one of this server, otherwise NULL.
    pub on_message: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            object: *mut rtmpkit_shared_object,
            sender: *mut rtmpkit_client,
            handler: *const c_char,
            args: *const *const rtmpkit_value,
            count: usize,
        ),
    >,
    /// Something failed: `SharedObject.NoReadAccess`, `.NoWriteAccess`, `.ObjectCreationFailed`, `.BadPersistence` from
    /// another server, `SharedObject.Flush.Failed` from this one.
    pub on_status: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            object: *mut rtmpkit_shared_object,
            status: *const rtmpkit_status,
        ),
    >,
    /// All slots were removed.
    pub on_clear: Option<unsafe extern "C" fn(user_data: *mut c_void, object: *mut rtmpkit_shared_object)>,
    /// Rule 7: comes after `rtmpkit_shared_object_close`, or after the last unref.
    pub on_release: rtmpkit_release_fn,
}

// SAFETY: `repr(C)`, `struct_size` first, optional function pointers.
unsafe impl Growing for rtmpkit_shared_object_events {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            on_sync: None,
            on_message: None,
            on_status: None,
            on_clear: None,
            on_release: None,
        }
    }
}

/// Sets all members to NULL. Pass `sizeof *events`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_events_init(
    events: *mut rtmpkit_shared_object_events,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(events, struct_size))
}

/// Opens the shared object of that name of an instance, made if there is none; while there is a handle the object lives.
/// A persistent one is kept in the application's `shared_object_directory`. `events` may be NULL.
/// Threads: a persistent one that nobody uses is read from disk on this one. Ownership: one reference in `*out`; the last
/// unref closes the handle. Errors: `RTMPKIT_ERR_WRONG_STATE` for a persistent one without a directory,
/// `RTMPKIT_ERR_ALREADY_EXISTS` if it exists with the other persistence, `RTMPKIT_ERR_INVALID_ARGUMENT` for a name with
/// path tricks, `RTMPKIT_ERR_FULL` for a new persistent one beyond `shared_object_max_stored`, `RTMPKIT_ERR_IO`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_open(
    instance: *mut rtmpkit_instance,
    name: *const c_char,
    persistent: bool,
    events: *const rtmpkit_shared_object_events,
    user_data: *mut c_void,
    out: *mut *mut rtmpkit_shared_object,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let (instance, name) = (host.handle(instance)?, host.text(name, "name")?);
        let events = host.read_optional(events, "events")?;
        let made = make(events, user_data, &instance.home, |handler| {
            let object = instance.instance.shared_object(name, persistent, handler)?;
            Ok(Side::Local(object))
        })?;
        host.put(out, give(made), "out")?;
        Ok(0)
    })
}

/// Joins a shared object of the server that a connection goes to; before there is a connection, as soon as there is.
/// Changes made meanwhile wait. When the connection connects anew the object joins again by itself. `events` may be NULL.
/// Ownership: one reference in `*out`; the last unref leaves the object. Errors: `RTMPKIT_ERR_ALREADY_EXISTS` while
/// another handle of this connection uses it, `RTMPKIT_ERR_INVALID_ARGUMENT` for a name with path tricks. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_connect(
    connection: *mut rtmpkit_net_connection,
    name: *const c_char,
    persistent: bool,
    events: *const rtmpkit_shared_object_events,
    user_data: *mut c_void,
    out: *mut *mut rtmpkit_shared_object,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let (connection, name) = (host.handle(connection)?, host.text(name, "name")?);
        let events = host.read_optional(events, "events")?;
        let made = make(events, user_data, &connection.home, |handler| {
            let object = connection.connection.shared_object(name, persistent, handler)?;
            Ok(Side::Remote(object))
        })?;
        host.put(out, give(made), "out")?;
        Ok(0)
    })
}

/// The object's name. Ownership: the handle's. Errors: NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_name(object: *mut rtmpkit_shared_object) -> *const c_char {
    entry!(|host| Ok(host.handle(object)?.name.as_ptr()))
}

/// Whether it is kept on disk by its server. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_is_persistent(object: *mut rtmpkit_shared_object) -> bool {
    entry!(|host| Ok(match &host.handle(object)?.object {
        Side::Local(object) => object.is_persistent(),
        Side::Remote(object) => object.is_persistent(),
    }))
}

/// Whether the server has let a remote object join; whether a local one is not closed. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_is_connected(object: *mut rtmpkit_shared_object) -> bool {
    entry!(|host| Ok(match &host.handle(object)?.object {
        Side::Local(object) => !object.is_closed(),
        Side::Remote(object) => object.is_connected(),
    }))
}

/// Leaves the object and undoes the handle's locks; `on_release` follows. A temporary object that nobody else uses is
/// gone then, a persistent one is stored. Closing again does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_close(object: *mut rtmpkit_shared_object) -> rtmpkit_result {
    entry!(|host| {
        host.handle(object)?.object.close();
        Ok(0)
    })
}

/// Adds a reference and returns `object`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_ref(
    object: *mut rtmpkit_shared_object,
) -> *mut rtmpkit_shared_object {
    entry!(|host| add_ref(&host, object))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_unref(object: *mut rtmpkit_shared_object) {
    entry!(|host| unref(&host, object));
}

fn make(
    events: rtmpkit_shared_object_events,
    user_data: *mut c_void,
    home: &Home,
    open: impl FnOnce(Arc<Handler>) -> Result<Side, Failure>,
) -> Result<rtmpkit_shared_object, Failure> {
    let user_data = UserData(user_data);
    let release = Release::new(events.on_release, user_data, home.clone());
    let handler = Arc::new(Handler {
        events,
        user_data,
        home: home.clone(),
        release,
    });
    let object = open(Arc::clone(&handler))?;
    handler.release.arm();
    Ok(rtmpkit_shared_object::new(object, home.clone(), true))
}

/// The host's functions as the core's handler.
struct Handler {
    events: rtmpkit_shared_object_events,
    user_data: UserData,
    home: Home,
    release: Release,
}

impl Handler {
    fn lend<O>(&self, object: &O) -> Lent<rtmpkit_shared_object>
    where
        for<'a> Side: From<&'a O>,
    {
        Lent::new(rtmpkit_shared_object::new(
            Side::from(object),
            self.home.clone(),
            false,
        ))
    }
}

impl<O> SharedObjectHandler<O> for Handler
where
    for<'a> Side: From<&'a O>,
{
    fn on_sync(&self, object: &O, changes: &[SlotChange]) {
        let changes = LentChanges::new(changes);
        call_host!(
            self.events.on_sync,
            self.user_data.0,
            self.lend(object).as_ptr(),
            changes.pointers.as_ptr(),
            changes.pointers.len()
        );
    }

    fn on_message(&self, object: &O, sender: Option<&Client>, handler: &str, args: &[Value]) {
        let (handler, args) = (c_string(handler), LentValues::new(args));
        let sender = sender.map(|client| Lent::new(rtmpkit_client::new(client.clone(), self.home.clone())));
        call_host!(
            self.events.on_message,
            self.user_data.0,
            self.lend(object).as_ptr(),
            sender.as_ref().map_or(ptr::null_mut(), Lent::as_ptr),
            handler.as_ptr(),
            args.as_ptr(),
            args.len()
        );
    }

    fn on_status(&self, object: &O, status: &Status) {
        let status = LentStatus::new(status);
        call_host!(
            self.events.on_status,
            self.user_data.0,
            self.lend(object).as_ptr(),
            status.as_ptr()
        );
    }

    fn on_clear(&self, object: &O) {
        call_host!(self.events.on_clear, self.user_data.0, self.lend(object).as_ptr());
    }
}

/// Changes lent to a callback.
struct LentChanges {
    pointers: Vec<*const rtmpkit_slot_change>,
    _changes: Vec<rtmpkit_slot_change>,
    _names: Vec<CString>,
    _values: Vec<Lent<rtmpkit_value>>,
}

impl LentChanges {
    fn new(changes: &[SlotChange]) -> Self {
        let names: Vec<CString> = changes.iter().map(|change| c_string(&change.name)).collect();
        let mut values = Vec::new();
        let mut lend = |value: &Option<Value>| {
            value.as_ref().map_or(ptr::null(), |value| {
                let lent = rtmpkit_value::lend(value);
                let pointer = lent.as_ptr().cast_const();
                values.push(lent);
                pointer
            })
        };
        let lent = changes
            .iter()
            .zip(&names)
            .map(|(change, name)| rtmpkit_slot_change {
                struct_size: size_of::<rtmpkit_slot_change>(),
                kind: kind(change.kind) as i32,
                name: name.as_ptr(),
                old_value: lend(&change.old_value),
                new_value: lend(&change.new_value),
            });
        let changes: Vec<rtmpkit_slot_change> = lent.collect();
        Self {
            pointers: changes.iter().map(ptr::from_ref).collect(),
            _changes: changes,
            _names: names,
            _values: values,
        }
    }
}

fn kind(kind: SlotChangeKind) -> rtmpkit_slot_changes {
    match kind {
        SlotChangeKind::Change => rtmpkit_slot_changes::RTMPKIT_SLOT_CHANGE,
        SlotChangeKind::Delete => rtmpkit_slot_changes::RTMPKIT_SLOT_DELETE,
        SlotChangeKind::Success => rtmpkit_slot_changes::RTMPKIT_SLOT_SUCCESS,
        SlotChangeKind::Reject => rtmpkit_slot_changes::RTMPKIT_SLOT_REJECT,
    }
}
