/* Derived rows that wait for a quiet moment: statements with their values, in order, and where each block ends. Not for others. */
#ifndef CHAIN_STORE_QUEUE_H
#define CHAIN_STORE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

enum { STORE_MAX_VALUES = 16 };

struct store_value {
    char type; /* i: number, t: text, b: octets, n: NULL */
    int64_t number;
    const void *data;
    size_t len;
};

struct store_queue {
    uint8_t *octets;
    size_t begin, end, cap;
};

/* 0 or -ENOMEM. */
int store_queue_put(struct store_queue *q, uint8_t statement, const struct store_value *values, size_t n);
/* What stands first; data points into the queue until something is put. Returns the number of values; -ENOENT: empty. */
int store_queue_take(struct store_queue *q, uint8_t *statement_out, struct store_value values[STORE_MAX_VALUES]);
size_t store_queue_octets(const struct store_queue *q);
void store_queue_free(struct store_queue *q);
#endif
