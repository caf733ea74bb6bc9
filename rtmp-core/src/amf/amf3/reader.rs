//! Reading values and the pieces they are made of.

use std::sync::Arc;

use bytes::Bytes;

use super::marker;
use super::refs::{Tables, Traits};
use crate::amf::cursor::Cursor;
use crate::amf::graph::Budget;
use crate::amf::{AmfError, ClassRegistry, Date, Dictionary, Object, ObjectVector, Str, Value, Vector};

/// The input of an AMF3 value: what `flash.utils.IDataInput` is to an externalizable class. All numbers are big-endian.
///
/// Every method fails with [`AmfError::Truncated`] when the input ends.
pub struct Reader<'r, 'a> {
    pub(in crate::amf) cursor: &'r mut Cursor<'a>,
    pub(in crate::amf) budget: &'r mut Budget,
    pub(in crate::amf) tables: &'r mut Tables,
    pub(in crate::amf) registry: &'r ClassRegistry,
}

impl<'a> Reader<'_, 'a> {
    /// Reads one value with its marker.
    ///
    /// # Errors
    /// Any [`AmfError`].
    pub fn read_value(&mut self) -> Result<Value, AmfError> {
        let offset = self.cursor.position();
        let kind = self.cursor.u8()?;
        self.budget.charge_elements(1, offset)?;
        match kind {
            marker::UNDEFINED => Ok(Value::Undefined),
            marker::NULL => Ok(Value::Null),
            marker::FALSE => Ok(Value::Boolean(false)),
            marker::TRUE => Ok(Value::Boolean(true)),
            marker::INTEGER => Ok(Value::Integer((self.read_u29()? << 3).cast_signed() >> 3)),
            marker::DOUBLE => self.cursor.f64().map(Value::Number),
            marker::STRING => self.read_string().map(Value::String),
            marker::XML_DOCUMENT..=marker::DICTIONARY => self.complex(kind, offset),
            marker => Err(AmfError::UnknownMarker {
                format: "AMF3",
                marker,
                offset,
            }),
        }
    }

    /// Reads a string without marker, literal or by reference (UTF-8-vr, AMF 3 1.3.2).
    ///
    /// # Errors
    /// [`AmfError::ReferenceOutOfRange`], and the message's limit on expanded bytes.
    pub fn read_string(&mut self) -> Result<Str, AmfError> {
        let offset = self.cursor.position();
        let header = self.length()?;
        if header & 1 == 1 {
            let text = self.text(header >> 1)?;
            if !text.is_empty() {
                self.tables.strings.push(text.clone());
            }
            return Ok(text);
        }
        let (index, known) = (header >> 1, self.tables.strings.len());
        let Some(text) = self.tables.strings.get(index).cloned() else {
            return Err(AmfError::ReferenceOutOfRange {
                table: "AMF3 string",
                index,
                known,
                offset,
            });
        };
        self.budget.charge_bytes(text.as_bytes().len(), offset)?;
        Ok(text)
    }

    /// Reads a variable-length unsigned 29-bit integer (AMF 3, 1.3.1). Longer forms than needed are accepted.
    ///
    /// # Errors
    /// See [`Reader`].
    pub fn read_u29(&mut self) -> Result<u32, AmfError> {
        let mut value = 0;
        for _ in 0..3 {
            let byte = self.cursor.u8()?;
            value = value << 7 | u32::from(byte & 0x7F);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Ok(value << 8 | u32::from(self.cursor.u8()?))
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// See [`Reader`].
    pub fn read_u8(&mut self) -> Result<u8, AmfError> {
        self.cursor.u8()
    }

    /// Reads two bytes.
    ///
    /// # Errors
    /// See [`Reader`].
    pub fn read_u16(&mut self) -> Result<u16, AmfError> {
        self.cursor.u16()
    }

    /// Reads four bytes.
    ///
    /// # Errors
    /// See [`Reader`].
    pub fn read_u32(&mut self) -> Result<u32, AmfError> {
        self.cursor.u32()
    }

    /// Reads a double.
    ///
    /// # Errors
    /// See [`Reader`].
    pub fn read_f64(&mut self) -> Result<f64, AmfError> {
        self.cursor.f64()
    }

    /// Reads a string behind a 16-bit length, as `IDataInput.readUTF` does.
    ///
    /// # Errors
    /// See [`Reader`].
    pub fn read_utf(&mut self) -> Result<Str, AmfError> {
        let length = self.cursor.u16()?;
        self.text(length.into())
    }

    /// Reads `count` bytes.
    ///
    /// # Errors
    /// See [`Reader`].
    pub fn read_bytes(&mut self, count: usize) -> Result<&'a [u8], AmfError> {
        let offset = self.cursor.position();
        let bytes = self.cursor.take(count)?;
        self.budget.charge_bytes(count, offset)?;
        Ok(bytes)
    }

    /// How many bytes are left of the whole message.
    pub fn remaining(&self) -> usize {
        self.cursor.remaining()
    }

    fn complex(&mut self, kind: u8, offset: usize) -> Result<Value, AmfError> {
        let header = self.length()?;
        let length = header >> 1;
        if header & 1 == 0 {
            return self.tables.objects.resolve(self.budget, length, offset);
        }
        match kind {
            marker::ARRAY => self.container(offset, |reader| reader.array(length)),
            marker::OBJECT => self.object(offset, length),
            marker::VECTOR_OBJECT => self.container(offset, |reader| reader.object_vector(length)),
            marker::DICTIONARY => self.container(offset, |reader| reader.dictionary(length)),
            _ => self.leaf(kind, length),
        }
    }

    /// What takes an object index but holds no values.
    fn leaf(&mut self, kind: u8, length: usize) -> Result<Value, AmfError> {
        let start = self.cursor.position();
        let value = match kind {
            marker::XML_DOCUMENT => Value::XmlDocument(self.text(length)?),
            marker::XML => Value::Xml(self.text(length)?),
            marker::BYTE_ARRAY => Value::ByteArray(Bytes::copy_from_slice(self.read_bytes(length)?)),
            marker::VECTOR_INT => Value::VectorInt(self.vector(length, i32::from_be_bytes)?),
            marker::VECTOR_UINT => Value::VectorUint(self.vector(length, u32::from_be_bytes)?),
            marker::VECTOR_DOUBLE => Value::VectorDouble(self.vector(length, f64::from_be_bytes)?),
            _ => Value::Date(Date {
                millis: self.cursor.f64()?,
                time_zone: 0,
            }),
        };
        self.tables.objects.leaf(&value, self.cursor.position() - start);
        Ok(value)
    }

    fn vector<const N: usize, T>(
        &mut self,
        count: usize,
        read: fn([u8; N]) -> T,
    ) -> Result<Vector<T>, AmfError> {
        let fixed = self.cursor.u8()? != 0;
        self.cursor.check_count(count, N)?;
        let (items, _) = self.read_bytes(count.saturating_mul(N))?.as_chunks::<N>();
        Ok(Vector {
            fixed,
            items: items.iter().map(|item| read(*item)).collect(),
        })
    }

    fn container(
        &mut self,
        offset: usize,
        body: impl FnOnce(&mut Self) -> Result<Value, AmfError>,
    ) -> Result<Value, AmfError> {
        let slot = self.tables.objects.open(self.budget, offset)?;
        let value = body(self)?;
        self.tables.objects.close(self.budget, slot, &value);
        Ok(value)
    }

    fn array(&mut self, count: usize) -> Result<Value, AmfError> {
        self.cursor.check_count(count, 1)?;
        let mut members = Object::new();
        self.dynamic_members(&mut members)?;
        let values = self.values(count)?;
        if members.is_empty() {
            return Ok(values.into());
        }
        members.extend(
            values
                .into_iter()
                .enumerate()
                .map(|(index, value)| (index.to_string(), value)),
        );
        Ok(Value::EcmaArray(members))
    }

    fn object_vector(&mut self, count: usize) -> Result<Value, AmfError> {
        let fixed = self.cursor.u8()? != 0;
        let type_name = self.read_string()?;
        Ok(ObjectVector::new(type_name, fixed, self.values(count)?).into())
    }

    fn dictionary(&mut self, count: usize) -> Result<Value, AmfError> {
        let weak_keys = self.cursor.u8()? != 0;
        self.cursor.check_count(count, 2)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push((self.read_value()?, self.read_value()?));
        }
        Ok(Dictionary::new(weak_keys, entries).into())
    }

    fn object(&mut self, offset: usize, flags: usize) -> Result<Value, AmfError> {
        let traits = self.traits(offset, flags)?;
        self.container(offset, |reader| {
            let mut object = Object::new().with_class(traits.class.clone());
            if traits.externalizable {
                let registry = reader.registry;
                let Some(codec) = registry.externalizable(&traits.class) else {
                    return Err(AmfError::UnknownExternalizable {
                        class: traits.class.clone(),
                        offset,
                    });
                };
                codec.read(reader, &mut object)?;
            } else {
                for name in &traits.sealed {
                    object.insert(name.clone(), reader.read_value()?);
                }
                let sealed = object.len();
                if traits.dynamic {
                    reader.dynamic_members(&mut object)?;
                }
                object = object.with_layout(sealed, traits.dynamic);
            }
            reader.registry.complete(&mut object)?;
            Ok(object.into())
        })
    }

    /// The class description that the flags above bit 0 of an object's header announce.
    fn traits(&mut self, offset: usize, flags: usize) -> Result<Arc<Traits>, AmfError> {
        if flags & 1 == 0 {
            let (index, known) = (flags >> 1, self.tables.traits.len());
            let Some(traits) = self.tables.traits.get(index).cloned() else {
                return Err(AmfError::ReferenceOutOfRange {
                    table: "AMF3 traits",
                    index,
                    known,
                    offset,
                });
            };
            let bytes = traits.sealed.iter().map(|name| name.as_bytes().len()).sum();
            self.budget.charge_bytes(bytes, offset)?;
            return Ok(traits);
        }
        let externalizable = flags & 2 != 0;
        let count = if externalizable { 0 } else { flags >> 3 };
        let class = self.read_string()?;
        let limits = self.budget.limits;
        if count > limits.sealed_members {
            let what = "sealed members";
            return Err(AmfError::TooManyTraits {
                what,
                limit: limits.sealed_members,
                offset,
            });
        }
        if self.tables.traits.len() >= limits.traits {
            let what = "class descriptions";
            return Err(AmfError::TooManyTraits {
                what,
                limit: limits.traits,
                offset,
            });
        }
        self.cursor.check_count(count, 1)?;
        self.budget.charge_elements(count, offset)?;
        let mut sealed = Vec::new();
        for _ in 0..count {
            sealed.push(self.read_string()?);
        }
        let dynamic = !externalizable && flags & 4 != 0;
        let traits = Arc::new(Traits {
            class,
            externalizable,
            dynamic,
            sealed,
        });
        self.tables.traits.push(traits.clone());
        Ok(traits)
    }

    fn dynamic_members(&mut self, object: &mut Object) -> Result<(), AmfError> {
        loop {
            let key = self.read_string()?;
            if key.is_empty() {
                return Ok(());
            }
            object.insert(key, self.read_value()?);
        }
    }

    fn values(&mut self, count: usize) -> Result<Vec<Value>, AmfError> {
        self.cursor.check_count(count, 1)?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.read_value()?);
        }
        Ok(values)
    }

    fn text(&mut self, length: usize) -> Result<Str, AmfError> {
        self.read_bytes(length).map(Str::from_bytes)
    }

    fn length(&mut self) -> Result<usize, AmfError> {
        self.read_u29()
            .map(|value| usize::try_from(value).unwrap_or(usize::MAX))
    }
}
