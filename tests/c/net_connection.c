/*
 * Outgoing connections from C: what their server asks of them, moving elsewhere, classes, limits, the network.
 */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

/* The other half of a connection: keeps what the server calls, and the client that the server knows it as. */
struct far {
  struct seen seen;
  rtmpkit_client *client;
  int accepted;
};

static void on_far_accept(void *user_data, rtmpkit_client *client) {
  struct far *far = user_data;
  pthread_mutex_lock(&far->seen.lock);
  rtmpkit_client_unref(far->client);
  far->client = rtmpkit_client_ref(client);
  count(&far->seen, &far->accepted);
  pthread_mutex_unlock(&far->seen.lock);
}

static void on_far_release(void *user_data) {
  struct far *far = user_data;
  on_release(&far->seen);
}

/* The application `far` beside the harness's; `url` gets its address. */
static rtmpkit_application *open_far(struct served *served, struct far *far, char url[64]) {
  rtmpkit_application_events events;
  rtmpkit_application *application = NULL;
  memset(far, 0, sizeof *far);
  seen_init(&far->seen);
  rtmpkit_application_events_init(&events, sizeof events);
  events.on_accept = on_far_accept;
  events.on_release = on_far_release;
  OK(rtmpkit_application_create(served->server, "far", NULL, &events, far, &application));
  snprintf(url, 64, "%.*sfar", (int)strlen(served->url) - 4, served->url);
  return application;
}

static void close_far(rtmpkit_application *application, struct far *far) {
  rtmpkit_client_unref(far->client);
  rtmpkit_application_unref(application);
  CHECK(wait_for(&far->seen, &far->seen.releases, 1));
}

static void on_kept_call(void *user_data, rtmpkit_net_connection *connection, rtmpkit_request *request) {
  struct seen *seen = user_data;
  (void)connection;
  CHECK(rtmpkit_request_kind(request) == RTMPKIT_REQUEST_CALL && rtmpkit_request_client(request) == NULL);
  pthread_mutex_lock(&seen->lock);
  if (strcmp(rtmpkit_request_name(request), "forget") == 0)
    note(seen->name, "forgotten");
  else if (strcmp(rtmpkit_request_name(request), "forbidden") == 0)
    OK(rtmpkit_request_reject(request, "NetConnection.Call.Prohibited", NULL, NULL));
  else
    seen->kept = rtmpkit_request_ref(request);
  count(seen, &seen->calls);
  pthread_mutex_unlock(&seen->lock);
}

static void on_error_reply(void *user_data, const rtmpkit_value *result, const rtmpkit_status *error) {
  struct seen *seen = user_data;
  CHECK(result == NULL && error != NULL);
  pthread_mutex_lock(&seen->lock);
  note(seen->code, error ? error->code : "");
  count(seen, &seen->replies);
  pthread_mutex_unlock(&seen->lock);
}

static rtmpkit_net_connection *make(struct served *served, struct seen *seen) {
  rtmpkit_net_connection_events events;
  rtmpkit_net_connection *connection = NULL;
  seen_init(seen);
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status;
  events.on_call = on_kept_call;
  events.on_release = on_release;
  OK(rtmpkit_net_connection_create(served->engine, NULL, &events, seen, &connection));
  return connection;
}

