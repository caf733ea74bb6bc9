/*
 * Recorded streams from C: every status that a player of files gets. The names of the scenes begin with the rows of
 * docs/conformance.md that they show.
 */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A server of the application `vod` with a folder of files, and a player. */
struct library {
  struct served served;
  struct seen seen, connection_seen, player;
  rtmpkit_application *application;
  rtmpkit_net_connection *connection;
  rtmpkit_net_stream *stream;
  char folder[64];
  char url[64];
};

static void put_tag(FILE *file, int type, unsigned time, const unsigned char *body, unsigned size) {
  unsigned char head[11] = {(unsigned char)type, (unsigned char)(size >> 16), (unsigned char)(size >> 8),
                            (unsigned char)size, (unsigned char)(time >> 16), (unsigned char)(time >> 8),
                            (unsigned char)time, 0, 0, 0, 0};
  unsigned char tail[4] = {0, 0, (unsigned char)((size + 11) >> 8), (unsigned char)(size + 11)};
  fwrite(head, 1, sizeof head, file);
  fwrite(body, 1, size, file);
  fwrite(tail, 1, sizeof tail, file);
}

/* An FLV file of pictures every 40 ms, a keyframe every 400. */
static void write_film(const struct library *library, const char *name, unsigned millis) {
  static const unsigned char header[] = {'F', 'L', 'V', 1, 1, 0, 0, 0, 9, 0, 0, 0, 0};
  static const unsigned char config[] = {0x17, 0, 0, 0, 0, 1, 100, 0, 10, 0xFF};
  char path[160];
  snprintf(path, sizeof path, "%s/streams/_definst_/%s", library->folder, name);
  FILE *file = fopen(path, "wb");
  CHECK(file != NULL);
  fwrite(header, 1, sizeof header, file);
  if (millis > 0) put_tag(file, 9, 0, config, sizeof config);
  for (unsigned time = 0; time < millis; time += 40) {
    unsigned char picture[] = {time % 400 == 0 ? 0x17 : 0x27, 1, 0, 0, 7, 1, 2, 3};
    put_tag(file, 9, time, picture, sizeof picture);
  }
  CHECK(fclose(file) == 0);
}

/* Counts keyframes and remembers the last time, of films of any making. */
static void on_film(void *user_data, rtmpkit_net_stream *stream, const rtmpkit_media *media) {
  struct seen *seen = user_data;
  (void)stream;
  pthread_mutex_lock(&seen->lock);
  seen->last_time = media->timestamp_ms;
  if (media->flags & RTMPKIT_MEDIA_KEYFRAME) count(seen, &seen->keyframes);
  pthread_mutex_unlock(&seen->lock);
}

static void open_library(struct library *library) {
  rtmpkit_application_config config;
  rtmpkit_application_events events;
  rtmpkit_net_stream_events stream_events;
  char path[128], live[64];
  memset(library, 0, sizeof *library);
  serve(&library->served, NULL, NULL);
  seen_init(&library->seen);
  snprintf(library->folder, sizeof library->folder, "/tmp/rtmpkit-c-XXXXXX");
  CHECK(mkdtemp(library->folder) != NULL);
  snprintf(path, sizeof path, "%s/streams", library->folder);
  CHECK(mkdir(path, 0700) == 0);
  snprintf(path, sizeof path, "%s/streams/_definst_", library->folder);
  CHECK(mkdir(path, 0700) == 0);
  rtmpkit_application_config_init(&config, sizeof config);
  config.directory = library->folder;
  rtmpkit_application_events_init(&events, sizeof events);
  events.on_release = on_release;
  OK(rtmpkit_application_create(library->served.server, "vod", &config, &events, &library->seen, &library->application));
  memcpy(live, library->served.url, sizeof live);
  snprintf(library->served.url, sizeof live, "%.*svod", (int)strlen(live) - 4, live);
  library->connection = connect_to(&library->served, "", &library->connection_seen);
  memcpy(library->served.url, live, sizeof live);
  seen_init(&library->player);
  rtmpkit_net_stream_events_init(&stream_events, sizeof stream_events);
  stream_events.on_status = on_stream_status;
  stream_events.on_media = on_film;
  stream_events.on_release = on_release;
  OK(rtmpkit_net_stream_create(library->connection, &stream_events, &library->player, &library->stream));
}

static void close_library(struct library *library) {
  char command[128];
  rtmpkit_net_stream_unref(library->stream);
  CHECK(wait_for(&library->player, &library->player.releases, 1));
  disconnect(library->connection, &library->connection_seen);
  rtmpkit_application_unref(library->application);
  stop(&library->served);
  CHECK(wait_for(&library->seen, &library->seen.releases, 1));
  snprintf(command, sizeof command, "rm -r %s", library->folder);
  CHECK(system(command) == 0);
}

/* Plays from the beginning of a file. */
static void play(struct library *library, const char *name, int64_t duration_ms, int reset) {
  rtmpkit_play_options options;
  rtmpkit_play_options_init(&options, sizeof options);
  options.start_ms = 0;
  options.duration_ms = duration_ms;
  options.reset = reset;
  OK(rtmpkit_net_stream_play(library->stream, name, &options));
}

