/* byzantine replica NODE.yaml SECONDS SEED [LIE...]: takes a member's place in a running PBFT cluster, with its keys, and lies.
 * byzantine client CLUSTER.yaml KEY SECONDS SEED [LIE...]: one of a ledger's clients, its key known, sends what no honest one would.
 * Both speak the real protocol over ZeroMQ, for SECONDS and until each LIE was told, but ten times as long at most. Prints what was told
 * how often, as "NAME N" lines; exit code 0. */
#include "apps/node_config.h"
#include "apps/options.h"
#include "chain/batch.h"
#include "chain/cbor.h"
#include "chain/net/client.h"
#include "chain/op.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_MESSAGE = 5 * CHAIN_MAX_MSG_BYTES, N_REMEMBERED = 256, N_LIES = 24 };

struct liar {
    struct chain_members members;
    struct chain_ed25519 key;
    struct chain_signer signer;
    uint32_t self;
    uint64_t state; /* of the draws */
    struct chain_net *net;            /* a replica's */
    struct chain_net_client *client;  /* a client's */
    struct {
        uint8_t *data;
        size_t len;
    } heard[N_REMEMBERED];
    size_t n_heard;
    uint8_t out[MAX_MESSAGE];
    uint8_t msg[CHAIN_MAX_MSG_BYTES];
    struct {
        const char *name;
        uint64_t n;
    } told[N_LIES];
    char **wanted; /* names of lies */
    int n_wanted;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t draw(struct liar *l)
{
    uint64_t z = l->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static void count(struct liar *l, const char *name)
{
    size_t i = 0;
    while (l->told[i].name && strcmp(l->told[i].name, name) != 0)
        i++;
    l->told[i].name = name;
    l->told[i].n++;
}

static void put_octets(struct liar *l, uint32_t to, const void *data, size_t len)
{
    if (l->net)
        chain_net_send(l->net, to, data, len);
    else if (chain_net_client_send(l->client, CHAIN_NET_BUNDLE, data, len) != 0)
        count(l, "not_sent");
}

/* One signed message as a bundle of its own. */
static void tell(struct liar *l, const char *name, uint32_t to, struct chain_msg *msg)
{
    msg->author = l->self;
    if (msg->body_len > 0 && chain_msg_digest(&l->members, msg->kind, msg->body, msg->body_len, &msg->digest) != 0)
        return;
    if (l->signer.sign(l->signer.ctx, &l->members, msg) != 0)
        return;
    struct chain_cbor_writer w = {.out = l->out, .cap = sizeof l->out};
    chain_cbor_put_array(&w, 1);
    long len = chain_msg_encode(&l->members, msg, l->out + w.len, sizeof l->out - w.len);
    if (len <= 0)
        return;
    put_octets(l, to, l->out, w.len + (size_t)len);
    count(l, name);
}

static void remember(struct liar *l, const uint8_t *data, size_t len)
{
    size_t i = l->n_heard++ % N_REMEMBERED;
    free(l->heard[i].data);
    l->heard[i].data = malloc(len);
    l->heard[i].len = l->heard[i].data ? len : 0;
    if (l->heard[i].data)
        memcpy(l->heard[i].data, data, len);
}

/* What was said once is said again, as it was or with some bits turned or cut short. */
static void repeat_something(struct liar *l)
{
    size_t n = l->n_heard < N_REMEMBERED ? l->n_heard : N_REMEMBERED;
    if (n == 0)
        return;
    size_t i = draw(l) % n, len = l->heard[i].len < sizeof l->out ? l->heard[i].len : sizeof l->out;
    if (len == 0)
        return;
    memcpy(l->out, l->heard[i].data, len);
    switch (draw(l) % 4) {
    case 0:
        count(l, "replayed");
        break;
    case 1:
        for (int k = 0; k < 3; k++)
            l->out[draw(l) % len] ^= (uint8_t)(1u << draw(l) % 8);
        count(l, "mutated");
        break;
    case 2:
        len = draw(l) % len;
        count(l, "cut_short");
        break;
    default:
        for (size_t k = 0; k < len; k++)
            l->out[k] = (uint8_t)draw(l);
        count(l, "noise");
    }
    put_octets(l, UINT32_MAX, l->out, len);
}

/* --- the replica --- */

static void false_digest(struct liar *l, struct chain_hash *out)
{
    for (size_t i = 0; i < sizeof out->octets; i++)
        out->octets[i] = (uint8_t)draw(l);
}

/* One vote for what was proposed and one for something else, to different members and to all. */
static void vote_twice(struct liar *l, uint8_t kind, uint64_t view, uint64_t height, const struct chain_hash *digest)
{
    struct chain_msg truth = {.kind = kind, .view = view, .seq = height, .digest = *digest}, lie = truth;
    false_digest(l, &lie.digest);
    for (uint32_t i = 0; i < l->members.n; i++)
        if (i != l->self)
            tell(l, "votes", i, i % 2 ? &truth : &lie);
    if (draw(l) % 4 == 0)
        tell(l, "votes_for_both", UINT32_MAX, draw(l) % 2 ? &truth : &lie);
}

static void propose_twice(struct liar *l, uint64_t view, uint64_t height)
{
    struct chain_batch_view batch = {.time_ns = now_ns()};
    for (uint32_t i = 0; i < l->members.n; i++) {
        batch.time_ns += i % 2;
        long len = chain_batch_encode(&batch, l->msg, sizeof l->msg);
        struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .view = view, .seq = height, .body = l->msg, .body_len = len > 0 ? (size_t)len : 0};
        if (i != l->self)
            tell(l, "two_proposals", i, &msg);
    }
}

static void leave_views(struct liar *l, uint64_t view)
{
    struct chain_hash digest;
    false_digest(l, &digest);
    struct chain_msg question = {.kind = CHAIN_MSG_PBFT_ASK, .view = view + draw(l) % 3, .seq = 1 + draw(l) % 50, .digest = digest};
    struct chain_msg change = {.kind = CHAIN_MSG_PBFT_VIEW_CHANGE, .view = view + 1 + draw(l) % 3, .seq = draw(l) % 1000, .body = l->msg, .body_len = 1 + draw(l) % 200};
    for (size_t i = 0; i < change.body_len; i++)
        l->msg[i] = (uint8_t)draw(l);
    struct chain_msg new_view = change;
    new_view.kind = CHAIN_MSG_PBFT_NEW_VIEW;
    tell(l, "questions", UINT32_MAX, &question);
    tell(l, "view_changes", UINT32_MAX, &change);
    tell(l, "new_views", UINT32_MAX, &new_view);
}

static void answer_falsely(struct liar *l, const struct chain_msg *msg)
{
    if (msg->kind == CHAIN_MSG_FETCH || msg->kind == CHAIN_MSG_SEEN_ASK) {
        struct chain_msg answer = {.kind = msg->kind == CHAIN_MSG_FETCH ? CHAIN_MSG_BLOCK : CHAIN_MSG_SEEN, .seq = msg->seq, .body = l->msg, .body_len = 64};
        for (size_t i = 0; i < answer.body_len; i++)
            l->msg[i] = (uint8_t)draw(l);
        tell(l, "false_answers", msg->author, &answer);
    }
    struct chain_msg fetch = {.kind = CHAIN_MSG_FETCH, .seq = 1 + draw(l) % 50, .body = (const uint8_t[]){0x82, (uint8_t)(draw(l) % 4), 0x10}, .body_len = 3};
    if (draw(l) % 16 == 0)
        tell(l, "fetches", UINT32_MAX, &fetch);
}

static void react(struct liar *l, const uint8_t *data, size_t len)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    size_t n = chain_cbor_get_array(&r, 64), at = r.pos;
    remember(l, data, len);
    for (size_t i = 0; i < n && at < len; i++) {
        struct chain_msg msg;
        size_t used;
        if (chain_msg_decode(&l->members, data + at, len - at, &msg, &used) != 0)
            return;
        at += used;
        if (msg.kind == CHAIN_MSG_PBFT_PRE_PREPARE) {
            vote_twice(l, CHAIN_MSG_PBFT_PREPARE, msg.view, msg.seq, &msg.digest);
            vote_twice(l, CHAIN_MSG_PBFT_COMMIT, msg.view, msg.seq, &msg.digest);
            propose_twice(l, msg.view + l->self, msg.seq + 1);
        } else if (msg.kind == CHAIN_MSG_HEADER_VOTE) {
            vote_twice(l, CHAIN_MSG_HEADER_VOTE, 0, msg.seq, &msg.digest);
        } else if (draw(l) % 32 == 0) {
            leave_views(l, msg.view);
        }
        answer_falsely(l, &msg);
    }
}

