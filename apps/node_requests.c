/* Clients' questions. */
#include "apps/node_requests.h"

#include "apps/ledger_json.h"
#include "apps/node_record.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TX_BYTES = CHAIN_MAX_TX_BYTES };
static const int64_t AGAIN_NS = 50000000;

static void reply(struct app_node_requests *r, const struct chain_net_caller *caller, json_t *answer)
{
    char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    if (text)
        chain_net_reply(r->net, caller, CHAIN_NET_REPLY, text, strlen(text));
    free(text);
    json_decref(answer);
}

static void reply_error(struct app_node_requests *r, const struct chain_net_caller *caller, const char *why)
{
    reply(r, caller, json_pack("{s:s}", "error", why));
}

/* code: the first that is no success */
static void reply_answer(struct app_node_requests *r, const struct chain_net_caller *caller, const struct app_node_answer *a)
{
    int code = 0;
    for (uint32_t i = 0; i < a->n_ops && code == 0; i++)
        code = a->codes[i];
    json_t *json = json_pack("{s:b, s:I, s:i, s:s, s:I}", "committed", a->height > 0, "height", (json_int_t)a->height, "code", code,
                             "code_name", chain_response_name((enum chain_response)code), "nonce", (json_int_t)a->nonce);
    if (json && a->taken != APP_NONCE_FREE)
        json_object_set_new(json, "nonce_taken", json_string(a->taken == APP_NONCE_WAITS ? "waits" : "used"));
    if (json && a->n_ops > 1) {
        json_t *each = json_array();
        for (uint32_t i = 0; i < a->n_ops; i++)
            json_array_append_new(each, json_pack("{s:i, s:s}", "code", a->codes[i], "code_name", chain_response_name((enum chain_response)a->codes[i])));
        json_object_set_new(json, "operations", each);
    }
    reply(r, caller, json);
}

/* None of it is in a block, for this reason. */
static void reply_refusal(struct app_node_requests *r, const struct chain_net_caller *caller, struct app_node_answer *a, int code)
{
    a->height = 0;
    for (uint32_t i = 0; i < a->n_ops; i++)
        a->codes[i] = code;
    reply_answer(r, caller, a);
}

static int read_tx(const struct app_node_requests *r, const json_t *ask, uint8_t tx[MAX_TX_BYTES], size_t *len_out, struct app_node_answer *a)
{
    const char *hex = json_string_value(json_object_get(ask, "tx"));
    size_t consumed = 0;
    struct chain_msg msg;
    if (!hex || sodium_hex2bin(tx, MAX_TX_BYTES, hex, strlen(hex), NULL, len_out, NULL) ||
        chain_msg_decode(&r->config->cluster.genesis.members, tx, *len_out, &msg, &consumed) || consumed != *len_out || msg.kind != CHAIN_MSG_TX)
        return -EBADMSG;
    int n = chain_tx_count(msg.body, msg.body_len);
    if (n < 0)
        return -EBADMSG;
    *a = (struct app_node_answer){.author = msg.author, .n_ops = (uint32_t)n, .nonce = msg.seq, .digest = msg.digest};
    return 0;
}

static bool is_nonce_used(const struct app_node_requests *r, const struct app_node_answer *a)
{
    return chain_ledger_nonce_used(chain_node_ledger(r->node), a->author, a->nonce, a->n_ops);
}

static bool is_settled(const struct app_node_answer *a)
{
    return a->taken != APP_NONCE_FREE || app_node_answer_known(a);
}

static void reply_settled(struct app_node_requests *r, const struct chain_net_caller *caller, struct app_node_answer *a)
{
    if (app_node_answer_known(a))
        reply_answer(r, caller, a);
    else
        reply_refusal(r, caller, a, CHAIN_UNSYNC_OP_PARAM);
}

