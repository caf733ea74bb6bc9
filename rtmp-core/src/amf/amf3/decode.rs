//! AMF3 bytes to values.

use super::{Reader, Tables};
use crate::amf::cursor::Cursor;
use crate::amf::graph::Budget;
use crate::amf::{AmfError, ClassRegistry, Limits, Value};

/// Decodes the one value that `data` begins with; what follows is ignored.
///
/// # Errors
/// The first [`AmfError`].
pub fn decode(data: &[u8], limits: &Limits) -> Result<Value, AmfError> {
    Decoder::new(data, *limits).decode()
}

/// Decodes all values of `data` with common reference tables.
///
/// # Errors
/// The first [`AmfError`].
pub fn decode_all(data: &[u8], limits: &Limits) -> Result<Vec<Value>, AmfError> {
    let mut decoder = Decoder::new(data, *limits);
    let mut values = Vec::new();
    while !decoder.is_empty() {
        values.push(decoder.decode()?);
    }
    Ok(values)
}

/// Reads values one after the other. Reference tables and limits span all values of one decoder.
///
/// A reference may stand behind the marker of any type that has them, whatever it refers to.
pub struct Decoder<'a> {
    cursor: Cursor<'a>,
    budget: Budget,
    tables: Tables,
    registry: &'a ClassRegistry,
    failed: Option<AmfError>,
}

impl<'a> Decoder<'a> {
    /// A decoder of `data`, which holds AMF3 values and nothing else.
    pub fn new(data: &'a [u8], limits: Limits) -> Self {
        Self {
            cursor: Cursor::new(data),
            budget: Budget::new(limits),
            tables: Tables::new(),
            registry: ClassRegistry::builtin(),
            failed: None,
        }
    }

    /// Uses the host's classes instead of the built-in ones.
    #[must_use]
    pub fn with_registry(mut self, registry: &'a ClassRegistry) -> Self {
        self.registry = registry;
        self
    }

    /// Whether all input has been read.
    pub fn is_empty(&self) -> bool {
        self.cursor.remaining() == 0
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.cursor.position()
    }

