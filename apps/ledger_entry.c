/* Each table's entries, field by field. */
#include "apps/ledger_entry.h"

#include "apps/ledger_json.h"
#include "apps/options.h"
#include "chain/ledger_entries.h"
#include "mac/jam.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum kind {
    END,
    UINT,
    INT,
    BOOL,
    TEXT,
    WORD,     /* a number that stands for one of `words` */
    CHANNEL,  /* and its band, by genesis */
    E7,       /* an integer in 1e-7, 1e-9, 1/100 of the unit */
    E9,
    CENTI,
    HEX,
    ANYBODY,  /* a key id, or null */
    NUMBERS,  /* array of unsigned ones */
    BITS,     /* bitmap: the numbers of the bits that are set, or null */
    OCTETS,   /* a number in each octet */
    SEATS,    /* [[key id, key] ...] */
    TARGET,   /* of a motion: a key to admit, or the id of one */
    USED,     /* a bitmap of octets: how many bits are set */
    JAM,      /* a kind of evidence */
    AGREED,   /* ends what fusion knows of a station */
    SPECTRUM  /* an operation's octets */
};

struct field {
    const char *name;
    enum kind kind;
    const char *const *words;
};

struct layout {
    const char *id, *sub; /* what the key's two numbers are; NULL: 0 */
    bool bare;            /* the value is its one field, no array */
    struct field fields[18];
};

static const char *const statuses[] = {"unknown", "white", "incumbent", NULL};
static const char *const states[] = {"IDLE", "GRANTED", "AUTHORIZED", NULL};
static const char *const motions[] = {"admit", "add", "remove", NULL};

static const struct layout layouts[CHAIN_TABLES] = {
    [CHAIN_TABLE_COUNTERS] = {NULL, NULL, false,
                              {{"next_window", UINT, NULL}, {"next_grant", UINT, NULL}, {"next_evidence", UINT, NULL},
                               {"next_motion", UINT, NULL}, {"next_record", UINT, NULL}, {"treasury", UINT, NULL}}},
    [CHAIN_TABLE_KEYS] = {"key", NULL, true, {{"ledger_key", HEX, NULL}}},
    [CHAIN_TABLE_MEMBERS] = {NULL, NULL, false, {{"epoch", UINT, NULL}, {"seats", SEATS, NULL}}},
    [CHAIN_TABLE_STATIONS] = {"station", NULL, false,
                              {{"departed", BOOL, NULL}, {"call_sign", TEXT, NULL}, {"lat_deg", E7, NULL}, {"lon_deg", E7, NULL},
                               {"height_m", CENTI, NULL}, {"registered_ns", INT, NULL}, {"p_d", E9, NULL}, {"p_fa", E9, NULL},
                               {"agreed_windows", AGREED, NULL}}},
    [CHAIN_TABLE_NONCES] = {"key", NULL, false, {{"next_nonce", UINT, NULL}, {"used_of_last_1024", USED, NULL}}},
    [CHAIN_TABLE_CHANNELS] = {"channel", NULL, false,
                              {{"status", WORD, statuses}, {"since_window", UINT, NULL}, {"since_ns", INT, NULL},
                               {"free_windows", UINT, NULL}}},
    [CHAIN_TABLE_SENSING] = {"window", "station", false,
                             {{"commit_height", UINT, NULL}, {"commitment", HEX, NULL}, {"occupied_channels", BITS, NULL}}},
    [CHAIN_TABLE_GRANTS] = {"grant", NULL, false,
                            {{"holder", UINT, NULL}, {"channel", CHANNEL, NULL}, {"peers", NUMBERS, NULL}, {"max_eirp_dbm_mhz", CENTI, NULL},
                             {"state", WORD, states}, {"suspended", BOOL, NULL}, {"granted_ns", INT, NULL}, {"grant_expire_ns", INT, NULL},
                             {"transmit_expire_ns", INT, NULL}, {"suspended_ns", INT, NULL}, {"ended_ns", INT, NULL}, {"paid", UINT, NULL},
                             {"moved_ns", INT, NULL}, {"trail_until_ns", INT, NULL}, {"trail_lat_deg", E7, NULL}, {"trail_lon_deg", E7, NULL},
                             {"trail_m", UINT, NULL}}},
    [CHAIN_TABLE_EVIDENCE] = {"evidence", NULL, false,
                              {{"channel", CHANNEL, NULL}, {"kind", JAM, NULL}, {"suspect", ANYBODY, NULL}, {"lat_deg", E7, NULL},
                               {"lon_deg", E7, NULL}, {"from_ns", INT, NULL}, {"at_ns", INT, NULL}, {"witnesses", BITS, NULL},
                               {"confirmed", BOOL, NULL}}},
    [CHAIN_TABLE_MOTIONS] = {"motion", NULL, false,
                             {{"motion_to", WORD, motions}, {"", TARGET, NULL}, {"opener", UINT, NULL}, {"opened_ns", INT, NULL},
                              {"voices", BITS, NULL}}},
    [CHAIN_TABLE_ACCOUNTS] = {"key", NULL, true, {{"balance", UINT, NULL}}},
    [CHAIN_TABLE_ACCESS] = {"station", "channel", false, {{"barred_until_ns", INT, NULL}, {"granted_at_ns", NUMBERS, NULL}}},
    [CHAIN_TABLE_PUTS] = {"key", "record", false, {{"height", UINT, NULL}, {"value_hash", HEX, NULL}}},
    [CHAIN_TABLE_RECORDS] = {"record", NULL, false, {{"begun", BOOL, NULL}, {"", SPECTRUM, NULL}}},
    [CHAIN_TABLE_HOP] = {NULL, NULL, false,
                         {{"hop_epoch", UINT, NULL}, {"channels", BITS, NULL}, {"from_ns", INT, NULL}, {"commitment", HEX, NULL},
                          {"ephemeral", HEX, NULL}, {"members_epoch", UINT, NULL}, {"issuer", UINT, NULL}, {"repaired_by", BITS, NULL}}},
};
/* The other entries of the hop table. */
static const struct layout hop_box = {NULL, "key", true, {{"box", HEX, NULL}}};
static const struct layout hop_hold = {NULL, "channel", true, {{"left_until_ns", INT, NULL}}};
/* The second entry of the members' table: who of this epoch and of the one before is convicted. */
static const struct layout standing = {
    NULL, NULL, false, {{"convicted_seats", BITS, NULL}, {"former_seats", OCTETS, NULL}, {"former_convicted_seats", BITS, NULL}}};

