#include "apps/validate/shot.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "apps/validate/signals.h"

enum { ENGINE_SEED = 21 }; /* purpose of the draw that seeds a trial's engines */

/* Nobody lies here: signatures would only take time. */
static int sign_nothing(void *ctx, const struct chain_members *members, struct chain_msg *msg)
{
    (void)ctx, (void)members;
    memset(msg->sig, 0, sizeof msg->sig);
    return 0;
}

static int verify_nothing(void *ctx, const struct chain_members *members, const struct chain_msg *msg)
{
    (void)ctx, (void)members, (void)msg;
    return 0;
}

static int accept_batch(void *ctx, uint64_t height, const uint8_t *batch, size_t len, int64_t now_ns)
{
    (void)ctx, (void)height, (void)batch, (void)len, (void)now_ns;
    return 0;
}

static struct chain_engine_config make_engine_config(const struct app_shot *s, uint32_t self, uint64_t trial)
{
    const struct app_shot_config *cfg = &s->cfg;
    return (struct chain_engine_config){.seed = app_validate_draw(cfg->seed, ENGINE_SEED, trial, self),
                                        .self = self,
                                        .members = &s->members,
                                        .signer = &s->signer,
                                        .check_batch = accept_batch,
                                        .heartbeat_ns = cfg->heartbeat_ns,
                                        .timeout_ns = cfg->timeout_ns,
                                        .spread_ns = cfg->spread_ns,
                                        .timeout_max_ns = cfg->timeout_max_ns,
                                        .strict_votes = cfg->strict_votes};
}

struct app_shot *app_shot_open(const struct app_shot_config *cfg)
{
    struct app_shot *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->cfg = *cfg;
    s->signer = (struct chain_signer){.sign = sign_nothing, .verify = verify_nothing};
    s->members.n = s->members.n_keys = cfg->n;
    chain_members_seat_in_order(&s->members);
    s->update = malloc(sizeof *s->update);
    bool good = s->update != NULL;
    for (uint32_t i = 0; i < cfg->n; i++) {
        struct chain_engine_config engine_cfg = make_engine_config(s, i, 0);
        s->mem[i] = malloc(cfg->ops->bytes(&engine_cfg));
        good = good && s->mem[i];
    }
    if (good)
        return s;
    app_shot_close(s);
    return NULL;
}

static void free_frames(struct app_shot *s)
{
    for (; s->n_frames > 0; s->n_frames--, s->first++)
        free((void *)s->frames[s->first % s->cap_frames].msg.body);
}

static void close_engines(struct app_shot *s)
{
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++) {
        if (s->engines[i])
            s->cfg.ops->close(s->engines[i]);
        s->engines[i] = NULL;
    }
}

void app_shot_close(struct app_shot *s)
{
    if (!s)
        return;
    close_engines(s);
    free_frames(s);
    for (uint32_t i = 0; i < CHAIN_MAX_MEMBERS; i++)
        free(s->mem[i]);
    free(s->frames);
    free(s->update);
    free(s);
}

void app_shot_begin(struct app_shot *s, const struct app_shot_config *cfg, uint64_t trial)
{
    close_engines(s);
    free_frames(s);
    assert(cfg->n == s->members.n && cfg->ops == s->cfg.ops);
    s->cfg = *cfg;
    s->now_ns = 0;
    s->n_asked = 0;
    memset(s->by_kind, 0, sizeof s->by_kind);
    memset(s->dead, 0, sizeof s->dead);
    memset(s->committed, 0, sizeof s->committed);
    for (uint32_t i = 0; i < cfg->n; i++) {
        struct chain_engine_config engine_cfg = make_engine_config(s, i, trial);
        const char *bad;
        int rc = cfg->ops->init(s->mem[i], cfg->ops->bytes(&engine_cfg), &engine_cfg, &s->engines[i], &bad);
        assert(rc == 0);
        (void)rc;
        s->first_sent_ns[i] = INT64_MAX;
    }
}

static struct app_shot_frame *push_frame(struct app_shot *s)
{
    if (s->n_frames == s->cap_frames) {
        size_t cap = s->cap_frames ? 2 * s->cap_frames : 64;
        struct app_shot_frame *frames = malloc(cap * sizeof *frames);
        assert(frames);
        for (size_t i = 0; i < s->n_frames; i++)
            frames[i] = s->frames[(s->first + i) % s->cap_frames];
        free(s->frames);
        s->frames = frames;
        s->cap_frames = cap;
        s->first = 0;
    }
    return &s->frames[(s->first + s->n_frames++) % s->cap_frames];
}

