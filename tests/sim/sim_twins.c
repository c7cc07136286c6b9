/* Twins (Bano et al., "Twins: BFT Systems Made Robust", OPODIS 2021): one member of four runs in two places with one key, and both are
 * honest programs; together they equivocate, vote twice and forget. A scenario is seven rounds, each with the five machines parted in
 * another way; who leads follows from who is parted from whom, since a primary that is not heard loses its view. Then all are joined. */
#include "tests/sim/sim.h"

enum { ROUNDS = 7, MOST_PARTS = 3 };

/* Each machine in one of up to three parts; nothing passes between parts. */
static void part(struct sim_world *w, int64_t until_ns)
{
    uint64_t parts[SIM_MAX_NODES];
    uint64_t n_parts = 1 + sim_draw(w, MOST_PARTS);
    for (uint32_t i = 0; i < w->n_nodes; i++)
        parts[i] = sim_draw(w, n_parts);
    for (uint32_t i = 0; i < w->n_nodes; i++)
        for (uint32_t k = 0; k < w->n_nodes; k++)
            w->cut_until_ns[i][k] = parts[i] == parts[k] ? 0 : until_ns;
    w->faults[SIM_TWINS] += n_parts > 1;
}

bool sim_run_twins(struct sim_world *w)
{
    for (uint32_t i = 0; i < w->n_nodes && w->failure[0] == 0; i++)
        sim_node_start(w, &w->nodes[i]);
    sim_run_until(w, w->now_ns + (int64_t)sim_draw(w, 10) * w->cfg.heartbeat_ns);
    for (int round = 0; round < ROUNDS && w->failure[0] == 0; round++) {
        /* half of them end before a view does, so that views change in the middle of something */
        int64_t beats = sim_draw(w, 2) == 0 ? 1 + (int64_t)sim_draw(w, 4) : 8 + (int64_t)sim_draw(w, 24);
        int64_t until_ns = w->now_ns + beats * w->cfg.heartbeat_ns;
        part(w, until_ns);
        sim_run_until(w, until_ns);
    }
    return w->failure[0] == 0 && sim_converge(w);
}
