/* What the example programs share: ending with a message, stream names, FLV tags, and a stop on Ctrl-C. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rtmpkit.h>

static volatile sig_atomic_t stopped;

static inline void stop_signal(int number) {
  (void)number;
  stopped = 1;
}

/* Sets `stopped` on Ctrl-C and on an orderly kill. */
static inline void stop_on_signals(void) {
  signal(SIGINT, stop_signal);
  signal(SIGTERM, stop_signal);
}

/* Ends the program if a call failed. */
static inline void must(int32_t result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "%s: %s\n", what, rtmpkit_last_error());
  exit(1);
}

/* The part of a URL after its last slash: the stream's name. */
static inline const char *stream_name(const char *url) {
  const char *slash = strrchr(url, '/');
  return slash ? slash + 1 : url;
}

static inline double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Publishes metadata so that servers keep it for those who join late: with @setDataFrame in front. */
static inline int32_t write_metadata(rtmpkit_net_stream *stream, const rtmpkit_media *media) {
  static const uint8_t prefix[] = "\x02\x00\x0d@setDataFrame";
  rtmpkit_media kept = *media;
  uint8_t *body = malloc(sizeof prefix - 1 + media->body_len);
  int32_t result;
  if (!body) return RTMPKIT_ERR_IO;
  memcpy(body, prefix, sizeof prefix - 1);
  memcpy(body + sizeof prefix - 1, media->body, media->body_len);
  kept.body = body;
  kept.body_len = sizeof prefix - 1 + media->body_len;
  kept.buffer = NULL;
  result = rtmpkit_net_stream_write(stream, &kept);
  free(body);
  return result;
}

#endif
