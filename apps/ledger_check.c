/* airdeed ledger check: what does a proof prove? */
#include "apps/ledger.h"
#include "apps/ledger_entry.h"
#include "apps/ledger_json.h"
#include "apps/node_cluster.h"
#include "apps/options.h"
#include "chain/ledger_entries.h"
#include "chain/proof.h"
#include "chain/store/prove.h"
#include "chain/tx.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_PROOF_BYTES = 1 << 22, HEX_BYTES = 2 * CHAIN_HASH_BYTES + 1 };

static uint8_t *read_all(const char *path, size_t *len_out)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = file ? malloc(MAX_PROOF_BYTES) : NULL;
    *len_out = data ? fread(data, 1, MAX_PROOF_BYTES, file) : 0;
    bool ok = data && !ferror(file) && feof(file);
    int error = errno;
    if (file)
        fclose(file);
    if (ok)
        return data;
    fprintf(stderr, "airdeed ledger check: %s: %s\n", path, !file ? strerror(error) : data ? "no proof" : "not enough memory");
    free(data);
    return NULL;
}

/* The hash of the genesis block of a cluster file, of a database, or in a file of its octets. */
static int hash_genesis(const char *path, struct chain_hash *out)
{
    struct chain_genesis *g = malloc(sizeof *g);
    struct app_node_cluster *cluster = malloc(sizeof *cluster);
    uint8_t octets[CHAIN_MAX_GENESIS_BYTES];
    size_t len = 0;
    char error[CHAIN_STORE_MAX_ERROR + APP_NODE_MAX_ERROR];
    FILE *file = fopen(path, "rb");
    int rc = -EINVAL;
    if (g && cluster && file) {
        len = fread(octets, 1, sizeof octets, file);
        bool is_database = len >= 16 && memcmp(octets, "SQLite format 3", 16) == 0;
        if (is_database)
            rc = chain_store_read_genesis(path, octets, &len, error);
        if ((!is_database || rc == 0) && chain_genesis_decode(g, octets, len) == 0)
            rc = chain_genesis_finish(g, out, NULL);
        else if (!is_database && (rc = app_node_cluster_read(path, cluster, error)) == 0)
            rc = chain_genesis_finish(&cluster->genesis, out, NULL);
    }
    if (file)
        fclose(file);
    free(cluster);
    free(g);
    if (rc != 0)
        fprintf(stderr, "airdeed ledger check: %s: neither a cluster file nor a genesis block nor a ledger database\n", path);
    return rc;
}

/* The genesis hash's first 8 octets or more, in hexadecimal. */
static bool may_be_chain(const char *text)
{
    size_t len = strlen(text);
    return len >= 16 && len <= 2 * CHAIN_HASH_BYTES && strspn(text, "0123456789abcdefABCDEF") == len;
}

static bool is_chain(const char *text, const struct chain_hash *hash)
{
    char hex[HEX_BYTES];
    sodium_bin2hex(hex, sizeof hex, hash->octets, sizeof hash->octets);
    return strncasecmp(text, hex, strlen(text)) == 0;
}

static json_t *hex_json(const uint8_t *data, size_t len)
{
    char *hex = malloc(2 * len + 1);
    json_t *out = hex ? json_string(sodium_bin2hex(hex, 2 * len + 1, data, len)) : NULL;
    free(hex);
    return out;
}

