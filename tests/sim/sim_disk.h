/* A disk in memory. What is written stands in a log of turns, each with its length and a checksum; a sync moves the turns up to a mark
 * into the image, and that is what survives for sure. A crash may lose, cut or spoil whatever of the log was not synced; reading stops
 * at the first turn that does not check. */
#ifndef TESTS_SIM_SIM_DISK_H
#define TESTS_SIM_SIM_DISK_H

#include "chain/node.h"

struct sim_row {
    uint64_t key;
    size_t len;
    uint8_t *data;
};

struct sim_disk_block {
    uint64_t turn, cert_turn; /* that wrote them; 0: no certificate */
    uint8_t *batch, *header, *cert;
    size_t batch_len, header_len, cert_len;
    uint32_t n_signers;
};

struct sim_disk {
    uint64_t turn;       /* last one in the image */
    size_t n_rows, cap_rows;
    struct sim_row *rows; /* by key */
    uint64_t height;
    size_t cap_blocks;
    struct sim_disk_block *blocks; /* [height] */
    /* not yet synced */
    uint8_t *log;
    size_t log_len, log_cap;
    uint64_t log_turn;
    /* an older state to turn back to */
    bool has_backup;
    uint64_t backup_turn;
    size_t n_backup;
    struct sim_row *backup;
    /* sim_snapshots.c */
    uint64_t base;                   /* came by a snapshot of this height; 0: has all blocks */
    struct sim_snapshots *snapshots; /* the world's; NULL: this disk keeps all and knows none */
    bool lies;                       /* about the state in a snapshot */
};

enum { SIM_SNAPSHOT_BLOCKS = 4, SIM_SERVED_BLOCKS = CHAIN_NODE_MAX_OPEN + 1, SIM_PART_BYTES = 1500 };

/* One turn: the rows and blocks of an update. */
void sim_disk_write(struct sim_disk *d, const struct chain_node_update *u);
/* Everything written up to mark (a former log_turn) is safe. */
void sim_disk_sync(struct sim_disk *d, uint64_t mark);
/* The power fails: octets keep of the log survive, and of those the last `spoilt` are garbage. Returns how many turns were lost. */
uint64_t sim_disk_crash(struct sim_disk *d, size_t keep, size_t spoilt);
void sim_disk_backup(struct sim_disk *d);
/* Back to the backup. Returns how many turns that takes away. */
uint64_t sim_disk_roll_back(struct sim_disk *d);
void sim_disk_wipe(struct sim_disk *d);
/* The newest snapshot that a disk has; 0: none. */
uint64_t sim_disk_newest(const struct sim_disk *d, const uint8_t **octets_out, size_t *len_out);
int sim_disk_read_part(void *disk, uint64_t height, size_t offset, size_t most, struct chain_node_snapshot *out);
int sim_disk_read_epoch(void *disk, uint64_t epoch, uint64_t *height_out, struct chain_proof_epoch *out);
int sim_disk_read_block(void *disk, uint64_t height, struct chain_node_block *out);
#endif
