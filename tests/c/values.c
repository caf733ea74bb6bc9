/*
 * What AMF3 alone has, as a host in C makes and reads it: vectors and dictionaries. They cross a connection both ways.
 *   values             the tests
 *   values URL         swaps with the server there, which may be of another language
 *   values serve       prints its URL and swaps with clients until its input ends
 */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

static const int32_t ints[] = {1, -2, 2147483647, -2147483647 - 1};
static const uint32_t uints[] = {0, 4294967295u};
static const double doubles[] = {0.5, -1.5, 1e300};

/* Sets a member to a value that is then given back. */
static void put(rtmpkit_value *object, const char *name, rtmpkit_value *value) {
  OK(rtmpkit_value_object_set(object, name, value));
  rtmpkit_value_unref(value);
}

static void enter(rtmpkit_value *dictionary, rtmpkit_value *key, rtmpkit_value *value) {
  OK(rtmpkit_value_dictionary_set(dictionary, key, value));
  rtmpkit_value_unref(key), rtmpkit_value_unref(value);
}

static rtmpkit_value *point(double x) {
  rtmpkit_value *made = rtmpkit_value_typed_object("org.example.Point");
  put(made, "x", rtmpkit_value_number(x));
  return made;
}

static void add(rtmpkit_value *vector, rtmpkit_value *item) {
  OK(rtmpkit_value_array_push(vector, item));
  rtmpkit_value_unref(item);
}

/* One of each, inside each other. */
static rtmpkit_value *one_of_each(void) {
  rtmpkit_value *all = rtmpkit_value_object(), *points = rtmpkit_value_vector_object("org.example.Point", true);
  rtmpkit_value *any = rtmpkit_value_vector_object(NULL, false), *table = rtmpkit_value_dictionary(true);
  add(points, point(1)), add(points, point(2));
  add(any, rtmpkit_value_string("text")), add(any, rtmpkit_value_vector_int(NULL, 0, false));
  enter(table, rtmpkit_value_string("name"), rtmpkit_value_string("Ann"));
  enter(table, rtmpkit_value_number(7), rtmpkit_value_vector_uint(uints, 2, false));
  enter(table, point(3), rtmpkit_value_bool(true));
  put(all, "ints", rtmpkit_value_vector_int(ints, 4, true));
  put(all, "uints", rtmpkit_value_vector_uint(uints, 2, false));
  put(all, "doubles", rtmpkit_value_vector_double(doubles, 3, false));
  put(all, "points", points);
  put(all, "any", any);
  put(all, "table", table);
  put(all, "empty", rtmpkit_value_dictionary(false));
  put(all, "xml", rtmpkit_value_xml("<a/>"));
  return all;
}

static double number_of(const rtmpkit_value *value) {
  double number = -1;
  OK(rtmpkit_value_get_number(value, &number));
  return number;
}

static int says(const rtmpkit_value *value, const char *text) {
  const char *said = "";
  OK(rtmpkit_value_get_string(value, &said, NULL));
  return strcmp(said, text) == 0;
}

