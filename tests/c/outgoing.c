/*
 * What a host in C sets and reads of outgoing connections and streams: logging in, encodings, handshakes, the object of
 * connect, the outgoing buffer, the time published, data messages.
 */
#define _POSIX_C_SOURCE 200809L
#include "gateway.h"
#include "harness.h"

/* An application beside the harness's: what its clients said, and what to do with them. */
struct guard {
  struct seen seen;
  const char *password; /* of the user `me`, for those who are asked in on_connect */
  int keep;
};

static void on_guarded_connect(void *user_data, rtmpkit_request *request, rtmpkit_client *client) {
  struct guard *guard = user_data;
  (void)client;
  pthread_mutex_lock(&guard->seen.lock);
  note(guard->seen.name, rtmpkit_request_user(request));
  guard->seen.inner = rtmpkit_request_login(request);
  if (guard->keep)
    guard->seen.kept = rtmpkit_request_ref(request);
  else if (!guard->password)
    OK(rtmpkit_request_accept(request, NULL));
  else if (guard->seen.inner == RTMPKIT_LOGIN_NONE)
    OK(rtmpkit_request_demand_login(request, RTMPKIT_LOGIN_LIMELIGHT));
  else {
    const char *known = strcmp(guard->seen.name, "me") == 0 ? guard->password : NULL;
    if (rtmpkit_request_check_login(request, known) == 1) OK(rtmpkit_request_accept(request, NULL));
  }
  count(&guard->seen, &guard->seen.connects);
  pthread_mutex_unlock(&guard->seen.lock);
}

static void on_guarded_release(void *user_data) {
  struct guard *guard = user_data;
  on_release(&guard->seen);
}

static rtmpkit_application *open_guarded(struct served *served, struct guard *guard, int32_t login) {
  rtmpkit_application_config config;
  rtmpkit_application_events events;
  rtmpkit_application *application = NULL;
  memset(guard, 0, sizeof *guard);
  seen_init(&guard->seen);
  rtmpkit_application_config_init(&config, sizeof config);
  config.login = login;
  rtmpkit_application_events_init(&events, sizeof events);
  events.on_connect = on_guarded_connect;
  events.on_release = on_guarded_release;
  OK(rtmpkit_application_create(served->server, "guarded", &config, &events, guard, &application));
  return application;
}

static void close_guarded(rtmpkit_application *application, struct guard *guard) {
  rtmpkit_application_unref(application);
  CHECK(wait_for(&guard->seen, &guard->seen.releases, 1));
}

static rtmpkit_net_connection_config settings(void) {
  rtmpkit_net_connection_config config;
  rtmpkit_net_connection_config_init(&config, sizeof config);
  return config;
}

/* A connection to the application `guarded`, as `user:password` if any is given. */
static rtmpkit_net_connection *reach(struct served *served, const char *user, const rtmpkit_net_connection_config *config,
                                     struct seen *seen) {
  rtmpkit_net_connection_events events;
  rtmpkit_net_connection *connection = NULL;
  char url[128];
  seen_init(seen);
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status;
  events.on_release = on_release;
  OK(rtmpkit_net_connection_create(served->engine, config, &events, seen, &connection));
  snprintf(url, sizeof url, "rtmp://%s%.*sguarded", user, (int)strlen(served->url) - 11, served->url + 7);
  OK(rtmpkit_net_connection_connect(connection, url, NULL, 0));
  return connection;
}

static void comes(struct seen *seen, const char *code) { CHECK(told(seen, code)); }

