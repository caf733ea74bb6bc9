//! Applications: what a server offers under a name, and the handler that the host gives each.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;

use crate::amf::{ClassHook, ClassRegistry};
use crate::app::access::split_type;
use crate::app::client::Client;
use crate::app::config_file::ConfigFile;
use crate::app::disk::Disk;
use crate::app::dispatch::Dispatch;
use crate::app::instance::{Instance, Verdict};
use crate::app::login::Logins;
use crate::app::methods::Methods;
use crate::app::record::Recording;
use crate::app::request::{CallRequest, ConnectRequest, PlayRequest, PublishRequest, StreamLengthRequest};
use crate::app::shared_object::{SharedObjectConfig, SharedObjects, Storage};
use crate::app::stream::{Latency, Ports, Stream, Takeover};
use crate::app::stream_files::{FilesInUse, StreamFiles};
use crate::error::{Error, Result};
use crate::session::auth::LoginMethod;
use crate::wire::status::{Code, Status};

/// What happens in an application. Every function has a default, so a handler implements what it cares for.
///
/// Functions run on the worker that owns the client, or where the application's [`Dispatch`] says; everything of one
/// client comes one at a time and in order, different clients in parallel. `on_instance_start` comes before every
/// other event of its instance and `on_instance_stop` after. A handler must not block: a decision that needs time
/// keeps the request and answers later. Dropping the handler is the last thing that happens to it.
#[allow(unused_variables)]
pub trait ApplicationHandler: Send + Sync + 'static {
    /// An instance came to life, by its first client or by the host.
    fn on_instance_start(&self, instance: &Instance) {}

    /// Nobody has used an instance for [`ApplicationConfig::instance_idle_ms`]: may it go? If not, this is asked again after a
    /// minute. Default: yes.
    fn on_instance_idle(&self, instance: &Instance) -> bool {
        true
    }

    /// An instance goes: its last event. What it did was told by Application.GC or Application.Shutdown in `on_status`.
    fn on_instance_stop(&self, instance: &Instance) {}

    /// Something happened to an instance: Application.Shutdown before its clients are disconnected, Application.GC before it
    /// goes because nobody uses it, NetStream.Clear.Success and .Failed.
    fn on_status(&self, instance: &Instance, status: &Status) {}

    /// A client asks to connect. Default: accept.
    fn on_connect(&self, request: ConnectRequest) {
        request.accept();
    }

    /// A client was accepted, and told so: the first thing it sees of what is sent to it here comes after that.
    fn on_accept(&self, client: &Client) {}

    /// A connection attempt was refused: by the host, by a limit, by a time limit, or given up by the client.
    fn on_reject(&self, client: &Client, why: &Status) {}

    /// An accepted client is gone: the last event of this client.
    fn on_disconnect(&self, client: &Client, why: &Status) {}

    /// A client asks to publish. Default: accept. What was accepted ends with `on_unpublish`, or does not begin and `on_error`
    /// says so: NetStream.Publish.BadName, because another publishes under that name.
    fn on_publish(&self, request: PublishRequest) {
        request.accept();
    }

    /// A client stopped publishing.
    fn on_unpublish(&self, client: &Client, stream: &Stream) {}

    /// How a recording goes, of a publisher or of the host: NetStream.Record.Start once its file is open, .Stop once it is
    /// complete; .DiskQuotaExceeded before .Stop when a limit ended it; .Failed, .NoAccess or .AlreadyExists when there is
    /// none, or no more. Runs on a thread of the library that may block, one at a time and in order per recording.
    fn on_record(&self, recording: &Recording, status: &Status) {}

    /// A client asks to play. Default: accept.
    fn on_play(&self, request: PlayRequest) {
        request.accept();
    }

    /// A client stopped playing.
    fn on_stop(&self, client: &Client, stream_name: &str) {}

    /// A client asks how long a stream is. Default: as long as its file, 0 for live streams.
    fn on_stream_length(&self, request: StreamLengthRequest) {
        request.accept_recorded();
    }

    /// A client calls a method that the protocol does not define and nobody registered. Default: NetConnection.Call.Failed.
    fn on_call(&self, request: CallRequest) {
        request.unknown_method();
    }

    /// A client sent something that cannot be processed; if it had to be disconnected, `on_disconnect` follows. Or it may not
    /// publish, though `on_publish` accepted: NetStream.Publish.BadName.
    fn on_error(&self, client: &Client, status: &Status) {}
}

