/* TLS and tunnels from C: what is published by them comes out unchanged, certificates are verified, and can be renewed. */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

enum { PICTURES = 50, PICTURE = 1000 };

/* A certificate for 127.0.0.1 that issued itself: PEM files and what is in the first. */
struct identity {
  char folder[32], chain[64], key[64];
  char pem[8192];
};

static void make_identity(struct identity *identity, const char *name) {
  char command[512];
  FILE *file;
  snprintf(identity->folder, sizeof identity->folder, "/tmp/rtmpkit-tls-XXXXXX");
  CHECK(mkdtemp(identity->folder) != NULL);
  snprintf(identity->chain, sizeof identity->chain, "%s/chain.pem", identity->folder);
  snprintf(identity->key, sizeof identity->key, "%s/key.pem", identity->folder);
  snprintf(command, sizeof command,
           "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=%s' -addext subjectAltName=IP:127.0.0.1"
           " -addext basicConstraints=critical,CA:FALSE -keyout %s -out %s 2>/dev/null",
           name, identity->key, identity->chain);
  CHECK(system(command) == 0);
  file = fopen(identity->chain, "r");
  CHECK(file != NULL);
  if (file) {
    identity->pem[fread(identity->pem, 1, sizeof identity->pem - 1, file)] = 0;
    fclose(file);
  }
}

static void remove_identity(const struct identity *identity) {
  unlink(identity->chain);
  unlink(identity->key);
  CHECK(rmdir(identity->folder) == 0);
}

/* Notes how a client connects: `name` is its protocol, `number` whether it is secure. */
static void on_secure_connect(void *user_data, rtmpkit_request *request, rtmpkit_client *client) {
  struct seen *seen = user_data;
  rtmpkit_client_details details;
  rtmpkit_client_details_init(&details, sizeof details);
  OK(rtmpkit_client_info(client, &details));
  pthread_mutex_lock(&seen->lock);
  note(seen->name, details.protocol);
  seen->number = details.secure;
  count(seen, &seen->connects);
  pthread_mutex_unlock(&seen->lock);
  OK(rtmpkit_request_accept(request, NULL));
}

static void serve_by(struct served *served, const char *scheme, const struct identity *identity) {
  rtmpkit_application_events events = application_events();
  rtmpkit_server_events server_events;
  rtmpkit_server_config config;
  uint16_t port = 0;
  char url[64];
  /* rtmpe is rtmp and rtmpte is rtmpt to listen for: the client asks for the encryption. */
  const int encrypted = strchr(scheme, 'e') != NULL;
  seen_init(&served->seen);
  seen_init(&served->server_seen);
  events.on_connect = on_secure_connect;
  OK(rtmpkit_engine_create(NULL, &served->engine));
  rtmpkit_server_events_init(&server_events, sizeof server_events);
  server_events.on_release = on_release;
  rtmpkit_server_config_init(&config, sizeof config);
  CHECK(config.accept_rtmpe == 0);
  config.accept_rtmpe = encrypted;
  OK(rtmpkit_server_create(served->engine, &config, &server_events, &served->server_seen, &served->server));
  OK(rtmpkit_application_create(served->server, "live", NULL, &events, &served->seen, &served->application));
  snprintf(url, sizeof url, "%s", scheme);
  const size_t end = strlen(url) - (size_t)encrypted;
  snprintf(url + end, sizeof url - end, "://127.0.0.1:0");
  if (strchr(scheme, 's')) {
    CHECK(rtmpkit_server_listen(served->server, url, &port) == RTMPKIT_ERR_TLS);
    CHECK(rtmpkit_server_set_tls_files(served->server, identity->folder, identity->key) == RTMPKIT_ERR_IO);
    CHECK(rtmpkit_server_set_tls_files(served->server, identity->chain, identity->chain) == RTMPKIT_ERR_TLS);
    OK(rtmpkit_server_set_tls_files(served->server, identity->chain, identity->key));
  }
  OK(rtmpkit_server_listen(served->server, url, &port));
  snprintf(served->url, sizeof served->url, "%s://127.0.0.1:%d/live", scheme, port);
}