/* Waits for a status of this code among those that come from now on. */
static int comes(struct library *library, const char *code) {
  struct seen *seen = &library->player;
  int found = 0;
  for (int n = 1; !found && wait_for(seen, &seen->statuses, n); n++) {
    pthread_mutex_lock(&seen->lock);
    const char *at = strstr(seen->codes, code);
    found = at != NULL;
    if (found) memmove(seen->codes, at + strlen(code), strlen(at + strlen(code)) + 1);
    pthread_mutex_unlock(&seen->lock);
  }
  if (!found) printf("no %s among\n%s", code, seen->codes);
  return found;
}

static void m4_a_file_is_played_to_its_end(void) {
  struct library library;
  open_library(&library);
  write_film(&library, "film.flv", 400);
  play(&library, "film", -1, 1);
  CHECK(comes(&library, "NetStream.Play.Reset\nNetStream.Play.Start\n"));
  CHECK(comes(&library, "NetStream.Play.Complete\n"));
  CHECK(comes(&library, "NetStream.Play.Stop\n"));
  pthread_mutex_lock(&library.player.lock);
  CHECK(library.player.keyframes == 1 && library.player.last_time == 360);
  pthread_mutex_unlock(&library.player.lock);
  close_library(&library);
}

static void m4_what_is_wrong_with_files(void) {
  struct library library;
  open_library(&library);
  write_film(&library, "empty.flv", 0);
  play(&library, "none", -1, 1);
  CHECK(comes(&library, "NetStream.Play.StreamNotFound\n"));
  play(&library, "empty", -1, 1);
  CHECK(comes(&library, "NetStream.Play.NoSupportedTrackFound\n"));
  char path[128];
  snprintf(path, sizeof path, "%s/streams/_definst_/text.flv", library.folder);
  FILE *file = fopen(path, "wb");
  CHECK(file != NULL && fputs("this is no film", file) >= 0 && fclose(file) == 0);
  play(&library, "text", -1, 1);
  CHECK(comes(&library, "NetStream.Play.FileStructureInvalid\n"));
  close_library(&library);
}

static void m4_seeking_and_pausing(void) {
  struct library library;
  open_library(&library);
  write_film(&library, "film.flv", 60000);
  play(&library, "film", -1, 1);
  CHECK(comes(&library, "NetStream.Play.Start\n"));
  OK(rtmpkit_net_stream_pause(library.stream, true));
  CHECK(comes(&library, "NetStream.Pause.Notify\n"));
  OK(rtmpkit_net_stream_pause(library.stream, false));
  CHECK(comes(&library, "NetStream.Unpause.Notify\n"));
  OK(rtmpkit_net_stream_seek(library.stream, 99000));
  CHECK(comes(&library, "NetStream.Seek.InvalidTime\n"));
  OK(rtmpkit_net_stream_seek(library.stream, 59500));
  CHECK(comes(&library, "NetStream.Seek.Notify\n"));
  CHECK(comes(&library, "NetStream.Play.Complete\n"));
  rtmpkit_net_stream *live = library.stream;
  OK(rtmpkit_net_stream_play(live, "cam", NULL));
  CHECK(comes(&library, "NetStream.Play.Reset\n"));
  OK(rtmpkit_net_stream_seek(live, 1));
  CHECK(comes(&library, "NetStream.Seek.Failed\n"));
  close_library(&library);
}

static void m4_play_lists_and_transitions(void) {
  struct library library;
  open_library(&library);
  write_film(&library, "a.flv", 60000);
  write_film(&library, "b.flv", 4000);
  write_film(&library, "c.flv", 4000);
  play(&library, "a", -1, 1);
  OK(rtmpkit_net_stream_set_buffer(library.stream, 10));
  play(&library, "b", -1, 0);
  OK(rtmpkit_net_stream_seek(library.stream, 59900));
  CHECK(comes(&library, "NetStream.Play.Switch\n"));
  OK(rtmpkit_net_stream_play2(library.stream, "c", "b", RTMPKIT_TRANSITION_SWITCH, NULL));
  CHECK(comes(&library, "NetStream.Play.Transition\n"));
  CHECK(comes(&library, "NetStream.Play.TransitionComplete\n"));
  OK(rtmpkit_net_stream_play2(library.stream, "none", "x", RTMPKIT_TRANSITION_SWAP, NULL));
  CHECK(comes(&library, "NetStream.Play.Failed\n"));
  OK(rtmpkit_net_stream_play2(library.stream, "", NULL, RTMPKIT_TRANSITION_STOP, NULL));
  CHECK(comes(&library, "NetStream.Play.Stop\n"));
  CHECK(rtmpkit_net_stream_play2(library.stream, "c", NULL, 9, NULL) == RTMPKIT_ERR_INVALID_ARGUMENT);
  close_library(&library);
}

