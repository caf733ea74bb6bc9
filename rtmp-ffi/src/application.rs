//! Applications: what a server offers under a name, and what the host does about it.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use rtmp_core::{
    Application, ApplicationHandler, CallRequest, Client, ConnectRequest, Instance, PlayRequest,
    PublishRequest, Recording, Status, Stream, StreamLengthRequest,
};

use crate::application_config::{rtmpkit_application_config, settings};
use crate::client::rtmpkit_client;
use crate::error::{Failure, rtmpkit_result};
use crate::handle::{Castable, Lent, Slot, add_ref, give, unref};
use crate::host::Growing;
use crate::instance::rtmpkit_instance;
use crate::recording::rtmpkit_recording;
use crate::release::{Home, Release, UserData, rtmpkit_release_fn};
use crate::request::rtmpkit_request;
use crate::server::rtmpkit_server;
use crate::status::{LentStatus, rtmpkit_status};
use crate::stream::rtmpkit_stream;
use crate::string::c_string;

/// An application of a server. Since 0.1.
pub struct rtmpkit_application {
    application: Slot<Application>,
    pub(crate) home: Home,
}

impl Castable for rtmpkit_application {
    const NAME: &'static str = "application";
    const TAG: u32 = 0x4150_5031;
}

impl rtmpkit_application {
    pub(crate) fn application(&self) -> Result<Application, Failure> {
        self.application.get("application")
    }

    fn close(&self) {
        if let Some(application) = self.application.take() {
            application.close();
        }
    }
}

impl Drop for rtmpkit_application {
    fn drop(&mut self) {
        self.close();
    }
}

/// What happens in an application. NULL members take the default that is named, or do nothing. The handles are lent:
/// they are valid until the callback returns, unless it adds a reference. A client's handle may differ from event to
/// event: tell clients apart by `rtmpkit_client_id`. Since 0.1.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct rtmpkit_application_events {
    /// Set by `rtmpkit_application_events_init`.
    pub struct_size: usize,
    /// An instance came to life, by its first client or by the host.
    pub on_instance_start:
        Option<unsafe extern "C" fn(user_data: *mut c_void, instance: *mut rtmpkit_instance)>,
    /// Nobody has used an instance for `instance_idle_ms`: may it go? False keeps it for a minute at least. NULL: it may.
    pub on_instance_idle:
        Option<unsafe extern "C" fn(user_data: *mut c_void, instance: *mut rtmpkit_instance) -> bool>,
    /// An instance is about to go.
    pub on_instance_stop:
        Option<unsafe extern "C" fn(user_data: *mut c_void, instance: *mut rtmpkit_instance)>,
    /// Something happened to an instance: `Application.Shutdown` before its clients are disconnected, `Application.GC`
    /// before it goes because nobody uses it, `NetStream.Clear.Success` and `.Failed`.
    pub on_status: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            instance: *mut rtmpkit_instance,
            status: *const rtmpkit_status,
        ),
    >,
    /// A client asks to connect. NULL: accept.
    pub on_connect: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            request: *mut rtmpkit_request,
            client: *mut rtmpkit_client,
        ),
    >,
    /// A client was accepted, and told so: what is sent to it here comes after that.
    pub on_accept: Option<unsafe extern "C" fn(user_data: *mut c_void, client: *mut rtmpkit_client)>,
    /// A connection attempt was refused: by the host, by a limit, by a time limit, or given up by the client.
    pub on_reject: Option<
        unsafe extern "C" fn(user_data: *mut c_void, client: *mut rtmpkit_client, why: *const rtmpkit_status),
    >,
    /// An accepted client is gone: the last event of this client.
    pub on_disconnect: Option<
        unsafe extern "C" fn(user_data: *mut c_void, client: *mut rtmpkit_client, why: *const rtmpkit_status),
    >,
    /// A client asks to publish. NULL: accept.
    pub on_publish: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            request: *mut rtmpkit_request,
            client: *mut rtmpkit_client,
            stream: *mut rtmpkit_stream,
        ),
    >,
    /// A client stopped publishing.
    pub on_unpublish: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            client: *mut rtmpkit_client,
            stream: *mut rtmpkit_stream,
        ),
    >,
    /// How a recording goes, of a publisher or of the host: `NetStream.Record.Start` once its file is open, `.Stop` once it is
    /// complete; `.DiskQuotaExceeded` before `.Stop` when a limit ended it; `.Failed`, `.NoAccess` or `.AlreadyExists` when
    /// there is none, or no more.
    pub on_record: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            recording: *mut rtmpkit_recording,
            status: *const rtmpkit_status,
        ),
    >,
    /// A client asks to play. NULL: accept.
    pub on_play: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            request: *mut rtmpkit_request,
            client: *mut rtmpkit_client,
        ),
    >,
    /// A client stopped playing.
    pub on_stop: Option<
        unsafe extern "C" fn(user_data: *mut c_void, client: *mut rtmpkit_client, stream_name: *const c_char),
    >,
    /// A client asks how long a stream is: accept with a number of seconds. NULL: 0, as for every live stream.
    pub on_stream_length: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            request: *mut rtmpkit_request,
            client: *mut rtmpkit_client,
        ),
    >,
    /// A client calls a method that the protocol does not define and nobody registered. NULL: NetConnection.Call.Failed.
    pub on_call: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            request: *mut rtmpkit_request,
            client: *mut rtmpkit_client,
        ),
    >,
    /// A client sent something that cannot be processed; if it had to be disconnected, `on_disconnect` follows. Or it may not
    /// publish, though `on_publish` accepted, because another publishes under that name: NetStream.Publish.BadName.
    pub on_error: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            client: *mut rtmpkit_client,
            status: *const rtmpkit_status,
        ),
    >,
    /// Rule 7: comes after `rtmpkit_application_close`, or after the last unref.
    pub on_release: rtmpkit_release_fn,
}

