// Relays from C++: a stream pulled and pushed on, and a failure that is told.
#include "harness.hpp"

namespace {

rtmpkit::RelayEvents telling(Mail &mail) {
  rtmpkit::RelayEvents events;
  events.on_event = [&mail](const rtmpkit::RelayEvent &event) {
    const char *const names[] = {"connected", "streaming", "retrying", "idle", "gave up", "ended"};
    mail.put(names[event.kind] + (event.reason ? " " + event.reason->code : std::string()));
  };
  events.on_release = [&mail] { mail.put("released"); };
  return events;
}

void m6_a_stream_is_pulled_and_pushed_on() {
  Mail pulled, pushed, seen;
  Served origin({}), edge({});
  auto source = origin.application.instance().publish("cam");
  const std::uint8_t config[] = {0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x0a, 0xff, 0xe1, 0, 0, 1, 0, 0};
  const std::uint8_t picture[] = {0x17, 1, 0, 0, 0, 0x65, 1, 2};
  source.write(rtmpkit::Media::raw(RTMPKIT_MEDIA_VIDEO, 1000, config, sizeof config));
  source.write(rtmpkit::Media::raw(RTMPKIT_MEDIA_VIDEO, 1000, picture, sizeof picture));

  auto instance = edge.application.instance();
  auto pull = rtmpkit::Relay::pull(instance, origin.url + "/cam?key=secret", "copy", telling(pulled));
  CHECK(pulled.next() == "connected" && pulled.next() == "streaming");
  CHECK(pull.url() == origin.url + "/cam");
  auto push = rtmpkit::Relay::push(instance.open("copy"), origin.url + "/back", telling(pushed));
  CHECK(pushed.next() == "connected" && pushed.next() == "streaming");
  rtmpkit::SubscriptionEvents watching;
  watching.on_media = [&seen](const rtmpkit::Media &media) {
    seen.put(std::to_string(media.timestamp_ms) + (media.is_config() ? " config" : " picture"));
  };
  auto watch = origin.application.instance().open("back").subscribe(std::move(watching));
  CHECK(seen.next() == "1000 config" && seen.next() == "1000 picture");
  CHECK(push.stats().messages == 2 && pull.stats().state == RTMPKIT_RELAY_STREAMING);
  push.close();
  CHECK(pushed.next() == "ended");
  push.reset();
  pull.reset();
  CHECK(pushed.next() == "released" && pulled.next() == "ended" && pulled.next() == "released");
}

void m6_failures_are_told() {
  Mail told;
  Served edge({});
  auto config = rtmpkit::defaults(rtmpkit_relay_config_init);
  config.back_off_first_ms = 10;
  config.back_off_max_failures = 2;
  auto relay = rtmpkit::Relay::pull(edge.application.instance(), "rtmp://127.0.0.1:1/live/cam", "cam", telling(told), config);
  CHECK(told.next() == "retrying NetConnection.Connect.Failed");
  CHECK(told.next() == "gave up NetConnection.Connect.Failed" && told.next() == "ended");
  CHECK(relay.stats().failures == 2);
  relay.reset();
  CHECK(told.next() == "released");
}

}  // namespace

int main() {
  try {
    m6_a_stream_is_pulled_and_pushed_on();
    m6_failures_are_told();
  } catch (const std::exception &error) {
    std::printf("not expected: %s\n", error.what());
    failures++;
  }
  std::printf("%s: %d failures\n", rtmpkit::version().c_str(), failures.load());
  return failures != 0;
}
