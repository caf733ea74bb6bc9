/*
 * Publishes an FLV file in real time:
 *   publisher FILE.flv URL
 *
 * Callbacks run in this thread, inside rtmpkit_queue_dispatch, so nothing needs a lock.
 */
#define _POSIX_C_SOURCE 200809L
#include "example.h"

struct state {
  int publishing, closed, failed;
};

static void on_status(void *user_data, rtmpkit_net_connection *connection, const rtmpkit_status *status) {
  struct state *state = user_data;
  (void)connection;
  if (status->level == RTMPKIT_LEVEL_ERROR) {
    fprintf(stderr, "%s: %s\n", status->code, status->description);
    state->failed = 1;
  }
  if (strcmp(status->code, "NetConnection.Connect.Closed") == 0) state->closed = 1;
}

static void on_stream_status(void *user_data, rtmpkit_net_stream *stream, const rtmpkit_status *status) {
  struct state *state = user_data;
  (void)stream;
  if (strcmp(status->code, "NetStream.Publish.Start") == 0) state->publishing = 1;
  if (status->level == RTMPKIT_LEVEL_ERROR) {
    fprintf(stderr, "%s: %s\n", status->code, status->description);
    state->failed = 1;
  }
}

/* Reads the next tag into `media` and `*body`, which grows; 0 at the end of the file. */
static int read_tag(FILE *file, rtmpkit_media *media, uint8_t **body, size_t *room) {
  uint8_t head[11], size[4];
  for (;;) {
    if (fread(head, 1, sizeof head, file) != sizeof head) return 0;
    size_t len = (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    if (len > *room) {
      uint8_t *more = realloc(*body, len);
      if (!more) return 0;
      *body = more;
      *room = len;
    }
    if (fread(*body, 1, len, file) != len || fread(size, 1, 4, file) != 4) return 0;
    if (len == 0 || (head[0] != 8 && head[0] != 9 && head[0] != 18)) continue;
    media->type = head[0];
    media->timestamp_ms = (uint32_t)head[7] << 24 | (uint32_t)head[4] << 16 | (uint32_t)head[5] << 8 | head[6];
    media->body = *body;
    media->body_len = len;
    return 1;
  }
}

/* Waits, with callbacks, until the tag is due; then writes it, as soon as the network takes it. */
static void send_tag(rtmpkit_queue *queue, rtmpkit_net_stream *stream, const rtmpkit_media *media, double due,
                     struct state *state) {
  double wait;
  int32_t result = RTMPKIT_ERR_FULL;
  while ((wait = due - seconds_now()) > 0 && !stopped && !state->failed && !state->closed)
    rtmpkit_queue_dispatch(queue, 100, wait > 0.1 ? 100 : (int32_t)(wait * 1000) + 1, NULL);
  while (result == RTMPKIT_ERR_FULL && !stopped && !state->failed && !state->closed) {
    result = media->type == RTMPKIT_MEDIA_DATA ? write_metadata(stream, media) : rtmpkit_net_stream_write(stream, media);
    if (result == RTMPKIT_ERR_FULL) rtmpkit_queue_dispatch(queue, 100, 20, NULL);
  }
  if (result < 0 && result != RTMPKIT_ERR_FULL && !state->closed) must(result, "write");
}

static void send_file(FILE *file, rtmpkit_queue *queue, rtmpkit_net_stream *stream, struct state *state) {
  rtmpkit_media media;
  uint8_t *body = NULL;
  size_t room = 0;
  uint64_t first = UINT64_MAX;
  double start = seconds_now();
  rtmpkit_media_init(&media, sizeof media);
  while (!stopped && !state->failed && !state->closed && read_tag(file, &media, &body, &room)) {
    if (first == UINT64_MAX) first = media.timestamp_ms;
    send_tag(queue, stream, &media, start + ((double)media.timestamp_ms - (double)first) / 1000, state);
  }
  free(body);
}

int main(int argc, char **argv) {
  struct state state = {0, 0, 0};
  rtmpkit_engine_config engine_config;
  rtmpkit_engine *engine = NULL;
  rtmpkit_queue *queue = NULL;
  rtmpkit_net_connection *connection = NULL;
  rtmpkit_net_connection_config config;
  rtmpkit_net_connection_events events;
  rtmpkit_net_stream *stream = NULL;
  rtmpkit_net_stream_events stream_events;
  uint8_t head[13];

  if (argc != 3) {
    fprintf(stderr, "usage: publisher FILE.flv URL\n");
    return 2;
  }
  FILE *file = fopen(argv[1], "rb");
  if (!file || fread(head, 1, sizeof head, file) != sizeof head || memcmp(head, "FLV", 3) != 0) {
    fprintf(stderr, "%s: no FLV file\n", argv[1]);
    return 1;
  }
  stop_on_signals();

  rtmpkit_engine_config_init(&engine_config, sizeof engine_config);
  engine_config.workers = 1;
  must(rtmpkit_engine_create(&engine_config, &engine), "engine");
  must(rtmpkit_queue_create(engine, 256, &queue), "queue");
  rtmpkit_net_connection_config_init(&config, sizeof config);
  config.queue = queue;
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status;
  must(rtmpkit_net_connection_create(engine, &config, &events, &state, &connection), "connection");
  must(rtmpkit_net_connection_connect(connection, argv[2], NULL, 0), argv[2]);

  /* What is asked for before the connection stands is sent as soon as it does. */
  rtmpkit_net_stream_events_init(&stream_events, sizeof stream_events);
  stream_events.on_status = on_stream_status;
  must(rtmpkit_net_stream_create(connection, &stream_events, &state, &stream), "stream");
  must(rtmpkit_net_stream_publish(stream, stream_name(argv[2]), RTMPKIT_PUBLISH_LIVE), "publish");
  while (!state.publishing && !state.failed && !state.closed && !stopped) rtmpkit_queue_dispatch(queue, 100, 100, NULL);
  if (state.publishing) send_file(file, queue, stream, &state);
  fclose(file);

  /* Closing sends what is queued first. */
  rtmpkit_net_stream_unref(stream);
  rtmpkit_net_connection_close(connection);
  for (int turns = 0; !state.closed && !state.failed && turns < 50; turns++)
    rtmpkit_queue_dispatch(queue, 100, 100, NULL);
  rtmpkit_net_connection_unref(connection);
  rtmpkit_engine_close(engine);
  rtmpkit_engine_join(engine, 5000);
  rtmpkit_queue_unref(queue);
  rtmpkit_engine_unref(engine);
  return state.failed;
}
