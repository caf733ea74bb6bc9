/*
 * Applications and their clients from C. The names of the scenes begin with the rows of docs/conformance.md that they
 * show.
 */
#define _POSIX_C_SOURCE 200809L
#include "room.h"

static rtmpkit_net_stream *stream_of(rtmpkit_net_connection *connection, struct seen *seen) {
  rtmpkit_net_stream_events events;
  rtmpkit_net_stream *stream = NULL;
  seen_init(seen);
  rtmpkit_net_stream_events_init(&events, sizeof events);
  events.on_status = on_stream_status;
  events.on_media = on_stream_media;
  events.on_release = on_release;
  OK(rtmpkit_net_stream_create(connection, &events, seen, &stream));
  return stream;
}

static rtmpkit_instance *instance_of(struct room *room) {
  rtmpkit_instance *instance = NULL;
  OK(rtmpkit_instance_get(room->application, NULL, &instance));
  return instance;
}

/* Calls a method with a number of numbers; 0 arguments is none. */
static int32_t call_numbers(rtmpkit_net_connection *connection, const char *method, int n, struct seen *reply) {
  rtmpkit_value *values[4] = {NULL};
  for (int i = 0; i < n; i++) values[i] = rtmpkit_value_number(i + 1);
  int32_t result = rtmpkit_net_connection_call(connection, method, (const rtmpkit_value *const *)values, (size_t)n,
                                               on_reply, reply);
  for (int i = 0; i < n; i++) rtmpkit_value_unref(values[i]);
  return result;
}

static void a16_a17_the_server_knows_itself(void) {
  CHECK(strlen(rtmpkit_host_name()) > 0 && strchr(rtmpkit_platform(), ' ') != NULL);
  CHECK(rtmpkit_version() == RTMPKIT_VERSION && rtmpkit_has_feature("rtmp") && !rtmpkit_has_feature("nonsense"));
}

static void a8_a9_a10_s6_streams_are_cleared_and_spoken_to(void) {
  struct room room;
  struct seen client, out, player, in, one, all, none;
  char directory[] = "/tmp/rtmpkit-room-XXXXXX", path[128], command[128];
  rtmpkit_application_config config = room_config();
  rtmpkit_stream *streams[4];
  size_t n = 0;
  seen_init(&one), seen_init(&all), seen_init(&none);
  CHECK(mkdtemp(directory) != NULL);
  snprintf(command, sizeof command, "mkdir -p %s/streams/_definst_ && echo x > %s/streams/_definst_/film.flv", directory,
           directory);
  CHECK(system(command) == 0);
  config.directory = directory;
  open_room(&room, &config);
  rtmpkit_net_connection *from = enter(&room, &client), *to = enter(&room, &player);
  rtmpkit_net_stream *published = stream_of(from, &out), *played = stream_of(to, &in);
  OK(rtmpkit_net_stream_publish(published, "cam", RTMPKIT_PUBLISH_LIVE));
  CHECK(told(&out, "NetStream.Publish.Start"));
  OK(rtmpkit_net_stream_play(played, "cam", NULL));
  CHECK(told(&in, "NetStream.Play.Start"));

  rtmpkit_instance *instance = instance_of(&room);
  OK(rtmpkit_instance_streams(instance, streams, 4, &n));
  CHECK(n == 1 && strcmp(rtmpkit_stream_name(streams[0]), "cam") == 0);
  int media = in.media;
  OK(rtmpkit_stream_send(streams[0], "news", NULL, 0));
  CHECK(wait_for(&in, &in.media, media + 1));
  OK(rtmpkit_stream_set_latency(streams[0], 0, 0, 0));
  rtmpkit_stream_unref(streams[0]);
  OK(rtmpkit_instance_clear_stream(instance, "cam", on_reply, &one));
  CHECK(wait_for(&one, &one.replies, 1) && one.errors == 0 && one.number == 1);
  CHECK(told(&out, "NetStream.Publish.BadName"));
  CHECK(wait_for(&room.seen, &room.events, 1) && strcmp(room.event, "NetStream.Clear.Success") == 0);
  OK(rtmpkit_instance_clear_streams(instance, "/f*", on_reply, &all));
  CHECK(wait_for(&all, &all.replies, 1) && all.errors == 0 && all.number == 1);
  snprintf(path, sizeof path, "%s/streams/_definst_/film.flv", directory);
  CHECK(access(path, F_OK) != 0);
  OK(rtmpkit_instance_clear_stream(instance, "nothing", on_reply, &none));
  CHECK(wait_for(&none, &none.replies, 1) && none.errors == 1);

  rtmpkit_instance_unref(instance);
  rtmpkit_net_stream_unref(published), rtmpkit_net_stream_unref(played);
  disconnect(from, &client), disconnect(to, &player);
  close_room(&room);
  snprintf(command, sizeof command, "rm -r %s", directory);
  CHECK(system(command) == 0);
}

