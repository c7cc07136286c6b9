/* airdeed ledger prove: a proof out of a database. */
#include "apps/ledger.h"
#include "apps/ledger_entry.h"
#include "apps/options.h"
#include "chain/store/prove.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int read_question(char **words, int n, bool tx, bool consistency, struct chain_store_question *q)
{
    uint64_t a = 0, b = 0;
    if (tx || consistency) {
        if (n != 2 || app_parse_u64(words[0], &a) != 0 || app_parse_u64(words[1], &b) != 0 || (tx && a >= CHAIN_MAX_KEYS))
            return -EINVAL;
        q->kind = tx ? CHAIN_PROOF_TX : CHAIN_PROOF_CONSISTENCY;
        q->author = (uint32_t)a;
        q->nonce = b;
        q->earlier = a;
        q->later = b;
        return 0;
    }
    q->kind = CHAIN_PROOF_ENTRY;
    if (n > 0 && app_ledger_find_table("ledger prove", words[0], &q->table) != 0)
        return -ENOENT;
    if (n < 2 || n > 3 || app_parse_u64(words[1], &q->id) != 0)
        return -EINVAL;
    return n == 3 ? app_parse_u64(words[2], &q->sub) : 0;
}

static int write_out(const char *path, const uint8_t *data, size_t len)
{
    FILE *file = path ? fopen(path, "wb") : stdout;
    bool ok = file && fwrite(data, 1, len, file) == len && fflush(file) == 0;
    if (file && path)
        ok = fclose(file) == 0 && ok;
    if (!ok)
        fprintf(stderr, "airdeed ledger prove: %s: %s\n", path ? path : "standard output", strerror(errno));
    return ok ? APP_OK : APP_SYSTEM_FAILED;
}

/* Asked for presence, proved absence, or the other way round: the answer is no. */
static int judge(const uint8_t *data, size_t len, bool entry, bool absent, struct chain_proof_result *result)
{
    struct chain_ed25519 no_key = {0};
    struct chain_signer signer = chain_signer_ed25519(&no_key);
    int rc = chain_proof_check(data, len, &signer, result);
    if (rc != 0) {
        fprintf(stderr, "airdeed ledger prove: what the database holds proves nothing: %s\n", result->fault ? result->fault : "no proof comes of it");
        return APP_EXPECTATION_FAILED;
    }
    if (entry && result->claim.kind == CHAIN_PROOF_ABSENT)
        fprintf(stderr, "airdeed ledger prove: there is no such entry at height %llu; --absent proves that\n", (unsigned long long)result->header.height);
    else if (absent && result->claim.kind == CHAIN_PROOF_ENTRY)
        fprintf(stderr, "airdeed ledger prove: the entry is there at height %llu; --entry proves that\n", (unsigned long long)result->header.height);
    else
        return APP_OK;
    return APP_EXPECTATION_FAILED;
}

static const char about[] =
    "Writes a proof that holds without the chain: airdeed ledger check needs the hash of the genesis block and nothing else.\n"
    "  --tx AUTHOR NONCE        the transaction of a key id with this nonce is in a block\n"
    "  --entry TABLE ID [SUB]   what the state says after the last certified block\n"
    "  --absent TABLE ID [SUB]  that it says nothing\n"
    "  --consistency H1 H2      block H1 is in the chain of block H2, and nothing below it was changed\n"
    "Tables: those of airdeed ledger state, or their numbers (docs/wire).\n"
    "The database may be read while its node runs.\n"
    "Exit codes: 0 the proof is written, 1 there is no such thing, or it is not certified, 2 no ledger database.";

int app_ledger_prove(int argc, char **argv)
{
    static struct chain_proof_result result;
    bool tx = false, entry = false, absent = false, consistency = false, as_json = false;
    const char *out = NULL;
    const struct app_option options[] = {
        {"tx", APP_FLAG, &tx, NULL, "a transaction", 0, 0, NULL},
        {"entry", APP_FLAG, &entry, NULL, "an entry of the state", 0, 0, NULL},
        {"absent", APP_FLAG, &absent, NULL, "that there is no such entry", 0, 0, NULL},
        {"consistency", APP_FLAG, &consistency, NULL, "that one block follows from another", 0, 0, NULL},
        {"out", APP_TEXT, &out, "FILE", "where to; default standard output", 0, 0, NULL},
        {"json", APP_FLAG, &as_json, NULL, "with --out: prints what it proves, as airdeed ledger check --json does", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL},
    };
    int n_positional, code;
    if (app_options_parse(argc, argv, options, "ledger prove DB --tx|--entry|--absent|--consistency WORDS [--out FILE] [--json]", about, &n_positional, &code))
        return code;
    struct chain_store_question question = {0};
    bool one = n_positional > 0 && tx + entry + absent + consistency == 1;
    int bad = one ? read_question(argv + 2, n_positional - 1, tx, consistency, &question) : -EINVAL;
    if (bad == -ENOENT)
        return APP_BAD_USAGE;
    if (bad != 0) {
        fprintf(stderr, "airdeed ledger prove: a DB and one of --tx AUTHOR NONCE, --entry TABLE ID [SUB], --absent TABLE ID [SUB], --consistency H1 H2 "
                        "are needed\n");
        return APP_BAD_USAGE;
    }
    if (as_json && !out) {
        fprintf(stderr, "airdeed ledger prove: --json needs --out FILE: without it the proof itself goes to standard output\n");
        return APP_BAD_USAGE;
    }
    if (!out && isatty(STDOUT_FILENO)) {
        fprintf(stderr, "airdeed ledger prove: a proof is no text: --out FILE, or redirect it\n");
        return APP_BAD_USAGE;
    }
    uint8_t *data;
    size_t len;
    char error[CHAIN_STORE_MAX_ERROR] = "";
    int rc = chain_store_prove(argv[1], &question, &data, &len, error);
    if (rc != 0) {
        fprintf(stderr, "airdeed ledger prove: %s\n", error);
        return rc == -ENOENT && access(argv[1], R_OK) == 0 ? APP_EXPECTATION_FAILED : rc == -EILSEQ ? APP_EXPECTATION_FAILED : APP_BAD_USAGE;
    }
    code = judge(data, len, entry, absent, &result);
    if (code == APP_OK)
        code = write_out(out, data, len);
    if (code == APP_OK && as_json)
        code = app_ledger_report_proof(&result, NULL, true);
    free(data);
    return code;
}
