/* What goes wrong, when, and to whom; and how all of it ends. */
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

const char *sim_fault_name(enum sim_fault fault)
{
    static const char *const names[SIM_FAULTS] = {
        "loss", "duplicate", "delay", "replay", "corrupt", "partition", "one-way", "blackout", "clock-drift", "clock-forward",
        "clock-back", "crash", "crash-before-send", "crash-mid-send", "crash-before-write", "crash-after-write", "crash-in-sync",
        "crash-after-sync", "power", "torn-write", "dropped-write", "disk-full", "sync-fails", "slow-disk", "rolled-back-disk",
        "members-changed", "convicted", "twins", "lie-batch", "lie-vote", "lie-stale", "lie-block", "lie-silent", "lie-claim",
        "lie-view", "snapshot-fetched"};
    return names[fault];
}

/* Every world is another one: how much is lost, how long frames and disks take, how often something goes wrong. */
void sim_faults_init(struct sim_world *w)
{
    static const uint32_t losses[] = {0, 10, 50, 100, 200};
    w->calm = w->cfg.calm;
    w->loss_permille = losses[sim_draw(w, 5)];
    w->duplicate_permille = (uint32_t)sim_draw(w, 3) * 20;
    w->delay_min_ns = SIM_MS(1) / 4;
    w->delay_max_ns = sim_draw(w, 4) == 0 ? SIM_MS(40) : SIM_MS(3);
    w->sync_ns = sim_draw(w, 5) == 0 ? SIM_MS(15) : SIM_MS(1) / 2;
    w->blocking = sim_draw(w, 2) == 0;
    w->fault_every_ns = SIM_MS(150) << sim_draw(w, 4);
    w->next_fault_ns = w->calm ? INT64_MAX : w->now_ns + SIM_MS(600);
}

static struct sim_node *draw_node(struct sim_world *w)
{
    return &w->nodes[sim_draw(w, w->n_nodes)];
}

static int64_t draw_length_ns(struct sim_world *w)
{
    return sim_draw(w, 2) == 0 ? sim_draw_ns(w, SIM_MS(5), SIM_MS(200)) : sim_draw_ns(w, SIM_MS(200), SIM_MS(3000));
}

/* ---- the medium */

static void cut_in_two(struct sim_world *w)
{
    uint64_t side = sim_draw(w, UINT64_C(1) << w->n_nodes);
    int64_t until_ns = w->now_ns + draw_length_ns(w);
    bool one_way = sim_draw(w, 3) == 0;
    for (uint32_t i = 0; i < w->n_nodes; i++)
        for (uint32_t k = 0; k < w->n_nodes; k++)
            if ((side >> i & 1) > (side >> k & 1) || (!one_way && (side >> i & 1) < (side >> k & 1)))
                w->cut_until_ns[i][k] = until_ns;
    w->faults[one_way ? SIM_ONE_WAY : SIM_PARTITION]++;
}

static void cut_links(struct sim_world *w)
{
    for (uint64_t n = 1 + sim_draw(w, 4); n > 0; n--)
        w->cut_until_ns[sim_draw(w, w->n_nodes)][sim_draw(w, w->n_nodes)] = w->now_ns + draw_length_ns(w);
    w->faults[SIM_ONE_WAY]++;
}

static void replay_frames(struct sim_world *w)
{
    for (uint64_t n = 1 + sim_draw(w, 8); n > 0; n--) {
        struct sim_frame *frame = w->kept[sim_draw(w, SIM_KEPT_FRAMES)];
        if (!frame)
            continue;
        sim_deliver_to(w, (uint32_t)sim_draw(w, w->n_nodes), frame, w->now_ns + sim_draw_ns(w, 0, SIM_MS(20)));
        w->faults[SIM_REPLAY]++;
    }
}

/* ---- machines */

/* Now, or at the next boundary of the kind that is drawn. */
static void crash_one(struct sim_world *w)
{
    static const enum sim_fault at[] = {SIM_CRASH_BEFORE_SEND, SIM_CRASH_MID_SEND,  SIM_CRASH_BEFORE_WRITE,
                                        SIM_CRASH_AFTER_WRITE, SIM_CRASH_IN_SYNC, SIM_CRASH_AFTER_SYNC};
    struct sim_node *node = draw_node(w);
    if (node->state != SIM_UP)
        return;
    uint64_t which = sim_draw(w, 8);
    if (which < 6) {
        node->armed = at[which];
        return;
    }
    w->faults[SIM_CRASH]++;
    sim_node_stop(w, node, SIM_DOWN, sim_draw_ns(w, SIM_MS(1), SIM_MS(4000)));
}

