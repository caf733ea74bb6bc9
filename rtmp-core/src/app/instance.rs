//! An application instance: its clients, its streams, its life.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::amf::Value;
use crate::app::application::{Application, WeakApplication, is_valid_name};
use crate::app::client::Client;
use crate::app::record::Recorder;
use crate::app::shared_object::SharedObjects;
use crate::app::stats::{InstanceStats, Traffic, TrafficStats};
use crate::app::stream::{Latency, LiveStream, Ports, Stream};
use crate::error::{Error, Result};
use crate::wire::status::{Code, Status};

/// Why a client is refused that is one too many.
pub(crate) const NO_ROOM: &str = "The application takes no more clients.";

/// One instance of an application (`live/room`). Clones name the same instance; one with a handle, a client or a
/// stream stays alive.
#[derive(Clone)]
pub struct Instance {
    inner: Arc<InstanceInner>,
}

struct InstanceInner {
    name: String,
    application: WeakApplication,
    gop_cache_bytes: usize,
    latency: Latency,
    ports: Ports,
    clients: Mutex<Clients>,
    idle: Mutex<Idle>,
    streams: Mutex<HashMap<String, Arc<LiveStream>>>,
    shared_objects: Arc<SharedObjects>,
    attachments: Mutex<Vec<Weak<dyn Attachment>>>,
    waiting: Mutex<Option<Vec<Job>>>,
    accepted: AtomicU64,
    rejected: AtomicU64,
    departed: Traffic,
}

#[derive(Default)]
struct Clients {
    by_id: HashMap<u64, Client>,
    /// The instance takes no more.
    closing: bool,
    /// The host was told that the instance is gone.
    ended: bool,
}

/// How far an instance that nobody uses is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Idle {
    /// Somebody used it when it was looked at last.
    Used,
    Since(Instant),
    /// The host is being asked whether it may go.
    Asking,
    Granted,
    Refused(Instant),
}

/// What is to be done about an instance that may be idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    /// Ask the host.
    Ask,
    /// Let it go.
    Go,
}

/// After the host has refused to let an instance go it is asked again no sooner than this.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// The host is asked whether an instance may go. Without an answer it may not.
pub(crate) struct Question(Instance);

impl Question {
    pub(crate) fn instance(&self) -> &Instance {
        &self.0
    }

