/* airdeed ledger verify: executes a database's blocks again and compares every row. */
#include "apps/ledger.h"
#include "apps/ledger_json.h"
#include "apps/options.h"
#include "chain/store/store.h"

#include <sodium.h>
#include <stdio.h>

static void print_verdict(const struct chain_store_verdict *v, const char *path, const char *root)
{
    if (!v->ok) {
        printf("%s: FAULT: %s\n", path, v->first_fault);
        return;
    }
    if (v->base > 0)
        printf("%s: pruned: what follows builds on the snapshot of block %llu, which its members signed\n", path, (unsigned long long)v->base);
    printf("%s: ok, height %llu (certified to %llu, %s certificates), %llu blocks, %llu transactions\nstate root %s\n", path,
           (unsigned long long)v->height, (unsigned long long)v->certified_height, v->byzantine ? "Byzantine" : "crash-fault only",
           (unsigned long long)v->n_blocks, (unsigned long long)v->n_transactions, root);
}

int app_ledger_verify(int argc, char **argv)
{
    bool as_json = false;
    const struct app_option options[] = {
        {"json", APP_FLAG, &as_json, NULL,
         "prints {ok, height, certified_height, state_root, blocks, transactions, first_fault}", 0, 0, NULL},
        {"", APP_FLAG, NULL, NULL, NULL, 0, 0, NULL},
    };
    int n_positional, code;
    if (app_options_parse(argc, argv, options, "ledger verify DB [--json]",
                          "Executes every block again, from the genesis block or, in a pruned database, from the snapshot at its base, and compares every\n"
                          "row, derived tables too.\n"
                          "Exit codes: 0 all is as it must be, 1 a fault, 2 no ledger database.",
                          &n_positional, &code))
        return code;
    if (n_positional != 1) {
        fprintf(stderr, "airdeed ledger verify: one DB is needed\n");
        return APP_BAD_USAGE;
    }
    struct chain_store_verdict v;
    char error[CHAIN_STORE_MAX_ERROR] = "", root[2 * CHAIN_HASH_BYTES + 1];
    if (chain_store_verify(argv[1], &v, error)) {
        fprintf(stderr, "airdeed ledger verify: %s\n", error);
        return APP_BAD_USAGE;
    }
    sodium_bin2hex(root, sizeof root, v.state_root.octets, CHAIN_HASH_BYTES);
    if (as_json) {
        json_t *verdict = json_pack("{s:b, s:I, s:I, s:s, s:I, s:I, s:s?}", "ok", (int)v.ok, "height", (json_int_t)v.height,
                                    "certified_height", (json_int_t)v.certified_height, "state_root", root, "blocks", (json_int_t)v.n_blocks,
                                    "transactions", (json_int_t)v.n_transactions, "first_fault", v.ok ? NULL : v.first_fault);
        if (v.base > 0)
            json_object_set_new(verdict, "base_height", json_integer((json_int_t)v.base));
        app_ledger_print_json(verdict);
        json_decref(verdict);
    } else {
        print_verdict(&v, argv[1], root);
    }
    return v.ok ? APP_OK : APP_EXPECTATION_FAILED;
}