// SAFETY: `repr(C)`, `struct_size` first, optional function pointers.
unsafe impl Growing for rtmpkit_application_events {
    fn defaults() -> Self {
        Self {
            struct_size: 0,
            on_instance_start: None,
            on_instance_idle: None,
            on_instance_stop: None,
            on_status: None,
            on_connect: None,
            on_accept: None,
            on_reject: None,
            on_disconnect: None,
            on_publish: None,
            on_unpublish: None,
            on_record: None,
            on_play: None,
            on_stop: None,
            on_stream_length: None,
            on_call: None,
            on_error: None,
            on_release: None,
        }
    }
}

/// Sets all members to NULL. Pass `sizeof *events`. Errors: `RTMPKIT_ERR_INVALID_ARGUMENT` for NULL. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_events_init(
    events: *mut rtmpkit_application_events,
    struct_size: usize,
) -> rtmpkit_result {
    entry!(|host| host.init(events, struct_size))
}

/// Registers an application under the name that clients give in their URL's first path segment; `*` takes every name
/// that no other application has. May be done while the server listens. `config` and `events` may be NULL.
/// Threads: reads `config_file` and opens `shared_object_directory` on this one.
/// Ownership: one reference in `*out`; the last unref closes the application.
/// Errors: `RTMPKIT_ERR_ALREADY_EXISTS`, `RTMPKIT_ERR_CLOSED`, `RTMPKIT_ERR_INVALID_ARGUMENT` for a name that is empty, has more
/// than 256 bytes, a slash, a backslash or control characters, and for a setting out of its bounds; `RTMPKIT_ERR_CONFIG` for the
/// file, `RTMPKIT_ERR_IO` for the directory. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_create(
    server: *mut rtmpkit_server,
    name: *const c_char,
    config: *const rtmpkit_application_config,
    events: *const rtmpkit_application_events,
    user_data: *mut c_void,
    out: *mut *mut rtmpkit_application,
) -> rtmpkit_result {
    entry!(|host| {
        host.want(out, "out")?;
        let (server, name) = (host.handle(server)?, host.text(name, "name")?);
        let config = host.read_optional(config, "config")?;
        let events = host.read_optional(events, "events")?;
        let home = server.home(&host, config.queue)?;
        let settings = settings(&host, &config, &home)?;
        let user_data = UserData(user_data);
        let release = Release::new(events.on_release, user_data, home.clone());
        let handler = Arc::new(Handler {
            events,
            user_data,
            home: home.clone(),
            release,
        });
        let application = server
            .server()?
            .application(name, settings, Arc::clone(&handler) as _)?;
        handler.release.arm();
        host.put(
            out,
            give(rtmpkit_application {
                application: Slot::new(application),
                home,
            }),
            "out",
        )?;
        Ok(0)
    })
}

/// Disconnects all clients with NetConnection.Connect.AppShutdown and frees the name. Closing again does nothing.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_close(application: *mut rtmpkit_application) -> rtmpkit_result {
    entry!(|host| {
        host.handle(application)?.close();
        Ok(0)
    })
}

/// Adds a reference and returns `application`. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_ref(
    application: *mut rtmpkit_application,
) -> *mut rtmpkit_application {
    entry!(|host| add_ref(&host, application))
}

/// Gives a reference back. NULL does nothing. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rtmpkit_application_unref(application: *mut rtmpkit_application) {
    entry!(|host| unref(&host, application));
}

/// The host's functions as the core's handler.
struct Handler {
    events: rtmpkit_application_events,
    user_data: UserData,
    home: Home,
    release: Release,
}

impl Handler {
    fn client(&self, client: &Client) -> Lent<rtmpkit_client> {
        Lent::new(rtmpkit_client::new(client.clone(), self.home.clone()))
    }

    fn instance(&self, instance: &Instance) -> Lent<rtmpkit_instance> {
        Lent::new(rtmpkit_instance::new(instance.clone(), self.home.clone()))
    }

