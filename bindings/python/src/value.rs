//! AMF values and the Python objects they stand for.

use bytes::Bytes;
use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDateTime, PyDelta, PyDict, PyFloat, PyInt, PyList, PyMemoryView,
    PyString, PyTuple, PyType, PyTzInfo,
};
use rtmp_core::Value;
use rtmp_core::amf::{Date, Dictionary, Limits, Object, ObjectVector, Str, Vector};

use crate::buffer::bytes_from_py;
use crate::errors::amf_error;

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
            Value::String(text) => PyString::new(py, text).into_any(),
            Value::Xml(text) => classes(py)?.xml.bind(py).call1((text.as_str(),))?,
            Value::XmlDocument(text) => classes(py)?.xml_document.bind(py).call1((text.as_str(),))?,
            Value::Object(object) => self.object(object)?,
            Value::EcmaArray(object) => {
                let dict = classes(py)?.ecma_array.bind(py).call0()?;
                let dict = dict.cast_into::<PyDict>()?;
                self.members(object, &dict)?;
                dict.into_any()
            }
            Value::Array(array) => self.list(PyList::empty(py), array.as_slice())?,
            Value::VectorObject(vector) => {
                let empty = (PyTuple::empty(py), vector.type_name().as_str());
                let list = made(
                    classes(py)?.vector_object.bind(py),
                    empty,
                    "fixed",
                    vector.is_fixed(),
                )?;
                self.list(list.cast_into::<PyList>()?, vector.as_slice())?
            }
            Value::Date(date) => date_to_py(py, *date)?,
            Value::ByteArray(bytes) => PyBytes::new(py, bytes).into_any(),
            Value::VectorInt(vector) => {
                let items = PyList::new(py, vector.items.iter())?;
                made(classes(py)?.vector_int.bind(py), (items,), "fixed", vector.fixed)?
            }
            Value::VectorUint(vector) => {
                let items = PyList::new(py, vector.items.iter())?;
                made(classes(py)?.vector_uint.bind(py), (items,), "fixed", vector.fixed)?
            }
            Value::VectorDouble(vector) => {
                let items = PyList::new(py, vector.items.iter())?;
                made(
                    classes(py)?.vector_double.bind(py),
                    (items,),
                    "fixed",
                    vector.fixed,
                )?
            }
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
                let typed = classes(self.py)?.typed_object.bind(self.py);
                typed.call1((name,))?.cast_into::<PyDict>()?
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

    fn list(&mut self, list: Bound<'py, PyList>, values: &[Value]) -> PyResult<Bound<'py, PyAny>> {
        self.enclosing.push(list.clone().into_any());
        for value in values {
            list.append(self.value(value)?)?;
        }
        self.enclosing.pop();
        Ok(list.into_any())
    }

    fn dictionary(&mut self, dictionary: &Dictionary) -> PyResult<Bound<'py, PyAny>> {
        let class = classes(self.py)?.dictionary.bind(self.py);
        let made = made(class, (), "weak_keys", dictionary.has_weak_keys())?;
        let entries = made.getattr("entries")?.cast_into::<PyList>()?;
        self.enclosing.push(made.clone());
        for (key, value) in dictionary.entries() {
            entries.append((self.value(key)?, self.value(value)?))?;
        }
        self.enclosing.pop();
        Ok(made)
    }
}

