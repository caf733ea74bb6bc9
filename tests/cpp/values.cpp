// What AMF3 alone has, as a host in C++ makes and reads it: vectors and dictionaries. They cross a connection both ways.
#include "harness.hpp"

namespace {

using rtmpkit::Value;

Value point(double x) { return Value::typed_object("org.example.Point").set("x", x); }

// One of each, inside each other.
Value one_of_each() {
  const std::uint8_t bytes[] = {1, 2};
  auto table = Value::dictionary(true).put("name", "Ann").put(7, Value::vector_uint({0, 4294967295u})).put(point(3), true);
  auto points = Value::vector_object("org.example.Point", true).push(point(1)).push(point(2));
  return Value::object()
      .set("ints", Value::vector_int({1, -2}, true))
      .set("doubles", Value::vector_double({0.5, -1.5}))
      .set("points", points)
      .set("any", Value::vector_object().push("text"))
      .set("table", table)
      .set("bytes", Value::bytes(bytes, sizeof bytes))
      .set("date", Value::date(1000))
      .set("xml", Value::xml("<a/>"))
      .set("nothing", Value::undefined());
}

void check_all(const Value &all) {
  CHECK(all["ints"].as_vector_int() == std::vector<std::int32_t>({1, -2}) && all["ints"].is_fixed());
  CHECK(all["ints"].type() == RTMPKIT_VALUE_VECTOR_INT && all["ints"].size() == 2 && all["ints"].at(1).as_number() == -2);
  CHECK(all["ints"][0].as_number() == 1 && !all["ints"][2] && !all[0]);
  CHECK(all["doubles"].as_vector_double() == std::vector<double>({0.5, -1.5}) && !all["doubles"].is_fixed());
  CHECK(!all["doubles"].as_vector_int() && !all["ints"].as_vector_uint() && !all["ints"].as_number());
  CHECK(all["points"].vector_class() == "org.example.Point" && all["points"].is_fixed() && all["points"].size() == 2);
  CHECK(all["points"].at(1).class_name() == "org.example.Point" && all["points"].at(1)["x"].as_number() == 2);
  CHECK(all["any"].vector_class() == "*" && all["any"].at(0).as_string() == "text");
  const auto table = all["table"];
  CHECK(table.type() == RTMPKIT_VALUE_DICTIONARY && table.has_weak_keys() && table.size() == 3);
  CHECK(table.find("name").as_string() == "Ann" && !table.find("Ann"));
  CHECK(table.find(7).as_vector_uint() == std::vector<std::uint32_t>({0, 4294967295u}));
  const auto entries = table.entries();
  CHECK(entries.size() == 3 && entries.at(0).first.as_string() == "name" && entries.at(1).first.as_number() == 7);
  const auto &[key, value] = entries.at(2);
  CHECK(key["x"].as_number() == 3 && value.as_bool() == true && table.find(key).as_bool() == true);
  CHECK(all["bytes"].as_bytes() == std::vector<std::uint8_t>({1, 2}) && all["date"].as_date() == 1000);
  CHECK(all["xml"].as_string() == "<a/>" && all["xml"].type() == RTMPKIT_VALUE_XML);
  CHECK(all["nothing"].type() == RTMPKIT_VALUE_UNDEFINED);
  std::string names;
  for (const auto &[name, member] : all.members()) names += name + (member ? " " : "? ");
  CHECK(names == "ints doubles points any table bytes date xml nothing ");
}

// Numbers of every type are numbers, pointers are nothing.
void scalars_are_what_they_look_like() {
  for (const Value &number : {Value(7), Value(7u), Value(7L), Value(std::size_t(7)), Value(7.0), Value(7.0f)})
    CHECK(number.type() == RTMPKIT_VALUE_NUMBER && number.as_number() == 7);
  CHECK(Value(true).as_bool() == true && Value(nullptr).type() == RTMPKIT_VALUE_NULL);
  for (const Value &text : {Value("text"), Value(std::string("text")), Value(std::string_view("text, or more", 4))})
    CHECK(text.as_string() == "text");
  static_assert(!std::is_constructible_v<Value, int *> && !std::is_constructible_v<Value, const void *>);
}

void p11_vectors_and_dictionaries_cross_both_ways() {
  Mail client, replies;
  Served served({});
  served.application.register_method("swap", [](rtmpkit::Request request, rtmpkit::Client) {
    check_all(request.args().at(0));
    request.accept(one_of_each());
  });
  auto config = rtmpkit::defaults(rtmpkit_net_connection_config_init);
  config.object_encoding = 3;
  rtmpkit::NetConnectionEvents events;
  events.on_release = [&client] { client.put("released"); };
  rtmpkit::NetConnection connection(served.engine, std::move(events), config);
  connection.connect(served.url);
  connection.call("swap", {one_of_each()}, [&](const Value *result, const rtmpkit::Status *error) {
    if (result != nullptr) check_all(*result);
    replies.put(error == nullptr ? "swapped" : error->code);
  });
  CHECK(replies.next() == "swapped");
}

void p11_dictionaries_are_changed() {
  auto key = point(1);
  auto table = Value::dictionary().put(key, 1).put(key, 2);
  CHECK(table.size() == 1 && table.find(key).as_number() == 2 && !table.find(point(1)));
  try {
    Value::vector_int({1}).push(2);
    CHECK(false);
  } catch (const rtmpkit::Error &error) {
    CHECK(error.code() == RTMPKIT_ERR_INVALID_ARGUMENT);
  }
  CHECK(Value::ecma_array().set("a", 1).type() == RTMPKIT_VALUE_OBJECT);
  CHECK(Value::vector_uint({}).as_vector_uint() == std::vector<std::uint32_t>());
}

}  // namespace

int main() {
  scalars_are_what_they_look_like();
  p11_dictionaries_are_changed();
  p11_vectors_and_dictionaries_cross_both_ways();
  return failures == 0 ? 0 : 1;
}
