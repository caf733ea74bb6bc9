//! Where fuzzing begins: recorded sessions and the literal cases of hostile input, for each target.

use rtmp_core::wire::tunnel::session_text;

use super::peer::HANDSHAKE;
use super::tunnel::SESSION;

/// Captured bytes of one direction of a session, handshake included.
const CAPTURES: [&[u8]; 4] = [
    include_bytes!("../../../rtmp-core/tests/vectors/publish_client.bin"),
    include_bytes!("../../../rtmp-core/tests/vectors/play_client.bin"),
    include_bytes!("../../../rtmp-core/tests/vectors/publish_server.bin"),
    include_bytes!("../../../rtmp-core/tests/vectors/play_server.bin"),
];

/// Chunk streams after the handshake, in hexadecimal.
const CHUNKS: [&str; 34] = [
    // Headers with nothing to inherit from, and a first header of format 1.
    "C3",
    "83 000000",
    "42 000000 000006 04 0006 00000D0F",
    // Declared lengths far beyond what comes.
    "03 000000 FFFFFF 09 01000000 00",
    "03 000000 FFFFFF 09 01000000 00 04 000000 FFFFFF 09 01000000 00 05 000000 FFFFFF 09 01000000 00",
    // Chunk sizes that cannot be, that need not be held, and of odd length.
    "02 000000 000004 01 00000000 00000000",
    "02 000000 000004 01 00000000 80000000",
    "02 000000 000004 01 00000000 FFFFFFFF",
    "02 000000 000004 01 00000000 7FFFFFFF",
    "02 000000 000004 01 00000000 00000001 04 000000 000004 09 01000000 11 C4 22 C4 33 C4 44",
    "02 000000 000000 01 00000000",
    "02 000000 000001 01 00000000 00",
    "02 000000 000005 01 00000000 0000100099",
    // Lengths changed inside a message.
    "04 000000 0000C8 09 01000000 00 44 000000 000FFF 09",
    "04 000000 000FFF 09 01000000 00 04 000000 000002 09 01000000 0000",
    // Abort: of what is not there, and of what is.
    "02 000000 000004 02 00000000 FFFFFFFF",
    "02 000000 000004 02 00000000 00000004 C4",
    // Two- and three-byte ids, the same stream in both forms.
    "00 01 000000 000000 08 01000000 01 2D01 000000 000000 09 01000000 C1 2D01 01 FFFF 000001 000000 09 01000000",
    "00 00 000001 000001 08 01000000 11 81 0000 000002 22",
    // Extended timestamps, repeated and not, and the edges of time.
    "06 FFFFFF 000001 09 01000000 00FFFFFF 17 46 FFFFFF 000001 09 02000000 17 C6 02000000 17 86 00000A 17",
    "06 FFFFFE 000001 09 01000000 17 86 000001 17 86 000001 17",
    "06 FFFFFF 000001 09 01000000 FFFFFFFF 17 86 000001 17 06 000000 000001 09 01000000 17",
    "06 FFFFFF 000001 09 01000000 FFFFFFF0 17 86 000020 17",
    // Message streams that must never index anything.
    "03 000000 000001 14 FFFFFFFF 01 03 000000 000001 14 00000001 01",
    // Empty messages of every kind.
    "02 000000 000000 01 00000000 02 000000 000000 02 00000000 02 000000 000000 03 00000000",
    "02 000000 000000 05 00000000 02 000000 000000 06 00000000 02 000000 000000 04 00000000",
    "04 000000 000000 08 01000000 04 000000 000000 09 01000000 04 000000 000000 12 01000000 03 000000 000000 14 00000000",
    // Types that mean nothing.
    "03 000000 000000 00 00000000 03 000000 000000 07 00000000 03 000000 000000 15 00000000 03 000000 000000 FF 00000000",
    // Windows of 0, 1 and everything; acknowledgements of anything; bandwidth of nothing.
    "02 000000 000004 05 00000000 00000000 02 000000 000004 05 00000000 00000001 02 000000 000004 03 00000000 FFFFFFFF",
    "02 000000 000004 05 00000000 FFFFFFFF 02 000000 000005 06 00000000 0000000003 02 000000 000004 06 00000000 002625A0",
    // User control too short, unknown, and answers nobody asked for.
    "02 000000 000001 04 00000000 00 02 000000 000006 04 00000000 000300000001 02 000000 000006 04 00000000 FFFF00000001",
    "02 000000 00000A 04 00000000 000300000001FFFFFFFF 02 000000 000006 04 00000000 000700000001",
    "02 000000 000006 04 00000000 001A00000001 02 000000 000004 04 00000000 001B0101",
    // Aggregates: nothing inside, more declared than there is, one inside another.
    "04 000000 000000 16 01000000 04 000000 00000B 16 01000000 09 FFFFFF 000000 00 000000 04 000000 000010 16 01000000 \
     16 000001 000000 00 000000 00 0000000C",
];

