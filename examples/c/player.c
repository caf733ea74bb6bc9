/*
 * Plays a stream into an FLV file, until it ends, the seconds are over, or Ctrl-C:
 *   player URL FILE.flv [--seconds N]
 *
 * Callbacks run in this thread, inside rtmpkit_queue_dispatch, so nothing needs a lock.
 */
#define _POSIX_C_SOURCE 200809L
#include "example.h"

struct state {
  FILE *file;
  uint8_t has; /* the flags of the FLV header: 4 audio, 1 video */
  int done, failed;
};

static void on_status(void *user_data, rtmpkit_net_connection *connection, const rtmpkit_status *status) {
  struct state *state = user_data;
  (void)connection;
  if (status->level == RTMPKIT_LEVEL_ERROR) {
    fprintf(stderr, "%s: %s\n", status->code, status->description);
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
  if (strcmp(status->code, "NetStream.Play.UnpublishNotify") == 0 || strcmp(status->code, "NetStream.Play.Stop") == 0)
    state->done = 1;
}

static void put24(uint8_t *out, size_t value) {
  out[0] = (uint8_t)(value >> 16);
  out[1] = (uint8_t)(value >> 8);
  out[2] = (uint8_t)value;
}

/* A message body is an FLV tag's body. */
static void on_media(void *user_data, rtmpkit_net_stream *stream, const rtmpkit_media *media) {
  struct state *state = user_data;
  uint8_t head[11] = {media->type}, size[4];
  size_t total = sizeof head + media->body_len;
  (void)stream;
  put24(head + 1, media->body_len);
  put24(head + 4, (size_t)(media->timestamp_ms & 0xffffff));
  head[7] = (uint8_t)(media->timestamp_ms >> 24);
  size[0] = (uint8_t)(total >> 24);
  put24(size + 1, total);
  if (media->type == RTMPKIT_MEDIA_AUDIO) state->has |= 4;
  if (media->type == RTMPKIT_MEDIA_VIDEO) state->has |= 1;
  if (fwrite(head, 1, sizeof head, state->file) != sizeof head ||
      fwrite(media->body, 1, media->body_len, state->file) != media->body_len || fwrite(size, 1, 4, state->file) != 4) {
    perror("write");
    state->failed = 1;
  }
}

static void play(struct state *state, const char *url, double seconds) {
  rtmpkit_engine_config engine_config;
  rtmpkit_engine *engine = NULL;
  rtmpkit_queue *queue = NULL;
  rtmpkit_net_connection *connection = NULL;
  rtmpkit_net_connection_config config;
  rtmpkit_net_connection_events events;
  rtmpkit_net_stream *stream = NULL;
  rtmpkit_net_stream_events stream_events;

  rtmpkit_engine_config_init(&engine_config, sizeof engine_config);
  engine_config.workers = 1;
  must(rtmpkit_engine_create(&engine_config, &engine), "engine");
  must(rtmpkit_queue_create(engine, 4096, &queue), "queue");
  rtmpkit_net_connection_config_init(&config, sizeof config);
  config.queue = queue;
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status;
  must(rtmpkit_net_connection_create(engine, &config, &events, state, &connection), "connection");
  must(rtmpkit_net_connection_connect(connection, url, NULL, 0), url);
  rtmpkit_net_stream_events_init(&stream_events, sizeof stream_events);
  stream_events.on_status = on_stream_status;
  stream_events.on_media = on_media;
  must(rtmpkit_net_stream_create(connection, &stream_events, state, &stream), "stream");
  must(rtmpkit_net_stream_play(stream, stream_name(url), NULL), "play");

  double end = seconds > 0 ? seconds_now() + seconds : 0;
  while (!state->done && !state->failed && !stopped && (end == 0 || seconds_now() < end))
    must(rtmpkit_queue_dispatch(queue, 1000, 100, NULL), "dispatch");

  rtmpkit_net_stream_unref(stream);
  rtmpkit_net_connection_unref(connection);
  rtmpkit_engine_close(engine);
  rtmpkit_engine_join(engine, 5000);
  rtmpkit_queue_unref(queue);
  rtmpkit_engine_unref(engine);
}

int main(int argc, char **argv) {
  struct state state = {NULL, 0, 0, 0};
  double seconds = 0;
  if (argc == 5 && strcmp(argv[3], "--seconds") == 0) seconds = strtod(argv[4], NULL);
  else if (argc != 3) {
    fprintf(stderr, "usage: player URL FILE.flv [--seconds N]\n");
    return 2;
  }
  state.file = fopen(argv[2], "wb");
  if (!state.file || fwrite("FLV\1\5\0\0\0\11\0\0\0\0", 1, 13, state.file) != 13) {
    perror(argv[2]);
    return 1;
  }
  stop_on_signals();
  play(&state, argv[1], seconds);
  /* Only now is it known what the file holds. A pipe keeps the guess: both. */
  if (fseek(state.file, 4, SEEK_SET) == 0) fputc(state.has, state.file);
  if (fclose(state.file) != 0) {
    perror(argv[2]);
    return 1;
  }
  return state.failed;
}
