/*
 * Shared objects from C: those of a server, those that its clients join, and those on disk. The names of the scenes
 * begin with the rows of docs/conformance.md that they show.
 */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

/* What a handle heard, one line per event. Shared with the library's threads. */
struct heard {
  struct seen seen;
  char lines[64][160];
  int count, read;
};

static const char *number_of(const rtmpkit_value *value, char *room) {
  double number;
  if (!value) return "-";
  if (rtmpkit_value_get_number(value, &number) == RTMPKIT_OK) snprintf(room, 32, "%g", number);
  else snprintf(room, 32, "?");
  return room;
}

static void hear(struct heard *heard, const char *line) {
  pthread_mutex_lock(&heard->seen.lock);
  if (heard->count < 64) snprintf(heard->lines[heard->count], sizeof heard->lines[0], "%s", line);
  count(&heard->seen, &heard->count);
  pthread_mutex_unlock(&heard->seen.lock);
}

static void on_sync(void *user_data, rtmpkit_shared_object *object, const rtmpkit_slot_change *const *changes,
                    size_t n) {
  static const char *const KINDS[] = {"", "change", "delete", "success", "reject"};
  char line[160] = "sync", before[32], after[32];
  CHECK(object != NULL);
  for (size_t i = 0; i < n; i++) {
    size_t used = strlen(line);
    snprintf(line + used, sizeof line - used, " %s:%s:%s>%s", KINDS[changes[i]->kind], changes[i]->name,
             number_of(changes[i]->old_value, before), number_of(changes[i]->new_value, after));
  }
  hear(user_data, line);
}

static void on_message(void *user_data, rtmpkit_shared_object *object, rtmpkit_client *sender, const char *handler,
                       const rtmpkit_value *const *args, size_t n) {
  char line[160], room[32];
  (void)object;
  snprintf(line, sizeof line, "%s %s %s", sender && rtmpkit_client_id(sender) ? "client" : "host", handler,
           n ? number_of(args[0], room) : "");
  hear(user_data, line);
}

static void on_object_status(void *user_data, rtmpkit_shared_object *object, const rtmpkit_status *status) {
  (void)object;
  hear(user_data, status->code);
}

static void on_clear(void *user_data, rtmpkit_shared_object *object) {
  (void)object;
  hear(user_data, "clear");
}

static void on_object_release(void *user_data) {
  struct heard *heard = user_data;
  on_release(&heard->seen);
}

/* Waits for the next event; it must be this one. */
#define NEXT(heard, line) \
  do { \
    CHECK(wait_for(&(heard)->seen, &(heard)->count, (heard)->read + 1)); \
    CHECK(strcmp((heard)->lines[(heard)->read], line) == 0); \
    if (strcmp((heard)->lines[(heard)->read], line) != 0) printf("  it is %s\n", (heard)->lines[(heard)->read]); \
    (heard)->read++; \
  } while (0)

static rtmpkit_shared_object_events object_events(struct heard *heard) {
  rtmpkit_shared_object_events events;
  memset(heard, 0, sizeof *heard);
  seen_init(&heard->seen);
  rtmpkit_shared_object_events_init(&events, sizeof events);
  events.on_sync = on_sync;
  events.on_message = on_message;
  events.on_status = on_object_status;
  events.on_clear = on_clear;
  events.on_release = on_object_release;
  return events;
}

static rtmpkit_shared_object *open_object(rtmpkit_instance *instance, const char *name, bool persistent,
                                          struct heard *heard) {
  rtmpkit_shared_object_events events = object_events(heard);
  rtmpkit_shared_object *object = NULL;
  OK(rtmpkit_shared_object_open(instance, name, persistent, &events, heard, &object));
  return object;
}

/* Joins an empty object. */
static rtmpkit_shared_object *join_object(rtmpkit_net_connection *connection, const char *name, bool persistent,
                                          struct heard *heard) {
  rtmpkit_shared_object_events events = object_events(heard);
  rtmpkit_shared_object *object = NULL;
  OK(rtmpkit_shared_object_connect(connection, name, persistent, &events, heard, &object));
  NEXT(heard, "clear");
  NEXT(heard, "sync");
  CHECK(rtmpkit_shared_object_is_connected(object));
  return object;
}

static void leave(rtmpkit_shared_object *object, struct heard *heard) {
  rtmpkit_shared_object_unref(object);
  CHECK(wait_for(&heard->seen, &heard->seen.releases, 1) && heard->seen.releases == 1);
}

static int32_t set_number(rtmpkit_shared_object *object, const char *slot, double number) {
  rtmpkit_value *value = rtmpkit_value_number(number);
  int32_t result = rtmpkit_shared_object_set(object, slot, value);
  rtmpkit_value_unref(value);
  return result;
}