static void a12_the_configuration_is_edited(void) {
  struct room room;
  char path[] = "/tmp/rtmpkit-config-XXXXXX", text[256] = "";
  rtmpkit_application_config config = room_config();
  rtmpkit_value *value = NULL, *seven = rtmpkit_value_number(7);
  double number = 0;
  int file = mkstemp(path);
  const char *before = "# Rooms\n[limits]\nclients = 5 # at once\n";
  CHECK(file >= 0 && write(file, before, strlen(before)) == (ssize_t)strlen(before));
  config.config_file = path;
  open_room(&room, &config);
  OK(rtmpkit_application_get_config(room.application, "limits.clients", &value));
  CHECK(rtmpkit_value_get_number(value, &number) == RTMPKIT_OK && number == 5);
  rtmpkit_value_unref(value);
  CHECK(rtmpkit_application_get_config(room.application, "nothing", &value) == RTMPKIT_ERR_NOT_FOUND);
  OK(rtmpkit_application_set_config(room.application, "limits.clients", seven));
  CHECK(rtmpkit_application_set_config(room.application, "a..b", seven) == RTMPKIT_ERR_CONFIG);
  CHECK(rtmpkit_application_remove_config(room.application, "nothing") == 0);
  OK(rtmpkit_application_save_config(room.application));
  FILE *saved = fopen(path, "r");
  CHECK(saved && fread(text, 1, sizeof text - 1, saved) > 0);
  CHECK(strstr(text, "# Rooms") && strstr(text, "clients = 7") && strstr(text, "# at once"));
  if (saved) fclose(saved);
  OK(rtmpkit_application_reload_config(room.application));
  OK(rtmpkit_application_get_config(room.application, NULL, &value));
  CHECK(rtmpkit_value_object_len(value) == 1);
  rtmpkit_value_unref(value), rtmpkit_value_unref(seven);
  CHECK(rtmpkit_application_save_config(room.served.application) == RTMPKIT_ERR_WRONG_STATE);
  close_room(&room);
  close(file);
  unlink(path);
}

static void a14_a19_a30_instances_end(void) {
  struct room room;
  struct seen client;
  rtmpkit_application_config config = room_config();
  open_room(&room, &config);
  rtmpkit_net_connection *connection = enter(&room, &client);
  rtmpkit_instance *instance = instance_of(&room);
  CHECK(rtmpkit_instance_collect(instance) >= 0 && !rtmpkit_instance_is_unloaded(instance));
  CHECK(rtmpkit_instance_unload(instance) == 1 && rtmpkit_instance_unload(instance) == 0);
  CHECK(told(&client, "NetConnection.Connect.AppShutdown") && wait_for(&client, &client.closes, 1));
  CHECK(wait_for(&room.seen, &room.stopped, 1) && strcmp(room.event, "Application.Shutdown") == 0);
  CHECK(rtmpkit_instance_is_unloaded(instance));
  rtmpkit_instance_unref(instance);
  disconnect(connection, &client);
  /* The next one goes because nobody uses it, and the host is asked. */
  connection = enter(&room, &client);
  rtmpkit_client_unref(room.client);
  room.client = NULL;
  disconnect(connection, &client);
  CHECK(wait_for(&room.seen, &room.unused, 1) && wait_for(&room.seen, &room.stopped, 2));
  CHECK(strcmp(room.event, "Application.GC") == 0);
  close_room(&room);
}

