/*
 * A host in C: server with accept and refuse, answers from another thread, in-process publish and subscribe, client
 * publish and play, a queue on the host's own loop, and misuse. Everything over real sockets on 127.0.0.1.
 */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"
#include "scenes.h"

int main(void) {
  accept_and_refuse();
  answer_later_from_another_thread();
  calls_both_ways();
  publish_and_subscribe_in_process();
  publish_and_play_over_sockets();
  queue_on_the_hosts_own_loop();
  misuse_is_an_error();
  destroying_inside_a_callback();
  log_goes_to_its_own_engine();
  handles_are_dead_after_fork();
  printf("%s: %d failures\n", rtmpkit_version_string(), failures);
  return failures != 0;
}