static void check_vectors(const rtmpkit_value *all) {
  const int32_t *some_ints = NULL;
  const uint32_t *some_uints = NULL;
  const double *some_doubles = NULL;
  size_t len = 0;
  const rtmpkit_value *vector = rtmpkit_value_object_get(all, "ints");
  CHECK(rtmpkit_value_type(vector) == RTMPKIT_VALUE_VECTOR_INT && rtmpkit_value_vector_is_fixed(vector));
  OK(rtmpkit_value_get_vector_int(vector, &some_ints, &len));
  CHECK(len == 4 && memcmp(some_ints, ints, sizeof ints) == 0);
  CHECK(rtmpkit_value_array_len(vector) == 4 && number_of(rtmpkit_value_array_at(vector, 1)) == -2);
  vector = rtmpkit_value_object_get(all, "uints");
  CHECK(rtmpkit_value_type(vector) == RTMPKIT_VALUE_VECTOR_UINT && !rtmpkit_value_vector_is_fixed(vector));
  OK(rtmpkit_value_get_vector_uint(vector, &some_uints, &len));
  CHECK(len == 2 && memcmp(some_uints, uints, sizeof uints) == 0);
  vector = rtmpkit_value_object_get(all, "doubles");
  CHECK(rtmpkit_value_type(vector) == RTMPKIT_VALUE_VECTOR_DOUBLE);
  OK(rtmpkit_value_get_vector_double(vector, &some_doubles, &len));
  CHECK(len == 3 && memcmp(some_doubles, doubles, sizeof doubles) == 0);
  vector = rtmpkit_value_object_get(all, "points");
  CHECK(rtmpkit_value_type(vector) == RTMPKIT_VALUE_VECTOR_OBJECT && rtmpkit_value_vector_is_fixed(vector));
  CHECK(strcmp(rtmpkit_value_vector_class(vector), "org.example.Point") == 0 && rtmpkit_value_array_len(vector) == 2);
  for (size_t i = 0; i < 2; i++) {
    const rtmpkit_value *item = rtmpkit_value_array_at(vector, i);
    CHECK(strcmp(rtmpkit_value_object_class(item), "org.example.Point") == 0);
    CHECK(number_of(rtmpkit_value_object_get(item, "x")) == (double)i + 1);
  }
  vector = rtmpkit_value_object_get(all, "any");
  CHECK(strcmp(rtmpkit_value_vector_class(vector), "*") == 0 && says(rtmpkit_value_array_at(vector, 0), "text"));
  OK(rtmpkit_value_get_vector_int(rtmpkit_value_array_at(vector, 1), &some_ints, &len));
  CHECK(len == 0);
}

static void check_dictionaries(const rtmpkit_value *all) {
  const rtmpkit_value *table = rtmpkit_value_object_get(all, "table"), *key = NULL, *value;
  CHECK(rtmpkit_value_type(table) == RTMPKIT_VALUE_DICTIONARY && rtmpkit_value_dictionary_has_weak_keys(table));
  CHECK(rtmpkit_value_dictionary_len(table) == 3);
  value = rtmpkit_value_dictionary_at(table, 0, &key);
  CHECK(says(key, "name") && says(value, "Ann"));
  value = rtmpkit_value_dictionary_at(table, 1, &key);
  CHECK(number_of(key) == 7 && rtmpkit_value_type(value) == RTMPKIT_VALUE_VECTOR_UINT);
  value = rtmpkit_value_dictionary_at(table, 2, &key);
  CHECK(strcmp(rtmpkit_value_object_class(key), "org.example.Point") == 0);
  CHECK(number_of(rtmpkit_value_object_get(key, "x")) == 3 && rtmpkit_value_type(value) == RTMPKIT_VALUE_BOOL);
  /* An object is found by itself, everything else by what it is. */
  CHECK(rtmpkit_value_dictionary_get(table, key) == value);
  rtmpkit_value *name = rtmpkit_value_string("name"), *other = point(3);
  CHECK(says(rtmpkit_value_dictionary_get(table, name), "Ann"));
  CHECK(rtmpkit_value_dictionary_get(table, other) == NULL && rtmpkit_value_dictionary_at(table, 3, &key) == NULL);
  rtmpkit_value_unref(name), rtmpkit_value_unref(other);
  value = rtmpkit_value_object_get(all, "empty");
  CHECK(rtmpkit_value_type(value) == RTMPKIT_VALUE_DICTIONARY && rtmpkit_value_dictionary_len(value) == 0);
  CHECK(!rtmpkit_value_dictionary_has_weak_keys(value));
  value = rtmpkit_value_object_get(all, "xml");
  CHECK(rtmpkit_value_type(value) == RTMPKIT_VALUE_XML && says(value, "<a/>"));
}