static void p18_users_of_an_application_log_in(void) {
  const int32_t methods[] = {RTMPKIT_LOGIN_ADOBE, RTMPKIT_LOGIN_LIMELIGHT};
  for (int i = 0; i < 2; i++) {
    struct served served;
    struct guard guard;
    struct seen client;
    rtmpkit_net_connection_config config = settings();
    rtmpkit_value *hash = NULL;
    const char *text = NULL;
    serve(&served, NULL, NULL);
    rtmpkit_application *application = open_guarded(&served, &guard, methods[i]);
    OK(rtmpkit_application_set_user(application, "me", "s3cret"));
    rtmpkit_net_connection *connection = reach(&served, "me:s3cret@", NULL, &client);
    comes(&client, "NetConnection.Connect.Success");
    CHECK(guard.seen.inner == methods[i] && strcmp(guard.seen.name, "me") == 0);
    disconnect(connection, &client);

    connection = reach(&served, "me:wrong@", NULL, &client);
    comes(&client, "NetConnection.Connect.Rejected");
    CHECK(strstr(client.text, "?reason=authfail") != NULL);
    disconnect(connection, &client);
    connection = reach(&served, "", NULL, &client);
    comes(&client, "NetConnection.Connect.Rejected");
    CHECK(strstr(client.text, "code=403 need auth") != NULL);
    disconnect(connection, &client);

    OK(rtmpkit_login_hash(methods[i], "you", "NaCl", "other", &hash));
    OK(rtmpkit_value_get_string(hash, &text, NULL));
    OK(rtmpkit_application_set_user_hash(application, "you", "NaCl", text));
    OK(rtmpkit_application_set_user(application, "me", NULL));
    config.user = "you", config.password = "other";
    connection = reach(&served, "", &config, &client);
    comes(&client, "NetConnection.Connect.Success");
    disconnect(connection, &client);
    connection = reach(&served, "me:s3cret@", NULL, &client);
    comes(&client, "NetConnection.Connect.Rejected");
    CHECK(strstr(client.text, "?reason=nosuchuser") != NULL);
    disconnect(connection, &client);
    rtmpkit_value_unref(hash);
    close_guarded(application, &guard);
    stop(&served);
  }
}

static void p18_the_host_checks_a_login(void) {
  struct served served;
  struct guard guard;
  struct seen client;
  serve(&served, NULL, NULL);
  rtmpkit_application *application = open_guarded(&served, &guard, RTMPKIT_LOGIN_NONE);
  guard.password = "s3cret";
  rtmpkit_net_connection *connection = reach(&served, "me:s3cret@", NULL, &client);
  comes(&client, "NetConnection.Connect.Success");
  CHECK(guard.seen.connects == 3 && guard.seen.inner == RTMPKIT_LOGIN_LIMELIGHT);
  disconnect(connection, &client);
  connection = reach(&served, "you:s3cret@", NULL, &client);
  comes(&client, "NetConnection.Connect.Rejected");
  CHECK(strstr(client.text, "?reason=nosuchuser") != NULL);
  disconnect(connection, &client);
  close_guarded(application, &guard);
  stop(&served);
}

static double number_in(rtmpkit_client *client, const char *name) {
  rtmpkit_client_details details;
  double number = -1;
  rtmpkit_client_details_init(&details, sizeof details);
  OK(rtmpkit_client_info(client, &details));
  OK(rtmpkit_value_get_number(rtmpkit_value_object_get(details.connect_object, name), &number));
  return number;
}

