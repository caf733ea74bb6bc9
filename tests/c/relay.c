/* Relays from C: a stream pulled from one server and pushed on to it again, failures and their back-off, pulls on demand. */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

/* What a relay told. */
struct heard {
  struct seen seen; /* `statuses` counts the events. */
  int kinds[8], waits, outside;
};

static void on_event(void *user_data, rtmpkit_relay *relay, const rtmpkit_relay_event *event) {
  struct heard *heard = user_data;
  CHECK(relay != NULL && event->struct_size == sizeof *event && event->kind >= 0 && event->kind < 8);
  pthread_mutex_lock(&heard->seen.lock);
  CHECK((event->reason != NULL) ==
        (event->kind == RTMPKIT_RELAY_EVENT_RETRYING || event->kind == RTMPKIT_RELAY_EVENT_GAVE_UP));
  if (event->reason) note(heard->seen.code, event->reason->code);
  if (event->kind == RTMPKIT_RELAY_EVENT_RETRYING) {
    /* Twice as long each time, less up to a half. */
    uint64_t longest = 20u << heard->waits++;
    if (event->after_ms > longest || event->after_ms < longest / 2) heard->outside++;
    CHECK(event->failures == (uint32_t)heard->waits);
  }
  heard->kinds[event->kind]++;
  count(&heard->seen, &heard->seen.statuses);
  pthread_mutex_unlock(&heard->seen.lock);
}

static void on_heard_release(void *user_data) {
  struct heard *heard = user_data;
  on_release(&heard->seen);
}

static rtmpkit_relay_events listen_to(struct heard *heard) {
  rtmpkit_relay_events events;
  memset(heard, 0, sizeof *heard);
  seen_init(&heard->seen);
  rtmpkit_relay_events_init(&events, sizeof events);
  events.on_event = on_event;
  events.on_release = on_heard_release;
  return events;
}

static void let_go(rtmpkit_relay *relay, struct heard *heard) {
  rtmpkit_relay_unref(relay);
  CHECK(wait_for(&heard->seen, &heard->kinds[RTMPKIT_RELAY_EVENT_ENDED], 1));
  CHECK(wait_for(&heard->seen, &heard->seen.releases, 1) && heard->seen.releases == 1);
}

static void publish_picture(rtmpkit_stream *stream, uint64_t time) {
  static const uint8_t config[] = {0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x0a, 0xff, 0xe1, 0, 0, 1, 0, 0};
  static const uint8_t picture[] = {0x17, 1, 0, 0, 7, 0x65, 1, 2, 3, 4};
  rtmpkit_media media;
  rtmpkit_media_init(&media, sizeof media);
  media.type = RTMPKIT_MEDIA_VIDEO;
  media.timestamp_ms = time;
  media.body = config;
  media.body_len = sizeof config;
  OK(rtmpkit_stream_write(stream, &media));
  media.body = picture;
  media.body_len = sizeof picture;
  OK(rtmpkit_stream_write(stream, &media));
}

