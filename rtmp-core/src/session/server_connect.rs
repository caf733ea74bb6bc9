//! `connect` on the server's side: taking the request apart, and both answers (RTMP 1.0 7.2.1.1).

use crate::amf::{ClassRegistry, Object, Str, Value};
use crate::session::capabilities::Capabilities;
use crate::session::events::{ConnectReply, ConnectRequest, ServerEvent};
use crate::session::server::{Deciding, Phase, ServerSession};
use crate::session::tolerance::note_connect;
use crate::wire::chunk::{Message, csid};
use crate::wire::message::command::{Command, CommandError, ObjectEncoding};
use crate::wire::message::user_control::UserControl;
use crate::wire::status::{Code, Status};
use crate::wire::url::RtmpUrl;

impl ServerSession {
    /// Accepts the client. Its commands that waited are worked through now and may queue events.
    ///
    /// Does nothing unless a `Connect` event waits for its answer.
    pub fn accept_connect(&mut self, reply: ConnectReply) {
        let Some(deciding) = self.decide(Phase::Connected) else {
            return;
        };
        if let Some(id) = reply.info.get("clientid") {
            self.client_id = id.clone();
        }
        let config = self.config.clone();
        self.link.send_window(config.window_ack_size);
        self.link
            .send_peer_bandwidth(config.peer_bandwidth, config.peer_bandwidth_limit);
        let readable = reply.max_chunk_size.unwrap_or(u32::MAX);
        self.link.send_chunk_size(config.chunk_size.min(readable));
        self.link.send_user(&UserControl::StreamBegin(0));
        let command = Command {
            name: "_result".to_owned(),
            transaction_id: deciding.transaction_id,
            object: self.connect_properties(&deciding, &reply).into(),
            args: vec![self.connect_info(&deciding, &reply).into()],
        };
        // The answer itself is AMF0 even when AMF3 was agreed on: the client knows only after reading it.
        self.link
            .send_command(csid::COMMAND, 0, &command, ObjectEncoding::Amf0);
        self.encoding = deciding.encoding;
        self.link.allow_large_messages(&config.limits);
        if config.send_on_bw_done {
            self.send_command(csid::COMMAND, 0, &Command::new("onBWDone", 0.0, Vec::new()));
        }
        self.replay_waiting();
    }

    /// Refuses the client. Send what is queued, then close the transport.
    ///
    /// Does nothing unless a `Connect` event waits for its answer.
    pub fn reject_connect(&mut self, status: Status) {
        let Some(deciding) = self.decide(Phase::Closed) else {
            return;
        };
        let error = Command::new("_error", deciding.transaction_id, vec![status.to_object().into()]);
        self.link
            .send_command(csid::COMMAND, 0, &error, ObjectEncoding::Amf0);
        let close = Command::new("close", 0.0, Vec::new());
        self.link
            .send_command(csid::COMMAND, 0, &close, ObjectEncoding::Amf0);
    }

    /// Completes or refuses instances of classes in what a `Connect` event holds: it is read before anybody knows which
    /// application it is for, and whose classes hold. Does nothing unless that event waits for its answer, and only once.
    ///
    /// # Errors
    /// What cannot be read, or is refused; refuse the client then.
    pub fn reread_connect(
        &mut self,
        request: &mut ConnectRequest,
        classes: &ClassRegistry,
    ) -> Result<(), CommandError> {
        let Phase::Deciding(deciding) = &mut self.phase else {
            return Ok(());
        };
        let Some(message) = deciding.message.take().filter(|_| classes.has_hooks()) else {
            return Ok(());
        };
        let limits = &self.config.limits.amf;
        let command = Command::load_with(&message, limits, classes)?;
        request.object = command.object.as_object().cloned().unwrap_or_default();
        request.args = command.args;
        Ok(())
    }

    /// Takes the first command apart and asks the host, or refuses what no host could accept.
    pub(super) fn connect(&mut self, command: Command, message: &Message) {
        let object = command.object.as_object().cloned().unwrap_or_default();
        let encoding = object
            .get("objectEncoding")
            .and_then(Value::as_f64)
            .unwrap_or(0.0);
        note_connect(&mut self.link.tally, &object, command.transaction_id);
        let deciding = Box::new(Deciding {
            // connect's transaction is 1 whatever some clients write (RTMP 1.0 7.2.1.1); 0 could not be answered.
            transaction_id: if command.transaction_id == 0.0 {
                1.0
            } else {
                command.transaction_id
            },
            encoding: if encoding == 3.0 {
                ObjectEncoding::Amf3
            } else {
                ObjectEncoding::Amf0
            },
            enhanced: Capabilities::from_object(&object),
            message: Some(message.clone()),
        });
        let request = request(object, command.args, deciding.encoding);
        let agents = &self.config.aggregate_agents;
        self.reads_aggregates = agents
            .iter()
            .any(|agent| request.flash_ver.contains(agent.as_str()));
        let refusal = if encoding != 0.0 && encoding != 3.0 {
            Some((Code::CallBadVersion, "This object encoding is not supported."))
        } else if !is_good_app(&request, self.config.limits.max_name) {
            Some((
                Code::ConnectInvalidApp,
                "The application name is missing or malformed.",
            ))
        } else {
            None
        };
        match refusal {
            None => self.ask_connect(deciding, request),
            Some((code, description)) => {
                self.phase = Phase::Deciding(deciding);
                self.reject_connect(Status::new(code).with_description(description));
                self.events.push_back(ServerEvent::Close);
            }
        }
    }

    /// Goes on to `next` when a `connect` waits for its answer; `None`, changing nothing, when not.
    fn decide(&mut self, next: Phase) -> Option<Box<Deciding>> {
        match std::mem::replace(&mut self.phase, next) {
            Phase::Deciding(deciding) => Some(deciding),
            other => {
                self.phase = other;
                None
            }
        }
    }