    /// Reads the next value.
    ///
    /// # Errors
    /// [`AmfError`]; what follows a failed value cannot be found, so every later call fails the same way.
    pub fn decode(&mut self) -> Result<Value, AmfError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut reader = Reader {
            cursor: &mut self.cursor,
            budget: &mut self.budget,
            tables: &mut self.tables,
            registry: self.registry,
        };
        reader
            .read_value()
            .inspect_err(|error| self.failed = Some(error.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::amf::{Date, Dictionary, Object, ObjectVector, Str, Vector, amf3};

    fn decode(data: &[u8]) -> Result<Value, AmfError> {
        super::decode(data, &Limits::default())
    }

    fn encode(value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        amf3::encode(value, &mut out);
        out
    }

    fn round_trip(data: &[u8], value: &Value) {
        assert_eq!(decode(data).as_ref(), Ok(value), "{data:02X?}");
        assert_eq!(encode(value), data, "{value:?}");
    }

    const EPOCH: Date = Date {
        millis: 0.0,
        time_zone: 0,
    };

    #[test]
    fn every_marker_reads_and_writes_its_bytes() {
        round_trip(b"\x00", &Value::Undefined);
        round_trip(b"\x01", &Value::Null);
        round_trip(b"\x02", &false.into());
        round_trip(b"\x03", &true.into());
        round_trip(b"\x05\x40\x0C\0\0\0\0\0\0", &3.5.into());
        round_trip(b"\x06\x05ab", &"ab".into());
        round_trip(b"\x06\x01", &"".into());
        round_trip(b"\x07\x09<a/>", &Value::XmlDocument("<a/>".into()));
        round_trip(b"\x08\x01\0\0\0\0\0\0\0\0", &EPOCH.into());
        round_trip(
            b"\x09\x05\x01\x04\x01\x06\x03x",
            &vec![Value::Integer(1), "x".into()].into(),
        );
        round_trip(
            b"\x09\x01\x03a\x04\x01\x01",
            &Value::EcmaArray(Object::new().with("a", Value::Integer(1))),
        );
        round_trip(
            b"\x0A\x0B\x01\x03a\x04\x01\x01",
            &Object::new().with("a", Value::Integer(1)).into(),
        );
        round_trip(b"\x0B\x09<a/>", &Value::Xml("<a/>".into()));
        round_trip(
            b"\x0C\x07\x01\x02\x03",
            &bytes::Bytes::from_static(&[1, 2, 3]).into(),
        );
        let ints = Vector {
            fixed: false,
            items: Arc::new([1, -1]),
        };
        round_trip(b"\x0D\x05\0\0\0\0\x01\xFF\xFF\xFF\xFF", &Value::VectorInt(ints));
        let uints = Vector {
            fixed: true,
            items: Arc::new([u32::MAX]),
        };
        round_trip(b"\x0E\x03\x01\xFF\xFF\xFF\xFF", &Value::VectorUint(uints));
        let doubles = Vector {
            fixed: false,
            items: Arc::new([-1.0]),
        };
        round_trip(b"\x0F\x03\0\xBF\xF0\0\0\0\0\0\0", &Value::VectorDouble(doubles));
        round_trip(
            b"\x10\x03\0\x03*\x01",
            &ObjectVector::new("*", false, vec![Value::Null]).into(),
        );
        round_trip(
            b"\x11\x03\0\x06\x03k\x03",
            &Dictionary::new(false, vec![("k".into(), true.into())]).into(),
        );
        assert_eq!(
            decode(b"\x12"),
            Err(AmfError::UnknownMarker {
                format: "AMF3",
                marker: 0x12,
                offset: 0
            })
        );
    }

    #[test]
    fn integers_take_one_to_four_bytes() {
        for (number, bytes) in [
            (0, &b"\x04\x00"[..]),
            (127, b"\x04\x7F"),
            (128, b"\x04\x81\x00"),
            (16_383, b"\x04\xFF\x7F"),
            (16_384, b"\x04\x81\x80\x00"),
            (2_097_151, b"\x04\xFF\xFF\x7F"),
            (2_097_152, b"\x04\x80\xC0\x80\x00"),
            (0x0FFF_FFFF, b"\x04\xBF\xFF\xFF\xFF"),
            (-1, b"\x04\xFF\xFF\xFF\xFF"),
            (-(1 << 28), b"\x04\xC0\x80\x80\x00"),
        ] {
            round_trip(bytes, &Value::Integer(number));
        }
        assert_eq!(decode(b"\x04\x80\x00"), Ok(Value::Integer(0)));
        assert_eq!(
            decode(&encode(&Value::Integer(1 << 28))),
            Ok(Value::Number(268_435_456.0))
        );
        assert_eq!(
            decode(&encode(&Value::Integer(i32::MIN))),
            Ok(Value::Number(-2_147_483_648.0))
        );
    }

    #[test]
    fn class_descriptions_are_written_once() {
        let point = |x, y| {
            let object = Object::new()
                .with("x", Value::Integer(x))
                .with("y", Value::Integer(y));
            Value::from(object.with_class("P"))
        };
        round_trip(
            b"\x09\x05\x01\x0A\x23\x03P\x03x\x03y\x04\x01\x04\x02\x0A\x01\x04\x03\x04\x04",
            &vec![point(1, 2), point(3, 4)].into(),
        );
    }

    #[test]
    fn a_string_reference_may_name_a_class_or_member() {
        // typed "P" {P: "P"} : member name and value refer to the class name
        round_trip(
            b"\x0A\x13\x03P\x00\x06\x00",
            &Object::new().with("P", "P").with_class("P").into(),
        );
    }

    #[test]
    fn sealed_and_dynamic_members_keep_their_kind() {
        // class "P", dynamic, sealed x = true, dynamic d = null
        let data = b"\x0A\x1B\x03P\x03x\x03\x03d\x01\x01";
        let value = decode(data).unwrap();
        let object = value.as_object().unwrap();
        assert_eq!(
            (object.class_name(), object.sealed_len(), object.is_dynamic()),
            (Some("P"), 1, true)
        );
        assert_eq!(encode(&value), data);
    }

    #[test]
    fn an_array_with_both_parts_is_an_ecma_array_with_index_keys() {
        // dense [true], associative {a: null}
        let members = Object::new().with("a", Value::Null).with("0", true);
        round_trip(b"\x09\x03\x03a\x01\x01\x03", &Value::EcmaArray(members));
        let odd = Value::EcmaArray(Object::new().with("0", 1).with("01", 2).with("2", 3));
        let decoded = decode(&encode(&odd)).unwrap();
        assert_eq!(decoded.as_object().unwrap().len(), 3);
        assert_eq!(decoded.get("01"), Some(&2.into()));
    }

    #[test]
    fn object_references_share_and_count_dates_and_byte_arrays() {
        // [date, bytes, object, ref 1 (date), ref 2 (bytes), ref 3 (object)]
        let data = b"\x09\x0D\x01\x08\x01\0\0\0\0\0\0\0\0\x0C\x03z\x0A\x0B\x01\x01\x08\x02\x0C\x04\x0A\x06";
        let value = decode(data).unwrap();
        let values = value.as_array().unwrap();
        assert_eq!(values[..3], values[3..]);
        assert_eq!(values[0], EPOCH.into());
        assert_eq!(values[1], bytes::Bytes::from_static(b"z").into());
        let (Value::Object(a), Value::Object(b)) = (&values[2], &values[5]) else {
            panic!("{values:?}")
        };
        assert!(a.same_instance(b));
    }

    #[test]
    fn the_same_instance_is_written_once() {
        let object = Value::from(Object::new());
        let out = encode(&vec![EPOCH.into(), object.clone(), object].into());
        assert_eq!(
            out,
            b"\x09\x07\x01\x08\x01\0\0\0\0\0\0\0\0\x0A\x0B\x01\x01\x0A\x04"
        );
    }

    #[test]
    fn a_reference_to_an_ancestor_is_a_cycle_and_writes_the_same_bytes() {
        round_trip(
            b"\x0A\x0B\x01\x09self\x0A\x00\x01",
            &Object::new().with("self", Value::Cycle(0)).into(),
        );
        // [{up: array}] , the reference has the marker of what it refers to
        round_trip(b"\x09\x03\x01\x0A\x0B\x01\x05up\x09\x00\x01", &{
            vec![Object::new().with("up", Value::Cycle(1)).into()].into()
        });
        // a dictionary that is its own key
        round_trip(
            b"\x11\x03\0\x11\x00\x01",
            &Dictionary::new(false, vec![(Value::Cycle(0), Value::Null)]).into(),
        );
    }

    #[test]
    fn an_instance_that_leads_out_is_written_again_at_another_depth() {
        let child = Value::from(Object::new().with("up", Value::Cycle(1)));
        let value = Value::from(vec![child.clone(), vec![child].into()]);
        let decoded = decode(&encode(&value)).unwrap();
        assert_eq!(decoded, value);
    }

    #[test]
    fn flex_wrappers_hold_one_value() {
        let name = b"flex.messaging.io.ArrayCollection";
        let mut data = vec![0x0A, 0x07, 0x43];
        data.extend(name);
        data.extend(b"\x09\x03\x01\x04\x05");
        let wrapper = Object::new().with_class("flex.messaging.io.ArrayCollection");
        round_trip(&data, &wrapper.with("source", vec![Value::Integer(5)]).into());
    }

    #[test]
    fn a_flex_wrapper_sent_with_members_of_its_own_keeps_them() {
        let mut data = vec![0x0A, 0x13, 0x3B];
        data.extend(b"flex.messaging.io.ObjectProxy\x03x\x04\x05");
        let object = Object::new().with("x", Value::Integer(5));
        round_trip(&data, &object.with_class("flex.messaging.io.ObjectProxy").into());
    }

    #[test]
    fn an_unregistered_externalizable_class_is_an_error() {
        let error = AmfError::UnknownExternalizable {
            class: "X".into(),
            offset: 0,
        };
        assert_eq!(decode(b"\x0A\x07\x03X\x01"), Err(error));
    }

    #[test]
    fn host_classes_read_write_complete_and_refuse() {
        struct Counter;
        impl crate::amf::Externalizable for Counter {
            fn read(&self, input: &mut Reader<'_, '_>, object: &mut Object) -> Result<(), AmfError> {
                object.insert("count", input.read_u32()?);
                object.insert("label", input.read_utf()?);
                Ok(())
            }
            fn write(&self, object: &Object, output: &mut amf3::Writer<'_>) {
                output.write_u32(
                    object
                        .get("count")
                        .and_then(Value::as_f64)
                        .map_or(0, |count| count as u32),
                );
                output.write_utf(
                    &object
                        .get("label")
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .into(),
                );
            }
        }
        struct NeedsX;
        impl crate::amf::ClassHook for NeedsX {
            fn decoded(&self, object: &mut Object) -> Result<(), String> {
                object.insert("seen", true);
                object.get("x").map(drop).ok_or_else(|| "x is missing".into())
            }
        }
        let mut registry = ClassRegistry::new();
        registry.register_externalizable("C", Arc::new(Counter));
        registry.register_class("P", Arc::new(NeedsX));
        let decode = |data: &[u8]| {
            Decoder::new(data, Limits::default())
                .with_registry(&registry)
                .decode()
        };

        let data = b"\x0A\x07\x03C\0\0\0\x07\0\x02ab";
        let value = decode(data).unwrap();
        assert_eq!(
            value,
            Object::new()
                .with("count", 7)
                .with("label", "ab")
                .with_class("C")
                .into()
        );
        let mut out = Vec::new();
        amf3::Encoder::new()
            .with_registry(&registry)
            .encode(&value, &mut out);
        assert_eq!(out, data);

        assert_eq!(
            decode(b"\x0A\x13\x03P\x03x\x01").unwrap().get("seen"),
            Some(&true.into())
        );
        let refused = AmfError::Refused {
            class: "P".into(),
            reason: "x is missing".into(),
        };
        assert_eq!(decode(b"\x0A\x03\x03P"), Err(refused));
        assert!(registry.unregister("P") && !registry.unregister("P"));
    }

    #[test]
    fn references_to_what_has_not_appeared_are_errors() {
        let fails = |data: &[u8], table, offset| {
            let error = AmfError::ReferenceOutOfRange {
                table,
                index: 0,
                known: 0,
                offset,
            };
            assert_eq!(decode(data), Err(error));
        };
        fails(b"\x0A\x01", "AMF3 traits", 0);
        fails(b"\x06\x00", "AMF3 string", 1);
        fails(b"\x09\x00", "AMF3 object", 0);
    }

    #[test]
    fn declared_counts_and_lengths_beyond_the_input_are_errors() {
        for kind in [0x06, 0x07, 0x09, 0x0B, 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11] {
            let data = [kind, 0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x01];
            let error = decode(&data).unwrap_err();
            let names_first = kind == 0x10 && matches!(error, AmfError::ReferenceOutOfRange { .. });
            assert!(
                names_first || matches!(error, AmfError::Truncated { .. }),
                "{kind:#x}: {error:?}"
            );
        }
        // 2^25 - 1 sealed members
        assert!(matches!(
            decode(b"\x0A\xFF\xFF\xFF\xF3\x01"),
            Err(AmfError::TooManyTraits {
                what: "sealed members",
                limit: 1024,
                ..
            })
        ));
    }

    #[test]
    fn a_string_reference_bomb_hits_the_byte_limit() {
        let text = vec![b'x'; 60_000];
        let mut data = b"\x09\x87\x69\x01".to_vec(); // dense count 500
        let header = Value::String(Str::from_bytes(&text));
        data.extend(encode(&header));
        data.extend(b"\x06\x00".repeat(499));
        assert!(matches!(
            decode(&data),
            Err(AmfError::ExpandsTooLarge {
                limit: 16_777_216,
                ..
            })
        ));
    }

    #[test]
    fn nesting_ends_at_the_depth_limit() {
        let nested = |levels: usize| {
            let mut data = b"\x09\x03\x01".repeat(levels);
            data.push(0x01);
            data
        };
        assert!(decode(&nested(32)).is_ok());
        assert_eq!(
            decode(&nested(33)),
            Err(AmfError::TooDeep {
                limit: 32,
                offset: 96
            })
        );
        assert!(decode(&nested(70_000)).is_err());
        assert!(decode(&b"\x11\x03\x00".repeat(70_000)).is_err());
    }
}
