/* A station answers clients on its member's endpoint as a ledger node does. Members do not talk there: they talk on the air. */
#include "apps/live/live.h"
#include "apps/options.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

enum { MAX_EVENTS_A_TURN = 16, QUEUE_MESSAGES = 64, MAX_MESSAGE_BYTES = 8192 };

static int submit(void *ctx, const uint8_t *tx, size_t len)
{
    struct app_live *live = ctx;
    int result;
    return app_live_loop_submit(&live->loop, tx, len, &result) == 0 ? result : -EIO;
}

int app_live_door_open(struct app_live *live)
{
    const struct app_node_config *node = &live->config->node;
    const struct app_node_cluster *cluster = &node->cluster;
    struct chain_net_party parties[CHAIN_MAX_KEYS];
    struct chain_net_config cfg = {.bind = node->bind,
                                   .n_members = 1,
                                   .n_parties = cluster->n_members + cluster->n_clients,
                                   .parties = parties,
                                   .max_message_bytes = MAX_MESSAGE_BYTES,
                                   .queue_messages = QUEUE_MESSAGES,
                                   .wake_fd = -1};
    memcpy(cfg.secret, node->key.curve_secret, sizeof cfg.secret);
    /* self is the only one with a door in here; everybody else may knock */
    for (uint32_t i = 0, at = 1; i < cfg.n_parties; i++) {
        struct chain_net_party *party = &parties[i == node->self ? 0 : at++];
        memcpy(party->key, app_node_cluster_party(cluster, i)->curve_key, CHAIN_NET_KEY_BYTES);
        party->endpoint = NULL;
    }
    char error[CHAIN_NET_MAX_ERROR];
    int err = chain_net_open(&cfg, &live->net, error);
    sodium_memzero(cfg.secret, sizeof cfg.secret);
    if (err) {
        live->net = NULL;
        app_node_log(&live->log, "%s", error);
        return APP_SYSTEM_FAILED;
    }
    struct app_node_requests *r = &live->requests;
    r->config = node;
    r->net = live->net;
    r->node = app_station_node(live->station);
    r->results.database_path = node->database_path;
    r->results.read_block = chain_store_read_block;
    r->results.read_block_ctx = live->store;
    r->results.ledger = chain_node_ledger(r->node);
    r->submit = submit;
    r->submit_ctx = live;
    r->is_up = app_live_is_heard;
    return 0;
}

int app_live_door_serve(struct app_live *live)
{
    int64_t now_ns = app_live_wall_ns();
    for (int i = 0; i < MAX_EVENTS_A_TURN; i++) {
        struct chain_net_event event;
        int got = chain_net_poll(live->net, 0, &event);
        if (got < 0) {
            app_node_log(&live->log, "stopped: the door for clients failed: %s", strerror(-got));
            return APP_SYSTEM_FAILED;
        }
        if (got == 0)
            break;
        if (event.kind == CHAIN_NET_REQUEST && app_node_requests_take(&live->requests, &event, now_ns) != 0) {
            app_node_log(&live->log, "stopped: %s", live->loop.error);
            return APP_SYSTEM_FAILED;
        }
    }
    app_node_requests_flush(&live->requests, now_ns);
    return 0;
}

void app_live_door_close(struct app_live *live)
{
    if (live->net)
        chain_net_close(live->net);
    live->net = NULL;
}
