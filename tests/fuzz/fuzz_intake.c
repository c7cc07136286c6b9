/* Submissions from any octets: whatever comes, each operation is answered at most once, and what was taken in can be executed. */
#include "apps/node_intake.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct app_node_intake intake;
static uint64_t n_answers;

static void require(bool ok)
{
    if (!ok)
        abort();
}

static int submit_body(void *ctx, const uint8_t *body, size_t len, uint64_t *nonce_out)
{
    uint64_t *next = ctx;
    int n = chain_tx_count(body, len);
    require(n > 0);
    *nonce_out = *next;
    *next += (uint64_t)n;
    return 0;
}

static int submit_tx(void *ctx, const struct chain_msg *tx, const uint8_t *octets, size_t len)
{
    (void)ctx, (void)tx;
    return len > 0 && octets[len - 1] & 1 ? CHAIN_REG_PENDING : 0;
}

static void hear(void *ctx, const struct chain_net_caller *to, const uint8_t *answers, size_t len)
{
    (void)ctx;
    require(to->len == 1 && len > 0 && answers[0] >= 0x81);
    n_answers++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint64_t next_nonce = 1;
    static struct chain_members members = {.n = 1, .n_keys = 2};
    struct chain_net_event event = {.kind = CHAIN_NET_SUBMIT, .caller = {.len = 1}, .data = data, .len = len};
    memset(&intake, 0, sizeof intake);
    app_node_intake_init(&intake);
    intake.members = &members;
    intake.ctx = &next_nonce;
    intake.submit_body = submit_body;
    intake.submit_tx = submit_tx;
    intake.send = hear;
    require(app_node_intake_take(&intake, &event, 1) == 0);
    require(app_node_intake_pack(&intake, 1) == 0);
    require(intake.n_queued == 0);
    for (uint64_t nonce = 1; nonce < next_nonce; nonce++) {
        struct chain_ledger_event done = {.kind = CHAIN_LE_TX, .nonce = nonce, .height = 1, .op = CHAIN_OP_REGISTER};
        app_node_intake_executed(&intake, &done);
    }
    app_node_intake_flush(&intake, INT64_MAX / 2); /* whatever waits for another key's block is given up */
    require(intake.n_pending == 0 && intake.callers[0].n_open == 0);
    require(intake.stats.answered <= APP_INTAKE_MAX_ITEMS * CHAIN_MAX_TX_OPS);
    return 0;
}
