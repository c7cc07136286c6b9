/* The schema, described for its readers in docs/ledger-db.md. */
#include "chain/store/rows.h"

#include <stddef.h>
#include <stdio.h>

static const char *const definitions[] = {
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID",

    "CREATE TABLE blocks(height INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, hash BLOB NOT NULL, parent BLOB NOT NULL, "
    "state_root BLOB NOT NULL, n_txs INTEGER NOT NULL, n_signers INTEGER NOT NULL, header BLOB NOT NULL, batch BLOB NOT NULL, "
    "certificate BLOB) STRICT",

    "CREATE TABLE transactions(height INTEGER NOT NULL, i INTEGER NOT NULL, author INTEGER, nonce INTEGER, op TEXT, channel INTEGER, "
    "subject INTEGER, code INTEGER NOT NULL, response TEXT NOT NULL, octets INTEGER NOT NULL, PRIMARY KEY(height, i)) "
    "STRICT, WITHOUT ROWID",

    "CREATE TABLE events(height INTEGER NOT NULL, i INTEGER NOT NULL, time_ns INTEGER NOT NULL, kind TEXT NOT NULL, station INTEGER, "
    "channel INTEGER, subject INTEGER NOT NULL, code INTEGER NOT NULL, PRIMARY KEY(height, i)) STRICT, WITHOUT ROWID",

    "CREATE TABLE stations(id INTEGER PRIMARY KEY, public_key BLOB NOT NULL, member INTEGER NOT NULL, call_sign TEXT, lat_e7 INTEGER, "
    "lon_e7 INTEGER, height_cm INTEGER, registered_ns INTEGER, reputation INTEGER NOT NULL) STRICT",

    "CREATE TABLE channels(channel INTEGER PRIMARY KEY, low_hz INTEGER NOT NULL, high_hz INTEGER NOT NULL, control INTEGER NOT NULL, "
    "status TEXT NOT NULL, since_window INTEGER NOT NULL, since_ns INTEGER NOT NULL, free_windows INTEGER NOT NULL) STRICT",

    "CREATE TABLE reports(window INTEGER NOT NULL, station INTEGER NOT NULL, channel INTEGER NOT NULL, occupied INTEGER NOT NULL, "
    "power_cdb INTEGER NOT NULL, height INTEGER NOT NULL, PRIMARY KEY(window, station, channel)) STRICT, WITHOUT ROWID",

    "CREATE TABLE windows(window INTEGER NOT NULL, channel INTEGER NOT NULL, height INTEGER NOT NULL, time_ns INTEGER NOT NULL, "
    "n_reports INTEGER NOT NULL, n_positive INTEGER NOT NULL, occupied INTEGER NOT NULL, void INTEGER NOT NULL, "
    "PRIMARY KEY(window, channel)) STRICT, WITHOUT ROWID",

    "CREATE TABLE grants(id INTEGER PRIMARY KEY, holder INTEGER NOT NULL, peers TEXT NOT NULL, channel INTEGER NOT NULL, "
    "low_hz INTEGER NOT NULL, high_hz INTEGER NOT NULL, max_eirp_cdbm_mhz INTEGER NOT NULL, state TEXT NOT NULL, "
    "suspended INTEGER NOT NULL, granted_ns INTEGER NOT NULL, grant_expire_ns INTEGER NOT NULL, transmit_expire_ns INTEGER, "
    "suspended_ns INTEGER, ended_ns INTEGER, height INTEGER NOT NULL) STRICT",

    "CREATE TABLE evidence(id INTEGER PRIMARY KEY, channel INTEGER NOT NULL, kind INTEGER NOT NULL, from_ns INTEGER NOT NULL, "
    "at_ns INTEGER NOT NULL, witnesses INTEGER NOT NULL, confirmed INTEGER NOT NULL, height INTEGER NOT NULL) STRICT",

    "CREATE TABLE claims(height INTEGER NOT NULL, i INTEGER NOT NULL, witness INTEGER NOT NULL, channel INTEGER NOT NULL, "
    "kind INTEGER NOT NULL, from_ns INTEGER NOT NULL, at_ns INTEGER NOT NULL, confidence_permille INTEGER NOT NULL, "
    "n_frames INTEGER NOT NULL, n_good INTEGER NOT NULL, PRIMARY KEY(height, i)) STRICT, WITHOUT ROWID",

    "CREATE TABLE engine(key INTEGER PRIMARY KEY, data BLOB NOT NULL, digest BLOB NOT NULL) STRICT",
};

const struct store_table store_tables[] = {
    {"meta", "key", 1},
    {"blocks", "height", 1},
    {"transactions", "height, i", 2},
    {"events", "height, i", 2},
    {"stations", "id", 1},
    {"channels", "channel", 1},
    {"reports", "window, station, channel", 3},
    {"windows", "window, channel", 2},
    {"grants", "id", 1},
    {"evidence", "id", 1},
    {"claims", "height, i", 2},
    {NULL, NULL, 0},
};

int store_schema_create(sqlite3 *db)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; i < sizeof(definitions) / sizeof(*definitions) && rc == SQLITE_OK; i++)
        rc = sqlite3_exec(db, definitions[i], NULL, NULL, NULL);
    char pragmas[96];
    snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d", STORE_APPLICATION_ID,
             STORE_SCHEMA_VERSION);
    return rc == SQLITE_OK ? sqlite3_exec(db, pragmas, NULL, NULL, NULL) : rc;
}