static void calls_of_the_server_are_answered_later(void) {
  struct served served;
  struct far far;
  struct seen client, sum, failed;
  char url[64];
  serve(&served, NULL, NULL);
  rtmpkit_application *application = open_far(&served, &far, url);
  rtmpkit_net_connection *connection = make(&served, &client);
  rtmpkit_value *result = rtmpkit_value_number(42);
  seen_init(&sum), seen_init(&failed);
  OK(rtmpkit_net_connection_connect(connection, url, NULL, 0));
  CHECK(wait_for(&far.seen, &far.accepted, 1));
  OK(rtmpkit_client_call(far.client, "answer", NULL, 0, on_reply, &sum));
  CHECK(wait_for(&client, &client.calls, 1) && client.kept != NULL && !rtmpkit_request_is_answered(client.kept));
  /* From this thread, after the callback has returned. */
  OK(rtmpkit_request_accept(client.kept, result));
  CHECK(rtmpkit_request_accept(client.kept, NULL) == RTMPKIT_ERR_WRONG_STATE);
  CHECK(wait_for(&sum, &sum.replies, 1) && sum.errors == 0 && sum.number == 42);
  rtmpkit_request_unref(client.kept);
  OK(rtmpkit_client_call(far.client, "answer", NULL, 0, on_error_reply, &failed));
  CHECK(wait_for(&client, &client.calls, 2));
  rtmpkit_request_unref(client.kept);
  CHECK(wait_for(&failed, &failed.replies, 1) && strcmp(failed.code, "NetConnection.Call.Failed") == 0);
  OK(rtmpkit_client_call(far.client, "forget", NULL, 0, on_error_reply, &failed));
  CHECK(wait_for(&failed, &failed.replies, 2) && strcmp(failed.code, "NetConnection.Call.Failed") == 0);
  OK(rtmpkit_client_call(far.client, "forbidden", NULL, 0, on_error_reply, &failed));
  CHECK(wait_for(&failed, &failed.replies, 3) && strcmp(failed.code, "NetConnection.Call.Prohibited") == 0);
  rtmpkit_value_unref(result);
  disconnect(connection, &client);
  close_far(application, &far);
  stop(&served);
}

/* Notes where a request to reconnect leads. */
static void on_move(void *user_data, rtmpkit_net_connection *connection, const rtmpkit_status *status) {
  struct seen *seen = user_data;
  rtmpkit_value *target = NULL;
  const char *text = NULL;
  const rtmpkit_result result = rtmpkit_net_connection_reconnect_target(connection, status, &target);
  if (strcmp(status->code, "NetConnection.Connect.ReconnectRequest") == 0) {
    OK(result);
    OK(rtmpkit_value_get_string(target, &text, NULL));
    pthread_mutex_lock(&seen->lock);
    note(seen->query, text);
    pthread_mutex_unlock(&seen->lock);
    rtmpkit_value_unref(target);
  } else {
    CHECK(result == RTMPKIT_ERR_NOT_FOUND && target == NULL);
  }
  take_status(seen, status);
}

static void m10_p16_a_client_moves_when_its_host_says_so(void) {
  struct served served;
  struct far far;
  struct seen client;
  char url[64];
  serve(&served, NULL, NULL);
  rtmpkit_application *application = open_far(&served, &far, url);
  rtmpkit_net_connection_events events;
  rtmpkit_net_connection *connection = NULL;
  seen_init(&client);
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_move;
  events.on_release = on_release;
  OK(rtmpkit_net_connection_create(served.engine, NULL, &events, &client, &connection));
  CHECK(rtmpkit_net_connection_reconnect_to(connection, url) < 0);
  OK(rtmpkit_net_connection_connect(connection, url, NULL, 0));
  CHECK(wait_for(&far.seen, &far.accepted, 1) && wait_for(&client, &client.statuses, 1));
  OK(rtmpkit_client_request_reconnect(far.client, "/far/upstairs", "Move."));
  CHECK(wait_for(&client, &client.statuses, 2));
  char expected[128];
  snprintf(expected, sizeof expected, "%s/upstairs", url);
  CHECK(strcmp(client.query, expected) == 0);
  OK(rtmpkit_net_connection_reconnect_to(connection, client.query));
  CHECK(wait_for(&client, &client.statuses, 3) && strcmp(client.code, "NetConnection.Connect.Success") == 0);
  CHECK(strcmp(rtmpkit_net_connection_uri(connection), expected) == 0);
  CHECK(rtmpkit_net_connection_reconnect_to(connection, "http://elsewhere") < 0);
  disconnect(connection, &client);
  close_far(application, &far);
  stop(&served);
}

