//! AMF0 bytes to values.

use super::marker;
use crate::amf::cursor::Cursor;
use crate::amf::graph::{Budget, Graph};
use crate::amf::{AmfError, Array, Date, Limits, Object, Str, Value};

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
    open_end: bool,
    failed: Option<AmfError>,
}

impl<'a> Decoder<'a> {
    /// A decoder of `data`, which holds AMF0 values and nothing else.
    pub fn new(data: &'a [u8], limits: Limits) -> Self {
        Self {
            cursor: Cursor::new(data),
            budget: Budget::new(limits),
            graph: Graph::new("AMF0 object"),
            open_end: false,
            failed: None,
        }
    }

    /// Lets an object or ECMA array at the top end with the input instead of `00 00 09`, as some encoders' `onMetaData`
    /// does. For data messages; commands are better refused.
    #[must_use]
    pub fn allow_open_end(mut self, allow: bool) -> Self {
        self.open_end = allow;
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
        self.value(true)
            .inspect_err(|error| self.failed = Some(error.clone()))
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
}
