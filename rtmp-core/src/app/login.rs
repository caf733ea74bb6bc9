//! Logging in by `connect`: the application's own table of users, or the host's answer to each request.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use parking_lot::Mutex;

use crate::app::application::Application;
use crate::app::request::ConnectRequest;
use crate::session;
use crate::session::auth::{Challenges, LoginAttempt, LoginMethod, Secret, Verdict};
use crate::wire::status::{Code, Status};

/// Who may log in to an application, and what waits for an answer.
pub(crate) struct Logins {
    users: Mutex<HashMap<String, Secret>>,
    challenges: Mutex<Challenges>,
    clock: Instant,
}

/// Why a client that should log in is refused.
pub(crate) enum NotYet {
    /// It is to come back with its name, or with the answer to a challenge.
    Asked(Status),
    /// It has tried and failed.
    Failed(Status),
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            users: Mutex::default(),
            challenges: Mutex::new(Challenges::new(seed())),
            clock: Instant::now(),
        }
    }
}

impl Logins {
    fn judge(&self, attempt: &LoginAttempt, path: &str, secret: Option<&Secret>) -> Verdict {
        let now = u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.challenges.lock().judge(attempt, path, secret, now)
    }
}

/// Users. They count where [`ApplicationConfig::login`](crate::ApplicationConfig::login) says that clients have to log in.
impl Application {
    /// Lets a user log in from now on, or, with `None`, no more; clients that are connected stay.
    pub fn set_user(&self, user: &str, secret: Option<Secret>) {
        let mut users = self.logins().users.lock();
        match secret {
            Some(secret) => users.insert(user.to_owned(), secret),
            None => users.remove(user),
        };
    }

    /// Whether a client may go on to the host: it has logged in, or need not.
    pub(crate) fn log_in(&self, command: &session::ConnectRequest) -> Result<(), NotYet> {
        let Some(method) = self.config().login else {
            return Ok(());
        };
        let attempt = LoginAttempt::parse(&command.query).filter(|attempt| attempt.method == method);
        let Some(attempt) = attempt else {
            return Err(NotYet::Asked(refusal(method.demand())));
        };
        let secret = self.logins().users.lock().get(&attempt.user).cloned();
        let path = format!("/{}/{}", command.app, command.instance);
        match self.logins().judge(&attempt, &path, secret.as_ref()) {
            Verdict::Passed => Ok(()),
            Verdict::Challenged(text) => Err(NotYet::Asked(refusal(text))),
            Verdict::Refused(text) => Err(NotYet::Failed(refusal(text))),
        }
    }
}

/// Logging in, where the host knows the users. One login is three requests: the first two are refused here, with what the
/// client needs for the next. They come to [`on_reject`](crate::ApplicationHandler::on_reject) like all that are refused.
impl ConnectRequest {
    /// Who the client says it is, if it tries to log in. Nothing is proven by this alone; where
    /// [`ApplicationConfig::login`](crate::ApplicationConfig::login) is set, it has been before the host is asked.
    pub fn login(&self) -> Option<LoginAttempt> {
        LoginAttempt::parse(self.query())
    }

    /// Refuses with the demand to log in. False if the request was answered before.
    pub fn demand_login(&self, method: LoginMethod) -> bool {
        self.reject_with(refusal(method.demand()))
    }

    /// Whether the client has proven that it knows a user's secret; accept it then, or not. If it has not, it is refused with
    /// a challenge, or because `secret` is `None`, for no such user, or not what it used. A client that does not try to log
    /// in is asked to by Adobe's method. The secret may be looked up first: keep the request meanwhile.
    pub fn check_login(&self, secret: Option<&Secret>) -> bool {
        let Some(attempt) = self.login() else {
            self.demand_login(LoginMethod::Adobe);
            return false;
        };
        let Some(application) = self.instance().application() else {
            self.reject("The application is being shut down.");
            return false;
        };
        let path = format!("/{}", self.instance().name());
        match application.logins().judge(&attempt, &path, secret) {
            Verdict::Passed => return true,
            Verdict::Challenged(text) | Verdict::Refused(text) => self.reject_with(refusal(text)),
        };
        false
    }
}

fn refusal(description: String) -> Status {
    Status::new(Code::ConnectRejected).with_description(description)
}

/// Bytes that nobody can guess: the keys of hash maps are random.
fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    for (part, chunk) in seed.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&RandomState::new().hash_one(part).to_le_bytes());
    }
    seed
}