/// An instance of a class of `rtmpkit.amf` that has a flag.
fn made<'py>(
    class: &Bound<'py, PyType>,
    args: impl PyCallArgs<'py>,
    flag: &str,
    set: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let flags = PyDict::new(class.py());
    flags.set_item(flag, set)?;
    class.call(args, Some(&flags))
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
            return text_from_py(text);
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
            return self.list(list);
        }
        if let Ok(tuple) = object.cast::<PyTuple>() {
            return Ok(self.sequence(object, tuple.iter())?.into());
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
        if object.is_instance(classes(object.py())?.dictionary.bind(object.py()))? {
            return self.dictionary(object);
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
        let (py, classes) = (dict.py(), classes(dict.py())?);
        let object = self.object(dict)?;
        if dict.is_exact_instance_of::<PyDict>() {
            return Ok(object.into());
        }
        if dict.is_instance(classes.ecma_array.bind(py))? {
            return Ok(Value::EcmaArray(object));
        }
        if dict.is_instance(classes.typed_object.bind(py))? {
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

    fn list(&mut self, list: &Bound<'py, PyList>) -> PyResult<Value> {
        let (py, classes) = (list.py(), classes(list.py())?);
        let fixed = || list.getattr("fixed")?.is_truthy();
        if list.is_exact_instance_of::<PyList>() {
            return Ok(self.sequence(list, list.iter())?.into());
        }
        if list.is_instance(classes.vector_int.bind(py))? {
            return Ok(numbers::<i32>(list, fixed()?)?.into());
        }
        if list.is_instance(classes.vector_uint.bind(py))? {
            return Ok(numbers::<u32>(list, fixed()?)?.into());
        }
        if list.is_instance(classes.vector_double.bind(py))? {
            return Ok(numbers::<f64>(list, fixed()?)?.into());
        }
        let items = self.sequence(list, list.iter())?;
        if list.is_instance(classes.vector_object.bind(py))? {
            let class: String = list.getattr("class_name")?.extract()?;
            return Ok(ObjectVector::new(class, fixed()?, items).into());
        }
        Ok(items.into())
    }

    fn dictionary(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Value> {
        let weak_keys = object.getattr("weak_keys")?.is_truthy()?;
        self.enter(object)?;
        let mut entries = Vec::new();
        for entry in object.getattr("entries")?.try_iter()? {
            let (key, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) = entry?.extract()?;
            entries.push((self.value(&key)?, self.value(&value)?));
        }
        self.enclosing.pop();
        Ok(Dictionary::new(weak_keys, entries).into())
    }

    fn sequence(
        &mut self,
        owner: &Bound<'py, PyAny>,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
    ) -> PyResult<Vec<Value>> {
        self.enter(owner)?;
        let values = items
            .map(|item| self.value(&item))
            .collect::<PyResult<Vec<_>>>()?;
        self.enclosing.pop();
        Ok(values)
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

/// A string, or XML.
fn text_from_py(text: &Bound<'_, PyString>) -> PyResult<Value> {
    let value = Str::from(text.to_cow()?.as_ref());
    if text.is_exact_instance_of::<PyString>() {
        return Ok(Value::String(value));
    }
    let (py, classes) = (text.py(), classes(text.py())?);
    Ok(if text.is_instance(classes.xml.bind(py))? {
        Value::Xml(value)
    } else if text.is_instance(classes.xml_document.bind(py))? {
        Value::XmlDocument(value)
    } else {
        Value::String(value)
    })
}

/// A vector of numbers, or `AmfError` if one of them does not fit.
fn numbers<'py, T>(list: &Bound<'py, PyList>, fixed: bool) -> PyResult<Vector<T>>
where
    T: for<'a> FromPyObject<'a, 'py, Error: Into<PyErr>>,
{
    let kind = list.get_type().name()?;
    let item = |item: Bound<'py, PyAny>| {
        item.extract()
            .map_err(|_| amf_error(format!("a {kind} cannot hold {item}")))
    };
    let items = list.iter().map(item).collect::<PyResult<_>>()?;
    Ok(Vector { fixed, items })
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

/// What `rtmpkit.amf` has for values that Python has no type for.
struct Classes {
    ecma_array: Py<PyType>,
    typed_object: Py<PyType>,
    vector_int: Py<PyType>,
    vector_uint: Py<PyType>,
    vector_double: Py<PyType>,
    vector_object: Py<PyType>,
    dictionary: Py<PyType>,
    xml: Py<PyType>,
    xml_document: Py<PyType>,
}

fn classes(py: Python<'_>) -> PyResult<&'static Classes> {
    static CLASSES: PyOnceLock<Classes> = PyOnceLock::new();
    CLASSES.get_or_try_init(py, || {
        let module = py.import("rtmpkit.amf")?;
        let class = |name| PyResult::Ok(module.getattr(name)?.cast_into::<PyType>()?.unbind());
        Ok(Classes {
            ecma_array: class("EcmaArray")?,
            typed_object: class("TypedObject")?,
            vector_int: class("VectorInt")?,
            vector_uint: class("VectorUint")?,
            vector_double: class("VectorDouble")?,
            vector_object: class("VectorObject")?,
            dictionary: class("Dictionary")?,
            xml: class("Xml")?,
            xml_document: class("XmlDocument")?,
        })
    })
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
