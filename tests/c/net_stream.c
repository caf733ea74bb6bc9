/*
 * Streams of outgoing connections from C: room to write, play buffers, kinds a player wants, players that are slow.
 */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

static void on_writable(void *user_data, rtmpkit_net_stream *stream) {
  struct seen *seen = user_data;
  CHECK(stream != NULL);
  pthread_mutex_lock(&seen->lock);
  count(seen, &seen->plays);
  pthread_mutex_unlock(&seen->lock);
}

static void a_writer_is_told_of_room(void) {
  static uint8_t body[100000] = {0x17, 1};
  struct served served;
  struct seen client, out;
  rtmpkit_net_stream_events events;
  rtmpkit_net_stream *stream = NULL;
  rtmpkit_media media;
  int written = 0;
  serve(&served, NULL, NULL);
  seen_init(&out);
  rtmpkit_net_connection *connection = connect_to(&served, "?later", &client);
  CHECK(wait_for(&served.seen, &served.seen.connects, 1));
  rtmpkit_net_stream_events_init(&events, sizeof events);
  events.on_status = on_stream_status;
  events.on_writable = on_writable;
  events.on_release = on_release;
  OK(rtmpkit_net_stream_create(connection, &events, &out, &stream));
  OK(rtmpkit_net_stream_publish(stream, "cam", RTMPKIT_PUBLISH_LIVE));
  rtmpkit_media_init(&media, sizeof media);
  media.type = RTMPKIT_MEDIA_VIDEO;
  media.body = body;
  media.body_len = sizeof body;
  /* The server does not accept yet: what is written waits. */
  while (written < 1000 && rtmpkit_net_stream_write(stream, &media) == RTMPKIT_OK) written++;
  CHECK(written > 80 && written < 1000 && rtmpkit_net_stream_write(stream, &media) == RTMPKIT_ERR_FULL);
  OK(rtmpkit_request_accept(served.seen.kept, NULL));
  rtmpkit_request_unref(served.seen.kept);
  CHECK(wait_for(&out, &out.plays, 1));
  OK(rtmpkit_net_stream_write(stream, &media));
  rtmpkit_net_stream_unref(stream);
  disconnect(connection, &client);
  stop(&served);
  CHECK(wait_for(&out, &out.releases, 1) && out.plays == 1);
}

static void s2_netstream_buffer_full_empty_and_flush(void) {
  struct served served;
  struct seen client, in;
  rtmpkit_instance *instance = NULL;
  rtmpkit_stream *stream = NULL;
  rtmpkit_net_stream_events events;
  rtmpkit_net_stream *player = NULL;
  uint32_t millis = 0;
  serve(&served, NULL, NULL);
  seen_init(&in);
  OK(rtmpkit_instance_get(served.application, NULL, &instance));
  OK(rtmpkit_stream_publish(instance, "cam", RTMPKIT_PUBLISH_LIVE, &stream));
  rtmpkit_net_connection *connection = connect_to(&served, "", &client);
  rtmpkit_net_stream_events_init(&events, sizeof events);
  events.on_status = on_stream_status;
  events.on_release = on_release;
  OK(rtmpkit_net_stream_create(connection, &events, &in, &player));
  OK(rtmpkit_net_stream_set_buffer(player, 100));
  OK(rtmpkit_net_stream_get_buffer(player, &millis));
  CHECK(millis == 100);
  OK(rtmpkit_net_stream_play(player, "cam", NULL));
  CHECK(told(&in, "NetStream.Play.Start"));
  for (uint64_t time = 0; time <= 100; time += 50) {
    static const uint8_t body[] = {0xAF, 1, 7};
    rtmpkit_media media;
    rtmpkit_media_init(&media, sizeof media);
    media.type = RTMPKIT_MEDIA_AUDIO;
    media.timestamp_ms = time;
    media.body = body;
    media.body_len = sizeof body;
    OK(rtmpkit_stream_write(stream, &media));
  }
  CHECK(told(&in, "NetStream.Buffer.Full") && told(&in, "NetStream.Buffer.Empty"));
  OK(rtmpkit_stream_close(stream));
  CHECK(told(&in, "NetStream.Buffer.Flush"));
  rtmpkit_net_stream_unref(player);
  rtmpkit_stream_unref(stream), rtmpkit_instance_unref(instance);
  disconnect(connection, &client);
  stop(&served);
}

