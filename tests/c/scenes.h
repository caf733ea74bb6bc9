/* The scenes of host.c, which includes this once: each starts a server, does one thing, and ends everything. */

static void accept_and_refuse(void) {
  struct served served;
  struct seen good, bad, moved, forgotten;
  serve(&served, NULL, NULL);

  rtmpkit_net_connection *connection = connect_to(&served, "?key=good", &good);
  CHECK(wait_for(&good, &good.statuses, 1) && strcmp(good.code, "NetConnection.Connect.Success") == 0);
  CHECK(rtmpkit_net_connection_is_connected(connection));
  CHECK(strcmp(served.seen.name, "live") == 0 || strncmp(served.seen.name, "live/", 5) == 0);

  rtmpkit_net_connection *refused = connect_to(&served, "?key=bad", &bad);
  CHECK(wait_for(&bad, &bad.closes, 1) && strcmp(bad.code, "NetConnection.Connect.Rejected") == 0);
  CHECK(strcmp(bad.text, "Bad key.") == 0 && !rtmpkit_net_connection_is_connected(refused));

  rtmpkit_net_connection *redirected = connect_to(&served, "?move", &moved);
  CHECK(wait_for(&moved, &moved.closes, 1) && strcmp(moved.name, "rtmp://127.0.0.1:1/elsewhere") == 0);

  rtmpkit_net_connection *ignored = connect_to(&served, "?forget", &forgotten);
  CHECK(wait_for(&forgotten, &forgotten.closes, 1) && strcmp(forgotten.code, "NetConnection.Connect.Rejected") == 0);
  CHECK(wait_for(&served.seen, &served.seen.rejects, 3));

  rtmpkit_server_counters counters;
  rtmpkit_server_counters_init(&counters, sizeof counters);
  OK(rtmpkit_server_stats(served.server, &counters));
  CHECK(counters.accepted == 4 && counters.turned_away == 0 && counters.overrun == 0 && counters.traffic.bytes_in > 3073);

  rtmpkit_instance *instance = NULL;
  rtmpkit_client *clients[4];
  size_t n = 0;
  OK(rtmpkit_instance_get(served.application, NULL, &instance));
  CHECK(strcmp(rtmpkit_instance_name(instance), "live/_definst_") == 0);
  OK(rtmpkit_instance_clients(instance, clients, 4, &n));
  CHECK(n == 1);
  OK(rtmpkit_client_close(clients[0], "NetConnection.Connect.Closed", "Enough."));
  CHECK(wait_for(&good, &good.closes, 1));
  CHECK(wait_for(&served.seen, &served.seen.disconnects, 1));
  rtmpkit_client_unref(clients[0]);
  rtmpkit_instance_unref(instance);

  disconnect(connection, &good);
  disconnect(refused, &bad);
  disconnect(redirected, &moved);
  disconnect(ignored, &forgotten);
  stop(&served);
}

static void *answer(void *user_data) {
  struct seen *seen = user_data;
  CHECK(wait_for(seen, &seen->connects, 1));
  OK(rtmpkit_request_accept(seen->kept, NULL));
  CHECK(rtmpkit_request_reject(seen->kept, NULL, NULL, NULL) == RTMPKIT_ERR_WRONG_STATE);
  rtmpkit_request_unref(seen->kept);
  return NULL;
}

static void answer_later_from_another_thread(void) {
  struct served served;
  struct seen client;
  pthread_t thread;
  serve(&served, NULL, NULL);
  pthread_create(&thread, NULL, answer, &served.seen);
  rtmpkit_net_connection *connection = connect_to(&served, "?later", &client);
  CHECK(wait_for(&client, &client.statuses, 1) && strcmp(client.code, "NetConnection.Connect.Success") == 0);
  pthread_join(thread, NULL);
  disconnect(connection, &client);
  stop(&served);
}