static int submit(struct app_node_requests *r, const struct chain_net_caller *caller, const json_t *ask, int64_t now_ns)
{
    json_int_t wait_ms = json_integer_value(json_object_get(ask, "wait_ms"));
    uint8_t tx[MAX_TX_BYTES];
    size_t len = 0;
    struct app_node_answer answer;
    if (read_tx(r, ask, tx, &len, &answer)) {
        reply_error(r, caller, "no transaction of this ledger");
        return 0;
    }
    app_node_results_recall(&r->results, &answer);
    bool room = r->n_waiters < APP_NODE_MAX_WAITERS;
    int code = app_node_answer_known(&answer) ? 0 : room ? r->submit(r->submit_ctx, tx, len) : -ENOBUFS;
    if (code == -EIO)
        return code;
    /* known: it waits here already, or such a nonce was used */
    bool is_used = code == -EALREADY && is_nonce_used(r, &answer);
    int64_t again_ns = is_used && !app_node_results_find(&r->results, &answer) ? now_ns + AGAIN_NS : INT64_MAX;
    if (code == -EEXIST)
        answer.taken = APP_NONCE_WAITS;
    if (is_settled(&answer)) {
        reply_settled(r, caller, &answer);
    } else if (code == 0 || code == -EALREADY) {
        wait_ms = wait_ms < 1 ? 1 : wait_ms > APP_NODE_MAX_WAIT_MS ? APP_NODE_MAX_WAIT_MS : wait_ms;
        r->waiters[r->n_waiters++] =
            (struct app_node_waiter){.caller = *caller, .until_ns = now_ns + wait_ms * 1000000, .again_ns = again_ns, .answer = answer};
    } else if (code > 0) {
        reply_refusal(r, caller, &answer, code);
    } else if (code == -ENOBUFS || code == -EAGAIN) {
        reply_refusal(r, caller, &answer, CHAIN_BUSY);
    } else {
        reply_error(r, caller, code == -EMSGSIZE ? "larger than a block" : "the signature is not its author's");
    }
    return 0;
}

static const char *name_of(const struct app_node_requests *r, uint32_t id)
{
    const struct app_node_party *party = app_node_cluster_party(&r->config->cluster, id);
    return party ? party->name : NULL;
}

static json_t *list_peers(const struct app_node_requests *r)
{
    json_t *peers = json_array();
    for (uint32_t i = 0; i < r->config->cluster.n_members; i++)
        if (i != r->config->self)
            json_array_append_new(peers, json_pack("{s:s, s:b}", "name", name_of(r, i), "up",
                                                   (int)(r->is_up ? r->is_up(r->submit_ctx, i) : chain_net_is_up(r->net, i))));
    return peers;
}

static json_t *show(const struct app_node_requests *r)
{
    struct chain_node_stats node;
    struct chain_net_stats net;
    chain_node_stats(r->node, &node);
    chain_net_stats(r->net, &net);
    const struct chain_header *tip = chain_ledger_tip(chain_node_ledger(r->node));
    char root[65], chain[17];
    sodium_bin2hex(root, sizeof root, tip->state_root.octets, CHAIN_HASH_BYTES);
    sodium_bin2hex(chain, sizeof chain, r->config->cluster.genesis.members.chain_id, 8);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:s?, s:I, s:I, s:I, s:o}", "member", r->config->member, "chain", chain,
                     "engine", r->config->cluster.genesis.engine, "height", (json_int_t)node.height, "certified_height",
                     (json_int_t)node.certified_height, "state_root", root, "block_time_ns", (json_int_t)tip->time_ns, "view",
                     (json_int_t)node.engine.view, "leader", name_of(r, node.leader), "pending", (json_int_t)node.mempool,
                     "strangers", (json_int_t)net.strangers, "messages", (json_int_t)net.received, "peers", list_peers(r));
}

static json_t *status(const struct app_node_requests *r, int64_t now_ns)
{
    r->status->now_ns = now_ns;
    app_node_status_take(r->status, r->net);
    return app_node_status_json(r->status);
}

static json_t *list_leases(const struct app_node_requests *r)
{
    const struct chain_ledger *ledger = chain_node_ledger(r->node);
    json_t *leases = json_array();
    for (size_t i = 0; i < chain_ledger_n_grants(ledger); i++) {
        const struct chain_grant *grant = chain_ledger_grant(ledger, i);
        json_array_append_new(leases, app_ledger_lease_json(grant, name_of(r, grant->holder)));
    }
    return json_pack("{s:o}", "leases", leases);
}

static void reply_record(struct app_node_requests *r, const struct chain_net_caller *caller, uint32_t station, uint32_t record)
{
    reply(r, caller, app_node_record_json(chain_node_ledger(r->node), station, record, r->results.read_block, r->results.read_block_ctx));
}