    fn stream(&self, stream: &Stream) -> Lent<rtmpkit_stream> {
        Lent::new(rtmpkit_stream::new(stream.clone(), self.home.clone()))
    }
}

impl ApplicationHandler for Handler {
    fn on_instance_start(&self, instance: &Instance) {
        call_host!(
            self.events.on_instance_start,
            self.user_data.0,
            self.instance(instance).as_ptr()
        );
    }

    fn on_instance_idle(&self, instance: &Instance) -> bool {
        ask_host!(
            true,
            self.events.on_instance_idle,
            self.user_data.0,
            self.instance(instance).as_ptr()
        )
    }

    fn on_status(&self, instance: &Instance, status: &Status) {
        let status = LentStatus::new(status);
        call_host!(
            self.events.on_status,
            self.user_data.0,
            self.instance(instance).as_ptr(),
            status.as_ptr()
        );
    }

    fn on_accept(&self, client: &Client) {
        call_host!(
            self.events.on_accept,
            self.user_data.0,
            self.client(client).as_ptr()
        );
    }

    fn on_stream_length(&self, request: StreamLengthRequest) {
        if self.events.on_stream_length.is_none() {
            request.accept_recorded();
            return;
        }
        let client = self.client(request.client());
        let request = Lent::new(rtmpkit_request::stream_length(request, client.clone()));
        call_host!(
            self.events.on_stream_length,
            self.user_data.0,
            request.as_ptr(),
            client.as_ptr()
        );
    }

    fn on_instance_stop(&self, instance: &Instance) {
        call_host!(
            self.events.on_instance_stop,
            self.user_data.0,
            self.instance(instance).as_ptr()
        );
    }

    fn on_connect(&self, request: ConnectRequest) {
        if self.events.on_connect.is_none() {
            request.accept();
            return;
        }
        let client = self.client(request.client());
        let request = Lent::new(rtmpkit_request::connect(request, client.clone()));
        call_host!(
            self.events.on_connect,
            self.user_data.0,
            request.as_ptr(),
            client.as_ptr()
        );
    }

    fn on_reject(&self, client: &Client, why: &Status) {
        let why = LentStatus::new(why);
        call_host!(
            self.events.on_reject,
            self.user_data.0,
            self.client(client).as_ptr(),
            why.as_ptr()
        );
    }

    fn on_disconnect(&self, client: &Client, why: &Status) {
        let why = LentStatus::new(why);
        call_host!(
            self.events.on_disconnect,
            self.user_data.0,
            self.client(client).as_ptr(),
            why.as_ptr()
        );
    }

    fn on_publish(&self, request: PublishRequest) {
        if self.events.on_publish.is_none() {
            request.accept();
            return;
        }
        let stream = match request.instance().stream(request.stream_name()) {
            Ok(stream) => self.stream(&stream),
            Err(error) => {
                request.reject(&error.to_string());
                return;
            }
        };
        let client = self.client(request.client());
        let request = Lent::new(rtmpkit_request::publish(request, client.clone()));
        call_host!(
            self.events.on_publish,
            self.user_data.0,
            request.as_ptr(),
            client.as_ptr(),
            stream.as_ptr()
        );
    }

    fn on_unpublish(&self, client: &Client, stream: &Stream) {
        let (client, stream) = (self.client(client), self.stream(stream));
        call_host!(
            self.events.on_unpublish,
            self.user_data.0,
            client.as_ptr(),
            stream.as_ptr()
        );
    }

    fn on_record(&self, recording: &Recording, status: &Status) {
        let recording = Lent::new(rtmpkit_recording::new(recording.clone()));
        let status = LentStatus::new(status);
        call_host!(
            self.events.on_record,
            self.user_data.0,
            recording.as_ptr(),
            status.as_ptr()
        );
    }

    fn on_play(&self, request: PlayRequest) {
        if self.events.on_play.is_none() {
            request.accept();
            return;
        }
        let client = self.client(request.client());
        let request = Lent::new(rtmpkit_request::play(request, client.clone()));
        call_host!(
            self.events.on_play,
            self.user_data.0,
            request.as_ptr(),
            client.as_ptr()
        );
    }

    fn on_stop(&self, client: &Client, stream_name: &str) {
        let name = c_string(stream_name);
        call_host!(
            self.events.on_stop,
            self.user_data.0,
            self.client(client).as_ptr(),
            name.as_ptr()
        );
    }

    fn on_call(&self, request: CallRequest) {
        if self.events.on_call.is_none() {
            request.unknown_method();
            return;
        }
        let client = self.client(request.client());
        let request = Lent::new(rtmpkit_request::call(request, client.clone()));
        call_host!(
            self.events.on_call,
            self.user_data.0,
            request.as_ptr(),
            client.as_ptr()
        );
    }

    fn on_error(&self, client: &Client, status: &Status) {
        let status = LentStatus::new(status);
        call_host!(
            self.events.on_error,
            self.user_data.0,
            self.client(client).as_ptr(),
            status.as_ptr()
        );
    }
}