/* Gives points a length; refuses those without `x`. */
static int32_t complete_point(void *user_data, rtmpkit_value *object) {
  double x = 0;
  (void)user_data;
  if (rtmpkit_value_get_number(rtmpkit_value_object_get(object, "x"), &x) < 0) return -1;
  rtmpkit_value *length = rtmpkit_value_number(x * 10);
  OK(rtmpkit_value_object_set(object, "length", length));
  rtmpkit_value_unref(length);
  return 0;
}

static rtmpkit_value *point(double x) {
  rtmpkit_value *object = rtmpkit_value_typed_object("Point"), *number = rtmpkit_value_number(x);
  if (x != 0) OK(rtmpkit_value_object_set(object, "x", number));
  rtmpkit_value_unref(number);
  return object;
}

static double length_of(const rtmpkit_value *object) {
  double length = -1;
  rtmpkit_value_get_number(rtmpkit_value_object_get(object, "length"), &length);
  return length;
}

static void on_point_reply(void *user_data, const rtmpkit_value *result, const rtmpkit_status *error) {
  struct seen *seen = user_data;
  pthread_mutex_lock(&seen->lock);
  CHECK(error == NULL);
  seen->number = length_of(result);
  count(seen, &seen->replies);
  pthread_mutex_unlock(&seen->lock);
}

static void give_point(void *user_data, rtmpkit_request *request, rtmpkit_client *client) {
  rtmpkit_value *object = point(3);
  (void)user_data, (void)client;
  OK(rtmpkit_request_accept(request, object));
  rtmpkit_value_unref(object);
}

/* What the reader of a stream knows classes by, and what it read: a length, or -2 for what was refused. */
struct reader {
  struct seen seen;
  rtmpkit_application *application;
  rtmpkit_net_connection *connection;
};

static void read_point(struct reader *reader, const rtmpkit_media *media) {
  rtmpkit_value *values = NULL;
  const char *name = NULL;
  rtmpkit_result result = reader->application
                              ? rtmpkit_application_read_data(reader->application, media, &values)
                              : rtmpkit_net_connection_read_data(reader->connection, media, &values);
  if (media->type != RTMPKIT_MEDIA_DATA) {
    CHECK(result == RTMPKIT_ERR_INVALID_ARGUMENT);
    return;
  }
  if (result == RTMPKIT_OK) {
    OK(rtmpkit_value_get_string(rtmpkit_value_array_at(values, 0), &name, NULL));
    if (strcmp(name, "onPoint") != 0) {
      rtmpkit_value_unref(values);
      return;
    }
  }
  pthread_mutex_lock(&reader->seen.lock);
  reader->seen.number = result == RTMPKIT_OK ? length_of(rtmpkit_value_array_at(values, 1)) : -2;
  count(&reader->seen, &reader->seen.media);
  pthread_mutex_unlock(&reader->seen.lock);
  rtmpkit_value_unref(values);
}

static void on_read(void *user_data, const rtmpkit_media *media) { read_point(user_data, media); }

static void on_stream_read(void *user_data, rtmpkit_net_stream *stream, const rtmpkit_media *media) {
  (void)stream;
  read_point(user_data, media);
}

static void on_reader_status(void *user_data, rtmpkit_net_stream *stream, const rtmpkit_status *status) {
  struct reader *reader = user_data;
  (void)stream;
  take_status(&reader->seen, status);
}

static void on_reader_release(void *user_data) {
  struct reader *reader = user_data;
  on_release(&reader->seen);
}