/* Waits until the server has done what was asked of it before. */
static void settle(rtmpkit_net_connection *connection) {
  struct seen reply;
  seen_init(&reply);
  OK(rtmpkit_net_connection_call(connection, "nothing", NULL, 0, on_reply, &reply));
  CHECK(wait_for(&reply, &reply.replies, 1) && reply.errors == 1);
}

static void write_kind(rtmpkit_stream *stream, uint8_t type, uint64_t time, int32_t keyframe) {
  rtmpkit_media media;
  rtmpkit_media_init(&media, sizeof media);
  media.type = type;
  media.fourcc = type == RTMPKIT_MEDIA_VIDEO ? RTMPKIT_CODEC_AVC : RTMPKIT_CODEC_AAC;
  media.flags = keyframe ? RTMPKIT_MEDIA_KEYFRAME : 0;
  media.composition_ms = type == RTMPKIT_MEDIA_VIDEO ? 7 : 0;
  media.timestamp_ms = time;
  media.data = (const uint8_t *)"media";
  media.len = 5;
  OK(rtmpkit_stream_write(stream, &media));
}

/* One player without sound, one without pictures, one that pauses. */
static void m1_each_player_gets_the_kinds_it_wants(void) {
  struct served served;
  struct seen clients[3], shown[3];
  rtmpkit_net_connection *connections[3];
  rtmpkit_net_stream *players[3] = {NULL, NULL, NULL};
  rtmpkit_net_stream_events events;
  rtmpkit_instance *instance = NULL;
  rtmpkit_stream *stream = NULL;

  serve(&served, NULL, NULL);
  OK(rtmpkit_instance_get(served.application, NULL, &instance));
  OK(rtmpkit_stream_publish(instance, "cam", RTMPKIT_PUBLISH_LIVE, &stream));
  rtmpkit_net_stream_events_init(&events, sizeof events);
  events.on_status = on_stream_status;
  events.on_media = on_stream_media;
  events.on_release = on_release;
  for (int i = 0; i < 3; i++) {
    connections[i] = connect_to(&served, "", &clients[i]);
    seen_init(&shown[i]);
    OK(rtmpkit_net_stream_create(connections[i], &events, &shown[i], &players[i]));
    OK(rtmpkit_net_stream_play(players[i], "cam", NULL));
    CHECK(told(&shown[i], "NetStream.Play.Start"));
    settle(connections[i]);
    shown[i].media = 0; /* What the server says of itself. */
  }
  OK(rtmpkit_net_stream_receive(players[0], false, true));
  OK(rtmpkit_net_stream_receive(players[1], true, false));
  OK(rtmpkit_net_stream_pause(players[2], true));
  for (int i = 0; i < 3; i++) settle(connections[i]);
  write_kind(stream, RTMPKIT_MEDIA_VIDEO, 0, 1);
  write_kind(stream, RTMPKIT_MEDIA_AUDIO, 10, 0);
  CHECK(wait_for(&shown[0], &shown[0].media, 1) && shown[0].last_time == 0 && shown[0].keyframes == 1);
  CHECK(wait_for(&shown[1], &shown[1].media, 1) && shown[1].last_time == 10 && shown[1].keyframes == 0);

  OK(rtmpkit_net_stream_receive(players[0], true, true));
  OK(rtmpkit_net_stream_receive(players[1], true, true));
  OK(rtmpkit_net_stream_pause(players[2], false));
  for (int i = 0; i < 3; i++) settle(connections[i]);
  CHECK(shown[2].media == 0);
  /* Pictures come back with a keyframe. */
  write_kind(stream, RTMPKIT_MEDIA_VIDEO, 40, 0);
  write_kind(stream, RTMPKIT_MEDIA_VIDEO, 80, 1);
  write_kind(stream, RTMPKIT_MEDIA_AUDIO, 90, 0);
  CHECK(wait_for(&shown[0], &shown[0].media, 4) && shown[0].last_time == 90);
  CHECK(wait_for(&shown[1], &shown[1].media, 3) && shown[1].keyframes == 1 && shown[1].last_time == 90);
  CHECK(wait_for(&shown[2], &shown[2].media, 2) && shown[2].keyframes == 1 && shown[2].last_time == 90);
  for (int i = 0; i < 3; i++) {
    rtmpkit_net_stream_unref(players[i]);
    CHECK(wait_for(&shown[i], &shown[i].releases, 1));
    disconnect(connections[i], &clients[i]);
    rtmpkit_buffer_unref(shown[i].payload);
  }
  rtmpkit_stream_unref(stream);
  rtmpkit_instance_unref(instance);
  stop(&served);
}