/// Packets of Flash Remoting after the byte of choices, in hexadecimal.
const PACKETS: [&str; 7] = [
    "00 0000 0000 0001 0003 612E62 0002 2F31 00000009 0A 00000001 02 0001 78",
    "00 0000 0000 0001 000B 2F312F6F6E526573756C74 0004 6E756C6C 00000004 02 0001 79",
    "01 0003 0001 0001 68 01 FFFFFFFF 11 09 03 01 04 01 0001 0001 74 0002 2F31 FFFFFFFF 11 0A 0B 01 03 61 05 3FF0000000000000 01",
    "00 0000 0002 0001 61 00 00000000 05 0001 62 00 00000000 07 0000 0000",
    "01 0000 0000 0002 0000 0000 00000004 03 0000 09 0000 0000 00000003 07 0000",
    "00 0000 FFFF",
    "00 0000 0000 FFFF 0000 0000 00000001 05",
];

/// Message bodies after the bytes that say of which type and under which limits, in hexadecimal.
const MESSAGES: [&str; 15] = [
    // Shared objects: use, a change of two slots in each direction, send, status, names, kinds unknown and cut short.
    "00 00 0004 72736F31 00000000 00000000 00000000 01 00000000",
    "00 01 0004 72736F31 00000001 00000002 00000000 03 0000000D 0001 61 00 3FF0000000000000 00",
    "00 00 0001 6F 00000005 00000000 00000000 04 00000010 0001 61 02 0001 62 0001 63 0A 00000000 05 00000003 0001 61",
    "01 00 00 0001 6F 00000005 00000000 00000000 04 0000000B 0001 61 11 09 03 01 04 01 06 00",
    "00 00 0001 6F 00000005 00000000 00000000 06 00000009 02 0003 73617902 0000 09 00000003 0001 61 0A 00000003 0001 61",
    "00 00 0001 6F 00000005 00000000 00000000 07 00000007 0003 434F44 0000 08 00000000 0B 00000000 02 00000000 63 00000001 FF",
    "00 00 0001 6F 00000005 00000000 00000000 03 FFFFFFFF 00",
    // Aggregates: two messages and their back pointers, wrong ones, none behind the last.
    "02 00 08 000002 000010 00 000000 AF01 0000000D 09 000003 000020 00 000000 270102 0000000E",
    "02 00 12 000003 FFFFF0 FF 000000 020000 00000000 08 000001 000005 00 000000 AF",
    "03 00 02 0004 63616C6C 00 3FF0000000000000 05 03 0001 61 01 01 0000 09",
    "04 00 00 02 0004 63616C6C 00 3FF0000000000000 05 11 0A 0B 01 03 61 03 01",
    "05 00 02 000A 6F6E4D65746144617461 08 00000001 0001 61 05 0000 09",
    "06 00 00 02 0001 61 11 06 03 62",
    "0A 00 0003 00000001 00000BB8",
    "0C 00 002625A0 02",
];

