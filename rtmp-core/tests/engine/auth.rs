//! Logging in by Adobe's and by Limelight's authentication, over real sockets.

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use rtmp_core::session::ClientSessionConfig;
use rtmp_core::{
    AcceptAll, ApplicationConfig, ApplicationHandler, Client, ConnectRequest, Credentials, LoginMethod,
    NetConnectionConfig, Object, PublishMode, Secret, ServerConfig, Status, Value,
};

use crate::support::{PATIENCE, Served, code, connect, connect_with, serve, serve_with, stream, wait_status};
use crate::wire::Wire;

const METHODS: [LoginMethod; 2] = [LoginMethod::Adobe, LoginMethod::Limelight];

/// A server whose application `live` lets `me` in, who has the password `s3cret`.
fn guarded(method: LoginMethod, secret: Secret) -> Served {
    let mut config = ApplicationConfig::default();
    config.login = Some(method);
    let served = serve_with(AcceptAll, 1, ServerConfig::default(), config);
    let application = served.server.instance("live").unwrap().application().unwrap();
    application.set_user("me", Some(secret));
    served
}

fn with_user(served: &Served, user: &str) -> String {
    served.url.replace("rtmp://", &format!("rtmp://{user}@"))
}

#[test]
fn p18_a_client_logs_in_and_publishes() {
    for method in METHODS {
        for secret in [
            Secret::Password("s3cret".to_owned()),
            Secret::hashed(method, "me", "NaCl", "s3cret"),
        ] {
            let served = guarded(method, secret);
            for place in ["", "/room"] {
                let url = with_user(&served, "me:s3cret") + place;
                let (connection, statuses) = connect(&served.engine, &url);
                let (publisher, events) = stream(&connection);
                publisher.publish("cam", PublishMode::Live).unwrap();
                assert_eq!(code(&statuses), "NetConnection.Connect.Success");
                wait_status(&events, "NetStream.Publish.Start");
                assert_eq!(connection.uri(), format!("{}{place}", served.url));
                publisher.close();
            }
        }
    }
}

#[test]
fn p18_a_wrong_password_and_an_unknown_user_are_told() {
    for method in METHODS {
        let served = guarded(method, Secret::Password("s3cret".to_owned()));
        let name = method.name();
        let failed = match method {
            LoginMethod::Limelight => "authfail",
            _ => "authfailed&opaque=",
        };
        for (user, reason) in [("me:wrong", failed), ("you:s3cret", "nosuchuser")] {
            let (connection, statuses) = connect(&served.engine, &with_user(&served, user));
            let status = statuses.recv_timeout(PATIENCE).unwrap();
            assert_eq!(status.code, "NetConnection.Connect.Rejected");
            let text = format!("[ AccessManager.Reject ] : [ authmod={name} ] : ?reason={reason}");
            assert!(status.description.starts_with(&text), "{}", status.description);
            assert_eq!(code(&statuses), "NetConnection.Connect.Closed");
            assert!(!connection.is_connected());
        }
        let (_connection, statuses) = connect(&served.engine, &served.url);
        let status = statuses.recv_timeout(PATIENCE).unwrap();
        assert_eq!(
            status.description,
            format!("[ AccessManager.Reject ] : [ code=403 need auth; authmod={name} ] : ")
        );
    }
}

#[test]
fn p18_credentials_may_be_settings() {
    let served = guarded(LoginMethod::Adobe, Secret::Password("p@ss:w/rd&=?".to_owned()));
    let credentials = Credentials {
        user: "me".to_owned(),
        password: "p@ss:w/rd&=?".to_owned(),
    };
    let session = ClientSessionConfig {
        credentials: Some(credentials),
        ..ClientSessionConfig::default()
    };
    let mut config = NetConnectionConfig::default();
    config.session = Some(session);
    let (_connection, statuses) = connect_with(&served.engine, &served.url, config);
    assert_eq!(code(&statuses), "NetConnection.Connect.Success");
}

/// Asks another thread for the password, as hosts with a database do.
struct Asking {
    rejected: Mutex<Sender<String>>,
}

impl ApplicationHandler for Asking {
    fn on_connect(&self, request: ConnectRequest) {
        let Some(login) = request.login() else {
            request.demand_login(LoginMethod::Limelight);
            return;
        };
        thread::spawn(move || {
            let secret = (login.user == "me").then(|| Secret::Password("s3cret".to_owned()));
            if request.check_login(secret.as_ref()) {
                request.accept_with(Object::new(), Object::new().with("user", login.user));
            }
        });
    }

    fn on_reject(&self, _: &Client, why: &Status) {
        let _ = self.rejected.lock().unwrap().send(why.description.to_string());
    }
}

#[test]
fn p18_the_host_may_look_the_password_up() {
    let (sender, rejected) = channel();
    let rejections = Mutex::new(sender);
    let served = serve(Asking { rejected: rejections }, 1);
    let (_connection, statuses) = connect(&served.engine, &with_user(&served, "me:s3cret"));
    let status = statuses.recv_timeout(PATIENCE).unwrap();
    assert_eq!(status.code, "NetConnection.Connect.Success");
    assert_eq!(status.info.get("user"), Some(&Value::from("me")));
    for reason in ["code=403 need auth", "?reason=needauth"] {
        let text = rejected.recv_timeout(PATIENCE).unwrap();
        assert!(text.contains(reason), "{text}");
    }
    let (_other, statuses) = connect(&served.engine, &with_user(&served, "you:s3cret"));
    let status = statuses.recv_timeout(PATIENCE).unwrap();
    assert!(
        status.description.ends_with("?reason=nosuchuser"),
        "{}",
        status.description
    );
}

/// The exchange of the notes, by hand: what an encoder writes into `app` and what it is told.
#[test]
fn p18_the_exchange_of_adobes_encoders() {
    let served = guarded(
        LoginMethod::Adobe,
        Secret::hashed(LoginMethod::Adobe, "me", "NaCl", "s3cret"),
    );
    let refusal = |query: &str| {
        let mut wire = Wire::open(&served);
        wire.connect(Object::new().with("app", format!("live{query}")));
        let info = wire.answer(1.0).unwrap_err();
        let info = info.as_object().unwrap().clone();
        assert_eq!(info.get("level"), Some(&Value::from("error")));
        assert_eq!(
            info.get("code"),
            Some(&Value::from("NetConnection.Connect.Rejected"))
        );
        assert_eq!(wire.wait_command("close").args, []);
        info.get("description").unwrap().as_str().unwrap().to_owned()
    };
    assert_eq!(
        refusal(""),
        "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : "
    );
    let challenge = refusal("?authmod=adobe&user=me");
    let start =
        "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=me&salt=NaCl&challenge=";
    let rest = challenge.strip_prefix(start).unwrap();
    let (challenge, opaque) = rest.split_once("&opaque=").unwrap();
    assert_eq!((challenge, opaque.len()), (opaque, 32));
    let wrong = format!("?authmod=adobe&user=me&challenge=00000000&response=AAAA==&opaque={opaque}");
    let failed = format!("[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque={opaque}");
    assert_eq!(refusal(&wrong), failed);
}