/* Answers with its user_data's number; "later" keeps the request. */
static void number_method(void *user_data, rtmpkit_request *request, rtmpkit_client *client) {
  struct seen *seen = user_data;
  CHECK(client != NULL);
  if (strcmp(rtmpkit_request_name(request), "later") == 0) {
    pthread_mutex_lock(&seen->lock);
    seen->kept = rtmpkit_request_ref(request);
    count(seen, &seen->calls);
    pthread_mutex_unlock(&seen->lock);
    return;
  }
  rtmpkit_value *result = rtmpkit_value_number(seen->number);
  OK(rtmpkit_request_accept(request, result));
  rtmpkit_value_unref(result);
}

static void c16_methods_of_applications_and_clients(void) {
  struct room room;
  struct seen client, reply, all, one;
  rtmpkit_application_config config = room_config();
  open_room(&room, &config);
  seen_init(&all), seen_init(&one), seen_init(&reply);
  all.number = 1, one.number = 2;
  rtmpkit_net_connection *connection = enter(&room, &client);
  OK(rtmpkit_application_register_method(room.application, "which", number_method, &all, on_release));
  OK(call_numbers(connection, "which", 0, &reply));
  CHECK(wait_for(&reply, &reply.replies, 1) && reply.number == 1);
  OK(rtmpkit_client_register_method(room.client, "which", number_method, &one, on_release));
  OK(call_numbers(connection, "which", 0, &reply));
  CHECK(wait_for(&reply, &reply.replies, 2) && reply.number == 2);
  CHECK(rtmpkit_client_unregister_method(room.client, "which") == 1 && wait_for(&one, &one.releases, 1));
  CHECK(rtmpkit_client_unregister_method(room.client, "which") == 0);

  OK(rtmpkit_application_register_method(room.application, "later", number_method, &one, NULL));
  OK(call_numbers(connection, "later", 0, &reply));
  CHECK(wait_for(&one, &one.calls, 1) && reply.replies == 2);
  OK(rtmpkit_request_reject(one.kept, NULL, "Not now.", NULL));
  rtmpkit_request_unref(one.kept);
  CHECK(wait_for(&reply, &reply.replies, 3) && reply.errors == 1);
  CHECK(rtmpkit_application_register_method(room.application, "play", number_method, &one, on_release) ==
        RTMPKIT_ERR_INVALID_ARGUMENT);
  CHECK(rtmpkit_application_register_method(room.application, "x", NULL, &one, on_release) ==
        RTMPKIT_ERR_INVALID_ARGUMENT);
  CHECK(one.releases == 1);
  disconnect(connection, &client);
  close_room(&room);
  CHECK(wait_for(&all, &all.releases, 1) && all.releases == 1);
}

static void a28_methods_are_proxied(void) {
  struct room room;
  struct seen client, onward, reply;
  rtmpkit_application_config config = room_config();
  open_room(&room, &config);
  seen_init(&reply);
  /* `add` is a method of the harness's application. */
  OK(rtmpkit_application_proxy_method_to_url(room.application, "sum", room.served.url, "add"));
  OK(rtmpkit_application_proxy_method_to_url(room.application, "lost", "rtmp://127.0.0.1:1/live", NULL));
  CHECK(rtmpkit_application_proxy_method_to_url(room.application, "x", "nonsense", NULL) == RTMPKIT_ERR_URL);
  rtmpkit_net_connection *connection = enter(&room, &client);
  OK(call_numbers(connection, "sum", 3, &reply));
  CHECK(wait_for(&reply, &reply.replies, 1) && reply.errors == 0 && reply.number == 6);
  OK(call_numbers(connection, "lost", 0, &reply));
  CHECK(wait_for(&reply, &reply.replies, 2) && reply.errors == 1);
  rtmpkit_net_connection *backend = connect_to(&room.served, "", &onward);
  CHECK(wait_for(&onward, &onward.statuses, 1));
  OK(rtmpkit_application_proxy_method(room.application, "add", backend, NULL));
  OK(call_numbers(connection, "add", 2, &reply));
  CHECK(wait_for(&reply, &reply.replies, 3) && reply.number == 3);
  /* The client answers `add` itself. */
  OK(rtmpkit_application_proxy_method_to_client(room.application, "back", room.client, "add"));
  OK(call_numbers(connection, "back", 4, &reply));
  CHECK(wait_for(&reply, &reply.replies, 4) && reply.number == 10);
  CHECK(rtmpkit_application_unregister_method(room.application, "add") == 1);
  disconnect(connection, &client);
  disconnect(backend, &onward);
  close_room(&room);
}

