//! An application instance: its clients, its streams, its life.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use parking_lot::Mutex;

use crate::amf::Value;
use crate::app::application::{Application, WeakApplication, is_valid_name};
use crate::app::client::Client;
use crate::app::shared_object::SharedObjects;
use crate::app::stats::{InstanceStats, Traffic, TrafficStats};
use crate::app::stream::{Latency, LiveStream, Ports, Stream};
use crate::error::{Error, Result};
use crate::wire::status::{Code, Status};

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
    clients: Mutex<HashMap<u64, Client>>,
    streams: Mutex<HashMap<String, Arc<LiveStream>>>,
    shared_objects: Arc<SharedObjects>,
    waiting: Mutex<Option<Vec<Job>>>,
    accepted: AtomicU64,
    rejected: AtomicU64,
    departed: Traffic,
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
            clients: Mutex::new(HashMap::new()),
            streams: Mutex::new(HashMap::new()),
            shared_objects: Arc::new(application.shared_objects(name)),
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
        self.inner.clients.lock().values().cloned().collect()
    }

    /// Calls a method of every client; asks for no result.
    pub fn broadcast(&self, method: &str, args: &[Value]) {
        for client in self.clients() {
            client.call(method, args.to_vec());
        }
    }

    /// The live stream of that name, made if it does not exist. Streams start out without publisher.
    pub fn stream(&self, name: &str) -> Result<Stream> {
        if !is_valid_name(name) {
            return Err(Error::InvalidArgument(format!("stream name {name:?}")));
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

    pub(crate) fn shared_objects(&self) -> &Arc<SharedObjects> {
        &self.inner.shared_objects
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.inner.ports
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

    pub(crate) fn add_client(&self, client: &Client) {
        self.inner.clients.lock().insert(client.id(), client.clone());
        self.inner.accepted.fetch_add(1, Relaxed);
        if let Some(application) = self.application() {
            application.count_client(true);
        }
    }

    /// Takes a client out; true if it was in.
    pub(crate) fn remove_client(&self, client: &Client) -> bool {
        let was_in = self.inner.clients.lock().remove(&client.id()).is_some();
        if was_in {
            self.inner.departed.absorb(client.stats());
            if let Some(application) = self.application() {
                application.count_client(false);
            }
        }
        was_in
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

    /// Whether nothing but the application's own entry refers to it.
    pub(crate) fn is_idle(&self) -> bool {
        let mut streams = self.inner.streams.lock();
        let now = Instant::now();
        streams.values().for_each(|stream| stream.expire(Some(now)));
        streams.retain(|_, stream| Arc::strong_count(stream) > 1 || stream.is_held());
        streams.is_empty()
            && self.inner.shared_objects.is_idle()
            && self.inner.clients.lock().is_empty()
            && Arc::strong_count(&self.inner) == 1
    }

    pub(crate) fn shut_down(&self) {
        self.inner.shared_objects.commit();
        for client in self.clients() {
            client.close(Some(Status::new(Code::ConnectAppShutdown)));
        }
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Instance({})", self.inner.name)
    }
}
