/*
 * A server that accepts every application, publisher and player:
 *   server --listen HOST:PORT [--listen HOST:PORT ...] [--workers N]
 */
#define _POSIX_C_SOURCE 200809L

#include "example.h"

static void on_log(void *user_data, int32_t level, const char *target, const char *message) {
  (void)user_data, (void)level;
  fprintf(stderr, "%s: %s\n", target, message);
}

static void usage(void) {
  fprintf(stderr, "usage: server --listen HOST:PORT [--listen HOST:PORT ...] [--workers N]\n");
  exit(2);
}

int main(int argc, char **argv) {
  rtmpkit_engine_config config;
  rtmpkit_engine *engine = NULL;
  rtmpkit_server *server = NULL;
  rtmpkit_application *application = NULL;
  int listening = 0;

  rtmpkit_engine_config_init(&config, sizeof config);
  config.log_fn = on_log;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) usage();
    if (strcmp(argv[i], "--workers") == 0) config.workers = (uint32_t)strtoul(argv[i + 1], NULL, 10);
    else if (strcmp(argv[i], "--listen") == 0) listening++;
    else usage();
  }
  if (listening == 0) usage();

  stop_on_signals();
  must(rtmpkit_engine_create(&config, &engine), "engine");
  must(rtmpkit_server_create(engine, NULL, NULL, NULL, &server), "server");
  /* No events: everything is accepted. Give on_connect, on_publish and on_play to decide. */
  must(rtmpkit_application_create(server, "*", NULL, NULL, NULL, &application), "application");
  for (int i = 1; i < argc; i += 2)
    if (strcmp(argv[i], "--listen") == 0) must(rtmpkit_server_listen(server, argv[i + 1], NULL), argv[i + 1]);
  printf("listening on");
  for (int i = 1; i < argc; i += 2)
    if (strcmp(argv[i], "--listen") == 0) printf(" rtmp://%s", argv[i + 1]);
  printf("\n");
  fflush(stdout);

  while (!stopped) {
    struct timespec tick = {0, 100000000};
    nanosleep(&tick, NULL);
  }

  rtmpkit_application_unref(application);
  rtmpkit_server_unref(server);
  rtmpkit_engine_close(engine);
  must(rtmpkit_engine_join(engine, 5000), "join");
  rtmpkit_engine_unref(engine);
  return 0;
}