/* A slot's number, -1 if there is no such slot. */
static double get_number(rtmpkit_shared_object *object, const char *slot) {
  rtmpkit_value *value = NULL;
  double number = -1;
  if (rtmpkit_shared_object_get(object, slot, &value) == RTMPKIT_OK) rtmpkit_value_get_number(value, &number);
  rtmpkit_value_unref(value);
  return number;
}

static void o6_o7_a5_everybody_sees_every_change(void) {
  struct served served;
  struct seen one, two;
  struct heard host, a, b;
  rtmpkit_instance *instance = NULL;
  rtmpkit_value *names = NULL;
  const char *name = NULL;
  serve(&served, NULL, NULL);
  OK(rtmpkit_instance_get(served.application, NULL, &instance));
  rtmpkit_shared_object *object = open_object(instance, "room", false, &host);
  rtmpkit_net_connection *first = connect_to(&served, "", &one), *second = connect_to(&served, "", &two);
  rtmpkit_shared_object *at_a = join_object(first, "room", false, &a);
  rtmpkit_shared_object *at_b = join_object(second, "room", false, &b);
  CHECK(rtmpkit_shared_object_subscribers(object) == 2 && !rtmpkit_shared_object_is_persistent(at_a));
  CHECK(strcmp(rtmpkit_shared_object_name(at_a), "room") == 0);

  OK(set_number(at_a, "n", 1));
  CHECK(get_number(at_a, "n") == 1);
  NEXT(&a, "sync success:n:->1");
  NEXT(&b, "sync change:n:->1");
  NEXT(&host, "sync change:n:->1");
  OK(set_number(object, "n", 2));
  NEXT(&a, "sync change:n:1>2");
  NEXT(&b, "sync change:n:1>2");

  OK(rtmpkit_shared_object_lock(at_b));
  OK(set_number(at_b, "x", 1));
  OK(set_number(at_b, "y", 2));
  CHECK(rtmpkit_shared_object_remove(at_b, "n") == 1 && rtmpkit_shared_object_remove(at_b, "n") == 0);
  OK(rtmpkit_shared_object_unlock(at_b));
  NEXT(&a, "sync change:x:->1 change:y:->2 delete:n:2>-");
  NEXT(&host, "sync change:x:->1 change:y:->2 delete:n:2>-");
  CHECK(wait_for(&b.seen, &b.count, b.read + 1));
  CHECK(rtmpkit_shared_object_version(object) == 4 && rtmpkit_shared_object_version(at_a) == 4);
  OK(rtmpkit_shared_object_names(object, &names));
  CHECK(rtmpkit_value_array_len(names) == 2 && rtmpkit_shared_object_size(at_b) == 2);
  OK(rtmpkit_value_get_string(rtmpkit_value_array_at(names, 1), &name, NULL));
  CHECK(strcmp(name, "y") == 0 && get_number(object, "n") == -1);
  rtmpkit_value_unref(names);

  leave(at_a, &a), leave(at_b, &b), leave(object, &host);
  disconnect(first, &one), disconnect(second, &two);
  rtmpkit_instance_unref(instance);
  stop(&served);
}

static void o8_locks_messages_and_marks(void) {
  struct served served;
  struct seen client;
  struct heard host, other, a;
  rtmpkit_instance *instance = NULL;
  rtmpkit_value *three = rtmpkit_value_number(3);
  const rtmpkit_value *args[] = {three};
  serve(&served, NULL, NULL);
  OK(rtmpkit_instance_get(served.application, NULL, &instance));
  rtmpkit_shared_object *object = open_object(instance, "room", false, &host);
  rtmpkit_shared_object *second = open_object(instance, "room", false, &other);
  rtmpkit_net_connection *connection = connect_to(&served, "", &client);
  rtmpkit_shared_object *joined = join_object(connection, "room", false, &a);

  OK(rtmpkit_shared_object_send(joined, "say", args, 1));
  NEXT(&a, "host say 3");
  NEXT(&host, "client say 3");
  NEXT(&other, "client say 3");
  OK(rtmpkit_shared_object_send(object, "tell", NULL, 0));
  NEXT(&a, "host tell ");
  NEXT(&other, "host tell ");

  OK(rtmpkit_shared_object_lock(object));
  OK(set_number(object, "x", 1));
  OK(set_number(object, "y", 2));
  OK(rtmpkit_shared_object_mark(object, "done", args, 1));
  OK(rtmpkit_shared_object_unlock(object));
  NEXT(&a, "sync change:x:->1 change:y:->2");
  NEXT(&a, "host done 3");
  CHECK(rtmpkit_shared_object_unlock(object) == RTMPKIT_ERR_WRONG_STATE);
  OK(rtmpkit_shared_object_purge(object, 2));
  OK(rtmpkit_shared_object_set_resync_depth(object, 10));

  /* What only a server can do. */
  CHECK(rtmpkit_shared_object_flush(joined, NULL, NULL) == RTMPKIT_ERR_WRONG_STATE);
  CHECK(rtmpkit_shared_object_purge(joined, 2) == RTMPKIT_ERR_WRONG_STATE);
  CHECK(rtmpkit_shared_object_mark(joined, "m", NULL, 0) == RTMPKIT_ERR_WRONG_STATE);
  CHECK(rtmpkit_shared_object_set_resync_depth(joined, 1) == RTMPKIT_ERR_WRONG_STATE);
  rtmpkit_shared_object *taken = NULL;
  CHECK(rtmpkit_shared_object_connect(connection, "room", false, NULL, NULL, &taken) == RTMPKIT_ERR_ALREADY_EXISTS);
  CHECK(rtmpkit_shared_object_open(instance, "a/../b", false, NULL, NULL, &taken) == RTMPKIT_ERR_INVALID_ARGUMENT);
  CHECK(rtmpkit_shared_object_open(instance, "kept", true, NULL, NULL, &taken) == RTMPKIT_ERR_WRONG_STATE);

  rtmpkit_value_unref(three);
  leave(joined, &a), leave(second, &other), leave(object, &host);
  disconnect(connection, &client);
  rtmpkit_instance_unref(instance);
  stop(&served);
}

