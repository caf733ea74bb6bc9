//! What a client asks for and the host decides: connect, publish, play, call. A request may be answered at once or
//! kept and answered later from any thread; its connection waits, nothing else does. One that is dropped unanswered
//! is refused, one kept too long times out.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel, Ordering::Acquire, Ordering::Release};

use crate::amf::{Object, Value};
use crate::app::client::Client;
use crate::app::instance::Instance;
use crate::app::peer::{Answer, PeerCommand};
use crate::app::record::RecordChoice;
use crate::app::stream::Takeover;
use crate::session::{PlayStart, PublishMode};
use crate::wire::status::{Code, Status};

/// How a publish is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PublishOptions {
    /// What the publisher may do to the one before it; `None` as the application says.
    pub takeover: Option<Takeover>,
    /// Whether what it publishes is recorded. The publisher hears of it: NetStream.Record.Start and so on.
    pub record: RecordChoice,
}

/// What the connection asks the host: by which number it knows the answer, and whether it still waits for one.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) number: u64,
    answered: Arc<AtomicBool>,
}

/// The connection's part of a question: dropped, it wants no answer any more.
#[derive(Debug)]
pub(crate) struct Asker(Arc<AtomicBool>);

/// The part that all requests share: whose it is, its number, and whether it was answered.
struct Pending {
    client: Client,
    question: Question,
    if_dropped: Code,
}

impl Question {
    pub(crate) fn new(number: u64) -> (Self, Asker) {
        let answered = Arc::new(AtomicBool::new(false));
        let asker = Asker(Arc::clone(&answered));
        (Self { number, answered }, asker)
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.store(true, Release);
    }
}

impl Pending {
    fn answer(&self, answer: Answer) -> bool {
        let first = !self.question.answered.swap(true, AcqRel);
        if first {
            self.client.send(PeerCommand::Answer {
                request: self.question.number,
                answer,
            });
        }
        first
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let status = Status::new(self.if_dropped).with_description("The application did not answer.");
        self.answer(Answer::Refuse(status));
    }
}

macro_rules! request {
    ($(#[$doc:meta])* $name:ident, $inner:ident { $($field:ident: $kind:ty),* }, $dropped:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name {
            inner: Arc<$inner>,
        }

        struct $inner {
            pending: Pending,
            $($field: $kind,)*
        }

        impl $name {
            pub(crate) fn new(client: Client, question: Question, $($field: $kind),*) -> Self {
                let pending = Pending { client, question, if_dropped: $dropped };
                Self { inner: Arc::new($inner { pending, $($field),* }) }
            }

            /// The client that asks.
            pub fn client(&self) -> &Client {
                &self.inner.pending.client
            }

            /// The instance it asks in.
            pub fn instance(&self) -> &Instance {
                self.client().instance()
            }

            /// Whether an answer was given, or is wanted no more: its time is up, or the client is gone.
            pub fn is_answered(&self) -> bool {
                self.inner.pending.question.answered.load(Acquire)
            }

            /// Refuses with a status of the host's choice. False if the request was answered before or timed out.
            pub fn reject_with(&self, status: Status) -> bool {
                self.inner.pending.answer(Answer::Refuse(status))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.client())
            }
        }
    };
}

request! {
    /// A client asks to connect to an instance (`RTMP 1.0 7.2.1.1`).
    ConnectRequest, ConnectInner {}, Code::ConnectRejected
}

request! {
    /// A client asks to publish a stream (`RTMP 1.0 7.2.2.6`).
    PublishRequest, PublishInner { stream_name: String, query: String, mode: PublishMode }, Code::PublishBadName
}

request! {
    /// A client asks to play a stream (`RTMP 1.0 7.2.2.1`).
    PlayRequest, PlayInner { stream_name: String, query: String, start: PlayStart, duration: Option<u64>, reset: bool },
    Code::PlayFailed
}

request! {
    /// A client calls a method of the server (`RTMP 1.0 7.2.1.2`).
    CallRequest, CallInner { method: String, args: Vec<Value>, wants_reply: bool }, Code::CallFailed
}

request! {
    /// A client asks how long a stream is (`getStreamLength`).
    StreamLengthRequest, StreamLengthInner { stream_name: String, query: String }, Code::CallFailed
}

impl ConnectRequest {
    /// The application as the client named it, with instance and query.
    pub fn app(&self) -> &str {
        self.client().app()
    }

    /// The user arguments of the connect command.
    pub fn args(&self) -> &[Value] {
        self.client().connect_args()
    }

    /// The part of `app` after `?`, empty if there is none.
    pub fn query(&self) -> &str {
        self.client().query()
    }

    /// Accepts. False if the request was answered before or timed out; so say all answers.
    pub fn accept(&self) -> bool {
        self.accept_with(Object::new(), Object::new())
    }

    /// Accepts and adds properties to the reply's first object and to its information object.
    pub fn accept_with(&self, properties: Object, info: Object) -> bool {
        self.inner.pending.answer(Answer::Connect {
            properties,
            info,
            max_chunk_size: None,
        })
    }

    /// Like [`accept_with`](Self::accept_with), for a client that cannot read chunks of the server's size, as some embedded
    /// devices: it is sent chunks of at most `max_chunk_size` bytes.
    pub fn accept_with_chunk_size(&self, properties: Object, info: Object, max_chunk_size: u32) -> bool {
        self.inner.pending.answer(Answer::Connect {
            properties,
            info,
            max_chunk_size: Some(max_chunk_size),
        })
    }

