//! What deployed peers get wrong without harm, as bytes: one case at least for each deviation that needs no time to pass.

use rtmp_core::session::Deviation;

/// `connect`, 1, {app: "live"}.
pub const CONNECT: &[u8] = b"\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0\x03\0\x03app\x02\0\x04live\0\0\x09";
/// `createStream`, 2, null.
pub const CREATE_STREAM: &[u8] = b"\x02\0\x0ccreateStream\0\x40\0\0\0\0\0\0\0\x05";
/// `publish`, 0, null, "s".
pub const PUBLISH: &[u8] = b"\x02\0\x07publish\0\0\0\0\0\0\0\0\0\x05\x02\0\x01s";
/// Video in AVC: inter frame, 200 bytes.
const FRAME: [u8; 200] = {
    let mut frame = [0x55; 200];
    frame[0] = 0x27;
    frame[1] = 1;
    frame
};

/// When a client does what it should not.
#[derive(Clone, Copy)]
pub enum At {
    /// In place of C0, C1 and C2: version byte, and whether C2 echoes.
    Handshake(u8, bool),
    /// In place of connect.
    Connect,
    /// Once connected.
    Connected,
    /// While it publishes on message stream 1.
    Publishing,
}

pub struct Case {
    pub deviation: Deviation,
    pub at: At,
    pub bytes: Vec<u8>,
}

/// A whole message with a format 0 header.
pub fn message(csid: u8, kind: u8, stream_id: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![csid, 0, 0, 0, 0, 0, body.len() as u8, kind, stream_id, 0, 0, 0];
    bytes.extend_from_slice(body);
    bytes
}

pub fn case(deviation: Deviation, at: At, bytes: Vec<u8>) -> Case {
    Case { deviation, at, bytes }
}

fn handshakes() -> Vec<Case> {
    vec![
        case(Deviation::HandshakeVersion, At::Handshake(5, true), Vec::new()),
        case(Deviation::HandshakeEcho, At::Handshake(3, false), Vec::new()),
    ]
}

fn controls() -> Vec<Case> {
    use At::Connected;
    let window = [0, 0x26, 0x25, 0xA0];
    let acknowledgements = [
        message(2, 3, 0, &[0, 0, 0x10, 0]),
        message(2, 3, 0, &[0, 0, 0, 0x10]),
    ];
    // librtmp's answer to a ping.
    let ping = b"\x42\0\0\0\0\0\x06\x04\0\x06\0\0\x0D\x0F".to_vec();
    vec![
        case(
            Deviation::ControlChunkStream,
            Connected,
            message(3, 5, 0, &window),
        ),
        case(
            Deviation::ControlMessageStream,
            Connected,
            message(2, 5, 1, &window),
        ),
        case(
            Deviation::ControlTooShort,
            Connected,
            message(2, 3, 0, &[0, 0, 1]),
        ),
        case(Deviation::LimitTypeMissing, Connected, message(2, 6, 0, &window)),
        case(
            Deviation::AcknowledgementRestarted,
            Connected,
            acknowledgements.concat(),
        ),
        case(Deviation::FreshFormat1, Connected, ping),
    ]
}

/// Video on chunk stream 6 at a time beyond 24 bits; `repeated` stands in the header of the second chunk.
fn extended(time: [u8; 4], repeated: &[u8]) -> Vec<u8> {
    let header = [6, 0xFF, 0xFF, 0xFF, 0, 0, 200, 9, 1, 0, 0, 0];
    [
        &header[..],
        &time,
        &FRAME[..128],
        &[0xC6],
        repeated,
        &FRAME[128..],
    ]
    .concat()
}

fn times() -> Vec<Case> {
    use At::Publishing;
    let time = [0x10, 0, 0, 0];
    let again = [0x46, 0xFF, 0xFF, 0xFF, 0, 0, 3, 9, 0x10, 0, 0, 0x14, 0x27, 1, 0];
    vec![
        case(
            Deviation::ExtendedTimestampAbsent,
            Publishing,
            extended(time, &[]),
        ),
        case(
            Deviation::ExtendedTimestamp31Bits,
            Publishing,
            extended([0x90, 0, 0, 0], &time),
        ),
        case(
            Deviation::ExtendedTimestampAbsolute,
            Publishing,
            [&extended(time, &time)[..], &again].concat(),
        ),
    ]
}