static void n6_p2_p12_what_a_connection_announces(void) {
  struct served served;
  struct guard guard;
  struct seen client;
  rtmpkit_client_details details;
  rtmpkit_net_connection_config config = settings();
  rtmpkit_value *properties = rtmpkit_value_object();
  rtmpkit_value *audio = rtmpkit_value_number(1024), *video = rtmpkit_value_number(128);
  rtmpkit_value *function = rtmpkit_value_number(1), *proxied = rtmpkit_value_bool(true);
  bool fpad = false;
  serve(&served, NULL, NULL);
  rtmpkit_application *application = open_guarded(&served, &guard, RTMPKIT_LOGIN_NONE);
  guard.keep = 1;
  OK(rtmpkit_value_object_set(properties, "audioCodecs", audio));
  OK(rtmpkit_value_object_set(properties, "videoCodecs", video));
  OK(rtmpkit_value_object_set(properties, "videoFunction", function));
  OK(rtmpkit_value_object_set(properties, "fpad", proxied));
  config.agent = "FMSc/1.0";
  config.referrer = "https://testsite.com/data/player.swf";
  config.page_url = "http://testsite.com/cool_vid.html";
  config.object_encoding = 3;
  config.digest_handshake = 1;
  config.properties = properties;
  rtmpkit_net_connection *connection = reach(&served, "", &config, &client);
  rtmpkit_value_unref(properties);
  CHECK(wait_for(&guard.seen, &guard.seen.connects, 1));
  rtmpkit_client *peer = rtmpkit_request_client(guard.seen.kept);
  rtmpkit_client_details_init(&details, sizeof details);
  OK(rtmpkit_client_info(peer, &details));
  CHECK(strcmp(details.agent, "FMSc/1.0") == 0 && strcmp(details.page_url, config.page_url) == 0);
  CHECK(strcmp(details.referrer, config.referrer) == 0);
  CHECK(number_in(peer, "audioCodecs") == 1024 && number_in(peer, "videoCodecs") == 128);
  CHECK(number_in(peer, "videoFunction") == 1 && number_in(peer, "objectEncoding") == 3);
  OK(rtmpkit_value_get_bool(rtmpkit_value_object_get(details.connect_object, "fpad"), &fpad));
  CHECK(fpad);
  OK(rtmpkit_request_accept(guard.seen.kept, NULL));
  rtmpkit_request_unref(guard.seen.kept);
  comes(&client, "NetConnection.Connect.Success");
  disconnect(connection, &client);
  config.object_encoding = 1;
  CHECK(rtmpkit_net_connection_create(served.engine, &config, NULL, NULL, &connection) == RTMPKIT_ERR_INVALID_ARGUMENT);
  rtmpkit_value_unref(audio), rtmpkit_value_unref(video), rtmpkit_value_unref(function), rtmpkit_value_unref(proxied);
  close_guarded(application, &guard);
  stop(&served);
}

static void on_writable(void *user_data, rtmpkit_net_stream *stream) {
  struct seen *seen = user_data;
  (void)stream;
  pthread_mutex_lock(&seen->lock);
  count(seen, &seen->keyframes);
  pthread_mutex_unlock(&seen->lock);
}

static void s3_s6_s7_a_publisher_knows_what_it_sends(void) {
  struct served served;
  struct guard guard;
  struct seen client, published, played;
  rtmpkit_net_stream_events events;
  rtmpkit_net_stream *out = NULL, *in = NULL;
  rtmpkit_media media = {0};
  const uint8_t body[] = {0x17, 1, 0, 0, 7, 7};
  uint32_t buffer = 1;
  uint64_t before = 1, after = 0;
  int32_t result = RTMPKIT_OK;
  serve(&served, NULL, NULL);
  rtmpkit_application *application = open_guarded(&served, &guard, RTMPKIT_LOGIN_NONE);
  guard.keep = 1;
  rtmpkit_net_connection *connection = reach(&served, "", NULL, &client);
  CHECK(wait_for(&guard.seen, &guard.seen.connects, 1));
  seen_init(&published), seen_init(&played);
  rtmpkit_net_stream_events_init(&events, sizeof events);
  events.on_status = on_stream_status;
  events.on_writable = on_writable;
  events.on_release = on_release;
  OK(rtmpkit_net_stream_create(connection, &events, &published, &out));
  OK(rtmpkit_net_stream_publish(out, "cam", RTMPKIT_PUBLISH_LIVE));
  OK(rtmpkit_net_stream_get_send_buffer(out, &buffer));
  CHECK(buffer == 0);
  OK(rtmpkit_net_stream_set_send_buffer(out, 2000));
  OK(rtmpkit_net_stream_get_send_buffer(out, &buffer));
  OK(rtmpkit_net_stream_publish_time(out, &before));
  CHECK(buffer == 2000 && before == 0);
  rtmpkit_media_init(&media, sizeof media);
  media.type = RTMPKIT_MEDIA_VIDEO;
  media.body = body, media.body_len = sizeof body;
  /* Nothing is sent before the server accepts. */
  for (int i = 0; i < 100 && result == RTMPKIT_OK; i++) {
    media.timestamp_ms = (uint64_t)i * 40;
    result = rtmpkit_net_stream_write(out, &media);
  }
  CHECK(result == RTMPKIT_ERR_FULL && media.timestamp_ms == 2080);
  OK(rtmpkit_request_accept(guard.seen.kept, NULL));
  rtmpkit_request_unref(guard.seen.kept);
  CHECK(wait_for(&published, &published.keyframes, 1));
  OK(rtmpkit_net_stream_write(out, &media));
  comes(&published, "NetStream.Publish.Start");
  do OK(rtmpkit_net_stream_publish_time(out, &after));
  while (after == 0);

  events.on_media = on_stream_media;
  OK(rtmpkit_net_stream_create(connection, &events, &played, &in));
  OK(rtmpkit_net_stream_play(in, "cam", NULL));
  comes(&played, "NetStream.Play.Start");
  CHECK(wait_for(&played, &played.media, 1));
  const int so_far = played.media;
  rtmpkit_value *text = rtmpkit_value_string("hello");
  const rtmpkit_value *args[] = {text};
  OK(rtmpkit_net_stream_send(out, 3000, "onNote", args, 1));
  CHECK(wait_for(&played, &played.media, so_far + 1));
  rtmpkit_value_unref(text);
  rtmpkit_net_stream_unref(in);
  rtmpkit_buffer_unref(played.payload);
  rtmpkit_net_stream_unref(out);
  CHECK(wait_for(&played, &played.releases, 1) && wait_for(&published, &published.releases, 1));
  disconnect(connection, &client);
  close_guarded(application, &guard);
  stop(&served);
}