static rtmpkit_net_connection *connect_by(struct served *served, const char *authorities, int any, struct seen *seen) {
  rtmpkit_net_connection_events events;
  rtmpkit_net_connection_config config;
  rtmpkit_net_connection *connection = NULL;
  seen_init(seen);
  rtmpkit_net_connection_config_init(&config, sizeof config);
  config.tls_authorities = authorities;
  config.tls_insecure_accept_any = any;
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status;
  events.on_release = on_release;
  OK(rtmpkit_net_connection_create(served->engine, &config, &events, seen, &connection));
  OK(rtmpkit_net_connection_connect(connection, served->url, NULL, 0));
  return connection;
}

/* The film: the server's data messages are no part of it. */
static void on_picture(void *user_data, rtmpkit_net_stream *stream, const rtmpkit_media *media) {
  (void)stream;
  if (media->type == RTMPKIT_MEDIA_VIDEO) take_media(user_data, media);
}

static rtmpkit_net_stream *stream_of(rtmpkit_net_connection *connection, struct seen *seen) {
  rtmpkit_net_stream_events events;
  rtmpkit_net_stream *stream = NULL;
  seen_init(seen);
  rtmpkit_net_stream_events_init(&events, sizeof events);
  events.on_status = on_stream_status;
  events.on_media = on_picture;
  events.on_release = on_release;
  OK(rtmpkit_net_stream_create(connection, &events, seen, &stream));
  return stream;
}

/* Writes one message; the sum of everything written so far is what a player's is to be. */
static void write_body(rtmpkit_net_stream *stream, uint64_t time, const uint8_t *body, size_t length, unsigned *sum) {
  rtmpkit_media media;
  rtmpkit_media_init(&media, sizeof media);
  media.type = RTMPKIT_MEDIA_VIDEO;
  media.timestamp_ms = time;
  media.body = body;
  media.body_len = length;
  OK(rtmpkit_net_stream_write(stream, &media));
  for (size_t i = 0; i < length; i++) *sum = *sum * 31 + body[i];
}

static unsigned write_pictures(rtmpkit_net_stream *stream) {
  static const uint8_t config[] = {0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x0a, 0xff, 0xe1, 0, 0, 1, 0, 0};
  uint8_t picture[PICTURE] = {0x17, 1, 0, 0, 7};
  unsigned sum = 0;
  write_body(stream, 1000, config, sizeof config, &sum);
  for (int n = 0; n < PICTURES; n++) {
    for (int i = 5; i < PICTURE; i++) picture[i] = (uint8_t)(n * 7 + i);
    write_body(stream, 1000 + (uint64_t)n, picture, sizeof picture, &sum);
  }
  return sum;
}

static void p17_p19_c13_c17_what_is_published_is_played_unchanged(const char *scheme, const struct identity *identity) {
  struct served served;
  struct seen publisher, player, out, in;
  serve_by(&served, scheme, identity);
  rtmpkit_net_connection *from = connect_by(&served, identity->pem, 0, &publisher);
  rtmpkit_net_connection *to = connect_by(&served, identity->pem, 0, &player);
  CHECK(told(&publisher, "NetConnection.Connect.Success") && told(&player, "NetConnection.Connect.Success"));
  CHECK(strcmp(served.seen.name, scheme) == 0);
  CHECK((served.seen.number != 0) == (strchr(scheme, 's') != NULL));

  rtmpkit_net_stream *published = stream_of(from, &out), *played = stream_of(to, &in);
  OK(rtmpkit_net_stream_publish(published, "cam", RTMPKIT_PUBLISH_LIVE));
  CHECK(told(&out, "NetStream.Publish.Start"));
  OK(rtmpkit_net_stream_play(played, "cam", NULL));
  CHECK(told(&in, "NetStream.Play.Start"));
  unsigned sum = write_pictures(published);
  CHECK(wait_for(&in, &in.keyframes, PICTURES));
  pthread_mutex_lock(&in.lock);
  CHECK(in.configs == 1 && in.media == PICTURES + 1 && in.sum == sum && in.last_time == 1000 + PICTURES - 1);
  pthread_mutex_unlock(&in.lock);

  rtmpkit_net_stream_unref(published);
  CHECK(wait_for(&out, &out.releases, 1));
  CHECK(told(&in, "NetStream.Play.UnpublishNotify"));
  rtmpkit_net_stream_unref(played);
  CHECK(wait_for(&in, &in.releases, 1));
  rtmpkit_buffer_unref(in.payload);
  disconnect(from, &publisher);
  disconnect(to, &player);
  stop(&served);
}

