/* The schema, described for its readers in docs/ledger-db.md. */
#include "chain/store/rows.h"

#include <stddef.h>
#include <stdio.h>

static const char *const definitions[] = {
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID",

    "CREATE TABLE blocks(height INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, n_txs INTEGER NOT NULL, hash BLOB NOT NULL, "
    "state_root BLOB NOT NULL, header BLOB NOT NULL, batch BLOB NOT NULL) STRICT",

    "CREATE TABLE certificates(height INTEGER PRIMARY KEY, n_signers INTEGER NOT NULL, certificate BLOB NOT NULL) STRICT",

    "CREATE TABLE names(of TEXT NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY(of, number)) STRICT, WITHOUT ROWID",

    "CREATE TABLE tx_rows(height INTEGER NOT NULL, i INTEGER NOT NULL, author INTEGER, nonce INTEGER, op INTEGER, channel INTEGER, "
    "subject INTEGER, code INTEGER NOT NULL, octets INTEGER NOT NULL, PRIMARY KEY(height, i)) STRICT, WITHOUT ROWID",

    "CREATE INDEX tx_by_author ON tx_rows(author, nonce)",

    "CREATE VIEW transactions AS SELECT height, i, author, nonce, (SELECT name FROM names WHERE of = 'op' AND number = op) AS op, "
    "channel, subject, code, (SELECT name FROM names WHERE of = 'response' AND number = code) AS response, octets FROM tx_rows",

    "CREATE TABLE event_rows(height INTEGER NOT NULL, i INTEGER NOT NULL, kind INTEGER NOT NULL, station INTEGER, channel INTEGER, "
    "subject INTEGER NOT NULL, code INTEGER NOT NULL, PRIMARY KEY(height, i)) STRICT, WITHOUT ROWID",

    "CREATE VIEW events AS SELECT e.height, i, time_ns, (SELECT name FROM names WHERE of = 'event' AND number = e.kind) AS kind, station, "
    "channel, subject, code FROM event_rows e JOIN blocks b ON b.height = e.height",

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

    "CREATE TABLE evidence(id INTEGER PRIMARY KEY, channel INTEGER NOT NULL, kind INTEGER NOT NULL, suspect INTEGER, "
    "from_ns INTEGER NOT NULL, at_ns INTEGER NOT NULL, witnesses INTEGER NOT NULL, confirmed INTEGER NOT NULL, height INTEGER NOT NULL) STRICT",

    "CREATE TABLE claims(height INTEGER NOT NULL, i INTEGER NOT NULL, witness INTEGER NOT NULL, channel INTEGER NOT NULL, "
    "kind INTEGER NOT NULL, suspect INTEGER, from_ns INTEGER NOT NULL, at_ns INTEGER NOT NULL, confidence_permille INTEGER, "
    "n_frames INTEGER, n_good INTEGER, level_cdb INTEGER, episode INTEGER NOT NULL, PRIMARY KEY(height, i)) STRICT, WITHOUT ROWID",

    "CREATE TABLE engine(key INTEGER PRIMARY KEY, data BLOB NOT NULL, digest BLOB NOT NULL) STRICT",

    "CREATE TABLE epochs(height INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, members BLOB NOT NULL, path BLOB NOT NULL) STRICT",

    "CREATE TABLE snapshots(height INTEGER NOT NULL, part INTEGER NOT NULL, octets BLOB NOT NULL, digest BLOB NOT NULL, "
    "PRIMARY KEY(height, part)) STRICT",
};

const struct store_table store_tables[] = {
    {"meta", "key", 1, STORE_FIXED},
    {"names", "of, number", 2, STORE_FIXED},
    {"blocks", "height", 1, STORE_CHAIN},
    {"certificates", "height", 1, STORE_CHAIN},
    {"snapshots", "height, part", 2, STORE_CHAIN},
    {"epochs", "height", 1, STORE_STATE},
    {"tx_rows", "height, i", 2, STORE_HISTORY},
    {"event_rows", "height, i", 2, STORE_HISTORY},
    {"stations", "id", 1, STORE_FIXED},
    {"channels", "channel", 1, STORE_FIXED},
    {"reports", "window, station, channel", 3, STORE_HISTORY},
    {"windows", "window, channel", 2, STORE_HISTORY},
    {"grants", "id", 1, STORE_STATE},
    {"evidence", "id", 1, STORE_STATE},
    {"claims", "height, i", 2, STORE_HISTORY},
    {NULL, NULL, 0, STORE_FIXED},
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
