// Statuses, media, engine and queue. Include <rtmpkit.hpp>.
#ifndef RTMPKIT_CORE_HPP
#define RTMPKIT_CORE_HPP

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <string_view>

#include "value.hpp"

namespace rtmpkit {

inline std::string version() { return rtmpkit_version_string(); }
// Whether the library was built with a feature, such as "rtmpe".
inline bool has_feature(const std::string &name) { return rtmpkit_has_feature(name.c_str()); }
inline std::string host_name() { return rtmpkit_host_name(); }
inline std::string platform() { return rtmpkit_platform(); }

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
  // Memory of the host's, not copied: it must not change until `release`, which may be empty, gives it back. That runs on the
  // thread that drops the last reference.
  [[nodiscard]] static Buffer wrap(const void *data, std::size_t len, std::function<void()> release) {
    auto kept = release ? std::make_unique<std::function<void()>>(std::move(release)) : nullptr;
    Buffer buffer(detail::check_made(rtmpkit_buffer_wrap(static_cast<const std::uint8_t *>(data), len,
                                                         kept ? on_release : nullptr, kept.get())));
    static_cast<void>(kept.release());
    return buffer;
  }
  const std::uint8_t *data() const { return rtmpkit_buffer_data(get()); }
  std::size_t size() const { return rtmpkit_buffer_len(get()); }

private:
  static void on_release(void *user_data) noexcept {
    const std::unique_ptr<std::function<void()>> release(static_cast<std::function<void()> *>(user_data));
    detail::guard("release", [&] { (*release)(); });
  }
};

// A media message: rtmpkit_media with the means to make one. In a handler it is valid until the handler returns;
// `keep()` shares its payload beyond.
struct Media : rtmpkit_media {
  Media() : rtmpkit_media(defaults(rtmpkit_media_init)) {}
  explicit Media(const rtmpkit_media &media) : rtmpkit_media(media) { struct_size = sizeof(rtmpkit_media); }

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
  [[nodiscard]] Buffer keep() const { return Buffer(rtmpkit_buffer_ref(buffer)); }
};

// Worker threads and all that lives on them.
class Engine : public detail::Handle<rtmpkit_engine, rtmpkit_engine_ref, rtmpkit_engine_unref> {
public:
  using Log = std::function<void(std::int32_t level, std::string_view target, std::string_view message)>;

  explicit Engine(std::uint32_t workers = 0, Log log = nullptr, std::int32_t log_level = RTMPKIT_LOG_WARN)
      : Handle(create(workers, std::move(log), log_level)) {}
  explicit Engine(const rtmpkit_engine_config &config) : Handle(create(config)) {}
  // Tells every NetConnection of the engine that is connected: NetConnection.Connect.NetworkChange.
  void network_changed() { detail::check(rtmpkit_engine_network_changed(get())); }
  void close() { detail::check(rtmpkit_engine_close(get())); }
  rtmpkit_engine_counters stats() const {
    auto counters = defaults(rtmpkit_engine_counters_init);
    detail::check(rtmpkit_engine_stats(get(), &counters));
    return counters;
  }
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
    rtmpkit_engine *engine = create(config);
    static_cast<void>(kept.release());
    return engine;
  }
  static rtmpkit_engine *create(const rtmpkit_engine_config &config) {
    rtmpkit_engine *engine = nullptr;
    detail::check(rtmpkit_engine_create(&config, &engine));
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
