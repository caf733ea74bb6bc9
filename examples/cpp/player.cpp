// Plays a stream into an FLV file, until it ends, the seconds are over, or Ctrl-C:
//   player URL FILE.flv [--seconds N]
// Handlers run in this thread, inside Queue::dispatch, so nothing needs a lock.
#include <chrono>
#include <fstream>

#include "example.hpp"

static void put24(char *out, std::size_t value) {
  out[0] = static_cast<char>(value >> 16);
  out[1] = static_cast<char>(value >> 8);
  out[2] = static_cast<char>(value);
}

// A message body is an FLV tag's body.
static void write_tag(std::ostream &file, const rtmpkit::Media &media) {
  char head[11] = {static_cast<char>(media.type)}, size[4];
  const std::size_t total = sizeof head + media.body_len;
  put24(head + 1, media.body_len);
  put24(head + 4, static_cast<std::size_t>(media.timestamp_ms & 0xffffff));
  head[7] = static_cast<char>(media.timestamp_ms >> 24);
  size[0] = static_cast<char>(total >> 24);
  put24(size + 1, total);
  file.write(head, sizeof head);
  file.write(reinterpret_cast<const char *>(media.body), static_cast<std::streamsize>(media.body_len));
  file.write(size, sizeof size);
}

static int play(const std::string &url, std::ostream &file, double seconds) {
  bool done = false, failed = false, audio = false, video = false;
  rtmpkit::Engine engine(1);
  rtmpkit::Queue queue(engine, 4096);

  rtmpkit::NetConnectionEvents events;
  events.on_status = [&](const rtmpkit::Status &status) {
    if (status.is_error()) std::cerr << status.code << ": " << status.description << '\n';
    failed |= status.is_error();
    done |= status.code == "NetConnection.Connect.Closed";
  };
  auto config = rtmpkit::defaults(rtmpkit_net_connection_config_init);
  config.queue = queue.get();
  rtmpkit::NetConnection connection(engine, std::move(events), config);
  connection.connect(url);

  rtmpkit::NetStreamEvents stream_events;
  stream_events.on_status = [&](const rtmpkit::Status &status) {
    if (status.is_error()) std::cerr << status.code << ": " << status.description << '\n';
    failed |= status.is_error();
    done |= status.code == "NetStream.Play.UnpublishNotify" || status.code == "NetStream.Play.Stop";
  };
  stream_events.on_media = [&](const rtmpkit::Media &media) {
    audio |= media.type == RTMPKIT_MEDIA_AUDIO;
    video |= media.type == RTMPKIT_MEDIA_VIDEO;
    write_tag(file, media);
  };
  auto stream = connection.stream(std::move(stream_events));
  stream.play(stream_name(url));

  const auto start = std::chrono::steady_clock::now();
  const auto in_time = [&] {
    return seconds <= 0 || std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds;
  };
  while (!done && !failed && !stopped && file && in_time()) queue.dispatch(1000, 100);

  stream.reset();
  connection.reset();
  engine.close();
  engine.join(5000);
  // Only now is it known what the file holds.
  file.seekp(4);
  file.put(static_cast<char>((audio ? 4 : 0) | (video ? 1 : 0)));
  return failed || !file ? 1 : 0;
}

int main(int argc, char **argv) {
  const bool limited = argc == 5 && std::string(argv[3]) == "--seconds";
  if (argc != 3 && !limited) {
    std::cerr << "usage: player URL FILE.flv [--seconds N]\n";
    return 2;
  }
  std::ofstream file(argv[2], std::ios::binary);
  if (!file.write("FLV\1\5\0\0\0\11\0\0\0\0", 13)) {
    std::cerr << argv[2] << ": cannot be written\n";
    return 1;
  }
  stop_on_signals();
  return run([&] { return play(argv[1], file, limited ? std::stod(argv[4]) : 0); });
}
