/*
 * Sits at the whiteboard of examples/python/whiteboard_server.py: a line `X Y COLOUR` paints a square (`blank` wipes it),
 * `/save` stores the board, `/board` prints it, any other line is said.
 *   whiteboard_client rtmp://HOST/whiteboard/ROOM [--name NAME]
 */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>

#include "example.h"

static const char *name = "somebody";

/* The answer to one call at a time. */
static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int pending;
} answer = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static const char *text_of(const rtmpkit_value *value) {
  const char *text = "blank";
  rtmpkit_value_get_string(value, &text, NULL);
  return text;
}

static void on_sync(void *user_data, rtmpkit_shared_object *board, const rtmpkit_slot_change *const *changes,
                    size_t count) {
  (void)user_data, (void)board;
  for (size_t i = 0; i < count; i++)
    if (changes[i]->kind == RTMPKIT_SLOT_CHANGE || changes[i]->kind == RTMPKIT_SLOT_DELETE)
      printf("%s is %s\n", changes[i]->name, text_of(changes[i]->new_value));
  fflush(stdout);
}

/* What the server calls: name() is asked, the others are news. */
static void on_call(void *user_data, rtmpkit_net_connection *connection, rtmpkit_request *request) {
  const char *method = rtmpkit_request_name(request);
  const rtmpkit_value *const *args = NULL;
  rtmpkit_value *result = NULL;
  size_t count = 0;
  (void)user_data, (void)connection;
  rtmpkit_request_args(request, &args, &count);
  if (strcmp(method, "name") == 0) result = rtmpkit_value_string(name);
  else if (strcmp(method, "said") == 0 && count == 2) printf("%s: %s\n", text_of(args[0]), text_of(args[1]));
  else if (count == 1) printf("%s %s\n", text_of(args[0]), method);
  else return; /* The library answers that there is no such method. */
  rtmpkit_request_accept(request, result);
  rtmpkit_value_unref(result);
  fflush(stdout);
}

static void on_status(void *user_data, rtmpkit_net_connection *connection, const rtmpkit_status *status) {
  (void)user_data, (void)connection;
  if (status->level == RTMPKIT_LEVEL_ERROR) fprintf(stderr, "%s %s\n", status->code, status->description);
}

static void on_reply(void *what, const rtmpkit_value *result, const rtmpkit_status *error) {
  double number;
  if (error) {
    fprintf(stderr, "%s: %s\n", (const char *)what, error->description);
  } else if (rtmpkit_value_type(result) == RTMPKIT_VALUE_ARRAY) {
    printf("here are");
    for (size_t i = 0; i < rtmpkit_value_array_len(result); i++)
      printf(" %s", text_of(rtmpkit_value_array_at(result, i)));
    printf("\n");
  } else if (strcmp(what, "save") == 0 && rtmpkit_value_get_number(result, &number) == RTMPKIT_OK) {
    printf("saved version %.0f\n", number);
  }
  fflush(stdout);
  pthread_mutex_lock(&answer.lock);
  answer.pending--;
  pthread_cond_signal(&answer.changed);
  pthread_mutex_unlock(&answer.lock);
}

/* Calls a method of the server, with a text or without, and waits for its answer. */
static void call(rtmpkit_net_connection *connection, const char *method, const char *text) {
  rtmpkit_value *value = text ? rtmpkit_value_string(text) : NULL;
  const rtmpkit_value *args[] = {value};
  pthread_mutex_lock(&answer.lock);
  answer.pending++;
  pthread_mutex_unlock(&answer.lock);
  must(rtmpkit_net_connection_call(connection, method, args, text ? 1 : 0, on_reply, (void *)method), method);
  rtmpkit_value_unref(value);
  pthread_mutex_lock(&answer.lock);
  while (answer.pending > 0) pthread_cond_wait(&answer.changed, &answer.lock);
  pthread_mutex_unlock(&answer.lock);
}

static void print_board(rtmpkit_shared_object *board) {
  rtmpkit_value *names = NULL, *value;
  must(rtmpkit_shared_object_names(board, &names), "names");
  for (size_t i = 0; i < rtmpkit_value_array_len(names); i++) {
    const char *slot = text_of(rtmpkit_value_array_at(names, i));
    if (rtmpkit_shared_object_get(board, slot, &value) != RTMPKIT_OK) continue;
    printf("%s %s\n", slot, text_of(value));
    rtmpkit_value_unref(value);
  }
  printf("version %u\n", rtmpkit_shared_object_version(board));
  fflush(stdout);
  rtmpkit_value_unref(names);
}

static void paint(rtmpkit_shared_object *board, int x, int y, const char *colour) {
  char square[32];
  snprintf(square, sizeof square, "%d,%d", x, y);
  rtmpkit_value *value = strcmp(colour, "blank") == 0 ? rtmpkit_value_null() : rtmpkit_value_string(colour);
  must(rtmpkit_shared_object_set(board, square, value), square);
  rtmpkit_value_unref(value);
}

int main(int argc, char **argv) {
  rtmpkit_engine *engine = NULL;
  rtmpkit_net_connection *connection = NULL;
  rtmpkit_net_connection_events events;
  rtmpkit_shared_object *board = NULL;
  rtmpkit_shared_object_events board_events;
  char line[256], colour[32];
  int x, y;
  if (argc == 4 && strcmp(argv[2], "--name") == 0) {
    name = argv[3];
  } else if (argc != 2) {
    fprintf(stderr, "usage: whiteboard_client rtmp://HOST/whiteboard/ROOM [--name NAME]\n");
    return 2;
  }
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status;
  events.on_call = on_call;
  rtmpkit_shared_object_events_init(&board_events, sizeof board_events);
  board_events.on_sync = on_sync;
  must(rtmpkit_engine_create(NULL, &engine), "engine");
  must(rtmpkit_net_connection_create(engine, NULL, &events, NULL, &connection), "connection");
  must(rtmpkit_net_connection_connect(connection, argv[1], NULL, 0), argv[1]);
  must(rtmpkit_shared_object_connect(connection, "board", true, &board_events, NULL, &board), "board");
  call(connection, "enter", NULL);

  while (rtmpkit_net_connection_is_connected(connection) && fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%d %d %31s", &x, &y, colour) == 3) paint(board, x, y, colour);
    else if (strcmp(line, "/save") == 0) call(connection, "save", NULL);
    else if (strcmp(line, "/board") == 0) print_board(board);
    else if (*line) call(connection, "say", line);
  }
  /* Its answer comes after all that was painted has arrived. */
  if (rtmpkit_net_connection_is_connected(connection)) call(connection, "version", NULL);

  rtmpkit_shared_object_unref(board);
  rtmpkit_net_connection_unref(connection);
  rtmpkit_engine_close(engine);
  must(rtmpkit_engine_join(engine, 5000), "join");
  rtmpkit_engine_unref(engine);
  return 0;
}
