//! AMF0 and AMF3 values to Py3AMF and back, and its encodings here.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use rtmp_core::amf::{Object, Value};
use rtmp_tests::amf_corpus::{Format, Generator, read_records, write_records};
use rtmp_tests::programs::{target_dir, workspace};

/// Values of each format, in each direction.
const COUNT: usize = 5_000;

/// Runs Py3AMF's side and returns what it printed.
fn py3amf(args: &[&str]) -> String {
    let python = workspace().join("target/venv/bin/python");
    let script = workspace().join("tests/python/py3amf.py");
    let output = Command::new(python).arg(script).args(args).output();
    let output = output.expect("the virtual environment of tests/setup.sh");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "py3amf.py {args:?}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn file(name: &str) -> (PathBuf, String) {
    let folder = target_dir().join("py3amf");
    fs::create_dir_all(&folder).expect("a folder for the corpus");
    let path = folder.join(name);
    let text = path.to_str().expect("a path of text").to_owned();
    (path, text)
}

/// The same value with members in the order of their names, which Python's side does not keep everywhere.
fn sorted(value: &Value) -> Value {
    let members = |object: &Object| {
        let mut members: Vec<_> = object
            .iter()
            .map(|(key, value)| (key.to_owned(), sorted(value)))
            .collect();
        members.sort_by(|a, b| a.0.cmp(&b.0));
        let sorted: Object = members.into_iter().collect();
        match object.class_name() {
            Some(class) => sorted.with_class(class),
            None => sorted,
        }
    };
    match value {
        Value::Object(object) => members(object).into(),
        Value::EcmaArray(object) => Value::EcmaArray(members(object)),
        Value::Array(array) => array.iter().map(sorted).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

#[test]
fn our_values_come_back_from_py3amf_unchanged() {
    let mut generator = Generator::new(1);
    let values: Vec<(Format, Value)> = Format::ALL
        .into_iter()
        .flat_map(|format| [format; COUNT])
        .map(|format| (format, generator.value(format)))
        .collect();
    let encoded: Vec<_> = values
        .iter()
        .map(|(format, value)| (*format, format.encode(value)))
        .collect();
    let ((ours, ours_name), (echoed, echoed_name)) = (file("ours"), file("echoed"));
    fs::write(&ours, write_records(&encoded)).expect("a file can be written");
    py3amf(&["echo", &ours_name, &echoed_name]);
    let back = read_records(&fs::read(&echoed).expect("what Py3AMF wrote"));
    assert_eq!(back.len(), 2 * COUNT);
    for ((format, value), (_, data)) in values.iter().zip(&back) {
        assert_eq!(
            sorted(&format.decode(data)),
            sorted(value),
            "{format:?} {data:02X?}"
        );
    }
}

#[test]
fn values_of_py3amf_are_read_and_go_back_unchanged() {
    let ((made, made_name), (back, back_name)) = (file("made"), file("back"));
    py3amf(&["make", &made_name, &(2 * COUNT).to_string()]);
    let records = read_records(&fs::read(&made).expect("what Py3AMF wrote"));
    assert_eq!(records.len(), 2 * COUNT);
    let again: Vec<_> = records
        .iter()
        .map(|(format, data)| (*format, format.encode(&format.decode(data))))
        .collect();
    fs::write(&back, write_records(&again)).expect("a file can be written");
    assert_eq!(
        py3amf(&["compare", &made_name, &back_name]).trim(),
        format!("{} values compared", 2 * COUNT)
    );
}
