//! The server's side: challenges that were given out, and what answers them.

use std::collections::{HashMap, VecDeque};
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{LoginAttempt, LoginMethod, Proof, Secret, adobe_response, hex, limelight_response};

/// Challenges that may wait for their answer; the oldest goes when there are more.
const MOST: usize = 4096;
/// How long one may wait, in milliseconds.
const LIFETIME_MS: u64 = 60_000;
/// Limelight's request counter: a challenge is good for one answer.
const COUNT: &str = "00000001";

/// What came of an attempt to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The client knows the secret.
    Passed,
    /// It has to go, with this description: a challenge, which it may come back to answer.
    Challenged(String),
    /// It has to go, with this description: the password is wrong, the user unknown, or the challenge not one that waits.
    Refused(String),
}

/// Challenges that wait for their answer. Each is good for one answer, by the user it was made for, within a minute.
pub struct Challenges {
    key: [u8; 32],
    made: u64,
    open: HashMap<String, Open>,
    order: VecDeque<(u64, String)>,
}

struct Open {
    method: LoginMethod,
    user: String,
    salt: String,
    expires: u64,
}

impl Challenges {
    /// None yet. Challenges are made of `seed`, 32 bytes that nobody can guess.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            key: seed,
            made: 0,
            open: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Challenges waiting.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Judges an attempt to log in to `path`, `/app/instance`. `secret` is what is known of the user, `None` if nothing is.
    pub fn judge(
        &mut self,
        attempt: &LoginAttempt,
        path: &str,
        secret: Option<&Secret>,
        now_ms: u64,
    ) -> Verdict {
        self.forget_expired(now_ms);
        match &attempt.proof {
            None => Verdict::Challenged(self.challenge(attempt, secret, now_ms)),
            Some(proof) => self.check(attempt, proof, path, secret),
        }
    }

    /// Unknown users get a challenge like others: what it says of them is the same each time.
    fn challenge(&mut self, attempt: &LoginAttempt, secret: Option<&Secret>, now_ms: u64) -> String {
        let (method, user) = (attempt.method, &attempt.user);
        let salt = secret
            .and_then(Secret::salt)
            .map_or_else(|| self.derive(b"salt", user.as_bytes(), 6), str::to_owned);
        self.made = self.made.wrapping_add(1);
        let name = self.derive(b"challenge", &self.made.to_be_bytes(), 16);
        let needed = match method {
            LoginMethod::Adobe => format!("&salt={salt}&challenge={name}&opaque={name}"),
            LoginMethod::Limelight => format!("&nonce={name}"),
        };
        let description = method.refusal(&format!("needauth&user={user}{needed}"));
        let open = Open {
            method,
            user: user.clone(),
            salt,
            expires: now_ms.saturating_add(LIFETIME_MS),
        };
        self.order.push_back((open.expires, name.clone()));
        self.open.insert(name, open);
        while self.order.len() > MOST {
            self.forget_oldest();
        }
        description
    }

    fn check(
        &mut self,
        attempt: &LoginAttempt,
        proof: &Proof,
        path: &str,
        secret: Option<&Secret>,
    ) -> Verdict {
        let (method, user) = (attempt.method, &attempt.user);
        let refused = |reason: &str| Verdict::Refused(method.refusal(reason));
        let wrong = match method {
            LoginMethod::Adobe => format!("authfailed&opaque={}", plain(&proof.challenge)),
            LoginMethod::Limelight => "authfail".to_owned(),
        };
        // Taken out whatever comes of it: nobody answers twice.
        let open = self.open.remove(&proof.challenge);
        let Some(open) = open.filter(|open| open.method == method && open.user == *user) else {
            return refused(&wrong);
        };
        let Some(secret) = secret else {
            return refused("nosuchuser");
        };
        let hash = secret.hash(method, user, &open.salt);
        let expected = match method {
            LoginMethod::Adobe => adobe_response(&hash, &proof.challenge, &proof.own),
            LoginMethod::Limelight => {
                limelight_response(&hash, &proof.challenge, &proof.count, &proof.own, path)
            }
        };
        let counted = method == LoginMethod::Adobe || proof.count == COUNT;
        if counted && is_same(expected.as_bytes(), proof.response.as_bytes()) {
            Verdict::Passed
        } else {
            refused(&wrong)
        }
    }

    fn forget_expired(&mut self, now_ms: u64) {
        while self.order.front().is_some_and(|(expires, _)| *expires <= now_ms) {
            self.forget_oldest();
        }
        // Answered ones leave their place in the order behind.
        if self.open.is_empty() {
            self.order.clear();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, name)) = self.order.pop_front() {
            self.open.remove(&name);
        }
    }

    fn derive(&self, purpose: &[u8], of: &[u8], bytes: usize) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return String::new(); // A key of any length is taken.
        };
        mac.update(purpose);
        mac.update(of);
        hex(mac.finalize().into_bytes().get(..bytes).unwrap_or_default())
    }
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Challenges({} open)", self.open.len())
    }
}

