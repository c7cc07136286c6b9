#include "mac/repair.h"

#include "mac/draw.h"
#include "mac/erasure.h"
#include "mac/repair_wire.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum {
    ALIGN = 64,
    MAX_OUT = 2,
    RANKS = 3, /* waits that sort who asks first */
    SPARE = 1  /* pieces that are sent beyond those asked for: one is less than another round */
};

/* One message, own or heard. */
struct shelf {
    bool used, mine, whole;
    enum mac_category category;
    uint32_t source, serial;
    unsigned k;
    size_t message_len, piece_len;
    uint64_t have;                            /* pieces of the message */
    uint64_t filled;                          /* holes that hold a further piece for now */
    uint8_t numbers[MAC_REPAIR_MAX_PIECES];   /* its number */
    unsigned next_number;                     /* the first further piece that nobody has sent */
    unsigned first_left;                      /* mine: pieces of the first pass that are still to go */
    unsigned owed;                            /* further pieces to send */
    unsigned granted;                         /* further pieces of the present go, sent or not */
    uint64_t wanted, repeated;                /* repeat: pieces to send; that were sent in the present go */
    uint64_t asked;                           /* repeat, not whole: pieces that somebody asked for since one was heard */
    unsigned n_asks, n_vain;                  /* asks of ours; since anything came of them */
    int64_t act_ns;                           /* when to ask or to begin to answer; INT64_MAX: never */
    int64_t heard_ns;
    uint8_t *octets;                          /* k pieces */
};

struct mac_repair {
    struct mac_repair_config cfg;
    struct mac_draw_key key;
    uint64_t n_draws;
    uint32_t next_serial;
    unsigned n_out; /* frames handed out that have not left */
    size_t last_served;
    struct mac_repair_stats stats;
    struct shelf *shelves;
    uint8_t *frame;    /* the last one handed out */
    uint8_t *delivery; /* a message of one frame */
};

static size_t round_up(size_t len)
{
    return (len + ALIGN - 1) / ALIGN * ALIGN;
}

static size_t shelf_bytes(const struct mac_repair_config *cfg)
{
    return round_up(cfg->max_message_bytes + cfg->piece_bytes);
}

static size_t frame_bytes(const struct mac_repair_config *cfg)
{
    return round_up(cfg->piece_bytes + MAC_REPAIR_HEADER_BYTES);
}

size_t mac_repair_bytes(const struct mac_repair_config *cfg)
{
    return round_up(sizeof(struct mac_repair)) + round_up(cfg->n_messages * sizeof(struct shelf)) + 2 * frame_bytes(cfg) +
           cfg->n_messages * shelf_bytes(cfg);
}

static const char *find_bad_field(const struct mac_repair_config *cfg)
{
    if (cfg->piece_bytes < MAC_REPAIR_ASK_BYTES || cfg->piece_bytes > 1 << 16)
        return "piece_bytes";
    if (cfg->max_message_bytes < 1 || cfg->max_message_bytes > MAC_REPAIR_MAX_PIECES * cfg->piece_bytes)
        return "max_message_bytes";
    if (cfg->n_messages < 1 || cfg->n_messages > MAC_REPAIR_MAX_MESSAGES)
        return "n_messages";
    if (cfg->piece_ns <= 0)
        return "piece_ns";
    if (cfg->ask_ns <= 0)
        return "ask_ns";
    if (cfg->keep_ns <= 0)
        return "keep_ns";
    return cfg->max_asks < 1 ? "max_asks" : NULL;
}

