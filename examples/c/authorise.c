/*
 * An application server: who publishes or plays needs a key in the query string, viewers are counted and told how many
 * they are, and one of them can be kicked.
 *   authorise --listen HOST:PORT --key KEY
 * Publish to rtmp://HOST:PORT/live/cam?key=KEY, play the same. On standard input `viewers` prints how many there are,
 * `kick ID` disconnects one, `quit` (or the end of input) ends the server.
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>

#include "example.h"

struct show {
  const char *key;
  pthread_mutex_t lock; /* Callbacks of different clients run at the same time. */
  int viewers;
};

/* Whether a query has key=KEY among its parts. */
static int is_authorised(const struct show *show, const char *query) {
  size_t length = strlen(show->key);
  for (const char *part = query; part; part = strchr(part, '&')) {
    part += *part == '&';
    if (strncmp(part, "key=", 4) == 0 && strncmp(part + 4, show->key, length) == 0 &&
        (part[4 + length] == '&' || part[4 + length] == '\0'))
      return 1;
  }
  return 0;
}

static void on_publish(void *user_data, rtmpkit_request *request, rtmpkit_client *client, rtmpkit_stream *stream) {
  struct show *show = user_data;
  if (!is_authorised(show, rtmpkit_request_query(request))) {
    rtmpkit_request_reject(request, NULL, "Wrong key.", NULL);
    return;
  }
  rtmpkit_request_set_option(request, "hold_ms", "5000"); /* Viewers stay when the publisher stumbles. */
  rtmpkit_request_accept(request, NULL);
  printf("%s is published by client %llu\n", rtmpkit_stream_name(stream),
         (unsigned long long)rtmpkit_client_id(client));
  fflush(stdout);
}

/* Counts, and calls `viewers` with the number at every client of the instance. */
static void count_viewer(struct show *show, rtmpkit_client *client, int change) {
  rtmpkit_instance *instance = NULL;
  pthread_mutex_lock(&show->lock);
  show->viewers += change;
  rtmpkit_value *count = rtmpkit_value_number(show->viewers);
  const rtmpkit_value *args[] = {count};
  if (rtmpkit_client_instance(client, &instance) == RTMPKIT_OK)
    rtmpkit_instance_broadcast(instance, "viewers", args, 1);
  pthread_mutex_unlock(&show->lock);
  rtmpkit_value_unref(count);
  rtmpkit_instance_unref(instance);
}

static void on_play(void *user_data, rtmpkit_request *request, rtmpkit_client *client) {
  if (!is_authorised(user_data, rtmpkit_request_query(request))) {
    rtmpkit_request_reject(request, NULL, "Wrong key.", NULL);
    return;
  }
  rtmpkit_request_accept(request, NULL);
  count_viewer(user_data, client, 1);
  printf("viewer %llu came\n", (unsigned long long)rtmpkit_client_id(client));
  fflush(stdout);
}

static void on_stop(void *user_data, rtmpkit_client *client, const char *stream) {
  count_viewer(user_data, client, -1);
  printf("viewer %llu left %s\n", (unsigned long long)rtmpkit_client_id(client), stream);
  fflush(stdout);
}

static void kick(rtmpkit_application *application, unsigned long long id) {
  rtmpkit_instance *instance = NULL;
  rtmpkit_client *clients[1000];
  size_t n = 0, kicked = 0;
  if (rtmpkit_instance_get(application, NULL, &instance) != RTMPKIT_OK) return;
  rtmpkit_instance_clients(instance, clients, 1000, &n);
  for (size_t i = 0; i < n && i < 1000; i++) {
    if (rtmpkit_client_id(clients[i]) == id) {
      rtmpkit_client_close(clients[i], "NetConnection.Connect.Closed", "You were kicked.");
      kicked++;
    }
    rtmpkit_client_unref(clients[i]);
  }
  printf(kicked ? "kicked %llu\n" : "there is no client %llu\n", id);
  rtmpkit_instance_unref(instance);
}

int main(int argc, char **argv) {
  struct show show = {NULL, PTHREAD_MUTEX_INITIALIZER, 0};
  rtmpkit_engine *engine = NULL;
  rtmpkit_server *server = NULL;
  rtmpkit_application *application = NULL;
  rtmpkit_application_events events;
  const char *listen = NULL;
  char line[256];
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--listen") == 0) listen = argv[i + 1];
    if (strcmp(argv[i], "--key") == 0) show.key = argv[i + 1];
  }
  if (!listen || !show.key) {
    fprintf(stderr, "usage: authorise --listen HOST:PORT --key KEY\n");
    return 2;
  }
  rtmpkit_application_events_init(&events, sizeof events);
  events.on_publish = on_publish;
  events.on_play = on_play;
  events.on_stop = on_stop;
  must(rtmpkit_engine_create(NULL, &engine), "engine");
  must(rtmpkit_server_create(engine, NULL, NULL, NULL, &server), "server");
  must(rtmpkit_application_create(server, "live", NULL, &events, &show, &application), "application");
  must(rtmpkit_server_listen(server, listen, NULL), listen);
  printf("listening on rtmp://%s\n", listen);
  fflush(stdout);

  while (fgets(line, sizeof line, stdin) && strcmp(line, "quit\n") != 0) {
    if (strncmp(line, "kick ", 5) == 0) kick(application, strtoull(line + 5, NULL, 10));
    pthread_mutex_lock(&show.lock);
    if (strcmp(line, "viewers\n") == 0) printf("%d viewers\n", show.viewers);
    pthread_mutex_unlock(&show.lock);
    fflush(stdout);
  }

  rtmpkit_application_unref(application);
  rtmpkit_server_unref(server);
  rtmpkit_engine_close(engine);
  must(rtmpkit_engine_join(engine, 5000), "join");
  rtmpkit_engine_unref(engine);
  return 0;
}
