// Errors, values, media, engine and queue. Include <rtmpkit.hpp>.
#ifndef RTMPKIT_CORE_HPP
#define RTMPKIT_CORE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../rtmpkit.h"

namespace rtmpkit {

// A call failed: `code()` is one of the RTMPKIT_ERR_ numbers, `what()` the library's explanation.
class Error : public std::runtime_error {
public:
  explicit Error(std::int32_t code) : std::runtime_error(text(code)), code_(code) {}
  std::int32_t code() const noexcept { return code_; }

private:
  static std::string text(std::int32_t code) {
    std::string more = rtmpkit_last_error();
    return more.empty() ? rtmpkit_strerror(code) : more;
  }
  std::int32_t code_;
};

namespace detail {

inline std::int32_t check(std::int32_t result) {
  if (result < 0) throw Error(result);
  return result;
}

template <class T>
T *check_made(T *made) {
  if (made == nullptr) throw Error(RTMPKIT_ERR_INVALID_ARGUMENT);
  return made;
}

inline std::string text(const char *text) { return text == nullptr ? std::string() : std::string(text); }

// An owned reference to a handle. Empty after a move.
template <class T, T *(*Ref)(T *), void (*Unref)(T *)>
class Handle {
public:
  Handle() = default;
  explicit Handle(T *owned) : ptr_(owned) {}
  static T *share(T *lent) { return Ref(lent); }
  T *get() const noexcept { return ptr_.get(); }
  explicit operator bool() const noexcept { return ptr_ != nullptr; }
  void reset() noexcept { ptr_.reset(); }

private:
  struct Drop {
    void operator()(T *handle) const noexcept { Unref(handle); }
  };
  std::unique_ptr<T, Drop> ptr_;
};

inline rtmpkit_value *value_ref(rtmpkit_value *value) { return rtmpkit_value_ref(value); }

// Runs a handler of the host; what it throws is logged.
template <class F>
void guard(const char *event, F &&handler) noexcept {
  try {
    handler();
  } catch (const std::exception &error) {
    rtmpkit_log(RTMPKIT_LOG_ERROR, event, error.what());
  } catch (...) {
    rtmpkit_log(RTMPKIT_LOG_ERROR, event, "unknown exception");
  }
}

// The events struct on the heap, from a creation to its on_release.
template <class Events>
void release(void *user_data) noexcept {
  std::unique_ptr<Events> events(static_cast<Events *>(user_data));
  if (events->on_release) guard("on_release", [&] { events->on_release(); });
}

template <class Events>
Events &events(void *user_data) noexcept {
  return *static_cast<Events *>(user_data);
}

}  // namespace detail

// A struct of rtmpkit.h with its defaults: `auto config = rtmpkit::defaults(rtmpkit_server_config_init);`
template <class T>
T defaults(rtmpkit_result (*init)(T *, std::size_t)) {
  T value;
  detail::check(init(&value, sizeof value));
  return value;
}

inline std::string version() { return rtmpkit_version_string(); }
inline std::string host_name() { return rtmpkit_host_name(); }
inline std::string platform() { return rtmpkit_platform(); }

// An AMF value.
class Value : public detail::Handle<rtmpkit_value, detail::value_ref, rtmpkit_value_unref> {
public:
  Value() : Handle(detail::check_made(rtmpkit_value_null())) {}
  Value(bool value) : Handle(detail::check_made(rtmpkit_value_bool(value))) {}
  Value(double value) : Handle(detail::check_made(rtmpkit_value_number(value))) {}
  Value(int value) : Value(static_cast<double>(value)) {}
  Value(const char *text) : Handle(detail::check_made(rtmpkit_value_string(text))) {}
  Value(const std::string &text) : Value(text.c_str()) {}
  explicit Value(rtmpkit_value *owned) : Handle(owned) {}
  // A copy may be changed, whatever it is a copy of.
  Value(const Value &other) : Handle(other ? detail::check_made(rtmpkit_value_clone(other.get())) : nullptr) {}
  Value(Value &&) = default;
  Value &operator=(Value other) noexcept {
    Handle::operator=(std::move(other));
    return *this;
  }

