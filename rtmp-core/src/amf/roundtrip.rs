//! Properties of both formats together: what is written reads back, and no input does harm.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;

use super::{Date, Dictionary, Limits, Object, ObjectVector, Str, Value, Vector, amf0, amf3};

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(-0.0),
        (-100..100).prop_map(f64::from)
    ]
}

fn text() -> impl Strategy<Value = Str> {
    prop_oneof![
        "[a-c]{0,3}".prop_map(Str::from),
        ".{0,12}".prop_map(Str::from),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(|bytes| Str::from_bytes(&bytes)),
    ]
}

/// A member name that AMF3 keeps: not empty and not an array index.
fn key() -> impl Strategy<Value = Str> {
    "[a-e]{1,2}".prop_map(Str::from)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Undefined),
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::from),
        text().prop_map(Value::from),
        number().prop_map(|millis| Date { millis, time_zone: 0 }.into()),
        text().prop_map(Value::XmlDocument),
    ]
}

fn scalar3() -> impl Strategy<Value = Value> {
    let bytes = prop::collection::vec(any::<u8>(), 0..9);
    let ints = prop::collection::vec(any::<i32>(), 0..4);
    let doubles = prop::collection::vec(number(), 0..4);
    prop_oneof![
        4 => scalar(),
        1 => (-(1 << 28)..1 << 28).prop_map(Value::Integer),
        1 => text().prop_map(Value::Xml),
        1 => bytes.prop_map(|bytes| Bytes::from(bytes).into()),
        1 => ints.prop_map(|ints| Value::VectorInt(Vector { fixed: true, items: Arc::from(ints) })),
        1 => doubles.prop_map(|items| Value::VectorDouble(Vector { fixed: false, items: Arc::from(items) })),
    ]
}

fn members(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Object> {
    prop::collection::vec((key(), value), 0..5).prop_map(|members| members.into_iter().collect())
}

fn amf0_value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            members(inner.clone()).prop_map(Value::from),
            (members(inner.clone()), key()).prop_map(|(object, class)| object.with_class(class).into()),
            members(inner.clone()).prop_map(Value::EcmaArray),
            prop::collection::vec(inner, 0..5).prop_map(Value::from),
        ]
    })
}

fn amf3_value() -> impl Strategy<Value = Value> {
    scalar3().prop_recursive(5, 40, 5, |inner| {
        let values = prop::collection::vec(inner.clone(), 0..5);
        let entries = prop::collection::vec((inner.clone(), inner.clone()), 0..4);
        prop_oneof![
            members(inner.clone()).prop_map(Value::from),
            (members(inner.clone()), key()).prop_map(|(object, class)| object.with_class(class).into()),
            (members(inner.clone()), key(), 0..4usize).prop_map(|(object, class, sealed)| {
                object.with_class(class).with_layout(sealed, true).into()
            }),
            (members(inner.clone()), inner.clone())
                .prop_map(|(object, value)| Value::EcmaArray(object.with("z", value))),
            values.clone().prop_map(Value::from),
            // the same instance twice
            inner.prop_map(|value| vec![value.clone(), value].into()),
            (values, text()).prop_map(|(values, name)| ObjectVector::new(name, false, values).into()),
            entries.prop_map(|entries| Dictionary::new(true, entries).into()),
        ]
    })
}

/// Bytes that look enough like AMF to get past the first marker.
fn amf_like_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        3 => 0..0x12u8,
        1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..200)
}