/// A handler that accepts everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct AcceptAll;

impl ApplicationHandler for AcceptAll {}

/// Settings of one application.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ApplicationConfig {
    /// Where the handler runs. Default: on the library's workers.
    pub dispatch: Dispatch,
    /// Milliseconds that a request may stay unanswered. Default: 30,000.
    pub request_timeout_ms: u64,
    /// Bytes of media kept for those who join late, per stream; 0 keeps none. Default: 32 MiB.
    pub gop_cache_bytes: usize,
    /// How long messages may wait on their way to players, so that several go out in one send. Default:
    /// [`Latency::BALANCED`].
    pub latency: Latency,
    /// What a publisher may do to the one before it, and how long players are held when it leaves. Default:
    /// [`Takeover::REFUSE`].
    pub takeover: Takeover,
    /// Clients in all instances together; 0 is no limit. Default: 0.
    pub max_clients: usize,
    /// How clients have to log in before the handler is asked about them, as a user of [`Application::set_user`]. `None`, the
    /// default: they need not, or the handler sees to it, see [`ConnectRequest::check_login`].
    pub login: Option<LoginMethod>,
    /// Milliseconds in which a client neither publishes nor plays, and no call or shared object's message comes or goes, after
    /// which it gets NetConnection.Connect.IdleTimeout and is disconnected; 0 is no limit. Default: 0.
    pub idle_timeout_ms: u64,
    /// Milliseconds in which a publisher sends nothing after which it gets NetStream.Publish.Idle, once for each such
    /// silence; 0 is never. Default: 0.
    pub publish_idle_ms: u64,
    /// Milliseconds in which a stream that is published, or held for its publisher, carries nothing after which its players
    /// get Stream Dry (RTMP 1.0 7.1.7), and again after each further such time; looked at once a second. 0 is never.
    /// Default: 0.
    pub stream_dry_ms: u64,
    /// Milliseconds without client, stream or handle after which an instance goes; whole seconds are kept to. Default: 0.
    pub instance_idle_ms: u64,
    /// A configuration file, TOML; see [`Application::config_file`]. Default: none.
    pub file: Option<PathBuf>,
    /// The application's folder: recorded streams are in `streams/<instance>` in it, those of the application `*` in
    /// `<application>/streams/<instance>`. Default: none, there are no recorded streams.
    pub directory: Option<PathBuf>,
    /// Milliseconds that a recorded file may last, 0 for no limit: its publisher is then told
    /// NetStream.Record.DiskQuotaExceeded and .Stop, and goes on live. Default: 0.
    pub record_max_duration_ms: u64,
    /// Bytes that a recorded file may have, 0 for no limit. Default: 0.
    pub record_max_bytes: u64,
    /// Bytes of a recording that may wait for the disk: then messages are dropped to the next keyframe. Default: 32 MiB.
    pub record_queue_bytes: usize,
    /// Milliseconds after which what was recorded survives a power cut: so often the file is synchronised with the disk
    /// (`fdatasync`) while it is written, and once more when it is complete, before NetStream.Record.Stop. It is done on the
    /// threads that write, and keeps them, and the disk, busy. 0, the default: what the system has not written yet may be lost
    /// with the machine; it survives the end of the process anyway.
    pub record_sync_ms: u64,
    /// Shared objects of clients and host.
    pub shared_objects: SharedObjectConfig,
}

