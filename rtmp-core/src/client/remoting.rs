//! Flash Remoting: a connection to a gateway over HTTP, where each call is a request. Calls made while one is under way go
//! together in the next.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::amf::{Limits, Packet, PacketHeader, PacketMessage, Value};
use crate::app::peer::Reply;
use crate::client::{ConnectionCore, NetConnection};
use crate::engine::{ClientCommand, TlsTrust};
use crate::error::{Error, Result};
use crate::session::ClientSessionConfig;
use crate::wire::status::{Code, Status};
use crate::wire::url::masked;

/// Calls that wait for the request under way.
const MOST_WAITING: usize = 4096;
/// Calls that go in one request.
const MOST_TOGETHER: usize = 64;
/// Bytes of an answer.
const MOST_BYTES: u64 = 16 << 20;
/// Headers that a gateway may ask to be sent with every request.
const MOST_ASKED: usize = 64;
/// Bytes of a URL.
const LONGEST_URL: usize = 4096;
const CONTENT_TYPE: &str = "application/x-amf";

/// A gateway, and the calls to it.
pub(crate) struct Gateway {
    core: Weak<ConnectionCore>,
    agent: ureq::Agent,
    version: u16,
    calls: Mutex<Calls>,
}

struct Calls {
    /// Where requests go, and what the gateway wants to be added to that.
    url: String,
    suffix: String,
    waiting: VecDeque<Call>,
    /// Headers that the gateway asked for.
    asked: Vec<PacketHeader>,
    sent: u64,
    /// A thread sends, or is about to.
    busy: bool,
    /// The host has not heard yet that it is connected.
    greets: bool,
    /// The network has changed.
    changed: bool,
    closed: bool,
}

struct Call {
    method: String,
    args: Vec<Value>,
    reply: Option<Reply>,
}

/// What there is to do.
enum Step {
    Greet,
    NetworkChanged,
    Ask(String, Packet, HashMap<String, Option<Reply>>),
    End(VecDeque<Call>),
}

impl NetConnection {
    /// Adds a header to every request from now on to a Flash Remoting gateway, in place of one of that name;
    /// [`Value::Undefined`] takes it away. A service that does not know one that it `must_understand` refuses the calls. RTMP
    /// has no such headers: it means nothing there.
    pub fn add_header(&self, name: &str, must_understand: bool, value: Value) {
        let mut headers = self.core().headers.lock();
        headers.retain(|header| header.name != name);
        if value != Value::Undefined {
            headers.push(PacketHeader {
                name: name.to_owned(),
                must_understand,
                value,
            });
        }
    }
}

/// Whether a URL is one of a gateway.
pub(super) fn is_gateway(url: &str) -> bool {
    let scheme = url
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
}