static void a27_classes_hold_on_both_sides(void) {
  struct served served;
  struct far far;
  struct seen client, given, class_seen, refused, server_class;
  struct reader host, player;
  char url[64];
  serve(&served, NULL, NULL);
  rtmpkit_application *application = open_far(&served, &far, url);
  seen_init(&given), seen_init(&class_seen), seen_init(&server_class);
  OK(rtmpkit_application_register_class(application, "Point", complete_point, &server_class, on_release));
  OK(rtmpkit_application_register_method(application, "give", give_point, NULL, NULL));
  rtmpkit_net_connection *connection = make(&served, &client), *other = make(&served, &refused);
  OK(rtmpkit_net_connection_register_class(connection, "Point", complete_point, &class_seen, on_release));
  CHECK(rtmpkit_net_connection_register_class(connection, "Point", NULL, NULL, NULL) ==
        RTMPKIT_ERR_INVALID_ARGUMENT);
  rtmpkit_value *good = point(4), *bad = point(0);
  /* Arguments of connect. */
  OK(rtmpkit_net_connection_connect(other, url, (const rtmpkit_value *const[]){bad}, 1));
  CHECK(told(&refused, "NetConnection.Connect.Rejected") && strstr(refused.text, "Point") != NULL);
  OK(rtmpkit_net_connection_connect(connection, url, (const rtmpkit_value *const[]){good}, 1));
  CHECK(wait_for(&far.seen, &far.accepted, 1));
  /* Results of calls, on the client's side. */
  OK(rtmpkit_net_connection_call(connection, "give", NULL, 0, on_point_reply, &given));
  CHECK(wait_for(&given, &given.replies, 1) && given.number == 30);
  /* Data messages, where the host reads them: a subscription, and a player. */
  rtmpkit_instance *instance = NULL;
  rtmpkit_stream *stream = NULL;
  rtmpkit_subscription *subscription = NULL;
  rtmpkit_subscription_events watching;
  rtmpkit_net_stream_events playing;
  rtmpkit_net_stream *in = NULL, *out = NULL;
  memset(&host, 0, sizeof host), memset(&player, 0, sizeof player);
  seen_init(&host.seen), seen_init(&player.seen);
  host.application = application, player.connection = connection;
  OK(rtmpkit_instance_get(application, NULL, &instance));
  OK(rtmpkit_stream_open(instance, "cam", &stream));
  rtmpkit_subscription_events_init(&watching, sizeof watching);
  watching.on_media = on_read;
  watching.on_release = on_reader_release;
  OK(rtmpkit_stream_subscribe(stream, NULL, &watching, &host, &subscription));
  rtmpkit_net_stream_events_init(&playing, sizeof playing);
  playing.on_status = on_reader_status;
  playing.on_media = on_stream_read;
  playing.on_release = on_reader_release;
  OK(rtmpkit_net_stream_create(connection, &playing, &player, &in));
  OK(rtmpkit_net_stream_play(in, "cam", NULL));
  CHECK(told(&player.seen, "NetStream.Play.Start"));
  OK(rtmpkit_net_stream_create(connection, NULL, NULL, &out));
  OK(rtmpkit_net_stream_publish(out, "cam", RTMPKIT_PUBLISH_LIVE));
  OK(rtmpkit_net_stream_send(out, 0, "onPoint", (const rtmpkit_value *const[]){good}, 1));
  CHECK(wait_for(&host.seen, &host.seen.media, 1) && host.seen.number == 40);
  CHECK(wait_for(&player.seen, &player.seen.media, 1) && player.seen.number == 40);
  OK(rtmpkit_net_stream_send(out, 0, "onPoint", (const rtmpkit_value *const[]){bad}, 1));
  CHECK(wait_for(&host.seen, &host.seen.media, 2) && host.seen.number == -2);
  CHECK(wait_for(&player.seen, &player.seen.media, 2) && player.seen.number == -2);
  CHECK(rtmpkit_net_connection_unregister_class(connection, "Point") == 1);
  CHECK(rtmpkit_net_connection_unregister_class(connection, "Point") == 0);
  rtmpkit_net_stream_unref(in), rtmpkit_net_stream_unref(out);
  rtmpkit_subscription_unref(subscription), rtmpkit_stream_unref(stream), rtmpkit_instance_unref(instance);
  rtmpkit_value_unref(good), rtmpkit_value_unref(bad);
  disconnect(connection, &client), disconnect(other, &refused);
  CHECK(wait_for(&class_seen, &class_seen.releases, 1));
  close_far(application, &far);
  stop(&served);
  CHECK(wait_for(&host.seen, &host.seen.releases, 1) && wait_for(&player.seen, &player.seen.releases, 1));
}

