// The server's side: server, applications, instances, streams. Include <rtmpkit.hpp>.
#ifndef RTMPKIT_SERVER_HPP
#define RTMPKIT_SERVER_HPP

#include "core.hpp"
#include "peer.hpp"

namespace rtmpkit {

// What a subscription gets.
struct SubscriptionEvents {
  std::function<void()> on_publish;
  std::function<void(const Media &)> on_media;
  std::function<void()> on_unpublish;
  std::function<void()> on_release;
};

// The host as a player. Dropping it ends it.
class Subscription : public detail::Handle<rtmpkit_subscription, rtmpkit_subscription_ref, rtmpkit_subscription_unref> {
public:
  using Handle::Handle;
  std::uint64_t dropped() const { return rtmpkit_subscription_dropped(get()); }
  void close() { detail::check(rtmpkit_subscription_close(get())); }
};

namespace detail {

inline rtmpkit_subscription_events table(const SubscriptionEvents &wanted) {
  using E = SubscriptionEvents;
  auto table = defaults(rtmpkit_subscription_events_init);
  if (wanted.on_publish)
    table.on_publish = [](void *ud) noexcept { guard("on_publish", [&] { events<E>(ud).on_publish(); }); };
  if (wanted.on_media)
    table.on_media = [](void *ud, const rtmpkit_media *media) noexcept {
      guard("on_media", [&] { events<E>(ud).on_media(Media(*media)); });
    };
  if (wanted.on_unpublish)
    table.on_unpublish = [](void *ud) noexcept { guard("on_unpublish", [&] { events<E>(ud).on_unpublish(); }); };
  table.on_release = release<E>;
  return table;
}

}  // namespace detail

// A recording of a stream. The one that Stream::record returns ends when it is dropped.
class Recording : public detail::Handle<rtmpkit_recording, rtmpkit_recording_ref, rtmpkit_recording_unref> {
public:
  using Handle::Handle;
  static Recording lent(rtmpkit_recording *recording) { return Recording(share(recording)); }

  std::string stream_name() const { return detail::text(rtmpkit_recording_stream_name(get())); }
  // Empty before NetStream.Record.Start.
  std::string path() const {
    const char *path = rtmpkit_recording_path(get());
    return path == nullptr ? std::string() : std::string(path);
  }
  rtmpkit_recording_counters stats() const {
    auto counters = defaults(rtmpkit_recording_counters_init);
    detail::check(rtmpkit_recording_stats(get(), &counters));
    return counters;
  }
  // Does not wait: on_record is told when the file is complete.
  void stop() { detail::check(rtmpkit_recording_stop(get())); }
};

// A live stream of an instance.
class Stream : public detail::Handle<rtmpkit_stream, rtmpkit_stream_ref, rtmpkit_stream_unref> {
public:
  using Handle::Handle;
  static Stream lent(rtmpkit_stream *stream) { return Stream(share(stream)); }

  std::string name() const { return detail::text(rtmpkit_stream_name(get())); }
  rtmpkit_stream_counters stats() const {
    auto counters = defaults(rtmpkit_stream_counters_init);
    detail::check(rtmpkit_stream_stats(get(), &counters));
    return counters;
  }
  // For a stream made by Instance::publish.
  void write(const Media &media) { detail::check(rtmpkit_stream_write(get(), &media)); }
  void write_data(std::uint64_t timestamp_ms, const std::string &handler, const Values &args = {}) {
    const detail::Args array(args);
    detail::check(rtmpkit_stream_write_data(get(), timestamp_ms, handler.c_str(), array.data(), array.size()));
  }
  // To all who play it now; it need not be published here.
  void send(const std::string &handler, const Values &args = {}) {
    const detail::Args array(args);
    detail::check(rtmpkit_stream_send(get(), handler.c_str(), array.data(), array.size()));
  }
  // Takes it from whoever publishes it.
  void clear() { detail::check(rtmpkit_stream_clear(get())); }
  void set_latency(std::uint16_t audio_wait_ms, std::uint16_t video_wait_ms, std::uint16_t load_wait_ms) {
    detail::check(rtmpkit_stream_set_latency(get(), audio_wait_ms, video_wait_ms, load_wait_ms));
  }
  [[nodiscard]] Subscription subscribe(SubscriptionEvents wanted, const Queue *queue = nullptr,
                                       bool skip_backlog = false) {
    auto options = defaults(rtmpkit_subscribe_options_init);
    options.queue = queue == nullptr ? nullptr : queue->get();
    options.skip_backlog = skip_backlog;
    auto events = std::make_unique<SubscriptionEvents>(std::move(wanted));
    const auto table = detail::table(*events);
    rtmpkit_subscription *subscription = nullptr;
    detail::check(rtmpkit_stream_subscribe(get(), &options, &table, events.get(), &subscription));
    events.release();
    return Subscription(subscription);
  }
  // Records it to a file of the application's directory, until the result is stopped or dropped; on_record hears how it goes.
  [[nodiscard]] Recording record() { return record(defaults(rtmpkit_record_options_init)); }
  [[nodiscard]] Recording record(const rtmpkit_record_options &options) {
    rtmpkit_recording *recording = nullptr;
    detail::check(rtmpkit_stream_record(get(), &options, &recording));
    return Recording(recording);
  }
  void close() { detail::check(rtmpkit_stream_close(get())); }
};

// One instance of an application.
class Instance : public detail::Handle<rtmpkit_instance, rtmpkit_instance_ref, rtmpkit_instance_unref> {
public:
  using Handle::Handle;
  static Instance lent(rtmpkit_instance *instance) { return Instance(share(instance)); }

