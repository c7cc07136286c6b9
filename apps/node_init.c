/* airdeed node --init-cluster */
#include "apps/node_init.h"

#include "apps/keyfile.h"
#include "apps/node_cluster.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PATH = 224, MAX_PARTIES = 2 * CHAIN_MAX_MEMBERS };

struct plan {
    const struct app_node_init *init;
    char partial[MAX_PATH];
    uint16_t ports[CHAIN_MAX_MEMBERS];
    struct app_keyfile keys[MAX_PARTIES]; /* members, then clients */
};

static int fail(char *error_out, const char *path, int err)
{
    snprintf(error_out, APP_NODE_MAX_ERROR, "%s: %s", path, strerror(err));
    return -err;
}

/* All are held open until the last is found, so that no two are the same */
static int find_free_ports(uint16_t *ports, uint32_t n, char *error_out)
{
    int fds[CHAIN_MAX_MEMBERS], err = 0;
    uint32_t n_open = 0;
    for (; n_open < n && !err; n_open++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof address;
        fds[n_open] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fds[n_open] < 0 || bind(fds[n_open], (struct sockaddr *)&address, len) < 0 ||
            getsockname(fds[n_open], (struct sockaddr *)&address, &len) < 0)
            err = errno;
        ports[n_open] = ntohs(address.sin_port);
    }
    while (n_open > 0)
        if (fds[--n_open] >= 0)
            close(fds[n_open]);
    return err ? fail(error_out, "127.0.0.1", err) : 0;
}

static int end_file(FILE *file, const char *path, char *error_out)
{
    int err = fflush(file) || ferror(file) ? errno : 0;
    if (!err && fsync(fileno(file)) < 0)
        err = errno;
    if (fclose(file) != 0 && !err)
        err = errno;
    return err ? fail(error_out, path, err) : 0;
}

static void put_party(FILE *file, const struct app_keyfile *key, uint16_t port)
{
    char ledger[65], curve[65];
    app_keyfile_format_hex(key->ledger_public, ledger);
    app_keyfile_format_hex(key->curve_public, curve);
    fprintf(file, "  - name: %s\n", key->name);
    if (port)
        fprintf(file, "    endpoint: tcp://127.0.0.1:%u\n", (unsigned)port);
    fprintf(file, "    ledger_key: %s\n    curve_key: %s\n", ledger, curve);
}

void app_node_init_put_rules(FILE *file, const void *ctx)
{
    (void)ctx;
    fprintf(file, "channels: # control carries the ledger's own messages on the air and is never leased\n"
                  "  - {low: 5180M, high: 5190M, control: true}\n"
                  "  - {low: 5190M, high: 5200M, quiet_phase: 250ms}\n"
                  "  - {low: 5200M, high: 5210M, quiet_phase: 500ms}\n"
                  "  - {low: 5210M, high: 5220M, quiet_phase: 750ms}\n"
                  "quiet: {period: 1s, length: 20ms}\n"
                  "# Nodes do not sense. 0: a database outside says that all channels but control ones are white space; if a member\n"
                  "# does report an incumbent, its channel is closed until one window was free of it.\n"
                  "sensing: {white_after: 0}\n"
                  "lease: {transmit_expire: 240s, heartbeat: 60s, stop: 60s, grant: 1h}\n");
}

