//! The client's side: what to add to the next `connect` after one was refused.

use super::{Credentials, LoginMethod, adobe_response, limelight_response};

/// How far a client has come with logging in.
#[derive(Debug, Clone)]
pub struct Login {
    credentials: Credentials,
    /// It has named its user.
    named: bool,
    /// It has answered a challenge: what comes now is the verdict.
    answered: bool,
}

impl Login {
    /// Nothing was tried yet.
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            named: false,
            answered: false,
        }
    }

    /// What to append to `app` and `tcUrl` of the next connection, after one to `app`, as it was without this, was refused;
    /// `None` if there is nothing more to try. `own` is what the client adds to a challenge, different each time.
    pub fn next(&mut self, app: &str, description: &str, own: u32) -> Option<String> {
        let method = [LoginMethod::Adobe, LoginMethod::Limelight]
            .into_iter()
            .find(|method| description.contains(&format!("authmod={}", method.name())))?;
        let user = &self.credentials.user;
        let mark = if app.contains('?') { '&' } else { '?' };
        let name = format!("{mark}authmod={}&user={}", method.name(), escaped(user));
        if description.contains("code=403 need auth") {
            let first = !std::mem::replace(&mut self.named, true);
            return first.then_some(name);
        }
        let (_, query) = description.split_once("?reason=needauth")?;
        if std::mem::replace(&mut self.answered, true) {
            return None;
        }
        let value = |key: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
        };
        let password = &self.credentials.password;
        let own = format!("{own:08x}");
        Some(match method {
            LoginMethod::Adobe => {
                let hash = method.hash(user, value("salt").unwrap_or_default(), password);
                let opaque = value("opaque");
                let challenge = opaque.or(value("challenge")).unwrap_or_default();
                let response = adobe_response(&hash, challenge, &own);
                let opaque = opaque.map_or(String::new(), |opaque| format!("&opaque={opaque}"));
                format!("{name}&challenge={own}&response={response}{opaque}")
            }
            LoginMethod::Limelight => {
                let nonce = value("nonce").unwrap_or_default();
                let count = "00000001";
                let hash = method.hash(user, "", password);
                let response = limelight_response(&hash, nonce, count, &own, &path(app));
                format!("{name}&nonce={nonce}&cnonce={own}&nc={count}&response={response}")
            }
        })
    }
}

/// `/app/instance`, the default instance by its name.
fn path(app: &str) -> String {
    let app = app.split('?').next().unwrap_or_default().trim_matches('/');
    let instance = if app.contains('/') { "" } else { "/_definst_" };
    format!("/{app}{instance}")
}

/// What would end the value, or be taken for an escape.
fn escaped(user: &str) -> String {
    user.replace('%', "%25").replace('&', "%26").replace('#', "%23")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::auth::{Challenges, LoginAttempt, Secret, Verdict};

    fn login() -> Login {
        Login::new(Credentials {
            user: "user".to_owned(),
            password: "pass".to_owned(),
        })
    }

    /// The transcript of the notes: a server of Adobe's kind, without and with `opaque`.
    #[test]
    fn adobes_challenges_are_answered() {
        let mut login = login();
        let demand = "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ";
        assert_eq!(
            login.next("live", demand, 1).as_deref(),
            Some("?authmod=adobe&user=user")
        );
        let challenge = "[ AccessManager.Reject ] : [ authmod=adobe ] : \
                         ?reason=needauth&user=user&salt=SALT&challenge=ch&opaque=opaque";
        assert_eq!(
            login.next("live", challenge, 0x0a1b_2c3d).as_deref(),
            Some(
                "?authmod=adobe&user=user&challenge=0a1b2c3d&response=w+jSK69QwSEt2DNWFaoGMQ==&opaque=opaque"
            )
        );
        assert_eq!(
            login.next("live", challenge, 3),
            None,
            "a second challenge means no"
        );
        assert_eq!(login.next("live", demand, 3), None);
    }

    #[test]
    fn limelights_challenges_are_answered() {
        let mut login = login();
        let challenge =
            "[ AccessManager.Reject ] : [ authmod=llnw ] : ?reason=needauth&user=user&nonce=nonce";
        assert_eq!(
            login.next("live?key=1", challenge, 0x0a1b_2c3d).as_deref(),
            Some(
                "&authmod=llnw&user=user&nonce=nonce&cnonce=0a1b2c3d&nc=00000001\
                 &response=c6649ea98709e1b2eea316fdb2c32758"
            )
        );
    }

    #[test]
    fn other_refusals_end_it() {
        for description in [
            "",
            "Connection rejected.",
            "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=x",
            "[ AccessManager.Reject ] : [ authmod=llnw ] : ?reason=nosuchuser",
            "[ AccessManager.Reject ] : [ code=403 need auth; authmod=other ] : ",
        ] {
            assert_eq!(login().next("live", description, 1), None, "{description}");
        }
    }

    #[test]
    fn both_sides_agree_also_on_users_with_strange_names() {
        for method in [LoginMethod::Adobe, LoginMethod::Limelight] {
            let credentials = Credentials {
                user: "a&b=50%+c".to_owned(),
                password: "p&=?".to_owned(),
            };
            let secret = Secret::Password(credentials.password.clone());
            let (mut login, mut open) = (Login::new(credentials), Challenges::new([1; 32]));
            let mut description = method.demand();
            for round in 0..2 {
                let query = login.next("live/room", &description, round).unwrap();
                let attempt = LoginAttempt::parse(&query).unwrap();
                match (round, open.judge(&attempt, "/live/room", Some(&secret), 0)) {
                    (0, Verdict::Challenged(text)) => description = text,
                    (1, Verdict::Passed) => {}
                    (_, other) => panic!("{other:?}"),
                }
            }
        }
    }
}
