/*
 * A Flash Remoting gateway by hand for hosts in C and C++: answers every request with one call in it by the string "y", or,
 * if the call is `a.fail`, by an error; keeps the last request's body.
 */
#ifndef GATEWAY_H
#define GATEWAY_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

struct gateway {
  int listener;
  int port;
  pthread_t thread;
  unsigned char body[1024];
  size_t length;
};

/* Whether the last request had these bytes in it. */
static inline int gateway_saw(const struct gateway *gateway, const char *bytes, size_t length) {
  for (size_t i = 0; i + length <= gateway->length; i++)
    if (memcmp(gateway->body + i, bytes, length) == 0) return 1;
  return 0;
}

static inline void gateway_answer(struct gateway *gateway, int socket) {
  char head[2048], number = 0;
  unsigned char answer[256];
  size_t had = 0, length = 0;
  const char *declared;
  while (had < sizeof head - 1 && read(socket, head + had, 1) == 1) {
    head[++had] = 0;
    if (had >= 4 && strcmp(head + had - 4, "\r\n\r\n") == 0) break;
  }
  for (declared = head; *declared && strncasecmp(declared, "content-length:", 15) != 0;) declared++;
  gateway->length = 0;
  while (*declared && gateway->length < (size_t)atoi(declared + 15) && gateway->length < sizeof gateway->body) {
    const ssize_t more = read(socket, gateway->body + gateway->length, sizeof gateway->body - gateway->length);
    if (more <= 0) break;
    gateway->length += (size_t)more;
  }
  /* The response URI of the call, "/1" to "/9", stands after a length of 2. */
  for (size_t i = 3; i < gateway->length; i++)
    if (memcmp(gateway->body + i - 3, "\0\2/", 3) == 0) number = (char)gateway->body[i];
  {
    const int fails = gateway_saw(gateway, "a.fail", 6);
    const unsigned char start[] = {0, gateway->length > 1 ? gateway->body[1] : (unsigned char)0, 0, 0, 0, 1, 0, 11, '/'};
    const char *event = fails ? "/onStatus" : "/onResult";
    const char error[] = "\0\4null\xff\xff\xff\xff\3\0\4code\2\0\11Server.No\0\0\11";
    const char result[] = "\0\4null\0\0\0\4\2\0\1y";
    memcpy(answer, start, sizeof start);
    length = sizeof start;
    answer[length++] = (unsigned char)number;
    memcpy(answer + length, event, 9);
    length += 9;
    memcpy(answer + length, fails ? error : result, fails ? sizeof error - 1 : sizeof result - 1);
    length += fails ? sizeof error - 1 : sizeof result - 1;
  }
  snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", (int)length);
  if (write(socket, head, strlen(head)) < 0 || write(socket, answer, length) < 0) perror("gateway");
}

static inline void *gateway_run(void *user_data) {
  struct gateway *gateway = (struct gateway *)user_data;
  for (;;) {
    const int socket = accept(gateway->listener, NULL, NULL);
    if (socket < 0) return NULL;
    gateway_answer(gateway, socket);
    close(socket);
  }
}

static inline void gateway_open(struct gateway *gateway) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  memset(gateway, 0, sizeof *gateway);
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  gateway->listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(gateway->listener, (struct sockaddr *)&address, size) != 0 || listen(gateway->listener, 8) != 0 ||
      getsockname(gateway->listener, (struct sockaddr *)&address, &size) != 0)
    perror("gateway");
  gateway->port = ntohs(address.sin_port);
  pthread_create(&gateway->thread, NULL, gateway_run, gateway);
}

static inline void gateway_close(struct gateway *gateway) {
  shutdown(gateway->listener, SHUT_RDWR);
  close(gateway->listener);
  pthread_join(gateway->thread, NULL);
}

#endif