int mac_repair_init(void *mem, size_t len, const struct mac_repair_config *cfg, struct mac_repair **out, const char **bad_field_out)
{
    *bad_field_out = find_bad_field(cfg);
    if (!*bad_field_out && (!mem || len < mac_repair_bytes(cfg)))
        *bad_field_out = "len";
    if (*bad_field_out)
        return -EINVAL;
    struct mac_repair *r = mem;
    uint8_t *at = (uint8_t *)mem + round_up(sizeof *r);
    *r = (struct mac_repair){.cfg = *cfg,
                             .key = {.seed = cfg->seed, .station_id = cfg->station_id},
                             .next_serial = cfg->first_serial,
                             .shelves = (struct shelf *)(void *)at};
    memset(r->shelves, 0, cfg->n_messages * sizeof *r->shelves);
    at += round_up(cfg->n_messages * sizeof *r->shelves);
    r->frame = at;
    r->delivery = at + frame_bytes(cfg);
    at += 2 * frame_bytes(cfg);
    for (size_t i = 0; i < cfg->n_messages; i++)
        r->shelves[i].octets = at + i * shelf_bytes(cfg);
    *out = r;
    return 0;
}

static unsigned count(uint64_t bits)
{
    unsigned n = 0;
    for (; bits != 0; bits &= bits - 1)
        n++;
    return n;
}

static unsigned lowest(uint64_t bits)
{
    unsigned i = 0;
    while ((bits >> i & 1) == 0)
        i++;
    return i;
}

static uint64_t all_pieces(unsigned k)
{
    return k == 64 ? UINT64_MAX : (UINT64_C(1) << k) - 1;
}

static unsigned missing(const struct shelf *s)
{
    return s->k - count(s->have | s->filled);
}

static bool sending(const struct shelf *s)
{
    return s->used && (s->first_left > 0 || (s->mine && (s->owed > 0 || s->wanted != 0)));
}

/* A piece that is repeated says what follows: better late than before the last asks are in. */
static bool has_room(const struct mac_repair *r)
{
    return r->n_out < (r->cfg.repeat ? 1 : MAX_OUT);
}

/* A keyed draw from [0, span). */
static int64_t draw_ns(struct mac_repair *r, int64_t span_ns)
{
    return (int64_t)(mac_draw(&r->key, MAC_DRAW_REPAIR, r->n_draws++) % (uint64_t)span_ns);
}

/* Who misses most asks first: what others miss is then on its way, too. */
static int64_t rank_ns(struct mac_repair *r, const struct shelf *s)
{
    unsigned n = missing(s), rank = n < RANKS ? RANKS - n : 0;
    if (r->cfg.repeat) /* one that lacks a single piece lets all others go first, but once it has asked there are few left to ask */
        return n == 1 && s->n_asks == 0 ? r->cfg.ask_ns + draw_ns(r, r->cfg.ask_ns) : draw_ns(r, r->cfg.ask_ns / 2 + 1);
    return (int64_t)rank * r->cfg.ask_ns + draw_ns(r, r->cfg.ask_ns);
}

static int64_t pieces_ns(const struct mac_repair *r, unsigned n)
{
    return (int64_t)n * r->cfg.piece_ns;
}

static void forget(struct mac_repair *r, struct shelf *s)
{
    if (!s->whole)
        r->stats.given_up++;
    s->used = false;
}

/* A free place, or the one that was silent for longest; NULL if all of them are being sent. */
static struct shelf *find_room(struct mac_repair *r)
{
    struct shelf *oldest = NULL;
    for (size_t i = 0; i < r->cfg.n_messages; i++) {
        struct shelf *s = &r->shelves[i];
        if (!s->used)
            return s;
        if (!sending(s) && (!oldest || s->heard_ns < oldest->heard_ns))
            oldest = s;
    }
    if (oldest)
        forget(r, oldest);
    return oldest;
}

static struct shelf *find(struct mac_repair *r, uint32_t source, uint32_t serial)
{
    for (size_t i = 0; i < r->cfg.n_messages; i++)
        if (r->shelves[i].used && r->shelves[i].source == source && r->shelves[i].serial == serial)
            return &r->shelves[i];
    return NULL;
}

static struct shelf *occupy(struct mac_repair *r, uint32_t source, uint32_t serial, unsigned k, size_t message_len, size_t piece_len)
{
    struct shelf *s = find_room(r);
    if (s)
        *s = (struct shelf){.used = true, .source = source, .serial = serial, .k = k, .message_len = message_len,
                            .piece_len = piece_len, .next_number = k, .category = MAC_CAT_PROPOSAL,
                            .act_ns = INT64_MAX, .octets = s->octets};
    return s;
}

