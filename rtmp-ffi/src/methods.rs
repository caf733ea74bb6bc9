//! Methods that clients may call by name, where they are answered, and the classes of what clients send.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use rtmp_core::amf::ClassHook;
use rtmp_core::{CallRequest, Method, Object, Value};

use crate::application::rtmpkit_application;
use crate::client::rtmpkit_client;
use crate::error::{Failure, rtmpkit_result};
use crate::handle::Lent;
use crate::net_connection::rtmpkit_net_connection;
use crate::release::{Home, Release, UserData, rtmpkit_release_fn};
use crate::request::rtmpkit_request;
use crate::value::rtmpkit_value;

/// A method that clients may call: it answers the request, at once or later. Both handles are lent. Since 0.1.
pub type rtmpkit_method_fn = Option<
    unsafe extern "C" fn(user_data: *mut c_void, request: *mut rtmpkit_request, client: *mut rtmpkit_client),
>;

/// Completes an object of a class that a client sent, by changing it, or refuses it by a negative return value, which
/// fails the whole message. `object` is lent.
/// Threads: one of the library's, in the middle of reading, whatever the application's queue; it may be called for
/// several clients at once. Since 0.1.
pub type rtmpkit_class_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, object: *mut rtmpkit_value) -> i32>;

/// Lets clients call a method. `on_call` gets what nobody registered. One registered before under the name is replaced.
/// `release`, which may be NULL, is the last call with `user_data`: when the method is replaced or taken away, or the
/// application closed.
/// Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for commands of the protocol and names that begin with `_`, `@` or `|`,
/// `RTMPKIT_ERR_CLOSED`; `release` is then not called. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_register_method(
    application: *mut rtmpkit_application,
    name: *const c_char,
    method: rtmpkit_method_fn,
    user_data: *mut c_void,
    release: rtmpkit_release_fn,
) -> rtmpkit_result {
    entry!(|host| {
        let (handle, name) = (host.handle(application)?, host.text(name, "name")?);
        let (method, armed) = to_method(method, user_data, release, &handle.home)?;
        handle.application()?.register_method(name, method)?;
        armed.arm();
        Ok(0)
    })
}

/// Takes a method away. Returns 1, or 0 if there was none. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_unregister_method(
    application: *mut rtmpkit_application,
    name: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let application = host.handle(application)?.application()?;
        Ok(application.unregister_method(host.text(name, "name")?).into())
    })
}

/// Lets one client call a method, which comes before the application's of that name; it goes with the client. Otherwise
/// as `rtmpkit_application_register_method`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_register_method(
    client: *mut rtmpkit_client,
    name: *const c_char,
    method: rtmpkit_method_fn,
    user_data: *mut c_void,
    release: rtmpkit_release_fn,
) -> rtmpkit_result {
    entry!(|host| {
        let (handle, name) = (host.handle(client)?, host.text(name, "name")?);
        let (method, armed) = to_method(method, user_data, release, &handle.home)?;
        handle.client.register_method(name, method)?;
        armed.arm();
        Ok(0)
    })
}

/// Takes a client's method away. Returns 1, or 0 if there was none. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_client_unregister_method(
    client: *mut rtmpkit_client,
    name: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let handle = host.handle(client)?;
        Ok(handle.client.unregister_method(host.text(name, "name")?).into())
    })
}

/// Passes calls of a method on over a connection, under `remote_name` (NULL: the same name); the answer goes back to the
/// caller, or NetConnection.Proxy.NotResponding. Connecting it, anew if need be, is the host's to do; the method keeps it
/// open. Errors: as `rtmpkit_application_register_method`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_proxy_method(
    application: *mut rtmpkit_application,
    name: *const c_char,
    connection: *mut rtmpkit_net_connection,
    remote_name: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let (application, connection) = (host.handle(application)?, host.handle(connection)?);
        let name = host.text(name, "name")?;
        let remote_name = host.optional_text(remote_name, "remote_name")?.unwrap_or(name);
        application
            .application()?
            .proxy_method(name, &connection.connection, remote_name)?;
        Ok(0)
    })
}

/// As `rtmpkit_application_proxy_method`, over a connection of the method's own to `url`: made with the first call, and
/// again when it was lost. Errors: `RTMPKIT_ERR_URL` besides. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_proxy_method_to_url(
    application: *mut rtmpkit_application,
    name: *const c_char,
    url: *const c_char,
    remote_name: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let (handle, name) = (host.handle(application)?, host.text(name, "name")?);
        let remote_name = host.optional_text(remote_name, "remote_name")?.unwrap_or(name);
        let url = host.text(url, "url")?;
        handle
            .application()?
            .proxy_method_to_url(name, &handle.home.engine, url, remote_name)?;
        Ok(0)
    })
}

/// As `rtmpkit_application_proxy_method`, to a client, usually another server. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_proxy_method_to_client(
    application: *mut rtmpkit_application,
    name: *const c_char,
    target: *mut rtmpkit_client,
    remote_name: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let (application, target) = (host.handle(application)?, host.handle(target)?);
        let name = host.text(name, "name")?;
        let remote_name = host.optional_text(remote_name, "remote_name")?.unwrap_or(name);
        application
            .application()?
            .proxy_method_to_client(name, &target.client, remote_name)?;
        Ok(0)
    })
}

/// Gives objects of a class, in what clients send that are accepted from now on, to `decoded`. `alias` is the class's
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
        if decoded.is_none() {
            return Err(Failure::invalid("decoded is NULL"));
        }
        let user_data = UserData(user_data);
        let release = Release::new(release, user_data, handle.home.clone());
        let class = Arc::new(Class {
            decoded,
            user_data,
            release,
        });
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

/// The core's form of a host's method, and what is to be armed once it is registered.
fn to_method(
    method: rtmpkit_method_fn,
    user_data: *mut c_void,
    release: rtmpkit_release_fn,
    home: &Home,
) -> Result<(Method, Arc<Release>), Failure> {
    if method.is_none() {
        return Err(Failure::invalid("method is NULL"));
    }
    let (user_data, home) = (UserData(user_data), home.clone());
    let release = Arc::new(Release::new(release, user_data, home.clone()));
    let armed = Arc::clone(&release);
    let call = move |request: CallRequest| {
        let (_release, user_data) = (&release, user_data);
        let client = rtmpkit_client::new(request.client().clone(), home.clone());
        let client = Lent::new(client);
        let request = Lent::new(rtmpkit_request::call(request, client.clone()));
        call_host!(method, user_data.0, request.as_ptr(), client.as_ptr());
    };
    Ok((Arc::new(call), armed))
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
