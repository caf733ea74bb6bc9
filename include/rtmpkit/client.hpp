// The outgoing side: connections to other servers and streams over them. Include <rtmpkit.hpp>.
#ifndef RTMPKIT_CLIENT_HPP
#define RTMPKIT_CLIENT_HPP

#include "core.hpp"
#include "server.hpp"

namespace rtmpkit {

// What happens to a connection. A call may be answered at once, or kept and answered later from any thread; dropped
// unanswered, or without a handler, it fails.
struct NetConnectionEvents {
  std::function<void(const Status &)> on_status;
  std::function<void(Request)> on_call;
  std::function<void()> on_release;
};

// What happens on a stream.
struct NetStreamEvents {
  std::function<void(const Status &)> on_status;
  std::function<void(const Media &)> on_media;
  std::function<void()> on_close;
  std::function<void()> on_release;
  // A write was refused because the queue was full, and now it is less than half full.
  std::function<void()> on_writable;
  // The server says that it has nothing to send for now (Stream Dry). Comes once for each silence.
  std::function<void()> on_dry;
};

namespace detail {

inline rtmpkit_net_connection_events table(const NetConnectionEvents &wanted) {
  using E = NetConnectionEvents;
  auto table = defaults(rtmpkit_net_connection_events_init);
  if (wanted.on_status)
    table.on_status = [](void *ud, rtmpkit_net_connection *, const rtmpkit_status *status) noexcept {
      guard("on_status", [&] { events<E>(ud).on_status(Status(*status)); });
    };
  if (wanted.on_call)
    table.on_call = [](void *ud, rtmpkit_net_connection *, rtmpkit_request *request) noexcept {
      guard("on_call", [&] { events<E>(ud).on_call(Request::lent(request)); });
    };
  table.on_release = release<E>;
  return table;
}

inline rtmpkit_net_stream_events table(const NetStreamEvents &wanted) {
  using E = NetStreamEvents;
  auto table = defaults(rtmpkit_net_stream_events_init);
  if (wanted.on_status)
    table.on_status = [](void *ud, rtmpkit_net_stream *, const rtmpkit_status *status) noexcept {
      guard("on_status", [&] { events<E>(ud).on_status(Status(*status)); });
    };
  if (wanted.on_media)
    table.on_media = [](void *ud, rtmpkit_net_stream *, const rtmpkit_media *media) noexcept {
      guard("on_media", [&] { events<E>(ud).on_media(Media(*media)); });
    };
  if (wanted.on_close)
    table.on_close = [](void *ud, rtmpkit_net_stream *) noexcept {
      guard("on_close", [&] { events<E>(ud).on_close(); });
    };
  if (wanted.on_writable)
    table.on_writable = [](void *ud, rtmpkit_net_stream *) noexcept {
      guard("on_writable", [&] { events<E>(ud).on_writable(); });
    };
  if (wanted.on_dry)
    table.on_dry = [](void *ud, rtmpkit_net_stream *) noexcept {
      guard("on_dry", [&] { events<E>(ud).on_dry(); });
    };
  table.on_release = release<E>;
  return table;
}

}  // namespace detail

// A stream over a connection. Dropping it closes it.
class NetStream : public detail::Handle<rtmpkit_net_stream, rtmpkit_net_stream_ref, rtmpkit_net_stream_unref> {
public:
  using Handle::Handle;
  void publish(const std::string &name, std::int32_t mode = RTMPKIT_PUBLISH_LIVE) {
    detail::check(rtmpkit_net_stream_publish(get(), name.c_str(), mode));
  }
  void play(const std::string &name) { detail::check(rtmpkit_net_stream_play(get(), name.c_str(), nullptr)); }
  void play(const std::string &name, const rtmpkit_play_options &options) {
    detail::check(rtmpkit_net_stream_play(get(), name.c_str(), &options));
  }
  // Plays another stream in the place of `old_name` (empty: of the one that plays), or after it.
  void play2(const std::string &name, std::int32_t transition, const std::string &old_name = {}) {
    detail::check(rtmpkit_net_stream_play2(get(), name.c_str(), detail::or_null(old_name), transition, nullptr));
  }
  void play2(const std::string &name, std::int32_t transition, const std::string &old_name,
             const rtmpkit_play_options &options) {
    detail::check(rtmpkit_net_stream_play2(get(), name.c_str(), detail::or_null(old_name), transition, &options));
  }
  // False when the network does not keep up and the message was not taken: drop to the next keyframe, or wait for
  // `on_writable`.
  bool write(const Media &media) {
    const std::int32_t result = rtmpkit_net_stream_write(get(), &media);
    if (result == RTMPKIT_ERR_FULL) return false;
    detail::check(result);
    return true;
  }
  void send(std::uint64_t timestamp_ms, const std::string &handler, const Values &args = {}) {
    const detail::Args array(args);
    detail::check(rtmpkit_net_stream_send(get(), timestamp_ms, handler.c_str(), array.data(), array.size()));
  }
  void seek(std::uint64_t millis) { detail::check(rtmpkit_net_stream_seek(get(), millis)); }
  void pause(bool on) { detail::check(rtmpkit_net_stream_pause(get(), on)); }
  void receive(bool audio, bool video) { detail::check(rtmpkit_net_stream_receive(get(), audio, video)); }
  // NetStream.Buffer.Full, .Empty and .Flush come as statuses.
  void set_buffer(std::uint32_t millis) { detail::check(rtmpkit_net_stream_set_buffer(get(), millis)); }
  std::uint32_t buffer() const {
    std::uint32_t millis = 0;
    detail::check(rtmpkit_net_stream_get_buffer(get(), &millis));
    return millis;
  }
  // Milliseconds of media that may wait to be sent; 0 limits nothing by time. When more does, `write` returns false.
  void set_send_buffer(std::uint32_t millis) { detail::check(rtmpkit_net_stream_set_send_buffer(get(), millis)); }
  std::uint32_t send_buffer() const {
    std::uint32_t millis = 0;
    detail::check(rtmpkit_net_stream_get_send_buffer(get(), &millis));
    return millis;
  }
  // How long it has been published, in milliseconds.
  std::uint64_t publish_time() const {
    std::uint64_t millis = 0;
    detail::check(rtmpkit_net_stream_publish_time(get(), &millis));
    return millis;
  }
  rtmpkit_traffic stats() const {
    auto counters = defaults(rtmpkit_net_stream_counters_init);
    detail::check(rtmpkit_net_stream_stats(get(), &counters));
    return counters.traffic;
  }
  void close() { detail::check(rtmpkit_net_stream_close(get())); }
};

// A connection to another server. Dropping it closes it.
class NetConnection
    : public detail::Handle<rtmpkit_net_connection, rtmpkit_net_connection_ref, rtmpkit_net_connection_unref> {
public:
  explicit NetConnection(const Engine &engine, NetConnectionEvents wanted = {})
      : NetConnection(engine, std::move(wanted), defaults(rtmpkit_net_connection_config_init)) {}
  NetConnection(const Engine &engine, NetConnectionEvents wanted, const rtmpkit_net_connection_config &config)
      : Handle(create(engine, std::move(wanted), config)) {}

  // The outcome comes as a status.
  void connect(const std::string &url, const Values &args = {}) {
    const detail::Args array(args);
    detail::check(rtmpkit_net_connection_connect(get(), url.c_str(), array.data(), array.size()));
  }
  void call(const std::string &method, const Values &args = {}, Reply reply = nullptr) {
    const detail::Args array(args);
    detail::ask(std::move(reply), [&](rtmpkit_reply_fn function, void *user_data) {
      return rtmpkit_net_connection_call(get(), method.c_str(), array.data(), array.size(), function, user_data);
    });
  }
  // Adds a header to every request from now on to a Flash Remoting gateway, in place of one of that name.
  void add_header(const std::string &name, bool must_understand, const Value &value) {
    detail::check(rtmpkit_net_connection_add_header(get(), name.c_str(), must_understand, value.get()));
  }
  void remove_header(const std::string &name) {
    detail::check(rtmpkit_net_connection_add_header(get(), name.c_str(), false, nullptr));
  }
  // Opens a stream; the connection must be connecting or connected.
  [[nodiscard]] NetStream stream(NetStreamEvents wanted = {}) {
    auto events = std::make_unique<NetStreamEvents>(std::move(wanted));
    const auto table = detail::table(*events);
    rtmpkit_net_stream *stream = nullptr;
    detail::check(rtmpkit_net_stream_create(get(), &table, events.get(), &stream));
    events.release();
    return NetStream(stream);
  }
  bool is_connected() const { return rtmpkit_net_connection_is_connected(get()); }
  // Where to connect instead, when `status` is the server's request to reconnect.
  std::optional<std::string> reconnect_target(const Status &status) const {
    rtmpkit_status lent{};
    lent.struct_size = sizeof lent;
    lent.level = status.level;
    lent.code = status.code.c_str();
    lent.description = status.description.c_str();
    lent.info = status.info.get();
    rtmpkit_value *target = nullptr;
    const std::int32_t result = rtmpkit_net_connection_reconnect_target(get(), &lent, &target);
    if (result == RTMPKIT_ERR_NOT_FOUND) return std::nullopt;
    detail::check(result);
    return Value(target).as_string();
  }
  // Moves to another server: streams and shared objects go on there. The outcome comes as a status.
  void reconnect_to(const std::string &url) {
    detail::check(rtmpkit_net_connection_reconnect_to(get(), url.c_str()));
  }
  // Gives objects of a class, in what the server sends over connections made from now on, to `hook`.
  void register_class(const std::string &alias, ClassHook hook) {
    auto kept = std::make_unique<ClassHook>(std::move(hook));
    detail::check(rtmpkit_net_connection_register_class(get(), alias.c_str(), detail::on_class, kept.get(),
                                                        detail::drop_function<ClassHook>));
    kept.release();
  }
  bool unregister_class(const std::string &alias) {
    return detail::check(rtmpkit_net_connection_unregister_class(get(), alias.c_str())) == 1;
  }
  // The name and the values of a data message of one of its streams, objects of registered classes completed.
  Value read_data(const Media &media) const {
    rtmpkit_value *values = nullptr;
    detail::check(rtmpkit_net_connection_read_data(get(), &media, &values));
    return Value(values);
  }
  std::string uri() const { return detail::text(rtmpkit_net_connection_uri(get())); }
  rtmpkit_traffic stats() const {
    auto counters = defaults(rtmpkit_client_counters_init);
    detail::check(rtmpkit_net_connection_stats(get(), &counters));
    return counters.traffic;
  }
  void close() { detail::check(rtmpkit_net_connection_close(get())); }

private:
  static rtmpkit_net_connection *create(const Engine &engine, NetConnectionEvents wanted,
                                        const rtmpkit_net_connection_config &config) {
    auto events = std::make_unique<NetConnectionEvents>(std::move(wanted));
    const auto table = detail::table(*events);
    rtmpkit_net_connection *connection = nullptr;
    detail::check(rtmpkit_net_connection_create(engine.get(), &config, &table, events.get(), &connection));
    events.release();
    return connection;
  }
};

// Passes calls of a method of an application on over a connection. Connecting it is the caller's to do.
inline void proxy_method(Application &application, const std::string &name, const NetConnection &connection,
                         const std::string &remote_name = "") {
  detail::check(rtmpkit_application_proxy_method(application.get(), name.c_str(), connection.get(),
                                                 detail::or_null(remote_name)));
}

}  // namespace rtmpkit

#endif