static void m6_a_stream_is_pulled_and_pushed_on(void) {
  struct served origin, edge;
  struct heard pulled, pushed;
  struct seen seen;
  rtmpkit_relay_events events;
  rtmpkit_relay_counters counters;
  rtmpkit_subscription_events subscriber;
  rtmpkit_subscription *subscription = NULL;
  rtmpkit_instance *first = NULL, *second = NULL;
  rtmpkit_stream *source = NULL, *copy = NULL, *back = NULL;
  rtmpkit_relay *pull = NULL, *push = NULL;
  char url[128];

  serve(&origin, NULL, NULL);
  serve(&edge, NULL, NULL);
  OK(rtmpkit_instance_get(origin.application, NULL, &first));
  OK(rtmpkit_instance_get(edge.application, NULL, &second));
  OK(rtmpkit_stream_publish(first, "cam", RTMPKIT_PUBLISH_LIVE, &source));
  publish_picture(source, 1000);

  snprintf(url, sizeof url, "%s/cam?key=secret", origin.url);
  events = listen_to(&pulled);
  OK(rtmpkit_relay_pull(second, url, "copy", NULL, &events, &pulled, &pull));
  CHECK(strstr(rtmpkit_relay_url(pull), "/live/cam") != NULL && strstr(rtmpkit_relay_url(pull), "secret") == NULL);
  CHECK(wait_for(&pulled.seen, &pulled.kinds[RTMPKIT_RELAY_EVENT_STREAMING], 1));
  CHECK(pulled.kinds[RTMPKIT_RELAY_EVENT_CONNECTED] == 1);

  /* On to the server it came from, under another name; there the host watches it. */
  OK(rtmpkit_stream_open(first, "back", &back));
  seen_init(&seen);
  rtmpkit_subscription_events_init(&subscriber, sizeof subscriber);
  subscriber.on_media = on_media;
  subscriber.on_release = on_release;
  OK(rtmpkit_stream_subscribe(back, NULL, &subscriber, &seen, &subscription));
  OK(rtmpkit_stream_open(second, "copy", &copy));
  snprintf(url, sizeof url, "%s/back", origin.url);
  events = listen_to(&pushed);
  OK(rtmpkit_relay_push(copy, url, NULL, &events, &pushed, &push));
  CHECK(wait_for(&seen, &seen.keyframes, 1) && seen.configs == 1 && seen.last_time == 1000);
  publish_picture(source, 1040);
  CHECK(wait_for(&seen, &seen.keyframes, 2) && seen.last_time == 1040);

  rtmpkit_relay_counters_init(&counters, sizeof counters);
  OK(rtmpkit_relay_stats(pull, &counters));
  CHECK(counters.state == RTMPKIT_RELAY_STREAMING && counters.attempts == 1 && counters.failures_total == 0);
  CHECK(counters.messages == 4 && counters.bytes == 52 && counters.traffic.bytes_in > 52);
  OK(rtmpkit_relay_stats(push, &counters));
  CHECK(counters.messages == 4 && counters.dropped_messages == 0 && counters.traffic.messages_out == 4);

  /* To where it comes from it is refused: that would be a circle. */
  {
    struct heard refused;
    rtmpkit_relay *circle = NULL;
    rtmpkit_stream_close(source);
    snprintf(url, sizeof url, "%s/cam", origin.url);
    events = listen_to(&refused);
    OK(rtmpkit_relay_push(copy, url, NULL, &events, &refused, &circle));
    CHECK(wait_for(&pulled.seen, &pulled.kinds[RTMPKIT_RELAY_EVENT_CONNECTED], 2));
    CHECK(wait_for(&refused.seen, &refused.kinds[RTMPKIT_RELAY_EVENT_RETRYING], 1));
    CHECK(strcmp(refused.seen.code, "NetStream.Publish.BadName") == 0);
    OK(rtmpkit_relay_close(circle));
    let_go(circle, &refused);
  }
  let_go(push, &pushed);
  let_go(pull, &pulled);
  rtmpkit_subscription_unref(subscription);
  CHECK(wait_for(&seen, &seen.releases, 1));
  rtmpkit_buffer_unref(seen.payload);
  rtmpkit_stream_unref(back);
  rtmpkit_stream_unref(copy);
  rtmpkit_stream_unref(source);
  rtmpkit_instance_unref(first);
  rtmpkit_instance_unref(second);
  stop(&edge);
  stop(&origin);
}