  std::string name() const { return detail::text(rtmpkit_instance_name(get())); }
  rtmpkit_instance_counters stats() const {
    auto counters = defaults(rtmpkit_instance_counters_init);
    detail::check(rtmpkit_instance_stats(get(), &counters));
    return counters;
  }
  std::vector<Client> clients() const {
    std::size_t count = 0, capacity = 0;
    std::vector<rtmpkit_client *> handles;
    detail::check(rtmpkit_instance_clients(get(), nullptr, 0, &count));
    handles.resize(capacity = count);
    detail::check(rtmpkit_instance_clients(get(), handles.data(), capacity, &count));
    std::vector<Client> clients;
    for (std::size_t i = 0; i < std::min(count, capacity); i++) clients.emplace_back(handles[i]);
    return clients;
  }
  std::vector<Stream> streams() const {
    std::size_t count = 0, capacity = 0;
    std::vector<rtmpkit_stream *> handles;
    detail::check(rtmpkit_instance_streams(get(), nullptr, 0, &count));
    handles.resize(capacity = count);
    detail::check(rtmpkit_instance_streams(get(), handles.data(), capacity, &count));
    std::vector<Stream> streams;
    for (std::size_t i = 0; i < std::min(count, capacity); i++) streams.emplace_back(handles[i]);
    return streams;
  }
  // Takes a stream from its publisher and deletes its files. The reply is how many streams and files there were.
  void clear_stream(const std::string &name, Reply reply = nullptr) {
    detail::ask(std::move(reply), [&](rtmpkit_reply_fn function, void *user_data) {
      return rtmpkit_instance_clear_stream(get(), name.c_str(), function, user_data);
    });
  }
  // The streams that a path names, "/" for all.
  void clear_streams(const std::string &path, Reply reply = nullptr) {
    detail::ask(std::move(reply), [&](rtmpkit_reply_fn function, void *user_data) {
      return rtmpkit_instance_clear_streams(get(), path.c_str(), function, user_data);
    });
  }
  // How long a stream's file is: the reply is a number of seconds, 0 for live streams.
  void stream_length(const std::string &name, Reply reply) {
    detail::ask(std::move(reply), [&](rtmpkit_reply_fn function, void *user_data) {
      return rtmpkit_instance_stream_length(get(), name.c_str(), function, user_data);
    });
  }
  // Lets go of what nobody uses; returns how much that was.
  std::int32_t collect() { return detail::check(rtmpkit_instance_collect(get())); }
  // Disconnects its clients and ends it; false if that was done before.
  bool unload() { return detail::check(rtmpkit_instance_unload(get())) == 1; }
  bool is_unloaded() const { return rtmpkit_instance_is_unloaded(get()); }
  void broadcast(const std::string &method, const Values &args = {}) {
    const detail::Args array(args);
    detail::check(rtmpkit_instance_broadcast(get(), method.c_str(), array.data(), array.size()));
  }
  [[nodiscard]] Stream open(const std::string &name) {
    rtmpkit_stream *stream = nullptr;
    detail::check(rtmpkit_stream_open(get(), name.c_str(), &stream));
    return Stream(stream);
  }
  // Becomes the publisher of a stream until the result is closed or dropped.
  [[nodiscard]] Stream publish(const std::string &name, std::int32_t mode = RTMPKIT_PUBLISH_LIVE) {
    rtmpkit_stream *stream = nullptr;
    detail::check(rtmpkit_stream_publish(get(), name.c_str(), mode, &stream));
    return Stream(stream);
  }
};

inline Instance Client::instance() const {
  rtmpkit_instance *instance = nullptr;
  detail::check(rtmpkit_client_instance(get(), &instance));
  return Instance(instance);
}

// What happens in an application. An empty function takes the default: requests to connect, publish and play are
// accepted, calls fail.
struct ApplicationEvents {
  std::function<void(Instance)> on_instance_start, on_instance_stop;
  std::function<bool(Instance)> on_instance_idle;
  std::function<void(Instance, const Status &)> on_status;
  std::function<void(Request, Client)> on_connect;
  std::function<void(Client)> on_accept;
  std::function<void(Client, const Status &)> on_reject, on_disconnect;
  std::function<void(Request, Client, Stream)> on_publish;
  std::function<void(Client, Stream)> on_unpublish;
  std::function<void(Recording, const Status &)> on_record;
  std::function<void(Request, Client)> on_play;
  std::function<void(Client, const std::string &stream_name)> on_stop;
  std::function<void(Request, Client)> on_stream_length, on_call;
  std::function<void(Client, const Status &)> on_error;
  std::function<void()> on_release;
};

namespace detail {

template <std::function<void(Instance)> ApplicationEvents::*Member>
void on_instance(void *ud, rtmpkit_instance *instance) noexcept {
  guard("on_instance", [&] { (events<ApplicationEvents>(ud).*Member)(Instance::lent(instance)); });
}

template <std::function<void(Request, Client)> ApplicationEvents::*Member>
void on_request(void *ud, rtmpkit_request *request, rtmpkit_client *client) noexcept {
  guard("on_request",
        [&] { (events<ApplicationEvents>(ud).*Member)(Request::lent(request), Client::lent(client)); });
}

template <std::function<void(Client, const Status &)> ApplicationEvents::*Member>
void on_client(void *ud, rtmpkit_client *client, const rtmpkit_status *status) noexcept {
  guard("on_client", [&] { (events<ApplicationEvents>(ud).*Member)(Client::lent(client), Status(*status)); });
}

inline rtmpkit_application_events table(const ApplicationEvents &wanted) {
  using E = ApplicationEvents;
  auto table = defaults(rtmpkit_application_events_init);
  if (wanted.on_instance_start) table.on_instance_start = on_instance<&E::on_instance_start>;
  if (wanted.on_instance_stop) table.on_instance_stop = on_instance<&E::on_instance_stop>;
  if (wanted.on_instance_idle)
    table.on_instance_idle = [](void *ud, rtmpkit_instance *instance) noexcept {
      bool may_go = true;
      guard("on_instance_idle", [&] { may_go = events<E>(ud).on_instance_idle(Instance::lent(instance)); });
      return may_go;
    };
  if (wanted.on_status)
    table.on_status = [](void *ud, rtmpkit_instance *instance, const rtmpkit_status *status) noexcept {
      guard("on_status", [&] { events<E>(ud).on_status(Instance::lent(instance), Status(*status)); });
    };
  if (wanted.on_accept)
    table.on_accept = [](void *ud, rtmpkit_client *client) noexcept {
      guard("on_accept", [&] { events<E>(ud).on_accept(Client::lent(client)); });
    };
  if (wanted.on_stream_length) table.on_stream_length = on_request<&E::on_stream_length>;
  if (wanted.on_connect) table.on_connect = on_request<&E::on_connect>;
  if (wanted.on_reject) table.on_reject = on_client<&E::on_reject>;
  if (wanted.on_disconnect) table.on_disconnect = on_client<&E::on_disconnect>;
  if (wanted.on_publish)
    table.on_publish = [](void *ud, rtmpkit_request *request, rtmpkit_client *client, rtmpkit_stream *stream) noexcept {
      guard("on_publish", [&] {
        events<E>(ud).on_publish(Request::lent(request), Client::lent(client), Stream::lent(stream));
      });
    };
  if (wanted.on_unpublish)
    table.on_unpublish = [](void *ud, rtmpkit_client *client, rtmpkit_stream *stream) noexcept {
      guard("on_unpublish", [&] { events<E>(ud).on_unpublish(Client::lent(client), Stream::lent(stream)); });
    };
  if (wanted.on_record)
    table.on_record = [](void *ud, rtmpkit_recording *recording, const rtmpkit_status *status) noexcept {
      guard("on_record", [&] { events<E>(ud).on_record(Recording::lent(recording), Status(*status)); });
    };
  if (wanted.on_play) table.on_play = on_request<&E::on_play>;
  if (wanted.on_stop)
    table.on_stop = [](void *ud, rtmpkit_client *client, const char *name) noexcept {
      guard("on_stop", [&] { events<E>(ud).on_stop(Client::lent(client), text(name)); });
    };
  if (wanted.on_call) table.on_call = on_request<&E::on_call>;
  if (wanted.on_error) table.on_error = on_client<&E::on_error>;
  table.on_release = release<E>;
  return table;
}

}  // namespace detail

// An application of a server. Dropping it closes it.
class Application : public detail::Handle<rtmpkit_application, rtmpkit_application_ref, rtmpkit_application_unref> {
public:
  using Handle::Handle;
  Instance instance(const std::string &name = "") {
    rtmpkit_instance *instance = nullptr;
    detail::check(rtmpkit_instance_get(get(), name.c_str(), &instance));
    return Instance(instance);
  }
  // Lets clients call a method; `on_call` gets what nobody registered.
  void register_method(const std::string &name, Method method) {
    auto kept = std::make_unique<Method>(std::move(method));
    detail::check(rtmpkit_application_register_method(get(), name.c_str(), detail::on_method, kept.get(),
                                                      detail::drop_function<Method>));
    kept.release();
  }
  bool unregister_method(const std::string &name) {
    return detail::check(rtmpkit_application_unregister_method(get(), name.c_str())) == 1;
  }
  // Lets a user log in, where the settings have `login`; or no more.
  void set_user(const std::string &user, const std::string &password) {
    detail::check(rtmpkit_application_set_user(get(), user.c_str(), password.c_str()));
  }
  void set_user_hash(const std::string &user, const std::string &salt, const std::string &hash) {
    detail::check(rtmpkit_application_set_user_hash(get(), user.c_str(), salt.c_str(), hash.c_str()));
  }
  void remove_user(const std::string &user) {
    detail::check(rtmpkit_application_set_user(get(), user.c_str(), nullptr));
  }
  // Passes calls of a method on to the application at `url`; there it has the same name unless `remote_name` is another.
  void proxy_method(const std::string &name, const std::string &url, const std::string &remote_name = "") {
    detail::check(rtmpkit_application_proxy_method_to_url(get(), name.c_str(), url.c_str(), detail::or_null(remote_name)));
  }
  void proxy_method(const std::string &name, const Client &target, const std::string &remote_name = "") {
    detail::check(
        rtmpkit_application_proxy_method_to_client(get(), name.c_str(), target.get(), detail::or_null(remote_name)));
  }
  // Gives objects of a class, in what clients send, to `hook`; on the library's threads, several at once.
  void register_class(const std::string &alias, ClassHook hook) {
    auto kept = std::make_unique<ClassHook>(std::move(hook));
    detail::check(rtmpkit_application_register_class(get(), alias.c_str(), detail::on_class, kept.get(),
                                                     detail::drop_function<ClassHook>));
    kept.release();
  }
  bool unregister_class(const std::string &alias) {
    return detail::check(rtmpkit_application_unregister_class(get(), alias.c_str())) == 1;
  }
  // The name and the values of a data message, as a subscription gets them; objects of registered classes completed.
  Value read_data(const Media &media) const {
    rtmpkit_value *values = nullptr;
    detail::check(rtmpkit_application_read_data(get(), &media, &values));
    return Value(values);
  }
  // A key of the configuration file, without one the whole of it as an object; empty if there is none.
  Value config(const std::string &key = "") const {
    rtmpkit_value *value = nullptr;
    const std::int32_t result = rtmpkit_application_get_config(get(), detail::or_null(key), &value);
    if (result != RTMPKIT_ERR_NOT_FOUND) detail::check(result);
    return Value(value);
  }
  void set_config(const std::string &key, const Value &value) {
    detail::check(rtmpkit_application_set_config(get(), key.c_str(), value.get()));
  }
  bool remove_config(const std::string &key) {
    return detail::check(rtmpkit_application_remove_config(get(), key.c_str())) == 1;
  }
  void save_config() { detail::check(rtmpkit_application_save_config(get())); }
  void reload_config() { detail::check(rtmpkit_application_reload_config(get())); }
  void close() { detail::check(rtmpkit_application_close(get())); }
};

// What may be kept in place of a password.
inline std::string login_hash(std::int32_t method, const std::string &user, const std::string &salt,
                              const std::string &password) {
  rtmpkit_value *hash = nullptr;
  detail::check(rtmpkit_login_hash(method, user.c_str(), salt.c_str(), password.c_str(), &hash));
  return Value(hash).as_string().value_or("");
}

// A server. Dropping it closes it.
class Server : public detail::Handle<rtmpkit_server, rtmpkit_server_ref, rtmpkit_server_unref> {
public:
  explicit Server(const Engine &engine) : Server(engine, defaults(rtmpkit_server_config_init)) {}
  Server(const Engine &engine, const rtmpkit_server_config &config) : Handle(create(engine, config)) {}

