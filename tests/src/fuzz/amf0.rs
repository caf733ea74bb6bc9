//! AMF0: no input costs more than the limits say, and what was read can be written and read again unchanged.

use rtmp_core::amf::{AmfError, Limits, Value, amf0, amf3};

use super::memory;
use super::script::Script;

/// What one decoded value may cost besides its text: the value, its name, and its share of containers and tables.
const PER_VALUE: usize = 400;

/// For values that were read once already: whatever the first limits let pass is written out in full.
pub(super) const GENEROUS: Limits = Limits {
    depth: 128,
    elements: usize::MAX,
    copies_per_byte: usize::MAX,
    expanded_bytes: usize::MAX,
    sealed_members: usize::MAX,
    traits: usize::MAX,
};

/// Byte 0: choices; then AMF0.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let choice = script.u8();
    let data = script.rest();
    let limits = limits(choice);
    let (values, peak) = memory::peak(|| decode(data, limits, choice));
    assert!(
        peak <= cost(&limits, data.len()),
        "{peak} bytes for {} of input",
        data.len()
    );
    assert_eq!(values, decode(data, limits, choice), "decoded twice");
    let mut written = Vec::new();
    amf0::encode_all(&values.0, &mut written);
    let again = amf0::decode_all(&written, &GENEROUS).expect("what was written");
    // Without the AMF3 marker all values are AMF0's own.
    if !data.contains(&0x11) {
        assert_eq!(again, values.0);
    }
    let mut twice = Vec::new();
    amf0::encode_all(&again, &mut twice);
    assert_eq!(amf0::decode_all(&twice, &GENEROUS).as_ref(), Ok(&again));
    for value in &again {
        other_forms(value);
    }
}

/// Default limits, or ones a short input can meet.
pub(super) fn limits(choice: u8) -> Limits {
    if choice & 1 == 0 {
        Limits::default()
    } else {
        Limits {
            depth: 4,
            elements: 30,
            copies_per_byte: 1,
            expanded_bytes: 60,
            sealed_members: 4,
            traits: 3,
        }
    }
}

/// The most memory decoding `length` bytes may take. A few bytes can refer to a container that must be copied, because
/// it leads out to an ancestor; the copy's values count as elements.
pub(super) fn cost(limits: &Limits, length: usize) -> usize {
    limits.elements * PER_VALUE + 2 * length + 8192
}

type Outcome = (Vec<Value>, Option<AmfError>);

fn decode(data: &[u8], limits: Limits, choice: u8) -> Outcome {
    let mut decoder = amf0::Decoder::new(data, limits)
        .allow_open_end(choice & 2 != 0)
        .isolate_avmplus(choice & 4 != 0);
    let mut values = Vec::new();
    while !decoder.is_empty() {
        match decoder.decode() {
            Ok(value) => values.push(value),
            Err(error) => return (values, Some(error)),
        }
        assert!(decoder.position() <= data.len());
    }
    (values, None)
}

/// The same value as AMF3, and behind the AMF3 marker.
fn other_forms(value: &Value) {
    let mut out = Vec::new();
    amf3::encode(value, &mut out);
    assert!(amf3::decode(&out, &GENEROUS).is_ok());
    out.clear();
    amf0::encode_avmplus(value, &mut out);
    assert!(amf0::decode_all(&out, &GENEROUS).is_ok());
}
