/* Load for airdeed nodes: operations over the client protocol (apps/node_intake.h), so many under way at a time. An operation is a put of an
 * application's own value.
 * usage: ledger_load CLUSTER.yaml MEMBER KEY CLIENTS CONNECTIONS BATCH VALUE_OCTETS WARM_S SECONDS
 * BATCH 0: operations without a signature of the client's. N: each N operations in one transaction that the client signs. All of a batch
 * come from one client: CLIENTS operations are under way in all. Transactions are signed before the load begins, so that signing takes nothing
 * from the nodes' processors while it is measured; past SIGNED_A_SECOND of them they are signed as they are handed in. KEY "a.key,b.key": the first opens the connections, all take turns at
 * signing.
 * With Raft nobody lies, and MEMBER's answer counts. With PBFT each transaction goes to MEMBER and the f members behind it, and is done once all of these
 * f + 1 have told the same block and codes: one of them is honest. */
#include "apps/keyfile.h"
#include "apps/node_cluster.h"
#include "chain/cbor.h"
#include "chain/net/client.h"
#include "chain/tx.h"
#include "tests/bench/ledger_meter.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_CONNECTIONS = 256, MAX_ASKED = 11, MAX_KEYS = 16, MESSAGE_BYTES = 200 * 1024, MAX_CLIENTS = 1 << 16, MAX_VALUE = CHAIN_MAX_PUT_BYTES, SIGNED_A_SECOND = 24000 };

struct operation { /* under way */
    int64_t since_ns;
    uint64_t height;
    int64_t code;
    size_t n_answers;
    bool alike;
};

struct connection { /* to each of those that are asked */
    struct chain_net_client *nets[MAX_ASKED];
    uint64_t next_number;
    size_t n_free; /* of its clients: those without an operation under way */
    struct operation *operations; /* ring by number */
};

struct author {
    struct chain_ed25519 key;
    uint32_t id;
    uint64_t next_nonce;
};

/* Transactions in the order in which they are handed in */
struct stock {
    uint8_t *octets;
    size_t len, at, cap, n_left, *lens, i;
};

struct load {
    struct stock stock;
    struct ledger_meter meter;
    struct app_node_cluster cluster;
    size_t n, n_asked, batch, value_octets;
    uint64_t n_refused;
    size_t n_authors, i_author;
    struct author authors[MAX_KEYS];
    struct connection connections[MAX_CONNECTIONS];
    uint8_t message[MESSAGE_BYTES];
};

static size_t put_operation(const struct load *l, uint64_t number, uint8_t *out, size_t cap)
{
    struct chain_op op = {.kind = CHAIN_OP_PUT};
    uint8_t value[MAX_VALUE];
    memset(value, (int)(number & 0xff), l->value_octets);
    op.put.key = (uint32_t)(number % 16);
    op.put.value = value;
    op.put.value_len = l->value_octets;
    long len = chain_op_encode(&op, out, cap);
    return len > 0 ? (size_t)len : 0;
}

/* One signed transaction around the next operations */
static size_t sign_transaction(struct load *l, uint64_t number, uint8_t *out, size_t cap)
{
    static uint8_t body[CHAIN_MAX_TX_BYTES];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    chain_cbor_put_array(&w, l->batch);
    for (size_t i = 0; i < l->batch; i++)
        w.len += put_operation(l, number + i, body + w.len, sizeof body - w.len);
    struct author *author = &l->authors[l->i_author++ % l->n_authors];
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = author->id, .seq = author->next_nonce, .body = body, .body_len = w.len};
    struct chain_signer signer = chain_signer_ed25519(&author->key);
    const struct chain_members *members = &l->cluster.genesis.members;
    author->next_nonce += l->batch;
    if (chain_msg_digest(members, msg.kind, msg.body, msg.body_len, &msg.digest) || signer.sign(signer.ctx, members, &msg))
        return 0;
    long len = chain_msg_encode(members, &msg, out, cap);
    return len > 0 ? (size_t)len : 0;
}

static size_t put_transaction(struct load *l, uint64_t number, uint8_t *out, size_t cap)
{
    struct stock *s = &l->stock;
    if (s->n_left == 0 || s->lens[s->i] > cap)
        return sign_transaction(l, number, out, cap);
    size_t len = s->lens[s->i++];
    memcpy(out, s->octets + s->at, len);
    s->at += len;
    s->n_left--;
    return len;
}

