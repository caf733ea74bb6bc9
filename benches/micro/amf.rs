//! AMF0 beside rml_amf0 and flash-lso, AMF3 beside flash-lso: a connect command, onMetaData, a large typed object.
//!
//! flash-lso's encoder is reached through its file format only, which adds a header of some 40 bytes.

use std::hint::black_box;
use std::io::Cursor;
use std::time::Duration;

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use flash_lso::amf0::read::AMF0Decoder;
use flash_lso::amf3::read::AMF3Decoder;
use flash_lso::types::{AMFVersion, Element, Lso};
use rtmp_core::amf::{Limits, Object, Value, amf0, amf3};

type Group<'a> = BenchmarkGroup<'a, WallTime>;

fn connect() -> Vec<Value> {
    let object = Object::new()
        .with("app", "live")
        .with("flashVer", "FMLE/3.0 (compatible; FMSc/1.0)")
        .with("swfUrl", "http://www.example.com/player/player.swf")
        .with("tcUrl", "rtmp://live.example.com/live")
        .with("fpad", false)
        .with("capabilities", 239)
        .with("audioCodecs", 3575)
        .with("videoCodecs", 252)
        .with("videoFunction", 1)
        .with("pageUrl", "http://www.example.com/player/index.html")
        .with("objectEncoding", 0);
    vec!["connect".into(), 1.into(), object.into()]
}

fn metadata() -> Vec<Value> {
    let numbers = [
        ("duration", 0.0),
        ("width", 1920.0),
        ("height", 1080.0),
        ("videodatarate", 4500.0),
        ("framerate", 29.97),
        ("videocodecid", 7.0),
        ("audiodatarate", 160.0),
        ("audiosamplerate", 48_000.0),
        ("audiosamplesize", 16.0),
        ("audiochannels", 2.0),
        ("audiocodecid", 10.0),
        ("filesize", 0.0),
    ];
    let object = numbers
        .into_iter()
        .fold(Object::new(), |object, (name, number)| object.with(name, number));
    let object = object
        .with("stereo", true)
        .with("encoder", "obs-output module (libobs version 30.0.2)");
    vec!["onMetaData".into(), Value::EcmaArray(object)]
}

/// 500 records of six members.
fn records(is_typed: bool) -> Vec<Value> {
    let record = |index: i32| {
        let object = Object::new()
            .with("id", index)
            .with("name", format!("member number {index}"))
            .with("score", f64::from(index) * 1.5)
            .with("active", index % 2 == 0)
            .with("team", "the same for all")
            .with("tags", vec![Value::from("one"), "two".into(), index.into()]);
        Value::from(if is_typed {
            object.with_class("org.example.Member")
        } else {
            object
        })
    };
    let list: Vec<Value> = (0..500).map(record).collect();
    vec![Object::new().with("list", list).into()]
}

fn amf0_values(group: &mut Group<'_>, name: &str, values: &[Value]) {
    let mut bytes = Vec::new();
    amf0::encode_all(values, &mut bytes);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    let limits = Limits::default();
    group.bench_function(format!("{name}/decode/rtmpkit"), |bencher| {
        bencher.iter(|| amf0::decode_all(black_box(&bytes), &limits));
    });
    // It knows neither typed objects nor, when writing, ECMA arrays.
    if let Ok(theirs) = rml_amf0::deserialize(&mut Cursor::new(&bytes)) {
        group.bench_function(format!("{name}/decode/rml_amf0"), |bencher| {
            bencher.iter(|| rml_amf0::deserialize(&mut Cursor::new(black_box(&bytes))));
        });
        group.bench_function(format!("{name}/encode/rml_amf0"), |bencher| {
            bencher.iter(|| rml_amf0::serialize(black_box(&theirs)));
        });
    }
    let decode = |bytes: &[u8]| {
        let mut decoder = AMF0Decoder::default();
        let mut values = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (left, value) = decoder.parse_single_element(rest).expect("AMF0 of ours");
            values.push(value);
            rest = left;
        }
        values
    };
    group.bench_function(format!("{name}/decode/flash-lso"), |bencher| {
        bencher.iter(|| decode(black_box(&bytes)));
    });
    let mut out = Vec::new();
    group.bench_function(format!("{name}/encode/rtmpkit"), |bencher| {
        bencher.iter(|| {
            out.clear();
            amf0::encode_all(black_box(values), &mut out);
        });
    });
    let mut lso = lso(decode(&bytes), AMFVersion::AMF0);
    group.bench_function(format!("{name}/encode/flash-lso"), |bencher| {
        bencher.iter(|| flash_lso::write::write_to_bytes(black_box(&mut lso)).expect("values it read"));
    });
}

fn amf3_values(group: &mut Group<'_>, name: &str, values: &[Value]) {
    let Some(value) = values.last() else { return };
    let mut bytes = Vec::new();
    amf3::encode(value, &mut bytes);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    let limits = Limits::default();
    group.bench_function(format!("{name}/decode/rtmpkit"), |bencher| {
        bencher.iter(|| amf3::decode(black_box(&bytes), &limits));
    });
    let decode = |bytes: &[u8]| {
        let (_, value) = AMF3Decoder::default()
            .parse_single_element(bytes)
            .expect("AMF3 of ours");
        value
    };
    group.bench_function(format!("{name}/decode/flash-lso"), |bencher| {
        bencher.iter(|| decode(black_box(&bytes)));
    });
    let mut out = Vec::new();
    group.bench_function(format!("{name}/encode/rtmpkit"), |bencher| {
        bencher.iter(|| {
            out.clear();
            amf3::encode(black_box(value), &mut out);
        });
    });
    let mut lso = lso(vec![decode(&bytes)], AMFVersion::AMF3);
    group.bench_function(format!("{name}/encode/flash-lso"), |bencher| {
        bencher.iter(|| flash_lso::write::write_to_bytes(black_box(&mut lso)).expect("values it read"));
    });
}

fn lso(values: Vec<flash_lso::types::Value>, version: AMFVersion) -> Lso {
    let elements: Vec<Element> = values
        .into_iter()
        .map(|value| Element::new("value", value))
        .collect();
    Lso::new(elements, "bench", version)
}

fn amf(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("amf0");
    amf0_values(&mut group, "connect", &connect());
    amf0_values(&mut group, "onMetaData", &metadata());
    amf0_values(&mut group, "objects", &records(false));
    amf0_values(&mut group, "typed objects", &records(true));
    group.finish();
    let mut group = criterion.benchmark_group("amf3");
    amf3_values(&mut group, "connect", &connect());
    amf3_values(&mut group, "onMetaData", &metadata());
    amf3_values(&mut group, "typed objects", &records(true));
    group.finish();
}

fn brief() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args()
}

criterion_group! { name = benches; config = brief(); targets = amf }
criterion_main!(benches);