static int32_t complete_point(void *user_data, rtmpkit_value *object) {
  double x = 0;
  (void)user_data;
  CHECK(strcmp(rtmpkit_value_object_class(object), "Point") == 0);
  rtmpkit_value_get_number(rtmpkit_value_object_get(object, "x"), &x);
  if (x < 0) return -1;
  rtmpkit_value *length = rtmpkit_value_number(x * 10);
  OK(rtmpkit_value_object_set(object, "length", length));
  rtmpkit_value_unref(length);
  return 0;
}

static void read_length(void *user_data, rtmpkit_request *request, rtmpkit_client *client) {
  const rtmpkit_value *const *args = NULL;
  size_t n = 0;
  (void)user_data, (void)client;
  OK(rtmpkit_request_args(request, &args, &n));
  CHECK(n == 1 && strcmp(rtmpkit_value_object_class(args[0]), "Point") == 0);
  OK(rtmpkit_request_accept(request, n ? rtmpkit_value_object_get(args[0], "length") : NULL));
}

static void a27_classes_are_completed(void) {
  struct room room;
  struct seen client, reply, class;
  rtmpkit_application_config config = room_config();
  open_room(&room, &config);
  seen_init(&reply), seen_init(&class);
  OK(rtmpkit_application_register_class(room.application, "Point", complete_point, &class, on_release));
  OK(rtmpkit_application_register_method(room.application, "length", read_length, NULL, NULL));
  rtmpkit_net_connection *connection = enter(&room, &client);
  rtmpkit_value *point = rtmpkit_value_typed_object("Point"), *x = rtmpkit_value_number(4);
  OK(rtmpkit_value_object_set(point, "x", x));
  OK(rtmpkit_net_connection_call(connection, "length", (const rtmpkit_value *const[]){point}, 1, on_reply, &reply));
  CHECK(wait_for(&reply, &reply.replies, 1) && reply.errors == 0 && reply.number == 40);
  rtmpkit_value_unref(x), rtmpkit_value_unref(point);
  disconnect(connection, &client);
  CHECK(rtmpkit_application_unregister_class(room.application, "Point") == 1);
  close_room(&room);
  CHECK(wait_for(&class, &class.releases, 1) && class.releases == 1);
}

static void c2_c3_c14_c15_what_a_client_may_do(void) {
  struct room room;
  struct seen client, out, in;
  rtmpkit_application_config config = room_config();
  rtmpkit_value *lists = NULL;
  const char *text = NULL;
  open_room(&room, &config);
  rtmpkit_net_connection *connection = enter(&room, &client);
  OK(rtmpkit_client_set_access(room.client, "/public", "/public/mine;/x"));
  OK(rtmpkit_client_set_access(room.client, NULL, "/public/mine"));
  OK(rtmpkit_client_set_sample_access(room.client, "/", NULL));
  OK(rtmpkit_client_get_access(room.client, &lists));
  OK(rtmpkit_value_get_string(rtmpkit_value_object_get(lists, "read"), &text, NULL));
  CHECK(strcmp(text, "/public") == 0);
  OK(rtmpkit_value_get_string(rtmpkit_value_object_get(lists, "audio"), &text, NULL));
  CHECK(strcmp(text, "/") == 0);
  rtmpkit_value_unref(lists);
  rtmpkit_net_stream *published = stream_of(connection, &out), *played = stream_of(connection, &in);
  OK(rtmpkit_net_stream_publish(published, "cam", RTMPKIT_PUBLISH_LIVE));
  CHECK(told(&out, "NetStream.Publish.BadName"));
  OK(rtmpkit_net_stream_play(played, "cam", NULL));
  CHECK(told(&in, "NetStream.Play.Failed"));
  rtmpkit_net_stream_unref(published), rtmpkit_net_stream_unref(played);
  published = stream_of(connection, &out), played = stream_of(connection, &in);
  OK(rtmpkit_net_stream_publish(published, "public/mine/cam", RTMPKIT_PUBLISH_LIVE));
  CHECK(told(&out, "NetStream.Publish.Start"));
  OK(rtmpkit_net_stream_play(played, "public/mine/cam", NULL));
  CHECK(told(&in, "NetStream.Play.Start"));
  rtmpkit_net_stream_unref(published), rtmpkit_net_stream_unref(played);
  disconnect(connection, &client);
  close_room(&room);
}