static void check_all(const rtmpkit_value *all) {
  check_vectors(all);
  check_dictionaries(all);
}

/* `swap`: takes one of each and gives back one of each. */
static void swap(void *user_data, rtmpkit_request *request, rtmpkit_client *client) {
  const rtmpkit_value *const *args = NULL;
  rtmpkit_value *mine = one_of_each();
  size_t count = 0;
  (void)user_data, (void)client;
  OK(rtmpkit_request_args(request, &args, &count));
  CHECK(count == 1);
  if (count == 1) check_all(args[0]);
  OK(rtmpkit_request_accept(request, mine));
  rtmpkit_value_unref(mine);
}

/* `plain`: the same from a client that has AMF0 alone. */
static void plain(void *user_data, rtmpkit_request *request, rtmpkit_client *client) {
  const rtmpkit_value *const *args = NULL;
  size_t count = 0;
  (void)user_data, (void)client;
  OK(rtmpkit_request_args(request, &args, &count));
  const rtmpkit_value *vector = rtmpkit_value_object_get(args[0], "uints");
  CHECK(rtmpkit_value_type(vector) == RTMPKIT_VALUE_ARRAY && number_of(rtmpkit_value_array_at(vector, 1)) == 4294967295.0);
  const rtmpkit_value *table = rtmpkit_value_object_get(args[0], "table");
  CHECK(rtmpkit_value_type(table) == RTMPKIT_VALUE_OBJECT && rtmpkit_value_object_len(table) == 2);
  CHECK(says(rtmpkit_value_object_get(table, "name"), "Ann"));
  OK(rtmpkit_request_accept(request, args[0]));
}

static void on_swapped(void *user_data, const rtmpkit_value *result, const rtmpkit_status *error) {
  struct seen *seen = user_data;
  CHECK(error == NULL);
  if (result) check_all(result);
  pthread_mutex_lock(&seen->lock);
  count(seen, &seen->replies);
  pthread_mutex_unlock(&seen->lock);
}

static void open_server(struct served *served) {
  serve(served, NULL, NULL);
  OK(rtmpkit_application_register_method(served->application, "swap", swap, NULL, NULL));
  OK(rtmpkit_application_register_method(served->application, "plain", plain, NULL, NULL));
}

static void call_there(rtmpkit_engine *engine, const char *url, int32_t encoding, const char *method) {
  struct seen client, reply;
  rtmpkit_net_connection_config config;
  rtmpkit_net_connection_events events;
  rtmpkit_net_connection *connection = NULL;
  rtmpkit_value *mine = one_of_each();
  seen_init(&client), seen_init(&reply);
  rtmpkit_net_connection_config_init(&config, sizeof config);
  config.object_encoding = encoding;
  rtmpkit_net_connection_events_init(&events, sizeof events);
  events.on_status = on_status;
  events.on_release = on_release;
  OK(rtmpkit_net_connection_create(engine, &config, &events, &client, &connection));
  OK(rtmpkit_net_connection_connect(connection, url, NULL, 0));
  const rtmpkit_value *args[] = {mine};
  OK(rtmpkit_net_connection_call(connection, method, args, 1, encoding == 3 ? on_swapped : on_reply, &reply));
  CHECK(wait_for(&reply, &reply.replies, 1) && reply.errors == 0);
  rtmpkit_value_unref(mine);
  disconnect(connection, &client);
}

static void p11_vectors_and_dictionaries_cross_both_ways(void) {
  struct served served;
  open_server(&served);
  call_there(served.engine, served.url, 3, "swap");
  call_there(served.engine, served.url, 0, "plain");
  stop(&served);
}