  static Value object() { return Value(detail::check_made(rtmpkit_value_object())); }
  // An object of a class, by its name on the wire.
  static Value typed_object(const std::string &alias) {
    return Value(detail::check_made(rtmpkit_value_typed_object(alias.c_str())));
  }
  static Value array() { return Value(detail::check_made(rtmpkit_value_array())); }
  // A reference to a value that the library lent.
  static Value lent(const rtmpkit_value *value) { return Value(rtmpkit_value_ref(value)); }

  Value &set(const std::string &key, const Value &value) {
    detail::check(rtmpkit_value_object_set(get(), key.c_str(), value.get()));
    return *this;
  }
  Value &push(const Value &value) {
    detail::check(rtmpkit_value_array_push(get(), value.get()));
    return *this;
  }

  std::int32_t type() const { return rtmpkit_value_type(get()); }
  std::optional<bool> as_bool() const { return read<bool>(rtmpkit_value_get_bool); }
  std::optional<double> as_number() const { return read<double>(rtmpkit_value_get_number); }
  std::optional<std::string> as_string() const {
    const char *text = nullptr;
    std::size_t len = 0;
    if (rtmpkit_value_get_string(get(), &text, &len) < 0) return std::nullopt;
    return std::string(text, len);
  }
  // The name of an object's class; "" if it has none.
  std::string class_name() const {
    const char *name = rtmpkit_value_object_class(get());
    return name == nullptr ? "" : name;
  }
  std::size_t size() const { return rtmpkit_value_object_len(get()) + rtmpkit_value_array_len(get()); }
  // A member or item; an empty Value if there is none.
  Value operator[](const std::string &key) const { return lent(rtmpkit_value_object_get(get(), key.c_str())); }
  Value at(std::size_t index) const { return lent(rtmpkit_value_array_at(get(), index)); }

private:
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

// A status of the wire, copied.
struct Status {
  std::int32_t level = RTMPKIT_LEVEL_STATUS;
  std::int32_t result = RTMPKIT_OK;
  std::string code, description;
  Value info;

  Status() = default;
  explicit Status(const rtmpkit_status &status)
      : level(status.level), result(status.result), code(status.code), description(status.description),
        info(Value::lent(status.info)) {}
  bool is_error() const { return level == RTMPKIT_LEVEL_ERROR; }
};

// The answer to a call: a value, or the status that took its place.
using Reply = std::function<void(const Value *result, const Status *error)>;

namespace detail {

inline void on_reply(void *user_data, const rtmpkit_value *result, const rtmpkit_status *error) noexcept {
  std::unique_ptr<Reply> reply(static_cast<Reply *>(user_data));
  guard("reply", [&] {
    if (error != nullptr) {
      const Status status(*error);
      (*reply)(nullptr, &status);
    } else {
      const Value value = Value::lent(result);
      (*reply)(&value, nullptr);
    }
  });
}

// Makes a call that takes a reply function; the reply is the library's once the call was taken.
template <class F>
void ask(Reply reply, F &&call) {
  if (!reply) {
    check(call(nullptr, nullptr));
    return;
  }
  auto kept = std::make_unique<Reply>(std::move(reply));
  check(call(on_reply, kept.get()));
  kept.release();
}

}  // namespace detail

// Bytes that are shared, not copied.
class Buffer : public detail::Handle<rtmpkit_buffer, rtmpkit_buffer_ref, rtmpkit_buffer_unref> {
public:
  using Handle::Handle;
  Buffer(const void *data, std::size_t len)
      : Handle(detail::check_made(rtmpkit_buffer_copy(static_cast<const std::uint8_t *>(data), len))) {}
  const std::uint8_t *data() const { return rtmpkit_buffer_data(get()); }
  std::size_t size() const { return rtmpkit_buffer_len(get()); }
};

// A media message: rtmpkit_media with the means to make one. In a handler it is valid until the handler returns;
// `keep()` shares its payload beyond.
struct Media : rtmpkit_media {
  Media() : rtmpkit_media(defaults(rtmpkit_media_init)) {}
  explicit Media(const rtmpkit_media &media) : rtmpkit_media(media) {}

