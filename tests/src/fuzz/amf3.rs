//! AMF3: no input costs more than the limits say, and what was read can be written and read again unchanged.

use rtmp_core::amf::{AmfError, Value, amf0, amf3};

use super::amf0::{GENEROUS, cost, limits};
use super::memory;
use super::script::Script;

/// Byte 0: choices; then AMF3.
pub fn run(data: &[u8]) {
    let mut script = Script::new(data);
    let choice = script.u8();
    let data = script.rest();
    let limits = limits(choice);
    let (values, peak) = memory::peak(|| decode(data, limits));
    assert!(
        peak <= cost(&limits, data.len()),
        "{peak} bytes for {} of input",
        data.len()
    );
    assert_eq!(values, decode(data, limits), "decoded twice");
    let again = rewrite(&values.0);
    if !values.0.iter().any(changes) {
        assert_eq!(again, values.0);
    }
    assert_eq!(rewrite(&again), again);
    for value in &values.0 {
        let mut out = Vec::new();
        amf0::encode(value, &mut out);
        assert!(amf0::decode_all(&out, &GENEROUS).is_ok());
    }
}

fn decode(data: &[u8], limits: rtmp_core::amf::Limits) -> (Vec<Value>, Option<AmfError>) {
    let mut decoder = amf3::Decoder::new(data, limits);
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

fn rewrite(values: &[Value]) -> Vec<Value> {
    let mut out = Vec::new();
    let mut encoder = amf3::Encoder::new();
    for value in values {
        encoder.encode(value, &mut out);
    }
    amf3::decode_all(&out, &GENEROUS).expect("what was written")
}

/// Whether there is an array with string keys, whose order and keys that are indexes are not kept at once, or a Flex wrapper
/// of nothing, which is written as a wrapper of null.
fn changes(value: &Value) -> bool {
    match value {
        Value::EcmaArray(_) => true,
        Value::Object(object) => {
            let is_wrapper = object
                .class_name()
                .is_some_and(|class| class.starts_with("flex."));
            (is_wrapper && object.is_empty()) || object.iter().any(|(_, value)| changes(value))
        }
        Value::Dictionary(dictionary) => {
            let mut entries = dictionary.entries().iter();
            entries.any(|(key, value)| changes(key) || changes(value))
        }
        other => other.as_array().is_some_and(|values| values.iter().any(changes)),
    }
}
