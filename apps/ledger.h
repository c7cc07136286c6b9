/* The subcommands of airdeed ledger; argv[0] is "ledger submit" and so on. */
#ifndef APPS_LEDGER_H
#define APPS_LEDGER_H

#include "chain/proof.h"

int app_ledger_submit(int argc, char **argv);
int app_ledger_show(int argc, char **argv);
int app_ledger_get(int argc, char **argv);
int app_ledger_leases(int argc, char **argv);
int app_ledger_status(int argc, char **argv);
int app_ledger_prove(int argc, char **argv);
int app_ledger_check(int argc, char **argv);
int app_ledger_state(int argc, char **argv);
int app_ledger_verify(int argc, char **argv);
/* What check says of a proof, and prove --json of its own; fault: why it does not hold, or NULL. Returns the exit code. */
int app_ledger_report_proof(const struct chain_proof_result *proof, const char *fault, bool as_json);
#endif