static void p11_vectors_and_dictionaries_are_made_and_changed(void) {
  rtmpkit_value *all = one_of_each(), *key = point(1), *one = rtmpkit_value_number(1), *two = rtmpkit_value_number(2);
  rtmpkit_value *table = rtmpkit_value_dictionary(false), *vector = rtmpkit_value_vector_int(ints, 4, false);
  const int32_t *items = NULL;
  const double *none = doubles;
  size_t len = 9;
  check_all(all);
  /* A value that was replaced can still be read; a key that was changed is another key. */
  OK(rtmpkit_value_dictionary_set(table, key, one));
  const rtmpkit_value *before = rtmpkit_value_dictionary_get(table, key);
  OK(rtmpkit_value_dictionary_set(table, key, two));
  CHECK(rtmpkit_value_dictionary_len(table) == 1 && number_of(before) == 1);
  CHECK(number_of(rtmpkit_value_dictionary_get(table, key)) == 2);
  OK(rtmpkit_value_object_set(key, "y", one));
  CHECK(rtmpkit_value_dictionary_get(table, key) == NULL);
  /* What is of another type is told and left alone. */
  CHECK(rtmpkit_value_get_vector_double(vector, &none, &len) == RTMPKIT_ERR_INVALID_ARGUMENT);
  CHECK(none == doubles && len == 9 && rtmpkit_value_vector_class(vector) == NULL);
  CHECK(rtmpkit_value_get_vector_int(vector, &items, NULL) == RTMPKIT_ERR_INVALID_ARGUMENT && items == NULL);
  CHECK(rtmpkit_value_array_push(vector, one) == RTMPKIT_ERR_INVALID_ARGUMENT);
  CHECK(rtmpkit_value_dictionary_set(vector, one, two) == RTMPKIT_ERR_INVALID_ARGUMENT);
  CHECK(rtmpkit_value_dictionary_get(vector, one) == NULL && rtmpkit_value_dictionary_len(vector) == 0);
  CHECK(!rtmpkit_value_vector_is_fixed(one) && !rtmpkit_value_dictionary_has_weak_keys(one));
  CHECK(rtmpkit_value_vector_int(NULL, 1, false) == NULL && rtmpkit_value_vector_uint(uints, (size_t)-1, false) == NULL);
  CHECK(rtmpkit_value_vector_object("\xff", false) == NULL);
  /* What is inside another value is changed in a clone. */
  const rtmpkit_value *inside = rtmpkit_value_object_get(all, "table");
  rtmpkit_value *clone = rtmpkit_value_clone(inside);
  CHECK(rtmpkit_value_dictionary_set((rtmpkit_value *)inside, one, two) == RTMPKIT_ERR_WRONG_STATE);
  OK(rtmpkit_value_dictionary_set(clone, one, two));
  CHECK(rtmpkit_value_dictionary_len(clone) == 4 && rtmpkit_value_dictionary_len(inside) == 3);
  CHECK(rtmpkit_value_dictionary_has_weak_keys(clone));
  rtmpkit_value_unref(clone), rtmpkit_value_unref(all), rtmpkit_value_unref(key), rtmpkit_value_unref(one);
  rtmpkit_value_unref(two), rtmpkit_value_unref(table), rtmpkit_value_unref(vector);
}

static void call_url(const char *url) {
  rtmpkit_engine *engine = NULL;
  OK(rtmpkit_engine_create(NULL, &engine));
  call_there(engine, url, 3, "swap");
  OK(rtmpkit_engine_close(engine));
  OK(rtmpkit_engine_join(engine, PATIENCE_S * 1000));
  rtmpkit_engine_unref(engine);
}

static void serve_others(void) {
  struct served served;
  open_server(&served);
  printf("listening on %s\n", served.url);
  fflush(stdout);
  while (getchar() != EOF) {}
  stop(&served);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "serve") == 0) {
    serve_others();
  } else if (argc == 2) {
    call_url(argv[1]);
  } else {
    p11_vectors_and_dictionaries_are_made_and_changed();
    p11_vectors_and_dictionaries_cross_both_ways();
  }
  if (failures) printf("%d checks failed\n", failures);
  return failures != 0;
}
