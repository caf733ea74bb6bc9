//! The envelope of Flash Remoting: calls, or their answers, with headers, as one HTTP body (AMF0 specification 4).
//!
//! The envelope is AMF0 throughout; values of packets of version 3 are AMF3 behind the marker 11.

use super::amf0::{self, Decoder};
use super::{AmfError, ClassRegistry, Limits, Value};

/// Headers and messages that one packet may have, together.
const MOST_PARTS: usize = 1024;
/// The length of a value that is not told.
const UNKNOWN: u32 = u32::MAX;

/// A packet: what one HTTP request or its answer holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Packet {
    /// 0 for AMF0, 3 for AMF3.
    pub version: u16,
    /// What is about all messages.
    pub headers: Vec<PacketHeader>,
    /// Calls, or answers to them.
    pub messages: Vec<PacketMessage>,
}

/// A header of a packet.
#[derive(Debug, Clone, PartialEq)]
pub struct PacketHeader {
    /// Its name.
    pub name: String,
    /// Who does not know it must refuse the packet.
    pub must_understand: bool,
    /// What it says.
    pub value: Value,
}

/// A message of a packet.
#[derive(Debug, Clone, PartialEq)]
pub struct PacketMessage {
    /// Of a call the method, `service.method`; of an answer the call's `response` with `/onResult` or `/onStatus`.
    pub target: String,
    /// Of a call where its answer goes, unique in the packet; of an answer `null`.
    pub response: String,
    /// Of a call an array of its arguments; of an answer its result, or an information object.
    pub value: Value,
}

impl Packet {
    /// Reads a packet. The limits hold for all values together; the lengths of values that it states are not relied on.
    ///
    /// # Errors
    /// [`AmfError`]. What stands behind the last message is left out.
    pub fn decode(data: &[u8], limits: &Limits) -> Result<Self, AmfError> {
        Self::decode_with(data, limits, ClassRegistry::builtin())
    }

    /// As [`decode`](Self::decode), with the host's classes.
    ///
    /// # Errors
    /// [`AmfError`].
    pub fn decode_with(data: &[u8], limits: &Limits, classes: &ClassRegistry) -> Result<Self, AmfError> {
        let mut decoder = Decoder::new(data, *limits).with_registry(classes);
        let mut packet = Self {
            version: decoder.fields().u16()?,
            ..Self::default()
        };
        for _ in 0..count(&mut decoder, 0)? {
            let name = text(&mut decoder)?;
            let must_understand = decoder.fields().u8()? != 0;
            let value = value(&mut decoder)?;
            packet.headers.push(PacketHeader {
                name,
                must_understand,
                value,
            });
        }
        for _ in 0..count(&mut decoder, packet.headers.len())? {
            let (target, response) = (text(&mut decoder)?, text(&mut decoder)?);
            let value = value(&mut decoder)?;
            packet.messages.push(PacketMessage {
                target,
                response,
                value,
            });
        }
        Ok(packet)
    }

    /// Appends the packet. Texts longer than 65,535 bytes are cut, parts beyond 65,535 of a kind left out.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.version.to_be_bytes());
        out.extend(short(self.headers.len()).to_be_bytes());
        for header in self.headers.iter().take(usize::from(u16::MAX)) {
            put_text(&header.name, out);
            out.push(header.must_understand.into());
            self.put_value(&header.value, out);
        }
        out.extend(short(self.messages.len()).to_be_bytes());
        for message in self.messages.iter().take(usize::from(u16::MAX)) {
            put_text(&message.target, out);
            put_text(&message.response, out);
            self.put_value(&message.value, out);
        }
    }

    fn put_value(&self, value: &Value, out: &mut Vec<u8>) {
        let at = out.len();
        out.extend(UNKNOWN.to_be_bytes());
        match value {
            // The arguments of a call are a strict array in either version.
            Value::Array(args) if self.version == 3 => {
                out.push(0x0A);
                let args = args.as_slice();
                out.extend(u32::try_from(args.len()).unwrap_or(u32::MAX).to_be_bytes());
                amf0::encode_avmplus_all(args, out);
            }
            value if self.version == 3 => amf0::encode_avmplus(value, out),
            value => amf0::encode(value, out),
        }
        let length = u32::try_from(out.len() - at - 4).unwrap_or(UNKNOWN);
        if let Some(field) = out.get_mut(at..at + 4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }
}