static void calls_both_ways(void) {
  struct served served;
  struct seen client, reply, unknown, back, ping;
  serve(&served, NULL, NULL);
  rtmpkit_net_connection *connection = connect_to(&served, "", &client);
  seen_init(&reply), seen_init(&unknown), seen_init(&back), seen_init(&ping);

  rtmpkit_value *two = rtmpkit_value_number(2), *three = rtmpkit_value_number(3);
  const rtmpkit_value *args[] = {two, three};
  OK(rtmpkit_net_connection_call(connection, "add", args, 2, on_reply, &reply));
  CHECK(wait_for(&reply, &reply.replies, 1) && reply.number == 5);
  OK(rtmpkit_net_connection_call(connection, "nothing", NULL, 0, on_reply, &unknown));
  CHECK(wait_for(&unknown, &unknown.replies, 1) && unknown.errors == 1);

  rtmpkit_instance *instance = NULL;
  rtmpkit_client *peer = NULL;
  size_t n = 0;
  OK(rtmpkit_instance_get(served.application, "", &instance));
  OK(rtmpkit_instance_clients(instance, &peer, 1, &n));
  OK(rtmpkit_client_call(peer, "add", args, 2, on_reply, &back));
  CHECK(wait_for(&back, &back.replies, 1) && back.number == 5);
  OK(rtmpkit_client_ping(peer, on_reply, &ping));
  CHECK(wait_for(&ping, &ping.replies, 1) && ping.errors == 0);
  OK(rtmpkit_instance_broadcast(instance, "news", args, 1));
  CHECK(wait_for(&client, &client.calls, 2));

  disconnect(connection, &client);
  CHECK(wait_for(&served.seen, &served.seen.disconnects, 1));
  CHECK(rtmpkit_client_call(peer, "add", NULL, 0, on_reply, &back) == RTMPKIT_ERR_CLOSED);
  rtmpkit_client_unref(peer);
  rtmpkit_instance_unref(instance);
  rtmpkit_value_unref(two);
  rtmpkit_value_unref(three);
  stop(&served);
}

/* A configuration, a keyframe, ten inter frames; returns the checksum of the bodies that players must see. */

static const uint8_t AVCC[] = {1, 100, 0, 10, 255, 225, 0, 1, 0x67, 1, 0, 1, 0x68};

typedef int32_t (*write_fn)(void *target, const rtmpkit_media *media);

static int32_t write_stream(void *target, const rtmpkit_media *media) { return rtmpkit_stream_write(target, media); }
static int32_t write_net(void *target, const rtmpkit_media *media) { return rtmpkit_net_stream_write(target, media); }

static void write_film(write_fn write, void *target) {
  rtmpkit_media media;
  uint8_t picture[3000];
  rtmpkit_media_init(&media, sizeof media);
  media.type = RTMPKIT_MEDIA_VIDEO;
  media.fourcc = RTMPKIT_CODEC_AVC;
  media.flags = RTMPKIT_MEDIA_CONFIG;
  media.data = AVCC;
  media.len = sizeof AVCC;
  OK(write(target, &media));
  for (int i = 0; i < 11; i++) {
    memset(picture, i, sizeof picture);
    media.flags = i == 0 ? RTMPKIT_MEDIA_KEYFRAME : 0;
    media.composition_ms = 7;
    media.timestamp_ms = 1000 + 40 * (uint64_t)i;
    media.data = picture;
    media.len = sizeof picture;
    OK(write(target, &media));
  }
  rtmpkit_media_init(&media, sizeof media);
  media.type = RTMPKIT_MEDIA_AUDIO;
  media.timestamp_ms = 1401;
  media.body = (const uint8_t *)"\xaf\x01hello";
  media.body_len = 7;
  media.buffer = rtmpkit_buffer_copy(media.body, media.body_len);
  media.body = rtmpkit_buffer_data(media.buffer);
  OK(write(target, &media));
  rtmpkit_buffer_unref(media.buffer);
}

static unsigned film_sum(void) {
  unsigned sum = 0;
  const uint8_t config[] = {0x17, 0, 0, 0, 0};
  for (size_t i = 0; i < sizeof config; i++) sum = sum * 31 + config[i];
  for (size_t i = 0; i < sizeof AVCC; i++) sum = sum * 31 + AVCC[i];
  for (unsigned frame = 0; frame < 11; frame++) {
    const uint8_t header[] = {frame == 0 ? 0x17 : 0x27, 1, 0, 0, 7};
    for (size_t i = 0; i < sizeof header; i++) sum = sum * 31 + header[i];
    for (int i = 0; i < 3000; i++) sum = sum * 31 + frame;
  }
  for (const uint8_t *byte = (const uint8_t *)"\xaf\x01hello"; *byte; byte++) sum = sum * 31 + *byte;
  return sum;
}

