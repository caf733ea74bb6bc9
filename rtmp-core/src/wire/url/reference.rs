//! Relative URLs, as a server that asks to reconnect may give them (RFC 3986 5, E-RTMP v2 "Reconnect Request").

/// Resolves a URL reference against an absolute URL: `rtmp://other/app`, `//other/app`, `/app`, `app` or `?query`. The
/// fragment is dropped. The result is text of the same syntax; whether it is an RTMP URL is for
/// [`RtmpUrl::parse`](super::RtmpUrl::parse) to say.
pub fn resolve(base: &str, reference: &str) -> String {
    let (base, reference) = (Parts::of(base), Parts::of(reference));
    let same_authority = reference.scheme.is_none() && reference.authority.is_none();
    let path = match reference.path {
        path if !same_authority => without_dots(path),
        "" => base.path.to_owned(),
        path if path.starts_with('/') => without_dots(path),
        path => without_dots(&merge(&base, path)),
    };
    let query = match reference.query {
        None if same_authority && reference.path.is_empty() => base.query,
        query => query,
    };
    let scheme = reference.scheme.or(base.scheme).unwrap_or_default();
    let authority = match reference.scheme {
        Some(_) => reference.authority,
        None => reference.authority.or(base.authority),
    };
    let mut out = format!("{scheme}:");
    if let Some(authority) = authority {
        out.push_str("//");
        out.push_str(authority);
    }
    out.push_str(&path);
    if let Some(query) = query {
        out.push('?');
        out.push_str(query);
    }
    out
}

struct Parts<'a> {
    scheme: Option<&'a str>,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Self {
        let text = text.split('#').next().unwrap_or_default();
        let (text, query) = match text.split_once('?') {
            Some((text, query)) => (text, Some(query)),
            None => (text, None),
        };
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            _ => (None, text),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.find('/').unwrap_or(rest.len());
                let (authority, path) = rest.split_at(end);
                (Some(authority), path)
            }
            None => (None, rest),
        };
        Self {
            scheme,
            authority,
            path,
            query,
        }
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// RFC 3986 5.2.3.
fn merge(base: &Parts<'_>, path: &str) -> String {
    match base.path.rfind('/') {
        Some(at) => format!("{}{path}", &base.path[..=at]),
        None if base.authority.is_some() => format!("/{path}"),
        None => path.to_owned(),
    }
}

/// RFC 3986 5.2.4.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                // The empty first segment stands for the leading slash.
                if segment == ".." && kept.len() > 1 {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    kept.join("/")
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn the_examples_of_rfc_3986_5_4() {
        for (reference, expected) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            ("g?y#s", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("..g", "http://a/b/c/..g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
        ] {
            assert_eq!(
                resolve("http://a/b/c/d;p?q", reference),
                expected,
                "{reference:?}"
            );
        }
    }

    #[test]
    fn the_forms_of_a_reconnect_request() {
        for (reference, expected) in [
            (
                "rtmp://foo.mydomain.com:1935/realtimeapp",
                "rtmp://foo.mydomain.com:1935/realtimeapp",
            ),
            ("rtmp://127.0.0.1/realtimeapp", "rtmp://127.0.0.1/realtimeapp"),
            ("//192.0.2.0/realtimeapp", "rtmps://192.0.2.0/realtimeapp"),
            ("/realtimeapp", "rtmps://host:8443/realtimeapp"),
            ("realtimeapp", "rtmps://host:8443/realtimeapp"),
            ("//[2001:db8::1]:1936/x", "rtmps://[2001:db8::1]:1936/x"),
            ("", "rtmps://host:8443/live?key=1"),
        ] {
            assert_eq!(
                resolve("rtmps://host:8443/live?key=1", reference),
                expected,
                "{reference:?}"
            );
        }
        assert_eq!(resolve("rtmp://host", "app"), "rtmp://host/app");
    }
}
