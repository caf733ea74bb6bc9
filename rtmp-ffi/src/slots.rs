//! What a host does with a shared object: its slots, its messages, its storage.

use std::ffi::{c_char, c_void};

use rtmp_core::{Error, SharedObject, Value};

use crate::error::{Failure, rtmpkit_result};
use crate::handle::give;
use crate::host::Host;
use crate::instance::rtmpkit_instance;
use crate::shared_object::{Side, rtmpkit_shared_object};
use crate::status::rtmpkit_reply_fn;
use crate::value::rtmpkit_value;

/// Calls the verb of either side.
macro_rules! either {
    ($host:ident, $object:ident, $name:ident => $verb:expr) => {
        match &$host.handle($object)?.object {
            Side::Local($name) => $verb,
            Side::Remote($name) => $verb,
        }
    };
}

/// Finds a slot's value. Ownership: one reference in `*out`, to a value that may be changed without effect on the slot.
/// Errors: `RTMPKIT_ERR_NOT_FOUND` if there is no such slot; `*out` is then left alone. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_get(
    object: *mut rtmpkit_shared_object,
    slot: *const c_char,
    out: *mut *mut rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let slot = host.text(slot, "slot")?;
        let value = either!(host, object, o => o.get(slot));
        let value = value.ok_or_else(|| Error::NotFound(format!("slot {slot:?}")))?;
        host.put(out, give(rtmpkit_value::new(value)), "out")?;
        Ok(0)
    })
}

/// Lists the names of all slots, sorted. Ownership: one reference in `*out`, to an array of strings. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_names(
    object: *mut rtmpkit_shared_object,
    out: *mut *mut rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let names = either!(host, object, o => o.names());
        let names: Vec<Value> = names.into_iter().map(Value::from).collect();
        host.put(out, give(rtmpkit_value::new(Value::from(names))), "out")?;
        Ok(0)
    })
}

/// How many slots there are. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_size(object: *mut rtmpkit_shared_object) -> usize {
    entry!(|host| Ok(either!(host, object, o => o.size())))
}

/// The version: of a local object 1 at first and one more with each message that changed something, of a remote one the
/// newest that the server told; 0 for a closed handle and before the first. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_version(object: *mut rtmpkit_shared_object) -> u32 {
    entry!(|host| Ok(either!(host, object, o => o.version())))
}

/// Sets a slot to a copy of `value` and tells all users; null and undefined remove it. A remote object asks its server.
/// Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for what goes beyond a bound of the application, `RTMPKIT_ERR_CLOSED`,
/// `RTMPKIT_ERR_FULL` when too much waits to be sent, or for the callbacks of the host's other handles. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_set(
    object: *mut rtmpkit_shared_object,
    slot: *const c_char,
    value: *const rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        let (slot, value) = (host.text(slot, "slot")?, host.handle(value)?.to_value());
        either!(host, object, o => o.set(slot, value))?;
        Ok(0)
    })
}

/// Removes a slot and tells all users. Returns 1, or 0 if there was none. Errors: as `rtmpkit_shared_object_set`.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_remove(
    object: *mut rtmpkit_shared_object,
    slot: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let slot = host.text(slot, "slot")?;
        Ok(either!(host, object, o => o.remove(slot))?.into())
    })
}

/// Removes all slots and tells all users. Returns 1, or 0 if there were none. Errors: as `rtmpkit_shared_object_set`.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_clear(object: *mut rtmpkit_shared_object) -> rtmpkit_result {
    entry!(|host| Ok(either!(host, object, o => o.clear())?.into()))
}

/// Calls a handler of all who use the object: their `on_message`. Nothing of it is kept. A remote object's own
/// `on_message` hears it too. `args` may be NULL if `count` is 0. Errors: as `rtmpkit_shared_object_set`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_send(
    object: *mut rtmpkit_shared_object,
    handler: *const c_char,
    args: *const *const rtmpkit_value,
    count: usize,
) -> rtmpkit_result {
    entry!(|host| {
        let (handler, args) = (host.text(handler, "handler")?, host.values(args, count)?);
        either!(host, object, o => o.send(handler, &args))?;
        Ok(0)
    })
}

/// Holds changes back until `rtmpkit_shared_object_unlock` was called as often; then they go out as one. The lock of a
/// local object holds back the changes of clients, too.
/// Errors: `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_lock(object: *mut rtmpkit_shared_object) -> rtmpkit_result {
    entry!(|host| {
        either!(host, object, o => o.lock())?;
        Ok(0)
    })
}

/// Undoes a lock. Errors: `RTMPKIT_ERR_WRONG_STATE` if this handle holds none, `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_unlock(object: *mut rtmpkit_shared_object) -> rtmpkit_result {
    entry!(|host| {
        either!(host, object, o => o.unlock())?;
        Ok(0)
    })
}