static void describe_tx(const struct chain_proof_result *p, json_t *out, char *words, size_t cap)
{
    const struct chain_proof_claim *c = &p->claim;
    struct chain_members members = p->genesis.members;
    struct chain_msg msg;
    struct chain_tx_reader ops;
    members.n_keys = CHAIN_MAX_KEYS;
    int n = chain_msg_decode(&members, c->tx, c->tx_len, &msg, NULL) == 0 ? chain_tx_begin(&ops, msg.body, msg.body_len) : -1;
    json_t *names = json_array();
    struct chain_op op;
    while (n > 0 && chain_tx_next(&ops, &op) == 0)
        json_array_append_new(names, json_string(chain_op_name(op.kind)));
    snprintf(words, cap, "transaction %llu of %llu in block %llu", (unsigned long long)c->index + 1, (unsigned long long)c->n_txs,
             (unsigned long long)p->header.height);
    json_object_set_new(out, "index", json_integer((json_int_t)c->index));
    if (n > 0) {
        size_t at = strlen(words);
        snprintf(words + at, cap - at, ": %zu operation%s of key %u, nonces from %llu", json_array_size(names), n == 1 ? "" : "s",
                 (unsigned)msg.author, (unsigned long long)msg.seq);
        json_object_set_new(out, "author", json_integer(msg.author));
        json_object_set_new(out, "nonce", json_integer((json_int_t)msg.seq));
    }
    json_object_set_new(out, "operations", names);
    json_object_set_new(out, "transaction", hex_json(c->tx, c->tx_len));
}

static void describe(const struct chain_proof_result *p, json_t *out, char *words, size_t cap)
{
    static const char *const kinds[] = {[CHAIN_PROOF_TX] = "transaction", [CHAIN_PROOF_ENTRY] = "entry", [CHAIN_PROOF_ABSENT] = "absent",
                                        [CHAIN_PROOF_CONSISTENCY] = "consistency"};
    const struct chain_proof_claim *c = &p->claim;
    const struct chain_ledger_table_ops *table = chain_ledger_table(c->table);
    json_object_set_new(out, "claim", json_string(kinds[c->kind]));
    if (c->kind == CHAIN_PROOF_TX) {
        describe_tx(p, out, words, cap);
    } else if (c->kind == CHAIN_PROOF_CONSISTENCY) {
        snprintf(words, cap, "block %llu is in the chain of block %llu", (unsigned long long)p->earlier.height, (unsigned long long)p->header.height);
        json_object_set_new(out, "earlier_height", json_integer((json_int_t)p->earlier.height));
    } else {
        snprintf(words, cap, "entry [%s, %llu, %llu] %s after block %llu", table ? table->name : "unknown", (unsigned long long)c->id,
                 (unsigned long long)c->sub, c->kind == CHAIN_PROOF_ENTRY ? "is in the state" : "is not in the state",
                 (unsigned long long)p->header.height);
        json_object_set_new(out, "table", table ? json_string(table->name) : json_integer((json_int_t)c->table));
        json_object_set_new(out, "id", json_integer((json_int_t)c->id));
        json_object_set_new(out, "sub", json_integer((json_int_t)c->sub));
        if (c->kind != CHAIN_PROOF_ENTRY)
            return;
        json_t *entry = app_ledger_entry_json(&p->genesis, c->table, c->id, c->sub, c->value, c->value_len);
        json_object_set_new(out, "entry", entry ? entry : json_null()); /* a later version's table may say more */
        json_object_set_new(out, "value", hex_json(c->value, c->value_len));
    }
}

static void print_holds(const struct chain_proof_result *p, const json_t *out, const char *words, const char *chain)
{
    const json_t *entry = json_object_get(out, "entry");
    printf("holds: %s%s\n", words, p->claim.kind == CHAIN_PROOF_TX ? "; it was ordered there, accepted or refused" : "");
    if (json_is_object(entry)) {
        printf("entry: ");
        app_ledger_print_entry(entry);
    }
    printf("certificate: %u of %u needed signatures in epoch %u, %s\nledger: %s, genesis %s\n", p->n_signers, p->quorum, p->epoch,
           p->byzantine ? "Byzantine" : "crash-fault only", p->genesis.name, chain);
}