/* Each of the wanted lies was told. */
static bool told_all(const struct liar *l)
{
    bool all = true;
    for (int i = 0; i < l->n_wanted; i++) {
        bool told = false;
        for (size_t k = 0; l->told[k].name; k++)
            told = told || strcmp(l->told[k].name, l->wanted[i]) == 0;
        all = all && told;
    }
    return all;
}

/* For its seconds; longer where the machine is so busy that a lie has had no occasion yet. */
static bool goes_on(const struct liar *l, double begun_s, double seconds)
{
    double s = now_s() - begun_s;
    return s < seconds || (s < 10 * seconds && !told_all(l));
}

static int run_replica(struct liar *l, const char *path, double seconds)
{
    static struct app_node_config config;
    static struct chain_net_party parties[CHAIN_MAX_KEYS];
    char error[APP_NODE_MAX_ERROR];
    if (app_node_config_read(path, true, &config, error)) {
        fprintf(stderr, "byzantine: %s\n", error);
        return APP_BAD_USAGE;
    }
    l->members = config.cluster.genesis.members;
    l->self = config.self;
    memcpy(l->key.secret, config.key.ledger_secret, sizeof l->key.secret);
    struct chain_net_config cfg = {.self = config.self, .bind = config.bind, .n_members = config.cluster.n_members,
                                   .n_parties = config.cluster.n_members + config.cluster.n_clients, .parties = parties,
                                   .max_message_bytes = MAX_MESSAGE, .queue_messages = 1024, .wake_fd = -1};
    memcpy(cfg.secret, config.key.curve_secret, sizeof cfg.secret);
    for (uint32_t i = 0; i < cfg.n_parties; i++) {
        const struct app_node_party *party = app_node_cluster_party(&config.cluster, i);
        memcpy(parties[i].key, party->curve_key, CHAIN_NET_KEY_BYTES);
        parties[i].endpoint = *party->endpoint ? party->endpoint : NULL;
    }
    if (chain_net_open(&cfg, &l->net, error)) {
        fprintf(stderr, "byzantine: %s\n", error);
        return APP_SYSTEM_FAILED;
    }
    for (double begun_s = now_s(); goes_on(l, begun_s, seconds);) {
        struct chain_net_event event;
        int got = chain_net_poll(l->net, 5, &event);
        if (got > 0 && event.kind == CHAIN_NET_BUNDLE)
            react(l, event.data, event.len);
        if (got == 0)
            repeat_something(l);
    }
    chain_net_close(l->net);
    return 0;
}