/* No more than a load of so many clients can use: an operation takes a millisecond at least. */
static int fill_stock(struct load *l, size_t n_clients, double seconds)
{
    struct stock *s = &l->stock;
    double rate = n_clients < 24 ? (double)n_clients * 1000 : SIGNED_A_SECOND;
    size_t item_bytes = l->batch * (l->value_octets + 24) + 256, n = (size_t)(seconds * rate / (double)(l->batch > 8 ? 8 : l->batch)) + 1;
    s->cap = n * item_bytes;
    s->octets = malloc(s->cap);
    s->lens = calloc(n, sizeof *s->lens);
    if (!s->octets || !s->lens)
        return -ENOMEM;
    for (; s->n_left < n && s->cap - s->len >= item_bytes; s->n_left++) {
        size_t len = sign_transaction(l, s->n_left * l->batch, s->octets + s->len, s->cap - s->len);
        if (len == 0)
            return -EINVAL;
        s->lens[s->n_left] = len;
        s->len += len;
    }
    return 0;
}

/* Everybody on the connection who is free hands in one operation, in as few messages as hold them */
static int hand_in(struct load *l, struct connection *c)
{
    size_t per_item = l->batch ? l->batch : 1, item_bytes = per_item * (l->value_octets + 24) + 256;
    while (c->n_free >= per_item) {
        size_t n = c->n_free / per_item, room = (MESSAGE_BYTES - 64) / item_bytes;
        n = n < room ? n : room;
        size_t most = l->batch == 1 ? 32 : 256; /* signing takes time: the node may begin with the first ones */
        n = n < most ? n : most;
        struct chain_cbor_writer w = {.out = l->message, .cap = sizeof l->message};
        chain_cbor_put_array(&w, 3);
        chain_cbor_put_uint(&w, c->next_number);
        chain_cbor_put_bool(&w, l->batch > 0);
        chain_cbor_put_array(&w, n);
        int64_t now_ns = ledger_meter_now();
        uint64_t number = c->next_number;
        for (size_t i = 0; i < n; i++, number += per_item) {
            static uint8_t item[CHAIN_MAX_TX_BYTES];
            size_t len = l->batch ? put_transaction(l, number, item, sizeof item) : put_operation(l, number, item, sizeof item);
            chain_cbor_put_bytes(&w, item, len);
        }
        int err = w.full ? -ENOSPC : 0;
        for (size_t i = 0; i < l->n_asked && !err; i++)
            err = chain_net_client_send(c->nets[i], CHAIN_NET_SUBMIT, l->message, w.len);
        if (err)
            return err;
        for (uint64_t i = c->next_number; i < number; i++)
            c->operations[i % MAX_CLIENTS] = (struct operation){.since_ns = now_ns};
        c->next_number = number;
        c->n_free -= n * per_item;
    }
    return 0;
}

/* True: all that were asked have answered */
static bool take_answer(const struct load *l, struct operation *op, uint64_t height, int64_t code)
{
    op->alike = op->n_answers == 0 || (op->alike && op->height == height && op->code == code);
    op->height = height;
    op->code = code;
    return ++op->n_answers == l->n_asked;
}

static int take_answers(struct load *l, struct connection *c, const uint8_t *data, size_t len)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    int64_t now_ns = ledger_meter_now();
    size_t n_runs = chain_cbor_get_array(&r, SIZE_MAX / 2);
    for (size_t i = 0; i < n_runs && !r.bad; i++) {
        chain_cbor_expect_array(&r, 3);
        uint64_t number = chain_cbor_get_uint(&r), height = chain_cbor_get_uint(&r);
        size_t n = chain_cbor_get_array(&r, 256);
        for (size_t k = 0; k < n && !r.bad; k++, number++) {
            int64_t code = chain_cbor_get_int(&r);
            struct operation *op = &c->operations[number % MAX_CLIENTS];
            if (!take_answer(l, op, height, code))
                continue;
            bool good = height > 0 && code == 0 && op->alike;
            if (!good && l->n_refused++ == 0)
                fprintf(stderr, "ledger_load: operation %llu: height %llu, code %lld%s\n", (unsigned long long)number, (unsigned long long)height,
                        (long long)code, op->alike ? "" : ", and another member says otherwise");
            ledger_meter_count(&l->meter, op->since_ns, now_ns, good);
            c->n_free++;
        }
    }
    return chain_cbor_end(&r);
}

static int serve(struct load *l, struct connection *c, struct chain_net_client *net, int timeout_ms)
{
    enum chain_net_kind kind;
    const uint8_t *data;
    size_t len;
    int got = chain_net_client_receive(net, timeout_ms, &kind, &data, &len);
    if (got < 0)
        return got;
    if (got == 1 && (kind != CHAIN_NET_ANSWERS || take_answers(l, c, data, len)))
        return -EPROTO;
    return hand_in(l, c);
}