/// How many parts follow, after so many; more than are accepted are refused before any is read.
fn count(decoder: &mut Decoder<'_>, before: usize) -> Result<usize, AmfError> {
    let offset = decoder.position();
    let count = usize::from(decoder.fields().u16()?);
    // The shortest part is a header: an empty name, a flag, a length and a value of one byte.
    decoder.fields().check_count(count, 8)?;
    if before + count > MOST_PARTS {
        let limit = MOST_PARTS;
        return Err(AmfError::TooManyElements { limit, offset });
    }
    Ok(count)
}

fn text(decoder: &mut Decoder<'_>) -> Result<String, AmfError> {
    let length = usize::from(decoder.fields().u16()?);
    let bytes = decoder.fields().take(length)?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// A value after its length, which many state wrongly. References do not lead from one to another.
fn value(decoder: &mut Decoder<'_>) -> Result<Value, AmfError> {
    decoder.fields().u32()?;
    decoder.begin_part();
    decoder.decode()
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    let mut end = text.len().min(usize::from(u16::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default();
    out.extend(short(text.len()).to_be_bytes());
    out.extend(text.as_bytes());
}

fn short(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amf::Object;

    fn hex(digits: &str) -> Vec<u8> {
        let digits: String = digits.split_whitespace().collect();
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    fn read(data: &[u8]) -> Result<Packet, AmfError> {
        Packet::decode(data, &Limits::default())
    }

    fn message(target: &str, response: &str, value: impl Into<Value>) -> PacketMessage {
        PacketMessage {
            target: target.to_owned(),
            response: response.to_owned(),
            value: value.into(),
        }
    }

    /// The call `a.b("x")` and its answer, as in the notes.
    #[test]
    fn a_call_and_its_answer() {
        let call = hex("0000 0000 0001 0003 612E62 0002 2F31 00000009 0A 00000001 02 0001 78");
        let packet = Packet {
            messages: vec![message("a.b", "/1", vec![Value::from("x")])],
            ..Packet::default()
        };
        assert_eq!(read(&call), Ok(packet.clone()));
        let mut out = Vec::new();
        packet.encode(&mut out);
        assert_eq!(out, call);
        let answer = hex("0000 0000 0001 000B 2F312F6F6E526573756C74 0004 6E756C6C 00000004 02 0001 79");
        let expected = [message("/1/onResult", "null", "y")];
        assert_eq!(read(&answer).unwrap().messages, expected);
    }

    #[test]
    fn lengths_that_are_wrong_or_missing_do_not_matter() {
        for length in ["FFFFFFFF", "00000000", "00000100"] {
            let data = hex(&format!("0000 0001 0001 68 01 {length} 01 01 0000"));
            let packet = read(&data).unwrap();
            let [header] = &packet.headers[..] else { panic!() };
            assert_eq!((&*header.name, header.must_understand), ("h", true));
            assert_eq!(header.value, Value::from(true));
        }
    }

    #[test]
    fn packets_of_version_3_have_amf3_values() {
        let object = Object::new().with("a", 1.0);
        let packet = Packet {
            version: 3,
            headers: Vec::new(),
            messages: vec![message("s.m", "/1", vec![Value::from("x"), object.into()])],
        };
        let mut out = Vec::new();
        packet.encode(&mut out);
        let body = hex("0A 00000002 02 0001 78 11 0A 0B 01 03 61 05 3FF0000000000000 01");
        assert!(out.ends_with(&body), "{out:02X?}");
        assert_eq!(read(&out), Ok(packet));
    }

    #[test]
    fn references_do_not_lead_from_one_value_to_another() {
        // Two messages, each an empty object; the second refers to index 1, which is not in its own table.
        let data = hex("0000 0000 0002 0000 0000 00000004 03 0000 09 0000 0000 00000003 07 0000");
        assert!(matches!(read(&data), Err(AmfError::ReferenceOutOfRange { .. })));
    }

    #[test]
    fn every_cut_packet_is_refused() {
        let whole = hex(
            "0003 0001 0001 68 00 00000002 01 01 0001 0003 612E62 0002 2F31 00000009 0A 00000001 02 0001 78",
        );
        assert!(read(&whole).is_ok());
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn counts_are_checked_before_anything_is_read() {
        assert!(read(&hex("0000 FFFF 0001")).is_err());
        let mut many = hex("0000 0000 0FFF");
        many.extend(hex("0000 0000 00000001 05").repeat(0xFFF));
        assert!(matches!(read(&many), Err(AmfError::TooManyElements { .. })));
    }
}