static void check_film(struct seen *seen) {
  CHECK(wait_for(seen, &seen->media, 13));
  CHECK(seen->configs == 1 && seen->keyframes == 1 && seen->last_time == 1401 && seen->sum == film_sum());
  CHECK(rtmpkit_buffer_len(seen->payload) == 3000 && rtmpkit_buffer_data(seen->payload)[0] == 0);
  rtmpkit_buffer_unref(seen->payload);
}

static rtmpkit_subscription_events subscription_events(void) {
  rtmpkit_subscription_events events;
  rtmpkit_subscription_events_init(&events, sizeof events);
  events.on_media = on_media;
  events.on_release = on_release;
  return events;
}

static void publish_and_subscribe_in_process(void) {
  struct served served;
  struct seen early, late;
  rtmpkit_instance *instance = NULL;
  rtmpkit_stream *watched = NULL, *published = NULL, *second = NULL;
  rtmpkit_subscription *subscription = NULL, *joined = NULL;
  rtmpkit_subscription_events events = subscription_events();
  serve(&served, NULL, NULL);
  seen_init(&early), seen_init(&late);
  OK(rtmpkit_instance_get(served.application, "room", &instance));
  OK(rtmpkit_stream_open(instance, "cam", &watched));
  CHECK(rtmpkit_stream_open(instance, "../cam", &second) == RTMPKIT_ERR_INVALID_ARGUMENT && second == NULL);
  OK(rtmpkit_stream_subscribe(watched, NULL, &events, &early, &subscription));
  OK(rtmpkit_stream_publish(instance, "cam", RTMPKIT_PUBLISH_LIVE, &published));
  CHECK(rtmpkit_stream_publish(instance, "cam", RTMPKIT_PUBLISH_LIVE, &second) == RTMPKIT_ERR_ALREADY_EXISTS);
  CHECK(rtmpkit_stream_write_data(watched, 0, "x", NULL, 0) == RTMPKIT_ERR_WRONG_STATE);
  write_film(write_stream, published);
  check_film(&early);

  OK(rtmpkit_stream_subscribe(watched, NULL, &events, &late, &joined));
  check_film(&late);
  rtmpkit_stream_counters counters;
  rtmpkit_stream_counters_init(&counters, sizeof counters);
  OK(rtmpkit_stream_stats(watched, &counters));
  CHECK(counters.publishing == 1 && counters.messages == 13 && counters.cached_messages >= 12);

  OK(rtmpkit_stream_close(published));
  OK(rtmpkit_stream_close(published));
  CHECK(rtmpkit_stream_write_data(published, 0, "x", NULL, 0) == RTMPKIT_ERR_CLOSED);
  OK(rtmpkit_subscription_close(subscription));
  CHECK(wait_for(&early, &early.releases, 1));
  rtmpkit_subscription_unref(subscription);
  rtmpkit_subscription_unref(joined);
  CHECK(wait_for(&late, &late.releases, 1));
  CHECK(early.releases == 1 && late.releases == 1);
  rtmpkit_stream_unref(published);
  rtmpkit_stream_unref(watched);
  rtmpkit_instance_unref(instance);
  stop(&served);
}

static rtmpkit_net_stream *open_stream(rtmpkit_net_connection *connection, struct seen *seen) {
  rtmpkit_net_stream_events events;
  rtmpkit_net_stream *stream = NULL;
  seen_init(seen);
  rtmpkit_net_stream_events_init(&events, sizeof events);
  events.on_status = on_stream_status;
  events.on_media = on_stream_media;
  events.on_close = on_stream_close;
  events.on_release = on_release;
  OK(rtmpkit_net_stream_create(connection, &events, seen, &stream));
  return stream;
}

