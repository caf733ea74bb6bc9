// Plays a stream from one server and publishes it to another, without touching the media:
//   relay PULL_URL PUSH_URL
// Handlers run in this thread, inside Queue::dispatch, so nothing needs a lock.
#include "example.hpp"

static int relay(const std::string &pull_url, const std::string &push_url) {
  bool done = false, failed = false, behind = false;
  rtmpkit::Engine engine;
  rtmpkit::Queue queue(engine, 4096);
  auto config = rtmpkit::defaults(rtmpkit_net_connection_config_init);
  config.queue = queue.get();

  const auto connect = [&](const std::string &url) {
    rtmpkit::NetConnectionEvents events;
    events.on_status = [&](const rtmpkit::Status &status) {
      if (status.is_error()) std::cerr << status.code << ": " << status.description << '\n';
      failed |= status.is_error();
      done |= status.code == "NetConnection.Connect.Closed";
    };
    rtmpkit::NetConnection connection(engine, std::move(events), config);
    connection.connect(url);
    return connection;
  };
  const auto stream_events = [&] {
    rtmpkit::NetStreamEvents events;
    events.on_status = [&](const rtmpkit::Status &status) {
      if (status.is_error()) std::cerr << status.code << ": " << status.description << '\n';
      failed |= status.is_error();
      done |= status.code == "NetStream.Play.UnpublishNotify";
    };
    return events;
  };

  auto to = connect(push_url);
  auto push = to.stream(stream_events());
  push.publish(stream_name(push_url));

  auto from = connect(pull_url);
  auto events = stream_events();
  // A message goes on as it came; its payload is shared, not copied. If the network does not keep up, it is dropped to
  // the next keyframe.
  events.on_media = [&](const rtmpkit::Media &media) {
    if (media.type == RTMPKIT_MEDIA_VIDEO && media.is_keyframe()) behind = false;
    if (!behind || media.is_config()) behind = !write(push, media);
  };
  auto pull = from.stream(std::move(events));
  pull.play(stream_name(pull_url));

  while (!done && !failed && !stopped) queue.dispatch(1000, 100);

  pull.reset();
  push.reset();
  from.reset();
  to.reset();
  engine.close();
  engine.join(5000);
  return failed ? 1 : 0;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    std::cerr << "usage: relay PULL_URL PUSH_URL\n";
    return 2;
  }
  stop_on_signals();
  return run([&] { return relay(argv[1], argv[2]); });
}