static void o2_o3_a7_clearing_and_letting_go(void) {
  struct served served;
  struct seen client;
  struct heard host, a;
  struct seen answer;
  rtmpkit_instance *instance = NULL;
  serve(&served, NULL, NULL);
  seen_init(&answer);
  OK(rtmpkit_instance_get(served.application, NULL, &instance));
  rtmpkit_shared_object *object = open_object(instance, "room", false, &host);
  rtmpkit_net_connection *connection = connect_to(&served, "", &client);
  rtmpkit_shared_object *joined = join_object(connection, "room", false, &a);
  OK(set_number(object, "x", 1));
  NEXT(&a, "sync change:x:->1");
  CHECK(rtmpkit_shared_object_clear(object) == 1 && rtmpkit_shared_object_clear(object) == 0);
  NEXT(&a, "clear");
  NEXT(&a, "clear");
  CHECK(rtmpkit_shared_object_size(object) == 0 && rtmpkit_shared_object_size(joined) == 0);
  OK(set_number(object, "x", 2));
  NEXT(&a, "sync change:x:->2");
  OK(rtmpkit_shared_object_destroy(instance, "/", on_reply, &answer));
  CHECK(wait_for(&answer, &answer.replies, 1) && answer.errors == 0 && answer.number == 1);
  NEXT(&a, "clear");
  CHECK(rtmpkit_shared_object_size(joined) == 0);

  OK(set_number(object, "x", 3));
  NEXT(&a, "sync change:x:->3");
  OK(rtmpkit_shared_object_close(joined));
  CHECK(wait_for(&a.seen, &a.seen.releases, 1) && set_number(joined, "x", 4) == RTMPKIT_ERR_CLOSED);
  leave(joined, &a);
  disconnect(connection, &client);
  CHECK(wait_for(&served.seen, &served.seen.disconnects, 1));
  OK(rtmpkit_shared_object_close(object));
  CHECK(set_number(object, "x", 4) == RTMPKIT_ERR_CLOSED && !rtmpkit_shared_object_is_connected(object));
  leave(object, &host);
  /* The old object goes with the last event that is on its way to a handler; until then opening finds it again. */
  bool fresh = false;
  for (int tries = 0; tries < 100 && !fresh; tries++) {
    struct heard again;
    object = open_object(instance, "room", false, &again);
    fresh = rtmpkit_shared_object_size(object) == 0 && rtmpkit_shared_object_version(object) == 1;
    leave(object, &again);
    if (!fresh) poll(NULL, 0, 50);
  }
  CHECK(fresh);
  rtmpkit_instance_unref(instance);
  stop(&served);
}

/* A server whose application keeps so many shared objects in a directory. */
static rtmpkit_instance *serve_kept(struct served *served, const char *directory, uint32_t max_stored,
                                    rtmpkit_application **application) {
  rtmpkit_application_config config;
  rtmpkit_instance *instance = NULL;
  serve(served, NULL, NULL);
  rtmpkit_application_config_init(&config, sizeof config);
  config.shared_object_directory = directory;
  config.shared_object_autocommit_ms = 1000;
  CHECK(config.shared_object_max_stored == 10000);
  config.shared_object_max_stored = max_stored;
  OK(rtmpkit_application_create(served->server, "kept", &config, NULL, NULL, application));
  OK(rtmpkit_instance_get(*application, NULL, &instance));
  return instance;
}

