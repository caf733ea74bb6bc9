// Clients of a server and what they ask for. Include <rtmpkit.hpp>.
#ifndef RTMPKIT_PEER_HPP
#define RTMPKIT_PEER_HPP

#include "core.hpp"

namespace rtmpkit {

class Client;
class Instance;
class Request;

// A method that clients may call: it answers the request, at once or later.
using Method = std::function<void(Request, Client)>;
// Completes an object of a class, or refuses it by false.
using ClassHook = std::function<bool(Value &object)>;

namespace detail {

// The value that a function makes for a handle.
template <class T>
Value made(rtmpkit_result (*make)(T *, rtmpkit_value **), T *handle) {
  rtmpkit_value *value = nullptr;
  check(make(handle, &value));
  return Value(value);
}

}  // namespace detail

// A client of a server. Dropping this does not disconnect it.
class Client : public detail::Handle<rtmpkit_client, rtmpkit_client_ref, rtmpkit_client_unref> {
public:
  using Handle::Handle;
  static Client lent(rtmpkit_client *client) { return Client(share(client)); }

  std::uint64_t id() const { return rtmpkit_client_id(get()); }
  // The texts in it belong to this handle.
  rtmpkit_client_details info() const {
    auto details = defaults(rtmpkit_client_details_init);
    detail::check(rtmpkit_client_info(get(), &details));
    return details;
  }
  rtmpkit_client_counters counters() const {
    auto counters = defaults(rtmpkit_client_counters_init);
    detail::check(rtmpkit_client_stats(get(), &counters));
    return counters;
  }
  rtmpkit_traffic stats() const { return counters().traffic; }
  // What it did against the specifications without harm, and how often.
  Value deviations() const { return detail::made(rtmpkit_client_deviations, get()); }
  Instance instance() const;
  void call(const std::string &method, const Values &args = {}, Reply reply = nullptr) {
    const detail::Args array(args);
    detail::ask(std::move(reply), [&](rtmpkit_reply_fn function, void *user_data) {
      return rtmpkit_client_call(get(), method.c_str(), array.data(), array.size(), function, user_data);
    });
  }
  // The reply is a number of milliseconds.
  void ping(Reply reply) {
    detail::ask(std::move(reply), [&](rtmpkit_reply_fn function, void *user_data) {
      return rtmpkit_client_ping(get(), function, user_data);
    });
  }
  // What it may read and write from now on: paths separated by semicolons, "/" for everything, "" for nothing.
  void set_access(const std::string &read, const std::string &write) {
    detail::check(rtmpkit_client_set_access(get(), read.c_str(), write.c_str()));
  }
  // Which streams' decoded audio and video its program may look at.
  void set_sample_access(const std::string &audio, const std::string &video) {
    detail::check(rtmpkit_client_set_sample_access(get(), audio.c_str(), video.c_str()));
  }
  // An object with the members read, write, audio, video.
  Value access() const { return detail::made(rtmpkit_client_get_access, get()); }
  // The reply is an object with the members kbit_per_s, kbit, seconds, latency_ms.
  void check_bandwidth(Reply reply, std::int32_t kind = RTMPKIT_BANDWIDTH_NATIVE) {
    detail::ask(std::move(reply), [&](rtmpkit_reply_fn function, void *user_data) {
      return rtmpkit_client_check_bandwidth(get(), kind, function, user_data);
    });
  }
  // Bytes per second, one of rtmpkit_directions; 0 takes the limit away.
  void set_bandwidth_limit(std::int32_t direction, std::uint32_t bytes_per_s) {
    detail::check(rtmpkit_client_set_bandwidth_limit(get(), direction, bytes_per_s));
  }
  // Lets this client call a method; it comes before the application's of that name.
  void register_method(const std::string &name, Method method);
  bool unregister_method(const std::string &name) {
    return detail::check(rtmpkit_client_unregister_method(get(), name.c_str())) == 1;
  }
  // Asks it to connect to `url`, or anew to the same place; false if it did not announce that it can.
  bool request_reconnect(const std::string &url = "", const std::string &text = "") {
    const std::int32_t result =
        rtmpkit_client_request_reconnect(get(), url.empty() ? nullptr : url.c_str(), text.c_str());
    if (result == RTMPKIT_ERR_WRONG_STATE) return false;
    detail::check(result);
    return true;
  }
  void close() { detail::check(rtmpkit_client_close(get(), nullptr, nullptr)); }
  void close(const std::string &code, const std::string &text) {
    detail::check(rtmpkit_client_close(get(), code.c_str(), text.c_str()));
  }
};

// What a peer asks for. Answer it in the handler, or keep it and answer later from any thread; dropped unanswered it is
// refused. Answers return false when it was answered before or timed out.
class Request : public detail::Handle<rtmpkit_request, rtmpkit_request_ref, rtmpkit_request_unref> {
public:
  using Handle::Handle;
  static Request lent(rtmpkit_request *request) { return Request(share(request)); }