static void publish_and_play_over_sockets(void) {
  struct served served;
  struct seen publisher, out, refused, player, in;
  serve(&served, NULL, NULL);
  rtmpkit_net_connection *from = connect_to(&served, "", &publisher), *to = connect_to(&served, "", &player);
  rtmpkit_net_stream *denied = open_stream(from, &refused);
  OK(rtmpkit_net_stream_publish(denied, "forbidden", RTMPKIT_PUBLISH_LIVE));
  CHECK(wait_for(&refused, &refused.statuses, 1) && strcmp(refused.code, "NetStream.Publish.BadName") == 0);
  CHECK(strcmp(refused.text, "Not here.") == 0);
  rtmpkit_net_stream_unref(denied);

  rtmpkit_net_stream *published = open_stream(from, &out);
  OK(rtmpkit_net_stream_publish(published, "cam", RTMPKIT_PUBLISH_LIVE));
  CHECK(wait_for(&out, &out.statuses, 1) && strcmp(out.code, "NetStream.Publish.Start") == 0);
  rtmpkit_net_stream *played = open_stream(to, &in);
  OK(rtmpkit_net_stream_play(played, "cam", NULL));
  CHECK(wait_for(&in, &in.statuses, 1) && wait_for(&served.seen, &served.seen.plays, 1));
  write_film(write_net, published);
  /* A data message of the server's may come before: the film is what counts. */
  CHECK(wait_for(&in, &in.keyframes, 1));
  pthread_mutex_lock(&in.lock);
  CHECK(in.configs == 1);
  pthread_mutex_unlock(&in.lock);
  while (in.last_time != 1401 && wait_for(&in, &in.media, in.media + 1)) continue;
  CHECK(in.last_time == 1401);

  rtmpkit_net_stream_counters counters;
  rtmpkit_net_stream_counters_init(&counters, sizeof counters);
  OK(rtmpkit_net_stream_stats(published, &counters));
  CHECK(counters.traffic.messages_out == 13);

  OK(rtmpkit_net_stream_close(published));
  CHECK(wait_for(&out, &out.closes, 1) && wait_for(&out, &out.releases, 1));
  CHECK(rtmpkit_net_stream_pause(published, true) == RTMPKIT_ERR_CLOSED);
  CHECK(wait_for(&served.seen, &served.seen.unpublishes, 1));
  rtmpkit_net_stream_unref(published);
  rtmpkit_buffer_unref(in.payload);
  rtmpkit_net_stream_unref(played);
  CHECK(wait_for(&in, &in.releases, 1) && wait_for(&refused, &refused.releases, 1));
  disconnect(from, &publisher);
  disconnect(to, &player);
  stop(&served);
}

/* Callbacks of the application run here alone, on the thread that dispatches. */

static rtmpkit_queue *make_queue(rtmpkit_engine *engine) {
  rtmpkit_queue *queue = NULL;
  OK(rtmpkit_queue_create(engine, 64, &queue));
  return queue;
}

/* Dispatches when the descriptor says so, until a counter has reached `least`. */
static void loop_until(rtmpkit_queue *queue, const int *counter, int least) {
  struct pollfd watched = {rtmpkit_queue_fd(queue), POLLIN, 0};
  for (int turns = 0; *counter < least && turns < PATIENCE_S * 10; turns++)
    if (poll(&watched, 1, 100) == 1) OK(rtmpkit_queue_dispatch(queue, 100, 0, NULL));
  CHECK(*counter >= least);
}

static void queue_on_the_hosts_own_loop(void) {
  struct served served;
  struct seen client;
  rtmpkit_queue *queue = NULL;
  size_t n = 1;
  serve(&served, make_queue, &queue);
  CHECK(rtmpkit_queue_fd(queue) >= 0);
  OK(rtmpkit_queue_dispatch(queue, 10, 0, &n));
  CHECK(n == 0);
  rtmpkit_net_connection *connection = connect_to(&served, "", &client);
  loop_until(queue, &served.seen.connects, 1);
  CHECK(wait_for(&client, &client.statuses, 1) && strcmp(client.code, "NetConnection.Connect.Success") == 0);
  disconnect(connection, &client);
  loop_until(queue, &served.seen.disconnects, 1);

  OK(rtmpkit_queue_wakeup(queue));
  OK(rtmpkit_queue_dispatch(queue, 10, PATIENCE_S * 1000, &n));
  OK(rtmpkit_server_close(served.server));
  OK(rtmpkit_application_close(served.application));
  loop_until(queue, &served.seen.releases, 1);
  stop(&served);
  rtmpkit_queue_unref(queue);
}