/* What may wait is far less than by default, and far less than what is published while hardly anything leaves. */
static void m2_what_waits_for_a_slow_player_is_the_servers_to_say(void) {
  static uint8_t picture[4000];
  struct served served;
  struct seen client, shown;
  rtmpkit_server_config config;
  rtmpkit_server *server = NULL;
  rtmpkit_application *application = NULL;
  rtmpkit_instance *instance = NULL;
  rtmpkit_stream *stream = NULL;
  rtmpkit_net_connection *connection = NULL;
  rtmpkit_net_connection_events connection_events;
  rtmpkit_net_stream *player = NULL;
  rtmpkit_net_stream_events events;
  rtmpkit_client *there = NULL;
  rtmpkit_media media;
  size_t count = 0;
  uint16_t port = 0;
  char url[64];
  serve(&served, NULL, NULL);
  rtmpkit_server_config_init(&config, sizeof config);
  config.player_queue_bytes = 100000;
  OK(rtmpkit_server_create(served.engine, &config, NULL, NULL, &server));
  OK(rtmpkit_application_create(server, "live", NULL, NULL, NULL, &application));
  OK(rtmpkit_server_listen(server, "rtmp://127.0.0.1:0", &port));
  OK(rtmpkit_instance_get(application, NULL, &instance));
  OK(rtmpkit_stream_publish(instance, "cam", RTMPKIT_PUBLISH_LIVE, &stream));
  snprintf(url, sizeof url, "rtmp://127.0.0.1:%d/live", port);
  seen_init(&client);
  rtmpkit_net_connection_events_init(&connection_events, sizeof connection_events);
  connection_events.on_status = on_status;
  connection_events.on_release = on_release;
  OK(rtmpkit_net_connection_create(served.engine, NULL, &connection_events, &client, &connection));
  OK(rtmpkit_net_connection_connect(connection, url, NULL, 0));
  rtmpkit_net_stream_events_init(&events, sizeof events);
  events.on_status = on_stream_status;
  events.on_release = on_release;
  seen_init(&shown);
  OK(rtmpkit_net_stream_create(connection, &events, &shown, &player));
  OK(rtmpkit_net_stream_play(player, "cam", NULL));
  CHECK(told(&shown, "NetStream.Play.Start"));
  settle(connection);
  OK(rtmpkit_instance_clients(instance, &there, 1, &count));
  CHECK(count == 1);
  OK(rtmpkit_client_set_bandwidth_limit(there, RTMPKIT_DIRECTION_OUT, 4096));
  rtmpkit_media_init(&media, sizeof media);
  media.type = RTMPKIT_MEDIA_VIDEO;
  media.fourcc = RTMPKIT_CODEC_AVC;
  media.data = picture;
  media.len = sizeof picture;
  for (int i = 0; i < 100; i++) {
    media.flags = i % 10 == 0 ? RTMPKIT_MEDIA_KEYFRAME : 0;
    media.timestamp_ms = (uint64_t)(i * 40);
    OK(rtmpkit_stream_write(stream, &media));
  }
  OK(rtmpkit_client_set_bandwidth_limit(there, RTMPKIT_DIRECTION_OUT, 0));
  CHECK(told(&shown, "NetStream.Play.InsufficientBW"));
  rtmpkit_net_stream_unref(player), rtmpkit_client_unref(there);
  disconnect(connection, &client);
  CHECK(wait_for(&shown, &shown.releases, 1));
  rtmpkit_stream_unref(stream), rtmpkit_instance_unref(instance);
  rtmpkit_application_unref(application), rtmpkit_server_unref(server);
  stop(&served);
}

int main(void) {
  m2_what_waits_for_a_slow_player_is_the_servers_to_say();
  m1_each_player_gets_the_kinds_it_wants();
  a_writer_is_told_of_room();
  s2_netstream_buffer_full_empty_and_flush();
  printf("%s: %d failures\n", rtmpkit_version_string(), failures);
  return failures != 0;
}
