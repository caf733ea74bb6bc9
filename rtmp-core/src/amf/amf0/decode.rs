//! AMF0 bytes to values.

use super::marker;
use crate::amf::cursor::Cursor;
use crate::amf::graph::{Budget, Graph};
use crate::amf::{AmfError, Array, ClassRegistry, Date, Limits, Object, Str, Value, amf3};

/// Decodes all values of a message body.
///
/// # Errors
/// The first [`AmfError`]. To keep the values before it, use a [`Decoder`].
pub fn decode_all(data: &[u8], limits: &Limits) -> Result<Vec<Value>, AmfError> {
    let mut decoder = Decoder::new(data, *limits);
    let mut values = Vec::new();
    while !decoder.is_empty() {
        values.push(decoder.decode()?);
    }
    Ok(values)
}

/// Reads values one after the other. References reach back over all values of one decoder, as they do over one message,
/// and the limits count over all of them.
///
/// Tolerated always: a wrong ECMA array count, members named `""`, repeated members (the last wins), any byte but 0 as
/// true. An object behind the AMF3 marker takes no AMF0 reference index.
pub struct Decoder<'a> {
    cursor: Cursor<'a>,
    budget: Budget,
    graph: Graph,
    avmplus: amf3::Tables,
    isolate_avmplus: bool,
    registry: &'a ClassRegistry,
    open_end: bool,
    ended_open: bool,
    failed: Option<AmfError>,
}

impl<'a> Decoder<'a> {
    /// A decoder of `data`, which holds AMF0 values and nothing else.
    pub fn new(data: &'a [u8], limits: Limits) -> Self {
        Self {
            cursor: Cursor::new(data),
            budget: Budget::new(limits),
            graph: Graph::new("AMF0 object"),
            avmplus: amf3::Tables::new(),
            isolate_avmplus: false,
            registry: ClassRegistry::builtin(),
            open_end: false,
            ended_open: false,
            failed: None,
        }
    }

    /// Lets an object or ECMA array at the top end with the input instead of `00 00 09`, as some encoders' `onMetaData`
    /// does; [`ended_open`](Self::ended_open) tells.
    #[must_use]
    pub fn allow_open_end(mut self, allow: bool) -> Self {
        self.open_end = allow;
        self
    }