static int take_message(struct mac_repair *r, const struct mac_repair_event *in, struct mac_repair_update *out)
{
    if (in->len_bytes == 0 || in->len_bytes > r->cfg.max_message_bytes)
        return -EMSGSIZE;
    if (in->len_bytes <= r->cfg.piece_bytes) {
        size_t head = mac_repair_write_header(&(struct mac_repair_frame){.kind = MAC_REPAIR_WHOLE}, r->frame);
        memcpy(r->frame + head, in->octets, in->len_bytes);
        out->has_frame = true;
        out->frame = r->frame;
        out->frame_len = head + in->len_bytes;
        out->category = in->category;
        r->n_out++;
        return 0;
    }
    /* as equal as can be: the last piece is shorter by less than an octet a piece */
    unsigned k = (unsigned)((in->len_bytes + r->cfg.piece_bytes - 1) / r->cfg.piece_bytes);
    size_t piece_len = (in->len_bytes + k - 1) / k;
    k = (unsigned)((in->len_bytes + piece_len - 1) / piece_len);
    struct shelf *s = occupy(r, r->cfg.station_id, r->next_serial, k, in->len_bytes, piece_len);
    if (!s)
        return -ENOBUFS;
    r->next_serial++;
    memcpy(s->octets, in->octets, in->len_bytes);
    memset(s->octets + in->len_bytes, 0, k * piece_len - in->len_bytes);
    s->mine = s->whole = true;
    s->category = in->category;
    s->have = all_pieces(k);
    s->first_left = k;
    s->heard_ns = in->now_ns;
    return 0;
}

/* Moves the further piece that waits in a hole to another one, whose own piece is missing as well. */
static void vacate(struct shelf *s, unsigned hole)
{
    uint64_t bit = UINT64_C(1) << hole;
    if ((s->filled & bit) == 0)
        return;
    s->filled &= ~bit;
    uint64_t others = all_pieces(s->k) & ~(s->have | s->filled | bit);
    if (others == 0)
        return; /* the piece that comes makes it superfluous */
    unsigned to = lowest(others);
    memcpy(s->octets + to * s->piece_len, s->octets + hole * s->piece_len, s->piece_len);
    s->numbers[to] = s->numbers[hole];
    s->filled |= UINT64_C(1) << to;
}

static void keep_piece(struct shelf *s, const struct mac_repair_frame *f)
{
    if (f->number < s->k) {
        if ((s->have >> f->number & 1) != 0)
            return;
        vacate(s, f->number);
        uint8_t *place = s->octets + f->number * s->piece_len;
        memcpy(place, f->octets, f->len_bytes);
        memset(place + f->len_bytes, 0, s->piece_len - f->len_bytes);
        s->have |= UINT64_C(1) << f->number;
        return;
    }
    for (uint64_t rest = s->filled; rest != 0; rest &= rest - 1)
        if (s->numbers[lowest(rest)] == f->number)
            return;
    unsigned hole = lowest(all_pieces(s->k) & ~(s->have | s->filled));
    memcpy(s->octets + hole * s->piece_len, f->octets, s->piece_len);
    s->numbers[hole] = (uint8_t)f->number;
    s->filled |= UINT64_C(1) << hole;
}

static void complete(struct mac_repair *r, struct shelf *s, struct mac_repair_update *out)
{
    uint8_t holes[MAC_REPAIR_MAX_PIECES], numbers[MAC_REPAIR_MAX_PIECES];
    unsigned n = 0;
    for (uint64_t rest = s->filled; rest != 0; rest &= rest - 1) {
        holes[n] = (uint8_t)lowest(rest);
        numbers[n] = s->numbers[holes[n]];
        n++;
    }
    if (n > 0)
        mac_erasure_decode(s->octets, s->k, s->piece_len, holes, numbers, n);
    s->have = all_pieces(s->k);
    s->filled = 0;
    s->whole = true;
    s->act_ns = INT64_MAX;
    r->stats.whole++;
    r->stats.decoded += n > 0;
    out->has_delivery = true;
    out->from = s->source;
    out->message = s->octets;
    out->message_len = s->message_len;
}

