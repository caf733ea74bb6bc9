// Pulls a stream from one server and pushes it to another, until its publisher leaves or Ctrl-C. Lost connections are made
// again; the media never passes this program:
//   relay PULL_URL PUSH_URL
// Handlers run in this thread, inside Queue::dispatch, so nothing needs a lock.
#include "example.hpp"

static int relay(const std::string &pull_url, const std::string &push_url) {
  bool streamed = false, done = false, pushed = false;
  rtmpkit::Engine engine;
  rtmpkit::Queue queue(engine, 4096);
  // The stream between both is one of a server that listens nowhere.
  rtmpkit::Server server(engine);
  auto application = server.application("relay", {});
  auto instance = application.instance();
  auto config = rtmpkit::defaults(rtmpkit_relay_config_init);
  config.queue = queue.get();

  const auto report = [](const std::string &url, const rtmpkit::RelayEvent &event) {
    if (event.kind == RTMPKIT_RELAY_EVENT_RETRYING)
      std::cerr << url << ": " << event.reason->code << ": " << event.reason->description << "; again in "
                << event.after_ms << " ms\n";
  };
  rtmpkit::RelayEvents pushing;
  pushing.on_event = [&](const rtmpkit::RelayEvent &event) {
    report(push_url, event);
    pushed |= event.kind == RTMPKIT_RELAY_EVENT_ENDED;
  };
  auto push = rtmpkit::Relay::push(instance.open("stream"), push_url, std::move(pushing), config);
  rtmpkit::RelayEvents pulling;
  pulling.on_event = [&](const rtmpkit::RelayEvent &event) {
    report(pull_url, event);
    streamed |= event.kind == RTMPKIT_RELAY_EVENT_STREAMING;
    // Connected once more: what flowed has ended.
    done |= event.kind == RTMPKIT_RELAY_EVENT_ENDED || (streamed && event.kind == RTMPKIT_RELAY_EVENT_CONNECTED);
  };
  auto pull = rtmpkit::Relay::pull(instance, pull_url, "stream", std::move(pulling), config);

  while (!done && !stopped) queue.dispatch(1000, 100);

  pull.reset();
  push.reset();
  // What the push has taken in is sent first.
  while (!pushed) queue.dispatch(1000, 100);
  instance.reset();
  application.reset();
  server.close();
  engine.close();
  engine.join(5000);
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    std::cerr << "usage: relay PULL_URL PUSH_URL\n";
    return 2;
  }
  stop_on_signals();
  return run([&] { return relay(argv[1], argv[2]); });
}