  std::int32_t kind() const { return detail::check(rtmpkit_request_kind(get())); }
  std::string name() const { return detail::text(rtmpkit_request_name(get())); }
  std::string query() const { return detail::text(rtmpkit_request_query(get())); }
  Values args() const {
    const rtmpkit_value *const *args = nullptr;
    std::size_t count = 0;
    detail::check(rtmpkit_request_args(get(), &args, &count));
    Values values;
    for (std::size_t i = 0; i < count; i++) values.push_back(Value::lent(args[i]));
    return values;
  }
  // Empty for a call by the server of an outgoing connection.
  Client client() const { return Client::lent(rtmpkit_request_client(get())); }
  std::int32_t mode() const { return detail::check(rtmpkit_request_mode(get())); }
  // What a client wants to play.
  struct Range {
    std::int64_t start_ms = -2;     // -2: live or recorded, -1: live, otherwise a place in the recorded stream
    std::int64_t duration_ms = -1;  // negative: all
    bool reset = true;              // its play list is cleared first
  };
  Range range() const {
    Range range;
    detail::check(rtmpkit_request_range(get(), &range.start_ms, &range.duration_ms, &range.reset));
    return range;
  }
  bool is_answered() const { return rtmpkit_request_is_answered(get()); }

  // For a publish, before it is accepted: `takeover` to `refuse` or `replace`, `hold_ms` to a number, `record` to `no`,
  // `record`, `append` or `appendWithGap`; see rtmpkit_request_set_option.
  void set_option(const std::string &key, const std::string &value) {
    detail::check(rtmpkit_request_set_option(get(), key.c_str(), value.c_str()));
  }
  bool accept() { return answered(rtmpkit_request_accept(get(), nullptr)); }
  bool accept(const Value &result) { return answered(rtmpkit_request_accept(get(), result.get())); }
  bool reject(const std::string &text) {
    return answered(rtmpkit_request_reject(get(), nullptr, text.c_str(), nullptr));
  }
  bool reject(const std::string &code, const std::string &text) {
    return answered(rtmpkit_request_reject(get(), code.c_str(), text.c_str(), nullptr));
  }
  // The members of `info`, an object, are added to the status.
  bool reject(const std::string &code, const std::string &text, const Value &info) {
    return answered(rtmpkit_request_reject(get(), code.c_str(), text.c_str(), info.get()));
  }
  // How the client of a connect tries to log in, one of rtmpkit_logins, and who it says it is; this proves nothing.
  std::int32_t login() const { return detail::check(rtmpkit_request_login(get())); }
  std::string user() const { return detail::text(rtmpkit_request_user(get())); }
  bool demand_login(std::int32_t method) { return answered(rtmpkit_request_demand_login(get(), method)); }
  // Whether the client knows the password: accept it then, or not. If it does not it was refused, with a challenge that it
  // may come back to answer, or for good.
  bool check_login(const std::string &password) {
    return detail::check(rtmpkit_request_check_login(get(), password.c_str())) == 1;
  }
  // There is no such user.
  bool check_login(std::nullptr_t) { return detail::check(rtmpkit_request_check_login(get(), nullptr)) == 1; }
  bool check_login_hash(const std::string &salt, const std::string &hash) {
    return detail::check(rtmpkit_request_check_login_hash(get(), salt.c_str(), hash.c_str())) == 1;
  }
  bool redirect(const std::string &url) { return answered(rtmpkit_request_redirect(get(), url.c_str())); }

private:
  static bool answered(std::int32_t result) {
    if (result == RTMPKIT_ERR_WRONG_STATE) return false;
    detail::check(result);
    return true;
  }
};

namespace detail {

inline void on_method(void *method, rtmpkit_request *request, rtmpkit_client *client) noexcept {
  guard("method", [&] { (*static_cast<Method *>(method))(Request::lent(request), Client::lent(client)); });
}

inline std::int32_t on_class(void *hook, rtmpkit_value *object) noexcept {
  bool accepted = false;
  guard("class", [&] {
    Value lent = Value::lent(object);
    accepted = (*static_cast<ClassHook *>(hook))(lent);
  });
  return accepted ? 0 : -1;
}

template <class F>
void drop_function(void *function) noexcept {
  delete static_cast<F *>(function);
}

}  // namespace detail

inline void Client::register_method(const std::string &name, Method method) {
  auto kept = std::make_unique<Method>(std::move(method));
  detail::check(rtmpkit_client_register_method(get(), name.c_str(), detail::on_method, kept.get(),
                                               detail::drop_function<Method>));
  kept.release();
}

}  // namespace rtmpkit

#endif