    /// Refuses with NetConnection.Connect.Rejected.
    pub fn reject(&self, description: &str) -> bool {
        self.reject_with(Status::new(Code::ConnectRejected).with_description(description))
    }

    /// Refuses with NetConnection.Connect.Rejected and an error object of the application's own
    /// (`application` in the information object).
    pub fn reject_with_object(&self, description: &str, application: Value) -> bool {
        let status = Status::new(Code::ConnectRejected).with_description(description);
        self.reject_with(status.with("application", application))
    }

    /// Refuses and tells the client where to connect instead (`ex.redirect`, code 302); without a URL it only refuses.
    pub fn redirect(&self, url: &str, description: &str) -> bool {
        if url.is_empty() {
            return self.reject(description);
        }
        let target = Object::new().with("code", 302.0).with("redirect", url);
        let status = Status::new(Code::ConnectRejected).with_description(description);
        self.reject_with(status.with("ex", target))
    }
}

impl PublishRequest {
    /// The stream's name, without query.
    pub fn stream_name(&self) -> &str {
        &self.inner.stream_name
    }

    /// The part of the name after `?`, empty if there is none; publishers put keys there.
    pub fn query(&self) -> &str {
        &self.inner.query
    }

    /// Live, record or append, as the client asked.
    pub fn mode(&self) -> PublishMode {
        self.inner.mode
    }

    /// Accepts. The client gets NetStream.Publish.BadName all the same if another publishes under that name, and
    /// [`on_error`](crate::ApplicationHandler::on_error) tells so.
    pub fn accept(&self) -> bool {
        self.inner
            .pending
            .answer(Answer::Publish(PublishOptions::default()))
    }

    /// Accepts under another takeover policy than the application's.
    pub fn accept_with(&self, takeover: Takeover) -> bool {
        self.accept_as(PublishOptions {
            takeover: Some(takeover),
            ..PublishOptions::default()
        })
    }

    /// Accepts as the host wants it: under another takeover policy, recorded whatever the client asked, or not recorded.
    pub fn accept_as(&self, options: PublishOptions) -> bool {
        self.inner.pending.answer(Answer::Publish(options))
    }

    /// Refuses with NetStream.Publish.BadName.
    pub fn reject(&self, description: &str) -> bool {
        self.reject_with(self.status(Code::PublishBadName, description))
    }

    fn status(&self, code: Code, description: &str) -> Status {
        Status::new(code)
            .with_description(description)
            .with("details", self.stream_name())
    }
}

impl PlayRequest {
    /// The stream's name, without query.
    pub fn stream_name(&self) -> &str {
        &self.inner.stream_name
    }

    /// The part of the name after `?`, empty if there is none.
    pub fn query(&self) -> &str {
        &self.inner.query
    }

    /// What to play, and from where.
    pub fn start(&self) -> PlayStart {
        self.inner.start
    }

    /// How long to play in milliseconds; `None` to the end.
    pub fn duration(&self) -> Option<u64> {
        self.inner.duration
    }

    /// Whether the client wants its play list cleared first.
    pub fn reset(&self) -> bool {
        self.inner.reset
    }

    /// Accepts.
    pub fn accept(&self) -> bool {
        self.inner.pending.answer(Answer::Play(None))
    }

    /// Accepts and plays another stream of the instance than the one named.
    pub fn accept_as(&self, stream_name: &str) -> bool {
        self.inner
            .pending
            .answer(Answer::Play(Some(stream_name.to_owned())))
    }

    /// Refuses with NetStream.Play.Failed.
    pub fn reject(&self, description: &str) -> bool {
        self.reject_with(self.status(Code::PlayFailed, description))
    }

    /// Refuses with NetStream.Play.StreamNotFound.
    pub fn not_found(&self) -> bool {
        let description = format!("Failed to play {}; stream not found.", self.stream_name());
        self.reject_with(self.status(Code::PlayStreamNotFound, &description))
    }

    fn status(&self, code: Code, description: &str) -> Status {
        Status::new(code)
            .with_description(description)
            .with("details", self.stream_name())
    }
}

impl CallRequest {
    /// The method's name.
    pub fn method(&self) -> &str {
        &self.inner.method
    }

    /// The arguments.
    pub fn args(&self) -> &[Value] {
        &self.inner.args
    }

    /// Whether the client waits for an answer; if not, answers are dropped.
    pub fn wants_reply(&self) -> bool {
        self.inner.wants_reply
    }

    /// Returns a value to the caller.
    pub fn accept(&self, result: impl Into<Value>) -> bool {
        self.inner.pending.answer(Answer::Return(result.into()))
    }

    /// Fails the call with NetConnection.Call.Failed.
    pub fn reject(&self, description: &str) -> bool {
        self.reject_with(Status::new(Code::CallFailed).with_description(description))
    }

    /// Fails the call because there is no such method.
    pub fn unknown_method(&self) -> bool {
        self.reject(&format!("Method not found ({}).", self.method()))
    }
}

impl StreamLengthRequest {
    /// The stream's name, without query.
    pub fn stream_name(&self) -> &str {
        &self.inner.stream_name
    }

    /// The part of the name after `?`, empty if there is none.
    pub fn query(&self) -> &str {
        &self.inner.query
    }

    /// Answers with a length in seconds, of the host's own knowledge.
    pub fn accept(&self, seconds: f64) -> bool {
        self.inner.pending.answer(Answer::Length(seconds))
    }
}
