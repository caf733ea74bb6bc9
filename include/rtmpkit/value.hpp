// AMF values. Include <rtmpkit.hpp>.
#ifndef RTMPKIT_VALUE_HPP
#define RTMPKIT_VALUE_HPP

#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "handle.hpp"

namespace rtmpkit {

namespace detail {

inline rtmpkit_value *value_ref(rtmpkit_value *value) { return rtmpkit_value_ref(value); }

}  // namespace detail

// An AMF value.
class Value : public detail::Handle<rtmpkit_value, detail::value_ref, rtmpkit_value_unref> {
public:
  Value() : Handle(detail::check_made(rtmpkit_value_null())) {}
  Value(std::nullptr_t) : Value() {}
  // Numbers of any type are a double on the wire. Nothing but a bool becomes one: pointers do not.
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Value(T value) : Handle(scalar(value)) {}
  // Texts are UTF-8 and end at their first NUL.
  Value(const char *text) : Handle(detail::check_made(rtmpkit_value_string(text))) {}
  Value(const std::string &text) : Value(text.c_str()) {}
  Value(std::string_view text) : Value(std::string(text)) {}
  explicit Value(rtmpkit_value *owned) : Handle(owned) {}
  // A copy may be changed, whatever it is a copy of.
  Value(const Value &other) : Handle(other ? detail::check_made(rtmpkit_value_clone(other.get())) : nullptr) {}
  Value(Value &&) = default;
  Value &operator=(Value other) noexcept {
    Handle::operator=(std::move(other));
    return *this;
  }

  // Undefined; Value() is null.
  static Value undefined() { return made(rtmpkit_value_undefined()); }
  // A point in time: milliseconds since 1970-01-01 00:00 UTC.
  static Value date(double millis) { return made(rtmpkit_value_date(millis)); }
  static Value xml(const std::string &text) { return made(rtmpkit_value_xml(text.c_str())); }
  static Value bytes(const void *data, std::size_t len) {
    return made(rtmpkit_value_bytes(static_cast<const std::uint8_t *>(data), len));
  }
  static Value object() { return made(rtmpkit_value_object()); }
  // An associative array, which metadata usually is.
  static Value ecma_array() { return made(rtmpkit_value_ecma_array()); }
  // An object of a class, by its name on the wire.
  static Value typed_object(const std::string &alias) { return made(rtmpkit_value_typed_object(alias.c_str())); }
  static Value array() { return made(rtmpkit_value_array()); }
  // Vectors of numbers, which never change; `fixed` says that their length is, on the receiving side.
  static Value vector_int(const std::vector<std::int32_t> &items, bool fixed = false) {
    return made(rtmpkit_value_vector_int(items.data(), items.size(), fixed));
  }
  static Value vector_uint(const std::vector<std::uint32_t> &items, bool fixed = false) {
    return made(rtmpkit_value_vector_uint(items.data(), items.size(), fixed));
  }
  static Value vector_double(const std::vector<double> &items, bool fixed = false) {
    return made(rtmpkit_value_vector_double(items.data(), items.size(), fixed));
  }
  // An empty vector of instances of a class, by its name on the wire; `push` adds to it.
  static Value vector_object(const std::string &class_name = "*", bool fixed = false) {
    return made(rtmpkit_value_vector_object(class_name.c_str(), fixed));
  }
  // A dictionary without entries; `put` adds to it.
  static Value dictionary(bool weak_keys = false) { return made(rtmpkit_value_dictionary(weak_keys)); }
  // A reference to a value that the library lent.
  static Value lent(const rtmpkit_value *value) { return Value(rtmpkit_value_ref(value)); }

  // Sets a member of an object.
  Value &set(const std::string &key, const Value &value) {
    detail::check(rtmpkit_value_object_set(get(), key.c_str(), value.get()));
    return *this;
  }
  // Adds to an array or a vector of objects.
  Value &push(const Value &value) {
    detail::check(rtmpkit_value_array_push(get(), value.get()));
    return *this;
  }
  // Sets an entry of a dictionary.
  Value &put(const Value &key, const Value &value) {
    detail::check(rtmpkit_value_dictionary_set(get(), key.get(), value.get()));
    return *this;
  }

