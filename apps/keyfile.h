/* Key files of a node or a client. NAME.key holds two secrets (Ed25519 for what it signs, Curve25519 for its connections), mode 0600;
 * NAME.pub holds the public line that a cluster file takes. */
#ifndef APPS_KEYFILE_H
#define APPS_KEYFILE_H

#include "chain/types.h"

enum { APP_KEY_NAME = 32, APP_CURVE_BYTES = 32, APP_KEYFILE_MAX_ERROR = 400, APP_KEYFILE_LINE = 256 };

struct app_keyfile {
    char name[APP_KEY_NAME];                /* [a-z0-9-], at most 31 */
    uint8_t ledger_public[CHAIN_KEY_BYTES];
    uint8_t ledger_secret[CHAIN_SECRET_BYTES]; /* libsodium's form: seed, then public key */
    uint8_t curve_public[APP_CURVE_BYTES];
    uint8_t curve_secret[APP_CURVE_BYTES];
};

bool app_keyfile_name_ok(const char *name);
/* Draws a new pair from the system's random source. */
void app_keyfile_make(const char *name, struct app_keyfile *out);
/* "{name: n0, ledger_key: ..., curve_key: ...}" */
void app_keyfile_line(const struct app_keyfile *key, char out[APP_KEYFILE_LINE]);
/* Writes DIR/NAME.key and DIR/NAME.pub: both or none. Without `force` a file that exists is left alone: -EEXIST. */
__attribute__((warn_unused_result)) int app_keyfile_write(const struct app_keyfile *key, const char *dir, bool force,
                                                          char *error_out);
/* Refuses a file that group or others may touch: -EPERM. -EINVAL where it is no key file; other errno where it cannot be read. */
__attribute__((warn_unused_result)) int app_keyfile_read(const char *path, struct app_keyfile *out, char *error_out);
/* 64 hexadecimal digits. 0 or -EINVAL. */
int app_keyfile_parse_hex(const char *text, uint8_t out[32]);
void app_keyfile_format_hex(const uint8_t key[32], char out[65]);
#endif