static void on_bandwidth(void *user_data, const rtmpkit_value *result, const rtmpkit_status *error) {
  rtmpkit_value *number = rtmpkit_value_clone(rtmpkit_value_object_get(result, "kbit_per_s"));
  on_reply(user_data, error ? NULL : number, error);
  rtmpkit_value_unref(number);
}

static void c5_c6_c7_c8_c12_a_client_is_measured(void) {
  struct room room;
  struct seen client, length, ping, bandwidth;
  rtmpkit_application_config config = room_config();
  rtmpkit_client_counters counters;
  rtmpkit_value *name = rtmpkit_value_string("film"), *violations = NULL;
  open_room(&room, &config);
  seen_init(&length), seen_init(&ping), seen_init(&bandwidth);
  rtmpkit_net_connection *connection = enter(&room, &client);
  rtmpkit_client_counters_init(&counters, sizeof counters);
  OK(rtmpkit_client_stats(room.client, &counters));
  CHECK(counters.traffic.bytes_in > 3073 && counters.dropped_video_messages == 0);
  OK(rtmpkit_client_ping(room.client, on_reply, &ping));
  CHECK(wait_for(&ping, &ping.replies, 1) && ping.errors == 0);
  OK(rtmpkit_client_stats(room.client, &counters));
  CHECK(counters.ping_rtt_ms >= 0 && counters.bytes_per_s_in > 0);
  OK(rtmpkit_net_connection_call(connection, "getStreamLength", (const rtmpkit_value *const[]){name}, 1, on_reply,
                                 &length));
  CHECK(wait_for(&length, &length.replies, 1) && length.number == 12.5 && room.lengths == 1);
  OK(rtmpkit_client_check_bandwidth(room.client, RTMPKIT_BANDWIDTH_NATIVE, on_bandwidth, &bandwidth));
  CHECK(wait_for(&bandwidth, &bandwidth.replies, 1) && bandwidth.errors == 0 && bandwidth.number > 0);
  CHECK(rtmpkit_client_check_bandwidth(room.client, 7, on_reply, &ping) == RTMPKIT_ERR_INVALID_ARGUMENT);
  OK(rtmpkit_client_set_bandwidth_limit(room.client, RTMPKIT_DIRECTION_OUT, 100000));
  OK(rtmpkit_client_set_bandwidth_limit(room.client, RTMPKIT_DIRECTION_OUT, 0));
  CHECK(rtmpkit_client_set_bandwidth_limit(room.client, RTMPKIT_DIRECTION_IN, 1) == RTMPKIT_ERR_INVALID_ARGUMENT);
  OK(rtmpkit_client_deviations(room.client, &violations));
  CHECK(rtmpkit_value_object_len(violations) == 0);
  rtmpkit_value_unref(violations), rtmpkit_value_unref(name);
  disconnect(connection, &client);
  close_room(&room);
}

static void idle_clients_and_publishers(void) {
  struct room room;
  struct seen client, other, out;
  rtmpkit_application_config config = room_config();
  config.idle_timeout_ms = 1500;
  config.publish_idle_ms = 500;
  open_room(&room, &config);
  rtmpkit_net_connection *idle = enter(&room, &client), *busy = enter(&room, &other);
  rtmpkit_net_stream *published = stream_of(busy, &out);
  OK(rtmpkit_net_stream_publish(published, "cam", RTMPKIT_PUBLISH_LIVE));
  CHECK(told(&out, "NetStream.Publish.Idle"));
  CHECK(told(&client, "NetConnection.Connect.IdleTimeout") && wait_for(&client, &client.closes, 1));
  CHECK(rtmpkit_net_connection_is_connected(busy));
  rtmpkit_net_stream_unref(published);
  disconnect(idle, &client), disconnect(busy, &other);
  close_room(&room);
}