  std::int32_t type() const { return rtmpkit_value_type(get()); }
  std::optional<bool> as_bool() const { return read<bool>(rtmpkit_value_get_bool); }
  std::optional<double> as_number() const { return read<double>(rtmpkit_value_get_number); }
  // Milliseconds since 1970-01-01 00:00 UTC.
  std::optional<double> as_date() const { return read<double>(rtmpkit_value_get_date); }
  // The text of a string or XML.
  std::optional<std::string> as_string() const {
    const char *text = nullptr;
    std::size_t len = 0;
    if (rtmpkit_value_get_string(get(), &text, &len) < 0) return std::nullopt;
    return std::string(text, len);
  }
  std::optional<std::vector<std::uint8_t>> as_bytes() const { return items<std::uint8_t>(rtmpkit_value_get_bytes); }
  std::optional<std::vector<std::int32_t>> as_vector_int() const {
    return items<std::int32_t>(rtmpkit_value_get_vector_int);
  }
  std::optional<std::vector<std::uint32_t>> as_vector_uint() const {
    return items<std::uint32_t>(rtmpkit_value_get_vector_uint);
  }
  std::optional<std::vector<double>> as_vector_double() const { return items<double>(rtmpkit_value_get_vector_double); }

  // The name of an object's class; "" if it has none.
  std::string class_name() const { return detail::text(rtmpkit_value_object_class(get())); }
  // The class that a vector of objects names, "*" for any type; "" if it is none.
  std::string vector_class() const { return detail::text(rtmpkit_value_vector_class(get())); }
  bool is_fixed() const { return rtmpkit_value_vector_is_fixed(get()); }
  bool has_weak_keys() const { return rtmpkit_value_dictionary_has_weak_keys(get()); }
  // How many members, items or entries there are.
  std::size_t size() const {
    return rtmpkit_value_object_len(get()) + rtmpkit_value_array_len(get()) + rtmpkit_value_dictionary_len(get());
  }
  // A member or item; an empty Value if there is none.
  Value operator[](std::size_t index) const { return at(index); }
  Value operator[](const std::string &key) const { return lent(rtmpkit_value_object_get(get(), key.c_str())); }
  Value at(std::size_t index) const { return lent(rtmpkit_value_array_at(get(), index)); }
  // The value of a dictionary's entry; an empty Value if there is none. Which keys are the same is told at
  // rtmpkit_value_dictionary_get.
  Value find(const Value &key) const { return lent(rtmpkit_value_dictionary_get(get(), key.get())); }
  // The members of an object in order, by name.
  std::vector<std::pair<std::string, Value>> members() const {
    std::vector<std::pair<std::string, Value>> all;
    const char *name = nullptr;
    for (std::size_t i = 0; const rtmpkit_value *value = rtmpkit_value_object_at(get(), i, &name); i++)
      all.emplace_back(name, lent(value));
    return all;
  }
  // The entries of a dictionary in order, keys first.
  std::vector<std::pair<Value, Value>> entries() const {
    std::vector<std::pair<Value, Value>> all;
    const rtmpkit_value *key = nullptr;
    for (std::size_t i = 0; const rtmpkit_value *value = rtmpkit_value_dictionary_at(get(), i, &key); i++)
      all.emplace_back(lent(key), lent(value));
    return all;
  }

private:
  template <class T>
  static rtmpkit_value *scalar(T value) {
    if constexpr (std::is_same_v<T, bool>) {
      return detail::check_made(rtmpkit_value_bool(value));
    } else {
      return detail::check_made(rtmpkit_value_number(static_cast<double>(value)));
    }
  }
  static Value made(rtmpkit_value *value) { return Value(detail::check_made(value)); }
  template <class T>
  std::optional<std::vector<T>> items(rtmpkit_result (*getter)(const rtmpkit_value *, const T **, std::size_t *)) const {
    const T *all = nullptr;
    std::size_t len = 0;
    if (getter(get(), &all, &len) < 0) return std::nullopt;
    return std::vector<T>(all, all + len);
  }
  template <class T>
  std::optional<T> read(rtmpkit_result (*getter)(const rtmpkit_value *, T *)) const {
    T value{};
    if (getter(get(), &value) < 0) return std::nullopt;
    return value;
  }
};

using Values = std::vector<Value>;

namespace detail {

// Values as the array of pointers that C takes.
class Args {
public:
  explicit Args(const Values &values) {
    for (const Value &value : values) pointers_.push_back(value.get());
  }
  const rtmpkit_value *const *data() const { return pointers_.data(); }
  std::size_t size() const { return pointers_.size(); }

private:
  std::vector<const rtmpkit_value *> pointers_;
};

}  // namespace detail

}  // namespace rtmpkit

#endif
