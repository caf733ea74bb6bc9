//! A generated corpus of AMF values that another implementation can hold, and files of encoded values.

use bytes::Bytes;
use rtmp_core::amf::{Date, Limits, Object, Value, amf0, amf3};

/// The format of an encoded value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// AMF0.
    Amf0,
    /// AMF3.
    Amf3,
}

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Amf0, Self::Amf3];

    fn number(self) -> u8 {
        match self {
            Self::Amf0 => 0,
            Self::Amf3 => 3,
        }
    }

    /// The value's bytes.
    pub fn encode(self, value: &Value) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Amf0 => amf0::encode(value, &mut out),
            Self::Amf3 => amf3::encode(value, &mut out),
        }
        out
    }

    /// The one value in `data`.
    pub fn decode(self, data: &[u8]) -> Value {
        let values = match self {
            Self::Amf0 => amf0::decode_all(data, &Limits::default()),
            Self::Amf3 => amf3::decode_all(data, &Limits::default()),
        };
        let mut values = values.unwrap_or_else(|error| panic!("{self:?} {data:02X?}: {error}"));
        assert_eq!(values.len(), 1, "{self:?} {data:02X?}");
        values.remove(0)
    }
}

/// A file of encoded values: for each its format, length and bytes.
pub fn write_records(records: &[(Format, Vec<u8>)]) -> Vec<u8> {
    let mut file = Vec::new();
    for (format, data) in records {
        file.push(format.number());
        file.extend((data.len() as u32).to_be_bytes());
        file.extend(data);
    }
    file
}

/// The records of such a file.
pub fn read_records(mut file: &[u8]) -> Vec<(Format, Vec<u8>)> {
    let mut records = Vec::new();
    while let Some(([number, length @ ..], rest)) = file.split_first_chunk::<5>() {
        let format = if *number == 0 { Format::Amf0 } else { Format::Amf3 };
        let (data, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        records.push((format, data.to_vec()));
        file = rest;
    }
    assert!(file.is_empty(), "the file ends inside a record");
    records
}

/// Makes values, always the same ones for a seed (xorshift64*).
pub struct Generator(u64);

impl Generator {
    /// A generator of the values of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A value of what `format` has in common with most other implementations: no vectors, no `unsupported`.
    pub fn value(&mut self, format: Format) -> Value {
        self.at_depth(format, 0)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    fn at_depth(&mut self, format: Format, depth: u64) -> Value {
        if depth > 4 || self.below(10) < 2 + 2 * depth {
            return self.scalar(format);
        }
        let is_amf3 = format == Format::Amf3;
        match self.below(if is_amf3 { 8 } else { 6 }) {
            0 | 1 => self.object(format, depth).into(),
            2 => Value::EcmaArray(self.object(format, depth).with("z", true)),
            3 => self
                .object(format, depth)
                .with_class(["org.example.Point", "org.example.Note"][self.below(2) as usize])
                .into(),
            4 => {
                let shared = Value::from(self.object(format, depth + 1));
                vec![shared.clone(), self.at_depth(format, depth + 1), shared].into()
            }
            6 => {
                let wrapper = Object::new().with_class("flex.messaging.io.ArrayCollection");
                wrapper.with("source", self.values(format, depth)).into()
            }
            7 => {
                let wrapper = Object::new().with_class("flex.messaging.io.ObjectProxy");
                wrapper.with("object", self.object(format, depth)).into()
            }
            _ => self.values(format, depth).into(),
        }
    }

    fn values(&mut self, format: Format, depth: u64) -> Vec<Value> {
        (0..self.below(6))
            .map(|_| self.at_depth(format, depth + 1))
            .collect()
    }

    fn object(&mut self, format: Format, depth: u64) -> Object {
        let members = self.below(6);
        (0..members)
            .map(|_| (format!("k{}", self.below(40)), self.at_depth(format, depth + 1)))
            .collect()
    }

    fn scalar(&mut self, format: Format) -> Value {
        let is_amf3 = format == Format::Amf3;
        match self.below(if is_amf3 { 12 } else { 9 }) {
            0 => [Value::Null, Value::Undefined, true.into(), false.into()][self.below(4) as usize].clone(),
            1 => Value::Number(self.below(1000) as f64 + 0.25),
            2 => Value::Number(f64::from_bits(self.next() & !(1 << 62))),
            3 if is_amf3 => Value::Number(f64::INFINITY),
            3 => Value::Number(self.below(1 << 50) as f64 - 1e14),
            4 => Date {
                millis: (self.below(4_000_000) as f64 - 2e6) * 1000.0,
                time_zone: 0,
            }
            .into(),
            9 | 10 => Value::Integer(self.below(1 << 29) as i32 - (1 << 28)),
            11 => {
                let bytes: Vec<u8> = (0..self.below(50)).map(|_| self.next() as u8).collect();
                // What begins like zlib's output is decompressed by some.
                Bytes::from(if bytes.first() == Some(&0x78) {
                    Vec::new()
                } else {
                    bytes
                })
                .into()
            }
            _ => self.text().into(),
        }
    }

    fn text(&mut self) -> String {
        let alphabet =
            ["abc", "abcdefghijklmnopqrstuvwxyz 0123456789", "äß€😀\0\n\"\\"][self.below(3) as usize];
        let letters: Vec<char> = alphabet.chars().collect();
        let length = [0, 1, 4, 30, 130, 300][self.below(6) as usize];
        // Rarely one that AMF0 has a marker of its own for.
        let length = if self.below(400) == 0 { 70_000 } else { length };
        (0..length)
            .map(|_| letters[self.below(letters.len() as u64) as usize])
            .collect()
    }
}
