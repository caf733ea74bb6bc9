/*
 * Clients that are sent elsewhere, from C: requests to reconnect, a server that winds down, redirections. The names of the
 * scenes begin with the rows of docs/conformance.md that they show.
 */
#define _POSIX_C_SOURCE 200809L
#include "room.h"

static void m10_clients_are_sent_away_and_the_server_drains(void) {
  struct room room;
  struct seen client, other;
  rtmpkit_application_config config = room_config();
  open_room(&room, &config);
  rtmpkit_net_connection *one = enter(&room, &client), *two = enter(&room, &other);
  OK(rtmpkit_client_request_reconnect(room.client, "rtmp://127.0.0.1:1/elsewhere", "Move."));
  CHECK(told(&other, "NetConnection.Connect.ReconnectRequest") && strcmp(other.text, "Move.") == 0);
  OK(rtmpkit_server_drain(room.served.server, NULL, "Bye.", 500));
  CHECK(told(&client, "NetConnection.Connect.ReconnectRequest"));
  CHECK(rtmpkit_server_listen(room.served.server, "127.0.0.1:0", NULL) < 0);
  CHECK(wait_for(&client, &client.closes, 1) && wait_for(&other, &other.closes, 1));
  disconnect(one, &client), disconnect(two, &other);
  close_room(&room);
}

static void m10_a_client_follows_a_request_to_reconnect(void) {
  struct room room;
  struct seen client;
  rtmpkit_application_config config = room_config();
  rtmpkit_net_connection_config following;
  rtmpkit_net_connection_events events;
  rtmpkit_net_connection *connection = NULL;
  open_room(&room, &config);
  seen_init(&client);
  rtmpkit_net_connection_config_init(&following, sizeof following);
  following.reconnect_max_hops = 1;
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status;
  events.on_release = on_release;
  OK(rtmpkit_net_connection_create(room.served.engine, &following, &events, &client, &connection));
  OK(rtmpkit_net_connection_connect(connection, room.url, NULL, 0));
  CHECK(wait_for(&room.seen, &room.accepted, 1));
  OK(rtmpkit_client_request_reconnect(room.client, NULL, NULL));
  CHECK(wait_for(&room.seen, &room.accepted, 2) && told(&client, "NetConnection.Connect.ReconnectRequest"));
  disconnect(connection, &client);
  close_room(&room);
}

static void on_door(void *user_data, rtmpkit_request *request, rtmpkit_client *client) {
  struct room *room = user_data;
  CHECK(client != NULL);
  OK(rtmpkit_request_redirect(request, room->url));
}

static void m6_a_client_follows_a_redirection(void) {
  struct room room;
  struct seen client, told_only;
  char url[128];
  rtmpkit_application_config config = room_config();
  rtmpkit_net_connection_config following;
  rtmpkit_net_connection_events events;
  rtmpkit_application_events door_events;
  rtmpkit_application *door = NULL;
  rtmpkit_net_connection *connection = NULL, *refused = NULL;
  open_room(&room, &config);
  seen_init(&client), seen_init(&told_only);
  rtmpkit_application_events_init(&door_events, sizeof door_events);
  door_events.on_connect = on_door;
  OK(rtmpkit_application_create(room.served.server, "door", &config, &door_events, &room, &door));
  snprintf(url, sizeof url, "%.*sdoor", (int)strlen(room.url) - 4, room.url);
  rtmpkit_net_connection_config_init(&following, sizeof following);
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status;
  events.on_release = on_release;
  OK(rtmpkit_net_connection_create(room.served.engine, &following, &events, &told_only, &refused));
  OK(rtmpkit_net_connection_connect(refused, url, NULL, 0));
  CHECK(told(&told_only, "NetConnection.Connect.Rejected") && room.accepted == 0);
  following.reconnect_max_hops = 1;
  OK(rtmpkit_net_connection_create(room.served.engine, &following, &events, &client, &connection));
  OK(rtmpkit_net_connection_connect(connection, url, NULL, 0));
  CHECK(told(&client, "NetConnection.Connect.Success") && wait_for(&room.seen, &room.accepted, 1));
  CHECK(strstr(client.codes, "Rejected") == NULL && rtmpkit_net_connection_is_connected(connection));
  disconnect(refused, &told_only), disconnect(connection, &client);
  rtmpkit_application_unref(door);
  close_room(&room);
}

int main(void) {
  m10_clients_are_sent_away_and_the_server_drains();
  m10_a_client_follows_a_request_to_reconnect();
  m6_a_client_follows_a_redirection();
  printf("%s: %d failures\n", rtmpkit_version_string(), failures);
  return failures != 0;
}
