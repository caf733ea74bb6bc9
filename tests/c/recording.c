/* Recording from C: every NetStream.Record code, as the publisher hears it over a socket and as the host is told. */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

#include <sys/stat.h>
#include <unistd.h>

/* An application that records, and what it heard last. */
struct studio {
  struct served served;
  struct seen seen; /* Statuses of recordings. */
  rtmpkit_application *application;
  rtmpkit_recording *recording;
  const char *record; /* For on_publish: the option to set, or NULL. */
  char folder[64], url[64];
};

static void on_record(void *user_data, rtmpkit_recording *recording, const rtmpkit_status *status) {
  struct studio *studio = user_data;
  rtmpkit_recording *before;
  pthread_mutex_lock(&studio->seen.lock);
  before = studio->recording;
  studio->recording = rtmpkit_recording_ref(recording);
  pthread_mutex_unlock(&studio->seen.lock);
  rtmpkit_recording_unref(before);
  take_status(&studio->seen, status);
}

static void on_studio_publish(void *user_data, rtmpkit_request *request, rtmpkit_client *client, rtmpkit_stream *stream) {
  struct studio *studio = user_data;
  (void)client, (void)stream;
  if (studio->record) {
    OK(rtmpkit_request_set_option(request, "record", studio->record));
    OK(rtmpkit_request_set_option(request, "record_name", "by/host"));
  }
  CHECK(rtmpkit_request_set_option(request, "record", "sometimes") == RTMPKIT_ERR_INVALID_ARGUMENT);
  CHECK(rtmpkit_request_set_option(request, "record_max_bytes", "-1") == RTMPKIT_ERR_INVALID_ARGUMENT);
  OK(rtmpkit_request_accept(request, NULL));
}

static void on_studio_release(void *user_data) {
  struct studio *studio = user_data;
  on_release(&studio->seen);
}

static void open_studio_with(struct studio *studio, uint64_t max_duration_ms, uint64_t sync_ms) {
  rtmpkit_application_config config;
  rtmpkit_application_events events;
  memset(studio, 0, sizeof *studio);
  snprintf(studio->folder, sizeof studio->folder, "/tmp/rtmpkit-c-recording-XXXXXX");
  CHECK(mkdtemp(studio->folder) != NULL);
  serve(&studio->served, NULL, NULL);
  seen_init(&studio->seen);
  rtmpkit_application_config_init(&config, sizeof config);
  CHECK(config.record_sync_ms == 0);
  CHECK(config.record_max_duration_ms == 0 && config.record_max_bytes == 0 && config.record_queue_bytes == 32 << 20);
  config.directory = studio->folder;
  config.record_max_duration_ms = max_duration_ms;
  config.record_sync_ms = sync_ms;
  rtmpkit_application_events_init(&events, sizeof events);
  events.on_record = on_record;
  events.on_publish = on_studio_publish;
  events.on_release = on_studio_release;
  OK(rtmpkit_application_create(studio->served.server, "studio", &config, &events, studio, &studio->application));
  snprintf(studio->url, sizeof studio->url, "%.*sstudio", (int)strlen(studio->served.url) - 4, studio->served.url);
}

static void open_studio(struct studio *studio, uint64_t max_duration_ms) {
  open_studio_with(studio, max_duration_ms, 0);
}

static void path_in(const struct studio *studio, const char *name, char *path, size_t size) {
  snprintf(path, size, "%s/streams/_definst_%s%s", studio->folder, name[0] ? "/" : "", name);
}

static void close_studio(struct studio *studio) {
  char command[128];
  rtmpkit_application_unref(studio->application);
  stop(&studio->served);
  CHECK(wait_for(&studio->seen, &studio->seen.releases, 1) && studio->seen.releases == 1);
  /* Until the release a recording may still end, and on_record exchange the handle. */
  rtmpkit_recording_unref(studio->recording);
  snprintf(command, sizeof command, "rm -rf %s", studio->folder);
  CHECK(system(command) == 0);
}

/* Waits until this code has come, as the n-th status. */
static int nth(struct seen *seen, int n, const char *code) {
  int came = wait_for(seen, &seen->statuses, n);
  pthread_mutex_lock(&seen->lock);
  const char *line = seen->codes;
  for (int i = 1; i < n && line; i++) line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL;
  came = came && line && strncmp(line, code, strlen(code)) == 0 && line[strlen(code)] == '\n';
  if (!came) printf("  %d: no %s among\n%s", n, code, seen->codes);
  pthread_mutex_unlock(&seen->lock);
  return came;
}

