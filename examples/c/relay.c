/*
 * Plays a stream from one server and publishes it to another, without touching the media:
 *   relay PULL_URL PUSH_URL
 */
#define _POSIX_C_SOURCE 200809L
#include "example.h"

struct state {
  rtmpkit_net_stream *push;
  int done, failed, behind;
};

/* Both connections: the callbacks run in this thread, inside rtmpkit_queue_dispatch. */
static void on_status(void *user_data, rtmpkit_net_connection *connection, const rtmpkit_status *status) {
  struct state *state = user_data;
  if (status->level == RTMPKIT_LEVEL_ERROR) {
    fprintf(stderr, "%s: %s: %s\n", rtmpkit_net_connection_uri(connection), status->code, status->description);
    state->failed = 1;
  }
  if (strcmp(status->code, "NetConnection.Connect.Closed") == 0) state->done = 1;
}

static void on_stream_status(void *user_data, rtmpkit_net_stream *stream, const rtmpkit_status *status) {
  struct state *state = user_data;
  (void)stream;
  if (status->level == RTMPKIT_LEVEL_ERROR) {
    fprintf(stderr, "%s: %s\n", status->code, status->description);
    state->failed = 1;
  }
  if (strcmp(status->code, "NetStream.Play.UnpublishNotify") == 0) state->done = 1;
}

/* A message goes on as it came; its payload is shared, not copied. If the network does not keep up, it is dropped to
 * the next keyframe. */
static void on_media(void *user_data, rtmpkit_net_stream *stream, const rtmpkit_media *media) {
  struct state *state = user_data;
  int32_t result;
  (void)stream;
  if (state->behind && media->type == RTMPKIT_MEDIA_VIDEO && (media->flags & RTMPKIT_MEDIA_KEYFRAME)) state->behind = 0;
  if (state->behind && !(media->flags & RTMPKIT_MEDIA_CONFIG)) return;
  if (media->type == RTMPKIT_MEDIA_DATA && (media->flags & RTMPKIT_MEDIA_METADATA))
    result = write_metadata(state->push, media);
  else
    result = rtmpkit_net_stream_write(state->push, media);
  if (result == RTMPKIT_ERR_FULL) state->behind = 1;
}

static rtmpkit_net_connection *connect_to(rtmpkit_engine *engine, rtmpkit_queue *queue, const char *url,
                                          struct state *state) {
  rtmpkit_net_connection *connection = NULL;
  rtmpkit_net_connection_config config;
  rtmpkit_net_connection_events events;
  rtmpkit_net_connection_config_init(&config, sizeof config);
  config.queue = queue;
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status;
  must(rtmpkit_net_connection_create(engine, &config, &events, state, &connection), "connection");
  must(rtmpkit_net_connection_connect(connection, url, NULL, 0), url);
  return connection;
}

int main(int argc, char **argv) {
  struct state state = {NULL, 0, 0, 0};
  rtmpkit_engine *engine = NULL;
  rtmpkit_queue *queue = NULL;
  rtmpkit_net_stream *pull = NULL;
  rtmpkit_net_stream_events events;

  if (argc != 3) {
    fprintf(stderr, "usage: relay PULL_URL PUSH_URL\n");
    return 2;
  }
  stop_on_signals();
  must(rtmpkit_engine_create(NULL, &engine), "engine");
  must(rtmpkit_queue_create(engine, 4096, &queue), "queue");
  rtmpkit_net_stream_events_init(&events, sizeof events);
  events.on_status = on_stream_status;

  rtmpkit_net_connection *to = connect_to(engine, queue, argv[2], &state);
  must(rtmpkit_net_stream_create(to, &events, &state, &state.push), "stream");
  must(rtmpkit_net_stream_publish(state.push, stream_name(argv[2]), RTMPKIT_PUBLISH_LIVE), "publish");

  events.on_media = on_media;
  rtmpkit_net_connection *from = connect_to(engine, queue, argv[1], &state);
  must(rtmpkit_net_stream_create(from, &events, &state, &pull), "stream");
  must(rtmpkit_net_stream_play(pull, stream_name(argv[1]), NULL), "play");

  while (!state.done && !state.failed && !stopped) must(rtmpkit_queue_dispatch(queue, 1000, 100, NULL), "dispatch");

  rtmpkit_net_stream_unref(pull);
  rtmpkit_net_stream_unref(state.push);
  rtmpkit_net_connection_unref(from);
  rtmpkit_net_connection_unref(to);
  rtmpkit_engine_close(engine);
  rtmpkit_engine_join(engine, 5000);
  rtmpkit_queue_unref(queue);
  rtmpkit_engine_unref(engine);
  return state.failed;
}
