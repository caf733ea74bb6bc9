//! Writing values and the pieces they are made of.

use super::marker;
use super::refs::{Traits, Written};
use crate::amf::{ClassRegistry, Limits, MAX_DEPTH, Object, ObjectVector, Str, Value, Vector};

/// The longest string and the most items a length can announce.
const MAX_LENGTH: usize = (1 << 28) - 1;

/// The output of an AMF3 value: what `flash.utils.IDataOutput` is to an externalizable class. Numbers are big-endian.
pub struct Writer<'w> {
    pub(in crate::amf) out: &'w mut Vec<u8>,
    pub(in crate::amf) written: &'w mut Written,
    pub(in crate::amf) registry: &'w ClassRegistry,
}

impl Writer<'_> {
    /// Writes one value with its marker.
    pub fn write_value(&mut self, value: &Value) {
        match value {
            Value::Undefined | Value::Unsupported => self.out.push(marker::UNDEFINED),
            Value::Null => self.out.push(marker::NULL),
            Value::Boolean(false) => self.out.push(marker::FALSE),
            Value::Boolean(true) => self.out.push(marker::TRUE),
            Value::Number(number) => self.double(*number),
            Value::Integer(number) => self.integer(*number),
            Value::String(text) => {
                self.out.push(marker::STRING);
                self.write_string(text);
            }
            Value::XmlDocument(text) => self.bytes(marker::XML_DOCUMENT, text.as_bytes()),
            Value::Xml(text) => self.bytes(marker::XML, text.as_bytes()),
            Value::ByteArray(bytes) => self.bytes(marker::BYTE_ARRAY, bytes),
            Value::Date(date) => {
                self.written.leaf();
                self.out.extend([marker::DATE, 1]);
                self.write_f64(date.millis);
            }
            Value::VectorInt(vector) => self.vector(marker::VECTOR_INT, vector, |item| item.to_be_bytes()),
            Value::VectorUint(vector) => self.vector(marker::VECTOR_UINT, vector, |item| item.to_be_bytes()),
            Value::VectorDouble(vector) => {
                self.vector(marker::VECTOR_DOUBLE, vector, |item| item.to_be_bytes())
            }
            Value::Object(object) => self.container(marker::OBJECT, value, |writer| writer.object(object)),
            Value::EcmaArray(members) => {
                self.container(marker::ARRAY, value, |writer| writer.ecma_array(members));
            }
            Value::Array(array) => self.container(marker::ARRAY, value, |writer| {
                writer.length(array.len());
                writer.write_string(&Str::default());
                writer.values(array);
            }),
            Value::VectorObject(vector) => {
                self.container(marker::VECTOR_OBJECT, value, |writer| {
                    writer.object_vector(vector)
                });
            }
            Value::Dictionary(dictionary) => self.container(marker::DICTIONARY, value, |writer| {
                writer.length(dictionary.entries().len());
                writer.out.push(dictionary.has_weak_keys().into());
                for (key, value) in clip(dictionary.entries()) {
                    writer.write_value(key);
                    writer.write_value(value);
                }
            }),
            Value::Cycle(levels) => match self.written.cycle(usize::from(*levels)) {
                Some((index, marker)) => self.reference(marker, index),
                None => self.out.push(marker::UNDEFINED),
            },
        }
    }

    /// Writes a string without marker, by reference if it has been written before (UTF-8-vr, AMF 3 1.3.2).
    pub fn write_string(&mut self, text: &Str) {
        if text.is_empty() {
            return self.out.push(1);
        }
        match self.written.string(text) {
            Some(index) => self.write_u29(header(index, 1)),
            None => {
                self.length(text.as_bytes().len());
                self.out.extend(clip(text.as_bytes()));
            }
        }
    }

    /// Writes the low 29 bits of `value` in one to four bytes (AMF 3, 1.3.1).
    pub fn write_u29(&mut self, value: u32) {
        let low = |shift: u32| (value >> shift & 0x7F) as u8;
        match value & 0x1FFF_FFFF {
            0..0x80 => self.out.push(low(0)),
            0x80..0x4000 => self.out.extend([low(7) | 0x80, low(0)]),
            0x4000..0x20_0000 => self.out.extend([low(14) | 0x80, low(7) | 0x80, low(0)]),
            _ => self.out.extend([
                low(22) | 0x80,
                low(15) | 0x80,
                low(8) | 0x80,
                (value & 0xFF) as u8,
            ]),
        }
    }

    /// Writes bytes as they are.
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
    }

    /// Writes one byte.
    pub fn write_u8(&mut self, value: u8) {
        self.out.push(value);
    }

    /// Writes two bytes.
    pub fn write_u16(&mut self, value: u16) {
        self.out.extend(value.to_be_bytes());
    }

    /// Writes four bytes.
    pub fn write_u32(&mut self, value: u32) {
        self.out.extend(value.to_be_bytes());
    }

    /// Writes a double.
    pub fn write_f64(&mut self, value: f64) {
        self.out.extend(value.to_be_bytes());
    }

    /// Writes a string behind a 16-bit length, as `IDataOutput.writeUTF` does; at most its first 65,535 bytes.
    pub fn write_utf(&mut self, text: &Str) {
        let length = u16::try_from(text.as_bytes().len()).unwrap_or(u16::MAX);
        self.write_u16(length);
        self.out.extend(text.as_bytes().iter().take(length.into()));
    }

    fn double(&mut self, number: f64) {
        self.out.push(marker::DOUBLE);
        self.write_f64(number);
    }

    fn integer(&mut self, number: i32) {
        if (-(1 << 28)..1 << 28).contains(&number) {
            self.out.push(marker::INTEGER);
            self.write_u29(number.cast_unsigned());
        } else {
            self.double(number.into());
        }
    }

    fn bytes(&mut self, marker: u8, bytes: &[u8]) {
        self.written.leaf();
        self.out.push(marker);
        self.length(bytes.len());
        self.out.extend(clip(bytes));
    }

    fn vector<const N: usize, T>(&mut self, marker: u8, vector: &Vector<T>, write: fn(&T) -> [u8; N]) {
        self.written.leaf();
        self.out.push(marker);
        self.length(vector.items.len());
        self.out.push(vector.fixed.into());
        self.out.extend(clip(&vector.items).iter().flat_map(write));
    }

    fn container(&mut self, marker: u8, value: &Value, body: impl FnOnce(&mut Self)) {
        if let Some(index) = self.written.finished(value, marker) {
            return self.reference(marker, index);
        }
        if self.written.depth() >= MAX_DEPTH {
            return self.out.push(marker::UNDEFINED);
        }
        self.written.begin(marker);
        self.out.push(marker);
        body(self);
        self.written.end(value);
    }

    fn object(&mut self, object: &Object) {
        let class = object.class().cloned().unwrap_or_default();
        let registry = self.registry;
        if let Some(codec) = registry
            .externalizable(&class)
            .filter(|codec| codec.can_write(object))
        {
            self.traits(Traits {
                class,
                externalizable: true,
                dynamic: false,
                sealed: Vec::new(),
            });
            return codec.write(object, self);
        }
        let sealed = object.sealed_len().min(Limits::default().sealed_members);
        let (sealed, others) = object
            .members()
            .split_at_checked(sealed)
            .unwrap_or((object.members(), &[]));
        let names = sealed.iter().map(|(name, _)| name.clone()).collect();
        let dynamic = object.is_dynamic() || !others.is_empty();
        self.traits(Traits {
            class,
            externalizable: false,
            dynamic,
            sealed: names,
        });
        for (_, value) in sealed {
            self.write_value(value);
        }
        if dynamic {
            self.dynamic_members(others.iter());
        }
    }

    fn traits(&mut self, traits: Traits) {
        if let Some(index) = self.written.traits(&traits) {
            return self.write_u29(header(index, 2) | 1);
        }
        if traits.externalizable {
            self.write_u29(0b0111);
            return self.write_string(&traits.class);
        }
        let dynamic = if traits.dynamic { 0b1000 } else { 0 };
        self.write_u29(header(traits.sealed.len(), 4) | dynamic | 0b0011);
        self.write_string(&traits.class);
        for name in &traits.sealed {
            self.write_string(name);
        }
    }

    /// The keys "0" to "n-1" become the dense part, as ActionScript's array has them.
    fn ecma_array(&mut self, members: &Object) {
        let dense: Vec<&Value> = (0..members.len())
            .map_while(|index| members.get(&index.to_string()))
            .collect();
        self.length(dense.len());
        let count = dense.len();
        self.dynamic_members(members.members().iter().filter(|(key, _)| !is_index(key, count)));
        for value in dense {
            self.write_value(value);
        }
    }

    fn object_vector(&mut self, vector: &ObjectVector) {
        self.length(vector.as_slice().len());
        self.out.push(vector.is_fixed().into());
        self.write_string(vector.type_name());
        self.values(vector.as_slice());
    }

    fn dynamic_members<'m>(&mut self, members: impl Iterator<Item = &'m (Str, Value)>) {
        for (key, value) in members.filter(|(key, _)| !key.is_empty()) {
            self.write_string(key);
            self.write_value(value);
        }
        self.write_string(&Str::default());
    }

    fn values(&mut self, values: &[Value]) {
        for value in clip(values) {
            self.write_value(value);
        }
    }

    fn reference(&mut self, marker: u8, index: usize) {
        self.out.push(marker);
        self.write_u29(header(index, 1));
    }

    fn length(&mut self, length: usize) {
        self.write_u29(header(length.min(MAX_LENGTH), 1) | 1);
    }
}

/// A length or index above the flag bits of a U29.
fn header(value: usize, flag_bits: u32) -> u32 {
    u32::try_from(value.min(MAX_LENGTH)).unwrap_or_default() << flag_bits
}

fn clip<T>(items: &[T]) -> &[T] {
    items.get(..MAX_LENGTH).unwrap_or(items)
}

/// Whether `key` is one of "0" to "count-1".
fn is_index(key: &str, count: usize) -> bool {
    let canonical = key == "0" || !key.starts_with(['0', '+']);
    canonical && key.parse::<usize>().is_ok_and(|index| index < count)
}