static void m6_failures_back_off_and_give_up(void) {
  struct served origin;
  struct heard heard;
  rtmpkit_relay_events events;
  rtmpkit_relay_config config;
  rtmpkit_relay_counters counters;
  rtmpkit_instance *instance = NULL;
  rtmpkit_relay *relay = NULL;
  char url[128];

  serve(&origin, NULL, NULL);
  OK(rtmpkit_instance_get(origin.application, NULL, &instance));
  rtmpkit_relay_config_init(&config, sizeof config);
  CHECK(config.back_off_first_ms == 500 && config.back_off_max_ms == 30000 && config.hold_ms == 30000);
  snprintf(url, sizeof url, "%.*snothing/cam", (int)strlen(origin.url) - 4, origin.url);
  CHECK(rtmpkit_relay_pull(instance, origin.url, "cam", NULL, NULL, NULL, &relay) == RTMPKIT_ERR_INVALID_ARGUMENT);
  CHECK(rtmpkit_relay_pull(instance, "http://nothing", "cam", NULL, NULL, NULL, &relay) == RTMPKIT_ERR_URL);
  config.back_off_jitter_percent = 101;
  CHECK(rtmpkit_relay_pull(instance, url, "cam", &config, NULL, NULL, &relay) == RTMPKIT_ERR_INVALID_ARGUMENT);
  config.back_off_jitter_percent = 50;
  config.back_off_first_ms = 20;
  config.back_off_max_failures = 4;
  events = listen_to(&heard);
  OK(rtmpkit_relay_pull(instance, url, "cam", &config, &events, &heard, &relay));
  CHECK(wait_for(&heard.seen, &heard.kinds[RTMPKIT_RELAY_EVENT_ENDED], 1));
  CHECK(heard.kinds[RTMPKIT_RELAY_EVENT_GAVE_UP] == 1 && heard.waits == 3 && heard.outside == 0);
  CHECK(strcmp(heard.seen.code, "NetConnection.Connect.InvalidApp") == 0);
  rtmpkit_relay_counters_init(&counters, sizeof counters);
  OK(rtmpkit_relay_stats(relay, &counters));
  CHECK(counters.state == RTMPKIT_RELAY_ENDED && counters.failures_total == 4 && counters.attempts == 4);
  let_go(relay, &heard);
  rtmpkit_instance_unref(instance);
  stop(&origin);
}

static void m6_a_pull_on_demand(void) {
  struct served origin, edge;
  struct heard heard;
  struct seen seen;
  rtmpkit_relay_events events;
  rtmpkit_relay_config config;
  rtmpkit_subscription_events subscriber;
  rtmpkit_subscription *subscription = NULL;
  rtmpkit_instance *first = NULL, *second = NULL;
  rtmpkit_stream *source = NULL, *copy = NULL;
  rtmpkit_relay *relay = NULL;
  char url[128];

  serve(&origin, NULL, NULL);
  serve(&edge, NULL, NULL);
  OK(rtmpkit_instance_get(origin.application, NULL, &first));
  OK(rtmpkit_instance_get(edge.application, NULL, &second));
  OK(rtmpkit_stream_publish(first, "cam", RTMPKIT_PUBLISH_LIVE, &source));
  publish_picture(source, 0);
  rtmpkit_relay_config_init(&config, sizeof config);
  config.on_demand = 1;
  config.linger_ms = 20;
  snprintf(url, sizeof url, "%s/cam", origin.url);
  events = listen_to(&heard);
  OK(rtmpkit_relay_pull(second, url, "cam", &config, &events, &heard, &relay));
  CHECK(heard.seen.statuses == 0);
  OK(rtmpkit_stream_open(second, "cam", &copy));
  seen_init(&seen);
  rtmpkit_subscription_events_init(&subscriber, sizeof subscriber);
  subscriber.on_media = on_media;
  subscriber.on_release = on_release;
  OK(rtmpkit_stream_subscribe(copy, NULL, &subscriber, &seen, &subscription));
  CHECK(wait_for(&seen, &seen.keyframes, 1));
  rtmpkit_subscription_unref(subscription);
  CHECK(wait_for(&heard.seen, &heard.kinds[RTMPKIT_RELAY_EVENT_IDLE], 1));
  let_go(relay, &heard);
  CHECK(wait_for(&seen, &seen.releases, 1));
  rtmpkit_buffer_unref(seen.payload);
  rtmpkit_stream_unref(copy);
  rtmpkit_stream_unref(source);
  rtmpkit_instance_unref(first);
  rtmpkit_instance_unref(second);
  stop(&edge);
  stop(&origin);
}

int main(void) {
  m6_a_stream_is_pulled_and_pushed_on();
  m6_failures_back_off_and_give_up();
  m6_a_pull_on_demand();
  printf("%s: %d failures\n", rtmpkit_version_string(), failures);
  return failures != 0;
}
