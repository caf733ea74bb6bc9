//! Values to AMF0 bytes.

use super::marker;
use crate::amf::{ClassRegistry, Date, MAX_DEPTH, Object, Str, Value, amf3};

/// Appends `value` in AMF0.
///
/// References (07) are written for [`Value::Cycle`] alone, because many RTMP programs cannot read them: a container that
/// occurs twice is written twice. What AMF0 has no type for becomes the nearest one: integers and numeric vectors'
/// items numbers, vectors strict arrays, XML an XML document, dictionaries ECMA arrays of those entries whose keys are
/// strings or numbers, byte arrays and what is nested deeper than [`MAX_DEPTH`] `undefined`. A member whose name is
/// longer than 65,535 bytes is left out.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    encode_all([value], out);
}

/// Appends `values` in AMF0, as the values of one message (see [`encode`]).
pub fn encode_all<'v>(values: impl IntoIterator<Item = &'v Value>, out: &mut Vec<u8>) {
    let mut writer = Writer {
        out,
        open: Vec::new(),
        containers: 0,
    };
    for value in values {
        writer.value(value);
    }
}

/// Appends `value` for a peer with object encoding 3 (see [`encode_avmplus_all`]), as the only one of its message.
pub fn encode_avmplus(value: &Value, out: &mut Vec<u8>) {
    encode_avmplus_all([value], out);
}

/// Appends `values` for a peer with object encoding 3, as the values of one message: containers, byte arrays, vectors and
/// XML in AMF3 behind the avmplus marker (11), everything else in AMF0.
///
/// Inside the marker nothing refers back but cycles. Decoders disagree on whether AMF3 reference tables span one such
/// value or all of a message. Without references both read the same; a cycle counts by the message, as Flash Player does.
pub fn encode_avmplus_all<'v>(values: impl IntoIterator<Item = &'v Value>, out: &mut Vec<u8>) {
    encode_avmplus_with(values, ClassRegistry::builtin(), out);
}

/// As [`encode_avmplus_all`], with the host's externalizable classes.
pub fn encode_avmplus_with<'v>(
    values: impl IntoIterator<Item = &'v Value>,
    registry: &ClassRegistry,
    out: &mut Vec<u8>,
) {
    let mut written = amf3::Written::new(false);
    for value in values {
        if !value.is_container() && !is_amf3_only(value) {
            encode(value, out);
            continue;
        }
        out.push(marker::AVMPLUS);
        amf3::Writer {
            out,
            written: &mut written,
            registry,
        }
        .write_value(value);
    }
}

fn is_amf3_only(value: &Value) -> bool {
    matches!(
        value,
        Value::Xml(_)
            | Value::ByteArray(_)
            | Value::VectorInt(_)
            | Value::VectorUint(_)
            | Value::VectorDouble(_)
    )
}

