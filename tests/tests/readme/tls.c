/* A server and a connection to it around what README.md says about TLS. The argument is whom to trust. */
#include <rtmpkit.h>
#include <stdio.h>
#include <string.h>

static const char *volatile outcome;

static void on_status(void *user_data, rtmpkit_net_connection *connection, const rtmpkit_status *status)
{
    (void)user_data, (void)connection;
    fprintf(stderr, "%s: %s\n", status->code, status->description);
    if (!outcome)
        outcome = strcmp(status->code, "NetConnection.Connect.Success") == 0 ? "connected" : "failed";
}

int main(int argc, char **argv)
{
    static char text[65536];
    int turn;
    const char *pem = NULL;
    rtmpkit_engine *engine = NULL;
    rtmpkit_server *server = NULL;
    rtmpkit_application *live = NULL;
    rtmpkit_queue *queue = NULL;
    rtmpkit_net_connection *connection = NULL;
    rtmpkit_net_connection_config config;
    rtmpkit_net_connection_events events;
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;

    if (file) {
        text[fread(text, 1, sizeof text - 1, file)] = 0;
        fclose(file);
        pem = text;
    }
    rtmpkit_net_connection_events_init(&events, sizeof events);
    events.on_status = on_status;
    if (rtmpkit_engine_create(NULL, &engine) < 0 || rtmpkit_server_create(engine, NULL, NULL, NULL, &server) < 0
        || rtmpkit_application_create(server, "live", NULL, NULL, NULL, &live) < 0
        || rtmpkit_queue_create(engine, 16, &queue) < 0) {
        fprintf(stderr, "%s\n", rtmpkit_last_error());
        return 1;
    }
@SERVING@
@CONNECTING@
    for (turn = 0; !outcome && turn < 100; turn++)
        rtmpkit_queue_dispatch(queue, 1, 100, NULL);
    puts(outcome ? outcome : "nothing was said");
    rtmpkit_net_connection_unref(connection);
    rtmpkit_application_unref(live);
    rtmpkit_server_unref(server);
    rtmpkit_engine_close(engine);
    rtmpkit_engine_join(engine, -1);
    rtmpkit_queue_unref(queue);
    rtmpkit_engine_unref(engine);
    return 0;
}
