// What the hosts in this folder share: checks, mail, a server on a free port, a client to it.
#ifndef HARNESS_HPP
#define HARNESS_HPP

#include <rtmpkit.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

inline std::atomic<int> failures{0};

#define CHECK(condition) \
  do { \
    if (!(condition)) { \
      std::printf("%s:%d: %s is not so (%s)\n", __FILE__, __LINE__, #condition, rtmpkit_last_error()); \
      failures++; \
    } \
  } while (false)

// Texts that handlers leave for the test; `next` waits for one.
class Mail {
public:
  void put(std::string text) {
    const std::lock_guard<std::mutex> guard(lock_);
    texts_.push_back(std::move(text));
    changed_.notify_all();
  }
  std::string next() {
    std::unique_lock<std::mutex> guard(lock_);
    if (!changed_.wait_for(guard, std::chrono::seconds(20), [&] { return read_ < texts_.size(); })) return "nothing";
    return texts_[read_++];
  }

private:
  std::mutex lock_;
  std::condition_variable changed_;
  std::vector<std::string> texts_;
  std::size_t read_ = 0;
};

struct Served {
  explicit Served(rtmpkit::ApplicationEvents events, rtmpkit::Queue *queue = nullptr) : server(engine) {
    auto config = rtmpkit::defaults(rtmpkit_application_config_init);
    if (queue != nullptr) config.queue = queue->get();
    application = server.application("live", std::move(events), config);
    url = "rtmp://127.0.0.1:" + std::to_string(server.listen("127.0.0.1:0")) + "/live";
  }
  ~Served() {
    server.close();
    engine.close();
    CHECK(engine.join(20000));
  }
  rtmpkit::Engine engine{2};
  rtmpkit::Server server;
  rtmpkit::Application application;
  std::string url;
};

inline std::unique_ptr<rtmpkit::NetConnection> connect(Served &served, const std::string &query, Mail &mail) {
  rtmpkit::NetConnectionEvents events;
  events.on_status = [&mail](const rtmpkit::Status &status) { mail.put(status.code); };
  events.on_call = [](rtmpkit::Request request) {
    if (request.name() == "double") request.accept(*request.args().at(0).as_number() * 2);
  };
  events.on_release = [&mail] { mail.put("released"); };
  auto connection = std::make_unique<rtmpkit::NetConnection>(served.engine, std::move(events));
  connection->connect(served.url + query);
  return connection;
}

#endif