fn commands() -> Vec<Case> {
    use At::{Connect, Connected, Publishing};
    let check = b"\x02\0\x08_checkbw\0\0\0\0\0\0\0\0\0".to_vec();
    let ends_with = |end: &[u8]| message(3, 20, 0, &[&check[..], end].concat());
    let connect = |txn: u8, object: &[u8]| {
        let start = [b"\x02\0\x07connect\0\x3f", &[txn][..], b"\0\0\0\0\0\0\x03"].concat();
        message(3, 20, 0, &[&start[..], object, b"\0\0\x09"].concat())
    };
    let delete = b"\x02\0\x0cdeleteStream\0\0\0\0\0\0\0\0\0\x05\x02\0\x01s";
    let receive = b"\x02\0\x0creceiveAudio\0\0\0\0\0\0\0\0\0\x05\x01\x01";
    vec![
        case(
            Deviation::SelectorMissing,
            Connected,
            message(3, 17, 0, &[&check[..], &[5]].concat()),
        ),
        case(
            Deviation::ObjectEndMissing,
            Connected,
            ends_with(b"\x03\0\x01a\x05"),
        ),
        case(Deviation::Padding, Connected, ends_with(b"\x05\0\0\0")),
        case(
            Deviation::CommandFieldsMissing,
            Connected,
            message(3, 20, 0, b"\x02\0\x08_checkbw"),
        ),
        case(Deviation::Unreadable, Connected, message(3, 20, 0, &[5, 5, 5])),
        case(
            Deviation::TrailingNul,
            Connected,
            message(3, 20, 0, b"\x02\0\x09_checkbw\0\0\0\0\0\0\0\0\0\0\x05"),
        ),
        case(
            Deviation::TrailingNul,
            Connect,
            connect(0xF0, b"\0\x03app\x02\0\x05live\0"),
        ),
        case(
            Deviation::Quoted,
            Connect,
            connect(0xF0, b"\0\x03app\x02\0\x06'live'"),
        ),
        case(
            Deviation::ConnectProperty,
            Connect,
            connect(0xF0, b"\0\x05tcUrl\x02\0\x0drtmp://h/live"),
        ),
        // 1.5 instead of 1.
        case(
            Deviation::ConnectTransaction,
            Connect,
            connect(0xF8, b"\0\x03app\x02\0\x04live"),
        ),
        case(Deviation::StreamNotCreated, Connected, message(3, 20, 0, PUBLISH)),
        case(Deviation::StreamNumber, Publishing, message(3, 20, 0, delete)),
        case(
            Deviation::CommandOnStreamZero,
            Publishing,
            message(3, 20, 0, receive),
        ),
    ]
}

fn media() -> Vec<Case> {
    use At::Publishing;
    let unit = b"\x08\0\0\x03\0\x03\xE8\0\0\0\0\xAF\x01\xAA";
    let aggregate = |end: &[u8]| message(4, 22, 1, &[&unit[..], end].concat());
    vec![
        case(
            Deviation::MediaOnStreamZero,
            Publishing,
            message(4, 8, 0, &[0xAF, 1, 0x21]),
        ),
        case(Deviation::EmptyMedia, Publishing, message(4, 8, 1, &[])),
        case(Deviation::EmptyMedia, Publishing, message(4, 9, 1, &[])),
        case(
            Deviation::UnknownCodec,
            Publishing,
            message(6, 9, 1, b"\x91XXXX\0"),
        ),
        case(Deviation::UnknownCodec, Publishing, message(6, 9, 1, &[0x1F, 1])),
        case(
            Deviation::NullMetadata,
            Publishing,
            message(4, 18, 1, b"\x02\0\x0aonMetaData\x05"),
        ),
        case(
            Deviation::ObjectEndMissing,
            Publishing,
            message(4, 18, 1, b"\x02\0\x0aonMetaData\x08\0\0\0\x01\0\x01a\x05"),
        ),
        case(Deviation::BackPointer, Publishing, aggregate(&[0, 0, 0, 0])),
        case(Deviation::BackPointer, Publishing, aggregate(&[])),
        case(
            Deviation::AggregateCut,
            Publishing,
            aggregate(&[0, 0, 0, 14, 8, 0, 0, 9, 0]),
        ),
    ]
}

pub fn cases() -> Vec<Case> {
    [handshakes(), controls(), times(), commands(), media()]
        .into_iter()
        .flatten()
        .collect()
}