/* Somebody sends pieces of a message that we have: what was asked for is on its way. */
static void stand_back(struct mac_repair *r, struct shelf *s, const struct mac_repair_frame *f, int64_t now_ns)
{
    unsigned coming = f->left + 1;
    s->owed = s->owed > coming ? s->owed - coming : 0;
    s->granted = s->owed;
    s->wanted &= f->number < s->k ? ~(UINT64_C(1) << f->number) : s->wanted;
    bool nothing = r->cfg.repeat ? s->wanted == 0 : s->owed == 0;
    s->act_ns = nothing ? INT64_MAX : now_ns + pieces_ns(r, f->left) + RANKS * r->cfg.ask_ns + draw_ns(r, RANKS * r->cfg.ask_ns);
}

/* How long to leave the medium to what is under way: left pieces, and where all are repeated that were asked for, those as well. */
static int64_t coming_ns(const struct mac_repair *r, const struct shelf *s, unsigned left)
{
    unsigned n = left + count(s->asked);
    return pieces_ns(r, n) + (r->cfg.repeat && n > 0 ? r->cfg.ask_ns : 0);
}

static bool agrees(const struct shelf *s, const struct mac_repair_frame *f)
{
    bool is_last = f->number == s->k - 1;
    size_t last_len = s->message_len - (s->k - 1) * s->piece_len;
    return f->k == s->k && f->message_len == s->message_len && f->len_bytes == (is_last ? last_len : s->piece_len);
}

static int hear_piece(struct mac_repair *r, const struct mac_repair_frame *f, int64_t now_ns, struct mac_repair_update *out)
{
    struct shelf *s = find(r, f->source, f->serial);
    if (!s && f->source == r->cfg.station_id)
        return 0; /* of a message of ours that is forgotten */
    size_t piece_len = f->number == f->k - 1 ? (f->message_len - f->len_bytes) / (f->k - 1) : f->len_bytes;
    if (f->message_len > r->cfg.max_message_bytes || piece_len > r->cfg.piece_bytes) {
        r->stats.malformed++;
        return -EBADMSG;
    }
    if (!s)
        s = occupy(r, f->source, f->serial, f->k, f->message_len, piece_len);
    if (!s)
        return 0;
    if (!agrees(s, f)) {
        r->stats.contradicting++;
        return -EBADMSG;
    }
    s->heard_ns = now_ns;
    if (f->number >= s->next_number)
        s->next_number = f->number + 1;
    if (s->whole) {
        if (s->first_left == 0)
            stand_back(r, s, f, now_ns);
        return 0;
    }
    keep_piece(s, f);
    s->n_vain = 0;
    s->asked = r->n_out > 0 ? s->asked : 0; /* an ask of ours is still to leave */
    if (missing(s) == 0)
        complete(r, s, out);
    else
        s->act_ns = now_ns + coming_ns(r, s, f->left) + rank_ns(r, s);
    return 0;
}

/* The maker of a message answers at once; the others when it does not, and one after the other. */
static void owe(struct mac_repair *r, struct shelf *s, const struct mac_repair_frame *f, int64_t now_ns)
{
    if (!s->mine && f->n_vain == 0)
        return;
    bool idle = s->owed == 0 && s->wanted == 0;
    if (r->cfg.repeat) {
        s->wanted |= f->missing & ~s->repeated;
    } else if (f->n_missing + SPARE > s->granted) { /* who asks while a go is under way has not yet heard of it */
        s->owed += f->n_missing + SPARE - s->granted;
        s->granted = f->n_missing + SPARE;
    }
    bool nothing = s->owed == 0 && s->wanted == 0;
    if (nothing)
        s->act_ns = INT64_MAX;
    else if (s->mine)
        s->act_ns = r->cfg.repeat && s->repeated == 0 ? now_ns + r->cfg.ask_ns : now_ns; /* repetition gathers what all lack */
    else if (idle)
        s->act_ns = now_ns + RANKS * r->cfg.ask_ns + draw_ns(r, pieces_ns(r, RANKS));
}

