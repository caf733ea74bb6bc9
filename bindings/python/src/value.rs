//! AMF values and the Python objects they stand for.

use bytes::Bytes;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDateTime, PyDelta, PyDict, PyFloat, PyInt, PyList, PyMemoryView,
    PyString, PyTuple, PyType, PyTzInfo,
};
use rtmp_core::amf::{self, Date, Dictionary, Limits, Object, Str};
use rtmp_core::{Error, Value};

use crate::buffer::bytes_from_py;
use crate::errors::{OrRaise, amf_error};

/// Whole numbers up to here are exact as doubles, which is what AMF carries.
const MAX_SAFE: f64 = 9_007_199_254_740_992.0;

/// The Python object for a value.
pub(crate) fn to_py<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Reader {
        py,
        enclosing: Vec::new(),
    }
    .value(value)
}

/// A list of the Python objects for values.
pub(crate) fn list_to_py<'py>(py: Python<'py>, values: &[Value]) -> PyResult<Bound<'py, PyList>> {
    let items = values
        .iter()
        .map(|value| to_py(py, value))
        .collect::<PyResult<Vec<_>>>()?;
    PyList::new(py, items)
}

/// A dict of an object's members.
pub(crate) fn object_to_py<'py>(py: Python<'py>, object: &Object) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    Reader {
        py,
        enclosing: Vec::new(),
    }
    .members(object, &dict)?;
    Ok(dict)
}

/// The value for a Python object; `AmfError` for objects that AMF has no form for.
pub(crate) fn from_py(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    Writer {
        enclosing: Vec::new(),
        limit: Limits::default().depth,
    }
    .value(object)
}

/// The values for positional arguments.
pub(crate) fn args_from_py(args: &Bound<'_, PyTuple>) -> PyResult<Vec<Value>> {
    args.iter().map(|object| from_py(&object)).collect()
}

/// An object with a dict's items as members.
pub(crate) fn object_from_py(dict: &Bound<'_, PyDict>) -> PyResult<Object> {
    Writer {
        enclosing: Vec::new(),
        limit: Limits::default().depth,
    }
    .object(dict)
}

/// Values as AMF0, one after the other.
#[pyfunction]
#[pyo3(signature = (*values))]
pub(crate) fn amf0_encode<'py>(
    py: Python<'py>,
    values: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut out = Vec::new();
    amf::amf0::encode_all(&args_from_py(values)?, &mut out);
    Ok(PyBytes::new(py, &out))
}

/// Every value in AMF0 data.
#[pyfunction]
pub(crate) fn amf0_decode<'py>(py: Python<'py>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    decode_script(py, &bytes_from_py(data)?)
}

/// The values of a data message's body; those in the AMF3 form start with a zero byte.
pub(crate) fn decode_script<'py>(py: Python<'py>, body: &[u8]) -> PyResult<Bound<'py, PyList>> {
    let body = body.strip_prefix(&[0]).unwrap_or(body);
    let values = amf::amf0::decode_all(body, &Limits::default())
        .map_err(Error::from)
        .or_raise()?;
    list_to_py(py, &values)
}

struct Reader<'py> {
    py: Python<'py>,
    enclosing: Vec<Bound<'py, PyAny>>,
}