static int read_keys(struct load *l, const char *keys, struct app_keyfile *first)
{
    char error[APP_NODE_MAX_ERROR], list[1024], *rest = list, *path;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    snprintf(list, sizeof list, "%s", keys);
    while (l->n_authors < MAX_KEYS && (path = strtok_r(rest, ",", &rest)) != NULL) {
        struct app_keyfile key;
        struct author *author = &l->authors[l->n_authors];
        if (app_keyfile_read(path, &key, error)) {
            fprintf(stderr, "ledger_load: %s\n", error);
            return -EINVAL;
        }
        memcpy(author->key.secret, key.ledger_secret, sizeof author->key.secret);
        author->id = app_node_cluster_find_key(&l->cluster, key.ledger_public);
        author->next_nonce = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
        if (l->n_authors++ == 0)
            *first = key;
    }
    return l->n_authors > 0 ? 0 : -EINVAL;
}

static int open_net(const struct app_node_party *party, const struct app_keyfile *key, struct chain_net_client **out)
{
    int err = chain_net_client_open(party->endpoint, party->curve_key, key->curve_secret, MESSAGE_BYTES, out);
    for (int turn = 0; turn < 50 && !err && !chain_net_client_is_up(*out); turn++) {
        enum chain_net_kind kind;
        const uint8_t *data;
        size_t len;
        err = chain_net_client_receive(*out, 100, &kind, &data, &len);
        err = err > 0 ? -EPROTO : err;
    }
    return err;
}

static int open_connections(struct load *l, uint32_t member, const char *keys, size_t n_clients, double seconds)
{
    struct app_keyfile key;
    int bad = read_keys(l, keys, &key);
    if (!bad && l->batch > 0)
        bad = fill_stock(l, n_clients, seconds);
    if (bad)
        return bad;
    for (size_t i = 0; i < l->n; i++) {
        struct connection *c = &l->connections[i];
        c->n_free = n_clients / l->n;
        c->operations = calloc(MAX_CLIENTS, sizeof *c->operations);
        int err = c->operations ? 0 : -ENOMEM;
        for (uint32_t k = 0; k < l->n_asked && !err; k++)
            err = open_net(&l->cluster.members[(member + k) % l->cluster.n_members], &key, &c->nets[k]);
        if (err)
            return err;
    }
    for (size_t i = 0; i < l->n; i++) {
        int err = hand_in(l, &l->connections[i]);
        if (err)
            return err;
    }
    return 0;
}

static int run(struct load *l)
{
    int err = 0;
    while (!err && !ledger_meter_done(&l->meter, ledger_meter_now())) {
        err = l->n == 1 ? chain_net_client_wait(l->connections[0].nets, l->n_asked, 100) : 0;
        for (size_t i = 0; i < l->n * l->n_asked && !err; i++)
            err = serve(l, &l->connections[i / l->n_asked], l->connections[i / l->n_asked].nets[i % l->n_asked], 0);
    }
    return err;
}

int main(int argc, char **argv)
{
    static struct load l;
    char error[APP_NODE_MAX_ERROR];
    if (argc != 10 || sodium_init() < 0)
        return 2;
    if (app_node_cluster_read(argv[1], &l.cluster, error)) {
        fprintf(stderr, "ledger_load: %s\n", error);
        return 2;
    }
    size_t n_clients = (size_t)atoi(argv[4]);
    l.n = (size_t)atoi(argv[5]);
    l.batch = (size_t)atoi(argv[6]);
    l.value_octets = (size_t)atoi(argv[7]);
    uint32_t member = app_node_cluster_find(&l.cluster, argv[2]);
    bool byzantine = strcmp(l.cluster.genesis.engine, "pbft") == 0;
    l.n_asked = byzantine ? (l.cluster.n_members - 1) / 3 + 1 : 1;
    if ((byzantine && l.batch == 0) || l.n_asked > MAX_ASKED)
        return 2; /* what nobody signed but the member that took it, others do not answer */
    if (l.n == 0 || l.n > MAX_CONNECTIONS || l.batch > CHAIN_MAX_TX_OPS || l.value_octets > MAX_VALUE || n_clients >= MAX_CLIENTS ||
        member >= l.cluster.n_members)
        return 2;
    int err = open_connections(&l, member, argv[3], n_clients, atof(argv[8]) + atof(argv[9]));
    if (!err && ledger_meter_init(&l.meter, atof(argv[8]), atof(argv[9])))
        err = -ENOMEM;
    if (!err)
        err = run(&l);
    if (err) {
        fprintf(stderr, "ledger_load: %s\n", strerror(-err));
        return 3;
    }
    for (size_t i = 0; i < l.n; i++)
        for (size_t k = 0; k < l.n_asked; k++)
            chain_net_client_close(l.connections[i].nets[k]);
    return ledger_meter_finish(&l.meter);
}
