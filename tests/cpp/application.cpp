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
    a9_a12_a30_instances_and_configuration();
  } catch (const std::exception &error) {
    std::printf("not expected: %s\n", error.what());
    failures++;
  }
  std::printf("%s: %d failures\n", rtmpkit::version().c_str(), failures.load());
  return failures != 0;
}