int app_ledger_report_proof(const struct chain_proof_result *p, const char *fault, bool as_json)
{
    json_t *out = json_object();
    char words[200] = "", chain[HEX_BYTES];
    json_object_set_new(out, "ok", json_boolean(!fault));
    sodium_bin2hex(chain, sizeof chain, p->genesis_hash.octets, CHAIN_HASH_BYTES);
    if (!fault) {
        describe(p, out, words, sizeof words);
        json_object_set_new(out, "height", json_integer((json_int_t)p->header.height));
        json_object_set_new(out, "block_time_ns", json_integer((json_int_t)p->header.time_ns));
        json_object_set_new(out, "epoch", json_integer(p->epoch));
        json_object_set_new(out, "signers", json_integer(p->n_signers));
        json_object_set_new(out, "needed", json_integer(p->quorum));
        json_object_set_new(out, "certificate", json_string(p->byzantine ? "Byzantine" : "crash-fault only"));
    }
    json_object_set_new(out, "genesis", json_string(chain));
    json_object_set_new(out, "fault", fault ? json_string(fault) : json_null());
    if (as_json)
        app_ledger_print_json(out);
    else if (fault)
        printf("does not hold: %s\n", fault);
    else
        print_holds(p, out, words, chain);
    json_decref(out);
    return fault ? APP_EXPECTATION_FAILED : APP_OK;
}

static int check(const char *path, const char *genesis, const char *chain, bool as_json)
{
    static struct chain_proof_result result;
    struct chain_ed25519 no_key = {0};
    struct chain_signer signer = chain_signer_ed25519(&no_key);
    struct chain_hash trusted = {0};
    if (genesis && hash_genesis(genesis, &trusted) != 0)
        return APP_BAD_USAGE;
    size_t len;
    uint8_t *data = read_all(path, &len);
    if (!data)
        return APP_BAD_USAGE;
    int code = APP_BAD_USAGE, rc = chain_proof_check(data, len, &signer, &result);
    if (rc == -EINVAL) {
        fprintf(stderr, "airdeed ledger check: %s: no proof\n", path);
    } else {
        bool ours = genesis ? memcmp(&trusted, &result.genesis_hash, sizeof trusted) == 0 : is_chain(chain, &result.genesis_hash);
        code = app_ledger_report_proof(&result, ours ? result.fault : "it is of another ledger: its genesis block differs", as_json);
    }
    free(data);
    return code;
}

int app_ledger_check(int argc, char **argv)
{
    const char *genesis = NULL, *chain = NULL;
    bool as_json = false;
    const struct app_option options[] = {
        {"genesis", APP_TEXT, &genesis, "FILE", "the ledger's cluster file, genesis block or database, from who is trusted", 0, 0, NULL},
        {"chain", APP_TEXT, &chain, "HEX", "or the hash of its genesis block: 16 to 64 digits", 0, 0, NULL},
        {"json", APP_FLAG, &as_json, NULL, "prints {ok, claim, height, signers, certificate, fault, ...}", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL},
    };
    int n_positional, code;
    if (app_options_parse(argc, argv, options, "ledger check PROOF --genesis FILE | --chain HEX",
                          "Checks a proof that airdeed ledger prove wrote, without any chain, and says what it proves, and whether the certificate\n"
                          "under it stands against lying members (Byzantine) or only against failing ones (crash-fault only). That a transaction is in a block\n"
                          "does not say that it succeeded: the entry that it made does (airdeed ledger prove --entry).\n"
                          "Exit codes: 0 it holds, 1 it does not, 2 no proof, or bad usage.",
                          &n_positional, &code))
        return code;
    if (n_positional != 1 || (genesis != NULL) + (chain != NULL) != 1) {
        fprintf(stderr, "airdeed ledger check: a PROOF and one of --genesis and --chain are needed\n");
        return APP_BAD_USAGE;
    }
    if (chain && !may_be_chain(chain)) {
        fprintf(stderr, "airdeed ledger check: --chain %s: 16 to 64 hexadecimal digits are needed\n", chain);
        return APP_BAD_USAGE;
    }
    return check(argv[1], genesis, chain, as_json);
}