    /// Gives every AMF3 value (marker 11) reference tables of its own. Otherwise those of one decoder share their tables,
    /// as Flash Player's and Flex's side do.
    #[must_use]
    pub fn isolate_avmplus(mut self, isolate: bool) -> Self {
        self.isolate_avmplus = isolate;
        self
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

    /// Whether the last object or ECMA array ended with the input, without its end marker.
    pub fn ended_open(&self) -> bool {
        self.ended_open
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
        self.value(true)
            .inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// Forgets what may be referred to; the limits go on counting.
    pub(in crate::amf) fn begin_part(&mut self) {
        self.graph = Graph::new("AMF0 object");
        self.avmplus = amf3::Tables::new();
    }

    /// What stands between values.
    pub(in crate::amf) fn fields(&mut self) -> &mut Cursor<'a> {
        &mut self.cursor
    }

    fn value(&mut self, top: bool) -> Result<Value, AmfError> {
        let offset = self.cursor.position();
        let kind = self.cursor.u8()?;
        self.budget.charge_elements(1, offset)?;
        match kind {
            marker::NUMBER => self.cursor.f64().map(Value::Number),
            marker::BOOLEAN => Ok(Value::Boolean(self.cursor.u8()? != 0)),
            marker::STRING => self.short_string().map(Value::String),
            marker::OBJECT => self.object(offset, top, None).map(Value::Object),
            marker::NULL => Ok(Value::Null),
            marker::UNDEFINED => Ok(Value::Undefined),
            marker::REFERENCE => {
                let index = usize::from(self.cursor.u16()?);
                self.graph.resolve(&mut self.budget, index, offset)
            }
            marker::ECMA_ARRAY => {
                let _hint = self.cursor.u32()?;
                self.ecma_array(offset, top)
            }
            marker::STRICT_ARRAY => self.strict_array(offset),
            marker::DATE => {
                let millis = self.cursor.f64()?;
                Ok(Value::Date(Date {
                    millis,
                    time_zone: self.cursor.array().map(i16::from_be_bytes)?,
                }))
            }
            marker::LONG_STRING => self.long_string().map(Value::String),
            marker::UNSUPPORTED => Ok(Value::Unsupported),
            marker::XML_DOCUMENT => self.long_string().map(Value::XmlDocument),
            marker::TYPED_OBJECT => {
                let class = self.short_string()?;
                self.object(offset, top, Some(class)).map(Value::Object)
            }
            marker::AVMPLUS => self.avmplus(),
            marker::OBJECT_END => Err(AmfError::UnexpectedObjectEnd { offset }),
            marker => Err(AmfError::UnknownMarker {
                format: "AMF0",
                marker,
                offset,
            }),
        }
    }

    fn object(&mut self, offset: usize, top: bool, class: Option<Str>) -> Result<Object, AmfError> {
        let slot = self.graph.open(&mut self.budget, offset)?;
        let mut object = match class {
            Some(class) => Object::new().with_class(class),
            None => Object::new(),
        };
        self.members(&mut object, top)?;
        self.registry.complete(&mut object)?;
        self.graph
            .close(&mut self.budget, slot, &Value::Object(object.clone()));
        Ok(object)
    }

    fn ecma_array(&mut self, offset: usize, top: bool) -> Result<Value, AmfError> {
        let slot = self.graph.open(&mut self.budget, offset)?;
        let mut members = Object::new();
        self.members(&mut members, top)?;
        let value = Value::EcmaArray(members);
        self.graph.close(&mut self.budget, slot, &value);
        Ok(value)
    }

    fn members(&mut self, object: &mut Object, top: bool) -> Result<(), AmfError> {
        loop {
            if top && self.open_end && matches!(self.cursor.rest(), [] | [0] | [0, 0]) {
                self.cursor.take(self.cursor.remaining())?;
                self.ended_open = true;
                return Ok(());
            }
            let key = self.short_string()?;
            if key.is_empty() && self.cursor.rest().first() == Some(&marker::OBJECT_END) {
                self.cursor.u8()?;
                return Ok(());
            }
            object.insert(key, self.value(false)?);
        }
    }

    fn strict_array(&mut self, offset: usize) -> Result<Value, AmfError> {
        let slot = self.graph.open(&mut self.budget, offset)?;
        let count = self.count(1)?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(false)?);
        }
        let value = Value::Array(Array::from(values));
        self.graph.close(&mut self.budget, slot, &value);
        Ok(value)
    }

    fn avmplus(&mut self) -> Result<Value, AmfError> {
        if self.isolate_avmplus {
            self.avmplus = amf3::Tables::new();
        }
        let mut reader = amf3::Reader {
            cursor: &mut self.cursor,
            budget: &mut self.budget,
            tables: &mut self.avmplus,
            registry: self.registry,
        };
        reader.read_value()
    }

    fn short_string(&mut self) -> Result<Str, AmfError> {
        let length = usize::from(self.cursor.u16()?);
        self.string(length)
    }

    fn long_string(&mut self) -> Result<Str, AmfError> {
        let length = self.count(1)?;
        self.string(length)
    }

    fn string(&mut self, length: usize) -> Result<Str, AmfError> {
        let offset = self.cursor.position();
        let bytes = self.cursor.take(length)?;
        self.budget.charge_bytes(length, offset)?;
        Ok(Str::from_bytes(bytes))
    }

    /// A declared number of items, each of at least `smallest` bytes.
    fn count(&mut self, smallest: usize) -> Result<usize, AmfError> {
        let count = usize::try_from(self.cursor.u32()?).unwrap_or(usize::MAX);
        self.cursor.check_count(count, smallest)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(data: &[u8]) -> Result<Value, AmfError> {
        Decoder::new(data, Limits::default()).decode()
    }

    fn round_trip(data: &[u8], value: &Value) {
        assert_eq!(decode(data).as_ref(), Ok(value));
        let mut out = Vec::new();
        crate::amf::amf0::encode(value, &mut out);
        assert_eq!(out, data, "{value:?}");
    }

    #[test]
    fn every_marker_reads_and_writes_its_bytes() {
        round_trip(b"\x00\x40\x0C\0\0\0\0\0\0", &3.5.into());
        round_trip(b"\x00\xBF\xF0\0\0\0\0\0\0", &(-1).into());
        round_trip(b"\x01\x01", &true.into());
        round_trip(b"\x01\x00", &false.into());
        round_trip(b"\x02\0\x02ab", &"ab".into());
        round_trip(b"\x05", &Value::Null);
        round_trip(b"\x06", &Value::Undefined);
        round_trip(b"\x0D", &Value::Unsupported);
        round_trip(b"\x0F\0\0\0\x04<a/>", &Value::XmlDocument("<a/>".into()));
        round_trip(
            b"\x03\0\x01a\0\x3F\xF0\0\0\0\0\0\0\0\0\x09",
            &Object::new().with("a", 1).into(),
        );
        round_trip(
            b"\x0A\0\0\0\x02\0\x3F\xF0\0\0\0\0\0\0\x02\0\x01x",
            &vec![Value::from(1), "x".into()].into(),
        );
        round_trip(
            b"\x08\0\0\0\x01\0\x08duration\0\0\0\0\0\0\0\0\0\0\0\x09",
            &Value::EcmaArray(Object::new().with("duration", 0)),
        );
        round_trip(
            b"\x0B\0\0\0\0\0\0\0\0\0\0",
            &Date {
                millis: 0.0,
                time_zone: 0,
            }
            .into(),
        );
        round_trip(b"\x10\0\x01A\0\0\x09", &Object::new().with_class("A").into());
    }

    #[test]
    fn a_reference_shares_the_instance() {
        // [{}, reference to index 1]
        let value = decode(b"\x0A\0\0\0\x02\x03\0\0\x09\x07\0\x01").unwrap();
        let [Value::Object(a), Value::Object(b)] = value.as_array().unwrap() else {
            panic!("{value:?}")
        };
        assert!(a.same_instance(b));
    }

    #[test]
    fn a_reference_to_an_ancestor_is_a_cycle_and_writes_the_same_bytes() {
        round_trip(
            b"\x03\0\x04self\x07\0\0\0\0\x09",
            &Object::new().with("self", Value::Cycle(0)).into(),
        );
        // {a: {up: outer}}
        let inner = Object::new().with("up", Value::Cycle(1));
        round_trip(
            b"\x03\0\x01a\x03\0\x02up\x07\0\0\0\0\x09\0\0\x09",
            &Object::new().with("a", inner).into(),
        );
    }

    #[test]
    fn references_span_the_values_of_one_message() {
        let values = decode_all(b"\x03\0\0\x09\x07\0\0", &Limits::default()).unwrap();
        assert_eq!(values, [Object::new().into(), Object::new().into()]);
    }

    #[test]
    fn a_child_that_leads_to_its_parent_keeps_doing_so_elsewhere() {
        // root {a: X {up: root}, b: {c: X}} : from b.c the root is two levels up.
        let data = b"\x03\0\x01a\x03\0\x02up\x07\0\0\0\0\x09\0\x01b\x03\0\x01c\x07\0\x01\0\0\x09\0\0\x09";
        let value = decode(data).unwrap();
        assert_eq!(value.get("a").unwrap().get("up"), Some(&Value::Cycle(1)));
        assert_eq!(
            value.get("b").unwrap().get("c").unwrap().get("up"),
            Some(&Value::Cycle(2))
        );
    }

    #[test]
    fn a_child_referenced_after_its_parent_ended_holds_the_parent() {
        // [P {a: X {up: P}}, X] : the second X is not inside P, so its `up` is P itself.
        let data = b"\x0A\0\0\0\x02\x03\0\x01a\x03\0\x02up\x07\0\x01\0\0\x09\0\0\x09\x07\0\x02";
        let value = decode(data).unwrap();
        let [parent, child] = value.as_array().unwrap() else {
            panic!("{value:?}")
        };
        assert_eq!(child.get("up"), Some(parent));
        assert_eq!(parent.get("a").unwrap().get("up"), Some(&Value::Cycle(1)));
    }

    #[test]
    fn a_reference_out_of_range_is_an_error() {
        let known = 1;
        let error = AmfError::ReferenceOutOfRange {
            table: "AMF0 object",
            index: 1,
            known,
            offset: 5,
        };
        assert_eq!(decode(b"\x0A\0\0\0\x01\x07\0\x01"), Err(error));
    }

    #[test]
    fn a_reference_bomb_hits_the_element_limit() {
        // Arrays of ten references to the one before, 30 levels: 10^30 values if expanded.
        let mut data = b"\x0A\0\0\0\x1F\x0A\0\0\0\x01\x05".to_vec();
        for level in 1..=30u8 {
            data.extend(b"\x0A\0\0\0\x0A");
            data.extend([7, 0, level].repeat(10));
        }
        assert!(matches!(
            decode(&data),
            Err(AmfError::TooManyElements { limit: 65_536, .. })
        ));
    }

    #[test]
    fn references_do_not_build_values_deeper_than_the_limit() {
        // [[], [ref 1], [ref 2], ...] : written two levels deep, but each holds the one before.
        let mut data = b"\x0A\0\0\0\x29\x0A\0\0\0\0".to_vec();
        for level in 1..=40u8 {
            data.extend([0x0A, 0, 0, 0, 1, 7, 0, level]);
        }
        assert!(matches!(decode(&data), Err(AmfError::TooDeep { limit: 32, .. })));
    }

    #[test]
    fn nesting_ends_at_the_depth_limit() {
        let nested = |levels: usize| {
            let mut data = b"\x0A\0\0\0\x01".repeat(levels);
            data.push(0x05);
            data
        };
        assert!(decode(&nested(32)).is_ok());
        assert_eq!(
            decode(&nested(33)),
            Err(AmfError::TooDeep {
                limit: 32,
                offset: 160
            })
        );
        assert!(decode(&nested(70_000)).is_err());
        assert!(decode(&b"\x03\0\x01a".repeat(70_000)).is_err());
        let all = Limits {
            depth: usize::MAX,
            ..Limits::default()
        };
        assert!(Decoder::new(&nested(70_000), all).decode().is_err());
    }

    #[test]
    fn depth_counts_amf0_and_amf3_together() {
        let nested = |amf0: usize, amf3: usize| {
            let mut data = b"\x0A\0\0\0\x01".repeat(amf0);
            data.push(0x11);
            data.extend(b"\x09\x03\x01".repeat(amf3));
            data.push(0x01);
            data
        };
        assert!(decode(&nested(16, 16)).is_ok());
        assert!(matches!(
            decode(&nested(16, 17)),
            Err(AmfError::TooDeep { limit: 32, .. })
        ));
        assert!(matches!(
            decode(&nested(17, 16)),
            Err(AmfError::TooDeep { limit: 32, .. })
        ));
    }

    #[test]
    fn declared_counts_and_lengths_beyond_the_input_are_errors() {
        for data in [
            &b"\x0A\xFF\xFF\xFF\xFF"[..],
            b"\x08\xFF\xFF\xFF\xFF",
            b"\x0C\xFF\xFF\xFF\xFFx",
            b"\x02\xFF\xFFx",
            b"\x0F\0\0\0\x02x",
        ] {
            assert!(
                matches!(decode(data), Err(AmfError::Truncated { .. })),
                "{data:?}"
            );
        }
    }

    #[test]
    fn more_elements_than_the_limit_are_an_error() {
        let limits = Limits {
            elements: 3,
            ..Limits::default()
        };
        assert!(decode_all(b"\x05\x05\x05", &limits).is_ok());
        assert_eq!(
            decode_all(b"\x05\x05\x05\x05", &limits),
            Err(AmfError::TooManyElements { limit: 3, offset: 3 })
        );
    }

    #[test]
    fn empty_keys_duplicates_and_wrong_counts_are_tolerated() {
        let value = decode(b"\x08\0\0\0\x09\0\0\x01\x01\0\x01a\x05\0\x01a\x06\0\0\x09").unwrap();
        assert_eq!(
            value,
            Value::EcmaArray(Object::new().with("", true).with("a", Value::Undefined))
        );
    }

    #[test]
    fn a_missing_end_is_accepted_only_at_the_top_and_on_request() {
        let open = b"\x08\0\0\0\x01\0\x01a\x05";
        let read = |data: &[u8]| {
            Decoder::new(data, Limits::default())
                .allow_open_end(true)
                .decode()
        };
        let expected = Value::EcmaArray(Object::new().with("a", Value::Null));
        for tail in [&b""[..], b"\0", b"\0\0"] {
            assert_eq!(read(&[open, tail].concat()), Ok(expected.clone()));
            assert!(decode(&[open, tail].concat()).is_err());
        }
        assert!(read(b"\x03\0\x01o\x03\0\x01a\x05").is_err());
        assert!(read(b"\x03\0\x01").is_err());
    }

    #[test]
    fn reserved_and_unknown_markers_are_errors() {
        for marker in [0x04, 0x0E, 0x12, 0xFF] {
            let error = AmfError::UnknownMarker {
                format: "AMF0",
                marker,
                offset: 0,
            };
            assert_eq!(decode(&[marker]), Err(error));
        }
        assert_eq!(decode(b"\x09"), Err(AmfError::UnexpectedObjectEnd { offset: 0 }));
    }

    #[test]
    fn a_failed_decoder_stays_failed() {
        let mut decoder = Decoder::new(b"\x05\x04\x05", Limits::default());
        assert_eq!(decoder.decode(), Ok(Value::Null));
        assert!(decoder.decode().is_err());
        assert!(decoder.decode().is_err());
    }

    #[test]
    fn strings_from_65536_bytes_are_long_strings() {
        let short = Value::from("x".repeat(65_535));
        let long = Value::from("x".repeat(65_536));
        let mut out = Vec::new();
        crate::amf::amf0::encode_all(&[short.clone(), long.clone()], &mut out);
        assert_eq!(out[..3], [2, 0xFF, 0xFF]);
        assert_eq!(out[3 + 65_535..][..5], [0x0C, 0, 1, 0, 0]);
        assert_eq!(decode_all(&out, &Limits::default()), Ok(vec![short, long]));
    }

    #[test]
    fn bytes_that_are_not_utf8_round_trip() {
        round_trip(
            b"\x02\0\x02\xC0\x80",
            &Value::String(Str::from_bytes(b"\xC0\x80")),
        );
    }

    #[test]
    fn avmplus_tables_span_a_message_unless_isolated() {
        // "x" literal, then string reference 0 in a second AMF3 value
        let data = b"\x11\x06\x03x\x11\x06\x00";
        assert_eq!(
            decode_all(data, &Limits::default()),
            Ok(vec!["x".into(), "x".into()])
        );
        let mut isolated = Decoder::new(data, Limits::default()).isolate_avmplus(true);
        assert_eq!(isolated.decode(), Ok("x".into()));
        assert!(matches!(
            isolated.decode(),
            Err(AmfError::ReferenceOutOfRange {
                table: "AMF3 string",
                ..
            })
        ));
    }

    #[test]
    fn avmplus_writing_wraps_containers_and_leaves_scalars_in_amf0() {
        let values = [
            "call".into(),
            1.into(),
            Value::Null,
            Object::new().with("a", Value::Integer(1)).into(),
        ];
        let mut out = Vec::new();
        crate::amf::amf0::encode_avmplus_all(&values, &mut out);
        let expected = b"\x02\0\x04call\0\x3F\xF0\0\0\0\0\0\0\x05\x11\x0A\x0B\x01\x03a\x04\x01\x01";
        assert_eq!(out, expected);
        assert_eq!(decode_all(&out, &Limits::default()), Ok(values.to_vec()));
    }

    #[test]
    fn cycles_count_the_containers_of_all_values_of_a_message() {
        let cyclic = Value::from(vec![Value::Cycle(0)]);
        let values = [Value::from(Vec::new()), "x".into(), cyclic];
        let mut out = Vec::new();
        crate::amf::amf0::encode_all(&values, &mut out);
        // Reference 1: the second container of the message.
        let expected = b"\x0A\0\0\0\0\x02\0\x01x\x0A\0\0\0\x01\x07\0\x01";
        assert_eq!(out, expected);
        assert_eq!(decode_all(&out, &Limits::default()), Ok(values.to_vec()));
        out.clear();
        crate::amf::amf0::encode_avmplus_all(&values, &mut out);
        let expected = b"\x11\x09\x01\x01\x02\0\x01x\x11\x09\x03\x01\x09\x02";
        assert_eq!(out, expected);
        assert_eq!(decode_all(&out, &Limits::default()), Ok(values.to_vec()));
    }

    #[test]
    fn avmplus_writing_refers_to_nothing_but_ancestors() {
        let item = Object::new().with("k", "k");
        let value = Value::from(vec![item.clone().into(), item.into(), Value::Cycle(0)]);
        let mut out = Vec::new();
        crate::amf::amf0::encode_avmplus(&value, &mut out);
        let item = b"\x0A\x0B\x01\x03k\x06\x03k\x01";
        assert_eq!(out, [&b"\x11\x09\x07\x01"[..], item, item, b"\x09\x00"].concat());
    }
}
