//! Packets of Flash Remoting: no input costs more than the limits say, and what was read is written and read again unchanged.

use rtmp_core::amf::Packet;

use super::amf0::{GENEROUS, cost, limits};
use super::memory;
use super::script::Script;

/// What a header or message may cost besides its value.
const PER_PART: usize = 256;

/// Byte 0: choices; then a packet.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let limits = limits(script.u8());
    let data = script.rest();
    let (packet, peak) = memory::peak(|| Packet::decode(data, &limits));
    let most = cost(&limits, data.len()) + 1024 * PER_PART + 8 * data.len();
    assert!(peak <= most, "{peak} bytes for {} of input", data.len());
    assert_eq!(packet, Packet::decode(data, &limits), "decoded twice");
    let Ok(packet) = packet else {
        return;
    };
    let mut written = Vec::new();
    packet.encode(&mut written);
    let again = Packet::decode(&written, &GENEROUS).expect("what was written");
    let names = |packet: &Packet| {
        let messages = packet.messages.iter();
        let messages: Vec<_> = messages
            .map(|part| (part.target.clone(), part.response.clone()))
            .collect();
        let headers = packet.headers.iter();
        let headers: Vec<_> = headers
            .map(|part| (part.name.clone(), part.must_understand))
            .collect();
        (packet.version, headers, messages)
    };
    assert_eq!(names(&again), names(&packet));
}
