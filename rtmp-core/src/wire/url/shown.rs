//! URLs and queries as logs, errors and `Debug` may show them: passwords and tokens are left out.

use std::fmt;
use std::ops::Deref;

/// What stands in the place of a secret.
const HIDDEN: &str = "***";

/// A URL, or the name of an application or a stream, with `***` for the password and for everything behind the first `?`,
/// where keys and tokens are. Text that is no URL is taken for a name.
pub fn masked(text: &str) -> String {
    let (path, query) = text
        .split_once('?')
        .map_or((text, ""), |(path, _)| (path, "?***"));
    let Some((scheme, rest)) = path.split_once("://") else {
        return format!("{path}{query}");
    };
    let (authority, after) = rest
        .split_at_checked(rest.find('/').unwrap_or(rest.len()))
        .unwrap_or((rest, ""));
    let Some((user_info, host)) = authority.rsplit_once('@') else {
        return format!("{scheme}://{authority}{after}{query}");
    };
    let (user, password) = match user_info.split_once(':') {
        Some((user, _)) => (user, ":***"),
        None => (user_info, ""),
    };
    format!("{scheme}://{user}{password}@{host}{after}{query}")
}

/// The query of an application's or a stream's name, without the question mark. Tokens are in queries: `Debug` shows
/// whether there is one, not what it says.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Query(String);

impl Query {
    /// What the query says.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Query {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Query {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<Query> for String {
    fn from(query: Query) -> Self {
        query.0
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", if self.0.is_empty() { "" } else { HIDDEN })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_queries_are_hidden() {
        for (text, shown) in [
            (
                "rtmp://me:secret@h:1936/live/key",
                "rtmp://me:***@h:1936/live/key",
            ),
            ("rtmp://me:se@cret@h/live", "rtmp://me:***@h/live"),
            ("rtmp://me@h/live?token=a/b", "rtmp://me@h/live?***"),
            ("rtmp://h/live?k=secret/cam?k=secret", "rtmp://h/live?***"),
            (
                "https://h/gateway.php?session=secret",
                "https://h/gateway.php?***",
            ),
            ("rtmp://h/live/a@b:c", "rtmp://h/live/a@b:c"),
            ("cam?key=secret", "cam?***"),
            ("cam", "cam"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    #[test]
    fn a_query_shows_that_it_is_there() {
        let texts = ["", "token=secret"].map(|text| format!("{:?}", Query::from(text)));
        assert_eq!(texts, ["\"\"", "\"***\""]);
    }
}