proptest! {
    #[test]
    fn amf0_reads_back_what_it_wrote(values in prop::collection::vec(amf0_value(), 0..4)) {
        let mut out = Vec::new();
        amf0::encode_all(&values, &mut out);
        prop_assert_eq!(amf0::decode_all(&out, &Limits::default()), Ok(values));
    }

    #[test]
    fn amf3_reads_back_what_it_wrote(values in prop::collection::vec(amf3_value(), 0..4)) {
        let mut out = Vec::new();
        let mut encoder = amf3::Encoder::new();
        for value in &values {
            encoder.encode(value, &mut out);
        }
        prop_assert_eq!(amf3::decode_all(&out, &Limits::default()), Ok(values.clone()));

        // What was read keeps the layout of its objects and is written to the same bytes.
        let again = amf3::decode_all(&out, &Limits::default()).unwrap_or_default();
        let mut encoder = amf3::Encoder::new();
        let mut second = Vec::new();
        for value in &again {
            encoder.encode(value, &mut second);
        }
        prop_assert_eq!(amf3::decode_all(&second, &Limits::default()), Ok(values));
    }

    #[test]
    fn avmplus_reads_back_with_shared_and_with_separate_tables(
        values in prop::collection::vec(amf3_value(), 0..4), isolate: bool,
    ) {
        let mut out = Vec::new();
        amf0::encode_avmplus_all(&values, &mut out);
        let mut decoder = amf0::Decoder::new(&out, Limits::default()).isolate_avmplus(isolate);
        for value in &values {
            let expected = value.as_f64().map_or_else(|| value.clone(), Value::from);
            prop_assert_eq!(decoder.decode(), Ok(expected));
        }
        prop_assert!(decoder.is_empty());
    }

    #[test]
    fn a_message_cut_short_is_an_error(value in amf3_value()) {
        let mut whole = Vec::new();
        amf3::encode(&value, &mut whole);
        for length in 0..whole.len() {
            prop_assert!(amf3::decode(&whole[..length], &Limits::default()).is_err());
        }
        let mut whole = Vec::new();
        amf0::encode(&value, &mut whole);
        for length in 0..whole.len() {
            prop_assert!(amf0::Decoder::new(&whole[..length], Limits::default()).decode().is_err());
        }
    }

    #[test]
    fn graphs_read_back_the_same_without_shared_references(data in amf0_graph()) {
        let Ok(value) = amf0::Decoder::new(&data, Limits::default()).decode() else { return Ok(()) };
        let mut out = Vec::new();
        amf0::encode(&value, &mut out);
        prop_assert_eq!(amf0::decode_all(&out, &Limits::default()), Ok(vec![value.clone()]));
        let mut out = Vec::new();
        amf3::encode(&value, &mut out);
        prop_assert_eq!(amf3::decode_all(&out, &Limits::default()), Ok(vec![value]));
    }

    #[test]
    fn any_bytes_decode_or_fail_and_what_decodes_can_be_written(data in amf_like_bytes(), open: bool) {
        let limits = Limits::default();
        let mut decoder = amf0::Decoder::new(&data, limits).allow_open_end(open);
        while !decoder.is_empty() {
            let Ok(value) = decoder.decode() else { break };
            rewrite(&value);
        }
        let mut decoder = amf3::Decoder::new(&data, limits);
        while !decoder.is_empty() {
            let Ok(value) = decoder.decode() else { break };
            rewrite(&value);
            let mut out = Vec::new();
            amf3::encode(&value, &mut out);
            prop_assert!(amf3::decode(&out, &limits).is_ok());
        }
    }
}

/// Messages of AMF0 containers and references, most of which decode.
fn amf0_graph() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        1 => Just(vec![5]),
        3 => (0..12u8).prop_map(|index| vec![7, 0, index]),
    ];
    leaf.prop_recursive(5, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| {
                let count = u8::try_from(items.len()).unwrap_or(0);
                [vec![0x0A, 0, 0, 0, count], items.concat()].concat()
            }),
            (inner.clone(), inner)
                .prop_map(|(a, b)| { [&[3, 0, 1, b'a'][..], &a, &[0, 1, b'b'], &b, &[0, 0, 9]].concat() }),
        ]
    })
}

fn rewrite(value: &Value) {
    let mut out = Vec::new();
    amf0::encode(value, &mut out);
    amf0::encode_avmplus(value, &mut out);
    amf3::encode(value, &mut out);
    assert!(!format!("{value:?}").is_empty());
}

#[test]
fn the_deepest_nesting_fits_the_stack_of_a_small_thread() {
    let limits = Limits {
        depth: usize::MAX,
        ..Limits::default()
    };
    let check = move || {
        let mut value = Value::Null;
        for _ in 0..1000 {
            value = Object::new().with("o", value).with_class("P").into();
        }
        let mut out = Vec::new();
        amf3::encode(&value, &mut out);
        assert!(amf3::decode(&out, &limits).is_ok());
        out.clear();
        amf0::encode(&value, &mut out);
        assert!(amf0::decode_all(&out, &limits).is_ok());
    };
    let thread = std::thread::Builder::new().stack_size(1 << 20).spawn(check);
    assert!(thread.is_ok_and(|thread| thread.join().is_ok()));
}
