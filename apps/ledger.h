/* The subcommands of airdeed ledger; argv[0] is "ledger submit" and so on. */
#ifndef APPS_LEDGER_H
#define APPS_LEDGER_H

int app_ledger_submit(int argc, char **argv);
int app_ledger_show(int argc, char **argv);
int app_ledger_get(int argc, char **argv);
int app_ledger_leases(int argc, char **argv);
int app_ledger_status(int argc, char **argv);
int app_ledger_prove(int argc, char **argv);
int app_ledger_check(int argc, char **argv);
int app_ledger_verify(int argc, char **argv);
#endif