struct decoder {
    const struct chain_genesis *genesis;
    struct chain_cbor_reader r;
    json_t *out;
};

static json_t *number_json(uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return value <= INT64_MAX ? json_integer((json_int_t)value) : json_string(text);
}

static json_t *hex_json(const uint8_t *data, size_t len)
{
    char hex[2 * CHAIN_HOP_BOX_BYTES + 1];
    return len <= CHAIN_HOP_BOX_BYTES ? json_string(sodium_bin2hex(hex, sizeof hex, data, len)) : NULL;
}

static json_t *bits_json(uint64_t bits)
{
    json_t *out = json_array();
    for (int i = 0; i < 64; i++)
        if (bits >> i & 1)
            json_array_append_new(out, json_integer(i));
    return out;
}

static void set(struct decoder *d, const char *name, json_t *value)
{
    if (json_object_set_new(d->out, name, value) != 0)
        d->r.bad = true;
}

static void set_channel(struct decoder *d, const char *name, uint64_t channel)
{
    set(d, name, number_json(channel));
    if (channel >= d->genesis->n_channels)
        return;
    set(d, "low_hz", number_json(d->genesis->channels[channel].low_hz));
    set(d, "high_hz", number_json(d->genesis->channels[channel].high_hz));
}

static void set_seats(struct decoder *d, const char *name)
{
    json_t *ids = json_array(), *keys = json_array();
    size_t n = chain_cbor_get_array(&d->r, CHAIN_MAX_MEMBERS);
    for (size_t i = 0; i < n && !d->r.bad; i++) {
        uint8_t key[CHAIN_KEY_BYTES];
        chain_cbor_expect_array(&d->r, 2);
        json_array_append_new(ids, number_json(chain_cbor_get_uint(&d->r)));
        chain_cbor_get_fixed(&d->r, key, sizeof key);
        json_array_append_new(keys, hex_json(key, sizeof key));
    }
    set(d, name, ids);
    set(d, "ledger_keys", keys);
}

static void set_target(struct decoder *d)
{
    uint8_t key[CHAIN_KEY_BYTES];
    const char *motion = json_string_value(json_object_get(d->out, "motion_to"));
    if (!motion || strcmp(motion, motions[CHAIN_MOTION_ADMIT]) != 0) {
        set(d, "key", number_json(chain_cbor_get_uint(&d->r)));
        return;
    }
    chain_cbor_get_fixed(&d->r, key, sizeof key);
    set(d, "ledger_key", hex_json(key, sizeof key));
}