    fn connect_properties(&self, deciding: &Deciding, reply: &ConnectReply) -> Object {
        let mut object = Object::new()
            .with("fmsVer", self.config.server_version.as_str())
            .with("capabilities", self.config.capabilities)
            .with("mode", 1.0);
        self.add_enhanced(deciding, &mut object);
        merge(&mut object, &reply.properties);
        object
    }

    fn connect_info(&self, deciding: &Deciding, reply: &ConnectReply) -> Object {
        let version = self.config.server_version.rsplit('/').next().unwrap_or_default();
        let mut object = Object::new()
            .with("level", "status")
            .with("code", Code::ConnectSuccess.as_str())
            .with("description", "Connection succeeded.")
            .with("objectEncoding", f64::from(deciding.encoding.number()))
            .with("clientid", self.client_id.clone())
            .with("data", Value::EcmaArray(Object::new().with("version", version)));
        self.add_enhanced(deciding, &mut object);
        merge(&mut object, &reply.info);
        object
    }

    /// Tells a client that speaks Enhanced RTMP what this side can do. Others must not see it: some cameras stumble over
    /// arrays in the answer.
    fn add_enhanced(&self, deciding: &Deciding, object: &mut Object) {
        if !deciding.enhanced.is_enhanced() {
            return;
        }
        let mut own = self.config.enhanced.clone();
        if deciding.enhanced.fourcc_list.is_none() {
            own.fourcc_list = None;
        }
        own.add_to(object);
    }
}

fn request(object: Object, args: Vec<Value>, encoding: ObjectEncoding) -> ConnectRequest {
    let text = |key: &str| match object.get(key) {
        Some(Value::String(text)) => unquoted(text),
        _ => Str::default(),
    };
    // Some clients write these names without capitals.
    let either = |key: &str, small: &str| match text(key) {
        found if found.is_empty() => text(small),
        found => found,
    };
    let tc_url = either("tcUrl", "tcurl");
    let mut app = text("app");
    if app.is_empty()
        && let Ok(url) = RtmpUrl::parse(&tc_url)
    {
        app = url.app.into();
    }
    let (path, query) = app.split_once('?').unwrap_or((&app, ""));
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let (name, instance) = path.split_once('/').unwrap_or((path, ""));
    let instance = if instance.is_empty() {
        "_definst_"
    } else {
        instance
    };
    ConnectRequest {
        app: name.to_owned(),
        instance: instance.to_owned(),
        query: query.into(),
        flash_ver: either("flashVer", "flashver"),
        swf_url: either("swfUrl", "swfurl"),
        page_url: either("pageUrl", "pageurl"),
        tc_url,
        object_encoding: encoding.number(),
        enhanced: Capabilities::from_object(&object),
        object,
        args,
    }
}

/// The text without quotes around it; shared when there are none.
fn unquoted(text: &Str) -> Str {
    let bare = unquote(text);
    if bare.len() == text.len() {
        text.clone()
    } else {
        bare.into()
    }
}

/// Some cameras put their strings in quotes, some end them with NULs.
fn unquote(text: &str) -> &str {
    let text = text.trim_end_matches('\0');
    ['\'', '"']
        .iter()
        .find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(text)
}

fn is_good_app(request: &ConnectRequest, max_name: usize) -> bool {
    let good = |part: &str| {
        part.len() <= max_name
            && !part.chars().any(|c| c.is_control() || c == '\\')
            && part.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
    };
    good(&request.app) && good(&request.instance) && !request.query.chars().any(char::is_control)
}

fn merge(object: &mut Object, more: &Object) {
    for (key, value) in more.iter() {
        object.insert(key, value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_app(app: &str) -> ConnectRequest {
        request(Object::new().with("app", app), Vec::new(), ObjectEncoding::Amf0)
    }

    #[test]
    fn app_is_split_into_name_instance_and_query() {
        for (app, expected) in [
            ("live", ("live", "_definst_", "")),
            ("live/", ("live", "_definst_", "")),
            ("/live", ("live", "_definst_", "")),
            ("live/room/7", ("live", "room/7", "")),
            (
                "live?authmod=adobe&user=a",
                ("live", "_definst_", "authmod=adobe&user=a"),
            ),
            ("live/_definst_?a=b/c", ("live", "_definst_", "a=b/c")),
            ("'live'", ("live", "_definst_", "")),
        ] {
            let request = of_app(app);
            assert_eq!(
                (
                    request.app.as_str(),
                    request.instance.as_str(),
                    request.query.as_str()
                ),
                expected,
                "{app}"
            );
        }
    }

    #[test]
    fn names_of_properties_may_be_small() {
        let object = Object::new()
            .with("app", "broadcast")
            .with("flashver", "FMSc/1.0")
            .with("swfurl", "https://testsite.com/data/player.swf")
            .with("tcurl", "rtmp://testsite.com/broadcast")
            .with("pageurl", "http://testsite.com/cool_vid.html");
        let found = request(object, Vec::new(), ObjectEncoding::Amf0);
        assert_eq!(found.flash_ver, "FMSc/1.0");
        assert_eq!(found.swf_url, "https://testsite.com/data/player.swf");
        assert_eq!(found.tc_url, "rtmp://testsite.com/broadcast");
        assert_eq!(found.page_url, "http://testsite.com/cool_vid.html");
    }

    #[test]
    fn hostile_app_names_are_refused() {
        let long = "a".repeat(10_240);
        for app in ["", "../x", "a/../b", "a\0b", "a\nb", "a//b", "a\\b", &long] {
            assert!(!is_good_app(&of_app(app), 256), "{app:?}");
        }
        assert!(is_good_app(&of_app("live/room"), 256));
    }
}