static void fail_power(struct sim_world *w)
{
    bool all = sim_draw(w, 2) == 0;
    w->faults[SIM_POWER]++;
    for (uint32_t i = 0; i < w->n_nodes; i++)
        if (all || sim_draw(w, 2) == 0)
            sim_node_stop(w, &w->nodes[i], SIM_DOWN, sim_draw_ns(w, SIM_MS(1), SIM_MS(1000)));
}

static void spoil_clock(struct sim_world *w)
{
    struct sim_node *node = draw_node(w);
    int64_t off_ns = sim_local(node, w->now_ns) - w->now_ns;
    switch (sim_draw(w, 3)) {
    case 0:
        w->faults[SIM_CLOCK_DRIFT]++;
        sim_clock_set(w, node, 0, (int32_t)sim_draw(w, 1001) - 500);
        break;
    case 1:
        w->faults[SIM_CLOCK_FORWARD]++;
        sim_clock_set(w, node, sim_draw_ns(w, 0, SIM_MS(400)), node->drift_ppm);
        break;
    default:
        w->faults[SIM_CLOCK_BACK]++;
        sim_clock_set(w, node, -off_ns - sim_draw_ns(w, 0, SIM_MS(200)), node->drift_ppm);
    }
}

static void spoil_disk(struct sim_world *w)
{
    struct sim_node *node = draw_node(w);
    if (node->state != SIM_UP)
        return;
    switch (sim_draw(w, 3)) {
    case 0:
        node->slow_until_ns = w->now_ns + draw_length_ns(w);
        break;
    case 1:
        node->full_until_ns = w->now_ns + draw_length_ns(w);
        break;
    default:
        node->sync_fails = true;
    }
}

/* One disk at a time may turn back: what a majority forgot is gone for good. The next one may once the last one votes again, has
 * executed what the others had not yet when it forgot, and with Raft holds no less of a log than it forgot. One that contradicted itself stays one of the f: what it said is
 * evidence, and whoever finds it has it convicted. */
static bool may_forget(const struct sim_world *w)
{
    struct chain_node_stats s;
    if (!w->forgot)
        return true;
    if (w->forgot->state != SIM_UP || w->forgot->height <= w->forgot_top)
        return false;
    chain_node_stats(w->forgot->node, &s);
    if (s.engine.log_term < w->forgot_log_term || (s.engine.log_term == w->forgot_log_term && s.engine.log_index < w->forgot_log_index))
        return false;
    return s.votes && s.certified_height > w->forgot_top && !w->forgot->contradicted;
}

static void forget(struct sim_world *w, struct sim_node *node, int64_t down_ns)
{
    struct chain_node_stats s;
    chain_node_stats(node->node, &s);
    w->forgot_log_term = s.engine.log_term;
    w->forgot_log_index = s.engine.log_index;
    sim_node_stop(w, node, SIM_DOWN, down_ns);
    w->forgot = node;
    node->forgot = true;
    sim_check_witnesses(w, node);
    w->forgot_top = w->top;
    uint64_t lost = sim_disk_roll_back(&node->disk);
    sim_log(w, "node %u has lost %llu turns of its disk", node->index, (unsigned long long)lost);
    w->faults[SIM_ROLLBACK] += lost > 0;
}

/* ---- Raft with five members and more: what was said and forgotten is counted with what others say later */

static struct sim_node *find_leader(struct sim_world *w)
{
    struct sim_node *leader = NULL;
    for (uint32_t i = 0; i < w->n_nodes && !w->cfg.ops->byzantine && w->n_nodes >= 5; i++) {
        struct chain_node_stats s;
        if (w->nodes[i].state != SIM_UP)
            continue;
        chain_node_stats(w->nodes[i].node, &s);
        leader = s.engine.is_leader ? &w->nodes[i] : leader;
    }
    return leader;
}

/* Two, or one and the same, hear nobody but each other. */
static void cut_off(struct sim_world *w, const struct sim_node *a, const struct sim_node *b, int64_t until_ns)
{
    for (uint32_t i = 0; i < w->n_nodes; i++)
        if (i != a->index && i != b->index)
            w->cut_until_ns[a->index][i] = w->cut_until_ns[i][a->index] = w->cut_until_ns[b->index][i] = w->cut_until_ns[i][b->index] = until_ns;
}

static void forget_later(struct sim_world *w, struct sim_node *leader, struct sim_node *node)
{
    sim_disk_backup(&node->disk);
    w->astray = (struct sim_astray){.leader = leader, .forgetful = node};
    w->next_fault_ns = w->now_ns + sim_draw_ns(w, SIM_MS(10), SIM_MS(200));
    for (uint32_t i = 0; i < w->n_nodes; i++)
        if (i != node->index && i != leader->index)
            w->cut_until_ns[leader->index][i] = w->cut_until_ns[i][leader->index] = w->next_fault_ns;
}

