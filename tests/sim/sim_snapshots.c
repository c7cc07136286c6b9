/* Disks that prune: in a share of the worlds a disk hands out its newest blocks alone, and a snapshot in the place of the others. What a state
 * and an epoch's end look like is the same on every honest disk, so that one copy of each is kept for all of them. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chain/ledger_entries.h"
#include "chain/snapshot.h"
#include "tests/sim/sim.h"

enum { KEPT = 2 }; /* snapshots that a disk has */

struct sim_snapshots {
    size_t cap;
    struct {
        uint8_t *octets;
        size_t len;
    } *states; /* [height / SIM_SNAPSHOT_BLOCKS] */
    struct {
        uint64_t height;
        struct chain_ledger_entry members;
        struct chain_map_proof path;
        size_t header_len, cert_len;
        uint8_t header[CHAIN_MAX_HEADER_BYTES], cert[CHAIN_MAX_CERT_BYTES];
    } ends[SIM_MAX_EPOCHS]; /* [epoch] */
    uint8_t spoilt[CHAIN_SNAPSHOT_PART_BYTES];
};

struct sim_snapshots *sim_snapshots_new(void)
{
    struct sim_snapshots *s = calloc(1, sizeof *s);
    assert(s);
    return s;
}

void sim_snapshots_free(struct sim_snapshots *s)
{
    for (size_t i = 0; s && i < s->cap; i++)
        free(s->states[i].octets);
    if (s)
        free(s->states);
    free(s);
}

static void keep_state(struct sim_snapshots *s, const struct chain_ledger *l)
{
    size_t at = (size_t)(chain_ledger_height(l) / SIM_SNAPSHOT_BLOCKS);
    if (at >= s->cap) {
        size_t cap = 2 * at + 16;
        s->states = realloc(s->states, cap * sizeof s->states[0]);
        assert(s->states);
        memset(s->states + s->cap, 0, (cap - s->cap) * sizeof s->states[0]);
        s->cap = cap;
    }
    if (s->states[at].octets)
        return;
    size_t len = chain_snapshot_bytes(l);
    s->states[at].octets = malloc(len);
    assert(s->states[at].octets);
    s->states[at].len = (size_t)chain_snapshot_encode(l, s->states[at].octets, len);
}

void sim_snapshots_block(struct sim_snapshots *s, const struct chain_node_block *row, uint32_t epoch, const struct chain_ledger *l)
{
    if (!s || epoch >= SIM_MAX_EPOCHS)
        return;
    if (chain_ledger_members(l)->epoch == epoch) {
        if (row->height % SIM_SNAPSHOT_BLOCKS == 0)
            keep_state(s, l);
        return;
    }
    s->ends[epoch].height = row->height;
    s->ends[epoch].header_len = row->header_len;
    memcpy(s->ends[epoch].header, row->header, row->header_len);
    chain_ledger_find_entry(l, CHAIN_TABLE_MEMBERS, 0, 0, &s->ends[epoch].members);
    chain_ledger_prove_entry(l, CHAIN_TABLE_MEMBERS, 0, 0, &s->ends[epoch].path);
}

void sim_snapshots_cert(struct sim_snapshots *s, const struct chain_node_block *row)
{
    for (size_t i = 0; s && i < SIM_MAX_EPOCHS; i++)
        if (s->ends[i].height == row->height && s->ends[i].cert_len == 0) {
            memcpy(s->ends[i].cert, row->cert, row->cert_len);
            s->ends[i].cert_len = row->cert_len;
        }
}

static bool holds(const struct sim_disk *d, uint64_t height)
{
    size_t at = (size_t)(height / SIM_SNAPSHOT_BLOCKS);
    return height > 0 && height >= d->base && height <= d->height && height % SIM_SNAPSHOT_BLOCKS == 0 && at < d->snapshots->cap &&
           d->snapshots->states[at].octets && d->blocks[height].cert_len > 0;
}

uint64_t sim_disk_newest(const struct sim_disk *d, const uint8_t **octets_out, size_t *len_out)
{
    uint64_t height = d->snapshots ? d->height - d->height % SIM_SNAPSHOT_BLOCKS : 0;
    while (height > 0 && !holds(d, height))
        height = height > SIM_SNAPSHOT_BLOCKS ? height - SIM_SNAPSHOT_BLOCKS : 0;
    if (height > 0) {
        *octets_out = d->snapshots->states[height / SIM_SNAPSHOT_BLOCKS].octets;
        *len_out = d->snapshots->states[height / SIM_SNAPSHOT_BLOCKS].len;
    }
    return height;
}

int sim_disk_read_part(void *disk, uint64_t height, size_t offset, size_t most, struct chain_node_snapshot *out)
{
    const struct sim_disk *d = disk;
    const uint8_t *octets;
    size_t len;
    uint64_t newest = sim_disk_newest(d, &octets, &len);
    if (newest == 0)
        return -ENOENT;
    height = height > 0 ? height : newest;
    if (height + (KEPT - 1) * SIM_SNAPSHOT_BLOCKS < newest || !holds(d, height))
        return -ENOENT;
    octets = d->snapshots->states[height / SIM_SNAPSHOT_BLOCKS].octets;
    len = d->snapshots->states[height / SIM_SNAPSHOT_BLOCKS].len;
    if (offset >= len)
        return -ENOENT;
    most = most < SIM_PART_BYTES ? most : SIM_PART_BYTES; /* several of them, though the state is small */
    *out = (struct chain_node_snapshot){.height = height, .len = len, .part = octets + offset, .part_len = len - offset < most ? len - offset : most};
    if (d->lies && out->part_len > 0) {
        memcpy(d->snapshots->spoilt, out->part, out->part_len);
        d->snapshots->spoilt[(height + offset) % out->part_len] ^= 4;
        out->part = d->snapshots->spoilt;
    }
    return 0;
}

int sim_disk_read_epoch(void *disk, uint64_t epoch, uint64_t *height_out, struct chain_proof_epoch *out)
{
    const struct sim_disk *d = disk;
    if (!d->snapshots || epoch >= SIM_MAX_EPOCHS || d->snapshots->ends[epoch].cert_len == 0 || d->snapshots->ends[epoch].height > d->height)
        return -ENOENT;
    *height_out = d->snapshots->ends[epoch].height;
    *out = (struct chain_proof_epoch){.header = d->snapshots->ends[epoch].header, .header_len = d->snapshots->ends[epoch].header_len,
                                      .cert = d->snapshots->ends[epoch].cert, .cert_len = d->snapshots->ends[epoch].cert_len,
                                      .members = d->snapshots->ends[epoch].members.value,
                                      .members_len = d->snapshots->ends[epoch].members.value_len, .path = &d->snapshots->ends[epoch].path};
    return 0;
}