/* --- the client --- */

static void ask(struct liar *l, const char *name, const void *data, size_t len)
{
    if (chain_net_client_send(l->client, CHAIN_NET_REQUEST, data, len) == 0)
        count(l, name);
}

/* A transaction as a question. */
static void submit(struct liar *l, const char *name, uint64_t nonce, const uint8_t *body, size_t body_len, bool sign_well)
{
    struct chain_msg tx = {.kind = CHAIN_MSG_TX, .author = l->self, .seq = nonce, .body = body, .body_len = body_len};
    if (chain_msg_digest(&l->members, tx.kind, body, body_len, &tx.digest) != 0 || l->signer.sign(l->signer.ctx, &l->members, &tx) != 0)
        return;
    if (!sign_well)
        tx.sig[draw(l) % sizeof tx.sig] ^= 1;
    long len = chain_msg_encode(&l->members, &tx, l->msg, sizeof l->msg);
    if (len <= 0)
        return;
    int n = snprintf((char *)l->out, sizeof l->out, "{\"ask\": \"submit\", \"wait_ms\": 1, \"tx\": \"");
    sodium_bin2hex((char *)l->out + n, sizeof l->out - (size_t)n, l->msg, (size_t)len);
    size_t at = strlen((char *)l->out);
    at += (size_t)snprintf((char *)l->out + at, sizeof l->out - at, "\"}");
    ask(l, name, l->out, at);
    remember(l, l->out, at);
}