static void on_dry(void *user_data, rtmpkit_net_stream *stream) {
  struct seen *seen = user_data;
  CHECK(stream != NULL);
  pthread_mutex_lock(&seen->lock);
  count(seen, &seen->plays);
  pthread_mutex_unlock(&seen->lock);
}

static void p9_players_are_told_when_their_stream_is_dry(void) {
  static const uint8_t body[] = {0xAF, 1, 7};
  struct room room;
  struct seen client, in;
  rtmpkit_instance *instance = NULL;
  rtmpkit_stream *stream = NULL;
  rtmpkit_net_stream_events events;
  rtmpkit_net_stream *player = NULL;
  rtmpkit_media media;
  rtmpkit_application_config config = room_config();
  CHECK(config.stream_dry_ms == 0);
  config.stream_dry_ms = 10;
  open_room(&room, &config);
  OK(rtmpkit_instance_get(room.application, NULL, &instance));
  OK(rtmpkit_stream_publish(instance, "cam", RTMPKIT_PUBLISH_LIVE, &stream));
  rtmpkit_net_connection *connection = enter(&room, &client);
  seen_init(&in);
  rtmpkit_net_stream_events_init(&events, sizeof events);
  events.on_status = on_stream_status;
  events.on_media = on_stream_media;
  events.on_release = on_release;
  events.on_dry = on_dry;
  OK(rtmpkit_net_stream_create(connection, &events, &in, &player));
  OK(rtmpkit_net_stream_play(player, "cam", NULL));
  CHECK(told(&in, "NetStream.Play.Start") && wait_for(&in, &in.plays, 1));
  rtmpkit_media_init(&media, sizeof media);
  media.type = RTMPKIT_MEDIA_AUDIO;
  media.body = body;
  media.body_len = sizeof body;
  OK(rtmpkit_stream_write(stream, &media));
  CHECK(wait_for(&in, &in.plays, 2) && in.media > 0 && in.closes == 0);
  rtmpkit_net_stream_unref(player), rtmpkit_stream_unref(stream), rtmpkit_instance_unref(instance);
  disconnect(connection, &client);
  close_room(&room);
}

static void m7_a_second_publisher_takes_the_stream(void) {
  struct room room;
  struct seen client, other, first, second;
  rtmpkit_application_config config = room_config();
  config.takeover = RTMPKIT_TAKEOVER_REPLACE;
  config.hold_ms = 1000;
  open_room(&room, &config);
  rtmpkit_net_connection *one = enter(&room, &client), *two = enter(&room, &other);
  rtmpkit_net_stream *from_one = stream_of(one, &first), *from_two = stream_of(two, &second);
  OK(rtmpkit_net_stream_publish(from_one, "cam", RTMPKIT_PUBLISH_LIVE));
  CHECK(told(&first, "NetStream.Publish.Start"));
  OK(rtmpkit_net_stream_publish(from_two, "cam", RTMPKIT_PUBLISH_LIVE));
  CHECK(told(&second, "NetStream.Publish.Start") && told(&first, "NetStream.Publish.BadName"));
  rtmpkit_net_stream_unref(from_one), rtmpkit_net_stream_unref(from_two);
  disconnect(one, &client), disconnect(two, &other);
  close_room(&room);
}

int main(void) {
  a16_a17_the_server_knows_itself();
  a8_a9_a10_s6_streams_are_cleared_and_spoken_to();
  a12_the_configuration_is_edited();
  a14_a19_a30_instances_end();
  c16_methods_of_applications_and_clients();
  a28_methods_are_proxied();
  a27_classes_are_completed();
  c2_c3_c14_c15_what_a_client_may_do();
  c5_c6_c7_c8_c12_a_client_is_measured();
  idle_clients_and_publishers();
  p9_players_are_told_when_their_stream_is_dry();
  m7_a_second_publisher_takes_the_stream();
  printf("%s: %d failures\n", rtmpkit_version_string(), failures);
  return failures != 0;
}
