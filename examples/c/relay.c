/*
 * Pulls a stream from one server and pushes it to another, until its publisher leaves or Ctrl-C. Lost connections are made
 * again; the media never passes this program:
 *   relay PULL_URL PUSH_URL
 */
#define _POSIX_C_SOURCE 200809L
#include "example.h"

struct state {
  int streamed, done, pushed;
};

/* Both relays: the callbacks run in this thread, inside rtmpkit_queue_dispatch. */
static void report(rtmpkit_relay *relay, const rtmpkit_relay_event *event) {
  if (event->kind == RTMPKIT_RELAY_EVENT_RETRYING)
    fprintf(stderr, "%s: %s: %s; again in %llu ms\n", rtmpkit_relay_url(relay), event->reason->code,
            event->reason->description, (unsigned long long)event->after_ms);
}

static void on_pull(void *user_data, rtmpkit_relay *relay, const rtmpkit_relay_event *event) {
  struct state *state = user_data;
  report(relay, event);
  if (event->kind == RTMPKIT_RELAY_EVENT_STREAMING) state->streamed = 1;
  /* Connected once more: what flowed has ended. */
  if (event->kind == RTMPKIT_RELAY_EVENT_CONNECTED && state->streamed) state->done = 1;
  if (event->kind == RTMPKIT_RELAY_EVENT_ENDED) state->done = 1;
}

static void on_push(void *user_data, rtmpkit_relay *relay, const rtmpkit_relay_event *event) {
  struct state *state = user_data;
  report(relay, event);
  if (event->kind == RTMPKIT_RELAY_EVENT_ENDED) state->pushed = 1;
}

int main(int argc, char **argv) {
  struct state state = {0, 0, 0};
  rtmpkit_engine *engine = NULL;
  rtmpkit_queue *queue = NULL;
  rtmpkit_server *server = NULL;
  rtmpkit_application *application = NULL;
  rtmpkit_instance *instance = NULL;
  rtmpkit_stream *stream = NULL;
  rtmpkit_relay *pull = NULL, *push = NULL;
  rtmpkit_relay_config config;
  rtmpkit_relay_events events;

  if (argc != 3) {
    fprintf(stderr, "usage: relay PULL_URL PUSH_URL\n");
    return 2;
  }
  stop_on_signals();
  must(rtmpkit_engine_create(NULL, &engine), "engine");
  must(rtmpkit_queue_create(engine, 4096, &queue), "queue");
  /* The stream between both is one of a server that listens nowhere. */
  must(rtmpkit_server_create(engine, NULL, NULL, NULL, &server), "server");
  must(rtmpkit_application_create(server, "relay", NULL, NULL, NULL, &application), "application");
  must(rtmpkit_instance_get(application, NULL, &instance), "instance");
  must(rtmpkit_stream_open(instance, "stream", &stream), "stream");

  rtmpkit_relay_config_init(&config, sizeof config);
  config.queue = queue;
  rtmpkit_relay_events_init(&events, sizeof events);
  events.on_event = on_push;
  must(rtmpkit_relay_push(stream, argv[2], &config, &events, &state, &push), argv[2]);
  events.on_event = on_pull;
  must(rtmpkit_relay_pull(instance, argv[1], "stream", &config, &events, &state, &pull), argv[1]);

  while (!state.done && !stopped) must(rtmpkit_queue_dispatch(queue, 1000, 100, NULL), "dispatch");

  rtmpkit_relay_unref(pull);
  rtmpkit_relay_unref(push);
  /* What the push has taken in is sent first. */
  while (!state.pushed) must(rtmpkit_queue_dispatch(queue, 1000, 100, NULL), "dispatch");
  rtmpkit_stream_unref(stream);
  rtmpkit_instance_unref(instance);
  rtmpkit_application_unref(application);
  rtmpkit_server_unref(server);
  rtmpkit_engine_close(engine);
  rtmpkit_engine_join(engine, 5000);
  rtmpkit_queue_unref(queue);
  rtmpkit_engine_unref(engine);
  return 0;
}
