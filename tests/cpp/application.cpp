// Applications, their clients and shared objects from C++. The names of the scenes begin with the rows of
// docs/conformance.md that they show.
#include "harness.hpp"

#include <unistd.h>

#include <fstream>
#include <sstream>

namespace {

std::string shown(const rtmpkit::SlotChange &change) {
  const auto number = [](const rtmpkit::Value &value) {
    return value ? std::to_string(static_cast<int>(value.as_number().value_or(-1))) : "-";
  };
  return std::to_string(change.kind) + change.name + number(change.old_value) + ">" + number(change.new_value);
}

rtmpkit::SharedObjectEvents telling(Mail &mail) {
  rtmpkit::SharedObjectEvents events;
  events.on_sync = [&mail](rtmpkit::SharedObject &, const std::vector<rtmpkit::SlotChange> &changes) {
    std::string line = "sync";
    for (const auto &change : changes) line += " " + shown(change);
    mail.put(line);
  };
  events.on_message = [&mail](rtmpkit::SharedObject &object, const rtmpkit::Client &sender, const std::string &handler,
                              const rtmpkit::Values &args) {
    CHECK(object.name() == "room");
    mail.put((sender ? "client " : "host ") + handler + " " + std::to_string(args.size()));
  };
  events.on_clear = [&mail](rtmpkit::SharedObject &object) { mail.put("clear " + std::to_string(object.size())); };
  events.on_release = [&mail] { mail.put("released"); };
  return events;
}

void o2_o6_o8_shared_objects() {
  Mail host, far, client;
  Served served({});
  auto instance = served.application.instance();
  auto object = rtmpkit::SharedObject::open(instance, "room", false, telling(host));
  auto connection = connect(served, "", client);
  auto joined = rtmpkit::SharedObject::connect(*connection, "room", false, telling(far));
  CHECK(far.next() == "clear 0" && far.next() == "sync" && joined.is_connected());
  joined.set("n", 1);
  CHECK(far.next() == "sync 3n->1" && host.next() == "sync 1n->1");
  {
    const rtmpkit::SharedObjectLock together(object);
    object.set("x", 2);
    CHECK(object.remove("n") && !object.remove("n"));
  }
  CHECK(far.next() == "sync 1x->2 2n1>-");
  CHECK(object.get_slot("x").as_number() == 2 && !object.get_slot("n") && object.names().size() == 1);
  CHECK(object.version() == 3 && joined.size() == 1 && object.subscribers() == 1 && !object.is_persistent());
  joined.send("say", {1, "two"});
  CHECK(far.next() == "host say 2" && host.next() == "client say 2");
  CHECK(object.clear());
  CHECK(far.next() == "clear 0");
  try {
    joined.flush();
    CHECK(false);
  } catch (const rtmpkit::Error &error) {
    CHECK(error.code() == RTMPKIT_ERR_WRONG_STATE);
  }
  Mail replies;
  rtmpkit::SharedObject::destroy(instance, "/", [&](const rtmpkit::Value *result, const rtmpkit::Status *error) {
    replies.put(error == nullptr && result->as_number() == 1 ? "one" : "wrong");
  });
  CHECK(replies.next() == "one" && host.next() == "clear 0");
  joined.reset();
  object.close();
  std::string last = far.next();
  while (last == "clear 0") last = far.next();
  CHECK(last == "released" && host.next() == "released");
}

void a27_c14_c16_methods_classes_and_access() {
  Mail mail, accepted, replies;
  rtmpkit::ApplicationEvents events;
  events.on_accept = [&](rtmpkit::Client client) {
    client.set_access("/public", "");
    client.register_method("who", [](rtmpkit::Request request, rtmpkit::Client me) {
      request.accept(static_cast<double>(me.id()));
    });
    accepted.put(*client.access()["read"].as_string());
  };
  Served served(std::move(events));
  served.application.register_class("Point", [](rtmpkit::Value &object) {
    object.set("length", *object["x"].as_number() * 10);
    return object.class_name() == "Point";
  });
  served.application.register_method("length", [](rtmpkit::Request request, rtmpkit::Client) {
    request.accept(request.args().at(0)["length"]);
  });
  served.application.register_method("throws", [](rtmpkit::Request, rtmpkit::Client) {
    throw std::runtime_error("on purpose");
  });
  served.application.proxy_method("far", served.url, "length");
  auto connection = connect(served, "", mail);
  CHECK(accepted.next() == "/public");
  const auto reply = [&](const rtmpkit::Value *result, const rtmpkit::Status *error) {
    replies.put(error == nullptr ? std::to_string(static_cast<int>(result->as_number().value_or(-1))) : error->code);
  };
  const rtmpkit::Value point = rtmpkit::Value::typed_object("Point").set("x", 4);
  connection->call("length", {point}, reply);
  CHECK(replies.next() == "40");
  connection->call("far", {point}, reply);
  CHECK(replies.next() == "40");
  connection->call("throws", {}, reply);
  CHECK(replies.next() == "NetConnection.Call.Failed");
  connection->call("who", {}, reply);
  CHECK(std::stoi(replies.next()) > 0);
  CHECK(served.application.unregister_method("length") && !served.application.unregister_method("length"));
  CHECK(served.application.unregister_class("Point") && served.server.deviations().size() == 0);
}

void a27_m10_outgoing_connections() {
  Mail mail, accepted, replies, calls;
  rtmpkit::Client client;
  rtmpkit::Request kept;
  rtmpkit::Status asked;
  rtmpkit::ApplicationEvents events;
  events.on_accept = [&](rtmpkit::Client arrived) {
    client = std::move(arrived);
    accepted.put("accepted");
  };
  Served served(std::move(events));
  served.application.register_method("point", [](rtmpkit::Request request, rtmpkit::Client) {
    request.accept(rtmpkit::Value::typed_object("Point").set("x", 4));
  });
  rtmpkit::NetConnectionEvents wanted;
  wanted.on_status = [&](const rtmpkit::Status &status) {
    asked = status;
    mail.put(status.code);
  };
  wanted.on_call = [&](rtmpkit::Request request) {
    kept = std::move(request);
    calls.put(kept.name());
  };
  rtmpkit::NetConnection connection(served.engine, std::move(wanted));
  const auto length = [](rtmpkit::Value &object) {
    object.set("length", object["x"].as_number().value_or(0) * 10);
    return true;
  };
  connection.register_class("Point", length);
  connection.connect(served.url);
  CHECK(accepted.next() == "accepted" && mail.next() == "NetConnection.Connect.Success");
  const auto reply = [&](const rtmpkit::Value *result, const rtmpkit::Status *error) {
    const auto text = [&] { return std::to_string(static_cast<int>((*result)["length"].as_number().value_or(-1))); };
    replies.put(error == nullptr ? text() : error->code);
  };
  connection.call("point", {}, reply);
  CHECK(replies.next() == "40");
  client.call("later", {}, reply);
  CHECK(calls.next() == "later");
  kept.accept(rtmpkit::Value::object().set("length", 7));
  CHECK(replies.next() == "7");
  client.call("dropped", {}, reply);
  CHECK(calls.next() == "dropped");
  kept.reset();
  CHECK(replies.next() == "NetConnection.Call.Failed");

  rtmpkit::NetStreamEvents playing;
  playing.on_status = [&](const rtmpkit::Status &status) { mail.put(status.code); };
  playing.on_media = [&](const rtmpkit::Media &media) {
    if (media.type != RTMPKIT_MEDIA_DATA) return;
    const auto values = connection.read_data(media);
    if (values.at(0).as_string() == "onPoint") replies.put(std::to_string(*values.at(1)["length"].as_number()));
  };
  auto player = connection.stream(std::move(playing));
  player.set_buffer(100);
  CHECK(player.buffer() == 100);
  player.play("cam");
  CHECK(mail.next() == "NetStream.Play.Reset" && mail.next() == "NetStream.Play.Start");
  auto published = served.application.instance().publish("cam");
  published.send("onPoint", {rtmpkit::Value::typed_object("Point").set("x", 5)});
  CHECK(std::stod(replies.next()) == 50);
  player.reset();

  client.request_reconnect("/live/upstairs", "Move.");
  std::string code = mail.next();
  while (code.find("NetStream.") == 0) code = mail.next();
  CHECK(code == "NetConnection.Connect.ReconnectRequest");
  const auto target = connection.reconnect_target(asked);
  CHECK(target == served.url + "/upstairs" && !connection.reconnect_target(rtmpkit::Status()));
  connection.reconnect_to(*target);
  CHECK(accepted.next() == "accepted" && mail.next() == "NetConnection.Connect.Success");
  CHECK(connection.uri() == *target && connection.unregister_class("Point"));
  client.reset();
}

void a9_a12_a30_instances_and_configuration() {
  Mail mail, host, replies;
  char path[] = "/tmp/rtmpkit-cpp-XXXXXX";
  const int file = mkstemp(path);
  CHECK(file >= 0 && write(file, "# kept\nsize = 1\n", 16) == 16);
  rtmpkit::ApplicationEvents events;
  events.on_status = [&](rtmpkit::Instance, const rtmpkit::Status &status) { host.put(status.code); };
  Served served({});
  auto config = rtmpkit::defaults(rtmpkit_application_config_init);
  config.config_file = path;
  auto room = served.server.application("room", std::move(events), config);
  room.set_config("size", 2);
  room.set_config("limits.clients", 3);
  room.save_config();
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  CHECK(text.str().find("# kept\nsize = 2") == 0 && room.config("limits")["clients"].as_number() == 3);
  CHECK(room.remove_config("size") && !room.config("size"));
  close(file);
  unlink(path);

  auto instance = room.instance();
  auto published = instance.publish("cam");
  CHECK(instance.streams().size() == 1);
  instance.clear_streams("/", [&](const rtmpkit::Value *result, const rtmpkit::Status *error) {
    replies.put(error == nullptr && result->as_number() == 1 ? "one" : "wrong");
  });
  CHECK(host.next() == "NetStream.Clear.Success" && replies.next() == "one");
  published.send("news", {1});
  CHECK(instance.collect() >= 0 && instance.unload() && !instance.unload() && instance.is_unloaded());
  CHECK(host.next() == "Application.Shutdown");
  CHECK(!rtmpkit::host_name().empty() && !rtmpkit::platform().empty());
}

}  // namespace

int main() {
  try {
    o2_o6_o8_shared_objects();
    a27_c14_c16_methods_classes_and_access();
    a27_m10_outgoing_connections();
    a9_a12_a30_instances_and_configuration();
  } catch (const std::exception &error) {
    std::printf("not expected: %s\n", error.what());
    failures++;
  }
  std::printf("%s: %d failures\n", rtmpkit::version().c_str(), failures.load());
  return failures != 0;
}