/* A file that FFmpeg made. */
static void copy_sample(const struct library *library, const char *name) {
  static char buffer[1 << 16];
  const char *slash = strrchr(__FILE__, '/');
  char path[512];
  snprintf(path, sizeof path, "%.*s/../../rtmp-core/tests/vectors/%s", slash ? (int)(slash - __FILE__) : 1,
           slash ? __FILE__ : ".", name);
  FILE *from = fopen(path, "rb");
  CHECK(from != NULL);
  size_t size = from ? fread(buffer, 1, sizeof buffer, from) : 0;
  CHECK(size > 0 && size < sizeof buffer && fclose(from) == 0);
  snprintf(path, sizeof path, "%s/streams/_definst_/%s", library->folder, name);
  FILE *to = fopen(path, "wb");
  CHECK(to != NULL && fwrite(buffer, 1, size, to) == size && fclose(to) == 0);
}

static void m4_mp4_and_mp3_files_are_played(void) {
  struct library library;
  open_library(&library);
  copy_sample(&library, "film.mp4");
  copy_sample(&library, "song.mp3");
  OK(rtmpkit_net_stream_set_buffer(library.stream, 60000));
  play(&library, "mp4:film", -1, 1);
  CHECK(comes(&library, "NetStream.Play.Complete\n"));
  pthread_mutex_lock(&library.player.lock);
  CHECK(library.player.keyframes == 4 && library.player.last_time == 4168);
  pthread_mutex_unlock(&library.player.lock);
  OK(rtmpkit_net_stream_seek(library.stream, 3500));
  CHECK(comes(&library, "NetStream.Seek.Notify\n"));
  CHECK(comes(&library, "NetStream.Play.Complete\n"));
  pthread_mutex_lock(&library.player.lock);
  CHECK(library.player.keyframes == 5);
  pthread_mutex_unlock(&library.player.lock);
  play(&library, "mp3:song", -1, 1);
  CHECK(comes(&library, "NetStream.Play.Start\n"));
  CHECK(comes(&library, "NetStream.Play.Complete\n"));
  pthread_mutex_lock(&library.player.lock);
  CHECK(library.player.last_time == 4049);
  pthread_mutex_unlock(&library.player.lock);
  play(&library, "mp4:song", -1, 1);
  CHECK(comes(&library, "NetStream.Play.StreamNotFound\n"));
  close_library(&library);
}

static void m4_a_transition_waits_for_its_place(void) {
  struct library library;
  rtmpkit_play_options options;
  open_library(&library);
  write_film(&library, "low.flv", 60000);
  write_film(&library, "high.flv", 60000);
  OK(rtmpkit_net_stream_set_buffer(library.stream, 10));
  play(&library, "low", -1, 1);
  CHECK(comes(&library, "NetStream.Play.Start\n"));
  rtmpkit_play_options_init(&options, sizeof options);
  CHECK(options.offset_ms == -1);
  options.offset_ms = 50000;
  OK(rtmpkit_net_stream_play2(library.stream, "high", "low", RTMPKIT_TRANSITION_SWITCH, &options));
  CHECK(comes(&library, "NetStream.Play.Transition\n"));
  OK(rtmpkit_net_stream_set_buffer(library.stream, 49000));
  OK(rtmpkit_net_stream_pause(library.stream, true));
  CHECK(comes(&library, "NetStream.Pause.Notify\n"));
  CHECK(strstr(library.player.codes, "TransitionComplete") == NULL);
  OK(rtmpkit_net_stream_pause(library.stream, false));
  OK(rtmpkit_net_stream_set_buffer(library.stream, 60000));
  CHECK(comes(&library, "NetStream.Play.TransitionComplete\n"));
  close_library(&library);
}

static void c8_the_length_of_a_recording(void) {
  struct library library;
  struct seen asked;
  rtmpkit_instance *instance = NULL;
  open_library(&library);
  write_film(&library, "film.flv", 2000);
  seen_init(&asked);
  OK(rtmpkit_instance_get(library.application, "", &instance));
  OK(rtmpkit_instance_stream_length(instance, "film", on_reply, &asked));
  CHECK(wait_for(&asked, &asked.replies, 1) && asked.number > 1.95 && asked.number < 1.97);
  OK(rtmpkit_instance_stream_length(instance, "none", on_reply, &asked));
  CHECK(wait_for(&asked, &asked.replies, 2) && asked.number == 0);
  CHECK(rtmpkit_instance_stream_length(instance, "film", NULL, NULL) == RTMPKIT_ERR_INVALID_ARGUMENT);
  rtmpkit_value *argument = rtmpkit_value_string("film");
  const rtmpkit_value *args[] = {argument};
  OK(rtmpkit_net_connection_call(library.connection, "getStreamLength", args, 1, on_reply, &asked));
  CHECK(wait_for(&asked, &asked.replies, 3) && asked.number > 1.95);
  rtmpkit_value_unref(argument);
  rtmpkit_instance_unref(instance);
  close_library(&library);
}

int main(void) {
  m4_a_file_is_played_to_its_end();
  m4_what_is_wrong_with_files();
  m4_seeking_and_pausing();
  m4_play_lists_and_transitions();
  m4_mp4_and_mp3_files_are_played();
  m4_a_transition_waits_for_its_place();
  c8_the_length_of_a_recording();
  printf("%s: %d failures\n", rtmpkit_version_string(), failures);
  return failures != 0;
}