static rtmpkit_net_connection *enter(struct studio *studio, struct seen *seen) {
  char live[64];
  memcpy(live, studio->served.url, sizeof live);
  memcpy(studio->served.url, studio->url, sizeof live);
  rtmpkit_net_connection *connection = connect_to(&studio->served, "", seen);
  memcpy(studio->served.url, live, sizeof live);
  CHECK(nth(seen, 1, "NetConnection.Connect.Success"));
  return connection;
}

static rtmpkit_net_stream *publish(rtmpkit_net_connection *connection, struct seen *seen, const char *name, int32_t mode) {
  rtmpkit_net_stream_events events;
  rtmpkit_net_stream *stream = NULL;
  seen_init(seen);
  rtmpkit_net_stream_events_init(&events, sizeof events);
  events.on_status = on_stream_status;
  events.on_release = on_release;
  OK(rtmpkit_net_stream_create(connection, &events, seen, &stream));
  OK(rtmpkit_net_stream_publish(stream, name, mode));
  CHECK(nth(seen, 1, "NetStream.Publish.Start"));
  return stream;
}

/* Keyframes at these times. */
static void write_keys(rtmpkit_net_stream *stream, const uint64_t *times, int count) {
  rtmpkit_media media;
  rtmpkit_media_init(&media, sizeof media);
  media.type = RTMPKIT_MEDIA_VIDEO;
  media.fourcc = RTMPKIT_CODEC_AVC;
  media.flags = RTMPKIT_MEDIA_KEYFRAME;
  media.data = (const uint8_t *)"a picture";
  media.len = 9;
  for (int i = 0; i < count; i++) {
    media.timestamp_ms = times[i];
    OK(rtmpkit_net_stream_write(stream, &media));
  }
}

static long size_of(const char *path) {
  struct stat found;
  return stat(path, &found) == 0 ? (long)found.st_size : -1;
}

static void records_and_stops(uint64_t sync_ms) {
  const uint64_t times[] = {500, 540, 2000};
  struct studio studio;
  struct seen client, out;
  char path[128];
  rtmpkit_recording_counters counters;
  open_studio_with(&studio, 0, sync_ms);
  rtmpkit_net_connection *connection = enter(&studio, &client);
  rtmpkit_net_stream *stream = publish(connection, &out, "cam", RTMPKIT_PUBLISH_RECORD);
  CHECK(nth(&out, 2, "NetStream.Record.Start") && strcmp(out.text, "Recording cam.") == 0);
  write_keys(stream, times, 3);
  rtmpkit_net_stream_unref(stream);
  CHECK(nth(&studio.seen, 1, "NetStream.Record.Start") && nth(&studio.seen, 2, "NetStream.Record.Stop"));
  CHECK(strcmp(studio.seen.text, "Stopped recording cam.") == 0);
  rtmpkit_recording_counters_init(&counters, sizeof counters);
  OK(rtmpkit_recording_stats(studio.recording, &counters));
  path_in(&studio, "cam.flv", path, sizeof path);
  CHECK(counters.ended && !counters.recording && counters.duration_ms == 1500 && counters.dropped == 0);
  CHECK(counters.bytes == (uint64_t)size_of(path));
  CHECK(counters.durable_bytes == (sync_ms == 0 ? 0 : counters.bytes));
  CHECK(strcmp(rtmpkit_recording_path(studio.recording), path) == 0);
  CHECK(strcmp(rtmpkit_recording_stream_name(studio.recording), "cam") == 0);
  disconnect(connection, &client);
  close_studio(&studio);
}

static void record_start_and_stop(void) { records_and_stops(0); }

static void m3_what_is_recorded_survives_the_machine_if_it_is_to(void) { records_and_stops(60000); }

static void record_diskquotaexceeded(void) {
  const uint64_t times[] = {0, 90, 700, 1300};
  struct studio studio;
  struct seen client, out;
  open_studio(&studio, 100);
  rtmpkit_net_connection *connection = enter(&studio, &client);
  rtmpkit_net_stream *stream = publish(connection, &out, "cam", RTMPKIT_PUBLISH_APPEND);
  CHECK(nth(&out, 2, "NetStream.Record.Start"));
  write_keys(stream, times, 4);
  CHECK(nth(&out, 3, "NetStream.Record.DiskQuotaExceeded") && nth(&out, 4, "NetStream.Record.Stop"));
  CHECK(nth(&studio.seen, 2, "NetStream.Record.DiskQuotaExceeded") && nth(&studio.seen, 3, "NetStream.Record.Stop"));
  rtmpkit_net_stream_unref(stream);
  disconnect(connection, &client);
  close_studio(&studio);
}