static void send(struct app_shot *s, uint32_t from, const struct chain_out_msg *out)
{
    struct app_shot_frame *frame = push_frame(s);
    *frame = (struct app_shot_frame){.at_ns = s->now_ns + s->cfg.delay_ns, .from = from, .to = out->to, .msg = out->msg};
    frame->msg.body = NULL;
    if (out->msg.body_len > 0) {
        uint8_t *body = malloc(out->msg.body_len);
        assert(body);
        memcpy(body, out->msg.body, out->msg.body_len);
        frame->msg.body = body;
    }
    s->by_kind[out->msg.kind].sent++;
    if (s->first_sent_ns[from] == INT64_MAX)
        s->first_sent_ns[from] = s->now_ns;
}

/* A step, and the disk's answer to what it wrote. */
static int step(struct app_shot *s, uint32_t node, const struct chain_event *event)
{
    int rc = s->cfg.ops->step(s->engines[node], event, s->update);
    for (struct chain_event next = *event; rc == 0;) {
        uint64_t persist_seq = s->update->persist_seq;
        for (size_t i = 0; i < s->update->n_msgs; i++)
            send(s, node, &s->update->msgs[i]);
        s->committed[node] |= s->update->n_commits > 0;
        if (persist_seq == 0)
            return 0;
        next = (struct chain_event){.kind = CHAIN_EV_PERSISTED, .now_ns = s->now_ns, .persisted_seq = persist_seq};
        rc = s->cfg.ops->step(s->engines[node], &next, s->update);
    }
    return rc;
}

static void deliver(struct app_shot *s)
{
    struct app_shot_frame frame = s->frames[s->first % s->cap_frames];
    s->first = (s->first + 1) % s->cap_frames;
    s->n_frames--;
    s->now_ns = frame.at_ns > s->now_ns ? frame.at_ns : s->now_ns;
    for (uint32_t i = 0; i < s->cfg.n; i++) {
        if (i == frame.from || (frame.to != CHAIN_TO_ALL && frame.to != i) || s->dead[i])
            continue;
        bool arrives = !s->arrives || s->arrives(s->arrives_ctx, &frame, i);
        s->n_asked++;
        if (!arrives)
            continue;
        s->by_kind[frame.msg.kind].received++;
        struct chain_event event = {.kind = CHAIN_EV_MESSAGE, .now_ns = s->now_ns, .msg = &frame.msg};
        (void)step(s, i, &event); /* what an engine refuses it counts itself */
    }
    free((void *)frame.msg.body);
}

void app_shot_drain(struct app_shot *s)
{
    while (s->n_frames > 0)
        deliver(s);
}

static uint32_t find_first(const struct app_shot *s, int64_t *at_ns_out)
{
    uint32_t first = 0;
    *at_ns_out = INT64_MAX;
    for (uint32_t i = 0; i < s->cfg.n; i++) {
        int64_t at_ns = s->dead[i] ? INT64_MAX : s->cfg.ops->deadline(s->engines[i]);
        if (at_ns < *at_ns_out) {
            *at_ns_out = at_ns;
            first = i;
        }
    }
    return first;
}

int64_t app_shot_deadline(const struct app_shot *s)
{
    int64_t at_ns;
    find_first(s, &at_ns);
    return at_ns;
}

void app_shot_run(struct app_shot *s, int64_t until_ns)
{
    for (;;) {
        int64_t at_ns, frame_ns = s->n_frames > 0 ? s->frames[s->first % s->cap_frames].at_ns : INT64_MAX;
        uint32_t node = find_first(s, &at_ns);
        if (at_ns > until_ns && frame_ns > until_ns)
            break;
        if (frame_ns <= at_ns) {
            deliver(s);
            continue;
        }
        s->now_ns = at_ns > s->now_ns ? at_ns : s->now_ns;
        struct chain_event tick = {.kind = CHAIN_EV_TICK, .now_ns = s->now_ns};
        (void)step(s, node, &tick);
    }
    s->now_ns = until_ns > s->now_ns ? until_ns : s->now_ns;
}

uint32_t app_shot_leader(const struct app_shot *s)
{
    for (uint32_t i = 0; i < s->cfg.n; i++) {
        struct chain_engine_stats stats;
        s->cfg.ops->stats(s->engines[i], &stats);
        if (!s->dead[i] && stats.is_leader)
            return i;
    }
    return CHAIN_TO_ALL;
}

bool app_shot_propose(struct app_shot *s, uint32_t node, const uint8_t *batch, size_t len)
{
    struct chain_event event = {.kind = CHAIN_EV_PROPOSE, .now_ns = s->now_ns, .propose = {.batch = batch, .len = len}};
    return step(s, node, &event) == 0;
}

void app_shot_pending(struct app_shot *s)
{
    struct chain_event event = {.kind = CHAIN_EV_PENDING, .now_ns = s->now_ns, .pending_since_ns = s->now_ns};
    for (uint32_t i = 0; i < s->cfg.n; i++)
        if (!s->dead[i])
            (void)step(s, i, &event);
}

uint32_t app_shot_count_committed(const struct app_shot *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->cfg.n; i++)
        n += s->committed[i];
    return n;
}
