// Streams that are pulled from other servers, and pushed to them. Include <rtmpkit.hpp>.
#ifndef RTMPKIT_RELAY_HPP
#define RTMPKIT_RELAY_HPP

#include "core.hpp"
#include "server.hpp"

namespace rtmpkit {

// What happened to a relay: one of RTMPKIT_RELAY_EVENT_.
struct RelayEvent {
  explicit RelayEvent(const rtmpkit_relay_event &event)
      : kind(event.kind), failures(event.failures), after_ms(event.after_ms) {
    if (event.reason != nullptr) reason = Status(*event.reason);
  }
  std::int32_t kind;
  std::uint32_t failures;
  // Milliseconds until it is tried again, for RETRYING.
  std::uint64_t after_ms;
  // Why it failed, for RETRYING and GAVE_UP.
  std::optional<Status> reason;
};

struct RelayEvents {
  std::function<void(const RelayEvent &)> on_event;
  std::function<void()> on_release;
};

namespace detail {

inline rtmpkit_relay_events table(const RelayEvents &wanted) {
  using E = RelayEvents;
  auto table = defaults(rtmpkit_relay_events_init);
  if (wanted.on_event)
    table.on_event = [](void *ud, rtmpkit_relay *, const rtmpkit_relay_event *event) noexcept {
      guard("on_event", [&] { events<E>(ud).on_event(RelayEvent(*event)); });
    };
  table.on_release = release<E>;
  return table;
}

}  // namespace detail

// A stream that is pulled from another server, or pushed to one, by the library's threads and past the host: connected again
// when the connection is lost. Dropping it ends it.
class Relay : public detail::Handle<rtmpkit_relay, rtmpkit_relay_ref, rtmpkit_relay_unref> {
public:
  using Handle::Handle;

  // Pulls rtmp://host/app/stream into the stream `name`.
  [[nodiscard]] static Relay pull(const Instance &instance, const std::string &url, const std::string &name,
                                  RelayEvents wanted = {}) {
    return pull(instance, url, name, std::move(wanted), defaults(rtmpkit_relay_config_init));
  }
  [[nodiscard]] static Relay pull(const Instance &instance, const std::string &url, const std::string &name,
                                  RelayEvents wanted, const rtmpkit_relay_config &config) {
    return make(std::move(wanted), [&](const rtmpkit_relay_events *table, void *ud, rtmpkit_relay **out) {
      return rtmpkit_relay_pull(instance.get(), url.c_str(), name.c_str(), &config, table, ud, out);
    });
  }
  // Pushes a stream to rtmp://host/app/stream while somebody publishes it.
  [[nodiscard]] static Relay push(const Stream &stream, const std::string &url, RelayEvents wanted = {}) {
    return push(stream, url, std::move(wanted), defaults(rtmpkit_relay_config_init));
  }
  [[nodiscard]] static Relay push(const Stream &stream, const std::string &url, RelayEvents wanted,
                                  const rtmpkit_relay_config &config) {
    return make(std::move(wanted), [&](const rtmpkit_relay_events *table, void *ud, rtmpkit_relay **out) {
      return rtmpkit_relay_push(stream.get(), url.c_str(), &config, table, ud, out);
    });
  }

  // Without user, password and query.
  std::string url() const { return detail::text(rtmpkit_relay_url(get())); }
  rtmpkit_relay_counters stats() const {
    auto counters = defaults(rtmpkit_relay_counters_init);
    detail::check(rtmpkit_relay_stats(get(), &counters));
    return counters;
  }
  void close() { detail::check(rtmpkit_relay_close(get())); }

private:
  template <class F>
  static Relay make(RelayEvents wanted, F &&create) {
    auto events = std::make_unique<RelayEvents>(std::move(wanted));
    const auto table = detail::table(*events);
    rtmpkit_relay *relay = nullptr;
    detail::check(create(&table, events.get(), &relay));
    events.release();
    return Relay(relay);
  }
};

}  // namespace rtmpkit

#endif
