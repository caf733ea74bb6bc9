//! Values to AMF3 bytes.

use super::{Writer, Written};
use crate::amf::{ClassRegistry, Value};

/// Appends `value` in AMF3 with reference tables of its own (see [`Encoder`]).
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    Encoder::new().encode(value, out);
}

/// Writes values that share reference tables: strings, class descriptions, and containers that are the same instance.
///
/// What AMF3 cannot express: an empty name ends a list of dynamic members, so such a member is left out; a date loses
/// its time zone; integers outside -2^28..2^28 become doubles; `unsupported`, and what is nested deeper than
/// [`MAX_DEPTH`](crate::amf::MAX_DEPTH), becomes `undefined`; lengths end at 2^28-1. An ECMA array without members reads
/// back as an array, one with the keys `"0"` to `"n-1"` has these as its dense part and reads back with them last.
pub struct Encoder<'a> {
    written: Written,
    registry: &'a ClassRegistry,
}

impl Encoder<'static> {
    /// An encoder that has written nothing yet and knows the built-in classes.
    pub fn new() -> Self {
        Encoder {
            written: Written::new(true),
            registry: ClassRegistry::builtin(),
        }
    }
}

impl<'a> Encoder<'a> {
    /// Uses the host's classes instead of the built-in ones.
    #[must_use]
    pub fn with_registry<'b>(self, registry: &'b ClassRegistry) -> Encoder<'b>
    where
        'a: 'b,
    {
        Encoder {
            written: self.written,
            registry,
        }
    }

    /// Appends `value`.
    pub fn encode(&mut self, value: &Value, out: &mut Vec<u8>) {
        Writer {
            out,
            written: &mut self.written,
            registry: self.registry,
        }
        .write_value(value);
    }
}

impl Default for Encoder<'static> {
    fn default() -> Self {
        Self::new()
    }
}