/// AMF0 values, in hexadecimal.
const AMF0: [&str; 24] = [
    "00 400C000000000000 01 01 02 0002 6162 05 06 0D 0B 0000000000000000 0000 0F 00000004 3C612F3E 0C 00000001 61",
    "03 0001 61 00 3FF0000000000000 0000 09",
    "08 00000001 0008 6475726174696F6E 00 0000000000000000 0000 09",
    "0A 00000002 00 3FF0000000000000 02 0001 78",
    "10 0001 41 0001 61 05 0000 09",
    "03 0004 73656C66 07 0000 0000 09",
    "0A 00000002 03 0000 09 07 0001",
    // Arrays in arrays, objects in objects, and switches to AMF3, too deep.
    "0A 00000001 0A 00000001 0A 00000001 0A 00000001 0A 00000001 0A 00000001 05",
    "03 0001 61 03 0001 61 03 0001 61 03 0001 61 03 0001 61 03 0001 61",
    "11 09 03 01 09 03 01 09 03 01 09 03 01 09 03 01",
    "11 0A 0B 01 03 61 04 01 01 11 0A 00 11 06 03 61 11 06 00",
    // Counts and lengths of everything with nothing behind.
    "0A FFFFFFFF",
    "08 FFFFFFFF",
    "0C FFFFFFFF",
    "02 FFFF 61",
    "11 09 FFFFFFFF 01",
    "11 0D FFFFFFFF 00",
    // References to nothing, to each other, and fan-out.
    "07 0000",
    "03 0001 61 0A 00000001 07 0000 0001 62 07 0001 0000 09",
    "0A 00000003 0A 00000002 05 05 0A 00000003 07 0001 07 0001 07 0001 07 0002",
    // Bytes that are not UTF-8, NUL, a lone surrogate; dates beyond time.
    "02 0006 00 FF C0AF ED A0",
    "0B 7FF8000000000000 0000 0B 7FF0000000000000 8000 0B FFEFFFFFFFFFFFFF 7FFF",
    // Repeated and empty keys, no end, an end alone.
    "03 0001 61 05 0001 61 06 0000 05 0000 09 05",
    "08 00000000 0001 61 05",
];

/// AMF3 values, in hexadecimal.
const AMF3: [&str; 20] = [
    "00 01 02 03 04 7F 04 FFFFFFFF 05 400C000000000000 06 05 6162 06 00",
    "07 09 3C612F3E 0B 09 3C612F3E 08 01 0000000000000000 08 02 0C 07 010203 0C 00",
    "09 05 01 04 01 04 02 09 01 03 61 04 01 01 09 00",
    "0A 0B 01 03 61 04 01 01 0A 01 03 62 02 01 0A 00",
    "0A 13 03 41 03 78 04 01 0A 01 04 02 0A 02",
    "0A 1B 03 41 03 78 04 01 03 79 04 02 01",
    "0D 05 00 00000001 FFFFFFFF 0E 05 01 00000001 FFFFFFFF 0F 03 00 3FF0000000000000 10 05 00 03 41 04 01 04 02",
    "11 05 00 04 01 04 02 06 03 61 05 0000000000000000 11 01 01",
    // Externalizable classes known and not.
    "0A 07 43 666C65782E6D6573736167696E672E696F2E4172726179436F6C6C656374696F6E 09 03 01 04 01",
    "0A 07 3B 666C65782E6D6573736167696E672E696F2E4F626A65637450726F7879 0A 0B 01 01",
    "0A 07 03 41 04 01",
    // Too deep, too many, too long.
    "09 03 01 09 03 01 09 03 01 09 03 01 09 03 01 09 03 01",
    "09 FFFFFFFF 01",
    "0A FFFFFFFF 01",
    "06 FFFFFFFF",
    "0D FFFFFFFF 00",
    // References to nothing and to what is being read.
    "0A 01",
    "09 02",
    "0A 0B 01 03 61 0A 00 03 62 09 03 01 0A 00 01",
    "06 02 06 FFFFFF7F",
];

