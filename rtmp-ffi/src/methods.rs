//! Methods that clients may call by name, and where they are answered.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use rtmp_core::{CallRequest, Method};

use crate::application::rtmpkit_application;
use crate::client::rtmpkit_client;
use crate::error::{Failure, rtmpkit_result};
use crate::handle::Lent;
use crate::net_connection::rtmpkit_net_connection;
use crate::release::{Home, Release, UserData, rtmpkit_release_fn};
use crate::request::rtmpkit_request;

/// A method that clients may call: it answers the request, at once or later. Both handles are lent. Since 0.1.
pub type rtmpkit_method_fn = Option<
    unsafe extern "C" fn(user_data: *mut c_void, request: *mut rtmpkit_request, client: *mut rtmpkit_client),
>;

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