static void connections_beyond_a_limit_are_told(void) {
  struct served served;
  struct seen first, second;
  rtmpkit_server_config config;
  rtmpkit_server *server = NULL;
  rtmpkit_application *application = NULL;
  uint16_t port = 0;
  char url[64];
  serve(&served, NULL, NULL);
  rtmpkit_server_config_init(&config, sizeof config);
  config.max_connections = 1;
  OK(rtmpkit_server_create(served.engine, &config, NULL, NULL, &server));
  OK(rtmpkit_application_create(server, "live", NULL, NULL, NULL, &application));
  OK(rtmpkit_server_listen(server, "rtmp://127.0.0.1:0", &port));
  snprintf(url, sizeof url, "rtmp://127.0.0.1:%d/live", port);
  rtmpkit_net_connection *one = make(&served, &first), *two = make(&served, &second);
  OK(rtmpkit_net_connection_connect(one, url, NULL, 0));
  CHECK(told(&first, "NetConnection.Connect.Success"));
  OK(rtmpkit_net_connection_connect(two, url, NULL, 0));
  CHECK(told(&second, "NetConnection.Connect.Rejected"));
  CHECK(strcmp(second.text, "The server takes no more connections.") == 0);
  CHECK(wait_for(&second, &second.closes, 1));
  disconnect(one, &first), disconnect(two, &second);
  rtmpkit_application_unref(application), rtmpkit_server_unref(server);
  stop(&served);
}

/* An engine for clients alone, whose network the host watches itself. */
static void netconnection_connect_networkchange_when_the_host_says_so(void) {
  struct served served, ours;
  struct seen first, second;
  rtmpkit_engine_config config;
  serve(&served, NULL, NULL);
  rtmpkit_engine_config_init(&config, sizeof config);
  CHECK(config.watch_network == 1);
  config.watch_network = 0;
  OK(rtmpkit_engine_create(&config, &ours.engine));
  rtmpkit_net_connection *one = make(&ours, &first), *two = make(&ours, &second);
  /* Nobody is connected. */
  OK(rtmpkit_engine_network_changed(ours.engine));
  OK(rtmpkit_net_connection_connect(one, served.url, NULL, 0));
  OK(rtmpkit_net_connection_connect(two, served.url, NULL, 0));
  CHECK(wait_for(&first, &first.statuses, 1) && wait_for(&second, &second.statuses, 1));
  OK(rtmpkit_engine_network_changed(ours.engine));
  CHECK(wait_for(&first, &first.statuses, 2) && wait_for(&second, &second.statuses, 2));
  const char *told = "NetConnection.Connect.Success\nNetConnection.Connect.NetworkChange\n";
  CHECK(strcmp(first.codes, told) == 0 && strcmp(second.codes, told) == 0);
  CHECK(rtmpkit_net_connection_is_connected(one));
  CHECK(rtmpkit_engine_network_changed(NULL) == RTMPKIT_ERR_INVALID_ARGUMENT);
  disconnect(one, &first);
  disconnect(two, &second);
  OK(rtmpkit_engine_close(ours.engine));
  OK(rtmpkit_engine_network_changed(ours.engine));
  OK(rtmpkit_engine_join(ours.engine, PATIENCE_S * 1000));
  rtmpkit_engine_unref(ours.engine);
  stop(&served);
}

int main(void) {
  calls_of_the_server_are_answered_later();
  m10_p16_a_client_moves_when_its_host_says_so();
  a27_classes_hold_on_both_sides();
  connections_beyond_a_limit_are_told();
  netconnection_connect_networkchange_when_the_host_says_so();
  printf("%s: %d failures\n", rtmpkit_version_string(), failures);
  return failures != 0;
}