  // A message body with its tag header, such as an FLV tag's.
  static Media raw(std::uint8_t type, std::uint64_t timestamp_ms, const void *body, std::size_t len) {
    Media media;
    media.type = type;
    media.timestamp_ms = timestamp_ms;
    media.body = static_cast<const std::uint8_t *>(body);
    media.body_len = len;
    return media;
  }
  // A payload that gets its tag header here; `flags` are RTMPKIT_MEDIA_KEYFRAME and the like.
  static Media payload(std::uint8_t type, std::uint32_t fourcc, std::uint64_t timestamp_ms, std::uint16_t flags,
                       const void *data, std::size_t len, std::int32_t composition_ms = 0) {
    Media media;
    media.type = type;
    media.fourcc = fourcc;
    media.timestamp_ms = timestamp_ms;
    media.flags = flags;
    media.composition_ms = composition_ms;
    media.data = static_cast<const std::uint8_t *>(data);
    media.len = len;
    return media;
  }
  bool is_keyframe() const { return (flags & RTMPKIT_MEDIA_KEYFRAME) != 0; }
  bool is_config() const { return (flags & RTMPKIT_MEDIA_CONFIG) != 0; }
  Buffer keep() const { return Buffer(rtmpkit_buffer_ref(buffer)); }
};

// Worker threads and all that lives on them.
class Engine : public detail::Handle<rtmpkit_engine, rtmpkit_engine_ref, rtmpkit_engine_unref> {
public:
  using Log = std::function<void(std::int32_t level, std::string_view target, std::string_view message)>;

  explicit Engine(std::uint32_t workers = 0, Log log = nullptr, std::int32_t log_level = RTMPKIT_LOG_WARN)
      : Handle(create(workers, std::move(log), log_level)) {}
  void close() { detail::check(rtmpkit_engine_close(get())); }
  // Waits for the end of a closed engine; false when the time ran out first. Negative waits for ever.
  bool join(std::int32_t timeout_ms = -1) {
    const std::int32_t result = rtmpkit_engine_join(get(), timeout_ms);
    if (result == RTMPKIT_ERR_TIMEOUT) return false;
    detail::check(result);
    return true;
  }

private:
  static rtmpkit_engine *create(std::uint32_t workers, Log log, std::int32_t log_level) {
    auto config = defaults(rtmpkit_engine_config_init);
    config.workers = workers;
    config.log_level = log_level;
    auto kept = log ? std::make_unique<Log>(std::move(log)) : nullptr;
    if (kept) {
      config.log_fn = on_log;
      config.log_user_data = kept.get();
      config.log_release = [](void *user_data) noexcept { delete static_cast<Log *>(user_data); };
    }
    rtmpkit_engine *engine = nullptr;
    detail::check(rtmpkit_engine_create(&config, &engine));
    if (log_level != RTMPKIT_LOG_OFF) static_cast<void>(kept.release());
    return engine;
  }
  static void on_log(void *log, std::int32_t level, const char *target, const char *message) noexcept {
    try {
      (*static_cast<Log *>(log))(level, target, message);
    } catch (...) {
    }
  }
};

// Events that wait for a thread of the host.
class Queue : public detail::Handle<rtmpkit_queue, rtmpkit_queue_ref, rtmpkit_queue_unref> {
public:
  Queue(const Engine &engine, std::size_t capacity) : Handle(create(engine, capacity)) {}
  // Readable while events wait; do not read or close it.
  int fd() const { return detail::check(rtmpkit_queue_fd(get())); }
  // Runs at most `max` events here; returns how many ran.
  std::size_t dispatch(std::size_t max, std::int32_t timeout_ms) {
    std::size_t count = 0;
    detail::check(rtmpkit_queue_dispatch(get(), max, timeout_ms, &count));
    return count;
  }
  void wakeup() { detail::check(rtmpkit_queue_wakeup(get())); }

private:
  static rtmpkit_queue *create(const Engine &engine, std::size_t capacity) {
    rtmpkit_queue *queue = nullptr;
    detail::check(rtmpkit_queue_create(engine.get(), capacity, &queue));
    return queue;
  }
};

}  // namespace rtmpkit

#endif
