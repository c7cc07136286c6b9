/* The medium and the signatures of the cluster; part of engine_cluster.c. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/engine_cluster.h"

#define FAIL(c, ...)                                                                 \
    do {                                                                             \
        if ((c)->failure[0] == 0)                                                    \
            snprintf((c)->failure, sizeof(c)->failure, __VA_ARGS__);                 \
    } while (0)

uint64_t cluster_draw(struct cluster *c, uint64_t below)
{
    uint64_t in[2] = {c->cfg.seed, c->n_drawn++}, out[2];
    crypto_generichash((uint8_t *)out, 16, (const uint8_t *)in, sizeof in, NULL, 0);
    return out[0] % below;
}

static void *copy_octets(const void *data, size_t len)
{
    void *copy = malloc(len + 1);
    assert(copy);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

static void note(struct cluster *c, const void *data, size_t len)
{
    crypto_generichash_update(&c->trace, (const uint8_t *)&c->now_ns, sizeof c->now_ns);
    crypto_generichash_update(&c->trace, data, len);
}

/* ---- signatures: keyed BLAKE2b, quick; its key is the author's number */

static void hash_msg(const struct chain_members *members, const struct chain_msg *msg, uint8_t out[CHAIN_SIG_BYTES])
{
    uint8_t in[64] = {msg->kind, (uint8_t)msg->author, (uint8_t)members->epoch};
    memcpy(in + 8, &msg->view, 8);
    memcpy(in + 16, &msg->seq, 8);
    memcpy(in + 24, msg->digest.octets, 32);
    uint8_t key[32] = {(uint8_t)(msg->author + 1)};
    crypto_generichash(out, CHAIN_SIG_BYTES, in, sizeof in, key, sizeof key);
}

static int sign_fast(void *ctx, const struct chain_members *members, struct chain_msg *msg)
{
    (void)ctx;
    hash_msg(members, msg, msg->sig);
    return 0;
}

static int verify_fast(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    uint8_t sig[CHAIN_SIG_BYTES];
    (void)ctx;
    if (msg->author >= members->n)
        return -EBADMSG;
    hash_msg(members, msg, sig);
    return memcmp(sig, msg->sig, sizeof sig) == 0 ? 0 : -EBADMSG;
}

/* ---- frames in flight: a binary heap */

static bool frame_before(const struct cluster_frame *a, const struct cluster_frame *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void swap_frames(struct cluster *c, size_t i, size_t k)
{
    struct cluster_frame frame = c->frames[i];
    c->frames[i] = c->frames[k];
    c->frames[k] = frame;
}

static void push_frame(struct cluster *c, int64_t at_ns, uint32_t from, uint32_t to, const uint8_t *data, size_t len)
{
    if (c->n_frames == c->cap_frames) {
        c->cap_frames = c->cap_frames ? 2 * c->cap_frames : 256;
        c->frames = realloc(c->frames, c->cap_frames * sizeof c->frames[0]);
        assert(c->frames);
    }
    size_t i = c->n_frames++;
    c->frames[i] = (struct cluster_frame){at_ns, c->n_ordered++, from, to, copy_octets(data, len), len};
    for (; i > 0 && frame_before(&c->frames[i], &c->frames[(i - 1) / 2]); i = (i - 1) / 2)
        swap_frames(c, i, (i - 1) / 2);
}

static struct cluster_frame pop_frame(struct cluster *c)
{
    struct cluster_frame top = c->frames[0];
    c->frames[0] = c->frames[--c->n_frames];
    for (size_t i = 0;;) {
        size_t least = i;
        for (size_t k = 2 * i + 1; k <= 2 * i + 2; k++)
            if (k < c->n_frames && frame_before(&c->frames[k], &c->frames[least]))
                least = k;
        if (least == i)
            return top;
        swap_frames(c, i, least);
        i = least;
    }
}

static void emit_to(struct cluster *c, uint32_t from, uint32_t to, const uint8_t *data, size_t len)
{
    bool dark = c->now_ns >= c->blackout_from_ns && c->now_ns < c->blackout_to_ns;
    if (dark || c->cut[from][to] || cluster_draw(c, 1000) < c->cfg.loss_permille) {
        c->n_lost++;
        return;
    }
    uint64_t spread = (uint64_t)(c->cfg.delay_max_ns - c->cfg.delay_min_ns + 1);
    int n_copies = 1 + (cluster_draw(c, 1000) < c->cfg.repeat_permille);
    for (int i = 0; i < n_copies; i++)
        push_frame(c, c->now_ns + c->cfg.delay_min_ns + (int64_t)cluster_draw(c, spread), from, to, data, len);
}

static void keep_frame(struct cluster *c, uint32_t from, uint32_t to, const uint8_t *data, size_t len)
{
    if (c->n_recorded == c->cap_recorded) {
        c->cap_recorded = c->cap_recorded ? 2 * c->cap_recorded : 256;
        c->recorded = realloc(c->recorded, c->cap_recorded * sizeof c->recorded[0]);
        assert(c->recorded);
    }
    c->recorded[c->n_recorded++] = (struct cluster_frame){c->now_ns, c->n_recorded, from, to, copy_octets(data, len), len};
}

static void emit(struct cluster *c, uint32_t from, uint32_t to, const uint8_t *data, size_t len)
{
    struct cluster_node *sender = &c->nodes[from];
    c->n_sent++;
    c->n_bundles += sender->sent_ns != c->now_ns || sender->sent_to != to;
    sender->sent_ns = c->now_ns;
    sender->sent_to = to;
    if (c->tap)
        c->tap(c->tap_ctx, from, data, len);
    note(c, data, len);
    if (c->cfg.record)
        keep_frame(c, from, to, data, len);
    for (uint32_t i = 0; i < c->cfg.n; i++)
        if (i != from && (to == CHAIN_TO_ALL || to == i))
            emit_to(c, from, i, data, len);
}