static void set_agreed(struct decoder *d, const char *name)
{
    struct chain_fuse_record record = {.agreed = chain_cbor_get_u32(&d->r)};
    record.p_d_ppb = (uint32_t)(json_real_value(json_object_get(d->out, "p_d")) * 1e9 + .5);
    record.p_fa_ppb = (uint32_t)(json_real_value(json_object_get(d->out, "p_fa")) * 1e9 + .5);
    set(d, name, number_json(record.agreed));
    set(d, "reputation", number_json(chain_fuse_reputation(&record, d->genesis->local_p_fa_ppb)));
}

static void set_spectrum(struct decoder *d)
{
    struct chain_op op;
    size_t len;
    const uint8_t *octets = chain_cbor_get_bytes(&d->r, &len);
    if (d->r.bad || chain_op_decode(&op, octets, len) != 0 || op.kind != CHAIN_OP_SPECTRUM) {
        d->r.bad = true;
        return;
    }
    const struct chain_spectrum *s = &op.spectrum;
    set(d, "says", json_string(s->kind == CHAIN_SPECTRUM_INCUMBENT ? "incumbent" : "white-space"));
    set(d, "low_hz", number_json(s->low_hz));
    set(d, "high_hz", number_json(s->high_hz));
    set(d, "from_ns", json_integer(s->from_ns));
    set(d, "until_ns", json_integer(s->until_ns));
    set(d, "lat_deg", json_real(s->lat_e7 / 1e7));
    set(d, "lon_deg", json_real(s->lon_e7 / 1e7));
    set(d, "radius_m", number_json(s->radius_m));
    set(d, "protection_dbm_mhz", json_real(s->protection_cdbm_mhz / 100.0));
}

static json_t *jam_json(uint64_t kind)
{
    if (kind == CHAIN_EVIDENCE_UNAUTHORISED)
        return json_string("unauthorised");
    return kind < MAC_JAM_N_KINDS ? json_string(mac_jam_kind_name((enum mac_jam_kind)kind)) : number_json(kind);
}

static void set_word(struct decoder *d, const struct field *f)
{
    uint64_t number = chain_cbor_get_uint(&d->r), i = 0;
    while (i < number && f->words[i])
        i++;
    if (f->words[i])
        set(d, f->name, json_string(f->words[i]));
    else
        d->r.bad = true;
}

/* Numbers in octets, or one bit each. */
static void set_octets(struct decoder *d, const struct field *f)
{
    size_t len, n_set = 0;
    const uint8_t *octets = chain_cbor_get_bytes(&d->r, &len);
    json_t *list = json_array();
    for (size_t i = 0; !d->r.bad && i < len; i++) {
        json_array_append_new(list, json_integer(octets[i]));
        for (int bit = 0; bit < 8; bit++)
            n_set += octets[i] >> bit & 1;
    }
    set(d, f->name, f->kind == OCTETS ? json_incref(list) : number_json(n_set));
    json_decref(list);
}

static void set_numbers(struct decoder *d, const struct field *f)
{
    json_t *list = json_array();
    size_t n = chain_cbor_get_array(&d->r, CHAIN_MAX_ENTRY_VALUE);
    for (size_t i = 0; i < n && !d->r.bad; i++)
        json_array_append_new(list, number_json(chain_cbor_get_uint(&d->r)));
    set(d, f->name, list);
}

static void set_hex(struct decoder *d, const struct field *f)
{
    size_t len;
    const uint8_t *octets = chain_cbor_get_bytes(&d->r, &len);
    set(d, f->name, d->r.bad ? NULL : hex_json(octets, len));
}

static void set_text(struct decoder *d, const struct field *f)
{
    char text[CHAIN_MAX_NAME];
    chain_cbor_get_text(&d->r, text, sizeof text);
    set(d, f->name, json_string(text));
}

