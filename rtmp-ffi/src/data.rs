//! Data messages as values, for hosts that want to read them.

use rtmp_core::amf::Array;
use rtmp_core::wire::message::data::DataMessage;
use rtmp_core::{Frame, Value};

use crate::application::rtmpkit_application;
use crate::error::{Failure, rtmpkit_result};
use crate::handle::give;
use crate::host::Host;
use crate::media::{rtmpkit_media, to_message};
use crate::net_connection::rtmpkit_net_connection;
use crate::value::rtmpkit_value;

/// Reads a data message (type 18), as a subscription gets them: an array of its name and its values, objects of registered
/// classes completed. Nothing is decoded unless the host asks for it here.
/// Ownership: one reference in `*out`.
/// Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` if it is no data, cannot be read, or a class refused it,
/// `RTMPKIT_ERR_CLOSED`. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_read_data(
    application: *mut rtmpkit_application,
    media: *const rtmpkit_media,
    out: *mut *mut rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let application = host.handle(application)?.application()?;
        let data = application.read_data(&data_frame(&host, media)?)?;
        host.put(out, give(to_array(data)), "out")?;
        Ok(0)
    })
}

/// Reads a data message (type 18) that came over one of the connection's streams: an array of its name and its values,
/// objects of registered classes completed.
/// Ownership: one reference in `*out`.
/// Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` if it is no data, cannot be read, or a class refused it. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_net_connection_read_data(
    connection: *mut rtmpkit_net_connection,
    media: *const rtmpkit_media,
    out: *mut *mut rtmpkit_value,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let connection = &host.handle(connection)?.connection;
        let data = connection.read_data(&data_frame(&host, media)?)?;
        host.put(out, give(to_array(data)), "out")?;
        Ok(0)
    })
}

fn data_frame(host: &Host, media: *const rtmpkit_media) -> Result<Frame, Failure> {
    Ok(Frame::from_message(&to_message(host, media)?))
}

/// An array of the name and the values.
fn to_array(data: DataMessage) -> rtmpkit_value {
    let mut values = vec![Value::from(data.name)];
    values.extend(data.args);
    rtmpkit_value::new(Value::Array(Array::from(values)))
}
