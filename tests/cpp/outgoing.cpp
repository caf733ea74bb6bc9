// What a host in C++ sets and reads of outgoing connections and streams: logging in, encodings, handshakes, the object of
// connect, the outgoing buffer, the time published, data messages.
#include "../c/gateway.h"
#include "harness.hpp"

namespace {

// Waits for one of the texts that handlers leave; others are passed over.
void comes(Mail &mail, const std::string &wanted) {
  std::string text = mail.next();
  while (text != wanted && text != "nothing") text = mail.next();
  CHECK(text == wanted);
}

std::unique_ptr<rtmpkit::NetConnection> reach(Served &served, const std::string &user, Mail &mail,
                                              const rtmpkit_net_connection_config &config) {
  rtmpkit::NetConnectionEvents events;
  events.on_status = [&mail](const rtmpkit::Status &status) {
    const auto at = status.description.find("?reason=");
    mail.put(at == std::string::npos ? status.code : status.description.substr(at, 16));
  };
  auto connection = std::make_unique<rtmpkit::NetConnection>(served.engine, std::move(events), config);
  connection->connect("rtmp://" + user + served.url.substr(7));
  return connection;
}

void p18_the_host_checks_logins() {
  for (const std::int32_t method : {RTMPKIT_LOGIN_ADOBE, RTMPKIT_LOGIN_LIMELIGHT}) {
    Mail host, client;
    const std::string hash = rtmpkit::login_hash(method, "me", "NaCl", "s3cret");
    rtmpkit::ApplicationEvents events;
    events.on_connect = [&](rtmpkit::Request request, rtmpkit::Client) {
      if (request.login() == RTMPKIT_LOGIN_NONE)
        request.demand_login(method);
      else if (request.user() == "me" ? request.check_login_hash("NaCl", hash) : request.check_login(nullptr))
        request.accept();
    };
    Served served(std::move(events));
    const auto config = rtmpkit::defaults(rtmpkit_net_connection_config_init);
    const auto mine = reach(served, "me:s3cret@", client, config);
    comes(client, "NetConnection.Connect.Success");
    const auto wrong = reach(served, "me:wrong@", client, config);
    comes(client, "?reason=authfail");
    const auto unknown = reach(served, "you:s3cret@", client, config);
    comes(client, "?reason=nosuchus");
  }
}

void p18_users_of_an_application_log_in() {
  Mail client;
  Served served({});
  auto config = rtmpkit::defaults(rtmpkit_application_config_init);
  config.login = RTMPKIT_LOGIN_ADOBE;
  auto guarded = served.server.application("guarded", {}, config);
  served.url.replace(served.url.size() - 4, 4, "guarded");
  guarded.set_user("me", "s3cret");
  guarded.set_user_hash("you", "NaCl", rtmpkit::login_hash(RTMPKIT_LOGIN_ADOBE, "you", "NaCl", "other"));
  auto settings = rtmpkit::defaults(rtmpkit_net_connection_config_init);
  settings.user = "me";
  settings.password = "s3cret";
  const auto first = reach(served, "", client, settings);
  comes(client, "NetConnection.Connect.Success");
  const auto second = reach(served, "you:other@", client, settings);
  comes(client, "NetConnection.Connect.Success");
  guarded.remove_user("me");
  const auto third = reach(served, "", client, settings);
  comes(client, "?reason=nosuchus");
}

void n6_p2_p12_what_a_connection_announces() {
  Mail host, client;
  rtmpkit::ApplicationEvents events;
  events.on_connect = [&](rtmpkit::Request request, rtmpkit::Client peer) {
    const auto object = rtmpkit::Value::lent(peer.info().connect_object);
    host.put(std::to_string(static_cast<int>(object["objectEncoding"].as_number().value_or(-1))) + " " +
             std::to_string(static_cast<int>(object["audioCodecs"].as_number().value_or(-1))) + " " +
             object["swfUrl"].as_string().value_or("none"));
    request.accept();
  };
  Served served(std::move(events));
  auto config = rtmpkit::defaults(rtmpkit_net_connection_config_init);
  auto properties = rtmpkit::Value::object();
  properties.set("audioCodecs", 1024);
  config.referrer = "http://testsite.com/player.swf";
  config.object_encoding = 3;
  config.digest_handshake = 1;
  config.properties = properties.get();
  const auto connection = reach(served, "", client, config);
  comes(client, "NetConnection.Connect.Success");
  CHECK(host.next() == "3 1024 http://testsite.com/player.swf");
}

void s3_s6_s7_a_publisher_knows_what_it_sends() {
  Mail client, published, played;
  Served served({});
  const auto connection = reach(served, "", client, rtmpkit::defaults(rtmpkit_net_connection_config_init));
  rtmpkit::NetStreamEvents events;
  events.on_status = [&](const rtmpkit::Status &status) { published.put(status.code); };
  auto out = connection->stream(std::move(events));
  CHECK(out.send_buffer() == 0 && out.publish_time() == 0);
  out.set_send_buffer(2000);
  CHECK(out.send_buffer() == 2000);
  out.publish("cam");
  comes(published, "NetStream.Publish.Start");
  while (out.publish_time() == 0) std::this_thread::yield();
  rtmpkit::NetStreamEvents watching;
  watching.on_status = [&](const rtmpkit::Status &status) { played.put(status.code); };
  watching.on_media = [&](const rtmpkit::Media &media) {
    const auto values = connection->read_data(media);
    if (values.at(0).as_string() == "onNote") played.put(values.at(1).as_string().value_or(""));
  };
  auto in = connection->stream(std::move(watching));
  in.play("cam");
  comes(played, "NetStream.Play.Start");
  out.send(1500, "onNote", {"hello"});
  comes(played, "hello");
}

void p9_players_are_told_when_their_stream_is_dry() {
  Mail client, played;
  Served served({});
  auto config = rtmpkit::defaults(rtmpkit_application_config_init);
  config.stream_dry_ms = 10;
  auto quiet = served.server.application("quiet", {}, config);
  served.url.replace(served.url.size() - 4, 4, "quiet");
  auto published = quiet.instance().publish("cam");
  const auto connection = reach(served, "", client, rtmpkit::defaults(rtmpkit_net_connection_config_init));
  rtmpkit::NetStreamEvents events;
  events.on_dry = [&] { played.put("dry"); };
  auto in = connection->stream(std::move(events));
  in.play("cam");
  comes(played, "dry");
  published.send("news", {1});
  comes(played, "dry");
}

void n1_n2_n3_calls_to_a_gateway() {
  Mail client;
  gateway gateway;
  gateway_open(&gateway);
  Served served({});
  rtmpkit::NetConnectionEvents events;
  events.on_status = [&](const rtmpkit::Status &status) { client.put(status.code); };
  rtmpkit::NetConnection connection(served.engine, std::move(events));
  connection.add_header("ticket", true, "t7");
  connection.connect("http://127.0.0.1:" + std::to_string(gateway.port) + "/gateway");
  CHECK(connection.is_connected());
  comes(client, "NetConnection.Connect.Success");
  const auto answer = [&](const rtmpkit::Value *result, const rtmpkit::Status *error) {
    client.put(error != nullptr ? error->code : result->as_string().value_or(""));
  };
  connection.call("a.b", {"x"}, answer);
  comes(client, "y");
  CHECK(gateway_saw(&gateway, "\0\6ticket\1\0\0\0\5\2\0\2t7", 18));
  connection.remove_header("ticket");
  connection.call("a.fail", {}, answer);
  comes(client, "Server.No");
  CHECK(!gateway_saw(&gateway, "ticket", 6));
  connection.close();
  comes(client, "NetConnection.Connect.Closed");
  gateway_close(&gateway);
}

void netconnection_connect_networkchange_when_the_host_says_so() {
  Mail client;
  Served served({});
  auto config = rtmpkit::defaults(rtmpkit_engine_config_init);
  config.watch_network = 0;
  rtmpkit::Engine engine(config);
  rtmpkit::NetConnectionEvents events;
  events.on_status = [&client](const rtmpkit::Status &status) {
    client.put(status.code + (status.level == RTMPKIT_LEVEL_STATUS ? "" : " is no status"));
  };
  rtmpkit::NetConnection connection(engine, std::move(events));
  connection.connect(served.url);
  CHECK(client.next() == "NetConnection.Connect.Success");
  engine.network_changed();
  CHECK(client.next() == "NetConnection.Connect.NetworkChange");
  connection.close();
  CHECK(client.next() == "NetConnection.Connect.Closed");
  engine.close();
  CHECK(engine.join(20000));
}

}  // namespace

int main() {
  try {
    p18_the_host_checks_logins();
    p18_users_of_an_application_log_in();
    n6_p2_p12_what_a_connection_announces();
    s3_s6_s7_a_publisher_knows_what_it_sends();
    p9_players_are_told_when_their_stream_is_dry();
    n1_n2_n3_calls_to_a_gateway();
    netconnection_connect_networkchange_when_the_host_says_so();
  } catch (const std::exception &error) {
    std::printf("not expected: %s\n", error.what());
    failures++;
  }
  std::printf("%s: %d failures\n", rtmpkit::version().c_str(), failures.load());
  return failures != 0;
}