static void set_field(struct decoder *d, const struct field *f)
{
    struct chain_cbor_reader *r = &d->r;
    switch (f->kind) {
    case END: break;
    case UINT: set(d, f->name, number_json(chain_cbor_get_uint(r))); break;
    case INT: set(d, f->name, json_integer(chain_cbor_get_int(r))); break;
    case BOOL: set(d, f->name, json_boolean(chain_cbor_get_bool(r))); break;
    case TEXT: set_text(d, f); break;
    case WORD: set_word(d, f); break;
    case CHANNEL: set_channel(d, f->name, chain_cbor_get_uint(r)); break;
    case E7: set(d, f->name, json_real((double)chain_cbor_get_int(r) / 1e7)); break;
    case E9: set(d, f->name, json_real((double)chain_cbor_get_int(r) / 1e9)); break;
    case CENTI: set(d, f->name, json_real((double)chain_cbor_get_int(r) / 100.0)); break;
    case HEX: set_hex(d, f); break;
    case ANYBODY: set(d, f->name, chain_cbor_get_null(r) ? json_null() : number_json(chain_cbor_get_uint(r))); break;
    case NUMBERS: set_numbers(d, f); break;
    case BITS: set(d, f->name, chain_cbor_get_null(r) ? json_null() : bits_json(chain_cbor_get_uint(r))); break;
    case OCTETS:
    case USED: set_octets(d, f); break;
    case SEATS: set_seats(d, f->name); break;
    case TARGET: set_target(d); break;
    case JAM: set(d, f->name, jam_json(chain_cbor_get_uint(r))); break;
    case AGREED: set_agreed(d, f->name); break;
    case SPECTRUM: set_spectrum(d); break;
    }
}

static const struct layout *find_layout(uint64_t table, uint64_t id)
{
    if (table == CHAIN_TABLE_MEMBERS && id == 1)
        return &standing;
    if (table == CHAIN_TABLE_HOP && id > 0)
        return id == 1 ? &hop_box : &hop_hold;
    return &layouts[table];
}

json_t *app_ledger_entry_json(const struct chain_genesis *genesis, uint64_t table, uint64_t id, uint64_t sub, const uint8_t *value, size_t len)
{
    if (table >= CHAIN_TABLES)
        return NULL;
    const struct layout *layout = find_layout(table, id);
    struct decoder d = {.genesis = genesis, .r = {.data = value, .len = len}, .out = json_object()};
    const uint64_t key[] = {id, sub};
    const char *const names[] = {layout->id, layout->sub};
    for (size_t i = 0; i < 2; i++)
        if (names[i] && strcmp(names[i], "channel") == 0)
            set_channel(&d, names[i], key[i]);
        else if (names[i])
            set(&d, names[i], number_json(key[i]));
    size_t n = 0;
    while (layout->fields[n].kind != END)
        n++;
    if (!layout->bare)
        chain_cbor_expect_array(&d.r, n);
    for (size_t i = 0; i < n && !d.r.bad; i++)
        set_field(&d, &layout->fields[i]);
    if (chain_cbor_end(&d.r) == 0)
        return d.out;
    json_decref(d.out);
    return NULL;
}

static bool is_time(const char *name)
{
    size_t len = strlen(name);
    return len > 3 && strcmp(name + len - 3, "_ns") == 0;
}

static void print_value(const json_t *value, bool time)
{
    char when[APP_LEDGER_TIME_TEXT];
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            printf("%s", i ? "," : "");
            print_value(json_array_get(value, i), time);
        }
        if (json_array_size(value) == 0)
            printf("-");
    } else if (time) {
        app_ledger_format_time(json_integer_value(value), when);
        printf("%s", when);
    } else if (json_is_integer(value)) {
        printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        printf("%.10g", json_real_value(value));
    } else {
        printf("%s", json_is_null(value) ? "-" : json_is_boolean(value) ? (json_is_true(value) ? "yes" : "no") : json_string_value(value));
    }
}

void app_ledger_print_entry(const json_t *entry)
{
    const char *name, *between = "";
    json_t *value;
    json_object_foreach ((json_t *)entry, name, value) {
        int shown = (int)strlen(name) - (is_time(name) ? 3 : 0); /* a date needs no unit */
        printf("%s%.*s ", between, shown, name);
        print_value(value, is_time(name));
        between = "  ";
    }
    printf("\n");
}

int app_ledger_find_table(const char *command, const char *text, uint64_t *out)
{
    for (uint64_t i = 0; i < CHAIN_TABLES; i++)
        if (strcmp(chain_ledger_table(i)->name, text) == 0) {
            *out = i;
            return 0;
        }
    if (app_parse_u64(text, out) == 0 && *out < CHAIN_TABLES)
        return 0;
    fprintf(stderr, "airdeed %s: %s is no table; tables:", command, text);
    for (uint64_t i = 0; i < CHAIN_TABLES; i++)
        fprintf(stderr, " %s", chain_ledger_table(i)->name);
    fprintf(stderr, "\n");
    return -ENOENT;
}