/// Media bodies after the byte that says of which kind, in hexadecimal.
const MEDIA: [&str; 24] = [
    "00",
    "00 AF 00 1208",
    "00 AF 01 211004608C1C",
    "00 2E FFFB9064",
    "01",
    "01 17 00 000000 0164000AFFE100196764000AACD942847E5C0440000003004000000503C489658001000668EBE3CB22C0FDF8F800",
    "01 27 01 FFFFB0 00000002 0910",
    "01 17 02 000000",
    "01 57 00",
    // Enhanced: every packet type, ModEx with a time, ModEx of 65,536 bytes, multitrack of three layouts.
    "01 90 68766331 0101600000009000000000005DF000FCFDF8F800000F03",
    "01 91 68766331 000050 0000000226",
    "01 93 61763031 0A0B00",
    "01 92 76703039",
    "01 94 76703039 02 0009 636F6C6F72496E666F 03 0000 09",
    "01 95 61763031 00",
    "01 97 02 000001 00 01 68766331 000000 26",
    "01 97 FF FFFF 00",
    "01 96 01 61766331 00 01",
    "01 96 11 61766331 00 000002 AABB 01 000001 CC",
    "01 96 21 61766331 00 000001 AA 68766331 01 FFFFFF",
    "00 90 4F707573 4F70757348656164 01 02 3801 80BB0000 0000 00",
    "00 91 4F707573 FC",
    "00 95 11 664C6143 00 000001 AA 01 000001 BB",
    "02 02 000D 40736574446174614672616D65 02 000A 6F6E4D65746144617461 08 00000000 0005 7769647468 00 4064000000000000",
];

/// FLV files, in hexadecimal.
const FLV: [&str; 8] = [
    "464C56 01 05 00000009 00000000",
    "464C56 01 05 00000009 00000000 08 000004 000000 00 000000 AF001208 0000000F 09 000005 000010 00 000000 1701000000 00000010",
    "464C56 01 05 00000009 00000000 12 00000D 000000 00 000000 02000A6F6E4D65746144617461 00000018",
    "464C56 01 05 00000000 00000000",
    "464C56 01 05 FFFFFFFF 00000000",
    "464C56 01 05 0000000C AABBCC 00000000 09 FFFFFF 000000 00 000000 17",
    "464C56 01 05 00000009 00000000 08 000001 FFFFFF FF 000000 AF FFFFFFFF",
    "464C56 01 05 00000009 00000000 28 000001 000000 00 000000 AF 0000000C 0F 000000 000000 00 000000 0000000B",
];

/// Stored shared objects, in hexadecimal.
const STORED: [&str; 6] = [
    "01 00000003 00000001 00000001 00000001 61 00000002 00 00000009 3FF0000000000000 00000000",
    "01 00000003 00000001 00000001 00000001 61 00000002 00 00000009 00 3FF0000000000000 00000001 00000001 62 00000003",
    "01 00000009 00000000 00000001 00000001 61 00000002 03 00000002 04 01 00000000",
    "01 FFFFFFFF FFFFFFFF FFFFFFFF FFFFFFFF",
    // An array of itself, and arrays of arrays that double.
    "01 00000001 00000001 00000001 00000001 61 00000001 00 00000008 0A 00000001 07 0000 00000000",
    "01 00000001 00000001 00000001 00000001 61 00000001 00 00000019 0A 00000003 0A 00000002 05 05 0A 00000002 07 0001 07 0001 07 0002 \
     00000000",
];

/// Whole files, behind the byte that says where to seek.
const MP4: [&[u8]; 2] = [
    include_bytes!("../../../rtmp-core/tests/vectors/film.mp4"),
    include_bytes!("../../../rtmp-core/tests/vectors/fragments.mp4"),
];
const MP3: &[u8] = include_bytes!("../../../rtmp-core/tests/vectors/song.mp3");

/// Small MP3 files, in hexadecimal: tags of all versions, a first frame with an index, garbage.
const SMALL_MP3: [&str; 5] = [
    "00 494433 04 00 00 00000020 54445243 00000005 0000 03 32303236 5452434B 00000004 0002 03 31 FF 00",
    "00 494433 03 00 00 00000010 54495432 00000005 0000 00 536F6E67 FFE31804",
    "10 494433 02 00 80 00000010 54414C 000006 00 416C62756D 54434F 000005 02 0052 0042",
    "20 FFE318C4 00000000 00000000 00 58696E67 00000007 00000009 00001000 00010203",
    "FF FFF310C4 FFF310C4 54414700 4150455441474558 D0070000 FFFFFFFF",
];