static void receive(int socket, unsigned char *bytes, size_t length) {
  for (size_t had = 0; had < length;) {
    const ssize_t more = read(socket, bytes + had, length - had);
    CHECK(more > 0);
    if (more <= 0) return;
    had += (size_t)more;
  }
}

/* A server by hand: it wants to know which SWF file the client is, and gets the answer of its handshake's key. */
static void p3_p9_a_client_proves_which_swf_file_it_is(void) {
  /* Event 27: type, version, twice the size, and HMAC-SHA256 of 32 times 9 under 32 times 0x5A, the end of S1. */
  static const unsigned char proof[] = {
      0,    0x1b, 1,    1,    0,    1,    2,    3,    0,    1,    2,    3,    0xc7, 0x3e, 0xe7, 0x5f, 0xa3, 0x19, 0x37, 0x0a, 0xc6, 0xbb,
      0x16, 0x1b, 0x8c, 0xa0, 0x07, 0xe5, 0x34, 0x75, 0x5e, 0xd3, 0x34, 0xbf, 0x34, 0xf8, 0xe2, 0xc8, 0xd6, 0x31, 0x64, 0xe5, 0x2c, 0xe3};
  static const unsigned char request[] = {2, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 0, 0, 0x1a, 1};
  static unsigned char hello[3073], input[4096];
  struct served served;
  struct seen client;
  struct sockaddr_in address = {0};
  socklen_t size = sizeof address;
  rtmpkit_net_connection_config config = settings();
  rtmpkit_net_connection_events events;
  rtmpkit_net_connection *connection = NULL;
  uint8_t hash[32];
  char url[64];
  size_t had = 0;
  int found = 0;
  serve(&served, NULL, NULL);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 1) == 0);
  CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
  snprintf(url, sizeof url, "rtmp://127.0.0.1:%d/live", ntohs(address.sin_port));
  memset(hash, 9, sizeof hash);
  config.swf_hash = hash, config.swf_size = 0x00010203;
  seen_init(&client);
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status, events.on_release = on_release;
  OK(rtmpkit_net_connection_create(served.engine, &config, &events, &client, &connection));
  memset(hash, 0, sizeof hash);
  OK(rtmpkit_net_connection_connect(connection, url, NULL, 0));
  const int peer = accept(listener, NULL, NULL);
  receive(peer, hello, 1537);
  memmove(hello + 1537, hello + 1, 1536);
  memset(hello + 1, 0, 8), memset(hello + 9, 0x5a, 1528);
  hello[0] = 3;
  CHECK(write(peer, hello, sizeof hello) == (ssize_t)sizeof hello);
  receive(peer, hello, 1536);
  CHECK(write(peer, request, sizeof request) == (ssize_t)sizeof request);
  while (!found && had < sizeof input) {
    const ssize_t more = read(peer, input + had, sizeof input - had);
    if (more <= 0) break;
    had += (size_t)more;
    for (size_t i = 0; i + sizeof proof <= had; i++) found |= memcmp(input + i, proof, sizeof proof) == 0;
  }
  CHECK(found);
  close(peer), close(listener);
  disconnect(connection, &client);
  config = settings();
  config.chunk_size = 0;
  CHECK(rtmpkit_net_connection_create(served.engine, &config, NULL, NULL, &connection) == RTMPKIT_ERR_INVALID_ARGUMENT);
  stop(&served);
}

