// Publishes an FLV file in real time:
//   publisher FILE.flv URL
// Handlers run in this thread, inside Queue::dispatch, so nothing needs a lock.
#include <algorithm>
#include <chrono>
#include <fstream>

#include "example.hpp"

using Clock = std::chrono::steady_clock;

struct Tag {
  std::uint8_t type = 0;
  std::uint32_t timestamp = 0;
  std::vector<char> body;

  // The next audio, video or data tag; false at the end of the file.
  bool read(std::istream &file) {
    unsigned char head[11];
    char size[4];
    do {
      if (!file.read(reinterpret_cast<char *>(head), sizeof head)) return false;
      body.resize(static_cast<std::size_t>(head[1]) << 16 | static_cast<std::size_t>(head[2]) << 8 | head[3]);
      if (!file.read(body.data(), static_cast<std::streamsize>(body.size())) || !file.read(size, 4)) return false;
      type = head[0];
      timestamp = static_cast<std::uint32_t>(head[7]) << 24 | static_cast<std::uint32_t>(head[4]) << 16 |
                  static_cast<std::uint32_t>(head[5]) << 8 | head[6];
    } while (body.empty() || (type != 8 && type != 9 && type != 18));
    return true;
  }
};

static int publish(std::istream &file, const std::string &url) {
  bool publishing = false, closed = false, failed = false;
  rtmpkit::Engine engine(1);
  rtmpkit::Queue queue(engine, 256);

  rtmpkit::NetConnectionEvents events;
  events.on_status = [&](const rtmpkit::Status &status) {
    if (status.is_error()) std::cerr << status.code << ": " << status.description << '\n';
    failed |= status.is_error();
    closed |= status.code == "NetConnection.Connect.Closed";
  };
  auto config = rtmpkit::defaults(rtmpkit_net_connection_config_init);
  config.queue = queue.get();
  rtmpkit::NetConnection connection(engine, std::move(events), config);
  connection.connect(url);

  // What is asked for before the connection stands is sent as soon as it does.
  rtmpkit::NetStreamEvents stream_events;
  stream_events.on_status = [&](const rtmpkit::Status &status) {
    if (status.is_error()) std::cerr << status.code << ": " << status.description << '\n';
    failed |= status.is_error();
    publishing |= status.code == "NetStream.Publish.Start";
  };
  auto stream = connection.stream(std::move(stream_events));
  stream.publish(stream_name(url));

  const auto goes_on = [&] { return !failed && !closed && !stopped; };
  while (!publishing && goes_on()) queue.dispatch(100, 100);

  Tag tag;
  bool first = true;
  Clock::time_point start;
  while (goes_on() && tag.read(file)) {
    const std::chrono::milliseconds time(tag.timestamp);
    if (std::exchange(first, false)) start = Clock::now() - time;
    while (goes_on() && Clock::now() < start + time) {
      const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(start + time - Clock::now()).count();
      queue.dispatch(100, static_cast<std::int32_t>(std::min<long long>(wait + 1, 100)));
    }
    const auto media = rtmpkit::Media::raw(tag.type, tag.timestamp, tag.body.data(), tag.body.size());
    while (goes_on() && !write(stream, media)) queue.dispatch(100, 20);
  }

  // Closing sends what is queued first.
  stream.reset();
  connection.close();
  for (int turns = 0; !closed && !failed && turns < 50; turns++) queue.dispatch(100, 100);
  connection.reset();
  engine.close();
  engine.join(5000);
  return failed ? 1 : 0;
}

int main(int argc, char **argv) {
  if (argc != 3) {
    std::cerr << "usage: publisher FILE.flv URL\n";
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  char head[13];
  if (!file.read(head, sizeof head) || std::string_view(head, 3) != "FLV") {
    std::cerr << argv[1] << ": no FLV file\n";
    return 1;
  }
  stop_on_signals();
  return run([&] { return publish(file, argv[2]); });
}