  [[nodiscard]] Application application(const std::string &name, ApplicationEvents wanted = {}) {
    return application(name, std::move(wanted), defaults(rtmpkit_application_config_init));
  }
  [[nodiscard]] Application application(const std::string &name, ApplicationEvents wanted,
                                        const rtmpkit_application_config &config) {
    auto events = std::make_unique<ApplicationEvents>(std::move(wanted));
    const auto table = detail::table(*events);
    rtmpkit_application *application = nullptr;
    detail::check(rtmpkit_application_create(get(), name.c_str(), &config, &table, events.get(), &application));
    events.release();
    return Application(application);
  }
  // Certificate chain and key, PEM texts, for rtmps and rtmpts. May be changed while the server listens.
  void set_tls(const std::string &chain, const std::string &key) {
    const rtmpkit_tls_identity identity = {chain.c_str(), key.c_str()};
    detail::check(rtmpkit_server_set_tls(get(), &identity, 1));
  }
  // Several, as pairs of chain and key: clients are shown the first that is for the name they ask for, else the first of all.
  void set_tls(const std::vector<std::pair<std::string, std::string>> &identities) {
    std::vector<rtmpkit_tls_identity> all;
    for (const auto &[chain, key] : identities) all.push_back({chain.c_str(), key.c_str()});
    detail::check(rtmpkit_server_set_tls(get(), all.data(), all.size()));
  }
  // The same from PEM files; without `key` it is in the same one.
  void set_tls_files(const std::string &chain, const std::string &key = "") {
    detail::check(rtmpkit_server_set_tls_files(get(), chain.c_str(), key.empty() ? nullptr : key.c_str()));
  }
  // Returns the port bound.
  std::uint16_t listen(const std::string &url) {
    std::uint16_t port = 0;
    detail::check(rtmpkit_server_listen(get(), url.c_str(), &port));
    return port;
  }
  rtmpkit_server_counters stats() const {
    auto counters = defaults(rtmpkit_server_counters_init);
    detail::check(rtmpkit_server_stats(get(), &counters));
    return counters;
  }
  // What clients did against the specifications without harm, and how often.
  Value deviations() const { return detail::made(rtmpkit_server_deviations, get()); }
  // Stops listening, asks clients to connect to `url` (empty: to the same place), and closes after `grace_ms`.
  void drain(const std::string &url, const std::string &text, std::uint32_t grace_ms) {
    detail::check(rtmpkit_server_drain(get(), url.empty() ? nullptr : url.c_str(), text.c_str(), grace_ms));
  }
  void close() { detail::check(rtmpkit_server_close(get())); }

private:
  static rtmpkit_server *create(const Engine &engine, const rtmpkit_server_config &config) {
    rtmpkit_server *server = nullptr;
    detail::check(rtmpkit_server_create(engine.get(), &config, nullptr, nullptr, &server));
    return server;
  }
};

}  // namespace rtmpkit

#endif