struct Writer<'w> {
    out: &'w mut Vec<u8>,
    /// Reference indexes of the containers being written, outermost first.
    open: Vec<usize>,
    containers: usize,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) {
        if value.is_container() && self.open.len() >= MAX_DEPTH {
            return self.out.push(marker::UNDEFINED);
        }
        match value {
            Value::Undefined | Value::ByteArray(_) => self.out.push(marker::UNDEFINED),
            Value::Null => self.out.push(marker::NULL),
            Value::Boolean(value) => self.out.extend([marker::BOOLEAN, u8::from(*value)]),
            Value::Number(number) => self.number(*number),
            Value::Integer(number) => self.number((*number).into()),
            Value::String(text) => self.string(text),
            Value::Object(object) => self.object(object),
            Value::EcmaArray(members) => self.ecma_array(members),
            Value::Array(array) => self.values(array),
            Value::VectorObject(vector) => self.values(vector.as_slice()),
            Value::VectorInt(vector) => self.numbers(vector.items.iter().map(|number| (*number).into())),
            Value::VectorUint(vector) => self.numbers(vector.items.iter().map(|number| (*number).into())),
            Value::VectorDouble(vector) => self.numbers(vector.items.iter().copied()),
            Value::Dictionary(dictionary) => self.dictionary(dictionary.entries()),
            Value::Date(date) => self.date(*date),
            Value::XmlDocument(text) | Value::Xml(text) => {
                self.out.push(marker::XML_DOCUMENT);
                self.long_text(text);
            }
            Value::Cycle(levels) => self.cycle(usize::from(*levels)),
            Value::Unsupported => self.out.push(marker::UNSUPPORTED),
        }
    }

    fn number(&mut self, number: f64) {
        self.out.push(marker::NUMBER);
        self.out.extend(number.to_be_bytes());
    }

    fn string(&mut self, text: &Str) {
        if u16::try_from(text.as_bytes().len()).is_ok() {
            self.out.push(marker::STRING);
            self.short_text(text.as_bytes());
        } else {
            self.out.push(marker::LONG_STRING);
            self.long_text(text);
        }
    }

    fn object(&mut self, object: &Object) {
        self.begin();
        match object.class().filter(|class| fits(class)) {
            Some(class) => {
                self.out.push(marker::TYPED_OBJECT);
                self.short_text(class.as_bytes());
            }
            None => self.out.push(marker::OBJECT),
        }
        self.members(object);
        self.end();
    }

    fn ecma_array(&mut self, members: &Object) {
        self.begin();
        self.out.push(marker::ECMA_ARRAY);
        self.count(members.members().iter().filter(|(key, _)| fits(key)).count());
        self.members(members);
        self.end();
    }

    fn members(&mut self, object: &Object) {
        for (key, value) in object.members().iter().filter(|(key, _)| fits(key)) {
            self.short_text(key.as_bytes());
            self.value(value);
        }
        self.out.extend([0, 0, marker::OBJECT_END]);
    }

    fn values(&mut self, values: &[Value]) {
        self.begin();
        self.out.push(marker::STRICT_ARRAY);
        self.count(values.len());
        for value in values {
            self.value(value);
        }
        self.end();
    }

    fn numbers(&mut self, numbers: impl ExactSizeIterator<Item = f64>) {
        self.begin();
        self.out.push(marker::STRICT_ARRAY);
        self.count(numbers.len());
        for number in numbers {
            self.number(number);
        }
        self.end();
    }

    fn dictionary(&mut self, entries: &[(Value, Value)]) {
        let members: Vec<_> = entries
            .iter()
            .filter_map(|(key, value)| Some((key_text(key)?, value)))
            .collect();
        self.begin();
        self.out.push(marker::ECMA_ARRAY);
        self.count(members.len());
        for (key, value) in members {
            self.short_text(key.as_bytes());
            self.value(value);
        }
        self.out.extend([0, 0, marker::OBJECT_END]);
        self.end();
    }

    fn date(&mut self, date: Date) {
        self.out.push(marker::DATE);
        self.out.extend(date.millis.to_be_bytes());
        self.out.extend(date.time_zone.to_be_bytes());
    }

    fn cycle(&mut self, levels: usize) {
        let target = self.open.iter().rev().nth(levels);
        match target.and_then(|index| u16::try_from(*index).ok()) {
            Some(index) => {
                self.out.push(marker::REFERENCE);
                self.out.extend(index.to_be_bytes());
            }
            None => self.out.push(marker::UNDEFINED),
        }
    }

    fn begin(&mut self) {
        self.open.push(self.containers);
        self.containers += 1;
    }

    fn end(&mut self) {
        self.open.pop();
    }

    /// The caller has checked that the length fits.
    fn short_text(&mut self, text: &[u8]) {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.out.extend(length.to_be_bytes());
        self.out.extend(text.get(..usize::from(length)).unwrap_or(text));
    }

    fn long_text(&mut self, text: &Str) {
        let text = text.as_bytes();
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        self.out.extend(length.to_be_bytes());
        self.out.extend(
            text.get(..usize::try_from(length).unwrap_or(usize::MAX))
                .unwrap_or(text),
        );
    }

    fn count(&mut self, count: usize) {
        self.out
            .extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
    }
}

fn fits(text: &Str) -> bool {
    text.as_bytes().len() <= usize::from(u16::MAX)
}

fn key_text(key: &Value) -> Option<Str> {
    match key {
        Value::String(text) => Some(text.clone()).filter(fits),
        Value::Integer(number) => Some(number.to_string().into()),
        Value::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}