/// Calls a handler of all clients at the end of the changes made since `rtmpkit_shared_object_lock`, in the same message.
/// Errors: `RTMPKIT_ERR_WRONG_STATE` for a remote object, `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_mark(
    object: *mut rtmpkit_shared_object,
    handler: *const c_char,
    args: *const *const rtmpkit_value,
    count: usize,
) -> rtmpkit_result {
    entry!(|host| {
        let (handler, args) = (host.text(handler, "handler")?, host.values(args, count)?);
        local(&host, object)?.mark(handler, &args)?;
        Ok(0)
    })
}

/// Stores a persistent object as it is now. `reply` takes the version that was stored, or `SharedObject.Flush.Failed`;
/// NULL asks for none. After success, that version outlives whatever happens to the process.
/// Errors: `RTMPKIT_ERR_WRONG_STATE` for a remote object, `RTMPKIT_ERR_CLOSED`; `reply` is then not called. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_flush(
    object: *mut rtmpkit_shared_object,
    reply: rtmpkit_reply_fn,
    user_data: *mut c_void,
) -> rtmpkit_result {
    entry!(|host| {
        let home = host.handle(object)?.home.clone();
        let object = local(&host, object)?;
        home.asked(reply, user_data, |reply| object.flush(reply))
    })
}

/// Forgets which slots were removed before a version: clients with a copy older than that start from nothing.
/// Errors: `RTMPKIT_ERR_WRONG_STATE` for a remote object, `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_purge(
    object: *mut rtmpkit_shared_object,
    version: u32,
) -> rtmpkit_result {
    entry!(|host| {
        local(&host, object)?.purge(version)?;
        Ok(0)
    })
}

/// How many versions a client's copy may be behind without having to start from nothing; negative, as at first, is no
/// bound. Errors: as `rtmpkit_shared_object_purge`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_set_resync_depth(
    object: *mut rtmpkit_shared_object,
    depth: i64,
) -> rtmpkit_result {
    entry!(|host| {
        let depth = (depth >= 0).then(|| u32::try_from(depth).unwrap_or(u32::MAX));
        local(&host, object)?.set_resync_depth(depth)?;
        Ok(0)
    })
}

/// How many clients use a local object; 0 for a remote one. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_subscribers(object: *mut rtmpkit_shared_object) -> usize {
    entry!(|host| Ok(match &host.handle(object)?.object {
        Side::Local(object) => object.subscribers(),
        Side::Remote(_) => 0,
    }))
}

/// Whether a persistent local object changed since it was last stored. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_is_dirty(object: *mut rtmpkit_shared_object) -> bool {
    entry!(|host| Ok(match &host.handle(object)?.object {
        Side::Local(object) => object.is_dirty(),
        Side::Remote(_) => false,
    }))
}

/// Removes all slots of the shared objects that a path names, and deletes those of them that are on disk; who uses one is
/// told to empty the copy. `/` names all, `/a/b` one, `/a/` all below `a`; in the last segment `*` stands for any
/// characters and `?` for one. `reply` takes how many there were; NULL asks for none.
/// Errors: `RTMPKIT_ERR_INVALID_ARGUMENT`, `RTMPKIT_ERR_CLOSED`; `reply` is then not called. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_destroy(
    instance: *mut rtmpkit_instance,
    path: *const c_char,
    reply: rtmpkit_reply_fn,
    user_data: *mut c_void,
) -> rtmpkit_result {
    entry!(|host| {
        let (instance, path) = (host.handle(instance)?, host.text(path, "path")?);
        instance.home.asked(reply, user_data, |reply| {
            instance.instance.clear_shared_objects(path, reply)
        })
    })
}

/// Stores one persistent shared object of an instance, or all of them if `name` is NULL. `reply` takes how many were
/// stored, or `SharedObject.Flush.Failed`; NULL asks for none.
/// Errors: as `rtmpkit_shared_object_destroy`, `RTMPKIT_ERR_NOT_FOUND`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_shared_object_commit(
    instance: *mut rtmpkit_instance,
    name: *const c_char,
    reply: rtmpkit_reply_fn,
    user_data: *mut c_void,
) -> rtmpkit_result {
    entry!(|host| {
        let (instance, name) = (host.handle(instance)?, host.optional_text(name, "name")?);
        instance.home.asked(reply, user_data, |reply| {
            instance.instance.commit_shared_objects(name, reply)
        })
    })
}

fn local(host: &Host, object: *mut rtmpkit_shared_object) -> Result<SharedObject, Failure> {
    match &host.handle(object)?.object {
        Side::Local(object) => Ok(object.clone()),
        Side::Remote(_) => {
            let text = "the shared object is another server's, which does this";
            Err(Error::WrongState(text.to_owned()).into())
        }
    }
}