impl Gateway {
    pub(super) fn new(
        core: &Arc<ConnectionCore>,
        url: &str,
        session: &ClientSessionConfig,
    ) -> Result<Arc<Self>> {
        check_url(url)?;
        let timeouts = &session.timeouts;
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_millis(timeouts.call_ms)))
            .timeout_connect(Some(Duration::from_millis(timeouts.connect_ms)))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(session.flash_ver.as_str())
            .tls_config(tls(&core.config.tls_trust, url)?)
            .build();
        let calls = Calls {
            url: url.to_owned(),
            suffix: String::new(),
            waiting: VecDeque::new(),
            asked: Vec::new(),
            sent: 0,
            busy: false,
            greets: true,
            changed: false,
            closed: false,
        };
        Ok(Arc::new(Self {
            core: Arc::downgrade(core),
            agent: agent.into(),
            version: if session.amf3 { 3 } else { 0 },
            calls: Mutex::new(calls),
        }))
    }

    /// Takes a command of the host.
    pub(super) fn send(self: &Arc<Self>, core: &ConnectionCore, command: ClientCommand) -> Result<()> {
        match command {
            ClientCommand::Call { name, args, reply } => self.call(
                core,
                Call {
                    method: name,
                    args,
                    reply,
                },
            ),
            ClientCommand::Close => {
                self.close(core);
                core.reset();
                Ok(())
            }
            ClientCommand::NetworkChanged => {
                let mut calls = self.calls.lock();
                calls.changed = !calls.greets && !calls.closed;
                self.wake(core, &mut calls)
            }
            _ => {
                let text = "a Flash Remoting gateway takes calls only: connect to an RTMP server";
                Err(Error::WrongState(text.to_owned()))
            }
        }
    }

    fn call(self: &Arc<Self>, core: &ConnectionCore, call: Call) -> Result<()> {
        let mut calls = self.calls.lock();
        if calls.closed {
            return Err(Error::Closed("connection"));
        }
        if calls.waiting.len() >= MOST_WAITING {
            return Err(Error::Full("the calls that wait for the gateway"));
        }
        calls.waiting.push_back(call);
        self.wake(core, &mut calls).inspect_err(|_| {
            calls.waiting.pop_back();
        })
    }

    /// Tells the host that it is connected.
    pub(super) fn greet(self: &Arc<Self>, core: &ConnectionCore) -> Result<()> {
        self.wake(core, &mut self.calls.lock())
    }

    fn close(self: &Arc<Self>, core: &ConnectionCore) {
        let mut calls = self.calls.lock();
        calls.closed = true;
        if self.wake(core, &mut calls).is_err() {
            log::debug!("a gateway was closed with its engine");
        }
    }

    /// Has a thread see to what there is to do, unless one does.
    fn wake(self: &Arc<Self>, core: &ConnectionCore, calls: &mut Calls) -> Result<()> {
        if !calls.busy {
            let gateway = Arc::clone(self);
            core.engine.run_remoting(move || gateway.serve())?;
            calls.busy = true;
        }
        Ok(())
    }

    /// Sends what waits, until nothing does.
    fn serve(&self) {
        while let Some(step) = self.next() {
            match step {
                Step::Greet => {
                    if let Some(core) = self.core.upgrade() {
                        core.hear_of_network();
                    }
                    self.status(Status::new(Code::ConnectSuccess));
                }
                Step::NetworkChanged => self.status(Status::new(Code::ConnectNetworkChange)),
                Step::Ask(url, packet, replies) => {
                    let answer = self.post(&url, &packet);
                    self.distribute(answer, replies);
                }
                Step::End(waiting) => {
                    for reply in waiting.into_iter().filter_map(|call| call.reply) {
                        reply(Err(failed("The connection ended.")));
                    }
                    return self.status(Status::new(Code::ConnectClosed));
                }
            }
        }
    }

    fn next(&self) -> Option<Step> {
        let mut calls = self.calls.lock();
        if std::mem::take(&mut calls.greets) {
            return Some(Step::Greet);
        }
        if std::mem::take(&mut calls.changed) && !calls.closed {
            return Some(Step::NetworkChanged);
        }
        if calls.closed {
            return Some(Step::End(std::mem::take(&mut calls.waiting)));
        }
        let count = calls.waiting.len().min(MOST_TOGETHER);
        let next: Vec<Call> = calls.waiting.drain(..count).collect();
        if next.is_empty() {
            calls.busy = false;
            return None;
        }
        let mut replies = HashMap::new();
        let packet = self.packet(&mut calls, next, &mut replies);
        Some(Step::Ask(
            format!("{}{}", calls.url, calls.suffix),
            packet,
            replies,
        ))
    }

    fn status(&self, status: Status) {
        if let Some(core) = self.core.upgrade() {
            core.status(status);
        }
    }

    fn packet(
        &self,
        calls: &mut Calls,
        next: Vec<Call>,
        expected: &mut HashMap<String, Option<Reply>>,
    ) -> Packet {
        let mut headers = self
            .core
            .upgrade()
            .map_or(Vec::new(), |core| core.headers.lock().clone());
        for asked in &calls.asked {
            headers.retain(|header| header.name != asked.name);
            headers.push(asked.clone());
        }
        let mut messages = Vec::new();
        for call in next {
            calls.sent += 1;
            let response = format!("/{}", calls.sent);
            messages.push(PacketMessage {
                target: call.method,
                response: response.clone(),
                value: call.args.into(),
            });
            expected.insert(response, call.reply);
        }
        Packet {
            version: self.version,
            headers,
            messages,
        }
    }

    fn post(&self, url: &str, packet: &Packet) -> std::result::Result<Packet, Status> {
        let Some(core) = self.core.upgrade() else {
            return Err(failed("The connection is gone."));
        };
        let mut body = Vec::new();
        packet.encode(&mut body);
        core.traffic.sent(body.len());
        let request = self.agent.post(url).content_type(CONTENT_TYPE);
        // Some errors quote the URL, in which there may be a password or a session's key.
        let told = |error: ureq::Error| failed(&error.to_string().replace(url, &masked(url)));
        let mut answer = request.send(&body[..]).map_err(told)?;
        if answer.status() != 200 {
            return Err(failed(&format!("The gateway answered HTTP {}.", answer.status())));
        }
        let body = answer.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
        let body = body.map_err(told)?;
        core.traffic.received(body.len());
        Packet::decode_with(&body, &Limits::default(), &core.classes()).map_err(|error| {
            let text = format!("The gateway's answer is no AMF: {error}");
            Status::new(Code::CallBadVersion).with_description(text)
        })
    }

    fn distribute(
        &self,
        answer: std::result::Result<Packet, Status>,
        mut calls: HashMap<String, Option<Reply>>,
    ) {
        let closed = self.calls.lock().closed;
        let answer = match answer {
            Ok(packet) if !closed => packet,
            Ok(_) => {
                return calls
                    .into_values()
                    .for_each(|reply| self.answer(reply, Err(failed("The connection ended."))));
            }
            Err(status) => {
                return calls
                    .into_values()
                    .for_each(|reply| self.answer(reply, Err(status.clone())));
            }
        };
        for header in answer.headers {
            self.obey(header);
        }
        for message in answer.messages {
            let Some((call, event)) = message.target.rsplit_once('/') else {
                continue;
            };
            let Some(reply) = calls.remove(call) else {
                continue;
            };
            let result = match event {
                "onResult" => Ok(message.value),
                _ => Err(refusal(&message.value)),
            };
            self.answer(reply, result);
        }
        let missing = failed("The gateway did not answer.");
        calls
            .into_values()
            .for_each(|reply| self.answer(reply, Err(missing.clone())));
    }

    /// Failures that nobody asked to hear of are statuses of the connection.
    fn answer(&self, reply: Option<Reply>, result: std::result::Result<Value, Status>) {
        match (reply, result, self.core.upgrade()) {
            (Some(reply), result, _) => reply(result),
            (None, Err(status), Some(core)) => core.status(status),
            _ => {}
        }
    }

    /// What a gateway wants to be different from now on.
    fn obey(&self, header: PacketHeader) {
        let mut calls = self.calls.lock();
        match (header.name.as_str(), &header.value) {
            ("AppendToGatewayUrl", Value::String(suffix)) => {
                let url = format!("{}{suffix}", calls.url);
                match check_url(&url) {
                    Ok(()) => calls.suffix = suffix.to_string(),
                    Err(error) => log::debug!("a gateway's wish is not followed: {error}"),
                }
            }
            ("ReplaceGatewayUrl", Value::String(url)) => {
                let protects = !is_secure(&calls.url) || is_secure(url);
                if check_url(url).is_ok() && protects {
                    calls.url = url.to_string();
                    calls.suffix.clear();
                }
            }
            ("RequestPersistentHeader", Value::Object(asked)) => {
                let name = asked
                    .get("name")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                let value = asked.get("data").cloned().unwrap_or_default();
                let must_understand = asked.get("mustUnderstand") == Some(&Value::from(true));
                calls.asked.retain(|header| header.name != name);
                if calls.asked.len() < MOST_ASKED {
                    calls.asked.push(PacketHeader {
                        name,
                        must_understand,
                        value,
                    });
                }
            }
            _ => {}
        }
    }
}