impl Default for ApplicationConfig {
    fn default() -> Self {
        let dispatch = Dispatch::inline();
        Self {
            dispatch,
            request_timeout_ms: 30_000,
            gop_cache_bytes: 32 << 20,
            latency: Latency::default(),
            takeover: Takeover::default(),
            max_clients: 0,
            login: None,
            idle_timeout_ms: 0,
            publish_idle_ms: 0,
            stream_dry_ms: 0,
            instance_idle_ms: 0,
            file: None,
            directory: None,
            record_max_duration_ms: 0,
            record_max_bytes: 0,
            record_queue_bytes: 32 << 20,
            record_sync_ms: 0,
            shared_objects: SharedObjectConfig::default(),
        }
    }
}

/// An application of a server. Clones name the same application.
#[derive(Clone)]
pub struct Application {
    inner: Arc<ApplicationInner>,
}

struct ApplicationInner {
    name: String,
    config: ApplicationConfig,
    handler: Arc<dyn ApplicationHandler>,
    ports: Ports,
    disk: Arc<dyn Disk>,
    files: FilesInUse,
    storage: Option<Arc<Storage>>,
    file: Option<ConfigFile>,
    methods: Methods,
    logins: Logins,
    classes: Mutex<Arc<ClassRegistry>>,
    instances: Mutex<HashMap<String, Instance>>,
    clients: AtomicU64,
    closed: AtomicBool,
}

/// A name for an application that does not keep it alive.
#[derive(Debug, Clone)]
pub(crate) struct WeakApplication(Weak<ApplicationInner>);

/// The instance that a client gets when its `app` names none (`_definst_`).
pub const DEFAULT_INSTANCE: &str = "_definst_";

/// Longest name of an application, instance or stream, in bytes.
pub const MAX_NAME: usize = 256;

/// Whether a peer may use this as the name of an application, instance or stream: no path tricks, behind a type prefix
/// (`flv:`) neither, no control characters, at most [`MAX_NAME`] bytes.
pub fn is_valid_name(name: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.contains(|c: char| c.is_control() || c == '\\')
        && name.split('/').all(plain)
        && split_type(name).1.split('/').all(plain)
}

