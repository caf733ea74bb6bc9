//! Requests of a server to connect elsewhere.

use std::ffi::c_char;

use rtmp_core::{Error, Level, Status};

use crate::error::{Failure, rtmpkit_result};
use crate::handle::give;
use crate::host::Host;
use crate::net_connection::rtmpkit_net_connection;
use crate::status::rtmpkit_status;
use crate::value::rtmpkit_value;

/// Where to connect instead, when `status` is the server's request to reconnect
/// (`NetConnection.Connect.ReconnectRequest`): a string in `*out`. A relative URL is resolved against the one connected to, and
/// without one it is that. Spec: E-RTMP v2 "Reconnect Request".
/// Ownership: one reference in `*out`.
/// Errors: `RTMPKIT_ERR_NOT_FOUND` for any other status, `RTMPKIT_ERR_URL`, `RTMPKIT_ERR_INVALID_ARGUMENT` if the target
/// protects less than the present connection does. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_reconnect_target(
    connection: *mut rtmpkit_net_connection,
    status: *const rtmpkit_status,
    out: *mut *mut rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let connection = &host.handle(connection)?.connection;
        let status = to_status(&host, status)?;
        let target = connection
            .reconnect_target(&status)?
            .ok_or_else(|| Error::NotFound(format!("a request to reconnect in {}", status.code)))?;
        host.put(out, give(rtmpkit_value::new(target.into())), "out")?;
        Ok(0)
    })
}

/// Moves to another server as `reconnect_max_hops` of the configuration does by itself: the connection stays until the new
/// one is accepted, then streams and shared objects go on there, players at a keyframe. `url` is what
/// `rtmpkit_net_connection_reconnect_target` gave, or any other, relative to the one connected to. What becomes of it comes as
/// a status: `NetConnection.Connect.Success` of the new connection, or `.ReconnectFailed`. Nothing happens while the
/// connection is not accepted or moves already.
/// Errors: `RTMPKIT_ERR_URL`, `RTMPKIT_ERR_INVALID_ARGUMENT` if the target protects less, `RTMPKIT_ERR_WRONG_STATE`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_reconnect_to(
    connection: *mut rtmpkit_net_connection,
    url: *const c_char,
) -> rtmpkit_result {
    entry!(|host| {
        let connection = &host.handle(connection)?.connection;
        connection.reconnect_to(host.text(url, "url")?)?;
        Ok(0)
    })
}

/// A status that the library lent, as the core has it: what matters here of it.
fn to_status(host: &Host, status: *const rtmpkit_status) -> Result<Status, Failure> {
    let lent = host.read(status, "status")?;
    let mut status = Status::custom(Level::Status, host.text(lent.code, "status->code")?, "");
    if let Some(info) = host.optional_handle(lent.info)?
        && let Some(object) = info.to_value().as_object()
    {
        status.info = object.clone();
    }
    Ok(status)
}