    pub(crate) fn answer(self, may_go: bool) {
        if may_go {
            *self.0.inner.idle.lock() = Idle::Granted;
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        let mut idle = self.0.inner.idle.lock();
        if *idle == Idle::Asking {
            *idle = Idle::Refused(Instant::now());
        }
    }
}

/// Something that ends with its instance.
pub(crate) trait Attachment: Send + Sync {
    /// The instance is going.
    fn detach(&self);
}

type Job = Box<dyn FnOnce() + Send>;

impl Instance {
    pub(crate) fn new(name: &str, application: &Application) -> Self {
        let inner = InstanceInner {
            name: name.to_owned(),
            application: application.downgrade(),
            gop_cache_bytes: application.config().gop_cache_bytes,
            latency: application.config().latency,
            ports: application.ports().clone(),
            clients: Mutex::default(),
            idle: Mutex::new(Idle::Used),
            streams: Mutex::new(HashMap::new()),
            shared_objects: Arc::new(application.shared_objects(name)),
            attachments: Mutex::default(),
            waiting: Mutex::new(Some(Vec::new())),
            accepted: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            departed: Traffic::default(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Application and instance name, `live/_definst_` for the default one.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The application, unless it is gone.
    pub fn application(&self) -> Option<Application> {
        self.inner.application.upgrade()
    }

    /// The clients connected now.
    pub fn clients(&self) -> Vec<Client> {
        self.inner.clients.lock().by_id.values().cloned().collect()
    }

    /// Calls a method of every client; asks for no result.
    pub fn broadcast(&self, method: &str, args: &[Value]) {
        for client in self.clients() {
            client.call(method, args.to_vec());
        }
    }

    /// The live stream of that name, made if it does not exist. Streams start out without publisher. [`Error::Closed`] if the
    /// instance was unloaded.
    pub fn stream(&self, name: &str) -> Result<Stream> {
        if !is_valid_name(name) {
            return Err(Error::InvalidArgument(format!("stream name {name:?}")));
        }
        if self.is_unloaded() {
            return Err(Error::Closed("instance"));
        }
        Ok(Stream::new(self.live_stream(name), self))
    }

    /// The streams that have a publisher, a player or a handle.
    pub fn streams(&self) -> Vec<Stream> {
        self.inner
            .streams
            .lock()
            .values()
            .map(|stream| Stream::new(Arc::clone(stream), self))
            .collect()
    }

    /// Counts since the instance started.
    pub fn stats(&self) -> InstanceStats {
        let clients = self.clients();
        let connected = clients
            .iter()
            .map(Client::stats)
            .fold(TrafficStats::default(), TrafficStats::plus);
        InstanceStats {
            clients: clients.len(),
            accepted: self.inner.accepted.load(Relaxed),
            rejected: self.inner.rejected.load(Relaxed),
            streams: self.inner.streams.lock().len(),
            traffic: self.inner.departed.read().plus(connected),
        }
    }

    /// Takes the instance out of its application: its clients get NetConnection.Connect.AppShutdown and are disconnected, shared
    /// objects are stored, recordings completed, publications of the host end. Who connects next starts a new instance of the
    /// name; handles of this one publish and record nothing any more. False if it was unloaded before.
    pub fn unload(&self) -> bool {
        let Some(application) = self.application() else {
            return false;
        };
        application.remove(self);
        self.stop(&application)
    }

    /// Whether [`unload`](Self::unload) was called, or the application closed.
    pub fn is_unloaded(&self) -> bool {
        self.inner.clients.lock().closing
    }

    /// Lets go of the streams and shared objects that nobody uses, and stores the shared objects that changed; how many were
    /// let go. Idle things go by themselves within seconds: this is for a host that cannot wait.
    pub fn collect(&self) -> usize {
        self.inner.shared_objects.commit();
        self.collect_streams() + self.inner.shared_objects.collect()
    }

    pub(crate) fn shared_objects(&self) -> &Arc<SharedObjects> {
        &self.inner.shared_objects
    }

    /// Whether both are the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.inner.ports
    }

    /// Whether a stream is published now, or held for its publisher.
    pub(crate) fn is_live(&self, name: &str) -> bool {
        let streams = self.inner.streams.lock();
        let is_live = |stream: &Arc<LiveStream>| stream.stats().publishing || stream.is_held();
        streams.get(name).is_some_and(is_live)
    }

    /// Tells `attachment` when the instance goes; false if it does already.
    pub(crate) fn attach(&self, attachment: Weak<dyn Attachment>) -> bool {
        // Under the lock that `stop` takes first, or it might miss it.
        let clients = self.inner.clients.lock();
        if clients.closing {
            return false;
        }
        let mut attachments = self.inner.attachments.lock();
        attachments.retain(|attachment| attachment.strong_count() > 0);
        attachments.push(attachment);
        true
    }

    pub(crate) fn live_stream(&self, name: &str) -> Arc<LiveStream> {
        let mut streams = self.inner.streams.lock();
        if let Some(stream) = streams.get(name) {
            return Arc::clone(stream);
        }
        let stream = Arc::new(LiveStream::new(
            name,
            self.inner.gop_cache_bytes,
            self.inner.latency,
        ));
        streams.insert(name.to_owned(), Arc::clone(&stream));
        drop(streams);
        // After it is among those that `stop` closes, or it might be missed.
        if self.is_unloaded() {
            stream.close();
        }
        stream
    }

    /// Forgets a stream that nobody publishes, plays or holds. Call after dropping a reference to it.
    pub(crate) fn forget_idle_stream(&self, name: &str) {
        let mut streams = self.inner.streams.lock();
        let idle = |stream: &Arc<LiveStream>| Arc::strong_count(stream) == 1 && !stream.is_held();
        if streams.get(name).is_some_and(idle) {
            streams.remove(name);
        }
    }

    /// Ends the publications of the live streams that are meant, and forgets what these hold; how many there were, and their
    /// recordings.
    pub(crate) fn clear_live(&self, is_meant: impl Fn(&str) -> bool) -> (usize, Vec<Arc<Recorder>>) {
        let streams = self.inner.streams.lock();
        let meant = streams.iter().filter(|(name, _)| is_meant(name));
        let meant: Vec<Arc<LiveStream>> = meant.map(|(_, stream)| Arc::clone(stream)).collect();
        drop(streams);
        let recorders = meant.iter().flat_map(|stream| stream.clear()).collect();
        (meant.len(), recorders)
    }

    /// Takes a client in, unless the instance or the application has no room for it.
    pub(crate) fn add_client(&self, client: &Client) -> Result<(), &'static str> {
        let mut clients = self.inner.clients.lock();
        let application = self.application().filter(|_| !clients.closing);
        let application = application.ok_or("The application is being shut down.")?;
        if !application.count_client_in() {
            return Err(NO_ROOM);
        }
        clients.by_id.insert(client.id(), client.clone());
        self.inner.accepted.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Takes a client out; true if it was in.
    pub(crate) fn remove_client(&self, client: &Client) -> bool {
        let was_in = self.inner.clients.lock().by_id.remove(&client.id()).is_some();
        if was_in {
            self.inner.departed.absorb(client.stats());
            if let Some(application) = self.application() {
                application.count_client_out();
            }
        }
        was_in
    }

    /// Once the last client of an unloaded instance is gone the host is told so.
    pub(crate) fn end_if_empty(&self, application: &Application) {
        let mut clients = self.inner.clients.lock();
        let over =
            clients.closing && clients.by_id.is_empty() && !std::mem::replace(&mut clients.ended, true);
        drop(clients);
        if over {
            application.stopped(self);
        }
    }

    pub(crate) fn count_rejected(&self) {
        self.inner.rejected.fetch_add(1, Relaxed);
    }

    /// Runs the job once the start handler has returned: now, if it has.
    pub(crate) fn when_started(&self, job: impl FnOnce() + Send + 'static) {
        let mut waiting = self.inner.waiting.lock();
        match &mut *waiting {
            Some(jobs) => jobs.push(Box::new(job)),
            None => {
                drop(waiting);
                job();
            }
        }
    }

    pub(crate) fn set_started(&self) {
        let jobs = self.inner.waiting.lock().take();
        for job in jobs.unwrap_or_default() {
            job();
        }
    }

    /// Looks whether the instance has been idle for `wait`. Under the lock of the application's instances, so that nobody
    /// comes in meanwhile.
    pub(crate) fn judge_idle(&self, wait: Duration) -> Verdict {
        let is_idle = self.is_idle();
        let mut idle = self.inner.idle.lock();
        let (next, verdict) = match *idle {
            Idle::Asking => (Idle::Asking, Verdict::Keep),
            _ if !is_idle => (Idle::Used, Verdict::Keep),
            Idle::Granted => (Idle::Granted, Verdict::Go),
            Idle::Used if wait.is_zero() => (Idle::Asking, Verdict::Ask),
            Idle::Used => (Idle::Since(Instant::now()), Verdict::Keep),
            Idle::Since(at) if at.elapsed() >= wait => (Idle::Asking, Verdict::Ask),
            Idle::Refused(at) if at.elapsed() >= ASK_AGAIN => (Idle::Asking, Verdict::Ask),
            same => (same, Verdict::Keep),
        };
        *idle = next;
        verdict
    }

    /// The question that follows [`Verdict::Ask`].
    pub(crate) fn question(self) -> Question {
        Question(self)
    }

    /// Disconnects the clients and lets nobody in any more; false if that was done before.
    pub(crate) fn stop(&self, application: &Application) -> bool {
        if std::mem::replace(&mut self.inner.clients.lock().closing, true) {
            return false;
        }
        self.inner.shared_objects.commit();
        let streams: Vec<Arc<LiveStream>> = self.inner.streams.lock().values().cloned().collect();
        streams.iter().for_each(|stream| stream.close());
        let attached = std::mem::take(&mut *self.inner.attachments.lock());
        let attached = attached.iter().filter_map(Weak::upgrade);
        attached.for_each(|attachment| attachment.detach());
        let stopping = self.clone();
        let status = Status::new(Code::ApplicationShutdown);
        application.event(move |handler| handler.on_status(&stopping, &status));
        for client in self.clients() {
            client.close(Some(Status::new(Code::ConnectAppShutdown)));
        }
        self.end_if_empty(application);
        true
    }

    /// Tells the players of streams that have carried nothing for so long.
    pub(crate) fn tell_dry_streams(&self, patience: Duration) {
        let streams: Vec<Arc<LiveStream>> = self.inner.streams.lock().values().cloned().collect();
        let now = Instant::now();
        streams
            .iter()
            .for_each(|stream| stream.tell_if_dry(now, patience));
    }

    /// Whether nothing but the application's own entry refers to it.
    fn is_idle(&self) -> bool {
        self.collect_streams();
        self.inner.streams.lock().is_empty()
            && self.inner.shared_objects.is_idle()
            && self.inner.clients.lock().by_id.is_empty()
            && Arc::strong_count(&self.inner) == 1
    }

    /// Forgets the streams that nobody uses; how many there were.
    fn collect_streams(&self) -> usize {
        let mut streams = self.inner.streams.lock();
        let (now, before) = (Instant::now(), streams.len());
        streams.values().for_each(|stream| stream.expire(Some(now)));
        streams.retain(|_, stream| Arc::strong_count(stream) > 1 || stream.is_held());
        before - streams.len()
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instance({})", self.inner.name)
    }
}