static int hear_ask(struct mac_repair *r, const struct mac_repair_frame *f, int64_t now_ns)
{
    struct shelf *s = find(r, f->source, f->serial);
    if (!s)
        return 0;
    if (f->k != s->k) {
        r->stats.contradicting++;
        return -EBADMSG;
    }
    s->heard_ns = now_ns;
    if (s->whole)
        owe(r, s, f, now_ns);
    else {
        s->asked |= r->cfg.repeat ? f->missing : 0;
        bool enough = r->cfg.repeat ? (all_pieces(s->k) & ~(s->have | s->asked)) == 0 : f->n_missing >= missing(s);
        if (enough)
            s->act_ns = now_ns + pieces_ns(r, f->n_missing) + RANKS * r->cfg.ask_ns + rank_ns(r, s);
    }
    return 0;
}

static int hear(struct mac_repair *r, const struct mac_repair_event *in, struct mac_repair_update *out)
{
    struct mac_repair_frame f;
    if (!mac_repair_read(in->octets, in->len_bytes, &f) || (f.kind == MAC_REPAIR_WHOLE && f.len_bytes > r->cfg.piece_bytes)) {
        r->stats.malformed++;
        return -EBADMSG;
    }
    if (f.kind == MAC_REPAIR_PIECE)
        return hear_piece(r, &f, in->now_ns, out);
    if (f.kind == MAC_REPAIR_ASK)
        return hear_ask(r, &f, in->now_ns);
    memcpy(r->delivery, f.octets, f.len_bytes);
    out->has_delivery = true;
    out->from = in->from;
    out->message = r->delivery;
    out->message_len = f.len_bytes;
    return 0;
}

static void hand_out(struct mac_repair *r, const struct mac_repair_frame *f, struct mac_repair_update *out)
{
    size_t head = mac_repair_write_header(f, r->frame);
    r->n_out++;
    out->has_frame = true;
    out->frame = r->frame;
    out->frame_len = head + f->len_bytes;
}

static void hand_out_piece(struct mac_repair *r, struct shelf *s, struct mac_repair_update *out)
{
    struct mac_repair_frame f = {.kind = MAC_REPAIR_PIECE, .source = s->source, .serial = s->serial, .k = s->k,
                                 .message_len = s->message_len, .len_bytes = s->piece_len};
    if (s->first_left > 0) {
        f.number = s->k - s->first_left;
        f.left = --s->first_left;
        r->stats.pieces++;
    } else {
        r->stats.further_pieces++;
        if (r->cfg.repeat) {
            f.number = lowest(s->wanted);
            s->wanted &= s->wanted - 1;
            s->repeated |= UINT64_C(1) << f.number;
            f.left = count(s->wanted);
        } else {
            f.number = s->next_number < MAC_ERASURE_PIECES ? s->next_number : s->k;
            s->next_number = f.number + 1;
            f.left = --s->owed;
        }
    }
    if (s->owed == 0 && s->wanted == 0)
        s->act_ns = INT64_MAX;
    if (f.number == s->k - 1)
        f.len_bytes = s->message_len - (s->k - 1) * s->piece_len;
    uint8_t *octets = r->frame + MAC_REPAIR_HEADER_BYTES;
    if (f.number < s->k)
        memcpy(octets, s->octets + f.number * s->piece_len, f.len_bytes);
    else
        mac_erasure_encode(s->octets, s->k, s->piece_len, f.number, octets);
    out->category = s->category;
    hand_out(r, &f, out);
}