impl<'py> Reader<'py> {
    fn value(&mut self, value: &Value) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        Ok(match value {
            Value::Boolean(value) => PyBool::new(py, *value).to_owned().into_any(),
            Value::Number(number) => number_to_py(py, *number),
            Value::Integer(number) => number.into_pyobject(py)?.into_any(),
            Value::String(text) | Value::XmlDocument(text) | Value::Xml(text) => {
                PyString::new(py, text).into_any()
            }
            Value::Object(object) => self.object(object)?,
            Value::EcmaArray(object) => {
                let dict = class(py, &ECMA_ARRAY, "EcmaArray")?
                    .call0()?
                    .cast_into::<PyDict>()?;
                self.members(object, &dict)?;
                dict.into_any()
            }
            Value::Array(array) => self.list(array.as_slice())?,
            Value::VectorObject(vector) => self.list(vector.as_slice())?,
            Value::Date(date) => date_to_py(py, *date)?,
            Value::ByteArray(bytes) => PyBytes::new(py, bytes).into_any(),
            Value::VectorInt(vector) => PyList::new(py, vector.items.iter())?.into_any(),
            Value::VectorUint(vector) => PyList::new(py, vector.items.iter())?.into_any(),
            Value::VectorDouble(vector) => PyList::new(py, vector.items.iter())?.into_any(),
            Value::Dictionary(dictionary) => self.dictionary(dictionary)?,
            Value::Cycle(levels) => {
                let at = self.enclosing.len().checked_sub(usize::from(*levels) + 1);
                at.and_then(|at| self.enclosing.get(at))
                    .cloned()
                    .unwrap_or_else(|| py.None().into_bound(py))
            }
            _ => py.None().into_bound(py),
        })
    }

    fn object(&mut self, object: &Object) -> PyResult<Bound<'py, PyAny>> {
        let dict = match object.class_name() {
            None => PyDict::new(self.py),
            Some(name) => {
                let instance = function(self.py, &NEW_INSTANCE, "_new_instance")?.call1((name,))?;
                if !instance.is_none() {
                    return self.instance(instance, object);
                }
                let typed = class(self.py, &TYPED_OBJECT, "TypedObject")?.call1((name,))?;
                typed.cast_into::<PyDict>()?
            }
        };
        self.members(object, &dict)?;
        Ok(dict.into_any())
    }

    fn members(&mut self, object: &Object, dict: &Bound<'py, PyDict>) -> PyResult<()> {
        self.enclosing.push(dict.clone().into_any());
        for (key, value) in object.iter() {
            dict.set_item(key, self.value(value)?)?;
        }
        self.enclosing.pop();
        Ok(())
    }

    /// An instance of a class that the program registered.
    fn instance(&mut self, instance: Bound<'py, PyAny>, object: &Object) -> PyResult<Bound<'py, PyAny>> {
        let state = PyDict::new(self.py);
        self.enclosing.push(instance.clone());
        for (key, value) in object.iter() {
            state.set_item(key, self.value(value)?)?;
        }
        self.enclosing.pop();
        function(self.py, &SET_STATE, "_set_state")?.call1((&instance, state))?;
        Ok(instance)
    }

    fn list(&mut self, values: &[Value]) -> PyResult<Bound<'py, PyAny>> {
        let list = PyList::empty(self.py);
        self.enclosing.push(list.clone().into_any());
        for value in values {
            list.append(self.value(value)?)?;
        }
        self.enclosing.pop();
        Ok(list.into_any())
    }

    /// A dict, or a list of pairs when a key is none that Python can look up.
    fn dictionary(&mut self, dictionary: &Dictionary) -> PyResult<Bound<'py, PyAny>> {
        if dictionary.entries().iter().any(|(key, _)| key.is_container()) {
            let list = PyList::empty(self.py);
            self.enclosing.push(list.clone().into_any());
            for (key, value) in dictionary.entries() {
                list.append((self.value(key)?, self.value(value)?))?;
            }
            self.enclosing.pop();
            return Ok(list.into_any());
        }
        let dict = PyDict::new(self.py);
        self.enclosing.push(dict.clone().into_any());
        for (key, value) in dictionary.entries() {
            let key = self.value(key)?;
            dict.set_item(key, self.value(value)?)?;
        }
        self.enclosing.pop();
        Ok(dict.into_any())
    }
}