static int get(struct app_node_requests *r, const struct chain_net_caller *caller, const json_t *ask, int64_t now_ns)
{
    const json_t *station = json_object_get(ask, "station"), *record = json_object_get(ask, "record");
    json_int_t station_id = json_integer_value(station), number = json_integer_value(record);
    if (!json_is_integer(station) || !json_is_integer(record) || station_id < 0 || station_id >= CHAIN_MAX_KEYS || number < 0 || number > UINT32_MAX) {
        reply_error(r, caller, "get: no such station or record");
        return 0;
    }
    if (json_is_true(json_object_get(ask, "stale"))) {
        reply_record(r, caller, (uint32_t)station_id, (uint32_t)number);
        return 0;
    }
    struct app_node_read *free_read = NULL;
    for (size_t i = 0; i < APP_NODE_MAX_READS && !free_read; i++)
        free_read = r->reads[i].id == 0 ? &r->reads[i] : NULL;
    if (!r->read || !free_read) {
        reply_error(r, caller, r->read ? "too many reads wait at this node already" : "this node serves stale reads only");
        return 0;
    }
    *free_read = (struct app_node_read){*caller, ++r->last_read, (uint32_t)station_id, (uint32_t)number, now_ns + APP_NODE_READ_MS * INT64_C(1000000)};
    return r->read(r->submit_ctx, free_read->id);
}

void app_node_requests_readable(struct app_node_requests *r, const struct chain_node_read *read)
{
    for (size_t i = 0; i < APP_NODE_MAX_READS; i++) {
        struct app_node_read *waiting = &r->reads[i];
        if (waiting->id != read->id)
            continue;
        waiting->id = 0;
        if (read->good)
            reply_record(r, &waiting->caller, waiting->station, waiting->record);
        else
            reply_error(r, &waiting->caller, "it does not lead: another member has to be asked");
        return;
    }
}

int app_node_requests_take(struct app_node_requests *r, const struct chain_net_event *event, int64_t now_ns)
{
    json_t *ask = json_loadb((const char *)event->data, event->len, JSON_REJECT_DUPLICATES, NULL);
    const char *what = json_string_value(json_object_get(ask, "ask"));
    int err = 0;
    if (what && strcmp(what, "submit") == 0)
        err = submit(r, &event->caller, ask, now_ns);
    else if (what && strcmp(what, "show") == 0)
        reply(r, &event->caller, show(r));
    else if (what && strcmp(what, "status") == 0 && r->status)
        reply(r, &event->caller, status(r, now_ns));
    else if (what && strcmp(what, "leases") == 0)
        reply(r, &event->caller, list_leases(r));
    else if (what && strcmp(what, "get") == 0)
        err = get(r, &event->caller, ask, now_ns);
    else
        reply_error(r, &event->caller, "no question that this node understands: submit, show, status, leases, get");
    json_decref(ask);
    return err;
}

void app_node_requests_executed(struct app_node_requests *r, const struct chain_ledger_event *event)
{
    if (event->kind != CHAIN_LE_TX)
        return;
    if (!app_node_results_add(&r->results, event))
        return;
    for (uint32_t i = 0; i < r->n_waiters; i++)
        app_node_results_apply(&r->results, event, &r->waiters[i].answer);
}

void app_node_requests_flush(struct app_node_requests *r, int64_t now_ns)
{
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < r->n_waiters; i++) {
        struct app_node_waiter *w = &r->waiters[i];
        if (w->again_ns <= now_ns && !is_settled(&w->answer))
            w->again_ns = app_node_results_find(&r->results, &w->answer) ? INT64_MAX : now_ns + AGAIN_NS;
        if (is_settled(&w->answer))
            reply_settled(r, &w->caller, &w->answer);
        else if (w->until_ns <= now_ns)
            reply_error(r, &w->caller, "not committed in the time given; it may still be");
        else
            r->waiters[n_kept++] = *w;
    }
    r->n_waiters = n_kept;
    for (size_t i = 0; i < APP_NODE_MAX_READS; i++)
        if (r->reads[i].id != 0 && r->reads[i].until_ns <= now_ns) {
            reply_error(r, &r->reads[i].caller, "no majority answered in time");
            r->reads[i].id = 0;
        }
}

int64_t app_node_requests_deadline(const struct app_node_requests *r)
{
    int64_t first_ns = INT64_MAX;
    for (uint32_t i = 0; i < r->n_waiters; i++) {
        const struct app_node_waiter *w = &r->waiters[i];
        int64_t at_ns = w->again_ns < w->until_ns ? w->again_ns : w->until_ns;
        first_ns = at_ns < first_ns ? at_ns : first_ns;
    }
    for (size_t i = 0; i < APP_NODE_MAX_READS; i++)
        if (r->reads[i].id != 0 && r->reads[i].until_ns < first_ns)
            first_ns = r->reads[i].until_ns;
    return first_ns;
}
