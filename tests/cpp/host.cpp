// A host in C++: accept and refuse, answers from another thread, in-process publish and subscribe, client publish and
// play, a queue, handlers that throw, and objects destroyed inside their own handlers. Real sockets on 127.0.0.1.
#include "harness.hpp"

namespace {

void accepts_and_refuses() {
  rtmpkit::ApplicationEvents events;
  Mail host, good, bad, thrown;
  events.on_connect = [&](rtmpkit::Request request, rtmpkit::Client client) {
    CHECK(std::string(client.info().protocol) == "rtmp" && request.client().id() == client.id());
    if (request.query() == "throw") throw std::runtime_error("on purpose");
    const bool first = request.query() == "key=good" ? request.accept() : request.reject("Bad key.");
    CHECK(first && !request.accept() && request.is_answered());
  };
  events.on_reject = [&](rtmpkit::Client, const rtmpkit::Status &why) { host.put(why.description); };
  events.on_release = [&] { host.put("released"); };
  {
    Served served(std::move(events));
    auto connection = connect(served, "?key=good", good);
    CHECK(good.next() == "NetConnection.Connect.Success" && connection->is_connected());
    auto refused = connect(served, "?key=bad", bad);
    CHECK(bad.next() == "NetConnection.Connect.Rejected" && bad.next() == "NetConnection.Connect.Closed");
    CHECK(host.next() == "Bad key.");
    auto failed = connect(served, "?throw", thrown);
    CHECK(thrown.next() == "NetConnection.Connect.Rejected");
    CHECK(host.next() != "nothing");

    Mail replies;
    auto clients = served.application.instance().clients();
    CHECK(clients.size() == 1);
    clients.at(0).call("double", {21}, [&](const rtmpkit::Value *result, const rtmpkit::Status *error) {
      replies.put(error == nullptr && result->as_number() == 42 ? "42" : "wrong");
    });
    CHECK(replies.next() == "42");
    connection->call("nothing", {}, [&](const rtmpkit::Value *, const rtmpkit::Status *error) {
      replies.put(error == nullptr ? "wrong" : error->code);
    });
    CHECK(replies.next() == "NetConnection.Call.Failed");
    connection.reset();
    CHECK(good.next() == "NetConnection.Connect.Closed" && good.next() == "released");
  }
  CHECK(host.next() == "released");
}

void answers_later_from_another_thread() {
  rtmpkit::ApplicationEvents events;
  std::thread later;
  events.on_connect = [&](rtmpkit::Request request, rtmpkit::Client) {
    later = std::thread([kept = std::move(request)]() mutable { CHECK(kept.accept()); });
  };
  Mail mail;
  Served served(std::move(events));
  auto connection = connect(served, "", mail);
  CHECK(mail.next() == "NetConnection.Connect.Success");
  later.join();
}

void memory_of_the_host_is_given_back() {
  const std::vector<std::uint8_t> memory(8, 1);
  int given_back = 0;
  {
    const auto buffer = rtmpkit::Buffer::wrap(memory.data(), memory.size(), [&] { given_back++; });
    CHECK(buffer.data() == memory.data() && buffer.size() == 8);
    CHECK(given_back == 0);
  }
  CHECK(given_back == 1);
  int logs = 0;
  {
    const auto counted = std::shared_ptr<int>(&logs, [](int *count) { (*count)++; });
    rtmpkit::Engine engine(1, [counted](std::int32_t, std::string_view, std::string_view) {}, RTMPKIT_LOG_OFF);
    CHECK(engine.stats().workers == 1 && engine.stats().closed == 0);
    engine.close();
    CHECK(engine.stats().closed == 1 && engine.join());
  }
  CHECK(logs == 1);
  // A library with a larger struct than this header's: the copy has the size that it has.
  auto larger = rtmpkit::defaults(rtmpkit_media_init);
  larger.struct_size += 64;
  CHECK(rtmpkit::Media(larger).struct_size == sizeof(rtmpkit_media));
  CHECK(!rtmpkit::has_feature("nonsense") && rtmpkit::has_feature("rtmp"));
}

void reads_what_is_asked_for_and_refuses_with_more() {
  Mail host, mail, info;
  rtmpkit::ApplicationEvents events;
  events.on_play = [&](rtmpkit::Request request, rtmpkit::Client) {
    const auto range = request.range();
    host.put(std::to_string(range.start_ms) + " " + std::to_string(range.duration_ms) + (range.reset ? " reset" : ""));
    CHECK(request.reject("NetStream.Play.Failed", "Not today.", rtmpkit::Value::object().set("until", "Monday")));
  };
  Served served(std::move(events));
  auto connection = connect(served, "", mail);
  CHECK(mail.next() == "NetConnection.Connect.Success");
  rtmpkit::NetStreamEvents wanted;
  wanted.on_status = [&](const rtmpkit::Status &status) {
    info.put(status.code + " " + status.info["until"].as_string().value_or("?"));
  };
  auto stream = connection->stream(std::move(wanted));
  auto options = rtmpkit::defaults(rtmpkit_play_options_init);
  options.start_ms = 2000;
  options.duration_ms = 500;
  stream.play("film", options);
  CHECK(host.next() == "2000 500 reset");
  CHECK(info.next() == "NetStream.Play.Failed Monday");
}

// What a player saw, as texts: its configuration, its keyframes, its audio.
void tell(Mail &mail, const rtmpkit::Media &media) {
  if (media.is_config()) mail.put("config " + std::to_string(media.len));
  if (media.is_keyframe()) {
    const rtmpkit::Buffer kept = media.keep();
    CHECK(kept.data() == media.data && kept.size() == media.len);
    mail.put("key " + std::to_string(media.timestamp_ms) + " " + std::to_string(media.composition_ms));
  }
  if (media.type == RTMPKIT_MEDIA_AUDIO) mail.put(std::string(media.body + 2, media.body + media.body_len));
}

template <class Target>
void write_film(Target &target) {
  const std::uint8_t avcc[] = {1, 100, 0, 10, 255, 225, 0, 1, 0x67, 1, 0, 1, 0x68};
  const std::vector<std::uint8_t> picture(5000, 7);
  target.write(rtmpkit::Media::payload(RTMPKIT_MEDIA_VIDEO, RTMPKIT_CODEC_AVC, 0, RTMPKIT_MEDIA_CONFIG, avcc,
                                       sizeof avcc));
  target.write(rtmpkit::Media::payload(RTMPKIT_MEDIA_VIDEO, RTMPKIT_CODEC_AVC, 40, RTMPKIT_MEDIA_KEYFRAME,
                                       picture.data(), picture.size(), -3));
  target.write(rtmpkit::Media::raw(RTMPKIT_MEDIA_AUDIO, 41, "\xaf\x01sound", 7));
}

void check_film(Mail &mail) {
  CHECK(mail.next() == "config 13");
  CHECK(mail.next() == "key 40 -3");
  CHECK(mail.next() == "sound");
}

void publishes_and_subscribes_in_process() {
  Mail early, late;
  const auto watch = [](Mail &mail) {
    rtmpkit::SubscriptionEvents events;
    events.on_media = [&mail](const rtmpkit::Media &media) { tell(mail, media); };
    events.on_unpublish = [&mail] { mail.put("unpublished"); };
    events.on_release = [&mail] { mail.put("released"); };
    return events;
  };
  Served served({});
  auto instance = served.application.instance("room");
  auto stream = instance.open("cam");
  auto first = stream.subscribe(watch(early));
  auto published = instance.publish("cam");
  try {
    static_cast<void>(instance.publish("cam"));
    CHECK(false);
  } catch (const rtmpkit::Error &error) {
    CHECK(error.code() == RTMPKIT_ERR_ALREADY_EXISTS && std::strlen(error.what()) > 0);
  }
  published.write_data(0, "onMetaData", {rtmpkit::Value::object().set("width", 640)});
  write_film(published);
  check_film(early);
  auto second = stream.subscribe(watch(late));
  check_film(late);
  published.close();
  CHECK(early.next() == "unpublished" && late.next() == "unpublished");
  first.close();
  second.reset();
  CHECK(early.next() == "released" && late.next() == "released");
}

void publishes_and_plays_over_sockets() {
  Mail host, publisher, player, out, in;
  rtmpkit::ApplicationEvents events;
  events.on_publish = [&](rtmpkit::Request request, rtmpkit::Client, rtmpkit::Stream stream) {
    CHECK(stream.name() == request.name() && request.mode() == RTMPKIT_PUBLISH_LIVE);
    if (request.name() == "forbidden") {
      request.reject("NetStream.Publish.Denied", "Not here.");
    } else {
      request.accept();
    }
  };
  Served served(std::move(events));
  const auto streams = [](Mail &mail) {
    rtmpkit::NetStreamEvents wanted;
    wanted.on_status = [&mail](const rtmpkit::Status &status) {
      if (status.code != "NetStream.Play.Reset" && status.code.compare(0, 14, "NetStream.Data") != 0)
        mail.put(status.code);
    };
    wanted.on_media = [&mail](const rtmpkit::Media &media) { tell(mail, media); };
    wanted.on_release = [&mail] { mail.put("released"); };
    return wanted;
  };
  auto from = connect(served, "", publisher), to = connect(served, "", player);
  Mail denied;
  auto refused = from->stream(streams(denied));
  refused.publish("forbidden");
  CHECK(denied.next() == "NetStream.Publish.Denied");
  refused.reset();
  CHECK(denied.next() == "released");

  auto published = from->stream(streams(out));
  published.publish("cam");
  CHECK(out.next() == "NetStream.Publish.Start");
  auto played = to->stream(streams(in));
  played.play("cam");
  CHECK(in.next() == "NetStream.Play.Start");
  write_film(published);
  // The server may announce the publisher in between.
  std::string seen = in.next();
  while (seen.compare(0, 10, "NetStream.") == 0) seen = in.next();
  CHECK(seen == "config 13" && in.next() == "key 40 -3" && in.next() == "sound");
  CHECK(published.stats().messages_out == 3);
  from.reset();
  to.reset();
}

void queue_runs_handlers_on_this_thread() {
  rtmpkit::Engine engine(1);
  rtmpkit::Queue queue(engine, 64);
  const auto here = std::this_thread::get_id();
  int connects = 0, releases = 0;
  rtmpkit::ApplicationEvents events;
  events.on_connect = [&](rtmpkit::Request request, rtmpkit::Client) {
    CHECK(std::this_thread::get_id() == here);
    connects++;
    request.accept();
  };
  events.on_release = [&] { releases++; };
  Mail mail;
  {
    Served served(std::move(events), &queue);
    auto connection = connect(served, "", mail);
    for (int turns = 0; connects == 0 && turns < 100; turns++) queue.dispatch(10, 200);
    CHECK(mail.next() == "NetConnection.Connect.Success" && connects == 1);
    served.application.close();
    for (int turns = 0; releases == 0 && turns < 100; turns++) queue.dispatch(10, 200);
  }
  CHECK(releases == 1);
}

void logs_what_handlers_throw() {
  Mail log, mail;
  rtmpkit::Engine engine(1, [&](std::int32_t level, std::string_view, std::string_view message) {
    if (level == RTMPKIT_LOG_ERROR) log.put(std::string(message));
  });
  rtmpkit::NetConnectionEvents events;
  events.on_status = [&](const rtmpkit::Status &status) {
    mail.put(status.code);
    throw std::runtime_error("thrown by a handler");
  };
  rtmpkit::NetConnection connection(engine, std::move(events));
  connection.connect("rtmp://127.0.0.1:1/live");
  CHECK(mail.next() == "NetConnection.Connect.Failed");
  CHECK(log.next() == "thrown by a handler");
  engine.close();
  CHECK(engine.join(20000));
}

void objects_may_go_inside_their_own_handlers() {
  Mail mail;
  Served served({});
  std::unique_ptr<rtmpkit::NetConnection> connection;
  std::mutex lock;
  rtmpkit::NetConnectionEvents events;
  events.on_status = [&](const rtmpkit::Status &) {
    const std::lock_guard<std::mutex> guard(lock);
    connection.reset();
    mail.put("gone");
  };
  events.on_release = [&] { mail.put("released"); };
  {
    const std::lock_guard<std::mutex> guard(lock);
    connection = std::make_unique<rtmpkit::NetConnection>(served.engine, std::move(events));
    connection->connect(served.url);
  }
  std::string last = mail.next();
  while (last == "gone") last = mail.next();
  CHECK(last == "released");
}

}  // namespace

int main() {
  try {
    memory_of_the_host_is_given_back();
    reads_what_is_asked_for_and_refuses_with_more();
    accepts_and_refuses();
    answers_later_from_another_thread();
    publishes_and_subscribes_in_process();
    publishes_and_plays_over_sockets();
    queue_runs_handlers_on_this_thread();
    logs_what_handlers_throw();
    objects_may_go_inside_their_own_handlers();
  } catch (const std::exception &error) {
    std::printf("not expected: %s\n", error.what());
    failures++;
  }
  std::printf("%s: %d failures\n", rtmpkit::version().c_str(), failures.load());
  return failures != 0;
}