/// What a client said, to be said back: nothing that could be read as something else.
fn plain(text: &str) -> String {
    let harmless = |c: &char| c.is_ascii_alphanumeric() || "+/=-_".contains(*c);
    text.chars().filter(harmless).take(64).collect()
}

/// Compares in a time that does not tell how much of it is the same.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let different = one.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && std::hint::black_box(different) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/live/_definst_";

    fn attempt(query: &str) -> LoginAttempt {
        LoginAttempt::parse(query).unwrap()
    }

    fn value<'a>(description: &'a str, key: &str) -> &'a str {
        let (_, query) = description.split_once('?').unwrap();
        let pair = query.split('&').find_map(|pair| pair.strip_prefix(key)).unwrap();
        pair.strip_prefix('=').unwrap()
    }

    /// The query that answers a challenge as FFmpeg does.
    fn answer(method: LoginMethod, user: &str, password: &str, description: &str) -> String {
        match method {
            LoginMethod::Adobe => {
                let opaque = value(description, "opaque");
                let hash = method.hash(user, value(description, "salt"), password);
                let response = adobe_response(&hash, opaque, "0a1b2c3d");
                format!("authmod=adobe&user={user}&challenge=0a1b2c3d&response={response}&opaque={opaque}")
            }
            LoginMethod::Limelight => {
                let nonce = value(description, "nonce");
                let hash = method.hash(user, "", password);
                let response = limelight_response(&hash, nonce, COUNT, "0a1b2c3d", PATH);
                format!(
                    "authmod=llnw&user={user}&nonce={nonce}&cnonce=0a1b2c3d&nc={COUNT}&response={response}"
                )
            }
        }
    }

    fn challenged(open: &mut Challenges, method: LoginMethod, user: &str, secret: Option<&Secret>) -> String {
        let first = attempt(&format!("authmod={}&user={user}", method.name()));
        match open.judge(&first, PATH, secret, 0) {
            Verdict::Challenged(description) => description,
            other => panic!("{other:?}"),
        }
    }

    const METHODS: [LoginMethod; 2] = [LoginMethod::Adobe, LoginMethod::Limelight];

    #[test]
    fn who_knows_the_password_passes_once() {
        for method in METHODS {
            for secret in [
                Secret::Password("pw".into()),
                Secret::hashed(method, "me", "s4lt", "pw"),
            ] {
                let mut open = Challenges::new([7; 32]);
                let description = challenged(&mut open, method, "me", Some(&secret));
                let prefix = format!(
                    "[ AccessManager.Reject ] : [ authmod={} ] : ?reason=needauth&user=me&",
                    method.name()
                );
                assert!(description.starts_with(&prefix), "{description}");
                let answer = attempt(&answer(method, "me", "pw", &description));
                assert_eq!(open.judge(&answer, PATH, Some(&secret), 1), Verdict::Passed);
                let again = open.judge(&answer, PATH, Some(&secret), 1);
                assert!(matches!(again, Verdict::Refused(_)), "{again:?}");
                assert!(open.is_empty());
            }
        }
    }

    #[test]
    fn whoever_does_not_is_told_so() {
        let known = Secret::Password("pw".into());
        for method in METHODS {
            let mut open = Challenges::new([7; 32]);
            let description = challenged(&mut open, method, "me", Some(&known));
            let wrong = attempt(&answer(method, "me", "other", &description));
            let text = match method {
                LoginMethod::Adobe => {
                    format!(
                        "authmod=adobe ] : ?reason=authfailed&opaque={}",
                        value(&description, "opaque")
                    )
                }
                LoginMethod::Limelight => "authmod=llnw ] : ?reason=authfail".to_owned(),
            };
            let text = format!("[ AccessManager.Reject ] : [ {text}");
            assert_eq!(open.judge(&wrong, PATH, Some(&known), 1), Verdict::Refused(text));
            let description = challenged(&mut open, method, "you", None);
            let unknown = attempt(&answer(method, "you", "pw", &description));
            let text = method.refusal("nosuchuser");
            assert_eq!(open.judge(&unknown, PATH, None, 1), Verdict::Refused(text));
        }
    }

    #[test]
    fn challenges_are_for_one_user_and_expire() {
        let secret = Secret::Password("pw".into());
        for method in METHODS {
            let mut open = Challenges::new([7; 32]);
            let description = challenged(&mut open, method, "me", Some(&secret));
            let other = attempt(&answer(method, "you", "pw", &description));
            assert!(matches!(
                open.judge(&other, PATH, Some(&secret), 1),
                Verdict::Refused(_)
            ));
            let description = challenged(&mut open, method, "me", Some(&secret));
            let late = attempt(&answer(method, "me", "pw", &description));
            let verdict = open.judge(&late, PATH, Some(&secret), LIFETIME_MS);
            assert!(matches!(verdict, Verdict::Refused(_)));
        }
    }

    #[test]
    fn open_challenges_are_bounded() {
        let mut open = Challenges::new([7; 32]);
        for number in 0..MOST + 10 {
            challenged(&mut open, LoginMethod::Adobe, &format!("user{number}"), None);
        }
        assert_eq!((open.len(), open.order.len()), (MOST, MOST));
    }
}