fn failed(why: &str) -> Status {
    Status::new(Code::CallFailed).with_description(why)
}

/// The information object of a failed call, or what takes its place.
fn refusal(value: &Value) -> Status {
    Status::from_value(value)
        .filter(|status| !status.code.is_empty())
        .unwrap_or_else(|| failed(value.as_str().unwrap_or("The gateway refused the call.")))
}

fn is_secure(url: &str) -> bool {
    url.get(..8)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
}

/// Refuses what could not be requested, or would not be what it seems.
fn check_url(url: &str) -> Result<()> {
    let parsed = url.parse::<ureq::http::Uri>().ok();
    let good = is_gateway(url) && url.len() <= LONGEST_URL && parsed.is_some_and(|uri| uri.host().is_some());
    if good {
        return Ok(());
    }
    let text = "the gateway's URL is not http:// or https:// with a host and no spaces".to_owned();
    Err(Error::InvalidArgument(text))
}

fn tls(trust: &TlsTrust, url: &str) -> Result<ureq::tls::TlsConfig> {
    let builder =
        ureq::tls::TlsConfig::builder().unversioned_rustls_crypto_provider(crate::engine::tls_provider());
    Ok(match trust {
        // Reading the system's certificates takes a while.
        _ if !is_secure(url) => builder.build(),
        TlsTrust::InsecureAcceptAny => builder.disable_verification(true).build(),
        trust => {
            let roots = crate::engine::tls_certificates(trust)?;
            let roots: Vec<_> = roots
                .iter()
                .map(|der| ureq::tls::Certificate::from_der(der).to_owned())
                .collect();
            builder.root_certs(ureq::tls::RootCerts::from(roots)).build()
        }
    })
}