impl Application {
    pub(crate) fn new(
        name: &str,
        config: ApplicationConfig,
        handler: Arc<dyn ApplicationHandler>,
        ports: Ports,
        disk: Arc<dyn Disk>,
        files: FilesInUse,
    ) -> Result<Self> {
        if name != "*" && (!is_valid_name(name) || name.contains('/')) {
            let text = format!("application name {name:?}: use one path segment, or \"*\" for every name");
            return Err(Error::InvalidArgument(text));
        }
        let file = config.file.clone().map(ConfigFile::open).transpose()?;
        let storage = Storage::open(&config.shared_objects, &disk)?;
        let inner = ApplicationInner {
            name: name.to_owned(),
            config,
            handler,
            ports,
            disk,
            files,
            storage,
            file,
            methods: Methods::default(),
            logins: Logins::default(),
            classes: Mutex::new(Arc::new(ClassRegistry::new())),
            instances: Mutex::new(HashMap::new()),
            clients: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The name it is registered under; `*` takes every name that no other application has.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// Clients connected to all instances.
    pub fn client_count(&self) -> usize {
        usize::try_from(self.inner.clients.load(Relaxed)).unwrap_or(usize::MAX)
    }

    /// The instances alive now.
    pub fn instances(&self) -> Vec<Instance> {
        self.inner.instances.lock().values().cloned().collect()
    }

    /// The instance of that name, brought to life if need be. For the application `*` give `app/instance`, for any
    /// other the instance alone; empty is the default instance. [`Error::InvalidArgument`] for a name with path tricks or of
    /// more than 256 bytes, [`Error::Closed`] when the application is.
    pub fn instance(&self, name: &str) -> Result<Instance> {
        let full = self.full_name(name)?;
        self.enter(&full).ok_or(Error::Closed("application"))
    }

    /// The configuration file, if the application has one. It was read when the application was registered.
    pub fn config_file(&self) -> Option<&ConfigFile> {
        self.inner.file.as_ref()
    }

    /// Gives instances of a class, in what clients send, to `hook`, which completes or refuses them. It holds for the clients
    /// that are accepted from now on.
    pub fn register_class(&self, alias: &str, hook: Arc<dyn ClassHook>) {
        let mut classes = self.inner.classes.lock();
        Arc::make_mut(&mut classes).register_class(alias, hook);
    }

    /// Forgets a class; false if nothing was known of it.
    pub fn unregister_class(&self, alias: &str) -> bool {
        Arc::make_mut(&mut self.inner.classes.lock()).unregister(alias)
    }

    /// Disconnects all clients with NetConnection.Connect.AppShutdown and refuses new ones.
    pub fn close(&self) {
        if self.inner.closed.swap(true, Release) {
            return;
        }
        let instances: Vec<Instance> = self
            .inner
            .instances
            .lock()
            .drain()
            .map(|(_, instance)| instance)
            .collect();
        for instance in instances {
            instance.stop(self);
        }
        self.inner.methods.clear();
    }

    /// Whether [`close`](Self::close) was called.
    pub fn is_closed(&self) -> bool {
        self.inner.closed.load(Acquire)
    }

    pub(crate) fn config(&self) -> &ApplicationConfig {
        &self.inner.config
    }

    pub(crate) fn logins(&self) -> &Logins {
        &self.inner.logins
    }

    pub(crate) fn ports(&self) -> &Ports {
        &self.inner.ports
    }

    /// The shared objects of a new instance.
    pub(crate) fn shared_objects(&self, instance: &str) -> SharedObjects {
        let ApplicationInner {
            config,
            disk,
            storage,
            ..
        } = &*self.inner;
        let (settings, dispatch) = (config.shared_objects.clone(), config.dispatch.clone());
        SharedObjects::new(instance, settings, dispatch, Arc::clone(disk), storage.clone())
    }

    pub(crate) fn disk(&self) -> &Arc<dyn Disk> {
        &self.inner.disk
    }

    /// The recorded streams that are being written or played.
    pub(crate) fn files_in_use(&self) -> &FilesInUse {
        &self.inner.files
    }

    /// The recorded streams of an instance; `None` without a directory.
    pub(crate) fn stream_files(&self, instance: &str) -> Option<StreamFiles> {
        let directory = self.inner.config.directory.as_deref()?;
        Some(StreamFiles::new(directory, self.name(), instance))
    }

    pub(crate) fn methods(&self) -> &Methods {
        &self.inner.methods
    }

    /// The classes known now.
    pub(crate) fn classes(&self) -> Arc<ClassRegistry> {
        Arc::clone(&self.inner.classes.lock())
    }

    pub(crate) fn has_room(&self) -> bool {
        let limit = self.inner.config.max_clients;
        limit == 0 || self.client_count() < limit
    }

    /// Counts a client in, unless there are too many.
    pub(crate) fn count_client_in(&self) -> bool {
        let limit = match self.inner.config.max_clients {
            0 => u64::MAX,
            limit => limit as u64,
        };
        let more = |count: u64| (count < limit).then_some(count + 1);
        self.inner.clients.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    pub(crate) fn count_client_out(&self) {
        self.inner.clients.fetch_sub(1, Relaxed);
    }

    /// Takes an instance out, if it is the one of its name.
    pub(crate) fn remove(&self, instance: &Instance) {
        let mut instances = self.inner.instances.lock();
        if instances
            .get(instance.name())
            .is_some_and(|known| known.is(instance))
        {
            instances.remove(instance.name());
        }
    }

    pub(crate) fn downgrade(&self) -> WeakApplication {
        WeakApplication(Arc::downgrade(&self.inner))
    }

    /// The instance `app/instance`, made and started if it does not exist; `None` once closed.
    pub(crate) fn enter(&self, full_name: &str) -> Option<Instance> {
        let (instance, new) = {
            let mut instances = self.inner.instances.lock();
            if self.is_closed() {
                return None;
            }
            match instances.get(full_name) {
                Some(instance) => (instance.clone(), false),
                None => {
                    let instance = Instance::new(full_name, self);
                    instances.insert(full_name.to_owned(), instance.clone());
                    (instance, true)
                }
            }
        };
        if new {
            let started = instance.clone();
            self.event(move |handler| {
                handler.on_instance_start(&started);
                started.set_started();
            });
        }
        Some(instance)
    }

    /// Lets go of the instances that have no client, no stream and no handle, if the host agrees.
    pub(crate) fn collect(&self) {
        let patience = Duration::from_millis(self.inner.config.stream_dry_ms);
        for instance in self.instances() {
            instance.shared_objects().autocommit();
            if !patience.is_zero() {
                instance.tell_dry_streams(patience);
            }
        }
        loop {
            // Those that were agreed to at once go the next time round.
            let asked = self.judge_idle();
            if asked.is_empty() {
                return;
            }
            for question in asked.into_iter().map(Instance::question) {
                self.event(move |handler| {
                    let may_go = handler.on_instance_idle(question.instance());
                    question.answer(may_go);
                });
            }
        }
    }

    /// Lets the idle instances go that may, and returns those to ask about.
    fn judge_idle(&self) -> Vec<Instance> {
        let wait = Duration::from_millis(self.inner.config.instance_idle_ms);
        let (mut asked, mut gone) = (Vec::new(), Vec::new());
        self.inner.instances.lock().retain(|_, instance| {
            let verdict = instance.judge_idle(wait);
            match verdict {
                Verdict::Keep => {}
                Verdict::Ask => asked.push(instance.clone()),
                Verdict::Go => gone.push(instance.clone()),
            }
            verdict != Verdict::Go
        });
        for instance in gone {
            let status = Status::new(Code::ApplicationGc);
            let going = instance.clone();
            self.event(move |handler| handler.on_status(&going, &status));
            self.stopped(&instance);
        }
        asked
    }

    /// Runs a part of the handler where the application wants it.
    pub(crate) fn event(&self, event: impl FnOnce(&dyn ApplicationHandler) + Send + 'static) {
        let handler = Arc::clone(&self.inner.handler);
        self.inner.config.dispatch.run(move || event(&*handler));
    }

    /// Tells the host that an instance is gone.
    pub(crate) fn stopped(&self, instance: &Instance) {
        let stopped = instance.clone();
        self.event(move |handler| handler.on_instance_stop(&stopped));
    }

    fn full_name(&self, name: &str) -> Result<String> {
        let full = match (self.name(), name) {
            ("*", name) if name.contains('/') => name.to_owned(),
            ("*", name) => format!("{name}/{DEFAULT_INSTANCE}"),
            (app, "") => format!("{app}/{DEFAULT_INSTANCE}"),
            (app, name) => format!("{app}/{name}"),
        };
        match is_valid_name(&full) {
            true => Ok(full),
            false => Err(Error::InvalidArgument(format!("instance name {name:?}"))),
        }
    }
}

impl WeakApplication {
    pub(crate) fn upgrade(&self) -> Option<Application> {
        self.0.upgrade().map(|inner| Application { inner })
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Application({})", self.inner.name)
    }
}

impl fmt::Debug for ApplicationInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApplicationInner({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::is_valid_name;

    #[test]
    fn names_with_path_tricks_are_refused() {
        for name in [
            "",
            "..",
            "a/../b",
            "/abs",
            "a//b",
            "a\0b",
            "c:\\x",
            "a/.",
            "flv:../x",
            "mp4:/abs",
            "mp3:",
            &"x".repeat(257),
        ] {
            assert!(!is_valid_name(name), "{name:?}");
        }
        for name in ["live", "live/room", "cam-1", "mp4:film.mp4", &"x".repeat(256)] {
            assert!(is_valid_name(name), "{name:?}");
        }
    }
}
