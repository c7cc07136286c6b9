/* Key files: made, written whole or not at all, read with care. */
#include "apps/keyfile.h"

#include "apps/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_PATH = 256, SEED_BYTES = 32 };

bool app_keyfile_name_ok(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len < APP_KEY_NAME && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len && name[0] != '-';
}

int app_keyfile_parse_hex(const char *text, uint8_t out[32])
{
    size_t len = 0;
    if (strlen(text) != 64 || sodium_hex2bin(out, 32, text, 64, NULL, &len, NULL) || len != 32)
        return -EINVAL;
    return 0;
}

void app_keyfile_format_hex(const uint8_t key[32], char out[65])
{
    sodium_bin2hex(out, 65, key, 32);
}

static void derive(struct app_keyfile *key, const uint8_t seed[SEED_BYTES])
{
    crypto_sign_seed_keypair(key->ledger_public, key->ledger_secret, seed);
    crypto_scalarmult_base(key->curve_public, key->curve_secret);
}

void app_keyfile_make(const char *name, struct app_keyfile *out)
{
    uint8_t seed[SEED_BYTES];
    memset(out, 0, sizeof *out);
    snprintf(out->name, sizeof out->name, "%s", name);
    randombytes_buf(seed, sizeof seed);
    randombytes_buf(out->curve_secret, sizeof out->curve_secret);
    derive(out, seed);
    sodium_memzero(seed, sizeof seed);
}

void app_keyfile_line(const struct app_keyfile *key, char out[APP_KEYFILE_LINE])
{
    char ledger[65], curve[65];
    app_keyfile_format_hex(key->ledger_public, ledger);
    app_keyfile_format_hex(key->curve_public, curve);
    snprintf(out, APP_KEYFILE_LINE, "{name: %s, ledger_key: %s, curve_key: %s}", key->name, ledger, curve);
}

static int fail(char *error_out, const char *path, const char *what, int err)
{
    snprintf(error_out, APP_KEYFILE_MAX_ERROR, "%s: %s: %s", path, what, strerror(err));
    return -err;
}

/* A new file with its content on disk; name: what it is going to be called */
static int write_new(const char *path, const char *name, mode_t mode, const char *text, char *error_out)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return fail(error_out, name, "cannot be created", errno);
    size_t len = strlen(text), done = 0;
    int err = fchmod(fd, mode) < 0 ? errno : 0;
    while (!err && done < len) {
        ssize_t n = write(fd, text + done, len - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            err = n == 0 ? EIO : errno;
    }
    if (!err && fsync(fd) < 0)
        err = errno;
    if (close(fd) < 0 && !err)
        err = errno;
    if (!err)
        return 0;
    unlink(path);
    return fail(error_out, name, "cannot be written", err);
}

struct names {
    char key[MAX_PATH], public_[MAX_PATH], key_partial[MAX_PATH + 32], public_partial[MAX_PATH + 32];
};

/* link() refuses an existing name where rename() would replace it, so nothing comes between a check and the write */
static int put_in_place(const struct names *n, bool force, char *error_out)
{
    if (force) {
        if (rename(n->key_partial, n->key) < 0)
            return fail(error_out, n->key, "cannot be written", errno);
        if (rename(n->public_partial, n->public_) < 0)
            return fail(error_out, n->public_, "cannot be written", errno);
        return 0;
    }
    const char *blamed = n->key;
    int err = link(n->key_partial, n->key) < 0 ? errno : 0;
    if (!err && link(n->public_partial, n->public_) < 0) {
        err = errno;
        blamed = n->public_;
        unlink(n->key);
    }
    if (err == EEXIST) {
        snprintf(error_out, APP_KEYFILE_MAX_ERROR, "%s: exists already; --force overwrites it", blamed);
        return -EEXIST;
    }
    return err ? fail(error_out, blamed, "cannot be written", err) : 0;
}