static int write_cluster(const struct plan *p, char *error_out)
{
    char path[MAX_PATH + 32], time_text[32];
    snprintf(path, sizeof path, "%s/cluster.yaml", p->partial);
    FILE *file = fopen(path, "wx");
    if (!file)
        return fail(error_out, path, errno);
    time_t seconds = (time_t)(p->init->now_ns / 1000000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    fprintf(file, "# A cluster of ledger nodes. Every node needs this file, octet for octet: the genesis block is made from it.\n"
                  "name: cluster\nengine: %s\ntime: %s\n",
            p->init->engine, time_text);
    p->init->put_rules(file, p->init->ctx);
    fprintf(file, "members:\n");
    for (uint32_t i = 0; i < p->init->n_members; i++)
        put_party(file, &p->keys[i], p->ports[i]);
    if (p->init->n_clients)
        fprintf(file, "clients: # may submit transactions and ask the nodes, have no vote\n");
    for (uint32_t i = 0; i < p->init->n_clients; i++)
        put_party(file, &p->keys[p->init->n_members + i], 0);
    return end_file(file, path, error_out);
}

static int write_node(const struct plan *p, uint32_t member, const char *name, char *error_out)
{
    char path[MAX_PATH + 64];
    snprintf(path, sizeof path, "%s/%s.yaml", p->partial, name);
    FILE *file = fopen(path, "wx");
    if (!file)
        return fail(error_out, path, errno);
    fprintf(file, "# One node of the cluster; paths are relative to this file.\n"
                  "cluster: cluster.yaml\nmember: %s\nkey: %s.key\ndatabase: %s.db\n",
            name, name, name);
    if (p->init->put_member)
        p->init->put_member(file, member, p->init->ctx);
    return end_file(file, path, error_out);
}

static int fill_folder(struct plan *p, char *error_out)
{
    const struct app_node_init *init = p->init;
    int err = 0;
    for (uint32_t i = 0; i < init->n_members + init->n_clients && !err; i++) {
        char name[APP_KEY_NAME];
        uint32_t i_client = i - init->n_members;
        if (i < init->n_members)
            snprintf(name, sizeof name, "%s%u", init->prefix, (unsigned)i);
        else if (i_client == 0)
            snprintf(name, sizeof name, "client");
        else
            snprintf(name, sizeof name, "client-%u", (unsigned)i_client + 1);
        app_keyfile_make(name, &p->keys[i]);
        err = app_keyfile_write(&p->keys[i], p->partial, false, error_out);
        if (!err && i < init->n_members)
            err = write_node(p, i, name, error_out);
    }
    return err ? err : write_cluster(p, error_out);
}

static void remove_folder(const char *path)
{
    DIR *dir = opendir(path);
    if (dir) {
        for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
            unlinkat(dirfd(dir), entry->d_name, 0);
        closedir(dir);
    }
    rmdir(path);
}

/* rename() would replace an empty folder: nobody misses one */
static int put_in_place(const struct plan *p, char *error_out)
{
    if (rename(p->partial, p->init->dir) == 0)
        return 0;
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) {
        snprintf(error_out, APP_NODE_MAX_ERROR, "%s: exists already and is left alone; choose another --dir", p->init->dir);
        return -EEXIST;
    }
    return fail(error_out, p->init->dir, errno);
}

int app_node_init_cluster(const struct app_node_init *init, char *error_out)
{
    struct plan *p = calloc(1, sizeof *p);
    if (!p)
        return fail(error_out, init->dir, ENOMEM);
    p->init = init;
    size_t len = strlen(init->dir);
    while (len > 1 && init->dir[len - 1] == '/')
        len--;
    int n = snprintf(p->partial, sizeof p->partial, "%.*s.partial.%ld", (int)len, init->dir, (long)getpid());
    int err = len == 0 || n < 0 || (size_t)n >= sizeof p->partial ? fail(error_out, init->dir, ENAMETOOLONG) : 0;
    for (uint32_t i = 0; i < init->n_members; i++)
        p->ports[i] = (uint16_t)(init->base_port + i);
    if (!err && init->base_port == 0)
        err = find_free_ports(p->ports, init->n_members, error_out);
    if (!err && mkdir(p->partial, 0755) < 0)
        err = fail(error_out, init->dir, errno);
    else if (!err) {
        err = fill_folder(p, error_out);
        if (!err)
            err = put_in_place(p, error_out);
        if (err)
            remove_folder(p->partial);
    }
    sodium_memzero(p->keys, sizeof p->keys);
    free(p);
    return err;
}