static void lie_as_client(struct liar *l)
{
    static uint8_t body[20000];
    struct chain_op op = {.kind = CHAIN_OP_REGISTER, .reg = {.call_sign = "STORM", .lat_e7 = (int32_t)(draw(l) % 900000000)}};
    size_t len = 1 + draw(l) % 400;
    body[0] = 0x81;
    long op_len = chain_op_encode(&op, body + 1, sizeof body - 1);
    uint64_t nonce = (uint64_t)now_ns() / 1000;
    switch (draw(l) % 9) {
    case 0:
        submit(l, "registration_storm", nonce, body, (size_t)op_len + 1, true);
        break;
    case 1:
        submit(l, "bad_signatures", nonce, body, (size_t)op_len + 1, false);
        break;
    case 2: /* one nonce, two contents */
        submit(l, "two_contents", nonce, body, (size_t)op_len + 1, true);
        op.reg.height_cm = 7;
        op_len = chain_op_encode(&op, body + 1, sizeof body - 1);
        submit(l, "two_contents", nonce, body, (size_t)op_len + 1, true);
        break;
    case 3:
        submit(l, "latest_nonces", UINT64_MAX - draw(l) % 3, body, (size_t)op_len + 1, true);
        break;
    case 4:
        for (size_t i = 0; i < len; i++)
            body[i] = (uint8_t)draw(l);
        submit(l, "no_operations", nonce, body, len, true);
        break;
    case 5:
        memset(body, 0x80, sizeof body);
        submit(l, "oversized", nonce, body, sizeof body, true);
        break;
    case 6:
        ask(l, "no_json", "{\"ask\": \"submit\", \"tx\": \"zz\", [[[[[[[[[[[[", 41);
        break;
    case 7:
        memset(l->out, '[', sizeof l->out);
        ask(l, "deep_json", l->out, 200000);
        break;
    default: /* a client's bundle, and a replayed question */
        repeat_something(l);
    }
}

static int run_client(struct liar *l, const char *cluster_path, const char *key_path, double seconds)
{
    static struct app_node_cluster cluster;
    struct app_keyfile key;
    char error[APP_NODE_MAX_ERROR];
    if (app_node_cluster_read(cluster_path, &cluster, error) || app_keyfile_read(key_path, &key, error)) {
        fprintf(stderr, "byzantine: %s\n", error);
        return APP_BAD_USAGE;
    }
    l->members = cluster.genesis.members;
    memcpy(l->key.secret, key.ledger_secret, sizeof l->key.secret);
    l->self = app_node_cluster_find_key(&cluster, key.ledger_secret + 32);
    for (double begun_s = now_s(); goes_on(l, begun_s, seconds);) {
        const struct app_node_party *door = app_node_cluster_party(&cluster, (uint32_t)(draw(l) % cluster.n_members));
        if (chain_net_client_open(door->endpoint, door->curve_key, key.curve_secret, MAX_MESSAGE, &l->client))
            return APP_SYSTEM_FAILED;
        count(l, "connections");
        for (double next_s = now_s() + .3; now_s() < next_s;) {
            enum chain_net_kind kind;
            const uint8_t *data;
            size_t len;
            lie_as_client(l);
            while (chain_net_client_receive(l->client, 1, &kind, &data, &len) > 0) {
            }
        }
        chain_net_client_close(l->client);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct liar l;
    if (sodium_init() < 0)
        return APP_SYSTEM_FAILED;
    l.signer = chain_signer_ed25519(&l.key);
    int code = APP_BAD_USAGE;
    if (argc >= 5 && strcmp(argv[1], "replica") == 0) {
        l.wanted = argv + 5;
        l.n_wanted = argc - 5;
        l.state = strtoull(argv[4], NULL, 10);
        code = run_replica(&l, argv[2], strtod(argv[3], NULL));
    } else if (argc >= 6 && strcmp(argv[1], "client") == 0) {
        l.wanted = argv + 6;
        l.n_wanted = argc - 6;
        l.state = strtoull(argv[5], NULL, 10);
        code = run_client(&l, argv[2], argv[3], strtod(argv[4], NULL));
    } else {
        fprintf(stderr, "usage: byzantine replica NODE.yaml SECONDS SEED [LIE...] | byzantine client CLUSTER.yaml KEY SECONDS SEED [LIE...]\n");
    }
    for (size_t i = 0; l.told[i].name; i++)
        printf("%s %llu\n", l.told[i].name, (unsigned long long)l.told[i].n);
    for (size_t i = 0; i < N_REMEMBERED; i++)
        free(l.heard[i].data);
    return code;
}