static void ask(struct mac_repair *r, struct shelf *s, int64_t now_ns, struct mac_repair_update *out)
{
    if (s->n_asks == r->cfg.max_asks) {
        forget(r, s);
        return;
    }
    uint64_t lost = (all_pieces(s->k) & ~s->have) | s->asked; /* an ask that the maker did not hear is said again by the next */
    s->asked = r->cfg.repeat ? lost : 0;
    struct mac_repair_frame f = {.kind = MAC_REPAIR_ASK, .source = s->source, .serial = s->serial, .k = s->k,
                                 .n_missing = r->cfg.repeat ? count(lost) : missing(s), .n_vain = s->n_vain, .missing = lost};
    out->category = MAC_CAT_VOTE;
    s->n_asks++;
    s->n_vain++;
    r->stats.asks++;
    /* each unanswered ask leaves others twice the time */
    int64_t patience_ns = RANKS * r->cfg.ask_ns << (s->n_vain < 6 ? s->n_vain : 6);
    s->act_ns = now_ns + pieces_ns(r, f.n_missing) + patience_ns + draw_ns(r, r->cfg.ask_ns);
    hand_out(r, &f, out);
}

/* True while a whole message has pieces to go at now_ns. */
static bool has_piece(const struct shelf *s, int64_t now_ns)
{
    return s->used && s->whole && (s->first_left > 0 || ((s->owed > 0 || s->wanted != 0) && s->act_ns <= now_ns));
}

/* The next frame that is due: an ask first, then the pieces of one message until it has no more. */
static void serve(struct mac_repair *r, int64_t now_ns, struct mac_repair_update *out)
{
    if (!has_room(r))
        return;
    for (size_t i = 0; i < r->cfg.n_messages && !out->has_frame; i++) {
        struct shelf *s = &r->shelves[i];
        if (s->used && !s->whole && s->act_ns <= now_ns)
            ask(r, s, now_ns, out);
    }
    for (size_t i = 0; i < r->cfg.n_messages && !out->has_frame; i++) {
        size_t at = (r->last_served + i) % r->cfg.n_messages;
        if (has_piece(&r->shelves[at], now_ns)) {
            r->last_served = at;
            hand_out_piece(r, &r->shelves[at], out);
        }
    }
}

/* Everything has left: what is asked for from now on is asked by those who know what was sent. */
static void end_goes(struct mac_repair *r)
{
    for (size_t i = 0; i < r->cfg.n_messages; i++) {
        struct shelf *s = &r->shelves[i];
        if (s->owed == 0 && s->wanted == 0) {
            s->granted = 0;
            s->repeated = 0;
        }
    }
}

static void expire(struct mac_repair *r, int64_t now_ns)
{
    for (size_t i = 0; i < r->cfg.n_messages; i++) {
        struct shelf *s = &r->shelves[i];
        if (s->used && !sending(s) && s->heard_ns + r->cfg.keep_ns <= now_ns)
            forget(r, s);
    }
}

int mac_repair_step(struct mac_repair *r, const struct mac_repair_event *in, struct mac_repair_update *out)
{
    int rc = 0;
    *out = (struct mac_repair_update){0};
    expire(r, in->now_ns);
    if (in->kind == MAC_REPAIR_EV_SEND)
        rc = take_message(r, in, out);
    else if (in->kind == MAC_REPAIR_EV_HEARD)
        rc = hear(r, in, out);
    else if (in->kind == MAC_REPAIR_EV_LEFT && r->n_out > 0 && --r->n_out == 0)
        end_goes(r);
    else if (in->kind == MAC_REPAIR_EV_TICK)
        serve(r, in->now_ns, out);
    return rc;
}

int64_t mac_repair_deadline(const struct mac_repair *r)
{
    int64_t deadline_ns = INT64_MAX;
    for (size_t i = 0; i < r->cfg.n_messages; i++) {
        const struct shelf *s = &r->shelves[i];
        if (!s->used)
            continue;
        int64_t at_ns = sending(s) ? INT64_MAX : s->heard_ns + r->cfg.keep_ns;
        if (has_room(r) && s->first_left > 0)
            at_ns = INT64_MIN;
        else if (has_room(r) && s->act_ns < at_ns)
            at_ns = s->act_ns;
        if (at_ns < deadline_ns)
            deadline_ns = at_ns;
    }
    return deadline_ns;
}

void mac_repair_stats(const struct mac_repair *r, struct mac_repair_stats *out)
{
    *out = r->stats;
}

void mac_repair_close(struct mac_repair *r)
{
    (void)r;
}