static void misuse_is_an_error(void) {
  struct served served;
  rtmpkit_application *second = NULL;
  rtmpkit_application_events events = application_events();
  rtmpkit_net_stream *stream = NULL;
  rtmpkit_net_connection *connection = NULL;
  struct seen unused;
  serve(&served, NULL, NULL);
  seen_init(&unused);
  CHECK(rtmpkit_engine_create(NULL, NULL) == RTMPKIT_ERR_INVALID_ARGUMENT && strlen(rtmpkit_last_error()) > 0);
  CHECK(rtmpkit_server_listen(NULL, "127.0.0.1:0", NULL) == RTMPKIT_ERR_INVALID_ARGUMENT);
  CHECK(rtmpkit_server_listen(served.server, "nonsense", NULL) < 0);
  CHECK(rtmpkit_server_listen((rtmpkit_server *)served.engine, "x", NULL) == RTMPKIT_ERR_INVALID_ARGUMENT);
  CHECK(rtmpkit_server_listen(served.server, "\xff\xfe", NULL) == RTMPKIT_ERR_INVALID_ARGUMENT);
  CHECK(rtmpkit_application_create(served.server, "live", NULL, &events, &unused, &second) ==
        RTMPKIT_ERR_ALREADY_EXISTS);
  events.struct_size = 3;
  CHECK(rtmpkit_application_create(served.server, "other", NULL, &events, &unused, &second) ==
        RTMPKIT_ERR_INVALID_ARGUMENT);
  CHECK(second == NULL && unused.releases == 0);

  OK(rtmpkit_net_connection_create(served.engine, NULL, NULL, NULL, &connection));
  CHECK(rtmpkit_net_connection_connect(connection, "ftp://x/", NULL, 0) < 0);
  CHECK(rtmpkit_net_stream_create(connection, NULL, NULL, &stream) == RTMPKIT_ERR_WRONG_STATE);
  CHECK(rtmpkit_net_connection_call(connection, "m", NULL, 0, on_reply, &unused) == RTMPKIT_ERR_WRONG_STATE);
  CHECK(unused.replies == 0);
  OK(rtmpkit_net_connection_close(connection));
  rtmpkit_net_connection_unref(connection);

  OK(rtmpkit_server_close(served.server));
  OK(rtmpkit_server_close(served.server));
  CHECK(rtmpkit_server_listen(served.server, "127.0.0.1:0", NULL) == RTMPKIT_ERR_CLOSED);
  OK(rtmpkit_application_close(served.application));
  CHECK(rtmpkit_instance_get(served.application, NULL, &(rtmpkit_instance *){NULL}) == RTMPKIT_ERR_CLOSED);
  CHECK(strcmp(rtmpkit_strerror(RTMPKIT_ERR_CLOSED), "closed") == 0);
  stop(&served);
}

/* Drops the last reference to the connection, and then tries to wait. */
static void on_status_destroy(void *user_data, rtmpkit_net_connection *connection, const rtmpkit_status *status) {
  struct seen *seen = user_data;
  (void)status;
  pthread_mutex_lock(&seen->lock);
  if (seen->statuses == 0) {
    rtmpkit_net_connection_unref(seen->handle);
    seen->inner = rtmpkit_engine_join((rtmpkit_engine *)seen->kept, 1000);
    CHECK(strlen(rtmpkit_net_connection_uri(connection)) > 0);
    count(seen, &seen->statuses);
  }
  pthread_mutex_unlock(&seen->lock);
}