static int make_names(const struct app_keyfile *key, const char *dir, struct names *n, char *error_out)
{
    int len = snprintf(n->key, sizeof n->key, "%s/%s.key", dir, key->name);
    if (len < 0 || (size_t)len >= sizeof n->key)
        return fail(error_out, dir, "cannot be used", ENAMETOOLONG);
    snprintf(n->public_, sizeof n->public_, "%s/%s.pub", dir, key->name);
    snprintf(n->key_partial, sizeof n->key_partial, "%s.%ld.partial", n->key, (long)getpid());
    snprintf(n->public_partial, sizeof n->public_partial, "%s.%ld.partial", n->public_, (long)getpid());
    return 0;
}

int app_keyfile_write(const struct app_keyfile *key, const char *dir, bool force, char *error_out)
{
    struct names n;
    char line[APP_KEYFILE_LINE], ledger[65], curve[65], secret[512], public_[APP_KEYFILE_LINE + 128];
    int err = make_names(key, dir, &n, error_out);
    if (err)
        return err;
    app_keyfile_line(key, line);
    app_keyfile_format_hex(key->ledger_secret, ledger); /* the seed: the rest follows from it */
    app_keyfile_format_hex(key->curve_secret, curve);
    snprintf(secret, sizeof secret, "# airdeed secret keys: whoever has this file speaks as %s\nname: %s\nledger_secret: %s\ncurve_secret: %s\n",
             key->name, key->name, ledger, curve);
    snprintf(public_, sizeof public_, "# airdeed public keys: a line for members or clients of a cluster file\n%s\n", line);
    err = write_new(n.key_partial, n.key, 0600, secret, error_out);
    if (!err)
        err = write_new(n.public_partial, n.public_, 0644, public_, error_out);
    if (!err)
        err = put_in_place(&n, force, error_out);
    unlink(n.key_partial);
    unlink(n.public_partial);
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(ledger, sizeof ledger);
    sodium_memzero(curve, sizeof curve);
    return err;
}

struct secrets {
    char name[APP_KEY_NAME];
    uint8_t seed[SEED_BYTES], curve[APP_CURVE_BYTES];
};

static int parse_secret(void *root, void *value, const char *text, char *why)
{
    (void)root;
    if (app_keyfile_parse_hex(text, value)) {
        snprintf(why, APP_YAML_MAX_WHY, "a key has 64 hexadecimal digits");
        return -EINVAL;
    }
    return 0;
}

static const struct app_yaml_field secret_fields[] = {
    {.name = "name", .kind = APP_YAML_TEXT, .required = true, .offset = offsetof(struct secrets, name), .cap = APP_KEY_NAME},
    {.name = "ledger_secret", .kind = APP_YAML_PARSED, .required = true, .offset = offsetof(struct secrets, seed), .parse = parse_secret,
     .secret = true},
    {.name = "curve_secret", .kind = APP_YAML_PARSED, .required = true, .offset = offsetof(struct secrets, curve), .parse = parse_secret,
     .secret = true},
    {.name = ""},
};

int app_keyfile_read(const char *path, struct app_keyfile *out, char *error_out)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return fail(error_out, path, "cannot be opened", errno);
    if (S_ISREG(st.st_mode) && (st.st_mode & 077)) {
        snprintf(error_out, APP_KEYFILE_MAX_ERROR, "%s: others may use this secret key (mode %04o); chmod 600 it", path,
                 (unsigned)(st.st_mode & 07777));
        return -EPERM;
    }
    struct secrets secrets = {0};
    int err = app_yaml_read(path, secret_fields, NULL, &secrets, error_out);
    if (!err) {
        memset(out, 0, sizeof *out);
        memcpy(out->name, secrets.name, sizeof out->name);
        memcpy(out->curve_secret, secrets.curve, sizeof out->curve_secret);
        derive(out, secrets.seed);
    }
    sodium_memzero(&secrets, sizeof secrets);
    return err;
}
