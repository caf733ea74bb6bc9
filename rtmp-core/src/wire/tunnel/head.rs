//! Heads of HTTP/1.1 messages, as far as RTMPT needs them.

use super::MAX_BODY;

/// Longest head.
const MAX_HEAD: usize = 8 << 10;
const MAX_HEADERS: usize = 48;

/// What follows a head and what follows the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    /// Length of the head.
    pub(super) head: usize,
    /// Length of the body.
    pub(super) body: usize,
    /// Whether more messages may come on the connection.
    pub(super) keep_alive: bool,
}

/// Why a head cannot be used: the HTTP status that says so, and a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unusable(pub(super) u16, pub(super) &'static str);

/// The head of a request; `None` while it is incomplete.
pub(super) fn request(buffer: &[u8]) -> Result<Option<(String, Frame)>, Unusable> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(buffer) {
        Ok(httparse::Status::Complete(head)) if head <= MAX_HEAD => head,
        Ok(httparse::Status::Partial) if buffer.len() < MAX_HEAD => return Ok(None),
        Ok(_) => return Err(Unusable(431, "the head is too long")),
        Err(httparse::Error::TooManyHeaders) => return Err(Unusable(431, "there are too many headers")),
        Err(_) => return Err(Unusable(400, "it is no HTTP/1.1 request")),
    };
    if request.method != Some("POST") {
        return Err(Unusable(405, "only POST is served"));
    }
    let fields = Fields::read(request.headers)?;
    let body = fields.length.ok_or(Unusable(411, "it has no Content-Length"))?;
    let frame = Frame {
        head,
        body,
        keep_alive: fields.keep_alive(request.version),
    };
    Ok(Some((path(request.path.unwrap_or_default()).to_owned(), frame)))
}

/// The head of a response, its status first; `None` while it is incomplete.
pub(super) fn response(buffer: &[u8]) -> Result<Option<(u16, Frame)>, Unusable> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(buffer) {
        Ok(httparse::Status::Complete(head)) if head <= MAX_HEAD => head,
        Ok(httparse::Status::Partial) if buffer.len() < MAX_HEAD => return Ok(None),
        Ok(_) => return Err(Unusable(0, "the head is too long")),
        Err(_) => return Err(Unusable(0, "it is no HTTP/1.1 response")),
    };
    let status = response.code.unwrap_or(0);
    let fields = Fields::read(response.headers)?;
    let body = match fields.length {
        Some(length) => length,
        // Without a length the body goes on to the end of the connection: of an error's nobody wants to know.
        None if status != 200 => 0,
        None => return Err(Unusable(0, "it has no Content-Length")),
    };
    let keep_alive = fields.length.is_some() && fields.keep_alive(response.version);
    Ok(Some((
        status,
        Frame {
            head,
            body,
            keep_alive,
        },
    )))
}

/// The headers that matter.
#[derive(Default)]
struct Fields {
    length: Option<usize>,
    close: bool,
    keep: bool,
}

impl Fields {
    fn read(headers: &[httparse::Header<'_>]) -> Result<Self, Unusable> {
        let mut fields = Self::default();
        for header in headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                if fields.length.is_some() {
                    return Err(Unusable(400, "it has Content-Length twice"));
                }
                fields.length = Some(length(header.value)?);
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(Unusable(501, "it has a Transfer-Encoding"));
            } else if header.name.eq_ignore_ascii_case("connection") {
                let has = |token: &[u8]| {
                    let mut tokens = header.value.split(|byte| *byte == b',');
                    tokens.any(|text| text.trim_ascii().eq_ignore_ascii_case(token))
                };
                fields.close |= has(b"close");
                fields.keep |= has(b"keep-alive");
            }
        }
        Ok(fields)
    }

    fn keep_alive(&self, version: Option<u8>) -> bool {
        !self.close && (self.keep || version == Some(1))
    }
}

/// Digits alone: no sign, no list.
fn length(value: &[u8]) -> Result<usize, Unusable> {
    let digits = std::str::from_utf8(value.trim_ascii()).unwrap_or_default();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Unusable(400, "its Content-Length is no number"));
    }
    match digits.parse::<usize>() {
        Ok(length) if length <= MAX_BODY => Ok(length),
        _ => Err(Unusable(413, "its body is too long")),
    }
}

/// The path of a request's target, which proxies are given with scheme and host.
fn path(target: &str) -> &str {
    match target.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => target,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &str) -> u16 {
        request(text.as_bytes()).map(|head| head.is_some()).unwrap_err().0
    }

    #[test]
    fn heads_say_what_follows() {
        let text = "POST /open/1 HTTP/1.1\r\nContent-Length: 1\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(request(&text.as_bytes()[..end]), Ok(None), "{end}");
        }
        let frame = |body, keep_alive| Frame {
            head: text.len(),
            body,
            keep_alive,
        };
        let (path, got) = request(text.as_bytes()).unwrap().unwrap();
        assert_eq!((&*path, got), ("/open/1", frame(1, true)));
        let old = "POST http://a.example:80/x HTTP/1.0\r\ncontent-length:12\r\n\r\n";
        let (path, got) = request(old.as_bytes()).unwrap().unwrap();
        assert_eq!((&*path, got.keep_alive, got.body), ("/x", false, 12));
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: TE, close\r\n\r\n";
        let (status, got) = response(answer.as_bytes()).unwrap().unwrap();
        assert_eq!((status, got.keep_alive, got.body), (200, false, 2));
    }

    #[test]
    fn heads_that_could_be_read_in_two_ways_are_refused() {
        let with = |headers: &str| status(&format!("POST /open/1 HTTP/1.1\r\n{headers}\r\n\r\n"));
        assert_eq!(with("Host: x"), 411);
        assert_eq!(with("Content-Length: -1"), 400);
        assert_eq!(with("Content-Length: +1"), 400);
        assert_eq!(with("Content-Length: 1, 1"), 400);
        assert_eq!(with("Content-Length: 1\r\nContent-Length: 1"), 400);
        assert_eq!(with("Content-Length: 1\r\nTransfer-Encoding: chunked"), 501);
        assert_eq!(with("Content-Length: 10000000000"), 413);
        assert_eq!(with("Content-Length: 99999999999999999999999999"), 413);
        assert_eq!(with(&"A: b\r\n".repeat(60)), 431);
        assert_eq!(
            status(&format!("POST / HTTP/1.1\r\nA: {}", "x".repeat(9000))),
            431
        );
        assert_eq!(status("GET /crossdomain.xml HTTP/1.1\r\n\r\n"), 405);
        assert_eq!(status("\u{3}\0\0\0"), 400);
    }
}
