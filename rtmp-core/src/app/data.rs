//! Data frames as values, for hosts that ask for them.

use crate::amf::{ClassRegistry, Limits};
use crate::app::application::Application;
use crate::error::{Error, Result};
use crate::media::{Frame, MediaKind};
use crate::wire::message::data::DataMessage;

impl Application {
    /// The name and the values of a data frame, for example of a [`Subscriber`](crate::Subscriber), instances of registered
    /// classes completed. Nothing is decoded unless the host asks for it here.
    pub fn read_data(&self, frame: &Frame) -> Result<DataMessage> {
        read_data(frame, &self.classes())
    }
}

/// Reads a data frame; the error says what cannot be read, or who refused it.
pub(crate) fn read_data(frame: &Frame, classes: &ClassRegistry) -> Result<DataMessage> {
    if frame.kind != MediaKind::Data {
        return Err(Error::InvalidArgument(
            "the frame holds audio or video, no data".to_owned(),
        ));
    }
    // The form of AMF3 data messages, as files may hold it.
    let body = frame.body.strip_prefix(&[0]).unwrap_or(&frame.body);
    DataMessage::from_body_with(body, &Limits::default(), classes)
        .map_err(|error| Error::InvalidArgument(format!("the data frame cannot be read: {error}")))
}
