#include "apps/station/slots.h"

#include "mac/frame.h"

#include <string.h>

enum { RAFT_VOTE_OCTETS = 108, PBFT_VOTE_OCTETS = 126 }; /* a unit test holds bundles of both engines to them */

size_t app_slots_vote_octets(const struct chain_engine_ops *engine)
{
    return engine->byzantine ? PBFT_VOTE_OCTETS : RAFT_VOTE_OCTETS;
}

/* In turn from the station after the proposer on; the proposer comes last. */
static void list_stations(const struct app_slots_config *cfg, bool with_self, struct mac_slot_phase *phase)
{
    for (uint32_t i = 1; i < cfg->n_stations; i++)
        phase->order[phase->n++] = (uint16_t)((cfg->self + i) % cfg->n_stations);
    if (with_self)
        phase->order[phase->n++] = (uint16_t)cfg->self;
}

static int64_t at_least(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

bool app_slots_plan(const struct app_slots_config *cfg, const struct chain_node_send *send, struct mac_slot_plan *out)
{
    if (send->rounds == 0 || send->to != CHAIN_TO_ALL || send->urgency != CHAIN_URGENT_PROPOSAL || cfg->n_stations < 2 ||
        cfg->n_stations > MAC_SLOT_STATIONS)
        return false;
    const struct mac_profile *p = cfg->profile;
    memset(out, 0, sizeof *out);
    out->rate_index = cfg->rate_index;
    out->slot_ns = p->sifs_ns + cfg->airtime_ns(cfg->airtime_ctx, MAC_DATA_OVERHEAD_BYTES + cfg->vote_octets, out->rate_index);
    /* A round's last vote is verified, answered, on disk and signed; the others were heard while it was on its way, unless a member verifies more
     * slowly than votes come. */
    int64_t answer_ns = cfg->grid_ns + cfg->verify_ns + cfg->sign_ns + cfg->persist_ns;
    out->phases[0].offset_ns = at_least(p->sifs_ns, answer_ns + cfg->verify_ns * ((int64_t)send->signatures - 1));
    out->n_phases = send->rounds;
    for (size_t i = 0; i < out->n_phases; i++) {
        struct mac_slot_phase *phase = &out->phases[i];
        list_stations(cfg, i + 1 == out->n_phases, phase);
        if (i == 0)
            continue;
        const struct mac_slot_phase *before = &out->phases[i - 1];
        int64_t behind_ns = (cfg->verify_ns - out->slot_ns) * (int64_t)before->n;
        int64_t gap_ns = at_least(answer_ns - p->sifs_ns + at_least(behind_ns, 0), 0); /* the slot itself ends with SIFS */
        phase->offset_ns = before->offset_ns + (int64_t)before->n * out->slot_ns + gap_ns;
    }
    return true;
}
