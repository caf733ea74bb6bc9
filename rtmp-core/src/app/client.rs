//! A connection as the server's host sees it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::AcqRel, Ordering::Acquire};
use std::time::Instant;

use parking_lot::Mutex;

use crate::amf::{Object, Str, Value};
use crate::app::access::{Access, AccessList};
use crate::app::bandwidth::Direction;
use crate::app::instance::Instance;
use crate::app::methods::Methods;
use crate::app::peer::{PeerCommand, PeerLink, Reply};
use crate::app::stats::{ClientStats, Rates, Traffic, TrafficStats};
use crate::session::{Capabilities, CapsEx, ConnectRequest as ConnectCommand, Deviations};
use crate::wire::status::{Code, Status};

/// A client connected, or connecting, to an application instance. Clones name the same client; dropping them never
/// closes it. Every function may be called from any thread and returns at once.
///
/// What a client is to be told waits until it is accepted, and until its worker and the network take it. When 64 MiB wait
/// (8 MiB or 1,024 calls and statuses before it is accepted), each counted with 256 bytes at least, it is disconnected, and
/// whoever waits for a reply gets NetConnection.Call.Failed at once.
#[derive(Clone)]
pub struct Client {
    inner: Arc<ClientInner>,
}

struct ClientInner {
    id: u64,
    address: SocketAddr,
    protocol: &'static str,
    connect: Connect,
    instance: Instance,
    link: Arc<dyn PeerLink>,
    traffic: Arc<Traffic>,
    rates: Mutex<Rates>,
    /// Shared with the server's other clients until it is changed.
    access: Mutex<Arc<Access>>,
    methods: Methods,
    /// Bytes per second in and out.
    limits: Mutex<[Option<u32>; 2]>,
    /// Bytes of commands that the connection has not carried out.
    waiting: AtomicUsize,
    cut_off: AtomicBool,
    ended: AtomicBool,
}

/// Bytes of commands that may wait for a client's worker; beyond that the client is disconnected.
const MAX_WAITING: usize = 64 << 20;

/// What is kept of a client's connect command.
struct Connect {
    query: Str,
    tc_url: Str,
    flash_ver: Str,
    swf_url: Str,
    page_url: Str,
    /// Of clients that speak Enhanced RTMP.
    enhanced: Option<Box<Capabilities>>,
    object: Object,
    args: Vec<Value>,
}

impl From<ConnectCommand> for Connect {
    fn from(command: ConnectCommand) -> Self {
        let enhanced = command.enhanced;
        Self {
            query: command.query.as_str().into(),
            tc_url: command.tc_url,
            flash_ver: command.flash_ver,
            swf_url: command.swf_url,
            page_url: command.page_url,
            enhanced: (enhanced != Capabilities::NONE).then(|| Box::new(enhanced)),
            object: command.object,
            args: command.args,
        }
    }
}

