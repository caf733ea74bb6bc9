//! Classes of what peers send: the host completes their objects, or refuses them.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use rtmp_core::amf::ClassHook;
use rtmp_core::{Object, Value};

use crate::application::rtmpkit_application;
use crate::error::{Failure, rtmpkit_result};
use crate::handle::Lent;
use crate::net_connection::rtmpkit_net_connection;
use crate::release::{Home, Release, UserData, rtmpkit_release_fn};
use crate::value::rtmpkit_value;

/// Completes an object of a class that a peer sent, by changing it, or refuses it by a negative return value, which
/// fails the whole message (of a message of a shared object, its event). `object` is lent.
/// Threads: one of the library's, in the middle of reading, whatever the queue, or that of the call that reads; it may be called
/// for several peers at once. Since 0.1.
pub type rtmpkit_class_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, object: *mut rtmpkit_value) -> i32>;

/// Gives objects of a class, in what clients send that connect from now on, to `decoded`: in arguments of connect and of
/// calls, results of calls, values of shared objects, and what `rtmpkit_application_read_data` reads. `alias` is the class's
/// name on the wire. `release`, which may be NULL, is the last call with `user_data`: when the class is replaced or
/// forgotten and the clients that know it are gone.
/// Errors: `RTMPKIT_ERR_CLOSED`, `RTMPKIT_ERR_INVALID_ARGUMENT`; `release` is then not called. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_register_class(
    application: *mut rtmpkit_application,
    alias: *const c_char,
    decoded: rtmpkit_class_fn,
    user_data: *mut c_void,
    release: rtmpkit_release_fn,
) -> rtmpkit_result {
    entry!(|host| {
        let (handle, alias) = (host.handle(application)?, host.text(alias, "alias")?);
        let class = to_class(decoded, user_data, release, &handle.home)?;
        handle
            .application()?
            .register_class(alias, Arc::clone(&class) as _);
        class.release.arm();
        Ok(0)
    })
}

/// Forgets a class. Returns 1, or 0 if nothing was known of it. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_unregister_class(
    application: *mut rtmpkit_application,
    alias: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let application = host.handle(application)?.application()?;
        Ok(application.unregister_class(host.text(alias, "alias")?).into())
    })
}

/// Gives objects of a class, in what the server sends, to `decoded`: in arguments of its calls, results of this side's,
/// values of shared objects, and what `rtmpkit_net_connection_read_data` reads. It holds for connections made from now on;
/// otherwise as `rtmpkit_application_register_class`. `release` comes when the class is replaced or forgotten, or the
/// handle gone, and the connection that knows it is over.
/// Errors: `RTMPKIT_ERR_INVALID_ARGUMENT`; `release` is then not called. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_register_class(
    connection: *mut rtmpkit_net_connection,
    alias: *const c_char,
    decoded: rtmpkit_class_fn,
    user_data: *mut c_void,
    release: rtmpkit_release_fn,
) -> rtmpkit_result {
    entry!(|host| {
        let (handle, alias) = (host.handle(connection)?, host.text(alias, "alias")?);
        let class = to_class(decoded, user_data, release, &handle.home)?;
        handle.connection.register_class(alias, Arc::clone(&class) as _);
        class.release.arm();
        Ok(0)
    })
}

/// Forgets a class. Returns 1, or 0 if nothing was known of it. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_unregister_class(
    connection: *mut rtmpkit_net_connection,
    alias: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let connection = &host.handle(connection)?.connection;
        Ok(connection.unregister_class(host.text(alias, "alias")?).into())
    })
}

/// The core's form of a host's function. Its release is to be armed once it is registered.
fn to_class(
    decoded: rtmpkit_class_fn,
    user_data: *mut c_void,
    release: rtmpkit_release_fn,
    home: &Home,
) -> Result<Arc<Class>, Failure> {
    if decoded.is_none() {
        return Err(Failure::invalid("decoded is NULL"));
    }
    let user_data = UserData(user_data);
    let release = Release::new(release, user_data, home.clone());
    Ok(Arc::new(Class {
        decoded,
        user_data,
        release,
    }))
}

struct Class {
    decoded: rtmpkit_class_fn,
    user_data: UserData,
    release: Release,
}

impl ClassHook for Class {
    fn decoded(&self, object: &mut Object) -> Result<(), String> {
        let Some(decoded) = self.decoded else {
            return Ok(());
        };
        let lent = Lent::new(rtmpkit_value::new(Value::Object(object.clone())));
        // SAFETY: the host gave the function for these arguments and promises that it returns normally.
        let verdict = unsafe { decoded(self.user_data.0, lent.as_ptr()) };
        if verdict < 0 {
            return Err(format!("the host refused it ({verdict})"));
        }
        if let Value::Object(changed) = lent.to_value() {
            *object = changed;
        }
        Ok(())
    }
}
