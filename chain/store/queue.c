#include "chain/store/queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int make_room(struct store_queue *q, size_t len)
{
    if (q->begin == q->end)
        q->begin = q->end = 0;
    if (len <= q->cap - q->end)
        return 0;
    if (q->begin > q->cap / 2) {
        memmove(q->octets, q->octets + q->begin, q->end - q->begin);
        q->end -= q->begin;
        q->begin = 0;
    }
    size_t cap = q->cap ? q->cap : 65536;
    while (cap - q->end < len)
        cap *= 2;
    uint8_t *octets = cap == q->cap ? q->octets : realloc(q->octets, cap);
    if (!octets)
        return -ENOMEM;
    q->octets = octets;
    q->cap = cap;
    return 0;
}

static void put_octets(struct store_queue *q, const void *data, size_t len)
{
    if (len > 0)
        memcpy(q->octets + q->end, data, len);
    q->end += len;
}

/* A record: statement, how many values, then each: its type, and its number or its length and octets. */
int store_queue_put(struct store_queue *q, uint8_t statement, const struct store_value *values, size_t n)
{
    size_t len = 2;
    for (size_t i = 0; i < n; i++)
        len += 1 + (values[i].type == 'n' ? 0 : sizeof(int64_t)) + values[i].len;
    if (make_room(q, len) != 0)
        return -ENOMEM;
    uint8_t head[2] = {statement, (uint8_t)n};
    put_octets(q, head, sizeof(head));
    for (size_t i = 0; i < n; i++) {
        int64_t number = values[i].type == 'i' ? values[i].number : (int64_t)values[i].len;
        put_octets(q, &values[i].type, 1);
        if (values[i].type != 'n')
            put_octets(q, &number, sizeof(number));
        if (values[i].type == 't' || values[i].type == 'b')
            put_octets(q, values[i].data, values[i].len);
    }
    return 0;
}

static void take_octets(struct store_queue *q, void *out, size_t len)
{
    memcpy(out, q->octets + q->begin, len);
    q->begin += len;
}

int store_queue_take(struct store_queue *q, uint8_t *statement_out, struct store_value values[STORE_MAX_VALUES])
{
    uint8_t head[2];
    if (q->begin == q->end)
        return -ENOENT;
    take_octets(q, head, sizeof(head));
    for (size_t i = 0; i < head[1]; i++) {
        values[i] = (struct store_value){.type = 'n'};
        take_octets(q, &values[i].type, 1);
        if (values[i].type != 'n')
            take_octets(q, &values[i].number, sizeof(values[i].number));
        if (values[i].type != 't' && values[i].type != 'b')
            continue;
        values[i].len = (size_t)values[i].number;
        values[i].data = q->octets + q->begin;
        q->begin += values[i].len;
    }
    *statement_out = head[0];
    return head[1];
}

size_t store_queue_octets(const struct store_queue *q)
{
    return q->end - q->begin;
}

void store_queue_free(struct store_queue *q)
{
    free(q->octets);
    *q = (struct store_queue){0};
}