static void on_answer(void *user_data, const rtmpkit_value *result, const rtmpkit_status *error) {
  struct seen *seen = user_data;
  const char *text = "";
  if (result) OK(rtmpkit_value_get_string(result, &text, NULL));
  pthread_mutex_lock(&seen->lock);
  note(seen->text, error ? error->code : text);
  count(seen, &seen->replies);
  pthread_mutex_unlock(&seen->lock);
}

static void n1_n2_n3_calls_to_a_gateway(void) {
  for (int encoding = 0; encoding <= 3; encoding += 3) {
    struct gateway gateway;
    struct served served;
    struct seen client, answers;
    rtmpkit_net_connection_config config = settings();
    rtmpkit_net_connection_events events;
    rtmpkit_net_connection *connection = NULL;
    rtmpkit_value *ticket = rtmpkit_value_string("t7"), *text = rtmpkit_value_string("x");
    const rtmpkit_value *args[] = {text};
    char url[64];
    serve(&served, NULL, NULL);
    gateway_open(&gateway);
    seen_init(&client), seen_init(&answers);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/gateway", gateway.port);
    rtmpkit_net_connection_events_init(&events, sizeof events);
    events.on_status = on_status;
    events.on_release = on_release;
    config.object_encoding = encoding;
    OK(rtmpkit_net_connection_create(served.engine, &config, &events, &client, &connection));
    OK(rtmpkit_net_connection_add_header(connection, "ticket", true, ticket));
    OK(rtmpkit_net_connection_connect(connection, url, NULL, 0));
    CHECK(rtmpkit_net_connection_is_connected(connection));
    comes(&client, "NetConnection.Connect.Success");
    OK(rtmpkit_net_connection_call(connection, "a.b", args, 1, on_answer, &answers));
    CHECK(wait_for(&answers, &answers.replies, 1) && strcmp(answers.text, "y") == 0);
    CHECK(gateway.body[1] == encoding && gateway_saw(&gateway, "\0\3a.b\0\2/1\0\0\0\11\n\0\0\0\1\2\0\1x", 22));
    CHECK(gateway_saw(&gateway, "\0\6ticket\1\0\0\0\5\2\0\2t7", 18));
    OK(rtmpkit_net_connection_add_header(connection, "ticket", false, NULL));
    OK(rtmpkit_net_connection_call(connection, "a.fail", NULL, 0, on_answer, &answers));
    CHECK(wait_for(&answers, &answers.replies, 2) && strcmp(answers.text, "Server.No") == 0);
    CHECK(!gateway_saw(&gateway, "ticket", 6));
    OK(rtmpkit_net_connection_close(connection));
    CHECK(wait_for(&client, &client.closes, 1));
    disconnect(connection, &client);
    rtmpkit_value_unref(ticket), rtmpkit_value_unref(text);
    gateway_close(&gateway);
    stop(&served);
  }
}

static pthread_mutex_t logged_lock = PTHREAD_MUTEX_INITIALIZER;
static char logged[1 << 16];

static void on_log(void *user_data, int32_t level, const char *target, const char *message) {
  (void)user_data, (void)level, (void)target;
  pthread_mutex_lock(&logged_lock);
  size_t used = strlen(logged);
  snprintf(logged + used, sizeof logged - used, "%s\n", message);
  pthread_mutex_unlock(&logged_lock);
}