static void destroying_inside_a_callback(void) {
  struct served served;
  struct seen client;
  rtmpkit_net_connection_events events;
  rtmpkit_net_connection *connection = NULL;
  serve(&served, NULL, NULL);
  seen_init(&client);
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status_destroy;
  events.on_release = on_release;
  OK(rtmpkit_net_connection_create(served.engine, NULL, &events, &client, &connection));
  pthread_mutex_lock(&client.lock);
  client.handle = connection;
  client.kept = (rtmpkit_request *)(void *)served.engine;
  pthread_mutex_unlock(&client.lock);
  OK(rtmpkit_net_connection_connect(connection, served.url, NULL, 0));
  CHECK(wait_for(&client, &client.statuses, 1) && client.inner == RTMPKIT_ERR_WRONG_THREAD);
  CHECK(wait_for(&client, &client.releases, 1) && client.releases == 1);
  stop(&served);
}

static void on_log(void *user_data, int32_t level, const char *target, const char *message) {
  struct seen *seen = user_data;
  pthread_mutex_lock(&seen->lock);
  CHECK(level >= RTMPKIT_LOG_ERROR && level <= RTMPKIT_LOG_TRACE && strlen(target) > 0);
  note(seen->text, message);
  count(seen, &seen->calls);
  pthread_mutex_unlock(&seen->lock);
}

static void log_goes_to_its_own_engine(void) {
  struct seen first, second;
  struct seen *both[] = {&first, &second};
  rtmpkit_engine *engines[2];
  rtmpkit_engine_config config;
  rtmpkit_net_connection *connection = NULL;
  rtmpkit_net_connection_events events;
  struct seen client;
  for (int i = 0; i < 2; i++) {
    seen_init(both[i]);
    rtmpkit_engine_config_init(&config, sizeof config);
    config.workers = 1;
    config.log_level = RTMPKIT_LOG_TRACE;
    config.log_fn = on_log;
    config.log_user_data = both[i];
    config.log_release = on_release;
    OK(rtmpkit_engine_create(&config, &engines[i]));
  }
  seen_init(&client);
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status;
  events.on_release = on_release;
  OK(rtmpkit_net_connection_create(engines[1], NULL, &events, &client, &connection));
  OK(rtmpkit_net_connection_connect(connection, "rtmp://127.0.0.1:1/live", NULL, 0));
  CHECK(wait_for(&client, &client.statuses, 1) && strcmp(client.code, "NetConnection.Connect.Failed") == 0);
  disconnect(connection, &client);
  for (int i = 0; i < 2; i++) {
    OK(rtmpkit_engine_close(engines[i]));
    OK(rtmpkit_engine_join(engines[i], PATIENCE_S * 1000));
    rtmpkit_engine_unref(engines[i]);
    CHECK(wait_for(both[i], &both[i]->releases, 1) && both[i]->releases == 1);
  }
  CHECK(first.calls == 0);
}

/* In the child: what the parent made is dead, what is made afresh lives. */
static int child_of_fork(struct served *served) {
  rtmpkit_engine *fresh = NULL;
  rtmpkit_server_counters counters;
  rtmpkit_server_counters_init(&counters, sizeof counters);
  int failed = rtmpkit_server_stats(served->server, &counters) != RTMPKIT_ERR_FORKED;
  failed |= rtmpkit_engine_close(served->engine) != RTMPKIT_ERR_FORKED;
  rtmpkit_server_unref(served->server);
  failed |= rtmpkit_engine_create(NULL, &fresh) != RTMPKIT_OK;
  failed |= rtmpkit_engine_close(fresh) != RTMPKIT_OK || rtmpkit_engine_join(fresh, PATIENCE_S * 1000) != RTMPKIT_OK;
  rtmpkit_engine_unref(fresh);
  return failed;
}

static void handles_are_dead_after_fork(void) {
  struct served served;
  struct seen client;
  int status = -1;
  serve(&served, NULL, NULL);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    /* Another program takes the memory of the parent's threads with it: a leak checker has nothing to say. */
    execlp(child_of_fork(&served) ? "false" : "true", "child", (char *)NULL);
    _exit(2);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  /* The parent notices nothing. */
  rtmpkit_net_connection *connection = connect_to(&served, "", &client);
  CHECK(wait_for(&client, &client.statuses, 1) && strcmp(client.code, "NetConnection.Connect.Success") == 0);
  disconnect(connection, &client);
  stop(&served);
}