/// An int where the number is a whole one, else a float.
fn number_to_py(py: Python<'_>, number: f64) -> Bound<'_, PyAny> {
    let whole =
        number.fract() == 0.0 && number.abs() <= MAX_SAFE && (number != 0.0 || number.is_sign_positive());
    if whole {
        #[allow(clippy::cast_possible_truncation)] // It is a whole number within the range.
        let whole = number as i64;
        return PyInt::new(py, whole).into_any();
    }
    PyFloat::new(py, number).into_any()
}

/// A datetime in UTC; the milliseconds, if datetime cannot hold them.
fn date_to_py(py: Python<'_>, date: Date) -> PyResult<Bound<'_, PyAny>> {
    let number = || PyFloat::new(py, date.millis).into_any();
    let days = (date.millis / 86_400_000.0).floor();
    if !days.is_finite() || days.abs() > 1e9 {
        return Ok(number());
    }
    let rest = ((date.millis - days * 86_400_000.0) * 1000.0).round();
    #[allow(clippy::cast_possible_truncation)] // All three are within the range just checked.
    let delta = PyDelta::new(py, days as i32, (rest / 1e6) as i32, (rest % 1e6) as i32, true)?;
    let utc = PyTzInfo::utc(py)?.to_owned();
    let epoch = PyDateTime::new(py, 1970, 1, 1, 0, 0, 0, 0, Some(&utc))?;
    let sum = epoch.call_method1("__add__", (delta,));
    Ok(sum.unwrap_or_else(|_| number()))
}

struct Writer<'py> {
    enclosing: Vec<Bound<'py, PyAny>>,
    limit: usize,
}

impl<'py> Writer<'py> {
    fn value(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Value> {
        if object.is_none() {
            return Ok(Value::Null);
        }
        if let Ok(value) = object.cast::<PyBool>() {
            return Ok(value.is_true().into());
        }
        if let Ok(text) = object.cast::<PyString>() {
            return Ok(Value::String(Str::from(text.to_cow()?.as_ref())));
        }
        if object.is_instance_of::<PyFloat>() {
            return Ok(Value::Number(object.extract()?));
        }
        if object.is_instance_of::<PyInt>() {
            return int_from_py(object);
        }
        if let Some(levels) = self.enclosing.iter().rev().position(|outer| outer.is(object)) {
            let levels = u16::try_from(levels).map_err(|_| amf_error("value nested too deeply"))?;
            return Ok(Value::Cycle(levels));
        }
        if let Ok(dict) = object.cast::<PyDict>() {
            return self.dict(dict);
        }
        if let Ok(list) = object.cast::<PyList>() {
            return self.sequence(object, list.iter());
        }
        if let Ok(tuple) = object.cast::<PyTuple>() {
            return self.sequence(object, tuple.iter());
        }
        if is_buffer(object) {
            let bytes: Bytes = bytes_from_py(object)?;
            return Ok(Value::ByteArray(bytes));
        }
        if let Ok(date) = object.cast::<PyDateTime>() {
            let seconds: f64 = date.call_method0("timestamp")?.extract()?;
            return Ok(Date {
                millis: (seconds * 1000.0).round(),
                time_zone: 0,
            }
            .into());
        }
        if let Some(instance) = self.instance(object)? {
            return Ok(instance);
        }
        let kind = object.get_type().name()?;
        Err(amf_error(format!(
            "AMF has no form for a {kind}: use None, bool, int, float, str, bytes, datetime, list, dict or a registered class"
        )))
    }

    /// An object of a class that the program registered.
    fn instance(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Option<Value>> {
        let state = function(object.py(), &STATE_OF, "_state_of")?.call1((object,))?;
        let Ok((alias, state)) = state.extract::<(String, Bound<'py, PyDict>)>() else {
            return Ok(None);
        };
        self.enter(object)?;
        let members = self.members(&state)?;
        self.enclosing.pop();
        Ok(Some(members.with_class(alias).into()))
    }

    fn dict(&mut self, dict: &Bound<'py, PyDict>) -> PyResult<Value> {
        let py = dict.py();
        let object = self.object(dict)?;
        if dict.is_instance(class(py, &ECMA_ARRAY, "EcmaArray")?.as_any())? {
            return Ok(Value::EcmaArray(object));
        }
        if dict.is_instance(class(py, &TYPED_OBJECT, "TypedObject")?.as_any())? {
            let name: String = dict.getattr("class_name")?.extract()?;
            return Ok(object.with_class(name).into());
        }
        Ok(object.into())
    }

    fn object(&mut self, dict: &Bound<'py, PyDict>) -> PyResult<Object> {
        self.enter(dict.as_any())?;
        let object = self.members(dict)?;
        self.enclosing.pop();
        Ok(object)
    }

    fn members(&mut self, dict: &Bound<'py, PyDict>) -> PyResult<Object> {
        let mut object = Object::new();
        for (key, value) in dict.iter() {
            let key = key.cast::<PyString>().map_err(|_| {
                PyTypeError::new_err(format!("AMF objects have str keys, not {}", key.get_type()))
            })?;
            let value = self.value(&value)?;
            object.insert(key.to_cow()?.as_ref(), value);
        }
        Ok(object)
    }

    fn sequence(
        &mut self,
        owner: &Bound<'py, PyAny>,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
    ) -> PyResult<Value> {
        self.enter(owner)?;
        let values = items
            .map(|item| self.value(&item))
            .collect::<PyResult<Vec<_>>>()?;
        self.enclosing.pop();
        Ok(values.into())
    }

    fn enter(&mut self, container: &Bound<'py, PyAny>) -> PyResult<()> {
        if self.enclosing.len() >= self.limit {
            return Err(amf_error(format!(
                "value nested deeper than {} levels",
                self.limit
            )));
        }
        self.enclosing.push(container.clone());
        Ok(())
    }
}

fn int_from_py(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    #[allow(clippy::cast_precision_loss)] // Checked: as a double it is exact.
    match object.extract::<i64>() {
        Ok(number) if number.unsigned_abs() <= MAX_SAFE as u64 => Ok(Value::Number(number as f64)),
        _ => Err(amf_error(format!(
            "AMF numbers hold whole numbers up to 2**53, not {object}"
        ))),
    }
}

fn is_buffer(object: &Bound<'_, PyAny>) -> bool {
    object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyByteArray>()
        || object.is_instance_of::<PyMemoryView>()
        || object.is_instance_of::<crate::buffer::Payload>()
}

static ECMA_ARRAY: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static TYPED_OBJECT: PyOnceLock<Py<PyType>> = PyOnceLock::new();

fn class<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyType>>,
    name: &str,
) -> PyResult<Bound<'py, PyType>> {
    cell.import(py, "rtmpkit.amf", name).cloned()
}

static NEW_INSTANCE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static SET_STATE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static STATE_OF: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn function<'py>(
    py: Python<'py>,
    cell: &'static PyOnceLock<Py<PyAny>>,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let found = cell.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("rtmpkit.amf")?.getattr(name)?.unbind())
    })?;
    Ok(found.bind(py).clone())
}