/* A connection that its certificate lets come to nothing says why. */
static void check_failure(struct served *served, const char *authorities, const char *why) {
  struct seen seen;
  rtmpkit_net_connection *connection = connect_by(served, authorities, 0, &seen);
  CHECK(wait_for(&seen, &seen.statuses, 1) && strcmp(seen.code, "NetConnection.Connect.Failed") == 0);
  CHECK(strstr(seen.text, why) != NULL);
  CHECK(!rtmpkit_net_connection_is_connected(connection));
  disconnect(connection, &seen);
}

static void p17_certificates_are_verified_and_can_be_renewed(const struct identity *first, const struct identity *second) {
  struct served served;
  struct seen old, renewed, any;
  char key[8192] = "";
  rtmpkit_tls_identity identity = {second->pem, key};
  serve_by(&served, "rtmps", first);
  check_failure(&served, NULL, "issuer that is not trusted");
  check_failure(&served, second->pem, "issuer that is not trusted");
  rtmpkit_net_connection *stays = connect_by(&served, first->pem, 0, &old);
  CHECK(told(&old, "NetConnection.Connect.Success"));
  CHECK(served.seen.connects == 1);

  CHECK(rtmpkit_server_set_tls(served.server, &identity, 1) == RTMPKIT_ERR_TLS);
  CHECK(rtmpkit_server_set_tls(served.server, &identity, 0) == RTMPKIT_ERR_TLS);
  FILE *file = fopen(second->key, "r");
  if (file) {
    key[fread(key, 1, sizeof key - 1, file)] = 0;
    fclose(file);
  }
  OK(rtmpkit_server_set_tls(served.server, &identity, 1));
  check_failure(&served, first->pem, "issuer that is not trusted");
  rtmpkit_net_connection *fresh = connect_by(&served, second->pem, 0, &renewed);
  CHECK(told(&renewed, "NetConnection.Connect.Success"));
  rtmpkit_net_connection *trusting = connect_by(&served, NULL, 1, &any);
  CHECK(told(&any, "NetConnection.Connect.Success"));
  CHECK(rtmpkit_net_connection_is_connected(stays) && old.closes == 0);

  disconnect(stays, &old);
  disconnect(fresh, &renewed);
  disconnect(trusting, &any);
  stop(&served);
}

int main(void) {
  struct identity first, second;
  make_identity(&first, "first");
  make_identity(&second, "second");
  p17_p19_c13_c17_what_is_published_is_played_unchanged("rtmps", &first);
  p17_p19_c13_c17_what_is_published_is_played_unchanged("rtmpt", &first);
  p17_p19_c13_c17_what_is_published_is_played_unchanged("rtmpts", &first);
  CHECK(rtmpkit_has_feature("rtmpe"));
  p17_p19_c13_c17_what_is_published_is_played_unchanged("rtmpe", &first);
  p17_p19_c13_c17_what_is_published_is_played_unchanged("rtmpte", &first);
  p17_certificates_are_verified_and_can_be_renewed(&first, &second);
  remove_identity(&first);
  remove_identity(&second);
  printf("%s: %d failures\n", rtmpkit_version_string(), failures);
  return failures != 0;
}