/* First the leader is heard by the one alone whose disk turns back, then by nobody while that asks the others, then by one of these alone, and then both
 * may be away for long. */
static void go_astray(struct sim_world *w)
{
    struct sim_astray *a = &w->astray;
    if (!a->late) {
        a->late = draw_node(w);
        w->next_fault_ns = w->now_ns + sim_draw_ns(w, SIM_MS(20), SIM_MS(150));
        if (a->forgetful->state == SIM_UP && a->leader->state == SIM_UP && a->late != a->leader && a->late != a->forgetful && may_forget(w)) {
            forget(w, a->forgetful, sim_draw_ns(w, SIM_MS(1), SIM_MS(40)));
            cut_off(w, a->leader, a->leader, w->next_fault_ns);
            return;
        }
    } else if (!a->met) {
        a->met = true;
        w->next_fault_ns = w->now_ns + sim_draw_ns(w, SIM_MS(5), SIM_MS(150));
        cut_off(w, a->leader, a->leader, w->next_fault_ns);
        w->cut_until_ns[a->leader->index][a->late->index] = w->cut_until_ns[a->late->index][a->leader->index] = w->now_ns;
        return;
    } else {
        int64_t until_ns = w->now_ns + sim_draw_ns(w, SIM_MS(20), SIM_MS(2000));
        cut_off(w, a->leader, sim_draw(w, 2) == 0 ? a->late : a->leader, until_ns);
    }
    *a = (struct sim_astray){0};
}

static void turn_disk_back(struct sim_world *w)
{
    struct sim_node *node = draw_node(w);
    if (!w->cfg.rollback || node->state != SIM_UP || node->liar)
        return;
    if (!node->disk.has_backup || sim_draw(w, 4) == 0) {
        sim_disk_backup(&node->disk);
        return;
    }
    if (!may_forget(w))
        return;
    struct sim_node *leader = find_leader(w);
    if (leader && leader != node && sim_draw(w, 2) == 0) {
        forget_later(w, leader, node);
        return;
    }
    forget(w, node, sim_draw_ns(w, SIM_MS(1), SIM_MS(500)));
}

void sim_fault_now(struct sim_world *w)
{
    w->next_fault_ns = w->now_ns + sim_draw_ns(w, w->fault_every_ns / 8, 2 * w->fault_every_ns);
    if (w->astray.forgetful) {
        go_astray(w);
        return;
    }
    switch (sim_draw(w, 18)) {
    case 0:
    case 1:
        cut_in_two(w);
        break;
    case 2:
        cut_links(w);
        break;
    case 3:
        w->faults[SIM_BLACKOUT]++;
        w->blackout_until_ns = w->now_ns + sim_draw_ns(w, SIM_MS(10), SIM_MS(1000));
        break;
    case 4:
        w->loss_until_ns = w->now_ns + draw_length_ns(w);
        w->extra_loss_permille = 100 + (uint32_t)sim_draw(w, 500);
        break;
    case 5:
        w->delay_until_ns = w->now_ns + draw_length_ns(w);
        w->extra_delay_ns = sim_draw_ns(w, SIM_MS(5), SIM_MS(800));
        break;
    case 6:
        replay_frames(w);
        break;
    case 7:
        w->corrupt_until_ns = w->now_ns + draw_length_ns(w);
        break;
    case 8:
    case 9:
        spoil_clock(w);
        break;
    case 10:
        fail_power(w);
        break;
    case 11:
    case 12:
        spoil_disk(w);
        break;
    case 13:
    case 14:
    case 15:
        turn_disk_back(w);
        break;
    default:
        crash_one(w);
    }
}

/* No more faults but a little loss; whoever is down comes back, clocks are right again. */
void sim_calm_down(struct sim_world *w)
{
    w->calm = w->closing = true;
    w->next_fault_ns = INT64_MAX;
    memset(w->cut_until_ns, 0, sizeof w->cut_until_ns);
    w->blackout_until_ns = w->loss_until_ns = w->delay_until_ns = w->corrupt_until_ns = 0;
    w->loss_permille = w->loss_permille > 0 ? 20 : 0;
    w->delay_max_ns = SIM_MS(3);
    w->sync_ns = SIM_MS(1) / 2;
    for (uint32_t i = 0; i < w->n_nodes; i++) {
        struct sim_node *node = &w->nodes[i];
        node->armed = SIM_FAULTS;
        node->slow_until_ns = node->full_until_ns = 0;
        node->sync_fails = false;
        if (node->state != SIM_UP)
            sim_node_start(w, node);
        sim_clock_set(w, node, w->now_ns - sim_local(node, w->now_ns), 0);
    }
}
