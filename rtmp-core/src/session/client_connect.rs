//! `connect` on the client's side (RTMP 1.0 7.2.1.1, E-RTMP v2 "Enhancing NetConnection connect Command").

use crate::amf::{Object, Value};
use crate::session::capabilities::Capabilities;
use crate::session::client::{ClientSession, Phase};
use crate::session::client_events::ClientEvent;
use crate::wire::chunk::csid;
use crate::wire::message::command::{Command, ObjectEncoding};
use crate::wire::status::{Code, Status};

/// `connect`'s transaction.
pub(super) const CONNECT: f64 = 1.0;

/// Every audio codec flag a Flash Player sets.
const AUDIO_CODECS: f64 = 3575.0;
/// Every video codec flag a Flash Player sets.
const VIDEO_CODECS: f64 = 252.0;
/// SUPPORT_VID_CLIENT_SEEK.
const VIDEO_FUNCTION: f64 = 1.0;
/// What Flash Player 10 and later send.
const CAPABILITIES: f64 = 239.0;

impl ClientSession {
    /// Announces the chunk size, then connects.
    pub(super) fn send_connect(&mut self) {
        self.link.send_chunk_size(self.config.chunk_size);
        let command = Command {
            name: "connect".to_owned(),
            transaction_id: CONNECT,
            object: self.connect_object().into(),
            args: self.config.connect_args.clone(),
        };
        // Always AMF0: what the server can read is not known yet.
        self.link
            .send_command(csid::COMMAND, 0, &command, ObjectEncoding::Amf0);
    }

    pub(super) fn connect_answered(&mut self, command: &Command) {
        let status = command.args.iter().find_map(Status::from_value);
        let refused = command.name == "_error" || status.as_ref().is_some_and(Status::is_error);
        if refused {
            let status = status.or_else(|| Status::from_value(&command.object));
            return self.connect_refused(status.unwrap_or_else(|| Status::new(Code::ConnectRejected)));
        }
        let status = status.unwrap_or_else(|| Status::new(Code::ConnectSuccess));
        let encoding = status.info.get("objectEncoding").and_then(Value::as_f64);
        if self.config.amf3 && encoding == Some(3.0) {
            self.encoding = ObjectEncoding::Amf3;
        }
        self.phase = Phase::Connected;
        self.link.allow_large_messages(&self.config.limits);
        let properties = command.object.as_object().cloned().unwrap_or_default();
        let enhanced = Capabilities::from_object(&status.info).or(Capabilities::from_object(&properties));
        self.events.push_back(ClientEvent::Connected {
            status,
            properties,
            enhanced,
        });
    }

    pub(super) fn connect_refused(&mut self, status: Status) {
        self.phase = Phase::Closed;
        self.events.push_back(ClientEvent::Rejected(status));
    }

    fn connect_object(&self) -> Object {
        let config = &self.config;
        let mut object = Object::new().with("app", config.app.as_str());
        if config.nonprivate {
            object.insert("type", "nonprivate");
        }
        object.insert("flashVer", config.flash_ver.as_str());
        for (key, value) in [("swfUrl", &config.swf_url), ("pageUrl", &config.page_url)] {
            if let Some(value) = value {
                object.insert(key, value.as_str());
            }
        }
        object.insert("tcUrl", config.tc_url.as_str());
        object.insert("fpad", false);
        object.insert("capabilities", CAPABILITIES);
        object.insert("audioCodecs", AUDIO_CODECS);
        object.insert("videoCodecs", VIDEO_CODECS);
        object.insert("videoFunction", VIDEO_FUNCTION);
        object.insert("objectEncoding", if config.amf3 { 3.0 } else { 0.0 });
        config.enhanced.add_to(&mut object);
        for (key, value) in config.properties.iter() {
            object.insert(key, value.clone());
        }
        object
    }
}