impl Client {
    #[allow(clippy::too_many_arguments)] // All that a connection knows of it.
    pub(crate) fn new(
        id: u64,
        address: SocketAddr,
        protocol: &'static str,
        connect: ConnectCommand,
        instance: Instance,
        link: Arc<dyn PeerLink>,
        traffic: Arc<Traffic>,
        access: Arc<Access>,
    ) -> Self {
        let inner = ClientInner {
            id,
            address,
            protocol,
            connect: connect.into(),
            instance,
            link,
            traffic,
            rates: Mutex::new(Rates::new()),
            access: Mutex::new(access),
            methods: Methods::default(),
            limits: Mutex::default(),
            waiting: AtomicUsize::new(0),
            cut_off: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Number of this client, unique while the engine lives.
    pub fn id(&self) -> u64 {
        self.inner.id
    }

    /// Address and port that the client connects from.
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    /// The instance the client asked for.
    pub fn instance(&self) -> &Instance {
        &self.inner.instance
    }

    /// Version and platform that the client announces (`flashVer`), for example `FMLE/3.0 (compatible; Lavf59)`.
    pub fn agent(&self) -> &str {
        &self.inner.connect.flash_ver
    }

    /// The URI that the client asked to connect to (`tcUrl`).
    pub fn uri(&self) -> &str {
        &self.inner.connect.tc_url
    }

    /// The application as the client named it, with instance and query (`app`).
    pub fn app(&self) -> &str {
        self.inner
            .connect
            .object
            .get("app")
            .and_then(Value::as_str)
            .unwrap_or_else(|| self.instance().name().split('/').next().unwrap_or_default())
    }

    /// The query of [`app`](Self::app), without the question mark; keys are often there.
    pub fn query(&self) -> &str {
        &self.inner.connect.query
    }

    /// The page that embeds the client's SWF (`pageUrl`), empty if it sent none. Not to be trusted.
    pub fn page_url(&self) -> &str {
        &self.inner.connect.page_url
    }

    /// The SWF or server that the connection came from (`swfUrl`), empty if the client sent none. Not to be trusted.
    pub fn referrer(&self) -> &str {
        &self.inner.connect.swf_url
    }

    /// The protocol: `rtmp`, `rtmps` over TLS, `rtmpt` in HTTP requests, `rtmpts` in those over TLS, `rtmpe` and `rtmpte` with
    /// RTMP's own encryption.
    pub fn protocol(&self) -> &'static str {
        self.inner.protocol
    }

    /// Whether the connection is encrypted by TLS.
    pub fn is_secure(&self) -> bool {
        self.inner.protocol.ends_with('s')
    }

    /// Everything that the client said in its connect command (`RTMP 1.0 7.2.1.1`).
    pub fn connect_object(&self) -> &Object {
        &self.inner.connect.object
    }

    /// The user arguments after the command object of connect.
    pub fn connect_args(&self) -> &[Value] {
        &self.inner.connect.args
    }

    /// What the client can do with Enhanced RTMP (E-RTMP v2 "Enhancing NetConnection connect Command").
    pub fn capabilities(&self) -> &Capabilities {
        self.inner
            .connect
            .enhanced
            .as_deref()
            .unwrap_or(&Capabilities::NONE)
    }

    /// Bytes and messages so far.
    pub fn stats(&self) -> TrafficStats {
        self.inner.traffic.read()
    }

    /// What the client did against the specifications without harm, so far; counted under the lenient profile, and the last
    /// word under the strict one ([`Tolerance`](crate::Tolerance)).
    pub fn deviations(&self) -> Deviations {
        self.inner.traffic.deviations()
    }

    /// Statistics: what was dropped and what waits, the round trip, the current bandwidth both ways.
    pub fn client_stats(&self) -> ClientStats {
        let traffic = &self.inner.traffic;
        let counts = traffic.read();
        let [dropped_audio, dropped_video, dropped_data] = traffic.drops();
        let [bytes_per_s_in, bytes_per_s_out] = self.inner.rates.lock().read(Instant::now(), counts);
        ClientStats {
            traffic: counts,
            dropped_audio,
            dropped_video,
            dropped_data,
            queued_bytes: traffic.queued(),
            ping_rtt_ms: traffic.ping_rtt(),
            bytes_per_s_in,
            bytes_per_s_out,
        }
    }

    /// Sets what the client may read (streams it plays, shared objects it joins) and write (streams it publishes, shared
    /// objects it creates and changes) from now on: paths separated by semicolons, `/` for everything, as at first, and the
    /// empty text for nothing. What it plays and publishes already goes on.
    pub fn set_access(&self, read: &str, write: &str) {
        let mut access = self.inner.access.lock();
        let access = Arc::make_mut(&mut access);
        access.read = AccessList::new(read);
        access.write = AccessList::new(write);
    }

    /// What the client may read.
    pub fn read_access(&self) -> AccessList {
        self.inner.access.lock().read.clone()
    }

    /// What the client may write.
    pub fn write_access(&self) -> AccessList {
        self.inner.access.lock().write.clone()
    }

    /// Sets which streams' decoded audio and video the player's program may look at (`|RtmpSampleAccess`), in the form of
    /// [`set_access`](Self::set_access); it holds for what is played from now on. At first the server's
    /// [`sample_access`](crate::session::ServerSessionConfig::sample_access) says all or nothing.
    pub fn set_sample_access(&self, audio: &str, video: &str) {
        let mut access = self.inner.access.lock();
        let access = Arc::make_mut(&mut access);
        access.audio_samples = AccessList::new(audio);
        access.video_samples = AccessList::new(video);
    }

    /// The streams whose decoded audio the player's program may look at.
    pub fn audio_sample_access(&self) -> AccessList {
        self.inner.access.lock().audio_samples.clone()
    }

    /// The streams whose decoded video the player's program may look at.
    pub fn video_sample_access(&self) -> AccessList {
        self.inner.access.lock().video_samples.clone()
    }

    /// The limit that [`set_bandwidth_limit`](Self::set_bandwidth_limit) set, in bytes per second.
    pub fn bandwidth_limit(&self, direction: Direction) -> Option<u32> {
        self.inner.limits.lock()[direction as usize]
    }

    /// Whether the connection still lives.
    pub fn is_connected(&self) -> bool {
        !self.inner.ended.load(Acquire)
    }

    /// Calls a method of the client and asks for no result.
    pub fn call(&self, method: &str, args: Vec<Value>) {
        self.send(PeerCommand::Call {
            name: method.to_owned(),
            args,
            reply: None,
        });
    }

    /// Calls a method of the client; `reply` takes its result, or the status that took its place. It runs once: also
    /// when the client leaves or does not answer in time, and at once for a name over 65,535 bytes and for `onStatus`, `_result`
    /// and `_error`, which clients never answer.
    pub fn call_with_reply(&self, method: &str, args: Vec<Value>, reply: Reply) {
        self.send(PeerCommand::Call {
            name: method.to_owned(),
            args,
            reply: Some(reply),
        });
    }

    /// Pings the client; `reply` takes the round-trip time in milliseconds.
    pub fn ping(&self, reply: Reply) {
        self.send(PeerCommand::Ping(reply));
    }

    /// Sends a status on the connection (message stream 0).
    pub fn send_status(&self, status: Status) {
        self.send(PeerCommand::Status { stream_id: 0, status });
    }

    /// Asks the client to connect elsewhere, or anew to the same place when `url` is `None` (E-RTMP v2 "Reconnect
    /// Request"). `url` may be relative to what the client connected to. False, and nothing is sent, if the client did
    /// not announce that it can; then it stays. Go on serving it until it leaves.
    pub fn request_reconnect(&self, url: Option<&str>, description: &str) -> bool {
        let able = self.capabilities().supports(CapsEx::RECONNECT);
        if able {
            self.send_status(reconnect_request(url, description));
        }
        able
    }

    /// Ends the connection, after sending the status if there is one.
    pub fn close(&self, status: Option<Status>) {
        self.send(PeerCommand::Close(status));
    }

    pub(crate) fn methods(&self) -> &Methods {
        &self.inner.methods
    }

    pub(crate) fn set_limit(&self, direction: Direction, bytes_per_s: Option<u32>) {
        self.inner.limits.lock()[direction as usize] = bytes_per_s;
    }

    pub(crate) fn send(&self, command: PeerCommand) {
        let weight = command.weight();
        if weight > 0 && self.inner.waiting.fetch_add(weight, AcqRel) > MAX_WAITING {
            self.took(weight);
            if !self.inner.cut_off.swap(true, AcqRel) {
                self.inner.link.send(PeerCommand::CutOff);
            }
            return command.fail(&Status::new(Code::CallFailed).with_description(TOO_MUCH));
        }
        self.inner.link.send(command);
    }

    /// A command that waited is carried out.
    pub(crate) fn took(&self, weight: usize) {
        self.inner.waiting.fetch_sub(weight, AcqRel);
    }

    /// Bytes of commands that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.inner.waiting.load(Acquire)
    }

    /// Marks the client as gone; true the first time.
    pub(crate) fn end(&self) -> bool {
        let first = !self.inner.ended.swap(true, AcqRel);
        self.inner.methods.clear();
        first
    }
}

/// Why nothing more is taken for a client.
pub(crate) const TOO_MUCH: &str = "Too much waits for the client.";

/// The status that asks a client to reconnect.
pub(crate) fn reconnect_request(url: Option<&str>, description: &str) -> Status {
    let mut status = Status::new(Code::ConnectReconnectRequest);
    if !description.is_empty() {
        status = status.with_description(description);
    }
    match url {
        Some(url) => status.with("tcUrl", url),
        None => status,
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({} from {})", self.inner.id, self.inner.address)
    }
}
