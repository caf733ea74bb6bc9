// What the example programs share: stream names, metadata for late joiners, and a stop on Ctrl-C.
#pragma once

#include <csignal>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include <rtmpkit.hpp>

inline volatile std::sig_atomic_t stopped = 0;

// Sets `stopped` on Ctrl-C and on an orderly kill.
inline void stop_on_signals() {
  std::signal(SIGINT, [](int) { stopped = 1; });
  std::signal(SIGTERM, [](int) { stopped = 1; });
}

// The part of a URL after its last slash: the stream's name.
inline std::string stream_name(const std::string &url) { return url.substr(url.rfind('/') + 1); }

// Publishes a message; metadata with @setDataFrame in front, so that servers keep it for those who join late.
inline bool write(rtmpkit::NetStream &stream, const rtmpkit::Media &media) {
  if (media.type != RTMPKIT_MEDIA_DATA) return stream.write(media);
  std::string body("\x02\x00\x0d@setDataFrame", 16);
  body.append(reinterpret_cast<const char *>(media.body), media.body_len);
  return stream.write(rtmpkit::Media::raw(media.type, media.timestamp_ms, body.data(), body.size()));
}

// Runs a program's body; what it throws is printed.
template <class F>
int run(F &&body) {
  try {
    return body();
  } catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