/* Passwords and tokens of these tests all have this in them. */
static int tells(const char *text) { return strstr(text, "s3cret") != NULL; }

/* A server and a client that log everything: what goes well, is refused, fails and is malformed. */
static void p19_passwords_and_tokens_are_not_told(void) {
  const char *malformed[] = {"rtmp://me:s3cret/x@host/live", "rtmp://me:s3cret@ho st/live?key=s3cret",
                             "rtmp://me:s3cret@host:0/live",  "rtmpx://me:s3cret@host/live", "http://me:s3cret@/x"};
  struct served served;
  struct guard guard;
  struct seen client, stream;
  rtmpkit_net_stream_events events;
  rtmpkit_net_stream *out = NULL;
  char url[160];
  log_to = on_log;
  serve(&served, NULL, NULL);
  rtmpkit_application *application = open_guarded(&served, &guard, RTMPKIT_LOGIN_ADOBE);
  OK(rtmpkit_application_set_user(application, "me", "s3cret"));
  rtmpkit_net_connection *connection = reach(&served, "me:s3cret@", NULL, &client);
  comes(&client, "NetConnection.Connect.Success");
  seen_init(&stream);
  rtmpkit_net_stream_events_init(&events, sizeof events);
  events.on_status = on_stream_status;
  events.on_release = on_release;
  OK(rtmpkit_net_stream_create(connection, &events, &stream, &out));
  OK(rtmpkit_net_stream_publish(out, "cam?key=s3cret", RTMPKIT_PUBLISH_LIVE));
  comes(&stream, "NetStream.Publish.Start");
  CHECK(!tells(client.codes) && !tells(client.text) && !tells(stream.text));
  rtmpkit_net_stream_unref(out);
  disconnect(connection, &client);
  connection = reach(&served, "me:s3cret-no@", NULL, &client);
  comes(&client, "NetConnection.Connect.Rejected");
  CHECK(!tells(client.text));
  disconnect(connection, &client);
  for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
    OK(rtmpkit_net_connection_create(served.engine, NULL, NULL, NULL, &connection));
    CHECK(rtmpkit_net_connection_connect(connection, malformed[i], NULL, 0) < 0);
    CHECK(rtmpkit_last_error()[0] != '\0' && !tells(rtmpkit_last_error()));
    rtmpkit_net_connection_unref(connection);
  }
  /* Nobody listens there, or by TLS: the failure is told, the URL is not. */
  const char *failing[] = {"rtmp://me:s3cret@127.0.0.1:1/live?key=s3cret", "rtmps://me:s3cret@127.0.0.1:%.*s/live?key=s3cret"};
  for (size_t i = 0; i < 2; i++) {
    snprintf(url, sizeof url, failing[i], (int)strcspn(served.url + 17, "/"), served.url + 17);
    seen_init(&client);
    rtmpkit_net_connection_events told_events;
    rtmpkit_net_connection_events_init(&told_events, sizeof told_events);
    told_events.on_status = on_status, told_events.on_release = on_release;
    OK(rtmpkit_net_connection_create(served.engine, NULL, &told_events, &client, &connection));
    OK(rtmpkit_net_connection_connect(connection, url, NULL, 0));
    comes(&client, "NetConnection.Connect.Failed");
    CHECK(client.text[0] != '\0' && !tells(client.text));
    disconnect(connection, &client);
  }
  close_guarded(application, &guard);
  stop(&served);
  CHECK(strlen(logged) > 0);
  CHECK(!tells(logged));
  log_to = NULL;
}

static void on_nanoseconds(void *user_data, rtmpkit_net_stream *stream, const rtmpkit_media *media) {
  struct seen *seen = user_data;
  (void)stream;
  if (media->type != RTMPKIT_MEDIA_VIDEO) return;
  pthread_mutex_lock(&seen->lock);
  seen->last_time = media->timestamp_ns;
  count(seen, &seen->media);
  pthread_mutex_unlock(&seen->lock);
}

