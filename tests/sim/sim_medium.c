/* The medium: frames on their way in a heap by time, and what happens to each of them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

struct sim_frame *sim_frame_new(const uint8_t *data, size_t len)
{
    struct sim_frame *frame = malloc(sizeof *frame + len);
    assert(frame);
    frame->refs = 1;
    frame->len = len;
    if (len > 0)
        memcpy(frame->data, data, len);
    return frame;
}

void sim_frame_drop(struct sim_frame *frame)
{
    if (frame && --frame->refs == 0)
        free(frame);
}

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

void sim_push(struct sim_world *w, struct sim_event event)
{
    if (w->n_heap == w->cap_heap) {
        w->cap_heap = w->cap_heap ? 2 * w->cap_heap : 1024;
        w->heap = realloc(w->heap, w->cap_heap * sizeof w->heap[0]);
        assert(w->heap);
    }
    event.order = w->n_order++;
    size_t i = w->n_heap++;
    for (; i > 0 && is_before(&event, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = event;
}

struct sim_event sim_pop(struct sim_world *w)
{
    struct sim_event top = w->heap[0], last = w->heap[--w->n_heap];
    size_t i = 0;
    for (size_t k = 1; k < w->n_heap; k = 2 * i + 1) {
        if (k + 1 < w->n_heap && is_before(&w->heap[k + 1], &w->heap[k]))
            k++;
        if (!is_before(&w->heap[k], &last))
            break;
        w->heap[i] = w->heap[k];
        i = k;
    }
    if (w->n_heap > 0)
        w->heap[i] = last;
    return top;
}

void sim_deliver_to(struct sim_world *w, uint32_t to, struct sim_frame *frame, int64_t at_ns)
{
    frame->refs++;
    sim_push(w, (struct sim_event){.at_ns = at_ns, .kind = SIM_EV_FRAME, .to = to, .frame = frame});
}

/* For replays: any frame may come again much later. */
static void keep_frame(struct sim_world *w, struct sim_frame *frame)
{
    if (w->n_frames % 7 != 0)
        return;
    struct sim_frame **slot = &w->kept[sim_draw(w, SIM_KEPT_FRAMES)];
    sim_frame_drop(*slot);
    *slot = frame;
    frame->refs++;
}

static struct sim_frame *corrupt(struct sim_world *w, const struct sim_frame *frame)
{
    struct sim_frame *copy = sim_frame_new(frame->data, frame->len);
    copy->data[sim_draw(w, copy->len)] ^= (uint8_t)(1U << sim_draw(w, 8));
    w->faults[SIM_CORRUPT]++;
    return copy;
}

static bool is_lost(struct sim_world *w, uint32_t from, uint32_t to)
{
    if (w->now_ns < w->blackout_until_ns || w->now_ns < w->cut_until_ns[from][to])
        return true;
    uint32_t loss = w->loss_permille + (w->now_ns < w->loss_until_ns ? w->extra_loss_permille : 0);
    if (loss == 0 || sim_draw(w, 1000) >= loss)
        return false;
    w->faults[SIM_LOSS]++;
    return true;
}

static void send_to(struct sim_world *w, uint32_t from, uint32_t to, struct sim_frame *frame)
{
    if (w->nodes[to].state != SIM_UP || is_lost(w, from, to))
        return;
    int n_copies = 1;
    if (w->duplicate_permille > 0 && sim_draw(w, 1000) < w->duplicate_permille) {
        w->faults[SIM_DUPLICATE]++;
        n_copies = 2;
    }
    for (int i = 0; i < n_copies; i++) {
        int64_t at_ns = w->now_ns + sim_draw_ns(w, w->delay_min_ns, w->delay_max_ns);
        if (w->now_ns < w->delay_until_ns && sim_draw(w, 4) == 0) {
            at_ns += sim_draw_ns(w, 0, w->extra_delay_ns);
            w->faults[SIM_DELAY]++;
        }
        if (w->now_ns < w->corrupt_until_ns && sim_draw(w, 20) == 0) {
            struct sim_frame *bad = corrupt(w, frame);
            sim_deliver_to(w, to, bad, at_ns);
            sim_frame_drop(bad);
        } else {
            sim_deliver_to(w, to, frame, at_ns);
        }
    }
}

void sim_send_to(struct sim_world *w, const struct sim_node *from, uint32_t to, const uint8_t *data, size_t len)
{
    struct sim_frame *frame = sim_frame_new(data, len);
    w->n_frames++;
    w->trace = sim_sum(w->trace ^ from->index ^ (to << 8), data, len);
    send_to(w, from->index, to, frame);
    sim_frame_drop(frame);
}

void sim_send(struct sim_world *w, struct sim_node *from, uint32_t to_key, const uint8_t *data, size_t len)
{
    struct sim_frame *frame = sim_frame_new(data, len);
    w->n_frames++;
    w->trace = sim_sum(w->trace ^ from->index, data, len);
    for (uint32_t i = 0; i < w->n_nodes; i++)
        if (w->nodes[i].key != from->key && (to_key == CHAIN_TO_ALL || to_key == w->nodes[i].key))
            send_to(w, from->index, i, frame);
    if (!w->calm)
        keep_frame(w, frame);
    sim_frame_drop(frame);
}
