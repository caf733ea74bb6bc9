/* A room: an application beside the harness's, for hosts in C. */
#ifndef ROOM_H
#define ROOM_H

#include "harness.h"

/* The application, and what it heard. */
struct room {
  struct served served;
  struct seen seen;
  rtmpkit_application *application;
  rtmpkit_client *client;
  char url[64];
  int accepted, stopped, lengths, events, unused;
  char event[128];
};

static inline void on_room_accept(void *user_data, rtmpkit_client *client) {
  struct room *room = user_data;
  pthread_mutex_lock(&room->seen.lock);
  rtmpkit_client_unref(room->client);
  room->client = rtmpkit_client_ref(client);
  count(&room->seen, &room->accepted);
  pthread_mutex_unlock(&room->seen.lock);
}

static inline void on_room_status(void *user_data, rtmpkit_instance *instance, const rtmpkit_status *status) {
  struct room *room = user_data;
  CHECK(strncmp(rtmpkit_instance_name(instance), "room/", 5) == 0);
  pthread_mutex_lock(&room->seen.lock);
  note(room->event, status->code);
  count(&room->seen, &room->events);
  pthread_mutex_unlock(&room->seen.lock);
}

static inline void on_room_stop(void *user_data, rtmpkit_instance *instance) {
  struct room *room = user_data;
  (void)instance;
  pthread_mutex_lock(&room->seen.lock);
  count(&room->seen, &room->stopped);
  pthread_mutex_unlock(&room->seen.lock);
}

static inline bool on_room_idle(void *user_data, rtmpkit_instance *instance) {
  struct room *room = user_data;
  (void)instance;
  pthread_mutex_lock(&room->seen.lock);
  count(&room->seen, &room->unused);
  pthread_mutex_unlock(&room->seen.lock);
  return true;
}

static inline void on_room_length(void *user_data, rtmpkit_request *request, rtmpkit_client *client) {
  struct room *room = user_data;
  rtmpkit_value *seconds = rtmpkit_value_number(12.5);
  CHECK(client != NULL && rtmpkit_request_kind(request) == RTMPKIT_REQUEST_STREAM_LENGTH);
  CHECK(strcmp(rtmpkit_request_name(request), "film") == 0);
  OK(rtmpkit_request_accept(request, seconds));
  rtmpkit_value_unref(seconds);
  pthread_mutex_lock(&room->seen.lock);
  count(&room->seen, &room->lengths);
  pthread_mutex_unlock(&room->seen.lock);
}

static inline void on_room_release(void *user_data) {
  struct room *room = user_data;
  on_release(&room->seen);
}

static inline rtmpkit_application_config room_config(void) {
  rtmpkit_application_config config;
  rtmpkit_application_config_init(&config, sizeof config);
  return config;
}

static inline void open_room(struct room *room, const rtmpkit_application_config *config) {
  rtmpkit_application_events events;
  memset(room, 0, sizeof *room);
  serve(&room->served, NULL, NULL);
  seen_init(&room->seen);
  rtmpkit_application_events_init(&events, sizeof events);
  events.on_accept = on_room_accept;
  events.on_status = on_room_status;
  events.on_instance_stop = on_room_stop;
  events.on_instance_idle = on_room_idle;
  events.on_stream_length = on_room_length;
  events.on_release = on_room_release;
  OK(rtmpkit_application_create(room->served.server, "room", config, &events, room, &room->application));
  snprintf(room->url, sizeof room->url, "%.*sroom", (int)strlen(room->served.url) - 4, room->served.url);
}

static inline void close_room(struct room *room) {
  rtmpkit_client_unref(room->client);
  rtmpkit_application_unref(room->application);
  stop(&room->served);
  CHECK(wait_for(&room->seen, &room->seen.releases, 1) && room->seen.releases == 1);
}

/* A connection to the room, once it is accepted. */
static inline rtmpkit_net_connection *enter(struct room *room, struct seen *seen) {
  char live[64];
  int before = room->accepted;
  memcpy(live, room->served.url, sizeof live);
  memcpy(room->served.url, room->url, sizeof live);
  rtmpkit_net_connection *connection = connect_to(&room->served, "", seen);
  memcpy(room->served.url, live, sizeof live);
  CHECK(wait_for(seen, &seen->statuses, 1) && strcmp(seen->code, "NetConnection.Connect.Success") == 0);
  CHECK(wait_for(&room->seen, &room->accepted, before + 1));
  return connection;
}

#endif