const URLS: [&str; 14] = [
    "rtmp://host/app/stream",
    "rtmp://host:1936/app/instance/mp4:path/file.mp4?key=value&other",
    "rtmps://user:p%40ss@[2001:db8::1]:443/live?token=1/stream?q#f",
    "rtmpt://host",
    "rtmpe://host/",
    "rtmpte://h/a//b///c",
    "rtmpts://host:0/app",
    "rtmp://host:65536/app",
    "rtmp:///app/stream",
    "rtmp://@host/app",
    "rtmp://[::1/app",
    "http://host/app",
    "rtmp://host/app/../../etc\r\n",
    "rtmp://h\u{f6}st/\u{e9}\u{301}/%2e%2e/\u{202e}",
];

/// One input of one target.
pub struct Seed {
    /// The target it is for.
    pub target: &'static str,
    /// The input.
    pub data: Vec<u8>,
}

/// All of them.
pub fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |target, data: Vec<u8>| seeds.push(Seed { target, data });
    for (index, capture) in CAPTURES.iter().enumerate() {
        let (hello, chunks) = capture.split_at(HANDSHAKE);
        // A cut inside of every packet.
        add(
            "handshake",
            [&[u8::from(index > 1) * 2, 0, 2, 200, 255], hello].concat(),
        );
        add("chunk_reader", [&[0, 2, 1, 90], chunks].concat());
        add(session_target(index), [&[0][..], &raw_steps(chunks)].concat());
    }
    for text in CHUNKS {
        let chunks = hex(text);
        add("chunk_reader", [&[0, 1, 1], chunks.as_slice()].concat());
        add("chunk_reader", [&[7, 1, 3], chunks.as_slice()].concat());
        for target in ["server_session", "client_session"] {
            // Connected first: connect as a step, the host's yes.
            add(target, [&[0, 5, 0, 7][..], &raw_steps(&chunks)].concat());
        }
    }
    for text in AMF0 {
        let values = hex(text);
        for choice in [0, 3] {
            add("amf0", [&[choice], values.as_slice()].concat());
        }
        // The values as arguments of a call and of publish.
        for name in [21, 6] {
            let length = u8::try_from(values.len()).unwrap_or(u8::MAX);
            add(
                "server_session",
                [
                    &[0, 5, 0, 7, 2, name, 1, 1, 0, length],
                    values.as_slice(),
                    &[7, 12],
                ]
                .concat(),
            );
        }
    }
    for text in AMF3 {
        add("amf3", [&[0], hex(text).as_slice()].concat());
        add("amf0", [&[0, 0x11], hex(text).as_slice()].concat());
    }
    for text in MEDIA {
        add("media_tags", hex(text));
    }
    for text in PACKETS {
        add("amf_packet", hex(text));
    }
    for text in MESSAGES {
        add("messages", hex(text));
    }
    for text in FLV {
        add("flv", hex(text));
    }
    for file in MP4 {
        add("mp4", [&[60], file].concat());
    }
    add("mp3", [&[100], MP3].concat());
    for text in SMALL_MP3 {
        add("mp3", hex(text));
    }
    for text in URLS {
        add("url", text.as_bytes().to_vec());
    }
    for data in tunnels() {
        add("tunnel", data);
    }
    for data in encrypted() {
        add("encrypted", data);
    }
    for text in STORED {
        add("stored", hex(text));
    }
    for (name, file) in [(0b1001, MP4[0]), (0b1010, MP4[1]), (0b1100, MP3), (0b0101, MP3)] {
        add("recorded", [&[name], file].concat());
    }
    for text in FLV {
        add("recorded", [&[8], hex(text).as_slice()].concat());
    }
    add("handshake", vec![4, 9, 3, 1, 255, 7]);
    add("handshake", vec![5, 0, 0]);
    add("server_session", server_scripts());
    add(
        "client_session",
        vec![
            0, 7, 1, 0, 2, 22, 4, 0, 0, 9, 0, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0, 10, 1, 0, 0, 0, 9, 12,
        ],
    );
    seeds
}