static void record_failed_noaccess_and_alreadyexists(void) {
  struct studio studio;
  struct seen client, folder, kept, first, second;
  char path[128], command[512];
  open_studio(&studio, 0);
  path_in(&studio, "", path, sizeof path);
  snprintf(command, sizeof command, "mkdir -p %s/folder.flv && touch %s/kept.flv && chmod 444 %s/kept.flv", path, path,
           path);
  CHECK(system(command) == 0);
  rtmpkit_net_connection *connection = enter(&studio, &client);
  rtmpkit_net_stream *in_the_way = publish(connection, &folder, "folder", RTMPKIT_PUBLISH_RECORD);
  CHECK(nth(&folder, 2, "NetStream.Record.Failed"));
  CHECK(strcmp(folder.text, "Failed to record folder: \"folder\" is in the way.") == 0);
  rtmpkit_net_stream *read_only = publish(connection, &kept, "kept", RTMPKIT_PUBLISH_APPEND_WITH_GAP);
  CHECK(nth(&kept, 2, "NetStream.Record.NoAccess"));
  CHECK(strcmp(kept.text, "No access to record kept: the file is read-only.") == 0);
  rtmpkit_net_stream *one = publish(connection, &first, "cam", RTMPKIT_PUBLISH_RECORD);
  CHECK(nth(&first, 2, "NetStream.Record.Start"));
  rtmpkit_net_stream *two = publish(connection, &second, "flv:cam", RTMPKIT_PUBLISH_RECORD);
  CHECK(nth(&second, 2, "NetStream.Record.AlreadyExists"));
  rtmpkit_net_stream_unref(in_the_way), rtmpkit_net_stream_unref(read_only);
  rtmpkit_net_stream_unref(one), rtmpkit_net_stream_unref(two);
  disconnect(connection, &client);
  close_studio(&studio);
}

static void the_host_records(void) {
  const uint64_t times[] = {0, 40};
  struct studio studio;
  struct seen client, out;
  char path[128];
  rtmpkit_instance *instance = NULL;
  rtmpkit_stream *handle = NULL;
  rtmpkit_recording *recording = NULL;
  rtmpkit_record_options options;
  open_studio(&studio, 0);
  OK(rtmpkit_instance_get(studio.application, NULL, &instance));
  OK(rtmpkit_stream_open(instance, "cam", &handle));
  rtmpkit_record_options_init(&options, sizeof options);
  options.name = "archive/cam";
  options.max_duration_ms = UINT64_MAX;
  options.mode = RTMPKIT_PUBLISH_LIVE;
  CHECK(rtmpkit_stream_record(handle, &options, &recording) == RTMPKIT_ERR_INVALID_ARGUMENT);
  options.mode = RTMPKIT_PUBLISH_APPEND;
  OK(rtmpkit_stream_record(handle, &options, &recording));
  CHECK(nth(&studio.seen, 1, "NetStream.Record.Start") && rtmpkit_recording_path(recording) != NULL);

  /* What a client asked to be live is recorded because the host says so. */
  studio.record = "record";
  rtmpkit_net_connection *connection = enter(&studio, &client);
  rtmpkit_net_stream *stream = publish(connection, &out, "cam", RTMPKIT_PUBLISH_LIVE);
  CHECK(nth(&out, 2, "NetStream.Record.Start"));
  write_keys(stream, times, 2);
  rtmpkit_net_stream_unref(stream);
  CHECK(nth(&studio.seen, 3, "NetStream.Record.Stop"));
  path_in(&studio, "by/host.flv", path, sizeof path);
  CHECK(size_of(path) > 0);

  OK(rtmpkit_recording_stop(recording));
  CHECK(nth(&studio.seen, 4, "NetStream.Record.Stop"));
  path_in(&studio, "archive/cam.flv", path, sizeof path);
  CHECK(strcmp(rtmpkit_recording_path(recording), path) == 0 && size_of(path) > 0);
  rtmpkit_recording_unref(recording);
  rtmpkit_stream_unref(handle);

  /* Without a directory there is nowhere to record. */
  rtmpkit_instance_unref(instance);
  OK(rtmpkit_instance_get(studio.served.application, NULL, &instance));
  OK(rtmpkit_stream_open(instance, "cam", &handle));
  CHECK(rtmpkit_stream_record(handle, NULL, &recording) == RTMPKIT_ERR_WRONG_STATE);
  rtmpkit_stream_unref(handle);
  rtmpkit_instance_unref(instance);
  disconnect(connection, &client);
  close_studio(&studio);
}

int main(void) {
  record_start_and_stop();
  m3_what_is_recorded_survives_the_machine_if_it_is_to();
  record_diskquotaexceeded();
  record_failed_noaccess_and_alreadyexists();
  the_host_records();
  printf("%s: %d failures\n", rtmpkit_version_string(), failures);
  return failures != 0;
}
