/* What the hosts in this folder share: checks, what callbacks saw, a server on a free port, a client to it. */
#ifndef HARNESS_H
#define HARNESS_H

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rtmpkit.h>

#define PATIENCE_S 20

static int failures;

#define CHECK(condition) \
  do { \
    if (!(condition)) { \
      printf("%s:%d: %s is not so (%s)\n", __FILE__, __LINE__, #condition, rtmpkit_last_error()); \
      failures++; \
    } \
  } while (0)
#define OK(call) CHECK((call) == RTMPKIT_OK)

/* What callbacks of one object saw. Shared with the library's threads, so everything is under the lock. */
struct seen {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int connects, publishes, plays, calls, disconnects, rejects, unpublishes;
  int statuses, media, configs, keyframes, closes, replies, errors, releases;
  uint64_t last_time;
  unsigned sum;
  double number;
  char codes[2048]; /* all that came, a line each */
  char code[128], name[128], query[128], text[128];
  rtmpkit_request *kept;
  rtmpkit_buffer *payload;
  void *handle;
  int32_t inner;
};

static inline void seen_init(struct seen *seen) {
  memset(seen, 0, sizeof *seen);
  pthread_mutex_init(&seen->lock, NULL);
  pthread_cond_init(&seen->changed, NULL);
}

static inline void count(struct seen *seen, int *counter) {
  ++*counter;
  pthread_cond_broadcast(&seen->changed);
}

/* Waits until a counter has reached `least`. */
static inline int wait_for(struct seen *seen, const int *counter, int least) {
  struct timespec end;
  int waited = 0, reached;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += PATIENCE_S;
  pthread_mutex_lock(&seen->lock);
  while (*counter < least && waited == 0) waited = pthread_cond_timedwait(&seen->changed, &seen->lock, &end);
  reached = *counter >= least;
  pthread_mutex_unlock(&seen->lock);
  return reached;
}

static inline void note(char *out, const char *text) { snprintf(out, 128, "%s", text); }

static inline void on_release(void *user_data) {
  struct seen *seen = user_data;
  pthread_mutex_lock(&seen->lock);
  count(seen, &seen->releases);
  pthread_mutex_unlock(&seen->lock);
}

/* Server side. */

static inline void on_connect(void *user_data, rtmpkit_request *request, rtmpkit_client *client) {
  struct seen *seen = user_data;
  rtmpkit_client_details details;
  rtmpkit_client_details_init(&details, sizeof details);
  pthread_mutex_lock(&seen->lock);
  CHECK(rtmpkit_request_kind(request) == RTMPKIT_REQUEST_CONNECT);
  CHECK(rtmpkit_request_client(request) != NULL && rtmpkit_client_id(client) != 0);
  OK(rtmpkit_client_info(client, &details));
  CHECK(strncmp(details.address, "127.0.0.1:", 10) == 0 && strcmp(details.protocol, "rtmp") == 0);
  note(seen->name, rtmpkit_request_name(request));
  note(seen->query, rtmpkit_request_query(request));
  if (strcmp(seen->query, "later") == 0) {
    seen->kept = rtmpkit_request_ref(request);
  } else if (strcmp(seen->query, "key=bad") == 0) {
    OK(rtmpkit_request_reject(request, NULL, "Bad key.", NULL));
    CHECK(rtmpkit_request_accept(request, NULL) == RTMPKIT_ERR_WRONG_STATE);
  } else if (strcmp(seen->query, "move") == 0) {
    OK(rtmpkit_request_redirect(request, "rtmp://127.0.0.1:1/elsewhere"));
  } else if (strcmp(seen->query, "forget") != 0) {
    OK(rtmpkit_request_accept(request, NULL));
    CHECK(rtmpkit_request_is_answered(request));
  }
  count(seen, &seen->connects);
  pthread_mutex_unlock(&seen->lock);
}

static inline void on_reject(void *user_data, rtmpkit_client *client, const rtmpkit_status *why) {
  struct seen *seen = user_data;
  (void)client;
  pthread_mutex_lock(&seen->lock);
  note(seen->code, why->code);
  count(seen, &seen->rejects);
  pthread_mutex_unlock(&seen->lock);
}

static inline void on_disconnect(void *user_data, rtmpkit_client *client, const rtmpkit_status *why) {
  struct seen *seen = user_data;
  (void)client, (void)why;
  pthread_mutex_lock(&seen->lock);
  count(seen, &seen->disconnects);
  pthread_mutex_unlock(&seen->lock);
}

static inline void on_publish(void *user_data, rtmpkit_request *request, rtmpkit_client *client, rtmpkit_stream *stream) {
  struct seen *seen = user_data;
  (void)client;
  pthread_mutex_lock(&seen->lock);
  CHECK(rtmpkit_request_kind(request) == RTMPKIT_REQUEST_PUBLISH);
  CHECK(rtmpkit_request_mode(request) == RTMPKIT_PUBLISH_LIVE);
  CHECK(strcmp(rtmpkit_stream_name(stream), rtmpkit_request_name(request)) == 0);
  if (strcmp(rtmpkit_request_name(request), "forbidden") == 0)
    OK(rtmpkit_request_reject(request, NULL, "Not here.", NULL));
  else
    OK(rtmpkit_request_accept(request, NULL));
  count(seen, &seen->publishes);
  pthread_mutex_unlock(&seen->lock);
}

static inline void on_unpublish(void *user_data, rtmpkit_client *client, rtmpkit_stream *stream) {
  struct seen *seen = user_data;
  (void)client, (void)stream;
  pthread_mutex_lock(&seen->lock);
  count(seen, &seen->unpublishes);
  pthread_mutex_unlock(&seen->lock);
}

static inline void on_play(void *user_data, rtmpkit_request *request, rtmpkit_client *client) {
  struct seen *seen = user_data;
  int64_t start = 0, duration = 0;
  bool reset = false;
  (void)client;
  pthread_mutex_lock(&seen->lock);
  OK(rtmpkit_request_range(request, &start, &duration, &reset));
  CHECK(start == -2 && duration == -1 && reset);
  OK(rtmpkit_request_accept(request, NULL));
  count(seen, &seen->plays);
  pthread_mutex_unlock(&seen->lock);
}

/* `add` returns the sum of its arguments; everything else fails. */
static inline void on_call(void *user_data, rtmpkit_request *request, rtmpkit_client *client) {
  struct seen *seen = user_data;
  const rtmpkit_value *const *args = NULL;
  size_t n = 0;
  double sum = 0, number;
  (void)client;
  OK(rtmpkit_request_args(request, &args, &n));
  if (strcmp(rtmpkit_request_name(request), "add") == 0) {
    for (size_t i = 0; i < n; i++)
      if (rtmpkit_value_get_number(args[i], &number) == RTMPKIT_OK) sum += number;
    rtmpkit_value *result = rtmpkit_value_number(sum);
    OK(rtmpkit_request_accept(request, result));
    rtmpkit_value_unref(result);
  }
  pthread_mutex_lock(&seen->lock);
  count(seen, &seen->calls);
  pthread_mutex_unlock(&seen->lock);
}

/* Media, from a subscription or a played stream. */

static inline void take_media(struct seen *seen, const rtmpkit_media *media) {
  pthread_mutex_lock(&seen->lock);
  for (size_t i = 0; i < media->body_len; i++) seen->sum = seen->sum * 31 + media->body[i];
  seen->last_time = media->timestamp_ms;
  if (media->flags & RTMPKIT_MEDIA_CONFIG) count(seen, &seen->configs);
  if (media->flags & RTMPKIT_MEDIA_KEYFRAME) {
    CHECK(media->fourcc == RTMPKIT_CODEC_AVC && media->type == RTMPKIT_MEDIA_VIDEO && media->composition_ms == 7);
    CHECK(media->data == rtmpkit_buffer_data(media->buffer) && media->len == rtmpkit_buffer_len(media->buffer));
    rtmpkit_buffer_unref(seen->payload);
    seen->payload = rtmpkit_buffer_ref(media->buffer);
    count(seen, &seen->keyframes);
  }
  count(seen, &seen->media);
  pthread_mutex_unlock(&seen->lock);
}

static inline void on_media(void *user_data, const rtmpkit_media *media) { take_media(user_data, media); }

static inline void on_stream_media(void *user_data, rtmpkit_net_stream *stream, const rtmpkit_media *media) {
  (void)stream;
  take_media(user_data, media);
}

/* Client side. */

static inline void take_status(struct seen *seen, const rtmpkit_status *status) {
  const char *target = NULL;
  pthread_mutex_lock(&seen->lock);
  if (strcmp(status->code, "NetConnection.Connect.Closed") == 0) {
    count(seen, &seen->closes);
  } else {
    size_t used = strlen(seen->codes);
    snprintf(seen->codes + used, sizeof seen->codes - used, "%s\n", status->code);
    note(seen->code, status->code);
    note(seen->text, status->description);
    rtmpkit_value_get_string(
        rtmpkit_value_object_get(rtmpkit_value_object_get(status->info, "ex"), "redirect"), &target, NULL);
    if (target) note(seen->name, target);
    CHECK((status->level == RTMPKIT_LEVEL_ERROR) == (status->result < 0));
    count(seen, &seen->statuses);
  }
  pthread_mutex_unlock(&seen->lock);
}

/* Waits until a status of this code has come. */
static inline int told(struct seen *seen, const char *code) {
  for (int n = 1; wait_for(seen, &seen->statuses, n); n++) {
    pthread_mutex_lock(&seen->lock);
    int came = strstr(seen->codes, code) != NULL;
    pthread_mutex_unlock(&seen->lock);
    if (came) return 1;
  }
  printf("  told %s\n", seen->codes);
  return 0;
}

static inline void on_status(void *user_data, rtmpkit_net_connection *connection, const rtmpkit_status *status) {
  (void)connection;
  take_status(user_data, status);
}

static inline void on_stream_status(void *user_data, rtmpkit_net_stream *stream, const rtmpkit_status *status) {
  (void)stream;
  take_status(user_data, status);
}

static inline void on_stream_close(void *user_data, rtmpkit_net_stream *stream) {
  struct seen *seen = user_data;
  CHECK(stream != NULL);
  pthread_mutex_lock(&seen->lock);
  count(seen, &seen->closes);
  pthread_mutex_unlock(&seen->lock);
}

static inline void on_client_call(void *user_data, rtmpkit_net_connection *connection, rtmpkit_request *request) {
  (void)connection;
  CHECK(rtmpkit_request_client(request) == NULL);
  on_call(user_data, request, NULL);
}

static inline void on_reply(void *user_data, const rtmpkit_value *result, const rtmpkit_status *error) {
  struct seen *seen = user_data;
  pthread_mutex_lock(&seen->lock);
  CHECK((result == NULL) != (error == NULL));
  if (result) rtmpkit_value_get_number(result, &seen->number);
  if (error) count(seen, &seen->errors);
  count(seen, &seen->replies);
  pthread_mutex_unlock(&seen->lock);
}

/* A server on a free port, with one application. */

struct served {
  rtmpkit_engine *engine;
  rtmpkit_server *server;
  rtmpkit_application *application;
  struct seen seen, server_seen;
  char url[64];
};

static inline rtmpkit_application_events application_events(void) {
  rtmpkit_application_events events;
  rtmpkit_application_events_init(&events, sizeof events);
  events.on_connect = on_connect;
  events.on_reject = on_reject;
  events.on_disconnect = on_disconnect;
  events.on_publish = on_publish;
  events.on_unpublish = on_unpublish;
  events.on_play = on_play;
  events.on_call = on_call;
  events.on_release = on_release;
  return events;
}

/* Hears the log of the engines that `serve` makes, all of it. */
static rtmpkit_log_fn log_to;

static inline void serve(struct served *served, rtmpkit_queue *(*make_queue)(rtmpkit_engine *), rtmpkit_queue **queue) {
  rtmpkit_engine_config config;
  rtmpkit_application_config application;
  rtmpkit_application_events events = application_events();
  rtmpkit_server_events server_events;
  uint16_t port = 0;
  seen_init(&served->seen);
  seen_init(&served->server_seen);
  rtmpkit_engine_config_init(&config, sizeof config);
  config.workers = 2;
  if (log_to) config.log_fn = log_to, config.log_level = RTMPKIT_LOG_TRACE;
  OK(rtmpkit_engine_create(&config, &served->engine));
  rtmpkit_server_events_init(&server_events, sizeof server_events);
  server_events.on_release = on_release;
  OK(rtmpkit_server_create(served->engine, NULL, &server_events, &served->server_seen, &served->server));
  rtmpkit_application_config_init(&application, sizeof application);
  if (make_queue) application.queue = *queue = make_queue(served->engine);
  OK(rtmpkit_application_create(served->server, "live", &application, &events, &served->seen, &served->application));
  OK(rtmpkit_server_listen(served->server, "rtmp://127.0.0.1:0", &port));
  CHECK(port != 0);
  snprintf(served->url, sizeof served->url, "rtmp://127.0.0.1:%d/live", port);
}

static inline void stop(struct served *served) {
  OK(rtmpkit_server_close(served->server));
  rtmpkit_application_unref(served->application);
  rtmpkit_server_unref(served->server);
  OK(rtmpkit_engine_close(served->engine));
  OK(rtmpkit_engine_join(served->engine, PATIENCE_S * 1000));
  rtmpkit_engine_unref(served->engine);
  CHECK(wait_for(&served->seen, &served->seen.releases, 1) && served->seen.releases == 1);
  CHECK(wait_for(&served->server_seen, &served->server_seen.releases, 1) && served->server_seen.releases == 1);
}

static inline rtmpkit_net_connection *connect_to(struct served *served, const char *query, struct seen *seen) {
  rtmpkit_net_connection_events events;
  rtmpkit_net_connection *connection = NULL;
  char url[128];
  seen_init(seen);
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status;
  events.on_call = on_client_call;
  events.on_release = on_release;
  OK(rtmpkit_net_connection_create(served->engine, NULL, &events, seen, &connection));
  snprintf(url, sizeof url, "%s%s", served->url, query);
  OK(rtmpkit_net_connection_connect(connection, url, NULL, 0));
  return connection;
}

static inline void disconnect(rtmpkit_net_connection *connection, struct seen *seen) {
  rtmpkit_net_connection_unref(connection);
  CHECK(wait_for(seen, &seen->releases, 1) && seen->releases == 1);
}

#endif