/* A player that announces to understand nothing of Enhanced RTMP, where that counts and where it does not. */
static void m11_players_get_what_they_understand_or_everything(void) {
  for (int reduced = 0; reduced <= 1; reduced++) {
    struct served served;
    struct seen client, shown;
    rtmpkit_server_config config;
    rtmpkit_net_connection_config announced = settings();
    rtmpkit_net_connection_events events;
    rtmpkit_net_stream_events stream_events;
    rtmpkit_server *server = NULL;
    rtmpkit_application *application = NULL;
    rtmpkit_instance *instance = NULL;
    rtmpkit_stream *stream = NULL;
    rtmpkit_net_connection *connection = NULL;
    rtmpkit_net_stream *player = NULL;
    rtmpkit_value *properties = rtmpkit_value_object(), *none = rtmpkit_value_number(0);
    rtmpkit_media media;
    uint16_t port = 0;
    char url[64];
    serve(&served, NULL, NULL);
    rtmpkit_server_config_init(&config, sizeof config);
    CHECK(config.reduce_for_players == 1);
    config.reduce_for_players = reduced;
    OK(rtmpkit_server_create(served.engine, &config, NULL, NULL, &server));
    OK(rtmpkit_application_create(server, "live", NULL, NULL, NULL, &application));
    OK(rtmpkit_server_listen(server, "rtmp://127.0.0.1:0", &port));
    OK(rtmpkit_instance_get(application, NULL, &instance));
    OK(rtmpkit_stream_publish(instance, "cam", RTMPKIT_PUBLISH_LIVE, &stream));
    snprintf(url, sizeof url, "rtmp://127.0.0.1:%d/live", port);
    seen_init(&client), seen_init(&shown);
    OK(rtmpkit_value_object_set(properties, "capsEx", none));
    announced.properties = properties;
    rtmpkit_net_connection_events_init(&events, sizeof events);
    events.on_status = on_status;
    events.on_release = on_release;
    OK(rtmpkit_net_connection_create(served.engine, &announced, &events, &client, &connection));
    OK(rtmpkit_net_connection_connect(connection, url, NULL, 0));
    rtmpkit_net_stream_events_init(&stream_events, sizeof stream_events);
    stream_events.on_status = on_stream_status;
    stream_events.on_media = on_nanoseconds;
    stream_events.on_release = on_release;
    OK(rtmpkit_net_stream_create(connection, &stream_events, &shown, &player));
    OK(rtmpkit_net_stream_play(player, "cam", NULL));
    CHECK(told(&shown, "NetStream.Play.Start"));
    rtmpkit_media_init(&media, sizeof media);
    media.type = RTMPKIT_MEDIA_VIDEO;
    media.fourcc = RTMPKIT_CODEC_HEVC;
    media.flags = RTMPKIT_MEDIA_KEYFRAME;
    media.timestamp_ns = 999999;
    media.data = (const uint8_t *)"key";
    media.len = 3;
    OK(rtmpkit_stream_write(stream, &media));
    CHECK(wait_for(&shown, &shown.media, 1) && shown.last_time == (reduced ? 0 : 999999));
    rtmpkit_net_stream_unref(player);
    CHECK(wait_for(&shown, &shown.releases, 1));
    disconnect(connection, &client);
    rtmpkit_value_unref(properties), rtmpkit_value_unref(none);
    rtmpkit_stream_unref(stream), rtmpkit_instance_unref(instance);
    rtmpkit_application_unref(application), rtmpkit_server_unref(server);
    stop(&served);
  }
}

int main(void) {
  m11_players_get_what_they_understand_or_everything();
  p18_users_of_an_application_log_in();
  p18_the_host_checks_a_login();
  n6_p2_p12_what_a_connection_announces();
  s3_s6_s7_a_publisher_knows_what_it_sends();
  n1_n2_n3_calls_to_a_gateway();
  p19_passwords_and_tokens_are_not_told();
  p3_p9_a_client_proves_which_swf_file_it_is();
  printf("%s: %d failures\n", rtmpkit_version_string(), failures);
  return failures != 0;
}