/// Requests of a client, answers of a server, and steps of both.
fn tunnels() -> Vec<Vec<u8>> {
    let post = |path: &str, body: &str| {
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
    };
    let name = session_text(SESSION);
    let requests = post("/open/1", "\0")
        + &post(&format!("/idle/{name}/0"), "\0")
        + &post(&format!("/send/{name}/1"), "abc")
        + &post(&format!("/send/{name}/3"), "early")
        + &post(&format!("/close/{name}/2"), "\0");
    let answer = |body: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let answers = answer("session\n") + &answer("\u{1}") + &answer("\u{1}some") + &answer("!");
    let gone =
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 404 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    vec![
        [&[0, 3, 90], requests.as_bytes()].concat(),
        [&[0, 1, 1], b"GET / HTTP/1.1\r\n\r\n".as_slice()].concat(),
        [&[1, 60, 7], answers.as_bytes()].concat(),
        [&[1, 1, 1], gone.as_bytes()].concat(),
        // Opened; said by both; the answer is lost, and the request made again.
        vec![
            2, 2, 255, 3, 255, 0, 9, 1, 9, 2, 255, 5, 0, 2, 255, 3, 255, 0, 200, 4, 20, 2, 100, 3, 50, 2,
            255, 3, 255,
        ],
    ]
}

/// RTMPE of both sides: honest, with every version, with keys that are refused, and with bytes changed.
fn encrypted() -> Vec<Vec<u8>> {
    // Connect, the host's yes, create a stream, publish, play.
    let client = [
        5, 0, 7, 2, 1, 2, 0, 0, 0, 2, 6, 3, 1, 8, 0, 7, 2, 7, 5, 2, 8, 0, 7, 6, 1, 0,
    ];
    // An answer to connect, and to createStream.
    let server = [
        2, 22, 1, 0, 0, 0, 7, 2, 22, 4, 0, 0, 9, 0, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0, 7, 6, 1, 0,
    ];
    let mut all = Vec::new();
    for changes in [8, 9, 41, 73, 233, 0, 2, 4, 6] {
        all.push([&[0, changes, 0, 1, 100][..], &client].concat());
        all.push([&[1, changes, 0, 1, 100][..], &server].concat());
    }
    all.push([&[0, 24, 0, 9, 1, 1, 1, 2, 2, 2, 2, 1, 0][..], &client].concat());
    all.push([&[1, 24, 0, 9, 1, 1, 1, 2, 2, 2, 2, 0, 2, 7, 200][..], &server].concat());
    all
}

/// Create a stream, publish, play on another, media both ways, stop.
fn server_scripts() -> Vec<u8> {
    vec![
        0, 5, 24, 7, 2, 1, 2, 0, 0, 0, 2, 6, 3, 1, 8, 0, 7, 3, 9, 1, 0, 0, 0, 1, 2, 0x17, 1, 2, 1, 4, 0, 0,
        0, 2, 7, 5, 2, 8, 0, 7, 10, 31, 0, 0, 0, 9, 11, 2, 2, 9, 1, 6, 0, 40, 2, 10, 0, 1, 0, 0, 2, 9, 6, 0,
        0, 9, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 12, 15, 0,
    ]
}

fn session_target(capture: usize) -> &'static str {
    if capture < 2 {
        "server_session"
    } else {
        "client_session"
    }
}

/// Steps of a session script: bytes as they are, in pieces, and the host says yes after each.
fn raw_steps(bytes: &[u8]) -> Vec<u8> {
    bytes
        .chunks(200)
        .flat_map(|piece| [&[0, piece.len() as u8], piece, &[7]].concat())
        .collect()
}

/// Bytes from hexadecimal digits; white space is for the reader.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a hexadecimal digit") as u8;
    digits
        .chunks_exact(2)
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}