static void o1_o4_o5_a4_a6_objects_on_disk(void) {
  struct served served;
  struct heard host;
  struct seen flushed, committed, destroyed;
  rtmpkit_application *application = NULL;
  char directory[] = "/tmp/rtmpkit-objects-XXXXXX", command[64];
  seen_init(&flushed), seen_init(&committed), seen_init(&destroyed);
  CHECK(mkdtemp(directory) != NULL);

  rtmpkit_instance *instance = serve_kept(&served, directory, 10000, &application);
  rtmpkit_shared_object *object = open_object(instance, "scores", true, &host);
  CHECK(rtmpkit_shared_object_is_persistent(object));
  OK(set_number(object, "best", 42));
  CHECK(rtmpkit_shared_object_is_dirty(object));
  OK(rtmpkit_shared_object_flush(object, on_reply, &flushed));
  CHECK(wait_for(&flushed, &flushed.replies, 1) && flushed.errors == 0 && flushed.number == 2);
  CHECK(!rtmpkit_shared_object_is_dirty(object));
  OK(set_number(object, "worst", 1));
  OK(rtmpkit_shared_object_commit(instance, NULL, on_reply, &committed));
  CHECK(wait_for(&committed, &committed.replies, 1) && committed.number == 1);
  /* Nobody asks for this one: the autocommit stores it. */
  OK(set_number(object, "middle", 7));
  for (int turns = 0; rtmpkit_shared_object_is_dirty(object) && turns < PATIENCE_S * 10; turns++)
    nanosleep(&(struct timespec){0, 100000000}, NULL);
  CHECK(!rtmpkit_shared_object_is_dirty(object));
  leave(object, &host);
  rtmpkit_instance_unref(instance);
  rtmpkit_application_unref(application);
  stop(&served);

  instance = serve_kept(&served, directory, 10000, &application);
  object = open_object(instance, "scores", true, &host);
  CHECK(get_number(object, "best") == 42 && get_number(object, "worst") == 1 && get_number(object, "middle") == 7);
  leave(object, &host);
  OK(rtmpkit_shared_object_destroy(instance, "/sco*", on_reply, &destroyed));
  CHECK(wait_for(&destroyed, &destroyed.replies, 1) && destroyed.number == 1);
  object = open_object(instance, "scores", true, &host);
  CHECK(rtmpkit_shared_object_size(object) == 0);
  leave(object, &host);
  rtmpkit_instance_unref(instance);
  rtmpkit_application_unref(application);
  stop(&served);
  snprintf(command, sizeof command, "rm -r %s", directory);
  CHECK(system(command) == 0);
}

/* Clients, and the host, make so many persistent objects and no more; those that are there open. */
static void m10_so_many_objects_on_disk(void) {
  struct served served;
  struct seen client, flushed;
  struct heard host, one, two, three;
  rtmpkit_application *application = NULL;
  rtmpkit_shared_object *refused = NULL;
  char directory[] = "/tmp/rtmpkit-objects-XXXXXX", command[64];
  seen_init(&flushed);
  CHECK(mkdtemp(directory) != NULL);

  rtmpkit_instance *instance = serve_kept(&served, directory, 2, &application);
  rtmpkit_shared_object *object = open_object(instance, "one", true, &host);
  OK(set_number(object, "n", 1));
  OK(rtmpkit_shared_object_flush(object, on_reply, &flushed));
  CHECK(wait_for(&flushed, &flushed.replies, 1) && flushed.errors == 0);
  strcpy(strrchr(served.url, '/'), "/kept");
  rtmpkit_net_connection *connection = connect_to(&served, "", &client);
  rtmpkit_shared_object *joined = join_object(connection, "two", true, &two);
  rtmpkit_shared_object_events events = object_events(&three);
  OK(rtmpkit_shared_object_connect(connection, "three", true, &events, &three, &refused));
  NEXT(&three, "SharedObject.ObjectCreationFailed");
  CHECK(!rtmpkit_shared_object_is_connected(refused));
  leave(refused, &three);
  refused = NULL;
  CHECK(rtmpkit_shared_object_open(instance, "three", true, NULL, NULL, &refused) == RTMPKIT_ERR_FULL && !refused);
  rtmpkit_shared_object *again = open_object(instance, "one", true, &one);
  CHECK(get_number(again, "n") == 1);
  leave(again, &one), leave(object, &host), leave(joined, &two);
  disconnect(connection, &client);
  rtmpkit_instance_unref(instance);
  rtmpkit_application_unref(application);
  stop(&served);
  snprintf(command, sizeof command, "rm -r %s", directory);
  CHECK(system(command) == 0);
}

int main(void) {
  o6_o7_a5_everybody_sees_every_change();
  o8_locks_messages_and_marks();
  o2_o3_a7_clearing_and_letting_go();
  o1_o4_o5_a4_a6_objects_on_disk();
  m10_so_many_objects_on_disk();
  printf("%s: %d failures\n", rtmpkit_version_string(), failures);
  return failures != 0;
}
