// Errors, owners of handles, structs with defaults. Include <rtmpkit.hpp>.
#ifndef RTMPKIT_HANDLE_HPP
#define RTMPKIT_HANDLE_HPP

#if !(defined(_MSVC_LANG) ? _MSVC_LANG >= 201703L : __cplusplus >= 201703L)
#error "rtmpkit.hpp needs C++17: compile with -std=c++17 or later"
#endif

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

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

// An empty text stands for none.
inline const char *or_null(const std::string &text) { return text.empty() ? nullptr : text.c_str(); }

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

}  // namespace rtmpkit

#endif
